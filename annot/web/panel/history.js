// What was answered in this session, newest last, so that undo reaches back over reloads. An entry holds the whole item.
import { forget, read, write } from "./storage.js";

// Undo reaches back over a day's work, and after a reload over the newest of it.
const MOST = 4000;
const KEPT = 200;
// Session storage holds about 5 million characters for the whole site; long texts share this many.
const ROOM = 1500000;

export class History {
  constructor(storage, account, api) {
    this.storage = storage;
    this.key = `annot.history.${account}.${api}`;
    this.entries = read(storage, this.key, []);
  }

  get last() {
    return this.entries[this.entries.length - 1] ?? null;
  }

  push(entry) {
    this.entries.push(entry);
    if (this.entries.length > MOST) this.entries.shift();
  }

  pop() {
    return this.entries.pop() ?? null;
  }

  remove(uid) {
    const entry = this.entries.find((known) => known.uid === uid);
    this.entries = this.entries.filter((known) => known !== entry);
    return entry ?? null;
  }

  /** The flag on an item that was not taken back, or null. */
  flagOn(item) {
    return this.entries.findLast((entry) => entry.kind === "flag" && entry.item.item === item) ?? null;
  }

  /** Labels used lately, newest first, each once. */
  recent(most) {
    const seen = new Set();
    for (let at = this.entries.length - 1; at >= 0 && seen.size < most; at -= 1) {
      for (const label of this.entries[at].labels) if (seen.size < most) seen.add(label);
    }
    return [...seen];
  }

  /** Written after the next text is painted and when the page goes away, never while a person waits. */
  save() {
    let room = ROOM;
    let from = this.entries.length;
    while (from > 0 && this.entries.length - from < KEPT && (room -= this.entries[from - 1].item.text.length + 500) > 0) from -= 1;
    if (!write(this.storage, this.key, this.entries.slice(from))) forget(this.storage, this.key);
  }

  clear() {
    this.entries = [];
    forget(this.storage, this.key);
  }
}

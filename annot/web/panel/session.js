// One person's work in this tab: the items held, what was answered, and the events that say so. Knows nothing of the screen.
import { randomId } from "./storage.js";

// An event that took no look at a text: an undo, or the same answer for a text as good as identical.
const UNSEEN = { shown_at: null, seconds: 0 };

export class Session {
  constructor({ data, outbox, history, held, clock }) {
    Object.assign(this, { data, outbox, history, held, clock });
    this.shownAt = null;
  }

  /** Keep one event in the outbox. Returns it. */
  send(kind, item, more = {}) {
    const event = {
      uid: randomId(),
      kind,
      item: item.item,
      lease: item.lease ?? null,
      labels: [],
      relation: "is",
      target: null,
      note: "",
      shown_at: this.shownAt,
      seconds: this.clock.seconds,
      suggestion: this.data.options.suggestions ?? "off",
      ...more,
    };
    this.outbox.add(this.data.api, event);
    return event;
  }

  remember(event, item, group = []) {
    const { replaces, was, ...clean } = item;
    const { uid, kind, labels, relation, note, seconds } = event;
    this.history.push({ uid, kind, labels, relation, note, seconds, at: Date.now() / 1000, group, item: clean });
  }

  /** Answer the first item, and the texts as good as identical with it: each its own event, undone as one. */
  answer(kind, { labels = [], relation = "is", note = "", twins = [] }) {
    const item = this.held.first;
    if (item.replaces) {
      this.send("undo", item, { target: item.replaces, ...UNSEEN });
      this.history.remove(item.replaces);
    }
    const said = { labels, relation, note };
    const event = this.send(kind, item, said);
    const group = twins.map((twin) => ({ item: twin, uid: this.send(kind, { item: twin }, { ...said, ...UNSEEN, copy_of: event.uid }).uid }));
    this.remember(event, item, group);
    this.held.advance(twins);
  }

  /** A flag marks the first item for the lead; it stays to be answered. One that was there is taken back for it. */
  flag(note) {
    const item = this.held.first;
    this.takeFlagBack();
    this.remember(this.send("flag", item, { note }), item);
  }

  /** Take this session's flag on the first item back. Returns it, or null where there is none. */
  takeFlagBack() {
    const entry = this.history.flagOn(this.held.first.item);
    if (!entry) return null;
    this.send("undo", entry.item, { target: entry.uid, ...UNSEEN });
    return this.history.remove(entry.uid);
  }

  /** Take the last event back and put its item on screen again. Returns what was undone, or null. */
  undo() {
    const entry = this.history.pop();
    if (!entry) return null;
    for (const twin of entry.group) this.send("undo", { item: twin.item }, { target: twin.uid, ...UNSEEN });
    this.send("undo", entry.item, { target: entry.uid, ...UNSEEN });
    if (entry.kind !== "flag") this.held.putBack({ ...entry.item, was: { labels: entry.labels, relation: entry.relation } });
    return entry;
  }

  /** Put an item answered earlier on screen; its answer stands until another is given. */
  goBackTo(row) {
    const item = row.whole ?? { lease: null, item: row.item, text: row.text, guesses: [], twins: [] };
    const why = { reason: "chosen", model: null, labels: null };
    this.held.putBack({ ...item, why, replaces: row.uid, was: { labels: row.labels, relation: row.relation } });
  }

  /** The server will not have an answer. Returns the entry it was, if it was one of this session's. */
  refused(uid) {
    const entry = this.history.remove(uid);
    if (entry) this.held.answered.delete(entry.item.lease);
    return entry;
  }

  /** My last answers, newest first: this session's, also what is not sent yet, then what else the server knows. */
  async mine(most) {
    const mine = this.history.entries
      .filter(({ kind }) => kind !== "flag")
      .map(({ item, ...entry }) => ({ ...entry, item: item.item, text: item.text, whole: item }));
    let theirs = [];
    let complete = false;
    try {
      const response = await fetch(`${this.data.api}/mine?limit=${most}`, { headers: { "X-Annot": "1" }, cache: "no-store" });
      complete = response.ok;
      if (response.ok) theirs = (await response.json()).answers;
    } catch {
      // Offline: this session's own answers are listed, and the dialog says that there may be more.
    }
    const undone = new Set(this.outbox.entries.map(({ event }) => event.target).filter(Boolean));
    const seen = new Set();
    const fresh = ({ uid, item }) => !undone.has(uid) && !seen.has(item) && seen.add(item);
    const rows = [...mine.reverse(), ...theirs].filter(fresh).sort((a, b) => b.at - a.at);
    return { rows: rows.slice(0, most), complete };
  }

  /** Seconds per answer: the median of the last twenty, 0 while there are too few to tell. */
  get pace() {
    const times = this.history.entries.slice(-40).map(({ seconds }) => seconds).filter((seconds) => seconds > 0).slice(-20);
    times.sort((a, b) => a - b);
    return times.length < 3 ? 0 : times[Math.floor(times.length / 2)];
  }
}

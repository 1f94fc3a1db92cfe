// The answers that the server has not acknowledged yet. They are in localStorage before the next text is shown and leave
// only when their uid comes back; sending one twice changes nothing. Pure logic: storage is passed in.
import { forget, keysWith, read, write } from "./storage.js";

/** Milliseconds to wait before try number `attempt` (1, 2, ...): 0.3 s doubling to 10 s, spread so that a team does not return in step. */
export function pause(attempt, random = Math.random()) {
  return Math.min(10000, 300 * 2 ** (attempt - 1)) * (0.8 + 0.4 * random);
}

export class Outbox {
  /** One list per account and tab: nobody else's answers are ever sent by this account. */
  constructor(storage, account, tab) {
    this.storage = storage;
    this.prefix = `annot.outbox.${account}.`;
    this.key = this.prefix + tab;
    this.entries = read(storage, this.key, []);
    this.kept = true;
  }

  get size() {
    return this.entries.length;
  }

  /** Keep an event for the project at `api`. */
  add(api, event) {
    this.entries.push({ api, event });
    this.save();
  }

  /** The oldest events that go to one project not among `barred`, in order, at most `most`. */
  batch(most, barred = new Set()) {
    const open = this.entries.filter(({ api }) => !barred.has(api));
    if (!open.length) return null;
    const { api } = open[0];
    const end = open.findIndex((entry) => entry.api !== api);
    const events = open.slice(0, end < 0 ? most : Math.min(end, most)).map(({ event }) => event);
    return { api, events };
  }

  remove(uids) {
    const gone = new Set(uids);
    if (!gone.size) return;
    this.entries = this.entries.filter(({ event }) => !gone.has(event.uid));
    this.save();
  }

  /** The items of `api` with an answer on its way. */
  itemsUnderWay(api) {
    return new Set(this.entries.filter((entry) => entry.api === api).map(({ event }) => event.item));
  }

  /** How many answers the waiting events add to today's count. */
  answersUnderWay(api) {
    const worth = { label: 1, skip: 1, undo: -1 };
    return this.entries.reduce((sum, entry) => sum + (entry.api === api ? (worth[entry.event.kind] ?? 0) : 0), 0);
  }

  /** Take over what tabs of this account left that are no longer alive. Written here before it is removed there. */
  adopt(living) {
    for (const key of keysWith(this.storage, this.prefix)) {
      if (key === this.key || living.has(key.slice(this.prefix.length))) continue;
      const known = new Set(this.entries.map(({ event }) => event.uid));
      const left = read(this.storage, key, []).filter(({ event }) => !known.has(event.uid));
      this.entries = [...left, ...this.entries];
      if (this.save()) forget(this.storage, key);
    }
  }

  save() {
    if (this.size) this.kept = write(this.storage, this.key, this.entries);
    else {
      forget(this.storage, this.key);
      this.kept = true;
    }
    return this.kept;
  }
}

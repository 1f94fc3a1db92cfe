// Which browser tab this is. The id outlives a reload (sessionStorage), so that a reload gets its own leased items back;
// a duplicated tab starts with a copy of that storage and must notice, or two tabs would answer the same items.
import { randomId, read, write } from "./storage.js";

const TAB_KEY = "annot.tab";
const LOCK = "annot.tab.";
// A page that is being reloaded may hold its lock for a moment longer: wait this long before calling the id taken.
const PATIENCE = 600;

/** Hold a named lock for the life of this document; false when another live tab holds it. */
function holdLock(locks, name) {
  return new Promise((resolve) => {
    const impatience = new AbortController();
    setTimeout(() => impatience.abort(), PATIENCE);
    locks
      .request(name, { signal: impatience.signal }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

/** Without Web Locks (plain http://): ask aloud who is there, and answer when asked. Resolves to the ids that answered. */
class RollCall {
  constructor() {
    this.channel = new BroadcastChannel("annot.tabs");
    this.id = null;
    this.heard = new Set();
    this.channel.addEventListener("message", ({ data }) => {
      if (data.ask && this.id) this.channel.postMessage({ here: this.id });
      if (data.here) this.heard.add(data.here);
    });
  }

  async others() {
    this.heard.clear();
    this.channel.postMessage({ ask: true });
    await new Promise((resolve) => setTimeout(resolve, PATIENCE / 2));
    return new Set(this.heard);
  }
}

let claimed = null;

async function claim(session) {
  const locks = navigator.locks;
  const rollCall = locks ? null : new RollCall();
  let id = read(session, TAB_KEY);
  let copied = false;
  if (id) {
    const free = locks ? await holdLock(locks, LOCK + id) : !(await rollCall.others()).has(id);
    copied = !free;
  }
  if (!id || copied) {
    id = randomId();
    write(session, TAB_KEY, id);
    if (locks) await holdLock(locks, LOCK + id);
  }
  if (rollCall) rollCall.id = id;
  const living = locks
    ? async () => new Set((await locks.query()).held.filter(({ name }) => name.startsWith(LOCK)).map(({ name }) => name.slice(LOCK.length)))
    : async () => new Set(await rollCall.others()).add(id);
  return { id, copied, living };
}

/** Claim this tab's id once per document. `copied`: the tab was duplicated; `living()`: the ids of all live tabs. */
export function claimTab(session) {
  claimed ??= claim(session);
  return claimed;
}

// The one conversation with the server: sends what waits in the outbox, brings the next items, and knows how it stands.
// One request at a time; it never makes the screen wait.
import { pause } from "./outbox.js";

const BATCH = 100;
// Ask for more only when few are left: what is handed out late was ranked with more labels.
const LOW = 6;
const WANT = 10;
const HANG_UP_AFTER = 15000;
const BARRED_FOR = 60000;
const POLL_EMPTY = 3000;
const POLL_CALM = 45000;
// Browsers refuse keepalive requests over 64 KiB in all.
const LAST_WORDS = 60000;

/** What a failed answer means for the person: the name is the panel's data-state, and whether to keep trying soon. */
function troubleOf(status) {
  if (status === 401) return { state: "signin", wait: 5000 };
  if (status === 409) return { state: "account", wait: 10000 };
  if (status === 429 || status >= 500) return { state: "offline", wait: 0 };
  return { state: "error", wait: 15000 };
}

export class Sync {
  /** `held()` gives the lease ids on the panel; `onReply(reply)` and `onState()` tell the panel. */
  constructor({ api, account, tab, outbox, held, onReply, onState }) {
    Object.assign(this, { api, account, tab, outbox, held, onReply, onState });
    this.trouble = null;
    this.barred = new Map(); // other projects that turned us away, and when
    this.failures = 0;
    this.busy = false;
    this.again = false;
    this.stopped = false;
    this.timer = null;
    this.met = false;
  }

  /** saved | saving | offline | signin | account | error, as data-state shows it. */
  get state() {
    if (this.trouble) return this.trouble.state;
    return this.outbox.batch(1, this.barred) ? "saving" : "saved";
  }

  /** There is something to send or to fetch. While the server is out of reach this waits for its turn. */
  poke() {
    this.onState();
    if (this.busy) this.again = true;
    else if (!this.failures) this.schedule(0);
  }

  /** Try at once: the network came back, or the person did. */
  retry() {
    if (this.busy) this.again = true;
    else this.schedule(0);
  }

  /** Projects that turned us away a moment ago; after BARRED_FOR they are asked again. */
  barredNow() {
    return new Set([...this.barred].filter(([, at]) => Date.now() - at < BARRED_FOR).map(([api]) => api));
  }

  schedule(wait) {
    clearTimeout(this.timer);
    if (!this.stopped) this.timer = setTimeout(() => this.run(), wait);
  }

  /** What is sent. Another project's events (left by a tab that was closed) go there without taking items from it. */
  body(api, events, more = true) {
    const hold = api === this.api ? this.held() : [];
    const want = api !== this.api || !more ? 0 : hold.length < LOW ? WANT : hold.length;
    return JSON.stringify({ account: this.account, tab: this.tab, hold, want, events });
  }

  post(api, body, options) {
    const headers = { "Content-Type": "application/json", "X-Annot": "1" };
    return fetch(`${api}/sync`, { method: "POST", headers, body, credentials: "same-origin", cache: "no-store", ...options });
  }

  async run() {
    if (this.busy || this.stopped) return;
    this.busy = true;
    this.again = false;
    this.hangUp = new AbortController();
    const bell = setTimeout(() => this.hangUp.abort(), HANG_UP_AFTER);
    const { api, events } = this.outbox.batch(BATCH, this.barredNow()) ?? { api: this.api, events: [] };
    let wait;
    try {
      const response = await this.post(api, this.body(api, events), { signal: this.hangUp.signal });
      if (response.ok) wait = this.accept(api, await response.json());
      else if (api !== this.api && [400, 403, 404].includes(response.status)) {
        // Another project that refuses us (put away, or we are no longer a member) must not hold up this one; its answers stay in the outbox.
        this.barred.set(api, Date.now());
        wait = 0;
      } else {
        wait = this.fail(troubleOf(response.status), await response.json().catch(() => ({})));
      }
    } catch (error) {
      // No network, a cut connection, or an answer that is none (a proxy's page): all are tried again.
      console.warn("Annot could not sync:", error);
      wait = this.fail({ state: "offline", wait: 0 }, {});
    } finally {
      clearTimeout(bell);
      this.busy = false;
    }
    if (this.stopped) return;
    this.onState();
    this.schedule(wait);
  }

  accept(api, reply) {
    this.trouble = null;
    this.failures = 0;
    const before = this.outbox.size;
    this.barred.delete(api);
    this.outbox.remove([...reply.saved, ...reply.refused.map(({ uid }) => uid)]);
    if (api === this.api) this.met = true;
    if (!this.stopped) this.onReply(reply, api === this.api);
    const left = this.outbox.batch(1, this.barredNow()) !== null;
    if (left && this.outbox.size === before) return pause(3); // The server took none: do not spin.
    if (left || this.again || api !== this.api) return 0;
    return this.held().length ? POLL_CALM : POLL_EMPTY;
  }

  fail(trouble, { error = "" }) {
    this.failures += 1;
    this.trouble = { ...trouble, error };
    return Math.max(trouble.wait, pause(this.failures));
  }

  /** The page is going away: send what is left in a request that outlives it. It stays in the outbox until acknowledged. */
  lastWords() {
    const batch = this.outbox.batch(BATCH, this.barred);
    if (!batch) return;
    const { api, events } = batch;
    while (events.length > 1 && this.body(api, events, false).length * 3 > LAST_WORDS) events.pop();
    this.post(api, this.body(api, events, false), { keepalive: true }).catch(() => {});
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.hangUp?.abort();
  }
}

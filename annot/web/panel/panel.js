// The labelling panel: makes its parts, lets them know each other, and ends them. Default export: what Streamlit calls on every
// rerun. Must not itself read keys (presses.js), decide what one does (commands.js, asking.js) or draw (screen.js, view.js).
//
// One way round: a press runs a command, the command changes desk and session, the screen shows them; what the session kept is
// sent by sync, whose reply comes in at receive().
//
// data, constant for a project (see annot/web/panel/__init__.py): {
//   api: "/api/projects/3", account: 7, project: {id, name, exclusive}, guidelines, setup, language, strings,
//   labels: [{id, name, title, description, key, parent}],
//   options: {suggestions: "off" | "on" | "after", likely_first, allow_not, allow_either, allow_inner, highlights: [{pattern, regex, color}]},
// }
import { Asking } from "./asking.js";
import { SIZE_STEPS } from "./card.js";
import { Clock } from "./clock.js";
import { Commands } from "./commands.js";
import { keepUncovered } from "./connection.js";
import { Desk } from "./desk.js";
import { Dialogs } from "./dialogs.js";
import { Held } from "./held.js";
import { History } from "./history.js";
import { Keymap } from "./keys.js";
import { LabelSet } from "./labels.js";
import { Outbox } from "./outbox.js";
import { Presses } from "./presses.js";
import { Screen } from "./screen.js";
import { Session } from "./session.js";
import { read, storageOf, write } from "./storage.js";
import { Sync } from "./sync.js";
import { claimTab } from "./tabs.js";
import { View } from "./view.js";
import { Words } from "./words.js";

const SIZE_KEY = "annot.textsize";
const KEYS_KEY = "annot.singlekeys";
// More labels than this, or a tree, get a short list of likely and recently used ones.
const MANY = 12;
const SLOTS = 4;
const ADOPT_EVERY = 30000;

class Panel {
  constructor(shadow, data) {
    this.local = storageOf("localStorage");
    this.tabStorage = storageOf("sessionStorage");
    this.held = new Held();
    this.clock = new Clock();
    this.history = new History(this.tabStorage, data.account, data.api);
    this.desk = new Desk(this.held, this.history);
    this.view = new View(shadow, {
      choose: (id) => this.commands.choose(id),
      command: (name) => this.commands.run(name),
      shown: (item) => this.shown(item),
    });
    this.screen = new Screen(this.view, this.desk);
    this.asking = new Asking(this.desk);
    const { desk, screen, asking } = this;
    const more = { help: () => this.help(), larger: () => this.resize(1), smaller: () => this.resize(-1) };
    this.commands = new Commands({ desk, screen, asking, kept: () => this.hurry(), more });
    this.presses = new Presses({ shadow, desk, commands: this.commands, scroll: (key) => this.view.card.scroll(key), ignored: () => this.view.ignored() });
    this.configure(data);
    this.listen();
    this.start();
  }

  // ---- life ----

  get identity() {
    return `${this.data.account} ${this.data.api}`;
  }

  /** Take the page's data in; called again only when it really changed. */
  configure(data) {
    this.data = data;
    const { options, project } = data;
    const labels = new LabelSet(data.labels, project.exclusive);
    const words = new Words(data.strings, data.language);
    const keymap = new Keymap(labels, options, data.labels.length > MANY || labels.isTree ? SLOTS : 0);
    const setup = { data, options, project, labels, words, keymap };
    this.desk.configure(setup);
    this.commands.configure(setup);
    this.presses.configure(setup);
    this.screen.configure(setup);
    this.dialogs = new Dialogs(this.view.root, words, (typed) => this.dialogClosed(typed));
    this.asking.configure(setup, { dialogs: this.dialogs, card: this.view.card });
    this.view.card.textSize(read(this.local, SIZE_KEY, 1));
    this.presses.singleKeys = read(this.local, KEYS_KEY, true);
    if (this.session) this.session.data = data;
  }

  async start() {
    const { account, api } = this.data;
    this.tab = await claimTab(this.tabStorage);
    if (this.gone) return;
    if (this.tab.copied) this.history.clear();
    this.outbox = new Outbox(this.local, account, this.tab.id);
    this.outbox.adopt(await this.tab.living());
    if (this.gone) return;
    const { data, outbox, history, held, clock } = this;
    this.session = new Session({ data, outbox, history, held, clock });
    this.sync = new Sync({
      api,
      account,
      tab: this.tab.id,
      outbox,
      held: () => held.leases,
      onReply: (reply, ours) => this.receive(reply, ours),
      onState: () => this.screen.showState(),
    });
    this.screen.connect({ sync: this.sync, outbox, session: this.session, api });
    this.asking.connect(this.session);
    this.commands.connect(this.session);
    this.sync.poke();
  }

  listen() {
    this.quit = new AbortController();
    const on = (target, type, run, more) => target.addEventListener(type, run, { signal: this.quit.signal, ...more });
    // On window and before anyone else, so that Streamlit's own single keys (r: rerun, c: clear cache) cannot take a label's key.
    on(window, "keydown", (event) => this.key(event), { capture: true });
    for (const type of ["pointerdown", "pointermove", "wheel"]) on(window, type, () => this.clock.mark(), { passive: true });
    on(window, "online", () => this.sync?.retry());
    on(window, "pagehide", () => this.leave());
    on(document, "visibilitychange", () => this.visibility());
    this.quit.signal.addEventListener("abort", keepUncovered(() => this.sync?.retry()));
  }

  key(event) {
    this.clock.mark();
    if (this.session) this.presses.key(event);
  }

  visibility() {
    if (document.hidden) {
      this.clock.hide();
      this.history.save();
      this.sync?.poke();
    } else {
      this.clock.show();
      this.sync?.retry();
    }
  }

  leave() {
    this.history.save();
    this.sync?.lastWords();
  }

  stop() {
    if (this.gone) return;
    this.gone = true;
    this.leave();
    this.sync?.stop();
    this.quit.abort();
    clearTimeout(this.saving);
    this.dialogs.close();
    this.screen.close();
  }

  dialogClosed(typed) {
    this.view.card.focus();
    if (typed) this.presses.writesOn();
  }

  // ---- what this browser remembers ----

  help() {
    this.asking.help(this.presses.singleKeys, (on) => {
      this.presses.singleKeys = on;
      write(this.local, KEYS_KEY, on);
    });
  }

  resize(by) {
    const step = Math.max(0, Math.min(SIZE_STEPS - 1, read(this.local, SIZE_KEY, 1) + by));
    write(this.local, SIZE_KEY, step);
    this.view.card.textSize(step);
  }

  // ---- between screen and server ----

  /** The item is there for the person to see: from now on presses are about it. */
  shown(item) {
    if (this.gone) return;
    this.desk.seen(item);
    if (this.session) this.session.shownAt = Date.now() / 1000;
    this.clock.start();
    this.screen.announceNext(item);
  }

  /** Something waits to be sent: say so now, send it once the screen is up to date. */
  hurry() {
    this.screen.showState();
    this.view.afterPaint(() => this.sync.poke());
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.history.save(), 200);
  }

  receive(reply, ours) {
    for (const { uid, error } of reply.refused) this.screen.sayRefused(error, this.session.refused(uid));
    if (!ours) return;
    const underWay = this.outbox.itemsUnderWay(this.data.api);
    this.held.drop(reply.stale, underWay);
    this.held.receive(reply.items, underWay);
    this.desk.progress = reply.progress;
    this.desk.ranking = reply.ranking;
    if (reply.setup !== this.data.setup && reply.setup !== this.toldOf) this.screen.sayChanged();
    this.toldOf = reply.setup;
    const { onScreen } = this.view.card;
    if (onScreen && onScreen === this.desk.item) this.screen.describe();
    else this.screen.showNext();
    this.screen.showProgress();
    this.adoptNowAndThen();
  }

  /** A tab that was closed since may have left answers. Seldom enough to cost nothing. */
  async adoptNowAndThen() {
    if (performance.now() < (this.adoptNext ?? 0)) return;
    this.adoptNext = performance.now() + ADOPT_EVERY;
    this.outbox.adopt(await this.tab.living());
  }
}

const panels = new WeakMap();

/** Streamlit calls this on mounting and on every rerun with new data: the same panel lives on. Returns its cleanup. */
export default function (component) {
  const { parentElement, data } = component;
  if (!data) return undefined;
  const said = JSON.stringify(data);
  let known = panels.get(parentElement);
  if (known && (known.panel.gone || known.panel.identity !== `${data.account} ${data.api}`)) {
    known.panel.stop();
    known = null;
  }
  if (!known) panels.set(parentElement, { panel: new Panel(parentElement, data), said });
  else if (known.said !== said) {
    known.said = said;
    known.panel.configure(data);
  }
  return () => panels.get(parentElement)?.panel.stop();
}

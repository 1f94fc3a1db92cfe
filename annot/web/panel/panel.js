// The labelling panel: puts session, server, keys and screen together. Default export: what Streamlit calls on every rerun.
//
// data, constant for a project (see annot/web/panel/__init__.py): {
//   api: "/api/projects/3", account: 7, project: {id, name, exclusive}, guidelines, language, strings,
//   labels: [{id, name, title, description, key, parent}],
//   options: {suggest: "off" | "on" | "after", order_likely, allow_not, allow_either, allow_inner, highlights: [{pattern, regex, color}]},
// }
import { Choice } from "./choice.js";
import { Clock } from "./clock.js";
import { keepUncovered } from "./connection.js";
import { Dialogs } from "./dialogs.js";
import { Held } from "./held.js";
import { History } from "./history.js";
import { Keymap, SCROLL, dialogOpen, isControl, isWriting, keyNames } from "./keys.js";
import { LabelSet } from "./labels.js";
import { Outbox } from "./outbox.js";
import { Session } from "./session.js";
import { read, storageOf, write } from "./storage.js";
import { Sync } from "./sync.js";
import { claimTab } from "./tabs.js";
import { compileHighlights } from "./text.js";
import { SIZE_STEPS, View } from "./view.js";
import { Words } from "./words.js";

const SIZE_KEY = "annot.textsize";
const KEYS_KEY = "annot.singlekeys";
// More labels than this, or a tree, get a short list of likely and recently used ones.
const MANY = 12;
const SLOTS = 4;
const REASONS = 4;
const MINE = 50;
const ADOPT_EVERY = 30000;

class Panel {
  constructor(shadow, data) {
    this.shadow = shadow;
    this.local = storageOf("localStorage");
    this.tabStorage = storageOf("sessionStorage");
    this.held = new Held();
    this.clock = new Clock();
    this.history = new History(this.tabStorage, data.account, data.api);
    this.progress = null;
    this.ranking = null;
    this.painted = null;
    this.paintedAt = Infinity;
    this.pressedAt = Infinity;
    this.view = new View(shadow, {
      choose: (id) => this.choose(id),
      command: (name) => this.command(name),
      shown: (item) => this.shown(item),
    });
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
    this.options = data.options;
    this.labels = new LabelSet(data.labels, data.project.exclusive);
    this.words = new Words(data.strings, data.language);
    this.keymap = new Keymap(this.labels, this.options, data.labels.length > MANY || this.labels.isTree ? SLOTS : 0);
    this.dialogs = new Dialogs(this.view.root, this.words, () => this.view.focusText());
    this.view.highlights = compileHighlights(this.options.highlights);
    this.view.build({ words: this.words, labels: this.labels, options: this.options, keymap: this.keymap, project: data.project });
    this.view.textSize(read(this.local, SIZE_KEY, 1));
    this.singleKeys = read(this.local, KEYS_KEY, true);
    this.stateWas = undefined;
    if (this.session) this.session.data = data;
    this.showNext();
    if (this.sync) this.showState();
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
      onState: () => this.showState(),
    });
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
    clearTimeout(this.saying);
    clearTimeout(this.saving);
    this.dialogs.close();
    this.view.remove();
  }

  // ---- presses ----

  key(event) {
    this.clock.mark();
    if (!this.session || dialogOpen([document, this.shadow])) return;
    const path = event.composedPath();
    if (isWriting(path)) return;
    const names = keyNames(event).filter((name) => this.singleKeys || name.length > 1);
    if (isControl(path) && names.some((name) => name === "Enter" || name === "ArrowLeft" || SCROLL.has(name))) return;
    const run = names.map((name) => this.meaning(name)).find(Boolean);
    if (!run) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat && !SCROLL.has(event.key)) return;
    this.pressedAt = event.timeStamp;
    run();
    this.pressedAt = Infinity;
  }

  /** What a key does now, or null: Enter, Escape and Left are left to the page where they mean nothing here. */
  meaning(name) {
    if (SCROLL.has(name)) return () => this.view.scroll(name);
    const { choice } = this;
    const fixed = {
      Backspace: "undo",
      Undo: "undo",
      Enter: (choice.toggles || choice.parent !== null) && "submit",
      Escape: (choice.inside || this.held.first?.replaces) && "escape",
      ArrowLeft: choice.inside && "up",
    };
    if (name in fixed) return fixed[name] ? () => this.command(fixed[name]) : null;
    const { slot, label, command } = this.keymap.meaning(name, choice.parent);
    if (slot !== undefined) return () => this.choose(this.short[slot]);
    if (label !== undefined) return () => this.choose(label);
    return command ? () => this.command(command) : null;
  }

  /** Was the item on screen painted, and before this press was made? If not, the press meant something else. */
  ready() {
    const ready = this.painted !== null && this.painted === this.held.first && this.pressedAt >= this.paintedAt;
    if (!ready) this.view.ignored();
    return ready;
  }

  command(name) {
    if (!this.session) return;
    const commands = {
      undo: () => this.undo(),
      skip: () => this.answer("skip", {}),
      reasons: () => this.askReason(),
      flag: () => this.askFlag(),
      guidelines: () => this.dialogs.guidelines(this.data.guidelines, this.labels),
      mine: () => this.listMine(),
      not: () => this.setMode("not"),
      either: () => this.setMode("either"),
      twins: () => this.toggleTwins(),
      none: () => this.answer("label", {}),
      here: () => this.stopHere(),
      search: () => this.search(),
      help: () => this.help(),
      larger: () => this.resize(1),
      smaller: () => this.resize(-1),
      submit: () => this.submit(),
      up: () => this.goUp(),
      escape: () => (this.choice.inside ? this.goUp() : this.keepAsItWas()),
    };
    commands[name]();
  }

  choose(id) {
    if (id === undefined || !this.ready()) return;
    this.view.flash(id);
    if (!this.choice.opens(id)) return this.take(id);
    this.choice.goInto(id);
    this.showChoice();
    this.view.announce(this.labels.pathTitle(id));
  }

  /** A label was settled on, be it a leaf or an inner one where that is allowed. */
  take(id) {
    if (!this.choice.toggles) return this.answer("label", { labels: [id], relation: this.choice.mode });
    this.choice.pick(id);
    this.showChoice();
    this.view.announce(this.words.prompt(this.choice));
  }

  stopHere() {
    if (this.choice.steps.now.has("here") && this.ready()) this.take(this.choice.parent);
  }

  submit() {
    const { mode, picked, enough, toggles } = this.choice;
    if (!toggles) this.stopHere();
    else if (enough) this.answer("label", { labels: [...picked], relation: mode });
    else this.view.announce(this.words.prompt(this.choice));
  }

  setMode(mode) {
    if (!this.ready()) return;
    this.choice.setMode(mode);
    this.showChoice();
    this.view.announce(this.words.prompt(this.choice));
  }

  goUp() {
    this.choice.goUp();
    this.showChoice();
  }

  toggleTwins() {
    const item = this.held.first;
    if (!item?.twins.length || !this.ready()) return;
    const turn = (on) => {
      if (item !== this.held.first) return;
      this.choice.twins = on;
      this.refresh();
    };
    if (this.choice.twins) turn(false);
    else this.dialogs.twins(item.twins, () => turn(true));
  }

  /** One answer to the item on screen, kept before the next one is shown. */
  answer(kind, said) {
    if (!this.ready()) return;
    const item = this.held.first;
    const twins = kind === "label" && this.choice.twins ? item.twins.map((twin) => twin.item) : [];
    this.session.answer(kind, { ...said, twins });
    if (item.replaces) this.view.quiet();
    this.showNext();
    this.showLast();
    this.hurry();
  }

  /** First what is half chosen, then the last answer, then the one before it, and so on. */
  undo() {
    if (this.held.first && this.choice.touched) {
      this.choice = new Choice(this.labels, this.options, this.held.first.was);
      this.showChoice();
      return;
    }
    const entry = this.session.undo();
    if (!entry) return this.view.announce(this.words.say("panel.undo.nothing"));
    if (entry.kind === "flag") this.refresh();
    else this.showNext();
    this.view.lastAnswer(this.words.say("panel.undone", { what: this.words.answer(entry, this.labels) }));
    this.hurry();
  }

  askReason() {
    if (!this.ready()) return;
    const item = this.held.first;
    const reasons = Array.from({ length: REASONS }, (_, at) => this.words.say(`panel.reason.${at + 1}`));
    this.dialogs.note("skip", this.words.say("panel.skip.title"), reasons, (note) => item === this.held.first && this.answer("skip", { note }));
  }

  askFlag() {
    if (!this.ready()) return;
    const item = this.held.first;
    this.dialogs.note("flag", this.words.say("panel.flag.title"), [], (note) => {
      if (item !== this.held.first) return;
      this.session.flag(note);
      this.refresh();
      this.hurry();
    });
  }

  listMine() {
    const describe = (row) => this.words.answer(row, this.labels);
    this.dialogs.mine(this.session.mine(MINE), describe, (row) => {
      this.session.goBackTo(row);
      this.showNext();
      this.view.say(this.words.say("panel.changing", { what: describe(row) }), this.words.say("panel.changing.keep"), () => this.keepAsItWas());
    });
  }

  keepAsItWas() {
    if (!this.held.first?.replaces) return;
    this.held.advance();
    this.view.quiet();
    this.showNext();
    this.view.focusText();
  }

  search() {
    if (!this.ready()) return;
    const item = this.held.first;
    const favour = new Map(this.short.map((id, at) => [id, 0.5 - at / 10]));
    this.dialogs.search(this.labels, favour, (id) => {
      if (item !== this.held.first) return;
      if (this.labels.isInner(id) && !this.options.allow_inner) this.choose(id);
      else this.take(id);
    });
  }

  help() {
    this.dialogs.keys({
      commands: this.keymap.list(this.words),
      labels: this.keymap.labelList(this.choice.parent),
      singleKeys: this.singleKeys,
      onSingleKeys: (on) => {
        this.singleKeys = on;
        write(this.local, KEYS_KEY, on);
      },
    });
  }

  resize(by) {
    const step = Math.max(0, Math.min(SIZE_STEPS - 1, read(this.local, SIZE_KEY, 1) + by));
    write(this.local, SIZE_KEY, step);
    this.view.textSize(step);
  }

  // ---- the server ----

  /** Something waits to be sent: say so now, send it once the screen is up to date. */
  hurry() {
    this.showState();
    this.view.afterPaint(() => this.sync.poke());
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.history.save(), 200);
  }

  receive(reply, ours) {
    for (const { uid, error } of reply.refused) {
      const entry = this.session.refused(uid);
      this.view.say(this.words.say("panel.refused", { error, text: entry ? entry.item.text.slice(0, 60) : "" }));
    }
    if (!ours) return;
    const underWay = this.outbox.itemsUnderWay(this.data.api);
    this.held.drop(reply.stale, underWay);
    this.held.receive(reply.items, underWay);
    this.progress = reply.progress;
    this.ranking = reply.ranking;
    if (this.view.onScreen && this.view.onScreen === this.held.first) this.refresh();
    else this.showNext();
    this.showProgress();
    this.adoptNowAndThen();
  }

  /** A tab that was closed since may have left answers. Seldom enough to cost nothing. */
  async adoptNowAndThen() {
    if (performance.now() < (this.adoptNext ?? 0)) return;
    this.adoptNext = performance.now() + ADOPT_EVERY;
    this.outbox.adopt(await this.tab.living());
  }

  // ---- showing ----

  /** Put the first held item on screen, or say why there is none. Never waits for anything. */
  showNext() {
    const item = this.held.first;
    this.painted = null;
    this.paintedAt = Infinity;
    this.choice = new Choice(this.labels, this.options, item?.was);
    this.short = item ? this.shortList(item) : [];
    if (item) this.view.showItem(item, this.about(item));
    else this.showEmpty();
    this.showChoice();
  }

  /** The item is there for the person to see: from now on presses are about it. */
  shown(item) {
    if (this.gone) return;
    this.painted = item;
    this.paintedAt = performance.now();
    if (this.session) this.session.shownAt = Date.now() / 1000;
    this.clock.start();
    clearTimeout(this.saying);
    this.saying = setTimeout(() => this.view.announce(`${this.view.last.textContent}. ${this.words.say("panel.next")}: ${item.text.slice(0, 1000)}`), 300);
  }

  about(item) {
    const why = this.words.why(item, this.ranking, this.labels, this.options.suggest);
    return { ...why, flagged: item.flagged, twins: item.twins.length, twinsOn: this.choice.twins };
  }

  refresh() {
    if (this.held.first) this.view.describe(this.about(this.held.first));
  }

  /** What the model finds likely (where the project wants that), then what was used lately. Leaves only. */
  shortList(item) {
    const likely = this.options.order_likely ? item.guesses.map(([id]) => id) : [];
    const usable = [...likely, ...this.history.recent(SLOTS * 2)].filter((id) => this.labels.has(id) && !this.labels.isInner(id));
    return [...new Set(usable)].slice(0, this.keymap.slots.length);
  }

  showChoice() {
    const item = this.held.first;
    this.view.showChoice(this.choice, {
      short: this.short,
      guesses: item && this.options.suggest === "on" ? item.guesses : [],
      prompt: item ? this.words.prompt(this.choice) : "",
    });
  }

  showEmpty() {
    const { sync, progress } = this;
    const done = progress && progress.pool && progress.labelled >= progress.pool;
    const reasons = { signin: "signin", account: "signin", offline: "offline", error: "offline" };
    const reason = reasons[sync?.state] ?? (!sync?.met ? "loading" : done ? "done" : "waiting");
    const hint = reason === "loading" ? "" : this.words.say(`panel.empty.${reason}_hint`);
    this.view.showEmpty(this.words.say(`panel.empty.${reason}`), hint, !["signin", "done"].includes(reason));
  }

  showState() {
    const { state, trouble } = this.sync;
    this.view.status(state, this.outbox.size);
    this.showProgress();
    if (!this.held.first) this.showEmpty();
    if (!this.outbox.kept && this.wasKept !== false) this.view.say(this.words.say("panel.notkept"));
    this.wasKept = this.outbox.kept;
    if (state === this.stateWas) return;
    this.sayTrouble(state, trouble);
    const calm = state === "saved" || state === "saving";
    if (calm && this.wasCalm === false) this.view.announce(this.words.say("panel.state.back"));
    if (!calm) this.view.announce(this.view.stateText.textContent);
    this.stateWas = state;
    this.wasCalm = calm;
  }

  sayTrouble(state, trouble) {
    const loud = ["signin", "account", "error"];
    if (state === "error") this.view.say(trouble.error || this.words.say("panel.trouble"));
    else if (loud.includes(state)) this.view.say(this.words.say(`panel.${state}`), this.words.say(`panel.${state}.go`), () => location.reload());
    else if (loud.includes(this.stateWas)) this.view.quiet();
  }

  showProgress() {
    const { labelled = 0, pool = 0, mine_today = 0 } = this.progress ?? {};
    const today = Math.max(0, mine_today + this.outbox.answersUnderWay(this.data.api));
    this.view.progress({ labelled, pool, today, seconds: this.session.pace });
  }

  /** What the last press did; with suggestions shown after the answer, also what the model had thought. */
  showLast() {
    const entry = this.history.last;
    const said = this.words.say("panel.last", { what: this.words.answer(entry, this.labels) });
    const [guess] = entry.item.guesses;
    if (this.options.suggest !== "after" || !guess || entry.kind !== "label") return this.view.lastAnswer(said);
    const model = this.words.say("panel.last.model", { label: this.labels.title(guess[0]), chance: this.words.percent(guess[1]) });
    this.view.lastAnswer(`${said} · ${model}`);
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

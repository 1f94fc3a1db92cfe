// What the person is shown of desk, session and server: turns their state into words and calls of the view. Must not change
// any of them (but for beginning with the next item), nor decide what a press does.

export class Screen {
  constructor(view, desk) {
    Object.assign(this, { view, desk });
    this.sync = null;
    this.stateWas = undefined;
  }

  /** Draw everything for this project. */
  configure(setup) {
    Object.assign(this, { labels: setup.labels, options: setup.options, words: setup.words });
    this.view.build(setup);
    this.stateWas = undefined;
    this.showItem();
    if (this.sync) this.showState();
  }

  /** From now on there is a server to hear of, and a session to count. */
  connect({ sync, outbox, session, api }) {
    Object.assign(this, { sync, outbox, session, api });
  }

  close() {
    clearTimeout(this.saying);
    this.view.remove();
  }

  // ---- the item ----

  /** Put the first held item on screen, or say why there is none. Never waits for anything. */
  showNext() {
    this.desk.takeNext();
    this.showItem();
  }

  showItem() {
    const { item } = this.desk;
    this.view.stands("data-empty", !item);
    if (item) this.view.card.showItem(item, this.about(item));
    else this.showEmpty();
    this.showChoice();
  }

  /** Tell who listens which text is there now, once there was time to press on. */
  announceNext(item) {
    clearTimeout(this.saying);
    const text = `${this.words.say("panel.next")}: ${item.text.slice(0, 1000)}`;
    this.saying = setTimeout(() => this.announce(`${this.view.choices.last.textContent}. ${text}`), 300);
  }

  about(item) {
    const why = this.words.why(item, this.desk.ranking, this.labels, this.options.suggestions);
    return { ...why, flag: this.desk.flag, twins: item.twins.length, twinsOn: this.desk.choice.twins };
  }

  /** What is said about the item on screen has changed. */
  describe() {
    if (this.desk.item) this.view.card.describe(this.about(this.desk.item));
  }

  showChoice() {
    const { item, choice, short } = this.desk;
    this.view.stands("data-mode", choice.mode);
    this.view.choices.show(choice, {
      short,
      guesses: item && this.options.suggestions === "on" ? item.guesses : [],
      prompt: item ? this.words.prompt(choice) : "",
    });
  }

  showEmpty() {
    const { sync, words } = this;
    const { progress } = this.desk;
    const done = progress && progress.pool && progress.labelled >= progress.pool;
    const reasons = { signin: "signin", account: "signin", offline: "offline", error: "offline" };
    const reason = reasons[sync?.state] ?? (!sync?.met ? "loading" : done ? "done" : "waiting");
    const hint = reason === "loading" ? "" : words.say(`panel.empty.${reason}_hint`);
    this.view.card.showEmpty(words.say(`panel.empty.${reason}`), hint, !["signin", "done"].includes(reason));
  }

  /** What the last press did; with suggestions shown after the answer, also what the model had thought. */
  showLast() {
    const entry = this.desk.history.last;
    const said = this.words.say("panel.last", { what: this.words.answer(entry, this.labels) });
    const [guess] = entry.item.guesses;
    if (this.options.suggestions !== "after" || !guess || entry.kind !== "label") return this.view.choices.lastAnswer(said);
    const model = this.words.say("panel.last.model", { label: this.labels.title(guess[0]), chance: this.words.percent(guess[1]) });
    this.view.choices.lastAnswer(`${said} · ${model}`);
  }

  showUndone(entry) {
    this.view.choices.lastAnswer(this.words.say("panel.undone", { what: this.words.answer(entry, this.labels) }));
  }

  // ---- the server ----

  showState() {
    const { state, trouble } = this.sync;
    this.view.head.status(state, this.outbox.size);
    this.showProgress();
    if (!this.desk.item) this.showEmpty();
    if (!this.outbox.kept && this.wasKept !== false) this.say(this.words.say("panel.notkept"));
    this.wasKept = this.outbox.kept;
    if (state === this.stateWas) return;
    this.sayTrouble(state, trouble);
    const calm = state === "saved" || state === "saving";
    if (calm && this.wasCalm === false) this.announce(this.words.say("panel.state.back"));
    if (!calm) this.announce(this.view.head.stateText.textContent);
    this.stateWas = state;
    this.wasCalm = calm;
  }

  sayTrouble(state, trouble) {
    const loud = ["signin", "account", "error"];
    if (state === "error") this.say(trouble.error || this.words.say("panel.trouble"));
    else if (loud.includes(state)) this.say(this.words.say(`panel.${state}`), this.words.say(`panel.${state}.go`), () => location.reload());
    else if (loud.includes(this.stateWas)) this.quiet();
  }

  /** The lead has changed labels, guidelines or options since this page was drawn; answers still count, by the old ones. */
  sayChanged() {
    this.say(this.words.say("panel.changed"), this.words.say("panel.account.go"), () => location.reload());
  }

  sayRefused(error, entry) {
    this.say(this.words.say("panel.refused", { error, text: entry ? entry.item.text.slice(0, 60) : "" }));
  }

  showProgress() {
    const { labelled = 0, pool = 0, mine_today = 0 } = this.desk.progress ?? {};
    const today = Math.max(0, mine_today + this.outbox.answersUnderWay(this.api));
    this.view.head.progress({ labelled, pool, today, seconds: this.session.pace });
  }

  // ---- of the view, as it is ----

  ignored() {
    this.view.ignored();
  }

  flash(id) {
    this.view.choices.flash(id);
  }

  announce(text) {
    this.view.announce(text);
  }

  say(text, action, run) {
    this.view.say(text, action, run);
  }

  quiet() {
    this.view.quiet();
  }

  focusText() {
    this.view.card.focus();
  }
}

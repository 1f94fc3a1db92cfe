// What the keys and buttons do to the answer in the making, and when it becomes one. Each changes the desk or the session first
// and then tells the screen. Must not read keys, draw, or talk to the server; what asks in a dialog first is in asking.js.

export class Commands {
  /** `asking` opens dialogs; `kept()` is called once an event waits to be sent; `more` are further commands by name. */
  constructor({ desk, screen, asking, kept, more }) {
    Object.assign(this, { desk, screen, asking, kept });
    this.session = null;
    this.named = {
      undo: () => this.undo(),
      skip: () => this.answer("skip", {}),
      reasons: () => this.ready && asking.reason((note) => this.answer("skip", { note })),
      flag: () => this.ready && asking.flag((note) => this.flag(note), () => this.takeFlagBack()),
      guidelines: () => asking.guidelines(),
      mine: () => asking.mine((row) => this.goBackTo(row)),
      not: () => this.setMode("not"),
      either: () => this.setMode("either"),
      twins: () => this.toggleTwins(),
      none: () => this.answer("label", {}),
      here: () => this.stopHere(),
      search: () => this.ready && asking.search((id) => this.found(id)),
      submit: () => this.submit(),
      up: () => this.goUp(),
      escape: () => (this.desk.choice.inside ? this.goUp() : this.keepAsItWas()),
      ...more,
    };
  }

  configure({ labels, options, words }) {
    Object.assign(this, { labels, options, words });
  }

  /** From now on there is a session to answer in. */
  connect(session) {
    this.session = session;
  }

  run(name) {
    if (this.session) this.named[name]();
  }

  /** May a press be about the item on screen? One that may not is counted and shown as ignored. */
  get ready() {
    if (!this.desk.ready) this.screen.ignored();
    return this.desk.ready;
  }

  // ---- the answer in the making ----

  choose(id) {
    if (id === undefined || !this.ready) return;
    this.screen.flash(id);
    if (!this.desk.choice.opens(id)) return this.take(id);
    this.desk.choice.goInto(id);
    this.screen.showChoice();
    this.screen.announce(this.labels.pathTitle(id));
  }

  /** A label was settled on, be it a leaf or an inner one where that is allowed. */
  take(id) {
    const { choice } = this.desk;
    if (!choice.toggles) return this.answer("label", { labels: [id], relation: choice.mode });
    choice.pick(id);
    this.screen.showChoice();
    this.prompt();
  }

  /** A label was found by its name. */
  found(id) {
    if (this.labels.isInner(id) && !this.options.allow_inner) this.choose(id);
    else this.take(id);
  }

  stopHere() {
    const { choice } = this.desk;
    if (choice.steps.now.has("here") && this.ready) this.take(choice.parent);
  }

  submit() {
    const { mode, picked, enough, toggles } = this.desk.choice;
    if (!toggles) this.stopHere();
    else if (enough) this.answer("label", { labels: [...picked], relation: mode });
    else this.prompt();
  }

  setMode(mode) {
    if (!this.ready) return;
    this.desk.choice.setMode(mode);
    this.screen.showChoice();
    this.prompt();
  }

  goUp() {
    this.desk.choice.goUp();
    this.screen.showChoice();
  }

  toggleTwins() {
    const { desk } = this;
    if (!desk.item?.twins.length || !this.ready) return;
    const turn = (on) => {
      desk.choice.twins = on;
      this.screen.describe();
    };
    if (desk.choice.twins) turn(false);
    else this.asking.twins(() => turn(true));
  }

  prompt() {
    this.screen.announce(this.words.prompt(this.desk.choice));
  }

  // ---- events ----

  /** One answer to the item on screen, kept before the next one is shown. */
  answer(kind, said) {
    if (!this.ready) return;
    const { item, choice } = this.desk;
    const twins = kind === "label" && choice.twins ? item.twins.map((twin) => twin.item) : [];
    this.session.answer(kind, { ...said, twins });
    if (item.replaces) this.screen.quiet();
    this.screen.showNext();
    this.screen.showLast();
    this.kept();
  }

  flag(note) {
    if (this.desk.flag?.note === note) return;
    this.session.flag(note);
    this.screen.describe();
    this.screen.announce(this.words.say("panel.flagged"));
    this.kept();
  }

  takeFlagBack() {
    const entry = this.session.takeFlagBack();
    if (!entry) return;
    this.screen.describe();
    this.screen.showUndone(entry);
    this.kept();
  }

  /** First what is half chosen, then the last answer, then the one before it, and so on. */
  undo() {
    const { desk, screen } = this;
    if (desk.item && desk.choice.touched) {
      desk.beginAnew();
      screen.showChoice();
      return;
    }
    const entry = this.session.undo();
    if (!entry) return screen.announce(this.words.say("panel.undo.nothing"));
    if (entry.kind === "flag") screen.describe();
    else screen.showNext();
    screen.showUndone(entry);
    this.kept();
  }

  /** Put an earlier answer's text on screen; the answer stands until another is given. */
  goBackTo(row) {
    this.session.goBackTo(row);
    this.screen.showNext();
    this.screen.say(this.words.say("panel.changing", { what: this.words.answer(row, this.labels) }), this.words.say("panel.changing.keep"), () => this.keepAsItWas());
  }

  keepAsItWas() {
    if (!this.desk.item?.replaces) return;
    this.desk.held.advance();
    this.screen.quiet();
    this.screen.showNext();
    this.screen.focusText();
  }
}

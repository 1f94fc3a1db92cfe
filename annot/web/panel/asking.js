// The commands that ask in a dialog first: each opens its dialog and hands what was said on. Must not change the desk or the
// session itself. What was said about a text counts only while that text is still on screen.

const REASONS = 4;
const MINE = 50;

export class Asking {
  constructor(desk) {
    this.desk = desk;
    this.session = null;
  }

  /** `dialogs` belong to the page as it is drawn now. */
  configure({ data, labels, words, keymap }, dialogs) {
    Object.assign(this, { data, labels, words, keymap, dialogs });
  }

  connect(session) {
    this.session = session;
  }

  /** `run`, but only if the item now on screen is still there by then. */
  aboutThisText(run) {
    const { item } = this.desk;
    return (said) => item === this.desk.item && run(said);
  }

  reason(done) {
    const reasons = Array.from({ length: REASONS }, (_, at) => this.words.say(`panel.reason.${at + 1}`));
    this.dialogs.note("skip", this.words.say("panel.skip.title"), reasons, this.aboutThisText(done));
  }

  flag(done) {
    this.dialogs.note("flag", this.words.say("panel.flag.title"), [], this.aboutThisText(done));
  }

  twins(done) {
    this.dialogs.twins(this.desk.item.twins, this.aboutThisText(done));
  }

  search(done) {
    const favour = new Map(this.desk.short.map((id, at) => [id, 0.5 - at / 10]));
    this.dialogs.search(this.labels, favour, this.aboutThisText(done));
  }

  mine(done) {
    this.dialogs.mine(this.session.mine(MINE), (row) => this.words.answer(row, this.labels), done);
  }

  guidelines() {
    this.dialogs.guidelines(this.data.guidelines, this.labels);
  }

  help(singleKeys, onSingleKeys) {
    this.dialogs.keys({
      commands: this.keymap.list(this.words),
      labels: this.keymap.labelList(this.desk.choice.parent),
      singleKeys,
      onSingleKeys,
    });
  }
}

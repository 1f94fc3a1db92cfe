// The commands that ask in a dialog first: each opens its dialog and hands what was said on. Must not change the desk or the
// session itself. What was said about a text counts only while that text is still on screen.

import { showMine } from "./mine.js";
import { showNote } from "./noting.js";
import { showSearch } from "./searching.js";

const REASONS = 4;
const MINE = 50;

export class Asking {
  constructor(desk) {
    this.desk = desk;
    this.session = null;
  }

  /** `dialogs` and `card` belong to the page as it is drawn now. */
  configure({ data, labels, words, keymap }, { dialogs, card }) {
    Object.assign(this, { data, labels, words, keymap, dialogs, card });
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
    const { card, words } = this;
    const reasons = Array.from({ length: REASONS }, (_, at) => words.say(`panel.reason.${at + 1}`));
    const texts = { title: words.say("panel.skip.title"), submit: words.say("panel.note.skip") };
    showNote(this.dialogs, { name: "skip", ...texts, reasons, card, done: this.aboutThisText(done) });
  }

  /** Ask for a note; where the text is flagged already, show its note, to be changed or taken back. */
  flag(done, takeBack) {
    const { card, words } = this;
    const flag = this.desk.flag;
    const texts = { title: words.say(flag ? "panel.flag.again" : "panel.flag.title"), submit: words.say(flag ? "panel.note.change" : "panel.note.flag") };
    const back = flag && this.aboutThisText(takeBack);
    showNote(this.dialogs, { name: "flag", ...texts, note: flag?.note, card, done: this.aboutThisText(done), takeBack: back });
  }

  twins(done) {
    this.dialogs.twins(this.desk.item.twins, this.aboutThisText(done));
  }

  search(done) {
    const favour = new Map(this.desk.short.map((id, at) => [id, 0.5 - at / 10]));
    showSearch(this.dialogs, { labels: this.labels, favour, choose: this.aboutThisText(done) });
  }

  mine(done) {
    const describe = (row) => this.words.answer(row, this.labels);
    showMine(this.dialogs, { loading: this.session.mine(MINE), describe, change: done });
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

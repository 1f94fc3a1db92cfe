// Dialogs of the panel: the frame they all have, and those that only show something (keys, guidelines, near-identical texts).
// Native <dialog> elements: the browser keeps the focus inside, closes them on Escape and makes the rest of the page inert. While
// one is open no press counts (see keys.js). Must not know what is done with an answer.
import { el, kbd } from "./dom.js";
import { prose } from "./prose.js";

export class Dialogs {
  /** `closed(typed)` is called when a dialog went away, to give the focus back to the text; `typed`: see end(). */
  constructor(root, words, closed) {
    this.root = root;
    this.words = words;
    this.closed = closed;
    this.open = null;
  }

  close() {
    this.open?.close();
  }

  /**
   * Close a dialog and give the focus back at once. The close event comes only later, and where nothing had the focus before,
   * the browser leaves it in the closed dialog's field until the next frame: a key pressed by then would be taken for typing.
   * `typed`: a character that was typed ended it, and the rest of what the person is writing may follow.
   */
  end(dialog, typed = false) {
    dialog.close();
    this.closed(typed);
  }

  show(name, title, ...body) {
    this.close();
    const heading = el("h2", { id: "annot-dialog-title" }, title);
    const onblur = ({ target }) => target.removeAttribute("data-handed");
    const close = el("button", { type: "button", class: "action close", "aria-label": this.words.say("panel.close"), onclick: () => this.end(dialog) }, "×");
    const dialog = el(
      "dialog",
      { class: "dialog", "data-dialog": name, role: "dialog", "aria-modal": "true", "aria-labelledby": "annot-dialog-title" },
      el("div", { class: "top" }, heading, close),
      // It has the focus at first so that keys scroll it, and needs no frame for that (see panel.css).
      el("div", { class: "body", tabindex: "0", autofocus: true, role: "group", "aria-labelledby": "annot-dialog-title", "data-handed": true, onblur }, ...body),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && this.end(dialog));
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.open === dialog) this.open = null;
      this.closed(false);
    });
    this.root.append(dialog);
    this.open = dialog;
    dialog.showModal();
    return dialog;
  }

  keys({ commands, labels, singleKeys, onSingleKeys }) {
    const say = (key) => this.words.say(key);
    const row = (keys, text) => el("div", { class: "row" }, el("dt", {}, ...keys.map((key) => kbd(key))), el("dd", {}, text));
    const rows = commands.filter(([keys]) => keys.length).map(([keys, text]) => row(keys, text));
    const names = labels.filter(([key]) => key).map(([key, title]) => row([key], title));
    const box = el("input", { type: "checkbox", onchange: () => onSingleKeys(box.checked) });
    box.checked = singleKeys;
    this.show(
      "help",
      say("panel.help.title"),
      el("h3", {}, say("panel.help.labels")),
      el("dl", { class: "keys" }, ...names),
      el("h3", {}, say("panel.help.commands")),
      el("dl", { class: "keys" }, ...rows),
      el("label", { class: "check" }, box, say("panel.help.single")),
    );
  }

  guidelines(text, labels) {
    const say = (key) => this.words.say(key);
    const entries = labels.all.map((label) =>
      el("div", { class: "entry" }, el("dt", { dir: "auto" }, labels.pathTitle(label.id)), el("dd", { dir: "auto" }, label.description || say("panel.guidelines.nothing"))),
    );
    this.show(
      "guidelines",
      say("panel.guidelines.title"),
      ...prose(text || say("panel.guidelines.none")),
      el("h3", {}, say("panel.guidelines.labels")),
      el("dl", {}, ...entries),
    );
  }

  /** Show the texts that are as good as identical; `done()` when they are to be labelled too. */
  twins(twins, done) {
    const say = (key, values) => this.words.say(key, values);
    const texts = twins.map(({ item, text }) => el("li", { dir: "auto", "data-twin": item }, text));
    const button = el("button", { type: "button", class: "submit", onclick: () => (this.end(dialog), done()) }, el("span", { class: "name" }, say("panel.twins.confirm", { n: twins.length })), kbd("Enter"));
    const dialog = this.show("twins", say("panel.twins.title", { n: twins.length }), el("ul", { class: "alike" }, ...texts), button);
    button.focus();
  }
}

// The panel's dialogs: keys, guidelines, search, a note, my last labels. Native <dialog> elements: the browser keeps the focus inside,
// closes them on Escape and makes the rest of the page inert. While one is open no press counts (see keys.js).
import { el, kbd, put, set } from "./dom.js";

export class Dialogs {
  /** `closed()` is called when a dialog went away, to give the focus back to the text. */
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
   */
  end(dialog) {
    dialog.close();
    this.closed();
  }

  show(name, title, ...body) {
    this.close();
    const heading = el("h2", { id: "annot-dialog-title" }, title);
    const close = el("button", { type: "button", class: "action close", "aria-label": this.words.say("panel.close"), onclick: () => this.end(dialog) }, "×");
    const dialog = el(
      "dialog",
      { class: "dialog", "data-dialog": name, role: "dialog", "aria-modal": "true", "aria-labelledby": "annot-dialog-title" },
      el("div", { class: "top" }, heading, close),
      el("div", { class: "body", tabindex: "0", autofocus: true, role: "group", "aria-labelledby": "annot-dialog-title" }, ...body),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && this.end(dialog));
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.open === dialog) this.open = null;
      this.closed();
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
      el("p", { class: "prose", dir: "auto" }, text || say("panel.guidelines.none")),
      el("h3", {}, say("panel.guidelines.labels")),
      el("dl", {}, ...entries),
    );
  }

  /** Search the labels by typing; `choose(id)` gets the chosen one. */
  search(labels, favour, choose) {
    const say = (key, values) => this.words.say(key, values);
    const list = el("ul", { class: "options", role: "listbox", id: "annot-options", "aria-label": say("panel.labels") });
    const count = el("p", { class: "unseen", "aria-live": "polite" });
    const input = el("input", {
      type: "text",
      class: "field",
      role: "combobox",
      "aria-expanded": "true",
      "aria-controls": "annot-options",
      "aria-autocomplete": "list",
      "aria-label": say("panel.search.title"),
      placeholder: say("panel.search.hint"),
      autocomplete: "off",
      spellcheck: "false",
      autofocus: true,
    });
    let found = [];
    let at = 0;
    const take = (label) => {
      this.end(dialog);
      choose(label.id);
    };
    const mark = () => {
      [...list.children].forEach((option, index) => set(option, "aria-selected", String(index === at)));
      set(input, "aria-activedescendant", found.length ? `annot-option-${at}` : null);
      list.children[at]?.scrollIntoView({ block: "nearest" });
    };
    const draw = () => {
      found = labels.search(input.value, favour);
      at = 0;
      const options = found.map((label, index) =>
        el(
          "li",
          { role: "option", id: `annot-option-${index}`, "data-option": label.id, onpointerdown: (event) => event.preventDefault(), onclick: () => take(label) },
          el("span", { class: "name" }, label.title || label.name),
          el("span", { class: "under" }, labels.isTree ? labels.path(label.id).slice(0, -1).map((above) => above.title || above.name).join(" › ") : label.description),
        ),
      );
      list.replaceChildren(...options);
      put(count, say("panel.search.found", { n: found.length }));
      mark();
    };
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    input.addEventListener("input", draw);
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (moves[event.key]) {
        at = Math.max(0, Math.min(found.length - 1, at + moves[event.key]));
        mark();
      } else if (event.key === "Enter" && !event.repeat && found[at]) take(found[at]);
      else return;
      event.preventDefault();
    });
    const dialog = this.show("search", say("panel.search.title"), input, list, count);
    draw();
    input.focus();
  }

  /** Ask for a few words; `reasons` are offered as buttons 1, 2, ... `done(text)`. */
  note(name, title, reasons, done) {
    const say = (key) => this.words.say(key);
    const finish = (text) => {
      this.end(dialog);
      done(text.trim());
    };
    const input = el("input", { type: "text", class: "field", maxlength: "500", "aria-label": say("panel.note.label"), placeholder: say("panel.note.hint"), dir: "auto", autocomplete: "off" });
    const offers = reasons.map((text, index) => el("button", { type: "button", class: "label", "data-reason": index + 1, onclick: () => finish(text) }, kbd(String(index + 1)), el("span", { class: "name" }, text)));
    const form = el("form", { class: "note", onsubmit: (event) => (event.preventDefault(), finish(input.value)) }, input, el("button", { type: "submit", class: "submit" }, el("span", { class: "name" }, say(`panel.note.${name}`)), kbd("Enter")));
    const dialog = this.show(name, title, el("div", { class: "reasons" }, ...offers), form);
    dialog.addEventListener("keydown", (event) => {
      if (event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      const offer = event.target === input ? null : offers[Number(event.key) - 1];
      if (!offer) return;
      event.preventDefault();
      offer.click();
    });
    (offers[0] ?? input).focus();
  }

  /** Show the texts that are as good as identical; `done()` when they are to be labelled too. */
  twins(twins, done) {
    const say = (key, values) => this.words.say(key, values);
    const texts = twins.map(({ item, text }) => el("li", { dir: "auto", "data-twin": item }, text));
    const button = el("button", { type: "button", class: "submit", onclick: () => (this.end(dialog), done()) }, el("span", { class: "name" }, say("panel.twins.confirm", { n: twins.length })), kbd("Enter"));
    const dialog = this.show("twins", say("panel.twins.title", { n: twins.length }), el("ul", { class: "alike" }, ...texts), button);
    button.focus();
  }

  /** My last answers, newest first; `rows` may come later. `change(row)` jumps back to one. */
  mine(loading, describe, change) {
    const say = (key) => this.words.say(key);
    const list = el("ol", { class: "mine" });
    const state = el("p", { role: "status" }, say("panel.mine.loading"));
    const dialog = this.show("mine", say("panel.mine.title"), state, list);
    const draw = ({ rows, complete }) => {
      if (this.open !== dialog) return;
      put(state, rows.length ? (complete ? "" : say("panel.mine.offline")) : say("panel.mine.none"));
      list.replaceChildren(
        ...rows.map((row) =>
          el(
            "li",
            { "data-mine": row.item },
            el("button", { type: "button", onclick: () => (this.end(dialog), change(row)) }, el("span", { class: "said", dir: "auto" }, row.text.slice(0, 200)), el("span", { class: "name" }, describe(row)), el("span", { class: "go" }, say("panel.mine.change"))),
          ),
        ),
      );
      (list.querySelector("button") ?? dialog.querySelector(".body")).focus();
    };
    loading.then(draw);
  }
}

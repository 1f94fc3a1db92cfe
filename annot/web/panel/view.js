// What is on screen as a whole: puts head, card, labels and actions together, and floats notices over them. Draws what it is told
// and reports presses to `act`. Must not decide anything.
//
// Tests hold on to: [data-panel] (data-ignored: presses that were about nothing on screen; data-empty; data-mode is|not|either),
// [data-item] on the text (absent when there is none), [data-state] with data-waiting, [data-label] on label buttons,
// [data-command] on all others, dialog[data-dialog], [data-option] and [data-mine] inside them.
import { Buttons } from "./buttons.js";
import { Card } from "./card.js";
import { Choices, blink } from "./choices.js";
import { el, kbd, set } from "./dom.js";
import { Head } from "./head.js";

export class View {
  /** `act` has choose(id), command(name) and shown(item): the last once a new item has been painted. */
  constructor(shadow, act) {
    this.act = act;
    this.root = el("div", { class: "annot", lang: "en", "data-panel": "" });
    shadow.append(this.root);
    // Streamlit listens for its own single keys (r, c) on the document and cannot see that a field inside this
    // shadow root has the focus: what is typed here stays here.
    for (const type of ["keydown", "keypress", "keyup"]) this.root.addEventListener(type, (event) => event.stopPropagation());
  }

  remove() {
    this.root.remove();
  }

  /** Build everything that stays the same from item to item. */
  build(setup) {
    const { words, keymap, project } = setup;
    this.words = words;
    const around = { act: this.act, onScreen: () => this.card.onScreen, free: () => this.card.focus(), ignored: () => this.ignored() };
    const buttons = new Buttons(setup, around);
    this.head = new Head(setup);
    this.card = new Card(setup, buttons, (item) => this.act.shown(item));
    this.choices = new Choices(setup, buttons);
    this.notice = el("div", { class: "notice", role: "alert", hidden: true });
    this.live = el("p", { class: "unseen", "aria-live": "polite" });
    const desk = el("div", { class: "desk" }, this.card.node, this.choices.node);
    this.root.replaceChildren(this.head.node, desk, actions(setup, buttons), this.notice, this.live);
    set(this.root, "lang", words.language);
    set(this.root, "role", "region");
    set(this.root, "aria-label", words.say("panel.panel", { project: project.name }));
    set(this.root, "data-many", keymap.slots.length > 0);
  }

  /** Run after the next frame, with what was just changed, is painted: work that must not delay it. */
  afterPaint(run) {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        run();
      };
      port2.postMessage(null);
    });
  }

  /** How the panel as a whole stands: data-empty (there is no text), data-mode (what a label's key means). */
  stands(name, value) {
    set(this.root, name, value);
  }

  announce(text) {
    if (this.live.textContent !== text) this.live.textContent = text;
  }

  /** A press was about nothing on screen. */
  ignored() {
    this.root.dataset.ignored = Number(this.root.dataset.ignored ?? 0) + 1;
    blink(this.card.node, "data-ignored");
  }

  /** A message that asks for attention, with an optional button. It floats: nothing moves. */
  say(text, action, run) {
    const close = () => {
      this.card.focus();
      this.quiet();
    };
    const buttons = [
      action && el("button", { type: "button", class: "action", onclick: run }, action),
      el("button", { type: "button", class: "action close", "aria-label": this.words.say("panel.close"), onclick: close }, "×"),
    ];
    this.notice.hidden = false;
    this.notice.replaceChildren(el("span", {}, text), ...buttons.filter(Boolean));
  }

  quiet() {
    this.notice.hidden = true;
    this.notice.replaceChildren();
  }
}

/** The row of buttons under the labels: what else can be done with the text, and what else there is to see. */
function actions({ words, options, keymap }, buttons) {
  const answering = ["undo", "skip", "flag", ...(options.allow_not ? ["not"] : []), ...(options.allow_either ? ["either"] : [])];
  const looking = ["search", "mine", "guidelines", "help"];
  const button = (name) => {
    const key = buttons.keyOf(name);
    return buttons.command(name, { class: "action" }, el("span", { class: "name" }, words.say(`panel.command.${name}`)), key ? kbd(key) : null);
  };
  const sizes = ["smaller", "larger"].map((name) => {
    const title = words.say(`panel.command.${name}`);
    return buttons.command(name, { class: `action ${name}`, "aria-label": title, title }, el("span", { "aria-hidden": "true" }, "A"));
  });
  return el(
    "div",
    { class: "actions", role: "group", "aria-label": words.say("panel.actions") },
    el("div", {}, ...answering.map(button)),
    el("div", {}, ...looking.map(button), el("span", { class: "sizes" }, ...sizes)),
  );
}

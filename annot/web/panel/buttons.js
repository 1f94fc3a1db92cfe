// The panel's buttons: those that run a command and those that stand for a label. Must not know what a press means: it tells `act`.
import { el, kbd, put, set } from "./dom.js";

export class Buttons {
  /** `act` has choose(id) and command(name); `onScreen()` gives the item, `free()` gives the focus back, `ignored()` says a press missed. */
  constructor({ labels, keymap }, { act, onScreen, free, ignored }) {
    Object.assign(this, { labels, keymap, act, onScreen, free, ignored });
  }

  keyOf(command) {
    return command === "undo" ? "Backspace" : this.keymap.commands[command];
  }

  /** A button that runs a command. It answers for the item that was on screen when it was pressed down. */
  command(name, props, ...children) {
    return el(
      "button",
      {
        type: "button",
        "data-command": name,
        "aria-keyshortcuts": this.keyOf(name) ?? null,
        onpointerdown: () => (this.pressedOn = this.onScreen()),
        onclick: (event) => this.clicked(event, () => this.act.command(name)),
        ...props,
      },
      ...children,
    );
  }

  label(label, key) {
    const name = el("span", { class: "name" });
    const guess = el("span", { class: "guess" });
    const button = el(
      "button",
      {
        type: "button",
        class: "label",
        onpointerdown: () => (this.pressedOn = this.onScreen()),
        onclick: (event) => this.clicked(event, () => button.label !== undefined && this.act.choose(button.label)),
        "aria-keyshortcuts": key || null,
      },
      key ? kbd(key) : el("span", { class: "nokey" }),
      name,
      guess,
    );
    Object.assign(button, { face: name, guess });
    this.name(button, label);
    return button;
  }

  /** Let a label button stand for this label; for none it keeps its place, unseen. */
  name(button, label) {
    if (button.label === label?.id && label) return;
    button.label = label?.id;
    put(button.face, label ? label.title || label.name : "");
    set(button, "data-label", label?.id);
    set(button, "title", label?.description || null);
    set(button, "data-inner", Boolean(label && this.labels.isInner(label.id)));
    button.style.visibility = label ? "" : "hidden";
  }

  /** A click answers the item it was begun on, and leaves no focus behind that Space or Enter would press again. */
  clicked(event, run) {
    const begunElsewhere = event.detail > 0 && this.pressedOn !== this.onScreen();
    this.free();
    if (begunElsewhere) this.ignored();
    else run();
  }
}

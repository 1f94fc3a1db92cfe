// From a key event to the one command or label it stands for now. Must not change anything itself: it calls what it was given.
import { SCROLL, dialogOpen, isControl, isWriting, keyNames } from "./keys.js";

// Who writes on after a dialog was ended by a character is done at the first pause this long, in milliseconds.
const PAUSE = 500;

export class Presses {
  /** `commands` has run(name) and choose(id); `scroll(key)` moves the text; `ignored()` says that a press did nothing. */
  constructor({ shadow, desk, commands, scroll, ignored }) {
    Object.assign(this, { shadow, desk, commands, scroll, ignored });
    // Are letters and digits keys?
    this.singleKeys = true;
    this.wroteAt = -Infinity;
  }

  /** A character ended a dialog: what follows without a pause belongs to what the person was writing, not to the next text. */
  writesOn() {
    this.wroteAt = performance.now();
  }

  configure({ keymap }) {
    this.keymap = keymap;
  }

  key(event) {
    if (dialogOpen([document, this.shadow])) return;
    const path = event.composedPath();
    if (isWriting(path)) return;
    const names = keyNames(event).filter((name) => this.singleKeys || name.length > 1);
    if (isControl(path) && names.some((name) => name === "Enter" || name === "ArrowLeft" || SCROLL.has(name))) return;
    const run = event.timeStamp - this.wroteAt < PAUSE ? this.swallow(event) : names.map((name) => this.meaning(name)).find(Boolean);
    if (!run) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat && !SCROLL.has(event.key)) return;
    this.desk.pressedAt = event.timeStamp;
    run();
    this.desk.pressedAt = Infinity;
  }

  /** Still writing: any character does nothing, and is shown to do nothing. */
  swallow(event) {
    if (!keyNames(event).length) return null;
    this.wroteAt = event.timeStamp;
    return this.ignored;
  }

  /** What a key does now, or null: Enter, Escape and Left are left to the page where they mean nothing here. */
  meaning(name) {
    if (SCROLL.has(name)) return () => this.scroll(name);
    const { commands, desk } = this;
    const { choice, short } = desk;
    const fixed = {
      Backspace: "undo",
      Undo: "undo",
      Enter: (choice.toggles || choice.parent !== null) && "submit",
      Escape: (choice.inside || desk.item?.replaces) && "escape",
      ArrowLeft: choice.inside && "up",
    };
    if (name in fixed) return fixed[name] ? () => commands.run(fixed[name]) : null;
    const { slot, label, command } = this.keymap.meaning(name, choice.parent);
    if (slot !== undefined) return () => commands.choose(short[slot]);
    if (label !== undefined) return () => commands.choose(label);
    return command ? () => commands.run(command) : null;
  }
}

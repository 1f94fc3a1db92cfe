// Which key events count as a press, what they are called, and which key stands for what.

/** Commands with the keys they would like, most wanted first. A label's own key always comes before a command's. */
const COMMANDS = {
  undo: ["u", "z"],
  skip: ["s", "k", "n"],
  flag: ["f", "m", "p"],
  guidelines: ["g", "i"],
  mine: ["l", "h", "o"],
  not: ["x", "v"],
  either: ["a", "e"],
  twins: ["t", "d"],
  none: ["0", "-"],
  here: ["."],
  search: ["/"],
  help: ["?"],
  larger: ["+", "="],
  smaller: ["-", "_"],
};

/** Keys that scroll the text; they may repeat when held. */
export const SCROLL = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "]);
const NAMED = new Set(["Backspace", "Enter", "Escape", "ArrowLeft"]);
const WRITING_ROLES = new Set(["textbox", "searchbox", "combobox", "listbox", "spinbutton", "slider", "menu", "menuitem"]);
const WRITING_TAGS = new Set(["TEXTAREA", "SELECT"]);
const BUTTON_TYPES = new Set(["button", "checkbox", "radio", "submit", "reset", "image", "file", "color"]);

/** Is the person typing into a field? `path` is event.composedPath(): a field inside a shadow root is seen only there. */
export function isWriting(path) {
  return path.some(
    (node) =>
      node.nodeType === 1 &&
      (WRITING_TAGS.has(node.tagName) ||
        (node.tagName === "INPUT" && !BUTTON_TYPES.has(node.type)) ||
        node.isContentEditable ||
        WRITING_ROLES.has(node.getAttribute("role"))),
  );
}

/** Does the focused control want Enter, Space, arrows for itself? */
export function isControl(path) {
  const node = path[0];
  return node?.nodeType === 1 && node.matches("button, a[href], summary, input, [role=button], [role=tab], [role=radio], [role=switch], [role=checkbox]");
}

/** Is anything open that asks for an answer first: a Streamlit dialog in the page, or one of the panel's own? */
export function dialogOpen(roots) {
  return roots.some((root) =>
    [...root.querySelectorAll('[role="dialog"], [role="alertdialog"], dialog[open]')].some((node) => node.getClientRects().length > 0),
  );
}

/**
 * The names a key event goes by, or none where it is no press: composing, part of a chord.
 * A letter or digit of a keyboard that writes no Latin letters, or has digits under Shift, also goes by its place.
 */
export function keyNames(event) {
  if (event.isComposing || event.keyCode === 229) return [];
  const chord = event.ctrlKey || event.metaKey || event.altKey;
  if (chord) return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "z" ? ["Undo"] : [];
  if (event.key.length > 1) return NAMED.has(event.key) || SCROLL.has(event.key) ? [event.key] : [];
  const capsLock = event.getModifierState("CapsLock");
  const typed = !capsLock ? event.key : event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase();
  if (/[a-z0-9]/i.test(typed)) return [typed];
  const place = /^(?:Key|Digit)(\w)$/.exec(event.code ?? "")?.[1];
  if (!place || (event.shiftKey && /\d/.test(place))) return [typed];
  return [typed, event.shiftKey ? place : place.toLowerCase()];
}

/** The keys of one project: what each key means, and which key to show on each button. */
export class Keymap {
  /** `slots`: places of the short list, whose labels change from item to item while their keys stay. */
  constructor(labels, options, slots) {
    this.labels = labels;
    this.options = options;
    this.own = new Set(labels.all.map((label) => label.key).filter(Boolean));
    this.commands = this.commandKeys();
    const reserved = new Set([...this.own, ...Object.values(this.commands)]);
    this.free = [..."123456789abcdefghijklmnopqrstuvwxyz"].filter((key) => !reserved.has(key));
    this.slots = Array.from({ length: slots }, () => this.free.shift() ?? "");
    this.levels = new Map();
  }

  /** command -> key for the commands in use. One whose keys are all taken by labels has none: its button remains. */
  commandKeys() {
    const { allow_not, allow_either, allow_inner } = this.options;
    const absent = { not: !allow_not, either: !allow_either, none: this.labels.exclusive, here: !(this.labels.isTree && allow_inner) };
    const taken = new Set(this.own);
    const keys = {};
    for (const [command, wishes] of Object.entries(COMMANDS)) {
      const key = absent[command] ? null : wishes.find((wish) => !taken.has(wish));
      if (!key) continue;
      keys[command] = key;
      taken.add(key);
    }
    const reasons = keys.skip?.toUpperCase();
    if (reasons && !taken.has(reasons)) keys.reasons = reasons;
    return keys;
  }

  /** Label id -> key for the labels under `parent`: their own keys stay, the others get digits and letters in order. */
  of(parent) {
    if (!this.levels.has(parent)) {
      const free = [...this.free];
      this.levels.set(parent, new Map(this.labels.children(parent).map((label) => [label.id, label.key || (free.shift() ?? "")])));
    }
    return this.levels.get(parent);
  }

  /** {slot}, {label} or {command} that a key stands for where the labels under `parent` are on offer. */
  meaning(key, parent) {
    const slot = this.slots.indexOf(key);
    if (slot >= 0) return { slot };
    for (const [label, labelKey] of this.of(parent)) if (labelKey === key) return { label };
    for (const [command, commandKey] of Object.entries(this.commands)) if (commandKey === key) return { command };
    return {};
  }

  /** [[keys, what they do]] of everything that is no label. */
  list(words) {
    const say = (name) => words.say(`panel.command.${name}`);
    const rows = Object.entries(this.commands).map(([name, key]) => [name === "undo" ? ["Backspace", "Ctrl Z", key] : [key], say(name)]);
    if (!this.labels.exclusive || this.options.allow_either) rows.push([["Enter"], say("submit")]);
    if (this.labels.isTree) rows.push([["←", "Escape"], say("up")]);
    rows.push([["↑", "↓", "PgUp", "PgDn", " "], say("scroll")]);
    return rows;
  }

  /** [[key, label title]] of the labels under `parent`. */
  labelList(parent) {
    return [...this.of(parent)].map(([id, key]) => [key, this.labels.title(id)]);
  }
}

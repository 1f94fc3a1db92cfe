// The labels on offer, what is picked of them, the buttons beside them, and the lines that say what to do and what was done.
// Draws a Choice (choice.js); must not change it.
import { el, kbd, put, set } from "./dom.js";

/** How many columns fill their rows best: 4 labels in one row, 8 in two. */
function columnsFor(count) {
  if (count <= 5) return Math.max(1, count);
  if (count > 16) return 8;
  return [4, 3, 5].reduce((best, columns) => (Math.ceil(count / columns) * columns < Math.ceil(count / best) * best ? columns : best));
}

/** Show a mark on a node for a moment. */
export function blink(node, name) {
  if (!node) return;
  set(node, name, true);
  setTimeout(() => set(node, name, null), 160);
}

export class Choices {
  constructor({ words, labels, keymap }, buttons) {
    Object.assign(this, { words, labels, keymap, buttons });
    const say = (key) => words.say(key);
    this.prompt = el("p", { class: "prompt" });
    this.last = el("p", { class: "last" });
    this.slots = keymap.slots.map((key) => buttons.label(null, key));
    this.short = el("div", { class: "short", role: "group", "aria-label": say("panel.short"), hidden: !keymap.slots.length }, ...this.slots);
    this.grid = el("div", { class: "labels", role: "group", "aria-label": say("panel.labels") });
    this.stepButtons = Object.fromEntries(["up", "here", "none", "submit"].map((name) => [name, buttons.command(name, { class: name })]));
    this.steps = el("div", { class: "steps", hidden: true }, ...Object.values(this.stepButtons));
    this.between = el("div", { class: "between" }, el("div", { class: "told" }, this.prompt, this.last), this.steps);
    this.node = el("div", { class: "answer" }, this.between, el("div", { class: "choices" }, this.short, this.grid));
    this.levels = new Map();
    this.level = undefined;
  }

  /** Draw the buttons on offer and what is chosen so far. */
  show(choice, { short, guesses, prompt }) {
    const { parent, picked, previous, path, toggles } = choice;
    if (this.level !== parent) this.showLevel(parent);
    this.slots.forEach((button, at) => this.buttons.name(button, this.labels.byId.get(short[at])));
    const chances = new Map(guesses);
    for (const button of [...this.slots, ...this.levels.get(parent).values()]) {
      const id = button.label;
      const chance = chances.get(id);
      set(button, "aria-pressed", toggles && !this.labels.isInner(id) ? String(picked.has(id)) : null);
      set(button, "data-previous", previous.has(id));
      set(button, "data-top", chance !== undefined && guesses[0][0] === id);
      put(button.guess, chance === undefined ? "" : this.words.percent(chance));
    }
    const crumbs = path.map((id) => this.labels.title(id)).join(" › ");
    this.prompt.replaceChildren(...(crumbs ? [el("span", { class: "crumbs" }, crumbs)] : []), prompt);
    this.showSteps(choice);
  }

  showLevel(parent) {
    this.level = parent;
    if (!this.levels.has(parent)) {
      const keys = this.keymap.of(parent);
      this.levels.set(parent, new Map(this.labels.children(parent).map((label) => [label.id, this.buttons.label(label, keys.get(label.id))])));
    }
    this.grid.replaceChildren(...this.levels.get(parent).values());
    this.grid.style.setProperty("--columns", columnsFor(this.labels.children(parent).length));
    this.grid.scrollTop = 0;
  }

  /** The buttons that are no labels: up, stop here, none of these, submit. One that does not apply now keeps its place. */
  showSteps({ steps, picked, enough, parent }) {
    const keys = { up: "ArrowLeft", here: this.keymap.commands.here, none: this.keymap.commands.none, submit: "Enter" };
    this.steps.hidden = !steps.may.length;
    set(this.between, "data-steps", this.labels.exclusive && steps.now.size > 0);
    for (const [name, key] of Object.entries(keys)) {
      const node = this.stepButtons[name];
      const face = this.words.say(`panel.step.${name}`, { n: picked.size, label: parent === null ? "" : this.labels.title(parent) });
      node.hidden = !steps.may.includes(name);
      set(node, "data-off", !steps.now.has(name));
      if (node.face === face) continue;
      node.face = face;
      node.replaceChildren(el("span", { class: "name" }, face), key ? kbd(key) : "");
      set(node, "aria-keyshortcuts", key);
    }
    set(this.stepButtons.submit, "aria-disabled", enough ? null : "true");
  }

  /** Show for a moment which button a key stood for. */
  flash(id) {
    blink(this.levels.get(this.level)?.get(id) ?? this.slots.find((slot) => slot.label === id), "data-flash");
  }

  lastAnswer(text) {
    put(this.last, text);
  }
}

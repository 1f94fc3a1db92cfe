// What is on screen: draws what it is told and reports presses. Decides nothing, and shows texts as text only.
//
// Tests hold on to: [data-panel] (data-ignored: presses that were about nothing on screen; data-empty; data-mode is|not|either),
// [data-item] on the text (absent when there is none), [data-state] with data-waiting, [data-label] on label buttons,
// [data-command] on all others, dialog[data-dialog], [data-option] and [data-mine] inside them.
import { el, kbd, put, set } from "./dom.js";
import { textNodes } from "./text.js";

const SIZES = [0.85, 1, 1.15, 1.3, 1.5, 1.75, 2.1, 2.5];

export class View {
  /** `act` has choose(id, press), command(name) and shown(): the last once a new item has been painted. */
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
  build({ words, labels, options, keymap, project }) {
    Object.assign(this, { words, labels, options, keymap });
    const say = (key, values) => words.say(key, values);
    this.reading = el("div", { class: "said-text", dir: "auto" });
    this.text = el("div", { class: "text", tabindex: "0", role: "region", "aria-label": say("panel.text"), onscroll: () => (this.scrolled = true) }, this.reading);
    this.because = el("span", { class: "because" });
    this.staleness = el("span", { class: "staleness" });
    this.flagged = el("span", { class: "flagged", hidden: true }, `⚑ ${say("panel.flagged")}`);
    this.twins = this.button("twins", { class: "twins", "aria-pressed": "false", hidden: true });
    this.notice = el("div", { class: "notice", role: "alert", hidden: true });
    this.card = el(
      "article",
      { class: "card", "aria-label": say("panel.card") },
      el("p", { class: "why" }, this.because, this.staleness, this.flagged),
      this.text,
      this.twins,
    );
    this.prompt = el("p", { class: "prompt" });
    this.last = el("p", { class: "last" });
    this.grid = el("div", { class: "labels", role: "group", "aria-label": say("panel.labels") });
    this.short = el("div", { class: "short", role: "group", "aria-label": say("panel.short"), hidden: !keymap.slots.length });
    this.stepButtons = Object.fromEntries(["up", "here", "none", "submit"].map((name) => [name, this.button(name, { class: name })]));
    this.steps = el("div", { class: "steps", hidden: true }, ...Object.values(this.stepButtons));
    this.between = el("div", { class: "between" }, el("div", { class: "told" }, this.prompt, this.last), this.steps);
    this.live = el("p", { class: "unseen", "aria-live": "polite" });
    this.root.replaceChildren(
      this.header(),
      el(
        "div",
        { class: "desk" },
        this.card,
        el(
          "div",
          { class: "answer" },
          this.between,
          el("div", { class: "choices" }, this.short, this.grid),
        ),
      ),
      this.actions(),
      this.notice,
      this.live,
    );
    set(this.root, "lang", words.language);
    set(this.root, "role", "region");
    set(this.root, "aria-label", say("panel.panel", { project: project.name }));
    set(this.root, "data-many", keymap.slots.length > 0);
    this.levels = new Map();
    this.slotButtons = keymap.slots.map((key) => this.labelButton(null, key));
    this.short.replaceChildren(...this.slotButtons);
    this.level = undefined;
    this.status("saved", 0);
  }

  header() {
    const say = (key) => this.words.say(key);
    this.fill = el("span", { class: "fill" });
    this.bar = el("div", { class: "bar", role: "progressbar", "aria-label": say("panel.progress"), "aria-valuemin": "0" }, this.fill);
    this.count = el("span", { class: "count" });
    this.pace = el("span", { class: "pace" });
    this.stateText = el("span", { class: "say" });
    this.state = el("div", { class: "state", "data-state": "saved" }, el("span", { class: "dot", "aria-hidden": "true" }), this.stateText);
    return el("header", { class: "head" }, this.bar, el("div", { class: "counts" }, this.count, this.pace), this.state);
  }

  actions() {
    const { allow_not, allow_either } = this.options;
    const answering = ["undo", "skip", "flag", ...(allow_not ? ["not"] : []), ...(allow_either ? ["either"] : [])];
    const looking = ["search", "mine", "guidelines", "help"];
    const button = (name) => {
      const key = name === "undo" ? "Backspace" : this.keymap.commands[name];
      return this.button(name, { class: "action" }, el("span", { class: "name" }, this.words.say(`panel.command.${name}`)), key ? kbd(key) : null);
    };
    const sizes = ["smaller", "larger"].map((name) => {
      const title = this.words.say(`panel.command.${name}`);
      return this.button(name, { class: `action ${name}`, "aria-label": title, title }, el("span", { "aria-hidden": "true" }, "A"));
    });
    return el(
      "div",
      { class: "actions", role: "group", "aria-label": this.words.say("panel.actions") },
      el("div", {}, ...answering.map(button)),
      el("div", {}, ...looking.map(button), el("span", { class: "sizes" }, ...sizes)),
    );
  }

  /** A button that runs a command. It answers for the item that was on screen when it was pressed down. */
  button(command, props, ...children) {
    const key = command === "undo" ? "Backspace" : this.keymap.commands[command];
    return el(
      "button",
      {
        type: "button",
        "data-command": command,
        "aria-keyshortcuts": key ?? null,
        onpointerdown: () => (this.pressedOn = this.onScreen),
        onclick: (event) => this.clicked(event, () => this.act.command(command)),
        ...props,
      },
      ...children,
    );
  }

  labelButton(label, key) {
    const name = el("span", { class: "name" });
    const guess = el("span", { class: "guess" });
    const button = el(
      "button",
      {
        type: "button",
        class: "label",
        onpointerdown: () => (this.pressedOn = this.onScreen),
        onclick: (event) => this.clicked(event, () => button.label !== undefined && this.act.choose(button.label)),
        "aria-keyshortcuts": key || null,
      },
      key ? kbd(key) : el("span", { class: "nokey" }),
      name,
      guess,
    );
    Object.assign(button, { face: name, guess });
    this.nameButton(button, label);
    return button;
  }

  nameButton(button, label) {
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
    const begunElsewhere = event.detail > 0 && this.pressedOn !== this.onScreen;
    this.focusText();
    if (begunElsewhere) this.ignored();
    else run(event);
  }

  focusText() {
    this.text.focus({ preventScroll: true });
  }

  // ---- the item ----

  /** Put an item on screen. Presses count for it only from `act.shown` on, in the frame that paints it. */
  showItem(item, about) {
    this.onScreen = item;
    if (this.emptySays) this.hideEmpty();
    // Asking for scrollTop once the text is changed would lay it out at once: 60 ms for a text of 100 kB.
    if (this.scrolled) this.text.scrollTop = 0;
    this.scrolled = false;
    this.reading.replaceChildren(...textNodes(item.text, this.highlights ?? []));
    set(this.reading, "data-item", item.item);
    this.describe(about);
    // Between this callback and the painting of its frame no key event can come: from here on presses are about this item.
    requestAnimationFrame(() => this.onScreen === item && this.act.shown(item));
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

  describe({ because, staleness, flagged, twins, twinsOn }) {
    put(this.because, because);
    set(this.because, "title", because);
    put(this.staleness, staleness);
    this.flagged.hidden = !flagged;
    this.twins.hidden = !twins;
    if (!twins) return;
    const key = this.keymap.commands.twins;
    this.twins.replaceChildren(this.words.say(twinsOn ? "panel.twins.on" : "panel.twins.off", { n: twins }), key ? kbd(key) : "");
    set(this.twins, "aria-pressed", String(twinsOn));
  }

  announce(text) {
    put(this.live, text);
  }

  hideEmpty() {
    this.emptySays = "";
    this.text.replaceChildren(this.reading);
    set(this.root, "data-empty", null);
    set(this.text, "data-busy", null);
  }

  /** Nothing to label: say so where the text would be, so that the focus stays where it is. */
  showEmpty(title, hint, busy) {
    this.onScreen = null;
    set(this.root, "data-empty", true);
    set(this.reading, "data-item", null);
    set(this.text, "data-busy", busy);
    this.describe({ because: "", staleness: "" });
    if (this.emptySays === title + hint) return;
    this.emptySays = title + hint;
    this.reading.replaceChildren();
    this.text.replaceChildren(el("div", { class: "nothing" }, el("strong", {}, title), el("span", {}, hint)));
  }

  // ---- labels ----

  /** Draw the buttons on offer and what is chosen so far. */
  showChoice(choice, { short, guesses, prompt }) {
    const { parent, picked, previous, mode, path, toggles } = choice;
    if (this.level !== parent) this.showLevel(parent);
    this.slotButtons.forEach((button, at) => this.nameButton(button, this.labels.byId.get(short[at])));
    const chances = new Map(guesses);
    for (const button of [...this.slotButtons, ...this.levels.get(parent).values()]) {
      const id = button.label;
      const chance = chances.get(id);
      set(button, "aria-pressed", toggles && !this.labels.isInner(id) ? String(picked.has(id)) : null);
      set(button, "data-previous", previous.has(id));
      set(button, "data-top", chance !== undefined && guesses[0][0] === id);
      put(button.guess, chance === undefined ? "" : this.words.percent(chance));
    }
    set(this.root, "data-mode", mode);
    const crumbs = path.map((id) => this.labels.title(id)).join(" › ");
    this.prompt.replaceChildren(...(crumbs ? [el("span", { class: "crumbs" }, crumbs)] : []), prompt);
    this.showSteps(choice);
  }

  showLevel(parent) {
    this.level = parent;
    if (!this.levels.has(parent)) {
      const keys = this.keymap.of(parent);
      this.levels.set(parent, new Map(this.labels.children(parent).map((label) => [label.id, this.labelButton(label, keys.get(label.id))])));
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
    const button = this.levels.get(this.level)?.get(id) ?? this.slotButtons.find((slot) => slot.label === id);
    this.blink(button, "data-flash");
  }

  ignored() {
    this.root.dataset.ignored = Number(this.root.dataset.ignored ?? 0) + 1;
    this.blink(this.card, "data-ignored");
  }

  blink(node, name) {
    if (!node) return;
    set(node, name, true);
    setTimeout(() => set(node, name, null), 160);
  }

  // ---- around it ----

  status(state, waiting) {
    const name = { saving: "panel.state.saving", offline: "panel.state.offline", signin: "panel.state.signin", account: "panel.state.account", error: "panel.state.error" }[state] ?? "panel.state.saved";
    set(this.state, "data-state", state);
    set(this.state, "data-waiting", waiting);
    put(this.stateText, this.words.say(waiting || state === "saved" || state === "saving" ? name : `${name}_none`, { n: waiting }));
  }

  /** Progress of the project, today's answers and seconds per answer; null where not known yet. */
  progress({ labelled, pool, today, seconds }) {
    const { words } = this;
    put(this.count, pool ? words.say("panel.count", { labelled, pool }) : "");
    put(this.pace, words.say(seconds ? "panel.pace" : "panel.today", { today, seconds }));
    const share = pool ? Math.min(1, labelled / pool) : 0;
    this.fill.style.transform = `scaleX(${share})`;
    set(this.bar, "aria-valuemax", pool || 1);
    set(this.bar, "aria-valuenow", pool ? labelled : 0);
  }

  lastAnswer(text) {
    put(this.last, text);
  }

  /** A message that asks for attention, with an optional button. It floats: nothing moves. */
  say(text, action, run) {
    const close = () => {
      this.focusText();
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

  textSize(step) {
    const size = SIZES[Math.max(0, Math.min(SIZES.length - 1, step))];
    this.text.style.setProperty("--scale", size);
  }

  scroll(key) {
    const page = this.text.clientHeight * 0.85;
    const line = 48;
    const by = { ArrowUp: -line, ArrowDown: line, PageUp: -page, PageDown: page, " ": page, Home: -Infinity, End: Infinity }[key];
    if (Number.isFinite(by)) this.text.scrollTop += by;
    else this.text.scrollTop = by > 0 ? this.text.scrollHeight : 0;
  }
}

/** How many columns fill their rows best: 4 labels in one row, 8 in two. */
function columnsFor(count) {
  if (count <= 5) return Math.max(1, count);
  if (count > 16) return 8;
  return [4, 3, 5].reduce((best, columns) => (Math.ceil(count / columns) * columns < Math.ceil(count / best) * best ? columns : best));
}

export const SIZE_STEPS = SIZES.length;

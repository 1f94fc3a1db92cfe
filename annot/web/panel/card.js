// The card with the text, the line that says why it was asked, and what stands there when there is no text. Shows texts as text
// only, never as markup. Must not know the answer: the labels are in choices.js.
import { el, kbd, put, set } from "./dom.js";
import { compileHighlights, textNodes } from "./text.js";

const SIZES = [0.85, 1, 1.15, 1.3, 1.5, 1.75, 2.1, 2.5];
export const SIZE_STEPS = SIZES.length;

export class Card {
  /** `shown(item)` is called once a new item has been painted. */
  constructor({ words, options, keymap }, buttons, shown) {
    Object.assign(this, { words, keymap, shown });
    this.onScreen = null;
    this.highlights = compileHighlights(options.highlights);
    const say = (key) => words.say(key);
    this.reading = el("div", { class: "said-text", dir: "auto" });
    const watch = { onscroll: () => (this.scrolled = true), onblur: () => document.hasFocus() && set(this.text, "data-handed", null) };
    this.text = el("div", { class: "text", tabindex: "0", role: "region", "aria-label": say("panel.text"), ...watch }, this.reading);
    this.because = el("span", { class: "because" });
    this.staleness = el("span", { class: "staleness" });
    this.flagged = el("span", { class: "flagged", hidden: true }, `⚑ ${say("panel.flagged")}`);
    this.twins = buttons.command("twins", { class: "twins", "aria-pressed": "false", hidden: true });
    this.node = el(
      "article",
      { class: "card", "aria-label": say("panel.card") },
      el("p", { class: "why" }, this.because, this.staleness, this.flagged),
      this.text,
      this.twins,
    );
  }

  /** Put an item on screen. Presses count for it only from `shown` on, in the frame that paints it. */
  showItem(item, about) {
    this.onScreen = item;
    if (this.emptySays) this.hideEmpty();
    // Asking for scrollTop once the text is changed would lay it out at once: 60 ms for a text of 100 kB.
    if (this.scrolled) this.text.scrollTop = 0;
    this.scrolled = false;
    this.reading.replaceChildren(...textNodes(item.text, this.highlights));
    set(this.reading, "data-item", item.item);
    this.describe(about);
    // Between this callback and the painting of its frame no key event can come: from here on presses are about this item.
    requestAnimationFrame(() => this.onScreen === item && this.shown(item));
  }

  describe({ because, staleness = "", ranked = "", flag = null, twins = 0, twinsOn = false }) {
    put(this.because, because);
    set(this.because, "title", because);
    put(this.staleness, staleness);
    set(this.staleness, "title", ranked || null);
    this.flagged.hidden = !flag;
    set(this.flagged, "title", flag?.note || null);
    this.twins.hidden = !twins;
    if (!twins) return;
    const key = this.keymap.commands.twins;
    this.twins.replaceChildren(this.words.say(twinsOn ? "panel.twins.on" : "panel.twins.off", { n: twins }), key ? kbd(key) : "");
    set(this.twins, "aria-pressed", String(twinsOn));
  }

  /** Nothing to label: say so where the text would be, so that the focus stays where it is. */
  showEmpty(title, hint, busy) {
    this.onScreen = null;
    set(this.reading, "data-item", null);
    set(this.text, "data-busy", busy);
    this.describe({ because: "" });
    if (this.emptySays === title + hint) return;
    this.emptySays = title + hint;
    this.reading.replaceChildren();
    this.text.replaceChildren(el("div", { class: "nothing" }, el("strong", {}, title), el("span", {}, hint)));
  }

  hideEmpty() {
    this.emptySays = "";
    this.text.replaceChildren(this.reading);
    set(this.text, "data-busy", null);
  }

  /** Hand the focus to the text, where keys scroll it. Nobody moved it here by Tab: it needs no frame to be found by. */
  focus() {
    set(this.text, "data-handed", true);
    this.text.focus({ preventScroll: true });
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

  scrollBy(pixels) {
    this.text.scrollTop += pixels;
  }
}

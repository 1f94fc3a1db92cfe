// What lies on the desk: the item on screen, the answer in the making for it, what is on offer, and whether the person can have
// seen it yet. State only: must not touch the screen or the server, nor send an event.
import { Choice } from "./choice.js";

export class Desk {
  constructor(held, history) {
    Object.assign(this, { held, history });
    this.progress = null;
    this.ranking = null;
    this.painted = null;
    this.paintedAt = Infinity;
    this.pressedAt = Infinity;
  }

  /** Take the project's settings in; what lies on the desk is begun anew. */
  configure({ labels, options, keymap }) {
    Object.assign(this, { labels, options, keymap });
    this.takeNext();
  }

  get item() {
    return this.held.first;
  }

  /** The person's own flag on this item, as far as this tab knows of it. */
  get flag() {
    return this.item && this.history.flagOn(this.item.item);
  }

  /** The first held item is to be put on screen: until it is painted, no press is about it. */
  takeNext() {
    this.painted = null;
    this.paintedAt = Infinity;
    this.short = this.item ? this.shortList(this.item) : [];
    this.beginAnew();
  }

  /** Forget what is half chosen. */
  beginAnew() {
    this.choice = new Choice(this.labels, this.options, this.item?.was);
  }

  /** The item is there for the person to see. */
  seen(item) {
    this.painted = item;
    this.paintedAt = performance.now();
  }

  /** Was the item on screen painted, and before this press was made? If not, the press meant something else. */
  get ready() {
    return this.painted !== null && this.painted === this.item && this.pressedAt >= this.paintedAt;
  }

  /** What the model finds likely (where the project wants that), then what was used lately. Leaves only. */
  shortList(item) {
    const slots = this.keymap.slots.length;
    const likely = this.options.likely_first ? item.guesses.map(([id]) => id) : [];
    const usable = [...likely, ...this.history.recent(slots * 2)].filter((id) => this.labels.has(id) && !this.labels.isInner(id));
    return [...new Set(usable)].slice(0, slots);
  }
}

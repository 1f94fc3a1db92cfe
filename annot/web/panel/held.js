// The items this panel holds, the first one being (or about to be) on screen. Pure logic.

export class Held {
  constructor() {
    this.items = [];
    this.answered = new Set();
  }

  get first() {
    return this.items[0] ?? null;
  }

  /** The lease ids the server is told of; an item a person jumped back to is leased no more. */
  get leases() {
    return this.items.filter((item) => item.lease != null && !item.replaces).map((item) => item.lease);
  }

  /** Append what the server handed out, except what was answered or is here already. */
  receive(items, underWay) {
    for (const item of items) {
      if (this.answered.has(item.lease) || underWay.has(item.item)) continue;
      const at = this.items.findIndex((held) => held.item === item.item);
      if (at < 0) this.items.push({ ...item, guesses: item.guesses ?? [], twins: item.twins ?? [] });
      else this.items[at].lease = item.lease;
    }
  }

  /** Let go of leases that are no longer ours; never of the item on screen, nor of one whose undo is on its way. */
  drop(leases, underWay) {
    const gone = new Set(leases);
    this.items = this.items.filter((item, index) => index === 0 || !gone.has(item.lease) || underWay.has(item.item));
  }

  /** The first item was answered; `also` are item ids answered with it. */
  advance(also = []) {
    const item = this.items.shift();
    this.answered.add(item.lease);
    const others = new Set(also);
    for (const held of this.items) if (others.has(held.item)) this.answered.add(held.lease);
    this.items = this.items.filter((held) => !others.has(held.item));
    return item;
  }

  /** Put an item on screen again, before all others. */
  putBack(item) {
    this.answered.delete(item.lease);
    this.items = [item, ...this.items.filter((held) => held.item !== item.item)];
  }
}

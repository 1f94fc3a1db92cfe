// How long a person really looked at an item: a pause longer than a minute counts as a minute, a hidden page not at all.

const IDLE = 60;

export class Clock {
  constructor(now = () => performance.now() / 1000) {
    this.now = now;
    this.spent = 0;
    this.since = null;
  }

  start() {
    this.spent = 0;
    this.since = this.now();
  }

  /** Something happened that shows a person is there. */
  mark() {
    if (this.since === null) return;
    const now = this.now();
    this.spent += Math.min(now - this.since, IDLE);
    this.since = now;
  }

  hide() {
    this.mark();
    this.since = null;
  }

  show() {
    this.since = this.now();
  }

  get seconds() {
    this.mark();
    return Math.round(this.spent * 1000) / 1000;
  }
}

// The line above the card: how far the project is, the person's own day, and whether everything is saved. Draws what it is told.
import { el, put, set } from "./dom.js";

export class Head {
  constructor({ words }) {
    this.words = words;
    this.fill = el("span", { class: "fill" });
    this.bar = el("div", { class: "bar", role: "progressbar", "aria-label": words.say("panel.progress"), "aria-valuemin": "0" }, this.fill);
    this.count = el("span", { class: "count" });
    this.pace = el("span", { class: "pace" });
    this.stateText = el("span", { class: "say" });
    this.state = el("div", { class: "state", "data-state": "saved" }, el("span", { class: "dot", "aria-hidden": "true" }), this.stateText);
    this.node = el("header", { class: "head" }, this.bar, el("div", { class: "counts" }, this.count, this.pace), this.state);
    this.status("saved", 0);
  }

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
}

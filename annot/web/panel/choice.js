// The answer in the making for the item on screen: where in the tree, what is picked, and how it is meant. Pure logic.

export class Choice {
  /** `was` is the earlier answer ({labels, relation}) of an item that came back to be answered again. */
  constructor(labels, options, was = null) {
    this.labels = labels;
    this.options = options;
    const several = was && (was.relation === "either" || (was.relation === "is" && !labels.exclusive));
    this.mode = several ? was.relation : "is";
    this.picked = new Set(several ? was.labels : []);
    this.previous = new Set(was ? was.labels : []);
    this.path = [];
    this.twins = false;
    this.touched = false;
  }

  /** The label whose children are on offer; null at the top. */
  get parent() {
    return this.path[this.path.length - 1] ?? null;
  }

  /** Does a label's key pick it, to be submitted with others, or answer at once? */
  get toggles() {
    return this.mode === "either" || (this.mode === "is" && !this.labels.exclusive);
  }

  get inside() {
    return this.path.length > 0 || this.mode !== "is";
  }

  /** How many labels make an answer that is submitted. */
  get enough() {
    return this.picked.size >= (this.mode === "either" ? 2 : 1);
  }

  opens(id) {
    return this.labels.isInner(id) && !this.path.includes(id);
  }

  goInto(id) {
    this.path = this.labels.path(id).map((label) => label.id);
    this.touched = true;
  }

  goUp() {
    if (this.path.length) this.path.pop();
    else this.setMode("is");
  }

  pick(id) {
    if (!this.picked.delete(id)) this.picked.add(id);
    this.touched = true;
  }

  /** Turn a way of meaning on, or off again. */
  setMode(mode) {
    this.mode = this.mode === mode ? "is" : mode;
    this.picked.clear();
    this.touched = this.mode !== "is";
  }

  /**
   * The buttons beside the labels. `may`: those this project can ever show, which keep their place;
   * of `up`, `here`, `none`, `submit` the ones that work now.
   */
  get steps() {
    const { exclusive, isTree } = this.labels;
    const { allow_not, allow_either, allow_inner } = this.options;
    const inner = isTree && allow_inner;
    const may = { up: isTree || allow_not || allow_either, here: inner, none: !exclusive, submit: !exclusive || allow_either };
    const now = { up: this.inside, here: inner && this.path.length > 0, none: !exclusive && this.mode === "is", submit: this.toggles };
    const names = ["up", "here", "none", "submit"];
    return { may: names.filter((name) => may[name]), now: new Set(names.filter((name) => may[name] && now[name])) };
  }
}

// The label set as the panel offers it. One model for flat, tree and multi-label sets: a flat set is a tree without inner nodes.

export class LabelSet {
  constructor(labels, exclusive) {
    this.exclusive = exclusive;
    this.all = labels;
    this.byId = new Map(labels.map((label) => [label.id, label]));
    this.below = new Map();
    for (const label of labels) {
      const parent = this.byId.has(label.parent) ? label.parent : null;
      if (!this.below.has(parent)) this.below.set(parent, []);
      this.below.get(parent).push(label);
    }
    this.isTree = this.below.size > 1;
  }

  has(id) {
    return this.byId.has(id);
  }

  title(id) {
    const label = this.byId.get(id);
    return label ? label.title || label.name : `#${id}`;
  }

  /** The labels directly under one (null: the top). */
  children(id) {
    return this.below.get(id ?? null) ?? [];
  }

  isInner(id) {
    return this.below.has(id);
  }

  /** From the top down to the label itself. */
  path(id) {
    const path = [];
    for (let label = this.byId.get(id); label && !path.includes(label); label = this.byId.get(label.parent)) path.unshift(label);
    return path;
  }

  pathTitle(id) {
    return this.path(id)
      .map((label) => label.title || label.name)
      .join(" › ");
  }

  /** The size of the largest set of buttons shown at once. */
  get widest() {
    return Math.max(...[...this.below.values()].map((group) => group.length), 0);
  }

  /** Labels that fit what was typed, best first; `favour` (id -> bonus below 1) settles ties. */
  search(query, favour = new Map(), most = 50) {
    const wanted = fold(query.trim());
    return this.all
      .map((label) => ({ label, score: this.fit(label, wanted) + (favour.get(label.id) ?? 0) }))
      .filter(({ score }) => score >= 1 || !wanted)
      .sort((a, b) => b.score - a.score)
      .slice(0, most)
      .map(({ label }) => label);
  }

  fit(label, wanted) {
    if (!wanted) return 0;
    const title = Math.max(match(fold(label.title || ""), wanted), match(fold(label.name), wanted));
    if (title) return title + 2;
    if (match(fold(this.pathTitle(label.id)), wanted) > 2) return 2;
    return fold(label.description || "").includes(wanted) ? 1 : 0;
  }
}

/** Lower case without accents, words apart by single spaces. */
export function fold(text) {
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\s_\-/]+/g, " ");
}

/** How well a text fits: 6 the same, 5 starts with it, 4 a word starts with it, 3 contains it, 1 its letters in order, 0 not. */
export function match(text, wanted) {
  if (text === wanted) return 6;
  if (text.startsWith(wanted)) return 5;
  if (text.includes(` ${wanted}`)) return 4;
  if (text.includes(wanted)) return 3;
  let at = 0;
  for (const letter of wanted) {
    at = text.indexOf(letter, at) + 1;
    if (!at) return 0;
  }
  return 1;
}

// Every sentence the panel shows, from the catalogue the page passes on (annot/web/locales), with numbers as the language writes them.

export class Words {
  constructor(strings, language) {
    this.strings = strings;
    this.language = language;
    this.plural = new Intl.PluralRules(language);
    this.number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    this.share = new Intl.NumberFormat(language, { style: "percent" });
  }

  /** The text of a key with {name} filled in. With `n`, the key's `.one` or `.other` form. A missing key shows itself. */
  say(key, values = {}) {
    const form = `${key}.${this.plural.select(values.n ?? 0)}`;
    const text = this.strings[key] ?? this.strings[form] ?? this.strings[`${key}.other`] ?? key;
    return text.replace(/\{(\w+)\}/g, (_, name) => this.write(values[name]));
  }

  write(value) {
    return typeof value === "number" ? this.number.format(value) : (value ?? "");
  }

  percent(value) {
    return this.share.format(value);
  }

  /** Why this item, in one line. Candidate labels are named only where suggestions are on: the line must not lead. */
  why(item, ranking, labels, suggestions) {
    const { reason, model, labels: rankedAt } = item.why;
    const opening = reason === "diverse" && rankedAt === 0;
    const [first, second] = item.guesses;
    const named = reason === "uncertain" && suggestions === "on" && second && labels.has(first[0]) && labels.has(second[0]);
    const because = named
      ? this.say("panel.why.uncertain_named", { a: labels.title(first[0]), b: labels.title(second[0]) })
      : this.say(`panel.why.${opening ? "opening" : reason}`);
    return { because, ...this.staleness(item.why, ranking) };
  }

  /** "picked 3 labels ago", and in full which model picked it, knowing what. Nothing for a text that no model picked. */
  staleness({ reason, model, labels: n }, ranking) {
    if (model == null || n == null || (reason === "random" && !n)) return {};
    const since = Math.max(0, ranking ? ranking.labels + ranking.behind - n : 0);
    const staleness = since ? this.say("panel.rank.ago", { n: since }) : this.say("panel.rank.now");
    const who = this.say(model ? "panel.rank.model" : "panel.rank.start", { model });
    return { staleness, ranked: `${who} ${this.say("panel.rank.knew", { n })}` };
  }

  /** What to do now, or what is picked so far. */
  prompt({ mode, picked, labels }) {
    if (picked.size) return [...picked].map((id) => labels.title(id)).join(mode === "either" ? ` ${this.say("panel.said.or")} ` : ", ");
    if (mode !== "is") return this.say(`panel.prompt.${mode}`);
    return this.say(labels.exclusive ? "panel.prompt.one" : "panel.prompt.multi");
  }

  /** An answer in words. */
  answer({ kind, labels: ids, relation, note }, labels) {
    const titles = ids.map((id) => labels.title(id));
    if (kind === "skip") return this.say("panel.said.skip", { note: note ? `: ${note}` : "" });
    if (kind === "flag") return this.say("panel.said.flag");
    if (!titles.length) return this.say("panel.said.none");
    if (relation === "not") return this.say("panel.said.not", { label: titles[0] });
    return titles.join(relation === "either" ? ` ${this.say("panel.said.or")} ` : ", ");
  }
}


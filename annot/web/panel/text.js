// Showing a text that nobody vouches for: text nodes only, never markup, with the project's highlights as marks.

// A project's expression is run on no more than this, and is given up for the session once it took too long.
const LOOKED_AT = 20000;
const TOO_SLOW = 50;

/** [{find, color}] from the project's highlights; what is no valid expression is left out. */
export function compileHighlights(highlights) {
  const compiled = [];
  for (const { pattern, regex, color } of highlights ?? []) {
    if (!pattern) continue;
    try {
      const source = regex ? pattern : pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      compiled.push({ find: new RegExp(source, "giu"), color: color && CSS.supports("color", color) ? color : "" });
    } catch {
      // Settings refuses what Python cannot read; what only this browser cannot read is left out.
    }
  }
  return compiled;
}

/** Non-overlapping [start, end, color] in order; where two highlights meet, the earlier one in the list wins. */
export function marksIn(text, compiled) {
  const marks = [];
  const looked = text.slice(0, LOOKED_AT);
  for (const highlight of compiled) {
    if (highlight.slow) continue;
    const began = performance.now();
    for (const found of looked.matchAll(highlight.find)) {
      const [start, end] = [found.index, found.index + found[0].length];
      if (end > start && !marks.some(([from, to]) => start < to && end > from)) marks.push([start, end, highlight.color]);
    }
    highlight.slow = performance.now() - began > TOO_SLOW;
  }
  return marks.sort((a, b) => a[0] - b[0]);
}

/** The nodes that show a text. */
export function textNodes(text, compiled) {
  const nodes = [];
  let at = 0;
  for (const [start, end, color] of compiled.length ? marksIn(text, compiled) : []) {
    if (start > at) nodes.push(document.createTextNode(text.slice(at, start)));
    const mark = document.createElement("mark");
    mark.textContent = text.slice(start, end);
    if (color) mark.style.setProperty("--mark", color);
    nodes.push(mark);
    at = end;
  }
  nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

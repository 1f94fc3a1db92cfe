// Guidelines as a lead writes them: headings, lists, bold and code of Markdown, everything else as it stands. Builds elements from
// texts, so nothing in them is ever markup. Must not know what the text is about.
import { el } from "./dom.js";

const HEADING = /^#{1,6}\s+(.*)$/;
const POINT = /^\s*(?:[-*]|\d+[.)])\s+(.*)$/;

/** Return the elements of a text: lines that follow one another are one paragraph, heading by heading and point by point. */
export function prose(text) {
  const blocks = [];
  let open = null;
  for (const line of text.split(/\r?\n/)) {
    const heading = HEADING.exec(line)?.[1];
    const point = POINT.exec(line)?.[1];
    const kind = heading !== undefined ? "heading" : point !== undefined ? "list" : line.trim() ? "paragraph" : "";
    if (kind === "paragraph" && open) open.lines.push(line.trim());
    else if (!kind || kind === "heading") open = null;
    if (heading !== undefined) blocks.push({ kind, lines: [heading] });
    if (point !== undefined) {
      const before = blocks.at(-1);
      const list = open?.of ?? (before?.kind === "list" ? before : null) ?? { kind, points: [] };
      if (list !== before) blocks.push(list);
      open = { of: list, lines: [point] };
      list.points.push(open);
    }
    if (kind === "paragraph" && !open) blocks.push((open = { kind, lines: [line.trim()] }));
  }
  return blocks.map((block) => element(block));
}

function element({ kind, lines, points }) {
  if (kind === "list") return el("ul", { class: "prose", dir: "auto" }, ...points.map((one) => el("li", {}, ...inline(one.lines.join(" ")))));
  if (kind === "heading") return el("h3", { dir: "auto" }, ...inline(lines.join(" ")));
  return el("p", { class: "prose", dir: "auto" }, ...inline(lines.join("\n")));
}

function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) => {
    if (/^\*\*.+\*\*$/.test(part)) return el("strong", {}, part.slice(2, -2));
    return /^`.+`$/.test(part) ? el("code", {}, part.slice(1, -1)) : part;
  });
}

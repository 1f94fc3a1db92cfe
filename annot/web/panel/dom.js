// Building elements without markup strings, so that nothing from outside is ever parsed as HTML.

/** el("button", {class: "x", onclick: f, "aria-label": "..."}, "text", child) */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function set(node, name, value) {
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}

/** Change a text only when it differs, so that nothing is laid out or announced again for nothing. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function kbd(key, shownAs = { Enter: "⏎", Backspace: "⌫", Escape: "Esc", ArrowLeft: "←", " ": "␣" }) {
  return el("kbd", { "aria-hidden": "true" }, shownAs[key] ?? (/^[a-z]$/.test(key) ? key.toUpperCase() : /^[A-Z]$/.test(key) ? `⇧${key}` : key));
}

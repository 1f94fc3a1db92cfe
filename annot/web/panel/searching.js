// The dialog that finds a label by a part of its name. Must not know what is done with the label found.
import { el, put, set } from "./dom.js";

// So many rows are in view before the list scrolls.
const ROWS = 8;
const MOVES = { ArrowDown: 1, ArrowUp: -1, PageDown: ROWS, PageUp: -ROWS };

/** Search the labels by typing; `favour` (id -> bonus) settles ties, `choose(id)` gets the chosen one. */
export function showSearch(dialogs, { labels, favour, choose }) {
  const say = (key, values) => dialogs.words.say(key, values);
  const list = el("ul", { class: "options", role: "listbox", id: "annot-options", "aria-label": say("panel.labels") });
  const count = el("p", { class: "unseen", "aria-live": "polite" });
  const input = el("input", {
    type: "text",
    class: "field",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "annot-options",
    "aria-autocomplete": "list",
    "aria-label": say("panel.search.title"),
    placeholder: say("panel.search.hint"),
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
  });
  let found = [];
  let at = 0;
  const take = (label) => {
    dialogs.end(dialog);
    choose(label.id);
  };
  const mark = () => {
    [...list.children].forEach((option, index) => set(option, "aria-selected", String(index === at)));
    set(input, "aria-activedescendant", found.length ? `annot-option-${at}` : null);
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const under = (label) => (labels.isTree ? labels.path(label.id).slice(0, -1).map((above) => above.title || above.name).join(" › ") : label.description);
  const draw = () => {
    found = labels.search(input.value, favour);
    at = 0;
    const options = found.map((label, index) =>
      el(
        "li",
        { role: "option", id: `annot-option-${index}`, "data-option": label.id, onpointerdown: (event) => event.preventDefault(), onclick: () => take(label) },
        el("span", { class: "name" }, label.title || label.name),
        el("span", { class: "under" }, under(label)),
      ),
    );
    list.replaceChildren(...options);
    put(count, say("panel.search.found", { n: found.length }));
    mark();
  };
  input.addEventListener("input", draw);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (MOVES[event.key]) {
      at = Math.max(0, Math.min(found.length - 1, at + MOVES[event.key]));
      mark();
    } else if (event.key === "Enter" && !event.repeat && found[at]) take(found[at]);
    else return;
    event.preventDefault();
  });
  const dialog = dialogs.show("search", say("panel.search.title"), input, list, count);
  draw();
  // As high as all the labels there are to find: typing, which leaves fewer, must not make the dialog jump.
  list.style.setProperty("--rows", Math.min(found.length, ROWS));
  input.focus();
}

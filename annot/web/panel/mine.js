// The list of a person's last answers, to go back to one. Must not change anything: `change(row)` is told which one.
import { el, put } from "./dom.js";

/** Where each key leads from place `at` of `count` rows. */
const LEADS = {
  ArrowDown: (at, count) => Math.min(at + 1, count - 1),
  ArrowUp: (at) => Math.max(at - 1, 0),
  PageDown: (at, count) => Math.min(at + 5, count - 1),
  PageUp: (at) => Math.max(at - 5, 0),
  Home: () => 0,
  End: (at, count) => count - 1,
};

/** My last answers, newest first; `loading` brings {rows, complete} later. `describe(row)` puts an answer into words. */
export function showMine(dialogs, { loading, describe, change }) {
  const say = (key) => dialogs.words.say(key);
  const list = el("ol", { class: "mine" });
  const state = el("p", { role: "status" }, say("panel.mine.loading"));
  const dialog = dialogs.show("mine", say("panel.mine.title"), state, list);
  const row = (answer) =>
    el(
      "li",
      { "data-mine": answer.item },
      el(
        "button",
        { type: "button", onclick: () => (dialogs.end(dialog), change(answer)) },
        el("span", { class: "said", dir: "auto" }, answer.text.slice(0, 200)),
        el("span", { class: "name" }, describe(answer)),
        el("span", { class: "go" }, say("panel.mine.change")),
      ),
    );
  dialog.addEventListener("keydown", (event) => {
    const rows = [...list.querySelectorAll("button")];
    if (!LEADS[event.key] || !rows.length) return;
    event.preventDefault();
    // From outside the list, its cross for one, any of these keys leads into it.
    const at = rows.indexOf(event.target);
    rows[at < 0 ? 0 : LEADS[event.key](at, rows.length)].focus();
  });
  loading.then(({ rows, complete }) => {
    if (dialogs.open !== dialog) return;
    put(state, rows.length ? (complete ? "" : say("panel.mine.offline")) : say("panel.mine.none"));
    list.replaceChildren(...rows.map(row));
    (list.querySelector("button") ?? dialog.querySelector(".body")).focus();
  });
}

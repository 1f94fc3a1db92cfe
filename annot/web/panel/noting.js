// The dialogs that ask for a few words about the text on screen: why it is skipped, why it is flagged. They leave the text in
// view. Must not know what is done with the words.
//
// What is typed goes into the field, whatever has the focus. Only a digit typed into the empty field stands for a reason on offer.
import { el, kbd } from "./dom.js";

const SCROLLING = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown"]);

/** A key that writes something. */
function writes(event) {
  return event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
}

/**
 * Ask in dialog `name`; `reasons` are offered as buttons 1, 2, ..., `note` is what was said before. `done(text)` gets the words;
 * `takeBack()`, where given, is offered too. `card` has the text: it stays in view and can be scrolled.
 */
export function showNote(dialogs, { name, title, submit, reasons = [], note = "", done, takeBack, card }) {
  const say = (key) => dialogs.words.say(key);
  const finish = (text, typed = false) => {
    dialogs.end(dialog, typed);
    done(text.trim());
  };
  const input = el("input", { type: "text", class: "field", maxlength: "500", "aria-label": say("panel.note.label"), placeholder: say("panel.note.hint"), dir: "auto", autocomplete: "off" });
  input.value = note;
  const offers = reasons.map((text, index) =>
    el("button", { type: "button", class: "label", "data-reason": index + 1, onclick: () => finish(text) }, kbd(String(index + 1)), el("span", { class: "name" }, text)),
  );
  const back = takeBack && el("button", { type: "button", class: "back", onclick: () => (dialogs.end(dialog), takeBack()) }, say("panel.flag.back"));
  const form = el(
    "form",
    { class: "note", onsubmit: (event) => (event.preventDefault(), finish(input.value)) },
    input,
    el("button", { type: "submit", class: "submit" }, el("span", { class: "name" }, submit), kbd("Enter")),
    back,
  );
  const dialog = dialogs.show(name, title, offers.length > 0 && el("div", { class: "reasons" }, ...offers), form);
  dialog.classList.add("beside");
  dialog.style.setProperty("--below", `${Math.round(card.node.getBoundingClientRect().bottom)}px`);
  dialog.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (SCROLLING.has(event.key)) {
      event.preventDefault();
      card.scroll(event.key);
    } else if (writes(event)) type(event);
  });
  // Over the dialog's backdrop the wheel scrolls the text under it.
  dialog.addEventListener("wheel", (event) => event.target === dialog && card.scrollBy(event.deltaY), { passive: true });
  const type = (event) => {
    const place = offers[Number(event.key) - 1] && !input.value && !event.repeat ? Number(event.key) - 1 : -1;
    if (place >= 0) {
      event.preventDefault();
      finish(reasons[place], true);
      return;
    }
    // A button that was reached by Tab is pressed by Space, unless words are being written.
    const pressing = event.key === " " && !input.value && event.target.closest?.("button");
    if (event.target !== input && !pressing) input.focus();
  };
  input.focus();
  input.select();
}

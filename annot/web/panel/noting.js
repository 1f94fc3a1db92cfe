// The dialogs that ask for a few words about the text on screen: why it is skipped, why it is flagged. They leave the text in
// view. Must not know what is done with the words.
//
// What is typed goes into the field, whatever has the focus. Only a digit typed into the empty field stands for a reason on offer.
import { el, kbd } from "./dom.js";

const SCROLLING = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown"]);

/** Show the dialog beside the card with the text, and let keys and wheel scroll the text meanwhile. */
function leaveInView(dialog, card) {
  dialog.classList.add("beside");
  dialog.style.setProperty("--below", `${Math.round(card.node.getBoundingClientRect().bottom)}px`);
  dialog.addEventListener("wheel", (event) => event.target === dialog && card.scrollBy(event.deltaY), { passive: true });
  dialog.addEventListener("keydown", (event) => {
    if (!SCROLLING.has(event.key) || event.isComposing) return;
    event.preventDefault();
    card.scroll(event.key);
  });
}

/** Send what is typed anywhere in the dialog to its field; `choose(digit)` says whether a digit in the empty field was a choice. */
function sendTyping(dialog, input, choose) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key.length > 1 || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!input.value && !event.repeat && choose(Number(event.key))) return event.preventDefault();
    // A button that was reached by Tab is pressed by Space, unless words are being written.
    const pressing = event.key === " " && !input.value && event.target.closest("button");
    if (event.target !== input && !pressing) input.focus();
  });
}

/** A click on the text, which is in view, must not close the dialog over words that were written. */
function keepWords(dialog, input) {
  const before = input.value;
  const keep = (event) => {
    if (event.target !== dialog || input.value === before) return;
    event.stopImmediatePropagation();
    input.focus();
  };
  dialog.addEventListener("click", keep, { capture: true });
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
    return true;
  };
  const input = el("input", { type: "text", class: "field", maxlength: "500", "aria-label": say("panel.note.label"), placeholder: say("panel.note.hint"), dir: "auto", autocomplete: "off" });
  input.value = note;
  const offers = reasons.map((text, index) =>
    el("button", { type: "button", class: "label", "data-reason": index + 1, onclick: () => finish(text) }, kbd(String(index + 1)), el("span", { class: "name" }, text)),
  );
  const back = takeBack && el("button", { type: "button", class: "back", onclick: () => (dialogs.end(dialog), takeBack()) }, say("panel.flag.back"));
  const send = el("button", { type: "submit", class: "submit" }, el("span", { class: "name" }, submit), kbd("Enter"));
  const form = el("form", { class: "note", onsubmit: (event) => (event.preventDefault(), finish(input.value)) }, input, send, back);
  const dialog = dialogs.show(name, title, offers.length > 0 && el("div", { class: "reasons" }, ...offers), form);
  leaveInView(dialog, card);
  sendTyping(dialog, input, (digit) => reasons[digit - 1] !== undefined && finish(reasons[digit - 1], true));
  keepWords(dialog, input);
  input.focus();
  input.select();
}

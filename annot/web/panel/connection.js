// Streamlit covers the whole page with a dialog when its websocket is gone. Labelling does not need the websocket: the panel
// goes on and says itself that it is offline. So that one dialog is closed as it opens; Streamlit then keeps it closed.

const TITLE = "Connection error"; // As Streamlit 1.67 writes it, in every language.

/** Close Streamlit's connection dialog whenever it opens, and call `lost`. Returns how to stop. */
export function keepUncovered(lost) {
  const look = () => {
    for (const dialog of document.querySelectorAll('[data-testid="stDialog"] [role="dialog"]')) {
      if (dialog.querySelector("h2")?.textContent.trim() !== TITLE) continue;
      dialog.querySelector('button[aria-label="Close"]')?.click();
      lost();
    }
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true });
  look();
  return () => observer.disconnect();
}

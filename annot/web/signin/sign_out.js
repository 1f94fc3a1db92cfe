// Who is signed in, and the way out. Unsent answers stay in this browser for the next sign-in of the same account.
// Must not leave the page as long as the server has not ended the session: who saw the sign-in form would think that it has.
const HANG_UP_AFTER = 15000;

export default function ({ parentElement, data }) {
  if (parentElement.querySelector(".bar")) return;
  const bar = document.createElement("div");
  bar.className = "bar";
  const project = document.createElement("strong");
  project.textContent = data.project;
  const trouble = document.createElement("p");
  trouble.setAttribute("role", "alert");
  const name = document.createElement("span");
  name.textContent = data.name;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = data.strings.out;
  const say = (text) => (trouble.textContent = text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("");
    try {
      const headers = { "Content-Type": "application/json", "X-Annot": "1" };
      const response = await fetch("/api/sign-out", { method: "POST", headers, body: "{}", signal: AbortSignal.timeout(HANG_UP_AFTER) });
      if (response.ok) return location.reload();
      say(data.strings["out.offline"]);
    } catch {
      say(data.strings["out.offline"]);
    }
    button.disabled = false;
  });
  window.addEventListener("online", () => say(""));
  bar.append(project, trouble, name, button);
  parentElement.append(bar);
}

// Who is signed in, and the way out. Unsent answers stay in this browser for the next sign-in of the same account.
export default function ({ parentElement, data }) {
  if (parentElement.querySelector(".bar")) return;
  const bar = document.createElement("div");
  bar.className = "bar";
  const project = document.createElement("strong");
  project.textContent = data.project;
  const name = document.createElement("span");
  name.textContent = data.name;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = data.out;
  button.addEventListener("click", async () => {
    await fetch("/api/sign-out", { method: "POST", headers: { "Content-Type": "application/json", "X-Annot": "1" }, body: "{}" });
    location.reload();
  });
  bar.append(project, name, button);
  parentElement.append(bar);
}

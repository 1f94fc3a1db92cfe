// The sign-in form. On success the server has set the cookie and the page is loaded again.
export default function ({ parentElement, data }) {
  const { strings, language, wrong } = data;
  if (parentElement.querySelector("form")) return;
  const form = document.createElement("form");
  form.innerHTML = `
    <h1>Annot</h1>
    <p class="lead" data-say="sign.lead"></p>
    <label><span data-say="sign.name"></span> <input name="name" autocomplete="username" autocapitalize="none" required autofocus></label>
    <label><span data-say="sign.password"></span> <input name="password" type="password" autocomplete="current-password" required></label>
    <button type="submit" data-say="sign.in"></button>
    <p role="alert" aria-live="assertive"></p>`;
  for (const node of form.querySelectorAll("[data-say]")) node.textContent = strings[node.dataset.say];
  form.lang = language;
  const alert = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    alert.textContent = "";
    try {
      const response = await fetch("/api/sign-in", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Annot": "1" },
        body: JSON.stringify({ name: form.elements.name.value, password: form.elements.password.value }),
      });
      if (response.ok) return location.reload();
      const { error } = await response.json();
      alert.textContent = error === wrong ? strings["sign.wrong"] : error;
      form.elements.password.select();
    } catch {
      alert.textContent = strings["sign.unreachable"];
    }
    button.disabled = false;
  });
  parentElement.append(form);
  form.elements.name.focus();
}

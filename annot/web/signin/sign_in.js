// The sign-in form. On success the server has set the cookie and the page is loaded again.
export default function ({ parentElement }) {
  if (parentElement.querySelector("form")) return;
  const form = document.createElement("form");
  form.innerHTML = `
    <h1>Annot</h1>
    <p class="lead">Sign in to label texts.</p>
    <label>Name <input name="name" autocomplete="username" autocapitalize="none" required autofocus></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
    <button type="submit">Sign in</button>
    <p role="alert" aria-live="assertive"></p>`;
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
      alert.textContent = (await response.json()).error;
      form.elements.password.select();
    } catch {
      alert.textContent = "The server cannot be reached. Is it running?";
    }
    button.disabled = false;
  });
  parentElement.append(form);
  form.elements.name.focus();
}

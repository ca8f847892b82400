// Leaving a page whose form has changes asks first.

/** Watch every form with data-guard. */
export function guard() {
  for (const form of document.querySelectorAll("form[data-guard]")) {
    const state = () => [...new FormData(form)].map(([name, value]) => `${name}=${value.name ?? value}`).join("\n");
    const before = "dirty" in form.dataset ? null : state(); // refused input is not saved either
    let leaving = false;
    form.addEventListener("submit", () => (leaving = true));
    addEventListener("beforeunload", (event) => {
      if (!leaving && state() !== before) event.preventDefault();
    });
  }
}

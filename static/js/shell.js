// What every page has: menus that close, the theme switch, local times, toasts, copy buttons, a word when waiting, how many runs are on.

import { ActiveRuns } from "./active.js";
import { localise } from "./times.js";

const RELATIVE_TIMES_EVERY_MS = 30_000;
const SAY_BUSY_AFTER_MS = 300;

// Menus are <details>: they open without us. Here they close: Escape, a click elsewhere, focus moving on.
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const theme = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    document.documentElement.dataset.bsTheme = theme;
    try {
      localStorage.setItem("hatchery-theme", theme);
    } catch {
      // storage is switched off: for this page only
    }
    document.dispatchEvent(new CustomEvent("hatchery:theme", { detail: theme }));
  });
}

localise();
setInterval(localise, RELATIVE_TIMES_EVERY_MS);
document.addEventListener("htmx:afterSwap", (event) => localise(event.target));

const activeRuns = document.querySelector("[data-active-runs]");
if (activeRuns) new ActiveRuns(activeRuns).start();

/** A short note in the corner; `kind` is success, error, warning or info. */
export function toast(text, kind = "info") {
  const note = document.createElement("div");
  note.className = `toast-note toast-${kind}`;
  note.setAttribute("role", kind === "error" ? "alert" : "status");
  note.textContent = text;
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

document.addEventListener("click", async (event) => {
  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest(".alert").remove();
  const copy = event.target.closest("[data-copy]");
  if (!copy) return;
  const source = document.getElementById(copy.dataset.copy);
  await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
  const label = copy.querySelector("[data-label]");
  const before = label.textContent;
  label.textContent = copy.dataset.done;
  setTimeout(() => (label.textContent = before), 1500);
});

// One click, one request: a submitted form says that it works and takes no second click.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.target.method === "get" || event.defaultPrevented || button.hasAttribute("hx-post")) return;
  if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
  setTimeout(() => button.setAttribute("aria-busy", "true"), 0);
  setTimeout(() => button.classList.add("is-busy"), SAY_BUSY_AFTER_MS);
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
    button.classList.remove("is-busy");
  }
});

document.addEventListener("htmx:sendError", () => toast(document.body.dataset.offline, "error"));
document.addEventListener("htmx:responseError", () => toast(document.body.dataset.refused, "error"));

// The plan beside the run form follows what is typed.

import { clock, count } from "./format.js";

const form = document.querySelector(".run-form");
const load = form.querySelector("[data-plan-load]");
const end = form.querySelector("[data-plan-end]");
const words = form.querySelector("[data-load]").dataset;
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

document.addEventListener("hatchery:load", ({ detail }) => {
  load.textContent = `${count(detail.peak)} ${words.peak} · ${clock(detail.end)}`;
  end.textContent = time.format(new Date(Date.now() + detail.end * 1000));
});
form.querySelector("[data-load]").dispatchEvent(new Event("input")); // load.js has drawn before we listened

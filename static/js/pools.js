// The pages of pools and hosts: what changes by itself, the bar of IDs, and words beside forms.

import { guard } from "./guard.js";
import { IdBar } from "./pools/bar.js";
import { showExample, warnOfSlots } from "./pools/hints.js";
import { Live } from "./pools/live.js";
import { Picker } from "./pools/picker.js";

const page = document.querySelector("[data-live-page]");
if (page) new Live(page).start();

const bar = document.querySelector("[data-bar]");
if (bar) new IdBar(bar, document.querySelector("[data-bar-said]"));

for (const select of document.querySelectorAll("[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const picker of document.querySelectorAll("[data-picker]")) new Picker(picker);

guard();
warnOfSlots();
showExample();

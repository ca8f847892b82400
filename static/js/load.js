// The load form: rows that can be added and removed, and a drawing of the users over time.

import { clock, count } from "./format.js";
import { guard } from "./guard.js";
import { corners, seconds } from "./profile.js";

const WIDTH = 600;
const HEIGHT = 150;

function stagesOf(box) {
  const rows = [...box.querySelectorAll("[name=stages_duration]")].map((input) => input.closest("tr"));
  const value = (row, name) => row.querySelector(`[name=stages_${name}]`).value;
  const stages = rows
    .filter((row) => value(row, "duration").trim() || value(row, "users").trim())
    .map((row) => ({ duration: seconds(value(row, "duration")), users: Number(value(row, "users") || NaN), rate: Number(value(row, "spawn_rate") || NaN) }));
  if (stages.length) return stages;
  const field = (name) => box.querySelector(`[name=${name}]`).value;
  return [{ duration: seconds(field("run_time")), users: Number(field("users") || NaN), rate: Number(field("spawn_rate") || NaN) }];
}

function draw(box) {
  const stages = stagesOf(box);
  const complete = stages.every(({ duration, users, rate }) => duration > 0 && users >= 0 && rate > 0);
  const figure = box.querySelector("[data-profile]");
  figure.hidden = !complete;
  if (!complete) return;
  const points = corners(stages);
  const end = points.at(-1)[0];
  const peak = Math.max(1, ...points.map(([, users]) => users));
  const path = points.map(([second, users]) => `${(second / end) * WIDTH} ${HEIGHT - 4 - (users / peak) * (HEIGHT - 12)}`).join("L");
  figure.querySelector(".line").setAttribute("d", `M${path}`);
  figure.querySelector(".area").setAttribute("d", `M0 ${HEIGHT}L${path}L${WIDTH} ${HEIGHT}Z`);
  figure.querySelector("[data-end]").textContent = clock(end);
  figure.querySelector("[data-summary]").textContent = `${count(peak)} ${box.dataset.peak}`;
  document.dispatchEvent(new CustomEvent("hatchery:load", { detail: { end, peak } }));
}

/** Rows: buttons, and Enter in the last cell of the last row adds one instead of sending the form. */
function rows(table, changed) {
  const body = table.querySelector("tbody");
  const add = () => {
    body.append(table.querySelector("template").content.cloneNode(true));
    for (const button of body.querySelectorAll("[data-remove-row]")) button.hidden = false;
    body.lastElementChild.querySelector("input").focus();
    changed();
  };
  const button = table.querySelector("[data-add-row]");
  button.hidden = false;
  button.addEventListener("click", add);
  for (const remove of body.querySelectorAll("[data-remove-row]")) remove.hidden = false;
  body.addEventListener("click", (event) => {
    const row = event.target.closest("[data-remove-row]")?.closest("tr");
    if (!row) return;
    if (body.rows.length > 1) row.remove();
    else for (const input of row.querySelectorAll("input")) input.value = "";
    (body.querySelector("input") ?? button).focus();
    changed();
  });
  body.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    const inputs = [...body.querySelectorAll("input")];
    const next = inputs[inputs.indexOf(event.target) + 1];
    if (next) next.focus();
    else add();
  });
}

for (const box of document.querySelectorAll("[data-load]")) {
  const redraw = () => draw(box);
  for (const table of box.querySelectorAll("[data-rows]")) rows(table, redraw);
  box.addEventListener("input", redraw);
  redraw();
}
if (!document.querySelector("[data-editor]")) guard();

// The load form: stages that can be added, moved and taken back, and a drawing of the users over time.

import { clock, count } from "./format.js";
import { guard } from "./guard.js";
import { Drawing } from "./drawing.js";
import { course, seconds } from "./profile.js";
import { RowsTable } from "./rows.js";
import { durationText, templateStages, wrongCell } from "./stages.js";

const CELLS = ["duration", "users", "spawn_rate"];
const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const numberOf = (text) => (text.trim() ? Number(text) : NaN);
const stageOf = ({ duration, users, spawn_rate: rate }) => ({ duration: seconds(duration), users: numberOf(users), rate: numberOf(rate) });
const isWhole = ({ duration, users, rate }) => duration > 0 && users >= 0 && rate > 0;

class Load {
  constructor(box) {
    this.box = box;
    this.words = box.dataset;
    this.find = (name) => box.querySelector(`[data-${name}]`);
    this.figure = this.find("profile");
    this.drawing = new Drawing(this.find("drawing"), (second) => this.#read(second));
    this.left = new Set(); // rows that were typed into and left: only those are spoken about
    for (const element of box.querySelectorAll("[data-rows]")) {
      const table = new RowsTable(element, () => this.draw());
      if (element.querySelector("[name=stages_duration]")) this.#stages(table);
    }
    box.addEventListener("input", () => this.draw());
    this.draw();
  }

  /** Rows in which anything is typed, with what is typed. */
  get rows() {
    return this.table.texts().filter(({ texts }) => Object.values(texts).some((text) => text.trim()));
  }

  /** What is asked for: the stages, else the plain load as the one stage that it is. */
  get asked() {
    const { rows } = this;
    if (rows.length) return rows.map(({ texts }) => stageOf(texts));
    const field = (name) => this.box.querySelector(`[name=${name}]`).value;
    return [stageOf({ duration: field("run_time"), users: field("users"), spawn_rate: field("spawn_rate") })];
  }

  draw() {
    this.#judge();
    const { asked } = this;
    this.figure.hidden = !asked.every(isWhole);
    if (this.figure.hidden) return;
    const parts = course(asked);
    const end = parts.at(-1).to;
    const peak = Math.max(1, ...parts.map(({ users, before }) => Math.max(users, before)));
    this.peak = Math.round(peak);
    this.drawing.draw(asked);
    this.find("end").textContent = clock(end);
    this.#read(null);
    this.find("profile-rows").replaceChildren(...parts.map((part, place) => {
      const row = document.createElement("tr");
      for (const text of [place + 1, clock(part.from), clock(part.to), count(part.before), count(part.users)]) {
        row.append(Object.assign(document.createElement("td"), { className: "num", textContent: text }));
      }
      return row;
    }));
    document.dispatchEvent(new CustomEvent("hatchery:load", { detail: { end, peak: this.peak } }));
  }

  #stages(table) {
    this.table = table;
    const bar = this.find("stage-templates");
    bar.hidden = false;
    bar.addEventListener("click", (event) => {
      const kind = event.target.closest("[data-template]")?.dataset.template;
      if (kind) this.#fillIn(kind);
    });
    const undo = this.find("undo");
    undo.addEventListener("click", () => table.undo());
    table.onHistory = (depth) => (undo.disabled = depth === 0);
    table.element.addEventListener("focusout", (event) => {
      const row = event.target.closest("[data-row]");
      if (!row || row.contains(event.relatedTarget)) return;
      this.left.add(row);
      this.#judge();
    });
    // What the server has said about a row stays for as long as the row does.
    this.said = new Map(table.texts()
      .filter(({ row }) => !row.querySelector("[data-row-problem]").hidden)
      .map(({ row, texts }) => [row, JSON.stringify(texts)]));
  }

  /** Out of the load that is there: of the stages their highest users and their time, else the three fields. */
  #fillIn(kind) {
    const { asked } = this;
    const known = asked.filter(isWhole);
    const users = Math.max(0, ...asked.map((stage) => stage.users || 0));
    const time = known.reduce((sum, stage) => sum + stage.duration, 0) || asked[0].duration;
    const stages = templateStages(kind, { users, seconds: time, rate: asked[0].rate });
    this.table.replace(stages.map(({ duration, users: goal, rate }) => ({
      stages_duration: durationText(duration), stages_users: String(goal), stages_spawn_rate: String(rate),
    })));
  }

  /** Under each row what is wrong with it; a server's sentence stays until the row changes. */
  #judge() {
    const rows = this.table.texts();
    const filled = this.rows;
    const numbers = new Map(filled.map(({ row }, place) => [row, place + 1]));
    const stages = filled.map(({ texts }) => stageOf(texts));
    const parts = stages.every(isWhole) ? course(stages) : [];
    for (const { row, texts } of rows) {
      const n = numbers.get(row);
      const wrong = n ? wrongCell(texts, seconds) : null;
      row.querySelector("[data-row-number]").textContent = n ?? "";
      for (const name of CELLS) mark(row.querySelector(`[name=stages_${name}]`), name === wrong && this.left.has(row));
      const part = n ? parts[n - 1] : undefined;
      const isShort = part && Math.round(part.users) !== part.goal;
      const sentence = wrong && this.left.has(row) ? fill(this.words[BAD[wrong]], { n })
        : isShort ? fill(this.words.short, { n, users: count(part.goal), reached: count(part.users) }) : "";
      if (this.said.get(row) !== JSON.stringify(texts)) this.#say(row, sentence, Boolean(wrong));
    }
  }

  #say(row, sentence, isWrong) {
    const line = row.querySelector("[data-row-problem]");
    const words = line.querySelector("div");
    if (words.textContent !== sentence) words.textContent = sentence;
    words.className = isWrong ? "field-error" : "form-hint tone-invalid";
    line.hidden = !sentence;
  }

  /** The line under the drawing: the moment under the pointer, else the peak. */
  #read(second) {
    const at = second === null ? null : this.drawing.at(second);
    const sentence = this.rows.length ? this.words.reading : this.words.readingPlain;
    this.find("summary").textContent = at
      ? fill(sentence, { time: clock(second), users: count(at.users), n: at.stage })
      : `${count(this.peak)} ${this.words.peak}`;
  }
}

const BAD = { duration: "badDuration", users: "badUsers", spawn_rate: "badSpawnRate" };

function mark(input, isWrong) {
  if (isWrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  input.classList.toggle("is-invalid", isWrong);
}

/** What Validate found in the script of the editor beside. */
function followValidation(box) {
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const shape = event.target.querySelector?.("[data-valid]")?.dataset.shape;
    if (shape === undefined) return;
    box.querySelector("[data-own-shape-name]").textContent = shape;
    box.querySelector("[data-own-shape]").hidden = !shape;
  });
}

for (const box of document.querySelectorAll("[data-load]")) {
  new Load(box);
  followValidation(box);
}
if (!document.querySelector("[data-editor]")) guard();

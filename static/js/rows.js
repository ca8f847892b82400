// A table of text inputs whose rows can be added, moved, repeated and removed, and every such change taken back.

const MOST_STEPS_BACK = 50;

export class RowsTable {
  /** @param {HTMLElement} element `[data-rows]` @param {() => void} changed */
  constructor(element, changed) {
    this.element = element;
    this.changed = changed;
    this.table = element.querySelector("table");
    this.blank = element.querySelector("template");
    this.past = [];
    this.onHistory = () => {};
    const button = element.querySelector("[data-add-row]");
    button.hidden = false;
    button.addEventListener("click", () => this.#add());
    this.#showActs();
    this.table.addEventListener("click", (event) => this.#act(event));
    this.table.addEventListener("keydown", (event) => this.#key(event));
  }

  get #rows() {
    return [...this.table.querySelectorAll("[data-row]")];
  }

  /** Each row with its texts by column. */
  texts() {
    return this.#rows.map((row) => ({
      row,
      texts: Object.fromEntries(inputsOf(row).map((input) => [input.name.slice(input.name.indexOf("_") + 1), input.value])),
    }));
  }

  /** Other rows instead of these. @param {Record<string, string>[]} rows texts by name of the input */
  replace(rows) {
    this.#remember();
    this.#put(rows);
  }

  undo() {
    const rows = this.past.pop();
    if (!rows) return;
    this.onHistory(this.past.length);
    this.#put(rows);
  }

  #snapshot() {
    return this.#rows.map((row) => Object.fromEntries(inputsOf(row).map((input) => [input.name, input.value])));
  }

  #remember() {
    this.past.push(this.#snapshot());
    if (this.past.length > MOST_STEPS_BACK) this.past.shift();
    this.onHistory(this.past.length);
  }

  #put(rows) {
    for (const row of this.#rows) row.remove();
    for (const texts of rows.length ? rows : [{}]) this.table.append(this.#made(texts));
    this.#showActs();
    this.changed();
  }

  #made(texts = {}) {
    const row = this.blank.content.firstElementChild.cloneNode(true);
    for (const input of inputsOf(row)) input.value = texts[input.name] ?? "";
    return row;
  }

  #add() {
    const row = this.#made();
    this.table.append(row);
    this.#showActs();
    inputsOf(row)[0].focus();
    this.changed();
  }

  #act(event) {
    const button = event.target.closest("[data-row-act]");
    if (!button) return;
    const row = button.closest("[data-row]");
    const act = button.dataset.rowAct;
    const goal = act === "up" ? row.previousElementSibling : act === "down" ? row.nextElementSibling : null;
    if ((act === "up" || act === "down") && !goal?.matches("[data-row]")) return;
    this.#remember();
    if (act === "up") goal.before(row);
    else if (act === "down") goal.after(row);
    else if (act === "copy") row.after(this.#made(this.#snapshot()[this.#rows.indexOf(row)]));
    else this.#remove(row);
    this.#showActs();
    if (act !== "remove") button.focus();
    this.changed();
  }

  #remove(row) {
    const rows = this.#rows;
    const next = rows[rows.indexOf(row) + 1] ?? rows[rows.indexOf(row) - 1];
    if (next) row.remove();
    else for (const input of inputsOf(row)) input.value = "";
    inputsOf(next ?? row)[0].focus();
  }

  /** Enter goes to the next cell, and from the last one to a new row, instead of sending the form. */
  #key(event) {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    const inputs = inputsOf(this.table);
    const next = inputs[inputs.indexOf(event.target) + 1];
    if (next) next.focus();
    else this.#add();
  }

  #showActs() {
    const rows = this.#rows;
    for (const [place, row] of rows.entries()) {
      for (const button of row.querySelectorAll("[data-row-act]")) {
        button.hidden = false;
        button.setAttribute("aria-disabled", String(button.dataset.rowAct === "up" ? place === 0
          : button.dataset.rowAct === "down" && place === rows.length - 1));
      }
    }
  }
}

const inputsOf = (element) => [...element.querySelectorAll("input")];

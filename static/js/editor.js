// Ace over the script's text area. Without it the text area itself is the editor.

import { toast } from "./shell.js";
import { guard } from "./guard.js";
import { takeFiles } from "./upload.js";

const THEMES = { light: "ace/theme/tomorrow", dark: "ace/theme/tomorrow_night" };
const theme = () => THEMES[document.documentElement.dataset.bsTheme] ?? THEMES.light;

function open(box) {
  const area = box.querySelector("textarea");
  const place = document.createElement("div");
  area.after(place);
  area.hidden = true;
  ace.config.set("useStrictCSP", true);
  const editor = ace.edit(place, {
    mode: "ace/mode/python",
    theme: theme(),
    value: area.value,
    readOnly: "readonly" in box.dataset,
    useWorker: false,
    useSoftTabs: true,
    tabSize: 4,
    showPrintMargin: false,
    fontSize: "0.8125rem",
    fontFamily: "var(--tblr-font-monospace)",
    highlightActiveLine: !("readonly" in box.dataset),
    scrollPastEnd: 0.2,
    enableKeyboardAccessibility: true, // Escape leaves the text, so that Tab reaches the buttons
    textInputAriaLabel: box.dataset.label,
  });
  editor.session.setUseWrapMode(false);
  document.addEventListener("hatchery:theme", () => editor.setTheme(theme()));
  return { area, editor };
}

/** Keep the text area, which is what a form sends, in step with the editor. */
function connect(box, { area, editor }) {
  const form = area.form;
  const saved = editor.getValue();
  editor.session.on("change", () => {
    area.value = editor.getValue();
    editor.session.clearAnnotations();
    unmark(editor);
    form.querySelector("[data-changed]")?.toggleAttribute("hidden", area.value === saved);
  });
  form.addEventListener("submit", (event) => {
    if (new Blob([area.value]).size <= Number(box.dataset.limitBytes)) return;
    event.preventDefault();
    event.stopPropagation();
    toast(box.dataset.tooLarge, "error");
  }, true);
  const save = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
    event.preventDefault();
    form.requestSubmit();
  };
  document.addEventListener("keydown", save);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "validation") showProblems(editor, event.target);
  });
  const error = box.querySelector("[data-script-error]");
  const line = /\d+/.exec(error?.textContent ?? "");
  if (line) mark(editor, Number(line[0]), error.textContent);
}

function showProblems(editor, answer) {
  editor.session.clearAnnotations();
  unmark(editor);
  for (const problem of answer.querySelectorAll("[data-problem]")) {
    if (problem.dataset.line) mark(editor, Number(problem.dataset.line), problem.querySelector("[data-message]").textContent);
  }
}

let marker = null;

function mark(editor, line, text) {
  const row = Math.min(line, editor.session.getLength()) - 1;
  const Range = ace.require("ace/range").Range;
  editor.session.setAnnotations([{ row, column: 0, text, type: "error" }]);
  marker = editor.session.addMarker(new Range(row, 0, row, 1), "problem-line", "fullLine");
  editor.scrollToLine(row, true, true);
}

function unmark(editor) {
  if (marker !== null) editor.session.removeMarker(marker);
  marker = null;
}

for (const box of document.querySelectorAll("[data-editor]")) {
  const plain = box.querySelector("textarea");
  if (!globalThis.ace) {
    if (plain.form) takeFiles(plain.form, (text) => (plain.value = text));
    break;
  }
  const opened = open(box);
  if (plain.form) {
    connect(box, opened);
    takeFiles(plain.form, (text) => opened.editor.setValue(text, -1));
  }
  const line = Number(new URLSearchParams(location.search).get("line"));
  if (line) opened.editor.gotoLine(line);
}
guard();

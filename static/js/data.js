// The tab Data: files go through REST with their progress shown, and the list renews itself.

import { bytes, count } from "./format.js";
import { nameFor } from "./names.js";
import { toast } from "./shell.js";
import { localise } from "./times.js";

const COLUMNS_SAID = 5;
const NAME_CHARS = 40;

const tab = document.querySelector("[data-data]");
const list = tab.querySelector("[data-data-list]");
const form = tab.querySelector("[data-data-upload]");
const input = form.querySelector("input[type=file]");
const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
const bar = form.querySelector("[data-progress]");
const cancel = form.querySelector("[data-cancel]");
let sending = null;

const words = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** What is said beside the button; `field` of the form gets a mistake instead. */
function say(text, field = null) {
  for (const old of form.querySelectorAll(".field-error")) old.remove();
  for (const one of form.querySelectorAll("[aria-invalid]")) {
    one.removeAttribute("aria-invalid");
    one.classList.remove("is-invalid");
    one.setAttribute("aria-describedby", `${one.id}_helptext`);
  }
  const line = form.querySelector("[data-said]");
  line.className = "";
  line.textContent = field ? "" : text;
  if (field) blame(field, text);
}

function blame(name, text) {
  const field = form.elements.namedItem(name);
  const line = document.createElement("div");
  line.className = "field-error";
  line.textContent = text;
  line.id = `${field?.id ?? "id_upload"}_error`;
  line.setAttribute("role", "alert");
  if (!field) return form.querySelector("[data-said]").append(line);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", `${line.id} ${field.id}_helptext`);
  field.classList.add("is-invalid");
  field.after(line);
}

function send() {
  const [file] = input.files;
  const limit = Number(form.dataset.limitBytes);
  if (sending) return;
  if (!file) return say(form.dataset.noFile, "file");
  if (file.size > limit) {
    return say(words(form.dataset.tooLarge, { size: bytes(file.size), limit: bytes(limit) }), "file");
  }
  say("");
  const body = new FormData();
  for (const name of ["name", "distribution"]) if (form.elements[name].value) body.append(name, form.elements[name].value);
  body.append("file", file, file.name);
  sending = new XMLHttpRequest();
  sending.open("POST", tab.dataset.url);
  sending.setRequestHeader("X-CSRFToken", token);
  sending.responseType = "json";
  sending.upload.addEventListener("progress", (event) => show(event.loaded, event.total));
  sending.addEventListener("load", (event) => answered(event.target));
  sending.addEventListener("error", () => say(form.dataset.offline, "file"));
  sending.addEventListener("abort", () => say(form.dataset.cancelled));
  sending.addEventListener("loadend", () => wait(false));
  wait(true);
  show(0, file.size);
  sending.send(body);
}

function wait(isSending) {
  if (!isSending) sending = null;
  bar.hidden = cancel.hidden = !isSending;
  form.querySelector("[data-send]").disabled = isSending;
  if (!isSending && document.activeElement === document.body) form.querySelector("[data-send]").focus();
}

function show(sent, total) {
  const percent = total ? Math.floor((sent / total) * 100) : 100;
  bar.querySelector("progress").value = percent;
  const text = sent < total ? form.dataset.sending : form.dataset.reading;
  bar.querySelector("[data-progress-said]").textContent = words(text, { sent: bytes(sent), total: bytes(total), percent });
}

async function answered({ status, response }) {
  if (status >= 300) {
    const [field, texts] = Object.entries(response?.fields ?? {})[0] ?? ["file", []];
    return say(texts[0] ?? response?.message ?? String(status), field);
  }
  const told = status === 201 ? form.dataset[response.kind === "binary" ? "addedBinary" : "added"] : form.dataset.same;
  form.reset();
  say(words(told, { ...response, rows: count(response.rows), columns: listed(response.columns) }));
  await renew();
}

/** So many that a row of data is seen which was taken for the header. */
function listed(columns) {
  const names = columns.slice(0, COLUMNS_SAID).map((name) => (name.length > NAME_CHARS ? `${name.slice(0, NAME_CHARS - 1)}…` : name));
  return [...names, ...(columns.length > COLUMNS_SAID ? ["…"] : [])].join(", ");
}

/** The list as the server has it now; what has the focus keeps it. */
async function renew() {
  const answer = await fetch(location.href, { redirect: "error" }).catch(() => null);
  if (!answer?.ok) return;
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-data-list]");
  list.replaceChildren(...found.childNodes);
  localise(list);
}

async function change({ target }) {
  const { name } = target.closest("[data-name]").dataset;
  const answer = await fetch(`${tab.dataset.url}${encodeURIComponent(name)}/`, {
    method: "PATCH",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify({ [target.name]: target.value }),
  }).catch(() => null);
  if (answer?.ok) {
    for (const option of target.options) option.defaultSelected = option.selected;
    return toast(words(tab.dataset.saved, { name }), "success");
  }
  const { message } = (await answer?.json().catch(() => null)) ?? {};
  toast(message ?? form.dataset.offline, "error");
  for (const option of target.options) option.selected = option.defaultSelected;
}

function drop(event) {
  event.preventDefault();
  over(false);
  if (sending) return;
  const { files } = event.dataTransfer;
  if (files.length !== 1) return say(files.length ? form.dataset.oneFile : form.dataset.noFile, "file");
  input.files = files;
  named();
  send();
}

/** A name that the portal would refuse is put right, to be seen before it is sent. */
function named() {
  const [file] = input.files;
  if (file && !form.elements.name.value && nameFor(file.name) !== file.name) form.elements.name.value = nameFor(file.name);
}

const zone = form.querySelector("[data-drop]");
const over = (isOver) => zone.classList.toggle("is-over", isOver);

// On the whole tab: a file that just missed the box must not take the page's place.
tab.addEventListener("dragover", (event) => {
  event.preventDefault();
  over(true);
});
tab.addEventListener("dragleave", (event) => {
  if (!tab.contains(event.relatedTarget)) over(false);
});
tab.addEventListener("drop", drop);
input.addEventListener("change", () => {
  say("");
  named();
});
input.required = false; // we say it ourselves, in the page's own words
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
cancel.addEventListener("click", () => sending?.abort());
list.addEventListener("change", (event) => {
  if (event.target.matches("select")) change(event);
});
addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});

/** Sentences of the page, translated by the server: `<template id="run-text">` holds them by name. */

const sentences = new Map();
const source = globalThis.document?.getElementById("run-text");
for (const element of source?.content.querySelectorAll("[data-text]") ?? []) {
  sentences.set(element.dataset.text, element.textContent.trim());
}

/** The sentence with `{name}` filled in: `text("stalled", {seconds: 7})`. An unknown name is shown as it is. */
export function text(name, values = {}) {
  const sentence = sentences.get(name) ?? name;
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

export const hasText = (name) => sentences.has(name);

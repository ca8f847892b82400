// Puts what the server sent anew into the page, and touches nothing that is the same: focus and selection stay.

const FOCUSABLE = "a[href], button, input, select, summary, [tabindex]";

/**
 * Rows by their keys: what to take out, and for each new one after which it comes.
 * @param {string[]} before @param {string[]} after
 * @returns {{gone: string[], added: {key: string, behind: string|null}[]}}
 */
export function rowChanges(before, after) {
  const old = new Set(before);
  const kept = new Set(after);
  return {
    gone: before.filter((key) => !kept.has(key)),
    added: after.flatMap((key, place) => (old.has(key) ? [] : [{ key, behind: after[place - 1] ?? null }])),
  };
}

export class Merger {
  /** @param {HTMLElement} page @param {(changed: Element) => void} dressed called for each part that was replaced */
  constructor(page, dressed) {
    this.page = page;
    this.dressed = dressed;
    this.received = new Map();
    this.noted = false;
  }

  /** What stands here besides what changes all the time; the server leaves it out as long as it is the same. */
  get tokens() {
    return [...this.page.querySelectorAll("[data-token]")].map((element) => element.dataset.token);
  }

  /** @param {string} html the live part, as the server wrote it */
  merge(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    if (!sameKeys(partsOf(this.page), partsOf(fresh))) return this.#reload(fresh);
    for (const [key, rows] of listsOf(fresh)) this.#mergeRows(listsOf(this.page).get(key), rows);
    if (!this.#takeTokens(fresh)) return this.#reload(fresh);
    const shown = partsOf(this.page);
    for (const [key, part] of partsOf(fresh)) this.#mergePart(key, shown.get(key), part);
  }

  /** Of what came as a whole; false when it has other parts than what is shown in its place. */
  #takeTokens(fresh) {
    for (const whole of fresh.querySelectorAll("[data-token]")) {
      const shown = this.page.querySelector(`[data-key="${CSS.escape(whole.dataset.key)}"]`);
      if (!shown || namesIn(shown) !== namesIn(whole)) return false;
      shown.dataset.token = whole.dataset.token;
    }
    return true;
  }

  /** Other parts than before, as when the first host came: this page is another one now. */
  #reload(fresh) {
    if (fresh.querySelector("[data-live], [data-live-rows]")) location.reload();
  }

  #mergeRows(list, fresh) {
    const rows = rowsOf(list);
    const news = rowsOf(fresh);
    const { gone, added } = rowChanges([...rows.keys()], [...news.keys()]);
    for (const key of gone) rows.get(key).remove();
    for (const { key, behind } of added) {
      const row = news.get(key).cloneNode(true);
      if (behind === null) list.prepend(row);
      else rowsOf(list).get(behind).after(row);
      this.dressed(row);
    }
  }

  #mergePart(key, shown, fresh) {
    const html = fresh.innerHTML;
    const before = this.received.get(key);
    this.received.set(key, html);
    // What the server said, and not what stands there: times are rewritten by the page.
    if (before === html) return;
    const focused = [...shown.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    shown.replaceChildren(...fresh.childNodes);
    this.dressed(shown);
    if (focused >= 0) shown.querySelectorAll(FOCUSABLE)[focused]?.focus();
  }
}

const namesIn = (root) => [...root.querySelectorAll("[data-live]")].map((part) => part.dataset.live).join();
const byName = (found, name) => new Map([...found].map((element) => [element.getAttribute(name), element]));
const listsOf = (root) => byName(root.querySelectorAll("[data-live-rows]"), "data-live-rows");
const rowsOf = (list) => byName(list.querySelectorAll(":scope > [data-key]"), "data-key");

/** Each live part by its name, and that of its row. */
function partsOf(root) {
  const parts = new Map();
  for (const part of root.querySelectorAll("[data-live]")) {
    const row = part.closest("[data-key]");
    parts.set(`${row?.dataset.key ?? ""} ${part.dataset.live}`, part);
  }
  return parts;
}

/** Rows may come and go; what is outside of them stays. */
function sameKeys(before, after) {
  const outside = (parts) => [...parts.keys()].filter((key) => key.startsWith(" ")).sort().join();
  return outside(before) === outside(after);
}

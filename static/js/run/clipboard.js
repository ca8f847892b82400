/** Copying, also where the browser does not let a page do it: the text is then selected for Ctrl+C. */

/** @param {Node} shown where the text stands @returns {Promise<boolean>} whether it is in the clipboard */
export async function writeClipboard(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(shown); // plain HTTP on another host than this one
    return false;
  }
}

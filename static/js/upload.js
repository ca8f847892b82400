// A chosen file goes into the editor at once: what is validated and saved is what is seen.

const KIB = 1_024;

/**
 * @param {Blob} file
 * @param {number} limit in bytes
 * @returns {Promise<{text: string}|{refused: "tooLarge"|"notUtf8"|"unreadable"}>} with the line ends of a script
 */
export async function textOf(file, limit) {
  if (file.size > limit) return { refused: "tooLarge" };
  let bytes;
  try {
    bytes = await file.arrayBuffer();
  } catch {
    return { refused: "unreadable" }; // it was moved or changed since it was chosen
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r\n?/g, "\n") };
  } catch {
    return { refused: "notUtf8" };
  }
}

/** @param {HTMLFormElement} form @param {(text: string) => void} put into the editor */
export function takeFiles(form, put) {
  const box = form.querySelector("[data-upload]");
  const input = box?.querySelector("input[type=file]");
  input?.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const limit = Number(box.dataset.limitBytes);
    const { text, refused } = await textOf(file, limit);
    if (input.files[0] !== file) return; // another one was chosen meanwhile
    input.value = ""; // or the form would send the file in the place of what is seen
    if (!refused) put(text);
    say(box, refused ?? "taken", { name: file.name, size: Math.ceil(file.size / KIB), limit: limit / KIB });
  });
}

function say(box, what, values) {
  const line = box.querySelector("[data-upload-said]");
  line.className = what === "taken" ? "form-hint" : "field-error";
  line.textContent = box.dataset[what].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

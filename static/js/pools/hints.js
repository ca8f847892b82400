// Words beside the forms of pools and hosts, while somebody types.

/** An ID as the script gets it, or null for what is no number. */
export function idText(prefix, width, number) {
  if (!/^\d+$/.test(String(number).trim())) return null;
  const digits = String(BigInt(String(number).trim()));
  return prefix + digits.padStart(Number(width) || 0, "0");
}

/** Whether so many slots are more than the machine has cores. */
export function tooManySlots(slots, cores) {
  return /^\d+$/.test(slots.trim()) && Number(slots) > Number(cores);
}

export function warnOfSlots() {
  const input = document.querySelector("[data-cores]");
  const words = document.querySelector("[data-too-many]");
  if (!input || !words) return;
  const look = () => (words.hidden = !tooManySlots(input.value, input.dataset.cores));
  input.addEventListener("input", look);
  look();
}

export function showExample() {
  const place = document.querySelector("[data-format-example]");
  if (!place) return;
  const form = place.closest("form");
  const value = (name) => form.elements[name].value;
  const look = () => {
    const ends = ["first_id", "last_id"].map((name) => idText(value("id_prefix"), value("id_width"), value(name)));
    place.hidden = ends.includes(null);
    place.textContent = place.hidden ? "" : ends.join(" – ");
  };
  form.addEventListener("input", look);
  look();
}

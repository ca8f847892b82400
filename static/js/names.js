// How a data file may be called.

const NAME_CHARS = 100;

/** The nearest name that the portal takes: as `suggested_name` of data_check.py. */
export function nameFor(name) {
  return name.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[.-]+/, "").slice(0, NAME_CHARS) || "data.csv";
}

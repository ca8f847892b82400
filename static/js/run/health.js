/** The strip about the load generator: what it costs, whether it keeps up, and whether the users asked for are there. */

import { icon, make, makeSvg, setHidden, setText } from "./dom.js";
import { bytes, count, isNumber, ms, percentage } from "./format.js";
import { SPARK_HEIGHT, SPARK_WIDTH, sparkPath } from "./rows.js";
import { TOTAL, placesWithin } from "./series.js";
import { text } from "./text.js";

export const HOT_CPU_PERCENT = 90;
export const SLOW_LOOP_MS = 200;
const SPARK_POINTS = 120;
/** Each: the column it reads, how it is shown, from where on it is bad. */
const GAUGES = {
  cpu: { column: "cpu_percent", show: percentage, limit: HOT_CPU_PERCENT },
  lag: { column: "lag_ms", show: ms, limit: SLOW_LOOP_MS, isOfLoad: true }, // when all users stop at once it may well lag
  rss: { column: "rss_bytes", show: bytes },
  users: { column: "users", show: count, beside: "target_users" },
  files: { column: "open_files", show: count },
};

export class HealthStrip {
  constructor(root) {
    this.root = root;
    this.tiles = new Map([...root.querySelectorAll("[data-gauge]")].map((tile) => [tile.dataset.gauge, new Tile(tile)]));
  }

  /**
   * @param {import("./series.js").Series} series what the charts show
   * @param {{range: number[], isSettled: boolean, run: object, isExact: boolean}} what
   *        `isSettled`: the worst of a stretch counts, not the newest second
   */
  render(series, { range, isSettled, run, isExact }) {
    const [first, last] = placesWithin(series.t, ...range);
    const users = series.column(TOTAL, "users", first, last + 1);
    for (const [name, tile] of this.tiles) {
      const gauge = GAUGES[name];
      const counted = (column) => (gauge.isOfLoad ? underLoad(column, users) : column);
      const values = counted(series.column(TOTAL, gauge.column, first, last + 1));
      const beside = gauge.beside ? series.column(TOTAL, gauge.beside, first, last + 1) : null;
      const high = counted(series.ends(TOTAL, gauge.column, first, last + 1)?.high ?? []);
      const shown = isSettled ? highest([...values, ...high]) : newest(values);
      tile.render(gauge, stateOf(name, { shown: shown ?? known(name, run, isSettled), values, beside, isSettled, isExact }), values, beside);
    }
  }
}

class Tile {
  constructor(tile) {
    this.tile = tile;
    this.value = tile.querySelector("b");
    this.word = tile.querySelector("[data-word]");
    this.line = makeSvg("path", { class: "spark-line" });
    this.wanted = makeSvg("path", { class: "spark-wanted" });
    this.limit = makeSvg("path", { class: "spark-limit" });
    tile.querySelector("[data-spark]").append(makeSvg("svg", {
      class: "spark", viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, this.limit, this.wanted, this.line));
  }

  render(gauge, { value, word, isBad }, values, beside) {
    setText(this.value, value);
    if (this.saying !== `${isBad}${word}`) {
      this.saying = `${isBad}${word}`;
      this.word.replaceChildren(...(isBad === null ? [] : [icon(isBad ? "warning" : "check")]), make("span", { text: word }));
      this.tile.classList.toggle("is-bad", isBad === true);
    }
    const points = thinned(values);
    const others = beside ? thinned(beside) : [];
    const top = Math.max(highest([...points, ...others]) ?? 0, 1e-9);
    // The limit is drawn once the values come near it; far below it, it would only press the line flat.
    const isNear = Boolean(gauge.limit) && top > gauge.limit / 2;
    const scale = isNear ? Math.max(top, gauge.limit * 1.05) : top;
    this.line.setAttribute("d", sparkPath(points, scale));
    this.wanted.setAttribute("d", others.length ? sparkPath(others, scale) : "");
    this.limit.setAttribute("d", isNear ? sparkPath([gauge.limit, gauge.limit], scale) : "");
    setHidden(this.tile.querySelector("[data-spark]"), points.filter(isNumber).length < 2);
  }
}

/** @returns {{value: string, word: string, isBad: boolean|null}} null: neither good nor bad */
export function stateOf(name, { shown, beside, isSettled, isExact }) {
  const { show, limit } = GAUGES[name];
  if (!isNumber(shown)) return { value: show(null), word: text(!isExact ? "not_known_csv" : name === "files" ? "live_only" : "not_measured"), isBad: null };
  const value = isSettled ? text("at_most", { value: show(shown) }) : show(shown);
  if (name === "users") return usersState(shown, isSettled ? highest(beside) : newest(beside), isSettled);
  if (!limit) return { value, word: "", isBad: null };
  return { value, word: text(shown >= limit ? `gauge_${name}_bad` : `gauge_${name}_ok`), isBad: shown >= limit };
}

function usersState(users, wanted) {
  if (!isNumber(wanted)) return { value: count(users), word: "", isBad: null };
  const missing = wanted - users;
  const word = missing > 0 ? text("users_missing", { missing: count(missing) }) : text("users_reached");
  return { value: `${count(users)} / ${count(wanted)}`, word, isBad: missing > 0 };
}

/** What the run itself says, where no series does. */
function known(name, { generator }, isSettled) {
  if (!generator) return null;
  if (name === "cpu") return isSettled ? (generator.cpu_peak_percent ?? generator.cpu_percent) : generator.cpu_percent;
  return name === "rss" ? generator.rss_bytes : null;
}

/** Nothing for the seconds at whose end no user was left. */
export const underLoad = (values, users) => values.map((value, place) => (users[place] === 0 ? null : value));

const newest = (values) => values.findLast(isNumber) ?? null;

function highest(values) {
  let most = null;
  for (const value of values) if (isNumber(value) && (most === null || value > most)) most = value;
  return most;
}

/** At most SPARK_POINTS, each the highest of those it stands for. */
export function thinned(values, points = SPARK_POINTS) {
  if (values.length <= points) return values;
  const each = values.length / points;
  return Array.from({ length: points }, (_, place) => highest(values.slice(Math.floor(place * each), Math.floor((place + 1) * each))));
}

/** What a chart shows, as a table, as CSV and as a picture. */

import { csvOf } from "./csv.js";
import { download, make, setText } from "./dom.js";
import { NOTHING, isNumber, oneLine, significant, time, utc } from "./format.js";
import { TOTAL, placesWithin } from "./series.js";
import { text } from "./text.js";
import { color } from "./theme.js";

const MOST_ROWS = 300;
const LEGEND_LINE = 18;
const TITLE_HEIGHT = 30;
const MOST_LEGEND_LINES = 24;

export function saveCsv(name, rows) {
  download(`${name}.csv`, new Blob([csvOf(rows)], { type: "text/csv;charset=utf-8" }));
}

/** Name of a line for people. @param {import("./chart.js").Line} line */
export function nameOf(line, title) {
  if (line.key === "asked") return text("asked_users");
  return line.key === TOTAL ? `${title}: ${text("all_endpoints")}` : line.label;
}

/** Head and rows of what a chart shows now. @param {import("./chart.js").Chart} chart */
export function rowsOf(chart, [from, to]) {
  const [first, last] = placesWithin(chart.t, from, to);
  const rows = [];
  for (let i = first; i <= last; i += 1) rows.push([chart.t[i], ...chart.lines.map((line) => line.values[i])]);
  return rows;
}

export function chartCsv(chart, range) {
  const { unit } = chart.look;
  const head = ["time_utc", ...chart.lines.map((line) => `${nameOf(line, chart.title)}${unit ? ` (${unit})` : ""}`)];
  const areas = chart.lines.filter((line) => line.low);
  const ends = areas.flatMap((line) => [text("lowest_of", { name: nameOf(line, chart.title) }), text("highest_of", { name: nameOf(line, chart.title) })]);
  const [first] = placesWithin(chart.t, ...range);
  const rows = rowsOf(chart, range).map(([t, ...values], place) =>
    [new Date(t * 1000).toISOString(), ...values, ...areas.flatMap((line) => [line.low[first + place], line.high[first + place]])]);
  return [[...head, ...ends], ...rows];
}

/** The newest rows as an HTML table, newest first. */
export function chartTable(chart, range) {
  const { show = significant } = chart.look;
  const rows = rowsOf(chart, range).reverse();
  const head = make("tr", {}, make("th", { scope: "col", text: text("time") }), ...chart.lines.map((line) =>
    make("th", { scope: "col", class: "num", title: nameOf(line, chart.title) },
      make("bdi", { text: oneLine(line.key === TOTAL ? text("all_endpoints") : nameOf(line, chart.title), 40) }))));
  const body = rows.slice(0, MOST_ROWS).map(([t, ...values]) => make("tr", {},
    make("th", { scope: "row", title: utc(t), text: time(t) }),
    ...values.map((value) => make("td", { class: "num", text: isNumber(value) ? show(value) : NOTHING }))));
  const table = make("table", { class: "table" }, make("thead", {}, head), make("tbody", {}, ...body));
  if (rows.length <= MOST_ROWS) return [table];
  const note = make("p", { class: "muted m-2" });
  setText(note, text("table_newest", { rows: MOST_ROWS }));
  return [table, note];
}

/** The chart with its title and, where they have names, its lines on an opaque ground. */
export function savePng(name, chart) {
  const source = chart.canvas ?? chart.uplot?.ctx.canvas;
  if (!source) return;
  const lines = chart.paintScale ? [] : (chart.lines ?? []).slice(0, MOST_LEGEND_LINES);
  const foot = chart.paintScale ? LEGEND_LINE : LEGEND_LINE * lines.length;
  savePicture(name, chart, source, foot, (ctx, top) => {
    chart.paintScale?.(ctx, 12, top + LEGEND_LINE * 0.7);
    lines.forEach((line, place) => {
      const y = top + LEGEND_LINE * (place + 0.7);
      ctx.strokeStyle = color(line.color);
      ctx.lineWidth = line.width;
      ctx.setLineDash(chart.uplot.series[place + 1].dash ?? []);
      ctx.beginPath();
      ctx.moveTo(12, y - 4);
      ctx.lineTo(40, y - 4);
      ctx.stroke();
      ctx.fillText(oneLine(nameOf(line, chart.title), 100), 48, y);
    });
  });
}

function savePicture(name, chart, source, foot, paintFoot) {
  const ratio = devicePixelRatio;
  const canvas = make("canvas");
  canvas.width = source.width;
  canvas.height = source.height + (TITLE_HEIGHT + foot + 8) * ratio;
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = color("--h-surface");
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(source, 0, TITLE_HEIGHT * ratio);
  ctx.scale(ratio, ratio);
  ctx.fillStyle = color("--h-ink");
  ctx.font = "600 14px system-ui, sans-serif";
  ctx.fillText(`${name} · ${chart.title}`, 12, 20);
  ctx.font = "12px system-ui, sans-serif";
  paintFoot(ctx, source.height / ratio + TITLE_HEIGHT);
  canvas.toBlob((blob) => download(`${name}-${chart.key}.png`, blob), "image/png");
}

/** What the page shows before the first request, and the verdict when it is over. */

import { icon, make, setHidden, setText } from "./dom.js";
import { fileLink, headlineFiles } from "./files.js";
import { actorName, count, plain, time, utc } from "./format.js";
import { phaseOf, stepFinder, stepsOf } from "./phase.js";
import { hasText, text } from "./text.js";
import { drawArrivals } from "./worker_table.js";

export class Waiting {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`[data-${name}]`);
  }

  /** @param {import("./store.js").Store} store */
  render(store) {
    const { run, events } = store;
    const phase = phaseOf(run);
    const isBeforeFirst = phase === "live" && !store.hasRequests;
    this.root.dataset.phase = phase;
    for (const part of this.root.querySelectorAll("[data-when]")) {
      setHidden(part, part.dataset.when !== phase && !(part.dataset.when === "starting" && isBeforeFirst));
    }
    if (phase === "queued") this.#queue(run);
    if (phase === "starting" || isBeforeFirst) {
      this.#steps(run, events);
      drawArrivals(this.find("arrivals"), store.workers);
    }
    if (phase === "failed") this.#failure(run);
    if (phase === "report") this.#report(run);
  }

  #queue({ queue_position: place, waits_for: missing }) {
    if (place) setText(this.find("queue-place"), place === 1 ? text("queue_next") : text("queue_place", { place }));
    setText(this.find("queue-missing"), plain(missing ?? ""));
    setHidden(this.find("queue-missing"), !missing);
  }

  #steps(run, events) {
    const steps = stepsOf(run, stepFinder(events));
    const current = steps.findIndex((step) => !step.done);
    this.find("steps").replaceChildren(...steps.map((step, place) => {
      const kind = step.done ? "done" : place === current ? "current" : "next";
      return make("li", { class: `start-step is-${kind}`, "aria-current": place === current ? "step" : false },
        icon(step.done ? "check" : "state-queued"),
        make("span", { text: text(`step_${step.code}`) }),
        make("span", { class: "visually-hidden", text: step.done ? text("done") : text("not_yet") }),
        step.at ? make("span", { class: "muted", title: utc(step.at), text: time(step.at) }) : null);
    }));
  }

  #failure(run) {
    const { message, line, traceback } = run.diagnosis ?? {};
    setText(this.find("reason"), run.reason_text || text(`state_${run.state}`));
    setText(this.find("diagnosis"), plain(message ?? ""));
    setHidden(this.find("diagnosis"), !message);
    const fold = this.find("traceback");
    setText(fold.querySelector("pre"), plain(traceback ?? ""));
    setHidden(fold, !traceback);
    const edit = this.find("edit");
    if (edit && line) {
      edit.href = `${edit.dataset.edit}?version=${run.version}&line=${line}`;
      setText(edit.querySelector("[data-label]"), text("edit_line", { line }));
    }
  }

  #report(run) {
    const verdict = run.verdict || "none";
    const key = verdict === "none" ? `state-${run.state}` : `verdict-${verdict}`;
    const mark = this.find("report-icon");
    mark.className = `report-icon ${key}`;
    mark.replaceChildren(icon(key));
    setText(this.find("report-title"), text(`report_${verdict}`, { state: text(`state_${run.state}`) }));
    setText(this.find("report-text"), reasonSentence(run));
    const reasons = (run.verdict_reasons ?? []).map(reasonText);
    const list = this.find("report-reasons");
    list.replaceChildren(...reasons.map((reason) => make("li", { text: reason })));
    setHidden(list, reasons.length === 0);
    const message = plain(run.diagnosis?.message ?? "");
    setText(this.find("report-diagnosis"), message);
    setHidden(this.find("report-diagnosis"), !message);
    this.#check(run);
    this.find("report-files").replaceChildren(...headlineFiles(run, this.root.dataset).map((file) => fileLink(file, "btn btn-sm")),
      make("a", { class: "btn btn-sm", href: "#files", text: text("all_files") }));
  }

  #check(run) {
    const line = this.find("report-check");
    const sentence = checkSentence(run.reconciliation);
    setHidden(line, !sentence);
    if (sentence) line.replaceChildren(icon(checkIcon(run.reconciliation)), sentence);
  }
}

/** Why it ended, with the name of who ended it: "demo stopped it." */
function reasonSentence({ reason, reason_text: sentence, stopped_by: by }) {
  if (!by) return sentence ?? "";
  const name = actorName(by);
  return hasText(`by_${reason}`) ? text(`by_${reason}`, { name }) : `${sentence} ${text("by", { name })}`;
}

const isFinal = ({ source }) => source === "final";

function checkIcon(reconciliation) {
  if (reconciliation.difference !== 0) return "warning";
  return isFinal(reconciliation) ? "check" : "info";
}

/** Whether what was collected is what Locust counted, as a sentence; "" before that is known. */
export function checkSentence(reconciliation) {
  if (!reconciliation || reconciliation.collected === undefined) return "";
  const { collected, locust, difference } = reconciliation;
  if (locust === null || locust === undefined) return text("check_unknown", { collected: count(collected) });
  if (!difference) return text(isFinal(reconciliation) ? "check_equal" : "check_last", { count: count(collected) });
  return text("check_differs", { collected: count(collected), locust: count(locust), difference: count(Math.abs(difference)) });
}

function reasonText(reason) {
  if (typeof reason === "object") return reason.text ?? reason.code;
  return hasText(`reason_${reason}`) ? text(`reason_${reason}`) : reason;
}


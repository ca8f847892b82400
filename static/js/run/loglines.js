/** Levels and words in Locust's log, by the rules of `apps/runs/loglines.py`. Pure. */

import { plain } from "./format.js";

export const LEVELS = ["debug", "info", "warning", "error", "critical"];
/** Lines of a log that a page holds; the server looks through all that is kept. */
export const MAX_LINES = 2_000;
const HEAD = /^\[[^\]\n]{1,40}\] [^/\s]{1,255}\/(DEBUG|INFO|WARNING|ERROR|CRITICAL)\//;
const TRACEBACK = "Traceback (most recent call last):";
const HEAD_CHARS = 400;

/**
 * Put lines behind those of a log, from which the oldest leave; `from` counts those that have.
 * @param {{seq: number, from: number, lines: string[]}} log
 */
export function grow(log, seq, lines) {
  log.seq = seq;
  log.lines.push(...lines);
  const surplus = log.lines.length - MAX_LINES;
  if (surplus <= 0) return;
  log.lines.splice(0, surplus);
  log.from += surplus;
}

/** Place in LEVELS; 0 for no level. */
export const rankOf = (level) => Math.max(0, LEVELS.indexOf(level));

/** Gives each line its rank; what has no head goes on with what the line before began. */
export class Ranker {
  constructor() {
    this.rank = rankOf("info");
  }

  /** @returns {{text: string, rank: number}} the line without codes for a terminal */
  next(line) {
    const text = plain(line);
    const head = HEAD.exec(text.slice(0, HEAD_CHARS));
    if (head) this.rank = rankOf(head[1].toLowerCase());
    else if (text.startsWith(TRACEBACK)) this.rank = Math.max(this.rank, rankOf("error"));
    return { text, rank: this.rank };
  }
}

/**
 * A line in pieces, those that were looked for marked. Nothing of what was typed is a pattern.
 * @returns {{text: string, isFound: boolean}[]}
 */
export function pieces(text, wanted) {
  if (!wanted) return [{ text, isFound: false }];
  const lower = text.toLowerCase();
  const sought = wanted.toLowerCase();
  if (lower.length !== text.length) return [{ text, isFound: false }]; // some letters are two when small: places would shift
  const found = [];
  let from = 0;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, from)) {
    if (at > from) found.push({ text: text.slice(from, at), isFound: false });
    from = at + sought.length;
    found.push({ text: text.slice(at, from), isFound: true });
  }
  if (from < text.length || !found.length) found.push({ text: text.slice(from), isFound: false });
  return found;
}

export const holds = (text, wanted) => !wanted || text.toLowerCase().includes(wanted.toLowerCase());

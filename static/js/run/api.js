/** The run's REST resources. Errors carry the server's own sentence. */

import { HEALTH, METRICS } from "./series.js";

const COLUMNS = METRICS.join(",");
/** What a run alone has, not each endpoint; open files are told live only. */
const COLUMNS_OF_RUN = [...METRICS, "users", ...HEALTH.filter((name) => name !== "open_files")].join(",");
const MAX_PAGES = 40;
const RETRY_MS = [1_000, 3_000]; // a question may be asked again, while the portal starts anew or a train is in a tunnel
const PASSING = new Set([502, 503, 504]);

export class ApiError extends Error {
  /** @param {Record<string, string[]>} fields the server's sentences about single fields */
  constructor(message, status, fields = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
  }
}

export class Api {
  /** @param {string} base `/api/v1/runs/<id>/` */
  constructor(base) {
    this.base = base;
  }

  async get(path = "", params = {}) {
    const url = new URL(path, new URL(this.base, location.href));
    for (const [name, value] of Object.entries(params)) {
      for (const one of [value].flat()) if (one !== undefined) url.searchParams.append(name, String(one));
    }
    return this.#ask(url);
  }

  post(path, body = {}, headers = {}) {
    return this.#write("POST", path, body, headers);
  }

  patch(path, body) {
    return this.#write("PATCH", path, body, {});
  }

  #write(method, path, body, headers) {
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? cookie("csrftoken");
    return this.#send(new URL(path, new URL(this.base, location.href)), {
      method,
      headers: { "Content-Type": "application/json", "X-CSRFToken": token, ...headers },
      body: JSON.stringify(body),
    });
  }

  /** Rows of a list, whether it comes in pages or whole. */
  async rows(path) {
    const found = [];
    let answer = await this.get(path);
    for (let page = 0; page < MAX_PAGES; page += 1) {
      if (Array.isArray(answer)) return answer;
      found.push(...(answer.results ?? []));
      if (!answer.next) break;
      const { pathname, search } = new URL(answer.next, location.href); // the portal may know itself by another name
      answer = await this.#ask(new URL(pathname + search, location.href));
    }
    return found;
  }

  /**
   * @param {(number|null)[]} endpoints null is the total, the only one to have users and the generator's health
   * @param {{from?: number, to?: number, points?: number, metrics?: string, band?: boolean}} [options]
   *        `band`: with the lowest and highest second under each point
   */
  async series(endpoints, { metrics, band, points = 600, ...window } = {}) {
    const ask = (some, columns) => this.get("series/", {
      endpoint: some.map(String), metrics: metrics ?? columns, ...window, points, band: band ? 1 : undefined,
    });
    const single = endpoints.filter((key) => key !== null);
    if (single.length === endpoints.length) return ask(single, COLUMNS);
    const [whole, others] = await Promise.all([ask([null], COLUMNS_OF_RUN), single.length ? ask(single, COLUMNS) : null]);
    return others ? withOthers(whole, others) : whole;
  }

  async #ask(url) {
    for (const ms of RETRY_MS) {
      try {
        return await this.#send(url, {});
      } catch (error) {
        if (error instanceof ApiError && !PASSING.has(error.status)) throw error;
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    }
    return this.#send(url, {});
  }

  async #send(url, options) {
    const response = await fetch(url, {
      credentials: "same-origin",
      ...options,
      headers: { Accept: "application/json", ...options.headers },
    });
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new ApiError(body.message || `${response.status} ${response.statusText}`, response.status, body.fields);
    return body;
  }
}

/** Two answers about the same window as one. A second that came in between the two is in one only: it is left out. */
function withOthers(whole, others) {
  const points = Math.min(whole.t.length, others.t.length);
  const cut = (one) => Object.fromEntries(Object.entries(one).map(([name, value]) => [name, Array.isArray(value) ? value.slice(0, points) : value]));
  return { ...whole, t: whole.t.slice(0, points), series: [...whole.series, ...others.series].map(cut) };
}

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

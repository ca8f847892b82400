/** The run's REST resources. Errors carry the server's own sentence. */

import { METRICS } from "./series.js";

const COLUMNS = [...METRICS, "users"].join(",");
const MAX_PAGES = 40;

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
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
    return this.#send(url, {});
  }

  post(path, body = {}, headers = {}) {
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? cookie("csrftoken");
    return this.#send(new URL(path, new URL(this.base, location.href)), {
      method: "POST",
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
      answer = await this.#send(new URL(pathname + search, location.href), {});
    }
    return found;
  }

  /** @param {(number|null)[]} endpoints null is the total */
  series(endpoints, { from, to, points = 600, metrics = COLUMNS } = {}) {
    return this.get("series/", { endpoint: endpoints.map(String), metrics, from, to, points });
  }

  async #send(url, options) {
    const response = await fetch(url, {
      credentials: "same-origin",
      ...options,
      headers: { Accept: "application/json", ...options.headers },
    });
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new ApiError(body.message || `${response.status} ${response.statusText}`, response.status);
    return body;
  }
}

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

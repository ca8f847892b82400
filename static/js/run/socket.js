/**
 * The live line to the server: a WebSocket that notices gaps and silence and comes back by itself.
 *
 * Ticks carry a sequence number. A missing one, a reconnect or silence asks for a fresh snapshot (`resync`), and ticks
 * are held back until it comes: the page never draws numbers with a hole in them. After three failed attempts
 * `onStatus("blocked")` tells the page to poll; the socket is tried again in the background.
 */

export const SILENCE_MS = 5_000;
const [CONNECTING, OPEN] = [0, 1];
const CHECK_MS = 1_000;
const FAILURES_UNTIL_BLOCKED = 3;
const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000];
export const CLOSED_FORBIDDEN = 4403;
export const CLOSED_MISSING = 4404;

export class Live {
  /**
   * @param {{url: string, isActive: () => boolean, onMessage: (message: object) => void,
   *          onStatus: (status: "connecting"|"live"|"lost"|"blocked"|"forbidden"|"missing") => void,
   *          connect?: (url: string) => WebSocket, now?: () => number,
   *          later?: (run: () => void, ms: number) => number}} options
   */
  constructor({ url, isActive, onMessage, onStatus, connect, now, later }) {
    this.url = url;
    this.isActive = isActive;
    this.onMessage = onMessage;
    this.onStatus = onStatus;
    this.connect = connect ?? ((address) => new WebSocket(address));
    this.now = now ?? (() => performance.now());
    this.later = later ?? ((run, ms) => setTimeout(run, ms));
    this.seq = null; // null: waiting for a snapshot
    this.failures = 0;
    this.heardAt = 0;
    this.askedAt = null;
    this.isEnded = false;
    this.socket = null;
  }

  start() {
    this.#open();
    this.#watch();
  }

  stop() {
    this.isEnded = true;
    this.socket?.close();
  }

  /** Try at once, for example when the browser says it is online again. */
  hurry() {
    if (this.socket || this.isEnded) return;
    this.#open();
  }

  /** Look at the silence; called every second. */
  check() {
    if (!this.socket || !this.isActive()) return;
    const quiet = this.now() - this.heardAt;
    if (quiet < SILENCE_MS) return;
    if (this.socket.readyState === CONNECTING && quiet >= 2 * SILENCE_MS) this.socket.close();
    if (this.socket?.readyState !== OPEN) return;
    if (this.askedAt === null) this.#resync();
    else if (this.now() - this.askedAt >= SILENCE_MS) this.socket.close();
  }

  #watch() {
    this.later(() => {
      if (this.isEnded) return;
      this.check();
      this.#watch();
    }, CHECK_MS);
  }

  #open() {
    if (this.isEnded || this.socket) return;
    this.seq = null;
    this.askedAt = null;
    if (this.failures < FAILURES_UNTIL_BLOCKED) this.onStatus(this.failures ? "lost" : "connecting");
    let socket;
    try {
      socket = this.connect(this.url);
    } catch {
      this.#closed(0);
      return;
    }
    this.socket = socket;
    this.heardAt = this.now();
    socket.onmessage = (event) => {
      if (socket === this.socket) this.#heard(JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.#closed(event.code);
    };
  }

  #heard(message) {
    this.heardAt = this.now();
    if (message.type === "snapshot") {
      this.seq = message.seq;
      this.askedAt = null;
      this.failures = 0;
      this.onMessage(message);
      this.onStatus("live");
      return;
    }
    if (this.seq === null) return; // the snapshot that is on its way contains it
    if (message.type === "tick") {
      if (message.seq <= this.seq) return;
      if (message.seq !== this.seq + 1) {
        this.#resync();
        return;
      }
      this.seq = message.seq;
    }
    this.askedAt = null;
    this.onMessage(message);
  }

  #resync() {
    this.seq = null;
    this.askedAt = this.now();
    this.socket.send(JSON.stringify({ type: "resync" }));
  }

  #closed(code) {
    this.socket = null;
    if (this.isEnded) return;
    if (code === CLOSED_FORBIDDEN || code === CLOSED_MISSING) {
      this.isEnded = true;
      this.onStatus(code === CLOSED_FORBIDDEN ? "forbidden" : "missing");
      return;
    }
    const wait = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)];
    this.failures += 1;
    this.onStatus(this.failures >= FAILURES_UNTIL_BLOCKED ? "blocked" : "lost");
    this.later(() => this.#open(), wait);
  }
}

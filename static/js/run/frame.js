/** Collects what changed and draws it in the next frame, once, however many messages came in between. */

export class Frame {
  /** @param {(has: (...topics: string[]) => boolean, topics: string[]) => void} draw */
  constructor(draw, request = (run) => requestAnimationFrame(run)) {
    this.draw = draw;
    this.request = request;
    this.dirty = new Set();
    this.isDue = false;
  }

  /** @param {string[]} topics */
  mark(topics) {
    for (const topic of topics) this.dirty.add(topic);
    if (this.isDue || this.dirty.size === 0) return;
    this.isDue = true;
    this.request(() => {
      const topics = this.dirty;
      this.dirty = new Set();
      this.isDue = false;
      this.draw((...names) => names.some((name) => topics.has(name)), [...topics]);
    });
  }
}

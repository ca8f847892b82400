/** A run with too many request names: why, the rule that would help, and the switch for it in the scenario. */

import { setHidden, setText } from "./dom.js";
import { proposalOf } from "./events.js";
import { count } from "./format.js";
import { text } from "./text.js";

export class Grouping {
  /**
   * @param {HTMLElement} root
   * @param {{api: import("./api.js").Api}} options
   */
  constructor(root, { api }) {
    this.api = api;
    this.box = root.querySelector("[data-grouping]");
    this.scenario = root.dataset.scenario;
    this.isOn = this.box.dataset.grouping === "on"; // in the scenario, for the next run
    this.button = this.box.querySelector("[data-group]");
    this.button?.addEventListener("click", () => this.#switchOn());
  }

  /** @param {import("./store.js").Store} store */
  render({ run, events }) {
    const proposal = proposalOf(events);
    setHidden(this.box, !proposal);
    if (!proposal) return;
    this.proposal = proposal;
    const rule = this.box.querySelector("[data-rule]");
    setHidden(rule, !proposal.from);
    setText(this.box.querySelector("[data-rule-from]"), proposal.from);
    setText(this.box.querySelector("[data-rule-to]"), proposal.to);
    setText(this.box.querySelector("[data-rule-names]"), proposal.names === null ? "" : text("rule_names", { names: count(proposal.names) }));
    setText(this.box.querySelector("[data-group-state]"), this.#state(run));
    setHidden(this.button, this.isOn || run.group_ids);
  }

  #state(run) {
    if (run.group_ids) return text("grouped_already");
    if (this.isOn) return text("grouped_next");
    return this.button ? "" : text("grouped_ask");
  }

  async #switchOn() {
    this.button.disabled = true;
    const state = this.box.querySelector("[data-group-state]");
    try {
      const scenario = await this.api.patch(`../../scenarios/${this.scenario}/`, { group_ids: true });
      this.isOn = scenario.group_ids;
      setText(state, text("grouped_next"));
      setHidden(this.button, this.isOn);
    } catch (error) {
      setText(state, error.message);
    } finally {
      this.button.disabled = false;
    }
  }
}

// The calls that go on now: one card each, and the conversation of the one that is chosen.

import { watch } from "./api.js";
import { announce, h, replace } from "./dom.js";
import { FlowPicture } from "./picture.js";
import { ENDERS, STATES, clock, grouped, milliseconds, percent } from "./parts.js";
import { Talk } from "./talk.js";

const LINGER_MS = 15_000; // a call that ended stays in sight for so long
const SILENT_DBFS = -60;

export function showLive(main) {
  const live = new Live();
  replace(main, live.element);
  return () => live.leave();
}

class Live {
  #calls = new Map();
  #chosen = null;
  #stop;
  #timer;

  constructor() {
    this.list = h("ul.live-list", { "aria-label": "Calls on the line" });
    this.count = h("span.count", "0");
    this.state = h("span.hint", { role: "status" }, "");
    this.detail = h("div.live-detail");
    this.element = h(
      "div",
      h("div.head", h("h1", "Live calls ", this.count), this.state),
      h(
        "div.live",
        h("div", this.list, h("p.empty.card", "Nobody is on the line. ", h("a", { href: "/console/phone" }, "Call from the browser"), ".")),
        this.detail,
      ),
    );
    this.#stop = watch(null, (event) => this.#take(event), (state) => this.#line(state));
    this.#timer = setInterval(() => this.#tick(), 500);
  }

  leave() {
    this.#stop();
    clearInterval(this.#timer);
  }

  #line(state) {
    this.state.textContent = state === "open" ? "" : "The server does not answer; trying again";
    if (state !== "open") return;
    // The server tells again what it remembers of every call.
    for (const call of this.#calls.values()) call.element.remove();
    this.#calls.clear();
    this.#choose(null);
  }

  #take(event) {
    if (event.kind === "started") this.#add(event);
    const call = this.#calls.get(event.call_id);
    if (!call) return;
    call.take(event);
    if (event.kind === "ended") {
      announce(`Call to ${call.flow} ended`);
      setTimeout(() => this.#remove(call), LINGER_MS);
    }
    this.#counted();
  }

  #add(event) {
    if (this.#calls.has(event.call_id)) return;
    const call = new LiveCall(event, () => this.#choose(call));
    this.#calls.set(event.call_id, call);
    this.list.prepend(call.element);
    announce(`Call to ${call.flow} began`);
    if (!this.#chosen) this.#choose(call);
  }

  #remove(call) {
    if (this.#chosen === call || this.#calls.get(call.id) !== call) return;
    this.#calls.delete(call.id);
    call.element.remove();
  }

  #choose(call) {
    const before = this.#chosen;
    before?.button.setAttribute("aria-pressed", "false");
    this.#chosen = call;
    if (before?.over && before !== call) this.#remove(before);
    call?.button.setAttribute("aria-pressed", "true");
    replace(this.detail, call ? call.panel() : []);
  }

  #counted() {
    this.count.textContent = String([...this.#calls.values()].filter(({ over }) => !over).length);
  }

  #tick() {
    for (const call of this.#calls.values()) call.tick();
    this.#counted();
  }
}

class LiveCall {
  constructor({ call_id: id, record_id: recordId, flow, caller, started_at: started }, onChoose) {
    this.id = id;
    this.recordId = recordId;
    this.flow = flow;
    this.over = false;
    this.began = Date.parse(started);
    this.talk = new Talk();
    this.picture = null;
    this.step = null;
    const fact = (name) => h("dd", { "data-fact": name }, "–");
    this.time = h("span.mono", clock((Date.now() - this.began) / 1000));
    this.facts = { step: fact("step"), state: fact("state"), heard: fact("heard"), sure: fact("sure"), latency: fact("latency") };
    this.fill = h("span.meter-fill");
    this.button = h(
      "button.live-call",
      { type: "button", "aria-pressed": "false", onclick: onChoose },
      h("span.live-who", h("span.dot", { "aria-hidden": "true" }), h("strong", caller ?? "unknown caller"), h("span.hint", ` to ${flow}`), this.time),
      h("span.meter-track", { "aria-hidden": "true" }, this.fill),
    );
    this.list = h(
      "dl.facts",
      ...[["Step", "step"], ["Server", "state"], ["Heard", "heard"], ["Sure", "sure"], ["Latency", "latency"]].map(([name, key]) =>
        h("div", h("dt", name), this.facts[key]),
      ),
    );
    this.element = h("li.card", this.button, this.list);
  }

  take(event) {
    this.talk.take(event);
    this[`on_${event.kind}`]?.(event);
  }

  on_level({ dbfs }) {
    this.fill.style.transform = `scaleX(${Math.max(0, Math.min(1, 1 - dbfs / SILENT_DBFS)).toFixed(2)})`;
  }

  on_state({ state, step }) {
    this.#set("state", STATES[state] ?? state);
    this.#at(step);
  }

  on_heard({ words, confidence }) {
    if (words) this.#set("heard", words);
    if (words) this.#set("sure", percent(confidence));
  }

  on_turn({ turn: { collected } }) {
    if (!collected) return;
    if (collected.value !== null) this.#set("heard", grouped(collected.value));
    if (collected.mode !== null) this.#set("sure", percent(collected.confidence));
    if (collected.latency_ms !== null) this.#set("latency", milliseconds(collected.latency_ms));
  }

  on_ended({ ending, outcome, duration_ms: duration }) {
    this.over = true;
    this.element.classList.add("over");
    this.fill.style.transform = "scaleX(0)";
    this.time.textContent = clock((duration ?? 0) / 1000);
    this.#set("state", `${outcome}, ${ENDERS[ending?.by] ?? "over"}`);
    this.#at(null);
  }

  tick() {
    if (!this.over) this.time.textContent = clock((Date.now() - this.began) / 1000);
  }

  panel() {
    this.picture = new FlowPicture(this.flow);
    this.picture.mark(this.step);
    return [
      h("section.card.talk-card", { "aria-label": "The call that is chosen" },
        h("div.talk-head", h("h2", "Conversation"), h("a", { href: `/console/calls/${this.recordId}` }, "Open its record")),
        this.talk.element,
      ),
      h("section.card", { "aria-label": "Its flow" }, h("h2", `Flow ${this.flow}`), this.picture.element),
    ];
  }

  #at(step) {
    this.step = step;
    this.#set("step", step ?? "–");
    this.picture?.mark(step);
  }

  #set(name, text) {
    this.facts[name].textContent = text;
  }
}

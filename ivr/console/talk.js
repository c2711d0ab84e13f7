// A conversation as it grows: what the agent said, what was heard, what became of it.

import { h } from "./dom.js";
import { CAUSES, ENDERS, grouped, milliseconds, percent } from "./parts.js";

export class Talk {
  #said = [];
  #open = null; // the caller's line that is not decided yet
  #keys = "";

  constructor() {
    this.element = h("div.talk", { role: "log", "aria-label": "Conversation", tabindex: "0" });
  }

  take(event) {
    const step = this[`on_${event.kind}`];
    if (!step) return;
    const atEnd = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 60;
    step.call(this, event);
    if (atEnd) this.element.scrollTop = this.element.scrollHeight;
  }

  on_said({ texts }) {
    this.#open = null;
    this.#keys = "";
    this.#said = texts.map((text) => h("div.agent", h("span.who", "Agent"), h("p", text)));
    this.element.append(...this.#said);
  }

  on_cleared() {
    const last = this.#said.at(-1);
    if (last && !last.querySelector(".note")) last.append(h("span.note", "interrupted by the caller"));
  }

  on_heard({ words, confidence }) {
    if (!words) return;
    this.#draft(words, `${percent(confidence)} sure so far`);
  }

  on_key({ key }) {
    this.#keys += key;
    this.#draft(this.#keys, "keys");
  }

  on_turn({ turn }) {
    const { collected } = turn;
    if (!collected || collected.cause === "hangup") return;
    const line = this.#open ?? this.#add();
    this.#open = null;
    this.#keys = "";
    line.classList.remove("draft");
    line.classList.toggle("failed", collected.cause !== "success");
    const silent = collected.cause === "no-input-timeout";
    const text = collected.value !== null ? grouped(collected.value) : collected.words || "(silence)";
    line.replaceChildren(
      h("span.who", "Caller"),
      h("p", { class: collected.value !== null ? "value" : null }, silent ? "(silence)" : text),
      h("span.note", facts(collected).join(" · ")),
    );
  }

  on_ended({ ending, outcome }) {
    this.#open?.remove();
    const by = ENDERS[ending?.by] ?? "the call is over";
    this.element.append(h("div.event", `Outcome: ${outcome} · ${by}`));
  }

  #draft(text, note) {
    this.#open ??= this.#add();
    this.#open.classList.add("draft");
    this.#open.replaceChildren(h("span.who", "Caller"), h("p", text), h("span.note", note));
  }

  #add() {
    const line = h("div.caller");
    this.element.append(line);
    return line;
  }
}

function facts(collected) {
  const told = [];
  if (collected.cause !== "success") told.push(CAUSES[collected.cause] ?? collected.cause);
  const spoken = collected.mode === "speech" || collected.mode === "both";
  if (spoken && collected.value !== null && /[a-z]/.test(collected.words)) told.push(`“${collected.words}”`);
  if (collected.mode === "dtmf") told.push("by keys");
  if (spoken) told.push(`${percent(collected.confidence)} sure`);
  if (collected.latency_ms !== null) told.push(milliseconds(collected.latency_ms));
  return told;
}

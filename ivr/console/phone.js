// The browser phone: a call to a flow from this page, with microphone, keypad and transcript.

import { get, post, watch } from "./api.js";
import { announce, h, replace } from "./dom.js";
import { STATES, clock, errorNotice, loudness, meter } from "./parts.js";
import { Handset, HandsetError } from "./phone/handset.js";
import { Line } from "./phone/line.js";
import { Talk } from "./talk.js";

const KEYS = [
  ["1", ""], ["2", "ABC"], ["3", "DEF"], ["4", "GHI"], ["5", "JKL"], ["6", "MNO"],
  ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"], ["*", ""], ["0", ""], ["#", ""],
];
const SPOKEN = { "*": "star", "#": "hash" };

export async function showPhone(main) {
  const { flows } = await get("flows");
  const phone = new Phone(flows);
  replace(main, phone.element);
  return () => phone.leave();
}

class Phone {
  #handset = null;
  #line = null;
  #unwatch = null;
  #timer = 0;
  #began = 0;
  #muted = false;

  constructor(flows) {
    this.flow = h(
      "select",
      { id: "flow" },
      flows.map(({ name, default: first }) => h("option", { value: name, selected: first }, name)),
    );
    this.status = h("p.phone-status", { role: "status" }, "Ready to call");
    this.time = h("span.phone-time", { "aria-hidden": "true" }, "");
    this.you = meter("You");
    this.agent = meter("Agent");
    this.problem = h("div.phone-problem");
    this.step = h("dd", "–");
    this.state = h("dd", "–");
    this.keys = h("div.keypad", { role: "group", "aria-label": "Keypad" }, KEYS.map((key) => this.#key(key)));
    this.call = h("button.call", { type: "button", onclick: () => this.#start() }, "Call");
    this.hangUp = h("button.hangup", { type: "button", onclick: () => this.#hangUp(), hidden: true }, "Hang up");
    this.mute = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.#toggleMute(), disabled: true }, "Mute");
    this.talk = h("section.phone-talk.card", { "aria-labelledby": "talk-name" });
    this.#newTalk();
    this.element = h(
      "div.phone",
      h("div.phone-head", h("h1", "Phone"), h("label", { for: "flow" }, "Flow to call"), this.flow, h("div.phone-line", this.status, this.time)),
      this.talk,
      h("div.phone-meters", this.you.element, this.agent.element),
      this.keys,
      h("div.phone-controls", this.call, this.hangUp, this.mute),
      this.problem,
      h("p.hint.phone-hint", "Say your answers, or use the keypad: 0 to 9, * and # work on the keyboard too, M mutes. Use headphones if the agent interrupts itself."),
    );
    this.onKeyDown = (event) => this.#type(event);
    document.addEventListener("keydown", this.onKeyDown);
  }

  leave() {
    document.removeEventListener("keydown", this.onKeyDown);
    this.#line?.hangUp();
    this.#over();
  }

  async #start({ microphone = true } = {}) {
    replace(this.problem);
    this.call.disabled = true;
    this.#newTalk();
    this.#say(microphone ? "Waiting for the microphone" : "Calling");
    try {
      this.#handset = new Handset();
      await this.#handset.open({ microphone });
      this.#say("Calling");
      this.#connect(await post("phone", { flow: this.flow.value }));
    } catch (error) {
      this.#fail(error);
    }
  }

  #connect(call) {
    const talk = this.talkList;
    const handset = this.#handset;
    const line = (this.#line = new Line(call));
    // The page follows the call as any watcher does: what it shows is what the server thinks.
    this.#unwatch = watch(call.call_id, (event) => this.#follow(event, talk));
    line.addEventListener("open", () => this.#answered());
    line.addEventListener("audio", ({ detail }) => handset.play(detail));
    line.addEventListener("mark", ({ detail }) => handset.mark(detail));
    line.addEventListener("clear", () => handset.clear());
    line.addEventListener("closed", ({ detail }) => this.#closed(detail));
    handset.addEventListener("frame", ({ detail }) => {
      line.send(detail.frame);
      this.you.set(loudness(detail.power));
    });
    handset.addEventListener("mark", ({ detail }) => line.answerMark(detail));
    handset.addEventListener("level", ({ detail }) => this.agent.set(loudness(detail)));
    handset.addEventListener("unplugged", () =>
      this.#warn(new HandsetError("The microphone is gone", "The call goes on with the keys.")),
    );
  }

  #answered() {
    this.element.classList.add("calling");
    this.call.hidden = true;
    this.hangUp.hidden = false;
    this.hangUp.focus();
    this.mute.disabled = false;
    this.flow.disabled = true;
    this.#began = performance.now();
    this.#timer = setInterval(() => this.#tick(), 250);
    this.#say("Connected");
  }

  #follow(event, talk) {
    talk.take(event);
    if (event.kind === "state") {
      this.state.textContent = STATES[event.state] ?? event.state;
      this.step.textContent = event.step ?? "–";
    }
    // The last event: where the socket closes first, there may be more to come until then.
    if (event.kind === "ended") this.#unwatch?.();
  }

  #closed({ code, reason }) {
    const refused = code !== 1000 && code !== 1005;
    this.#say(refused ? "The call was cut off" : "Call ended");
    if (refused) {
      this.#warn(new HandsetError("The call was cut off", `The server's reason: ${reason || `code ${code}`}.`));
    }
    this.#over();
  }

  #hangUp() {
    this.#line?.hangUp();
  }

  #fail(error) {
    this.#warn(error);
    this.#say("Not connected");
    this.#over();
  }

  #warn(error) {
    const again = () => this.#start({ microphone: false });
    const button = error.keysOnly
      ? h("button", { type: "button", onclick: again }, "Call with the keys only")
      : null;
    replace(this.problem, errorNotice(error), button);
  }

  #over() {
    clearInterval(this.#timer);
    this.#handset?.close();
    this.#handset = this.#line = null;
    const wasFocused = document.activeElement === this.hangUp;
    this.element.classList.remove("calling");
    this.call.hidden = this.call.disabled = false;
    this.hangUp.hidden = true;
    if (wasFocused) this.call.focus();
    this.mute.disabled = true;
    this.#setMuted(false);
    this.flow.disabled = false;
    this.you.set(0);
    this.agent.set(0);
    this.state.textContent = this.step.textContent = "–";
  }

  #press(digit) {
    if (!this.#line?.isOpen) return;
    this.#line.press(digit);
    const button = this.keys.querySelector(`[data-key="${digit}"]`);
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 150);
  }

  #type(event) {
    const elsewhere = event.target.closest("input, select, textarea");
    if (elsewhere || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (/^[0-9*#]$/.test(event.key)) this.#press(event.key);
    else if (event.key.toLowerCase() === "m" && !this.mute.disabled) this.#toggleMute();
  }

  #toggleMute() {
    this.#setMuted(!this.#muted);
    announce(this.#muted ? "Muted" : "Not muted");
  }

  #setMuted(muted) {
    this.#muted = muted;
    if (this.#handset) this.#handset.muted = muted;
    this.mute.setAttribute("aria-pressed", String(muted));
    this.mute.textContent = muted ? "Muted" : "Mute";
  }

  #tick() {
    this.time.textContent = clock((performance.now() - this.#began) / 1000);
  }

  #say(text) {
    this.status.textContent = text;
  }

  #newTalk() {
    this.#unwatch?.();
    this.talkList = new Talk();
    replace(
      this.talk,
      h("div.talk-head", h("h2", { id: "talk-name" }, "Conversation"), h("dl.chips", h("dt", "Step"), this.step, h("dt", "The server is"), this.state)),
      this.talkList.element,
      h("p.empty", "What the agent says and what it hears will be written here."),
    );
  }

  #key([digit, letters]) {
    return h(
      "button.key",
      { type: "button", "data-key": digit, "aria-label": SPOKEN[digit] ?? digit, onclick: () => this.#press(digit) },
      h("span.key-digit", digit),
      h("span.key-letters", { "aria-hidden": "true" }, letters),
    );
  }
}

// A call along its time: when the agent spoke, when the caller did, each word, and what was decided.
// With a recording the sound is drawn under it. Positions are milliseconds of stream time.

import { h, replace, s } from "./dom.js";
import { clock } from "./parts.js";
import { RATE_HZ, peaks, spectrogram } from "./sound.js";

const TOP = 26; // the ruler
const LANE = 22;
const WAVE = 110;
const SPECTRUM = 96;
const ZOOM = { least: 15, most: 400, step: 1.6 }; // pixels a second
const SPANS = { agent: 0, caller: 1, words: 2 };
const WORDS = "zero one two three four five six seven eight nine".split(" ");

export class Timeline {
  onSeek = null;
  #sound = null;
  #cursor = null;
  #zoom;

  constructor(record) {
    this.record = record;
    this.lengthMs = lengthOf(record);
    // As much as a page is wide, where that is not too little for the words.
    this.#zoom = Math.max(36, Math.min(160, (1060 * 1000) / this.lengthMs));
    this.scroll = h("div.line-scroll", { tabindex: "0", role: "group", "aria-label": "Time line of the call; the times are in the table below" });
    this.zoomOut = h("button.quiet", { type: "button", "aria-label": "Shorter", onclick: () => this.#step(-1) }, "−");
    this.zoomIn = h("button.quiet", { type: "button", "aria-label": "Longer", onclick: () => this.#step(1) }, "+");
    const names = [["agent", "agent speaks"], ["caller", "caller speaks"], ["word", "word heard"], ["pause", "pause seen"], ["decided", "answer taken"]];
    this.element = h(
      "div",
      h("div.line-head", h("ul.legend", names.map(([kind, text]) => h("li", h(`span.swatch.line-${kind}`, { "aria-hidden": "true" }), text))), h("div.zoom", { role: "group", "aria-label": "Zoom" }, this.zoomOut, this.zoomIn)),
      this.scroll,
    );
    this.redraw = () => this.#draw();
    window.addEventListener("themechange", this.redraw);
    this.#draw();
  }

  leave() {
    window.removeEventListener("themechange", this.redraw);
  }

  addSound(sound) {
    this.#sound = sound;
    this.element.classList.add("heard");
    this.lengthMs = Math.max(this.lengthMs, (sound.caller.length / RATE_HZ) * 1000);
    this.#draw();
  }

  setCursor(ms) {
    const x = this.#x(ms);
    this.#cursor?.setAttribute("transform", `translate(${x} 0)`);
    const { scrollLeft, clientWidth } = this.scroll;
    if (x < scrollLeft || x > scrollLeft + clientWidth - 40) this.scroll.scrollLeft = x - 60;
  }

  #step(by) {
    this.#zoom = Math.max(ZOOM.least, Math.min(ZOOM.most, this.#zoom * ZOOM.step ** by));
    this.#draw();
  }

  #x(ms) {
    return (ms / 1000) * this.#zoom;
  }

  #draw() {
    const width = Math.ceil(this.#x(this.lengthMs)) + 30;
    const sound = this.#sound ? WAVE * (this.#sound.agent ? 2 : 1) + SPECTRUM : 0;
    const lanes = TOP + 4 * LANE + 8;
    const height = lanes + sound;
    this.zoomOut.disabled = this.#zoom <= ZOOM.least;
    this.zoomIn.disabled = this.#zoom >= ZOOM.most;
    const drawing = s("svg.line", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    drawing.append(...this.#ruler(width, height), ...this.#spans(), ...this.#decisions(height));
    this.#cursor = s("g.line-cursor", s("line", { x1: 0, x2: 0, y1: 0, y2: height }));
    drawing.append(this.#cursor);
    drawing.addEventListener("click", (event) => this.onSeek?.((event.offsetX / this.#zoom) * 1000));
    const canvas = this.#sound ? this.#paint(width, sound, lanes) : null;
    replace(this.scroll, h("div.line-stack", canvas, drawing));
  }

  #ruler(width, height) {
    const everyS = [1, 2, 5, 10, 30, 60].find((step) => step * this.#zoom >= 70) ?? 120;
    const marks = [];
    for (let at = 0; at * this.#zoom < width; at += everyS) {
      const x = at * this.#zoom;
      marks.push(s("line.line-grid", { x1: x, x2: x, y1: TOP - 6, y2: height }));
      marks.push(s("text.line-time", { x: x + 4, y: 14 }, clock(at)));
    }
    return marks;
  }

  #spans() {
    const made = [];
    for (const { kind, from, to, text } of spansOf(this.record.turns)) {
      const y = TOP + SPANS[kind] * LANE + 3;
      const x = this.#x(from);
      const width = Math.max(2, this.#x(to) - x);
      const box = s(`rect.line-${kind === "words" ? "word" : kind}`, { x, y, width, height: LANE - 6, rx: 3 });
      box.append(s("title", `${text} ${Math.round(from)} to ${Math.round(to)} ms`));
      made.push(box);
      if (kind === "words") {
        const digit = WORDS.indexOf(text);
        made.push(s("text.line-label", { x: x + width / 2, y: y + LANE + 8 }, digit < 0 ? text : String(digit)));
      }
    }
    return made;
  }

  #decisions(height) {
    const made = [];
    for (const turn of this.record.turns) {
      for (const [what, ms] of turn.endpointing ?? []) {
        const kind = what === "paused" ? "pause" : "end";
        if (what === "started" || what === "resumed") continue;
        const x = this.#x(ms);
        made.push(s(`line.line-${kind}`, { x1: x, x2: x, y1: TOP + LANE, y2: height }, s("title", `${what} at ${ms} ms`)));
      }
      if (!turn.collected || turn.decided_ms === null) continue;
      const x = this.#x(turn.decided_ms);
      made.push(s("line.line-decided", { x1: x, x2: x, y1: TOP - 4, y2: height }, s("title", `${turn.step} decided at ${turn.decided_ms} ms`)));
      made.push(s("path.line-decided", { d: `M${x - 5} ${TOP - 8}h10l-5 8z` }));
    }
    return made;
  }

  #paint(width, height, top) {
    const canvas = h("canvas.line-sound", { width, height, "aria-hidden": "true" });
    canvas.style.top = `${top}px`;
    const paper = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const perColumn = RATE_HZ / this.#zoom;
    const { caller, agent } = this.#sound;
    let y = 0;
    for (const [samples, colour] of [[caller, "--caller"], [agent, "--agent"]]) {
      if (!samples) continue;
      paintWave(paper, peaks(samples, width, perColumn), y, resolved(style, colour));
      y += WAVE;
    }
    paintSpectrum(paper, spectrogram(caller, width, perColumn), width, y, isDark());
    return canvas;
  }
}

function paintWave(paper, { low, high }, top, colour) {
  const middle = top + WAVE / 2;
  paper.fillStyle = colour;
  for (let x = 0; x < low.length; x += 1) {
    const up = Math.max(0.5, high[x] * (WAVE / 2 - 4));
    const down = Math.max(0.5, -low[x] * (WAVE / 2 - 4));
    paper.fillRect(x, middle - up, 1, up + down);
  }
}

function paintSpectrum(paper, { values, bins }, width, top, dark) {
  const image = paper.createImageData(width, SPECTRUM);
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < SPECTRUM; y += 1) {
      const bin = Math.floor(((SPECTRUM - 1 - y) / SPECTRUM) * bins);
      const part = Math.max(0, Math.min(1, (values[x * bins + bin] + 45) / 65));
      const shade = dark ? 20 + part * 225 : 250 - part * 225;
      const at = (y * width + x) * 4;
      image.data[at] = dark ? shade * 0.75 : shade * 0.92;
      image.data[at + 1] = dark ? shade * 0.92 : shade * 0.96;
      image.data[at + 2] = shade;
      image.data[at + 3] = 255;
    }
  }
  paper.putImageData(image, 0, top);
}

// A canvas knows no light-dark(): ask an element what a colour comes to.
function resolved(style, name) {
  const probe = h("span", { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour || style.color;
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function lengthOf({ duration_ms: duration, turns }) {
  const last = turns.reduce((latest, turn) => Math.max(latest, turn.decided_ms ?? 0), 0);
  return Math.max(duration ?? 0, last + 1000, 3000);
}

// When who spoke: the agent from the decision before to the end of its prompt, the caller as the
// endpointer has it, the words as the recogniser does.
function* spansOf(turns) {
  let from = 0;
  for (const turn of turns) {
    const started = turn.endpointing?.find(([what]) => what === "started")?.[1];
    const until = turn.prompt_end_ms ?? started ?? turn.decided_ms ?? from;
    if (turn.prompts.length && until > from) yield { kind: "agent", from, to: until, text: `${turn.step}: prompt` };
    yield* speechOf(turn);
    const words = (turn.collected?.words ?? "").split(/\s+/).filter(Boolean);
    for (const [i, [start, end]] of (turn.word_ms ?? []).entries()) yield { kind: "words", from: start, to: end, text: words[i] ?? "" };
    from = turn.decided_ms ?? from;
  }
}

function* speechOf({ endpointing = [], speech_end_ms: speechEnd }) {
  let began = null;
  for (const [what, ms] of endpointing) {
    if (what === "started" || what === "resumed") began ??= ms;
    if ((what === "paused" || what === "ended") && began !== null) {
      yield { kind: "caller", from: began, to: ms, text: "caller" };
      began = null;
    }
  }
  if (began !== null && speechEnd > began) yield { kind: "caller", from: began, to: speechEnd, text: "caller" };
}

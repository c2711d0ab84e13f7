// The loudspeaker's end: mu-law in, sound out, and a word for every mark when what was queued
// before it has really been played. A clear stops the sound and gives back the marks at once, as a
// telephone network does.

import { RATE_HZ, decode } from "./g711.js";
import { Resampler } from "./resampler.js";

const BLOCK = 64; // input samples made into output at a time: 8 ms
const FADE = 32; // input samples of a fade where the sound is cut: 4 ms
const LEVEL_EVERY = 0.05; // seconds

class Playback extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.resampler = new Resampler(RATE_HZ, sampleRate);
    // What the device adds before the sound is in the air.
    this.latency = Math.round((processorOptions.latency ?? 0) * sampleRate);
    this.queue = []; // {samples, from} or {mark}
    this.due = []; // {name, frame}: marks whose audio is on its way out
    this.ready = new Float32Array(0);
    this.fed = 0; // input samples so far, silence included
    this.played = 0; // output frames so far
    this.power = 0;
    this.powerFrames = 0;
    this.running = true;
    this.port.onmessage = ({ data }) => this.#take(data);
  }

  #take(message) {
    if (message.audio) this.queue.push({ samples: decode(message.audio), from: 0 });
    if (message.mark !== undefined) this.queue.push({ mark: message.mark });
    if (message.clear) this.#clear();
    if (message.stop) this.running = false;
  }

  #clear() {
    const marks = [...this.due.map(({ name }) => name)];
    for (const item of this.queue) if (item.mark !== undefined) marks.push(item.mark);
    const playing = this.queue.find((item) => item.samples);
    this.queue = [];
    this.due = [];
    if (playing && playing.from > 0) {
      const rest = playing.samples.slice(playing.from, playing.from + FADE);
      this.queue.push({ samples: rest.map((sample, i) => sample * (1 - i / FADE)), from: 0 });
    }
    for (const mark of marks) this.port.postMessage({ mark });
  }

  process(_inputs, [[output]]) {
    while (this.ready.length < output.length) this.#make();
    output.set(this.ready.subarray(0, output.length));
    this.ready = this.ready.slice(output.length);
    this.played += output.length;
    while (this.due.length && this.due[0].frame <= this.played) {
      this.port.postMessage({ mark: this.due.shift().name });
    }
    this.#measure(output);
    return this.running;
  }

  // Turn the next few input samples, or silence, into output.
  #make() {
    const block = new Float32Array(BLOCK);
    let filled = 0;
    while (filled < BLOCK && this.queue.length) {
      const item = this.queue[0];
      if (item.mark !== undefined) {
        const end = this.fed + filled + this.resampler.delay;
        const frame = Math.ceil((end * sampleRate) / RATE_HZ) + this.latency;
        this.due.push({ name: item.mark, frame });
        this.queue.shift();
        continue;
      }
      const count = Math.min(BLOCK - filled, item.samples.length - item.from);
      block.set(item.samples.subarray(item.from, item.from + count), filled);
      item.from += count;
      filled += count;
      if (item.from >= item.samples.length) this.queue.shift();
    }
    this.fed += BLOCK;
    const made = this.resampler.push(block);
    const ready = new Float32Array(this.ready.length + made.length);
    ready.set(this.ready);
    ready.set(made, this.ready.length);
    this.ready = ready;
  }

  #measure(output) {
    for (const sample of output) this.power += sample * sample;
    this.powerFrames += output.length;
    if (this.powerFrames < LEVEL_EVERY * sampleRate) return;
    this.port.postMessage({ power: this.power / this.powerFrames });
    this.power = 0;
    this.powerFrames = 0;
  }
}

registerProcessor("playback", Playback);

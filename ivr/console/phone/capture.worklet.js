// The microphone's end: what comes in at the device's rate leaves as mu-law frames of 20 ms.
// It runs on the audio thread, so the line keeps its pace whatever the page does. Without a
// microphone, or muted, it sends silence: the far end's clock is the audio itself.

import { FRAME, RATE_HZ, SILENCE, encode } from "./g711.js";
import { Resampler } from "./resampler.js";

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, RATE_HZ);
    this.waiting = new Float32Array(0);
    this.muted = false;
    this.running = true;
    this.port.onmessage = ({ data }) => {
      if ("muted" in data) this.muted = data.muted;
      if (data.stop) this.running = false;
    };
  }

  process([input]) {
    const block = mixed(input);
    const samples = this.resampler.push(block);
    const all = new Float32Array(this.waiting.length + samples.length);
    all.set(this.waiting);
    all.set(samples, this.waiting.length);
    let from = 0;
    for (; all.length - from >= FRAME; from += FRAME) this.#post(all.subarray(from, from + FRAME));
    this.waiting = all.slice(from);
    return this.running;
  }

  #post(samples) {
    const frame = this.muted ? new Uint8Array(FRAME).fill(SILENCE) : encode(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    this.port.postMessage({ frame, power: this.muted ? 0 : power }, [frame.buffer]);
  }
}

// All channels as one; silence where nothing is plugged in.
function mixed(channels) {
  const block = new Float32Array(channels[0]?.length ?? 128);
  for (const channel of channels) {
    for (let i = 0; i < block.length; i += 1) block[i] += channel[i] / channels.length;
  }
  return block;
}

registerProcessor("capture", Capture);

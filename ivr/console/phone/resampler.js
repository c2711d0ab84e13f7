// From one sampling rate to another, as a stream: what comes out does not depend on how the input
// was cut. A windowed sinc, so that nothing above half the lower rate is folded into the speech.

const ZEROS = 16; // zero crossings of the sinc on either side
const PASS = 0.94; // of the band that both rates can hold
const STEPS = 256; // of the kernel's table, for each input sample

export class Resampler {
  constructor(fromHz, toHz) {
    this.step = fromHz / toHz; // input samples for each output sample
    const cutoff = PASS * Math.min(1, toHz / fromHz);
    this.half = Math.ceil(ZEROS / cutoff);
    this.table = kernel(this.half, cutoff);
    // Position `at` is that of the next output in `history`; the kernel reaches `half` each way.
    this.history = new Float32Array(2 * this.half);
    this.at = this.half;
  }

  // How many input samples an output sample lags behind.
  get delay() {
    return this.half;
  }

  push(input) {
    const samples = new Float32Array(this.history.length + input.length);
    samples.set(this.history);
    samples.set(input, this.history.length);
    const last = samples.length - this.half;
    const output = new Float32Array(Math.max(0, Math.ceil((last - this.at) / this.step)));
    for (let i = 0; i < output.length; i += 1) {
      output[i] = this.#sample(samples, this.at);
      this.at += this.step;
    }
    const keep = Math.max(0, Math.floor(this.at) - this.half);
    this.history = samples.slice(keep);
    this.at -= keep;
    return output;
  }

  #sample(samples, at) {
    const first = Math.max(0, Math.ceil(at - this.half));
    const end = Math.min(samples.length - 1, Math.floor(at + this.half));
    let sum = 0;
    for (let k = first; k <= end; k += 1) {
      const place = Math.abs(k - at) * STEPS;
      const index = Math.floor(place);
      const part = place - index;
      sum += samples[k] * (this.table[index] * (1 - part) + this.table[index + 1] * part);
    }
    return sum;
  }
}

// One half of a sinc under a Blackman window, in steps of a fraction of a sample.
function kernel(half, cutoff) {
  const table = new Float32Array(half * STEPS + 2);
  for (let i = 0; i < half * STEPS; i += 1) {
    const distance = i / STEPS;
    const angle = Math.PI * cutoff * distance;
    const sinc = i === 0 ? 1 : Math.sin(angle) / angle;
    const turn = (Math.PI * distance) / half;
    const window = 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
    table[i] = cutoff * sinc * window;
  }
  return table;
}

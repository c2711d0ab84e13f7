// A recording's samples, and what can be seen in them.

import { ApiError } from "./api.js";

export const RATE_HZ = 8000;
const WINDOW = 256; // 32 ms: narrow enough in time for digits, in frequency for a voice's formants

// A recording as a file, for playing.
export async function fetchSound(url) {
  const response = await fetch(url);
  if (response.ok) return response.blob();
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(response.status, "The recording cannot be heard", problem.detail ?? "");
}

// Its samples: {caller, agent} as Float32Array; agent is null in a recording of one voice.
export async function decode(file) {
  const context = new OfflineAudioContext(1, 1, RATE_HZ);
  const buffer = await context.decodeAudioData(await file.arrayBuffer());
  const agent = buffer.numberOfChannels > 1 ? buffer.getChannelData(1) : null;
  return { caller: buffer.getChannelData(0), agent };
}

// Lowest and highest sample of each column.
export function peaks(samples, columns, perColumn) {
  const low = new Float32Array(columns);
  const high = new Float32Array(columns);
  for (let column = 0; column < columns; column += 1) {
    const end = Math.min(samples.length, Math.floor((column + 1) * perColumn));
    for (let i = Math.floor(column * perColumn); i < end; i += 1) {
      if (samples[i] < low[column]) low[column] = samples[i];
      if (samples[i] > high[column]) high[column] = samples[i];
    }
  }
  return { low, high };
}

// Power in dB: columns of WINDOW / 2 values, from 0 Hz to half the rate.
export function spectrogram(samples, columns, perColumn) {
  const half = WINDOW / 2;
  const result = new Float32Array(columns * half);
  const real = new Float32Array(WINDOW);
  const imaginary = new Float32Array(WINDOW);
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor((column + 0.5) * perColumn) - half;
    for (let i = 0; i < WINDOW; i += 1) {
      real[i] = (samples[from + i] ?? 0) * HANN[i];
      imaginary[i] = 0;
    }
    fft(real, imaginary);
    for (let bin = 0; bin < half; bin += 1) {
      const power = real[bin] ** 2 + imaginary[bin] ** 2;
      result[column * half + bin] = 10 * Math.log10(power + 1e-9);
    }
  }
  return { values: result, bins: half };
}

const HANN = Float32Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
const COS = Float32Array.from({ length: WINDOW / 2 }, (_, i) => Math.cos((-2 * Math.PI * i) / WINDOW));
const SIN = Float32Array.from({ length: WINDOW / 2 }, (_, i) => Math.sin((-2 * Math.PI * i) / WINDOW));

// In place, radix 2, after Cooley and Tukey (1965).
export function fft(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i += 1) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1;
    const step = n / size;
    for (let block = 0; block < n; block += size) {
      for (let k = 0; k < half; k += 1) {
        const [c, d] = [COS[k * step], SIN[k * step]];
        const [a, b] = [block + k, block + k + half];
        const re = real[b] * c - imaginary[b] * d;
        const im = real[b] * d + imaginary[b] * c;
        real[b] = real[a] - re;
        imaginary[b] = imaginary[a] - im;
        real[a] += re;
        imaginary[a] += im;
      }
    }
  }
}

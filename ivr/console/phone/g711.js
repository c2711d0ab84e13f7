// G.711 mu-law, the way that the telephone network carries speech: 8 bits a sample, 8 kHz.

export const RATE_HZ = 8000;
export const FRAME = 160; // bytes of 20 ms
export const SILENCE = 0xff;

const BIAS = 0x84;
const CLIP = 32635;

// One linear sample (16 bits) to mu-law, after ITU-T G.711.
export function encodeSample(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const exponent = 31 - Math.clz32(magnitude >> 7);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

function decodeSample(byte) {
  const value = ~byte & 0xff;
  const magnitude = (((value & 0x0f) << 3) + BIAS) << ((value >> 4) & 7);
  return value & 0x80 ? BIAS - magnitude : magnitude - BIAS;
}

const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => decodeSample(byte) / 32768);

// Samples in -1..1 to mu-law bytes.
export function encode(samples) {
  const bytes = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    bytes[i] = encodeSample(Math.round(Math.max(-1, Math.min(1, samples[i])) * 32767));
  }
  return bytes;
}

// Mu-law bytes to samples in -1..1.
export function decode(bytes) {
  const samples = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) samples[i] = LINEAR[bytes[i]];
  return samples;
}

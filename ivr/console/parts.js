// Small pieces that several views are made of, and how numbers and times are written.

import { h } from "./dom.js";

export function errorNotice(error) {
  const detail = error.detail ?? (error.status === undefined ? String(error.message) : "");
  const title = error.detail === undefined ? "Something went wrong" : error.message;
  return h("div.notice.bad", { role: "alert" }, h("strong", title), detail ? h("p", detail) : null);
}

export function percent(part) {
  return part === null || part === undefined ? "–" : `${Math.round(part * 100)} %`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

// 83 -> 1:23
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${String(whole % 60).padStart(2, "0")}`;
}

// A value as it is read: digits in groups of four.
export function grouped(value) {
  return /^[\d*]{5,}$/.test(value) ? value.replace(/(.{4})(?=.)/g, "$1 ") : value;
}

// -60..0 dBFS as 0..1 of a meter.
export function loudness(power) {
  const dbfs = 10 * Math.log10(power + 1e-9);
  return Math.max(0, Math.min(1, (dbfs + 60) / 60));
}

export function meter(name) {
  const fill = h("span.meter-fill");
  const element = h("div.meter", h("span.meter-name", name), h("span.meter-track", { "aria-hidden": "true" }, fill));
  return {
    element,
    set(part) {
      fill.style.transform = `scaleX(${part.toFixed(3)})`;
    },
  };
}

export const CAUSES = {
  success: "understood",
  "no-match": "not understood",
  "no-input-timeout": "nothing said",
  "too-much-speech-timeout": "spoke too long",
  error: "could not be heard",
  hangup: "hung up",
  repeat: "asked to repeat",
  help: "asked for help",
  operator: "asked for the operator",
  restart: "asked to start again",
};

export const STATES = {
  prompting: "speaking to the caller",
  waiting: "listening",
  speaking: "hearing the caller",
  pausing: "waiting in a pause",
  "looking-up": "looking something up",
  transferring: "handing the call over",
  recording: "taking a message",
  leaving: "saying the last words",
};

export const ENDERS = {
  caller: "the caller hung up",
  agent: "the flow was done",
  provider: "the line broke",
  server: "the server closed it",
};

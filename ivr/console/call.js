// One call's page: how it went, its time line with what the endpointer decided, its sound.

import { get, may } from "./api.js";
import { h, replace } from "./dom.js";
import { CAUSES, ENDERS, clock, errorNotice, grouped, milliseconds, percent } from "./parts.js";
import { decode, fetchSound } from "./sound.js";
import { Timeline } from "./timeline.js";

export async function showCall(main, [name]) {
  const record = await get(`calls/${encodeURIComponent(name)}`);
  const line = new Timeline(record);
  const player = h("div.player");
  const turns = record.turns.filter(({ collected, prompts }) => collected || prompts.length);
  replace(
    main,
    h("p.crumb", h("a", { href: "/console/calls" }, "All calls")),
    h("div.head", h("h1", `Call of ${new Date(record.started_at).toLocaleString()}`), h("span.badge.large", { "data-outcome": record.outcome }, record.outcome)),
    summary(record),
    h("section.card", { "aria-labelledby": "line-name" }, h("h2", { id: "line-name" }, "Time line"), line.element, player),
    h("section.card", { "aria-labelledby": "turns-name" }, h("h2", { id: "turns-name" }, "Dialogue"), h("ol.turns", turns.map(turnItem))),
    messages(record),
    h("details.card", h("summary", "All times, as a table"), timesTable(turns)),
  );
  const stop = await addSound(record, line, player);
  return () => {
    stop?.();
    line.leave();
  };
}

function summary(record) {
  const values = Object.entries(record.variables ?? {});
  const facts = [
    ["Flow", `${record.flow ?? "–"}${record.flow_version ? ` · ${record.flow_version.slice(0, 8)}` : ""}`],
    ["Length", record.duration_ms === null ? "–" : clock(record.duration_ms / 1000)],
    ["Ended by", record.ending ? `${ENDERS[record.ending.by]} (${record.ending.reason})` : "it goes on, or the server was killed"],
    ["Provider's id", h("span.mono.id", record.call_id)],
    ...values.map(([key, value]) => [`Value ${key}`, h("span.mono", grouped(String(value)))]),
  ];
  const refused = Object.entries(record.refusals ?? {});
  if (refused.length) facts.push(["Refused messages", refused.map(([reason, count]) => `${reason} × ${count}`).join(", ")]);
  return h("dl.summary.card", facts.map(([key, value]) => h("div", h("dt", key), h("dd", value))));
}

// What became of the call's recording; returns what is to be done when the page is left.
async function addSound(record, line, player) {
  const recorded = record.recordings?.find(({ kind }) => kind === "call");
  if (!recorded) return replace(player, h("p.hint", "This call was not recorded."));
  if (recorded.state === "failed") return replace(player, h("p.hint", `The recording failed: ${recorded.reason.replaceAll("_", " ")}.`));
  if (!may("audio:read")) return replace(player, h("p.hint", "Hearing it takes a key with the scope audio:read."));
  let file;
  try {
    file = await fetchSound(`/console/api/recordings/${encodeURIComponent(recorded.recording_id)}`);
    line.addSound(await decode(file));
  } catch (error) {
    return replace(player, errorNotice(error));
  }
  // From memory, so that the player can jump to any place in it.
  const source = URL.createObjectURL(file);
  const audio = h("audio", { controls: true, src: source, "aria-label": "The recorded call" });
  replace(player, audio, h("p.hint", "Where a sensitive answer was given the recording is silent."));
  let frame = 0;
  const follow = () => {
    line.setCursor(audio.currentTime * 1000);
    frame = audio.paused ? 0 : requestAnimationFrame(follow);
  };
  for (const kind of ["play", "seeked"]) audio.addEventListener(kind, () => (frame ||= requestAnimationFrame(follow)));
  line.onSeek = (ms) => (audio.currentTime = ms / 1000);
  return () => {
    cancelAnimationFrame(frame);
    audio.pause();
    URL.revokeObjectURL(source);
  };
}

// What the caller left after the tone, each fetched when somebody wants to hear it.
function messages({ recordings = [] }) {
  const left = recordings.filter(({ kind, state }) => kind === "message" && state !== "failed");
  if (!left.length || !may("audio:read")) return [];
  const items = left.map(({ recording_id: id, duration_ms: duration }, i) => {
    const item = h("li");
    const listen = async () => {
      try {
        const source = URL.createObjectURL(await fetchSound(`/console/api/recordings/${encodeURIComponent(id)}`));
        replace(item, h("audio", { controls: true, autoplay: true, src: source, "aria-label": `Message ${i + 1}` }));
      } catch (error) {
        replace(item, errorNotice(error));
      }
    };
    item.append(h("button", { type: "button", onclick: listen }, `Listen to message ${i + 1}, ${clock(duration / 1000)}`));
    return item;
  });
  return h("section.card", { "aria-labelledby": "messages-name" }, h("h2", { id: "messages-name" }, "Messages left"), h("ul.plain.player", items));
}

function turnItem(turn) {
  const { collected } = turn;
  return h(
    "li.turn",
    h("span.turn-step.mono", turn.step),
    turn.prompts.map((text) => h("p.turn-said", h("span.sr-only", "Agent: "), text)),
    turn.result ? h("p.turn-note", `Look-up: ${turn.result}`) : null,
    collected ? answer(turn) : null,
  );
}

function answer(turn) {
  const { collected } = turn;
  const facts = [
    CAUSES[collected.cause] ?? collected.cause,
    collected.mode === "dtmf" ? "by keys" : collected.mode === null ? null : `${percent(collected.confidence)} sure`,
    collected.latency_ms === null ? null : milliseconds(collected.latency_ms),
    collected.barged_in ? "interrupted the prompt" : null,
    collected.attempt > 1 ? `attempt ${collected.attempt}` : null,
    turn.ignored_keys ? `${turn.ignored_keys} keys ignored` : null,
  ].filter(Boolean);
  const others = collected.n_best.filter(([value]) => value !== collected.value);
  return h(
    "div.turn-heard",
    { class: collected.cause === "success" ? null : "failed" },
    h("p", h("span.sr-only", "Caller: "), h("span.value", digits(collected))),
    collected.value !== null && collected.words !== collected.value ? h("p.hint", `“${collected.words}”`) : null,
    h("p.hint", facts.join(" · ")),
    others.length ? h("p.hint", `Also heard: ${others.map(([value, sure]) => `${grouped(value)} (${percent(sure)})`).join(", ")}`) : null,
  );
}

// The value, each digit under the shade of how sure it is.
function digits({ value, words, digit_confidence: sure, cause }) {
  if (value === null) return words || (cause === "no-input-timeout" ? "(silence)" : "–");
  if (sure.length !== value.length || !/^[\d*]+$/.test(value)) return grouped(value);
  return [...value].map((digit, i) => {
    const level = sure[i] >= 0.9 ? "high" : sure[i] >= 0.6 ? "middle" : "low";
    const gap = i % 4 === 3 && i < value.length - 1 ? " gap" : "";
    return h("span", { class: `digit ${level}${gap}`, title: `${percent(sure[i])} sure` }, digit);
  });
}

function timesTable(turns) {
  const names = ["Step", "Prompt played", "Endpointer", "Words", "Speech ended", "Decided"];
  const rows = turns.map((turn) =>
    h(
      "tr",
      h("th", { scope: "row" }, turn.step),
      h("td", milliseconds(turn.prompt_end_ms)),
      h("td", (turn.endpointing ?? []).map(([what, ms]) => `${what} ${ms}`).join(", ") || "–"),
      h("td", (turn.word_ms ?? []).map(([from, to]) => `${from}–${to}`).join(", ") || "–"),
      h("td", milliseconds(turn.speech_end_ms)),
      h("td", milliseconds(turn.decided_ms)),
    ),
  );
  return h("div.scroll", { tabindex: "0", role: "group", "aria-label": "Times" }, h("table", h("caption", "Milliseconds of audio since the start"), h("thead", h("tr", names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", rows)));
}

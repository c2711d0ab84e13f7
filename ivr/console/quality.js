// How well callers are heard, over time: understood turns, questions asked again, latency.

import { get } from "./api.js";
import { h, replace } from "./dom.js";
import { chart } from "./chart.js";
import { errorNotice, milliseconds, percent } from "./parts.js";

const PERIODS = [["1", "a day"], ["7", "a week"], ["30", "30 days"]];

export async function showQuality(main) {
  const body = h("div");
  const choose = h("select", { id: "period" }, PERIODS.map(([days, name]) => h("option", { value: days, selected: days === "1" }, name)));
  const load = async () => {
    try {
      replace(body, ...view(await get(`quality?days=${choose.value}`)));
    } catch (error) {
      replace(body, errorNotice(error));
    }
  };
  choose.addEventListener("change", load);
  replace(main, h("div.head", h("h1", "Quality"), h("div.filters", h("div", h("label", { for: "period" }, "The last"), choose))), body);
  await load();
}

function view({ buckets, total, unit }) {
  if (!total.calls) return [h("p.empty.card", "No call is on record in this time.")];
  const at = buckets.map(({ at: time }) => new Date(time));
  const series = (name, key, kind) => ({ name, kind, values: buckets.map((bucket) => bucket[key]) });
  return [
    h(
      "dl.tiles",
      tile("Calls", String(total.calls), `${total.turns} answers`),
      tile("Understood", percent(total.understood), "of the answers"),
      tile("Asked again", percent(total.reprompted), "of the questions"),
      tile("Latency, median", milliseconds(total.p50_ms), "last word to decision"),
      tile("Latency, 95 %", milliseconds(total.p95_ms), "one in twenty is longer"),
      tile("Confidence", percent(total.confidence), "mean of spoken answers"),
    ),
    h(
      "div.charts",
      chart({ title: "Answers understood", at, unit, format: percent, top: 1, series: [series("understood", "understood", "good")] }),
      chart({ title: "Questions asked again", at, unit, format: percent, top: null, series: [series("asked again", "reprompted", "warn")] }),
      chart({ title: "Latency from the last word", at, unit, format: milliseconds, top: null, series: [series("median", "p50_ms", "accent"), series("90 %", "p90_ms", "soft"), series("95 %", "p95_ms", "warn")] }),
      chart({ title: "Calls", at, unit, format: (value) => String(Math.round(value)), top: null, bars: true, series: [series("calls", "calls", "accent")] }),
    ),
  ];
}

function tile(name, value, note) {
  return h("div.tile.card", h("dt", name), h("dd", value), h("dd.hint", note));
}

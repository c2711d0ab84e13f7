// Whether the server would take a call, and what it has counted.

import { get } from "./api.js";
import { h, replace } from "./dom.js";
import { errorNotice } from "./parts.js";

const EVERY_MS = 5000;

export async function showHealth(main) {
  const body = h("div.health");
  const load = async () => {
    try {
      replace(body, ...view(await get("health")));
    } catch (error) {
      replace(body, errorNotice(error));
    }
  };
  replace(main, h("div.head", h("h1", "Health"), h("span.hint", "looked at every 5 s")), body);
  await load();
  const timer = setInterval(load, EVERY_MS);
  return () => clearInterval(timer);
}

const STATUS = { ready: "Ready: a call would be taken", degraded: "Ready, but something needs a look" };
const STATES = { ok: "fine", warn: "needs a look", fail: "stops calls" };

function view({ ready, records, version, uptime_s: uptime }) {
  const { status, reason, checks, ...rest } = ready;
  return [
    h(
      "section.card.ready",
      { "data-status": status },
      h("h2", STATUS[status] ?? `Not ready: ${label(reason ?? "see below")}`),
      h("dl.summary", [["Version", version], ["Up for", duration(uptime)], ...Object.entries(rest)].map(([key, value]) => h("div", h("dt", label(key)), h("dd", shown(value))))),
    ),
    h("section.card", h("h2", "Checks"), h("ul.checks", Object.entries(checks ?? {}).map(check))),
    counted("Records since the start", records),
  ];
}

function check([name, { state, reason, ...facts }]) {
  const numbers = Object.entries(facts).map(([key, value]) =>
    key.endsWith("_bytes") ? `${label(key.slice(0, -6))} ${size(value)}` : `${label(key)} ${value}`,
  );
  return h(
    "li",
    { "data-state": state },
    h("span.dot", { "aria-hidden": "true" }),
    h("strong", label(name)),
    h("span", reason ? `${STATES[state] ?? state}: ${label(reason).toLowerCase()}` : (STATES[state] ?? state)),
    numbers.length ? h("span.hint", numbers.join(" · ")) : null,
  );
}

function counted(name, counts) {
  const entries = Object.entries(counts).sort(([a], [b]) => a.localeCompare(b));
  if (!entries.length) return [];
  return h("section.card", h("h2", name), h("table.counts", h("caption.sr-only", `${name} since the start`), h("tbody", entries.map(([key, count]) => h("tr", h("th", { scope: "row" }, key.replaceAll("_", " ")), h("td.number", String(count)))))));
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

function shown(value) {
  if (value === null) return "–";
  if (typeof value !== "object") return String(value);
  const parts = Object.entries(value).map(([key, inner]) => h("li", `${label(key)}: `, shown(inner)));
  return parts.length ? h("ul.plain", parts) : "none";
}

function label(key) {
  const text = String(key).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function duration(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

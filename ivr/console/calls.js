// The records of calls, newest first, some at a time.

import { get } from "./api.js";
import { announce, h, replace } from "./dom.js";
import { ENDERS, clock, errorNotice } from "./parts.js";

const PAGE = 50;

export async function showCalls(main) {
  const rows = h("tbody");
  const more = h("button.more", { type: "button", hidden: true }, "Show older calls");
  const nothing = h("p.empty", { hidden: true }, "No call is on record that fits.");
  const problem = h("div");
  const outcome = h("input", { id: "outcome", type: "search", placeholder: "any", autocomplete: "off", spellcheck: "false" });
  const status = h("select", { id: "status" }, [["", "any"], ["ended", "ended"], ["in-progress", "in progress"]].map(([value, text]) => h("option", { value }, text)));
  let cursor = null;

  const load = async (fresh) => {
    const query = new URLSearchParams({ limit: PAGE });
    if (!fresh && cursor) query.set("cursor", cursor);
    if (outcome.value.trim()) query.set("outcome", outcome.value.trim());
    if (status.value) query.set("status", status.value);
    try {
      const page = await get(`calls?${query}`);
      if (fresh) replace(rows);
      rows.append(...page.calls.map(row));
      cursor = page.next_cursor ?? null;
      more.hidden = cursor === null;
      nothing.hidden = rows.children.length > 0;
      replace(problem);
      announce(`${rows.children.length} calls`);
    } catch (error) {
      replace(problem, errorNotice(error));
    }
  };
  more.addEventListener("click", () => load(false));
  outcome.addEventListener("change", () => load(true));
  status.addEventListener("change", () => load(true));
  replace(
    main,
    h(
      "div.head",
      h("h1", "Calls"),
      h("div.filters", h("div", h("label", { for: "outcome" }, "Outcome"), outcome), h("div", h("label", { for: "status" }, "Status"), status)),
    ),
    problem,
    h(
      "div.card.table-card",
      h(
        "table.calls",
        h("caption.sr-only", "Calls, newest first"),
        h("thead", h("tr", ["Started", "Flow", "Outcome", "How it ended", "Length"].map((name) => h("th", { scope: "col", class: name === "Length" ? "number" : null }, name)))),
        rows,
      ),
      nothing,
    ),
    more,
  );
  await load(true);
}

function row(call) {
  const started = new Date(call.started_at);
  const live = call.status === "in-progress";
  return h(
    "tr",
    h("th", { scope: "row" }, h("a", { href: `/console/calls/${call.record_id}` }, h("time", { datetime: call.started_at }, started.toLocaleString()))),
    h("td", { "data-name": "Flow" }, call.flow ?? "–"),
    h("td", { "data-name": "Outcome" }, h("span.badge", { "data-outcome": call.outcome }, live ? "in progress" : call.outcome)),
    h("td", { "data-name": "How it ended" }, live ? "–" : (ENDERS[call.ending?.by] ?? "–")),
    h("td.number", { "data-name": "Length" }, call.duration_ms === null ? "–" : clock(call.duration_ms / 1000)),
  );
}

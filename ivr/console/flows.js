// The flows that answer calls, drawn.

import { get, may } from "./api.js";
import { h, replace } from "./dom.js";
import { FlowPicture } from "./picture.js";

const KINDS = {
  say: "says something",
  capture: "asks for a value",
  confirm: "asks whether it is right",
  menu: "offers choices",
  branch: "looks at variables",
  set: "sets variables",
  subflow: "another flow",
  lookup: "asks another system",
  transfer: "hands the call over",
  end: "hangs up",
};

export async function showFlows(main, [chosen]) {
  const { flows, broken } = await get("flows");
  const flow = flows.find(({ name }) => name === chosen) ?? flows.find((each) => each.default);
  const links = flows.map(({ name, default: first, version }) =>
    h(
      "li",
      h(
        "a.flow-link",
        { href: `/console/flows/${encodeURIComponent(name)}`, "aria-current": name === flow.name ? "page" : null },
        h("strong", name),
        h("span.hint", [first ? "default" : null, version ? `version ${version.slice(0, 8)}` : null].filter(Boolean).join(" · ")),
      ),
    ),
  );
  const problems = Object.entries(broken ?? {}).map(([file, text]) =>
    h("div.notice.bad", h("strong", `${file} is wrong; the version before it is served`), h("p", text)),
  );
  replace(
    main,
    h("div.head", h("h1", "Flows"), may("calls:write") ? h("a", { href: "/console/phone" }, "Call one from the browser") : null),
    problems,
    h(
      "div.flows",
      h("ul.flow-list", { "aria-label": "Flows" }, links),
      h(
        "section.card",
        { "aria-labelledby": "flow-name" },
        h("h2", { id: "flow-name" }, flow.name),
        new FlowPicture(flow.name).element,
        h("ul.legend", { "aria-label": "Kinds of steps" }, Object.entries(KINDS).map(([kind, text]) => h("li", h(`span.swatch.${kind}`, { "aria-hidden": "true" }), text))),
      ),
    ),
  );
}

// Charts of values over time, drawn as SVG, with the same values as a table beside them.

import { h, s } from "./dom.js";

const WIDTHS = { wide: 560, narrow: 340 }; // so that the text has the page's size on either
const HEIGHT = 190;
const LEFT = 62;
const BOTTOM = 26;
const TOP = 12;
const RIGHT = 14;

// at: dates; series: [{name, kind, values}], null where there is no value; top: of the scale, or
// null to fit; bars: draw columns.
export function chart({ title, at, unit, format, top, bars = false, series }) {
  const width = matchMedia("(max-width: 48rem)").matches ? WIDTHS.narrow : WIDTHS.wide;
  const highest = top ?? nice(Math.max(...series.flatMap(({ values }) => values.filter(isNumber)), 0) || 1);
  const x = (i) => LEFT + ((i + 0.5) * (width - LEFT - RIGHT)) / at.length;
  const y = (value) => TOP + (1 - value / highest) * (HEIGHT - TOP - BOTTOM);
  const drawing = s(
    "svg.chart",
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${described(series, format)}` },
    scale(highest, y, width, format),
    times(at, x, unit, width),
    series.map((each) => (bars ? columns(each, x, y, at, width, format) : line(each, x, y, at, format))),
  );
  const names = series.length > 1 ? h("ul.legend", series.map(({ name, kind }) => h("li", h(`span.swatch.chart-${kind}`, { "aria-hidden": "true" }), name))) : null;
  return h("figure.card", h("figcaption", h("h2", title), names), drawing, table(title, at, unit, series, format));
}

function scale(highest, y, width, format) {
  return [0, 0.5, 1].map((part) => [
    s("line.chart-grid", { x1: LEFT, x2: width - RIGHT, y1: y(part * highest), y2: y(part * highest) }),
    s("text.chart-text.end", { x: LEFT - 8, y: y(part * highest) + 4 }, format(part * highest)),
  ]);
}

function times(at, x, unit, width) {
  const every = Math.max(1, Math.ceil((at.length * 70) / (width - LEFT)));
  return at.map((date, i) =>
    i % every ? [] : s("text.chart-text.middle", { x: x(i), y: HEIGHT - 6 }, shortTime(date, unit)),
  );
}

function line({ kind, values }, x, y, at, format) {
  let path = "";
  values.forEach((value, i) => {
    if (!isNumber(value)) return;
    path += `${isNumber(values[i - 1]) ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  const dots = values.map((value, i) =>
    isNumber(value)
      ? s(`circle.chart-${kind}`, { cx: x(i), cy: y(value), r: 3 }, s("title", `${at[i].toLocaleString()}: ${format(value)}`))
      : [],
  );
  return [s(`path.chart-line.chart-${kind}`, { d: path }), dots];
}

function columns({ kind, values }, x, y, at, width, format) {
  const wide = Math.max(1, Math.min(28, ((width - LEFT - RIGHT) / at.length) * 0.7));
  return values.map((value, i) =>
    value
      ? s(`rect.chart-${kind}`, { x: x(i) - wide / 2, y: y(value), width: wide, height: y(0) - y(value), rx: 2 }, s("title", `${at[i].toLocaleString()}: ${format(value)}`))
      : [],
  );
}

function table(title, at, unit, series, format) {
  const rows = at.map((date, i) =>
    series.every(({ values }) => !isNumber(values[i]))
      ? []
      : h("tr", h("th", { scope: "row" }, shortTime(date, unit)), series.map(({ values }) => h("td", isNumber(values[i]) ? format(values[i]) : "–"))),
  );
  return h(
    "details",
    h("summary.hint", "As a table"),
    h("div.scroll", { tabindex: "0", role: "group", "aria-label": `${title} as a table` }, h("table", h("thead", h("tr", h("th", { scope: "col" }, unit === "hour" ? "Hour" : "Day"), series.map(({ name }) => h("th", { scope: "col" }, name)))), h("tbody", rows))),
  );
}

function described(series, format) {
  return series
    .map(({ name, values }) => {
      const known = values.filter(isNumber);
      if (!known.length) return `${name}: no values`;
      return `${name} from ${format(Math.min(...known))} to ${format(Math.max(...known))}, last ${format(known.at(-1))}`;
    })
    .join("; ");
}

function shortTime(date, unit) {
  return unit === "hour"
    ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
    : date.toLocaleDateString([], { day: "numeric", month: "short", timeZone: "UTC" });
}

// The next round number.
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

function isNumber(value) {
  return typeof value === "number";
}

// The frame of the console: which view an address shows, who is logged in, light or dark.

import { enter, logOut, may, viewer } from "./api.js";
import { showCall } from "./call.js";
import { showCalls } from "./calls.js";
import { h, replace, s } from "./dom.js";
import { showFlows } from "./flows.js";
import { showHealth } from "./health.js";
import { showLive } from "./live.js";
import { showLogin } from "./login.js";
import { errorNotice } from "./parts.js";
import { showPhone } from "./phone.js";
import { showQuality } from "./quality.js";

// Path under /console -> view. `scope`: shown in the navigation to those who may use it.
const VIEWS = [
  {
    path: "phone", name: "Phone", scope: "calls:write", show: showPhone,
    icon: "M6 3h4l2 5-2.5 1.5a11 11 0 0 0 5 5L16 12l5 2v4a2 2 0 0 1-2 2A15 15 0 0 1 4 5a2 2 0 0 1 2-2z",
  },
  {
    path: "live", name: "Live", scope: "calls:read", show: showLive,
    icon: "M3 12h3l3-8 4 16 3-8h5",
  },
  {
    path: "calls", name: "Calls", scope: "calls:read", show: (at, rest) => (rest.length ? showCall : showCalls)(at, rest),
    icon: "M4 6h16M4 12h16M4 18h10",
  },
  {
    path: "quality", name: "Quality", scope: "calls:read", show: showQuality,
    icon: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  },
  {
    path: "flows", name: "Flows", scope: "flows:read", show: showFlows,
    icon: "M5 4h6v5H5zM13 15h6v5h-6zM8 9v3a2 2 0 0 0 2 2h6v1",
  },
  {
    path: "health", name: "Health", scope: "metrics:read", show: showHealth,
    icon: "M12 20s-8-4.8-8-11a4.5 4.5 0 0 1 8-2.8A4.5 4.5 0 0 1 20 9c0 6.2-8 11-8 11z",
  },
];

const main = document.getElementById("main");
const nav = document.getElementById("nav");
let leave = null; // what the view that is shown wants done before it goes

async function show() {
  leave?.();
  leave = null;
  const [name = "", ...rest] = location.pathname.split("/").filter(Boolean).slice(1);
  const views = VIEWS.filter(({ scope }) => may(scope));
  const view = views.find(({ path }) => path === name) ?? (name === "" ? views[0] : null);
  for (const link of nav.querySelectorAll("a")) {
    const current = link.dataset.path === view?.path;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!view) {
    document.title = "Not found · ivr";
    replace(main, h("h1", "There is no such page"), h("p", "Or your key does not open it."));
    return;
  }
  document.title = `${view.name} · ivr`;
  try {
    leave = (await view.show(main, rest.map(decodeURIComponent))) ?? null;
  } catch (error) {
    replace(main, h("h1", view.name), errorNotice(error));
  }
}

function go(path) {
  history.pushState(null, "", path);
  show().then(() => main.focus({ preventScroll: true }));
  window.scrollTo(0, 0);
}

function drawNavigation() {
  const links = VIEWS.filter(({ scope }) => may(scope)).map(({ path, name, icon }) => {
    const drawing = s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: icon }));
    return h("a", { href: `/console/${path}`, "data-path": path }, drawing, h("span", name));
  });
  replace(nav, links);
  nav.hidden = links.length === 0;
  const who = document.getElementById("viewer");
  const { name, key_id: keyId } = viewer();
  if (keyId === null) replace(who, h("span.hint", "this machine, no key"));
  else replace(who, h("span.hint", name), h("button.quiet", { type: "button", onclick: out }, "Log out"));
}

async function out() {
  await logOut();
  location.assign("/console");
}

function begin() {
  drawNavigation();
  show();
}

function startTheme() {
  const button = document.getElementById("theme");
  const themes = { auto: "as the system has them", light: "light", dark: "dark" };
  const names = Object.keys(themes);
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", `Colours: ${themes[theme]}`);
    button.title = `Colours: ${themes[theme]}`;
  };
  apply(names.includes(localStorage.theme) ? localStorage.theme : "auto");
  button.addEventListener("click", () => {
    const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    localStorage.theme = next;
    apply(next);
    window.dispatchEvent(new Event("themechange"));
  });
}

// Links inside the console change the view and not the document.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/console']");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!link || !plain || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
window.addEventListener("popstate", show);

startTheme();
try {
  if (await enter()) begin();
  else showLogin(main, begin);
} catch (error) {
  replace(main, h("h1", "The console is closed to you"), errorNotice(error));
}

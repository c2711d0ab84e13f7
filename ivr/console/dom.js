// Elements by their names. Text is always text: nothing here, or anywhere, parses markup.

const SVG = "http://www.w3.org/2000/svg";

// h("p.hint", {id: "x", onclick: f}, "text", element, [more], null)
export function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElement(tag), classes, rest);
}

export function s(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElementNS(SVG, tag), classes, rest);
}

function fill(element, classes, rest) {
  if (classes.length) element.classList.add(...classes);
  const [first] = rest;
  const named = first?.constructor === Object ? rest.shift() : {};
  for (const [key, value] of Object.entries(named)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.classList.add(...value.split(" "));
    else if (value === true) element.setAttribute(key, "");
    else element.setAttribute(key, value);
  }
  element.append(...rest.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null));
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

// A flow's picture as the server draws it, put into the page so that it takes the page's colours
// and a step in it can be marked.

import { h, replace } from "./dom.js";

export class FlowPicture {
  #step = null;

  constructor(flow) {
    this.element = h("div.flow-picture", { tabindex: "0", role: "group", "aria-label": `Picture of the flow ${flow}` }, h("p.hint", "Drawing the flow"));
    this.#load(flow);
  }

  // Show where a call is; null for nowhere.
  mark(step) {
    this.#step = step;
    for (const box of this.element.querySelectorAll("[data-step]")) {
      box.classList.toggle("here", box.dataset.step === step);
    }
    const here = this.element.querySelector(".here");
    here?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }

  #load(flow) {
    // Read as a document by the browser, never as markup put into ours.
    const request = new XMLHttpRequest();
    request.open("GET", `/console/api/flows/${encodeURIComponent(flow)}/picture`);
    request.responseType = "document";
    request.overrideMimeType("image/svg+xml");
    request.onload = () => {
      const drawn = request.status === 200 ? request.responseXML?.documentElement : null;
      if (drawn?.localName !== "svg") {
        replace(this.element, h("p.hint", "The flow cannot be drawn now."));
        return;
      }
      replace(this.element, document.importNode(drawn, true));
      this.mark(this.#step);
    };
    request.onerror = () => replace(this.element, h("p.hint", "The server does not answer."));
    request.send();
  }
}

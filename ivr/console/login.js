// The one form of those who are not logged in.

import { logIn } from "./api.js";
import { h, replace } from "./dom.js";
import { errorNotice } from "./parts.js";

export function showLogin(main, then) {
  document.title = "Log in · ivr";
  const key = h("input", {
    id: "key",
    type: "password",
    name: "key",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
  });
  const problem = h("div");
  const submit = async (event) => {
    event.preventDefault();
    try {
      await logIn(key.value.trim());
    } catch (error) {
      replace(problem, errorNotice(error));
      key.select();
      return;
    }
    then();
  };
  replace(
    main,
    h(
      "form.login.card",
      { onsubmit: submit },
      h("h1", "Log in"),
      h("label", { for: "key" }, "API key"),
      key,
      h("p.hint", "Make one with ", h("code", "ivr keys create"), " on the server."),
      problem,
      h("button.primary", { type: "submit" }, "Log in"),
    ),
  );
  key.focus();
}

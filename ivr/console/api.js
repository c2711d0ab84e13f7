// Questions to the server, with the session's token, and what went wrong in words for people.

export class ApiError extends Error {
  constructor(status, title, detail) {
    super(title);
    this.status = status;
    this.detail = detail;
  }
}

let session = null;

export function may(scope) {
  return session !== null && (session.scopes.includes(scope) || session.scopes.includes("admin"));
}

export function viewer() {
  return session;
}

// Who is logged in; null where somebody has to.
export async function enter() {
  try {
    session = await get("session");
  } catch (error) {
    if (error.status !== 401) throw error;
    session = null;
  }
  return session;
}

export async function logIn(key) {
  session = await ask("POST", "login", { key });
}

export async function logOut() {
  await ask("POST", "logout", {});
  session = null;
}

export function get(path) {
  return ask("GET", path);
}

export function post(path, body) {
  return ask("POST", path, body);
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && session) headers["X-CSRF-Token"] = session.csrf;
  let response;
  try {
    const content = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(`/console/api/${path}`, { method, headers, body: content });
  } catch {
    throw new ApiError(0, "The server does not answer", "It may be restarting. Try again.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401 && session) location.reload(); // the session has ended
  const title = answer.title ?? `The server answered ${response.status}`;
  throw new ApiError(response.status, title, answer.detail ?? "");
}

// The events of one call, or of all; returns a function that stops them.
export function watch(callId, onEvent, onState = () => {}) {
  const query = callId ? `?call=${encodeURIComponent(callId)}` : "";
  const source = new EventSource(`/console/api/live${query}`);
  source.onopen = () => onState("open");
  source.onmessage = ({ data }) => onEvent(JSON.parse(data));
  source.onerror = () => onState(source.readyState === EventSource.CLOSED ? "closed" : "waiting");
  return () => source.close();
}

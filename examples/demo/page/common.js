// What the parts of the page share: where the proxy is, and how an answer is shown.

export const $ = (id) => document.getElementById(id);

// Whoever wrote the link to this page must not choose where it sends requests: its server does.
export const config = await (await fetch("config.json", { cache: "no-store" })).json();
export const { api } = config;

export function element(tag, text, className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

/** One call at a time in each part: its buttons rest while it is under way. A disabled one would lose the focus. */
export async function once(inside, work) {
  const buttons = [...inside.closest(".part").querySelectorAll("button:not(#stop)")];
  if (buttons.some(({ ariaDisabled }) => ariaDisabled === "true")) return;
  buttons.forEach((button) => { button.ariaDisabled = "true"; });
  try { await work(); } finally { buttons.forEach((button) => { button.ariaDisabled = "false"; }); }
}

/** The browser tells a script nothing about a blocked call, so ask something that needs no permission. */
export async function whyNoAnswer() {
  const alive = await fetch(`${api}/`, { mode: "no-cors", cache: "no-store" }).then(() => true, () => false);
  return alive
    ? { state: "blocked", status: "Blocked", told: [
      "The browser kept the answer from this page, because it does not permit the page's origin to read it.",
      `If this page should be allowed, add ${location.origin} to cors.origins in countersign.yaml.`] }
    : { state: "unreachable", status: "No answer", told: [
      `Nothing answers at ${api}.`, "Is the proxy still running? Look at the terminal where you started it."] };
}

/** How a form ended, below it. */
export function tell(form, state, status, told = []) {
  form.className = state;
  form.querySelector(".told").replaceChildren(element("span", status, "status"), ...told.map((line) => element("p", line)));
}

/** The proxy's own problem (RFC 9457), if this is one: an upstream may refuse in any other shape, or in none. */
export function problemIn(body) {
  return body?.code && body?.title ? body : null;
}

/** What concerns a field beside it, the rest below the form. What is no problem is told by its status. */
export function tellProblem(form, body, status) {
  const { title, detail = "", errors = [] } = problemIn(body) ?? { title: status };
  const rest = errors.filter((error) => !tellField(form, error));
  tell(form, "refused", title, errors.length ? rest.map((error) => `${error.pointer} ${error.detail}`) : [detail]);
  form.querySelector("[aria-invalid]")?.focus();
}

/** Says an error beside its field, if the form has one. `/email` is the field `email` (RFC 6901). */
function tellField(form, { pointer, detail }) {
  const name = pointer.split("/")[1]?.replaceAll("~1", "/").replaceAll("~0", "~");
  const place = name && $(`${name}-error`);
  if (!form.contains(place)) return false;
  place.textContent = place.textContent ? `${place.textContent}, ${detail}` : detail;
  form.elements.namedItem(name).setAttribute("aria-invalid", "true");
  return true;
}

/** Nothing is wrong any more, until somebody says so. */
export function clear(form) {
  for (const place of form.querySelectorAll(".error")) place.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** Calls, and tells below the form what went wrong. Returns the answer if there is one to show. */
export async function submit(form, path, options) {
  clear(form);
  tell(form, "pending", "Waiting…");
  let response;
  try {
    response = await fetch(`${api}${path}`, { method: "POST", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const { state, status, told } = await whyNoAnswer();
    tell(form, state, status, told);
    return null;
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  tellProblem(form, body, `${response.status} ${response.statusText}`.trim());
  return null;
}

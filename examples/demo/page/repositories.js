// A list behind a key: shows what is sent and what is answered, page by page.

import { $, api, config, element, once, problemIn, whyNoAnswer } from "./common.js";

const FIRST = `${api}/my-repos?per_page=6&sort=pushed`;
const ASK = { method: "GET", headers: { accept: "application/json" }, cache: "no-cache" };
const POST = {
  method: "POST",
  headers: { accept: "application/json", "content-type": "application/json" },
  body: JSON.stringify({ name: "one-more-repository" }),
};
const SENT = {
  GET: "That is all of it, and no key. The browser adds the page's origin and its usual headers.",
  POST: "No key here either. Because the body is JSON, the browser asks permission first (an OPTIONS preflight).",
};

/** One call, shown as it goes out and as it comes back. Returns the answer if the page may read it. */
async function call(url, options) {
  showSent(url, options);
  setState("pending", "Waiting…");
  const started = performance.now();
  try {
    const response = await fetch(url, options);
    const body = await readable(response);
    showAnswer(response, body, Math.round(performance.now() - started));
    return { response, body };
  } catch {
    await showBlocked();
    return null;
  }
}

async function readable(response) {
  const text = await response.text();
  try { return JSON.parse(text); } catch { return text; }
}

function showSent(url, { method, headers, body }) {
  const lines = [`${method} ${url}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  $("request").textContent = [...lines, ...(body ? ["", body] : [])].join("\n");
  $("sent-note").textContent = SENT[method];
  $("exchange").hidden = false;
}

function showAnswer(response, body, took) {
  setState(response.ok ? "ok" : "refused", `${response.status} ${response.statusText || reason(response.status)}`.trim());
  const problem = problemIn(body);
  $("told").replaceChildren(
    ...(problem ? problemParts(problem) : []),
    headerList(response, took),
  );
}

function headerList(response, took) {
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`);
  const details = document.createElement("details");
  details.append(element("summary", `After ${took} ms, with ${lines.length} headers that the page may read`),
    element("pre", lines.join("\n")));
  return details;
}

function problemParts({ title, detail, code }) {
  const line = element("p", "");
  line.append("Its code, for programs: ", element("code", code));
  return [strong(title), element("p", detail ?? ""), line];
}

async function showBlocked() {
  const { state, status, told } = await whyNoAnswer();
  setState(state, status);
  $("told").replaceChildren(...told.map((text) => element("p", text)));
}

function showRepositories(repositories, fresh) {
  if (fresh) $("repositories").replaceChildren();
  $("repositories").append(...repositories.map(item));
  $("listing").hidden = false;
}

function item({ name, html_url, private: hidden, description }) {
  const line = document.createElement("li");
  line.append(link(name, html_url), element("span", hidden ? "Private" : "Public", hidden ? "badge private" : "badge"));
  if (description) line.append(element("p", description));
  return line;
}

/** A link, unless the answer tries something other than a web address. */
function link(text, href) {
  const safe = URL.canParse(href) && /^https?:$/.test(new URL(href).protocol);
  const anchor = element(safe ? "a" : "strong", text);
  if (safe) Object.assign(anchor, { href, target: "_blank", rel: "noreferrer" });
  return anchor;
}

/** The next page, if the answer links to one. The proxy has rewritten the link; only its own address is followed. */
function next(response) {
  const found = /<([^>]+)>;[^,]*rel="next"/.exec(response.headers.get("link") ?? "");
  const url = found && URL.canParse(found[1], response.url) ? new URL(found[1], response.url).href : "";
  return url.startsWith(`${api}/`) ? url : null;
}

function setState(state, status) {
  $("exchange").className = `exchange ${state}`;
  $("status").textContent = status;
  if (state === "pending") $("told").replaceChildren();
}

function strong(text) {
  const paragraph = document.createElement("p");
  paragraph.append(element("strong", text));
  return paragraph;
}

/** HTTP/2 has no reason phrases; these are the ones this page can meet. */
function reason(status) {
  return { 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 502: "Bad Gateway" }[status] ?? "";
}

async function list(url, fresh) {
  const answer = await call(url, ASK);
  const shown = answer?.response.ok && Array.isArray(answer.body);
  if (fresh || shown) { $("listing").hidden = !shown; $("more").hidden = true; }
  if (!shown) return;
  showRepositories(answer.body, fresh);
  $("more").dataset.url = next(answer.response) ?? "";
  $("more").hidden = !$("more").dataset.url;
}

$("origin").textContent = location.host;
$("proxy").textContent = new URL(api).host;
$("upstream").textContent = config.upstream;
$("show").onclick = () => once($("show"), () => list(FIRST, true));
$("more").onclick = () => once($("show"), () => list($("more").dataset.url, false));
$("post").onclick = () => once($("show"), () => call(`${api}/my-repos`, POST));
$("show").disabled = $("post").disabled = false;

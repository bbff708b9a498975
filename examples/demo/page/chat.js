// A chat: reads server-sent events from a POST, which `EventSource` cannot do,
// and shows each word as it arrives.

import { $, once, submit, tell, tellProblem } from "./common.js";

const form = $("chat");
const answer = $("answer");

async function ask(signal) {
  const started = performance.now();
  const since = () => Math.round(performance.now() - started);
  const response = await submit(form, "/ask", {
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ question: $("question").value }),
    signal,
  });
  if (!response) return;
  let first = null;
  for await (const { event, data } of events(response.body)) {
    if (event === "error") return tellProblem(form, JSON.parse(data), "The answer broke off");
    if (data === "[DONE]") return tell(form, "ok", `First word after ${first} ms, all after ${since()} ms`);
    const word = JSON.parse(data);
    if (!word) continue;
    if (first === null) {
      answer.dataset.first = Date.now(); // for whoever measures
      first = since();
      tell(form, "streaming", `First word after ${first} ms`);
    }
    answer.append(word);
  }
  tell(form, "refused", "The answer broke off", ["It ended before its last word. Ask again."]);
}

/** The events of a body as they arrive (WHATWG HTML §9.2.6, as far as a chat needs it). */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const blocks = (rest + piece.value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) yield parse(block);
  }
}

function parse(block) {
  const lines = block.split(/\r?\n/);
  const field = (name) => lines.filter((line) => line.startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).replace(/^ /, "")).join("\n");
  return { event: field("event"), data: field("data") };
}

async function run() {
  const stopping = new AbortController();
  $("stop").onclick = () => stopping.abort();
  $("stop").ariaDisabled = "false";
  answer.replaceChildren();
  answer.hidden = false;
  answer.ariaBusy = "true";
  try {
    await ask(stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) tell(form, "stopped", "Stopped");
    else tell(form, "unreachable", "The connection broke", [String(error)]);
  } finally {
    answer.ariaBusy = "false";
    answer.hidden = !answer.textContent;
    $("stop").ariaDisabled = "true";
  }
}

form.onsubmit = (event) => {
  event.preventDefault();
  once(form, run);
};
$("ask").disabled = false;

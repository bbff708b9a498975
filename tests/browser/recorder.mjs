// Writes down everything a browser tab sends and receives, so that a test can
// look for a secret in all of it. It listens below the page (DevTools
// protocol), because a page is not told of preflights, nor of headers and
// answers that CORS keeps from it.

export class Recorder {
  #requests = new Map();
  #bodies = [];
  #pending = [];

  static async on(page) {
    const recorder = new Recorder();
    const devtools = await page.context().newCDPSession(page);
    const keep = (event, note) => devtools.on(`Network.${event}`, note);
    keep("requestWillBeSent", ({ requestId, request, type }) => recorder.#entry(requestId, { ...request, type }));
    keep("requestWillBeSentExtraInfo", ({ requestId, headers }) => recorder.#entry(requestId, { sent: lowercase(headers) }));
    keep("responseReceived", ({ requestId, response }) => recorder.#entry(requestId, { response }));
    keep("responseReceivedExtraInfo", ({ requestId, statusCode, headers }) =>
      recorder.#entry(requestId, { status: statusCode, received: lowercase(headers) }));
    keep("loadingFinished", ({ requestId }) => recorder.#pending.push(recorder.#body(devtools, requestId)));
    page.on("console", (message) => recorder.#bodies.push(`console: ${message.text()}`));
    await devtools.send("Network.enable");
    return recorder;
  }

  /** Requests to `base`, in the order they were made: `{method, url, type, sent, status, received}`. */
  to(base) {
    return [...this.#requests.values()].filter(({ url }) => url?.startsWith(base));
  }

  /** All that crossed the wire, as one text. */
  async transcript() {
    await Promise.all(this.#pending);
    return JSON.stringify([...this.#requests.values()]) + this.#bodies.join("\n");
  }

  #entry(id, facts) {
    this.#requests.set(id, { ...this.#requests.get(id), ...facts });
  }

  async #body(devtools, requestId) {
    // A preflight and a blocked answer have no body that the browser would hand out.
    const answer = await devtools.send("Network.getResponseBody", { requestId }).catch(() => null);
    if (answer) this.#bodies.push(answer.base64Encoded ? Buffer.from(answer.body, "base64").toString() : answer.body);
  }
}

function lowercase(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

// A chat that is streamed through the proxy to a page: when its words are
// there, and what becomes of one that is stopped.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import {
  API_URL, CHAT_URL, FOREIGN_PAGE_URL, PAGE_URL, assertClean, launch, open, picture, seenBy, whatReached,
} from "./browser.mjs";

const QUESTION = "Do you have mugs?";

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

describe("one answer, from the first word to the last", () => {
  let page, recorder, seen;
  before(async () => {
    ({ page, recorder } = await open(await browser.newContext(), PAGE_URL));
    await page.evaluate(countSteps);
    await ask(page);
    await come(page, "ok");
    seen = (await seenBy(CHAT_URL)).at(-1);
  });

  test("its first word is on the page before the upstream has sent its last", async (t) => {
    // The page and the upstream are on one machine, so both read one clock.
    const shown = Number(await page.locator("#answer").getAttribute("data-first"));
    t.diagnostic(`on the page ${shown - seen.first} ms after the upstream sent it, ` +
      `${seen.last - shown} ms before the upstream sent the last word`);
    assert.ok(seen.first <= shown, "shown before it was sent");
    assert.ok(shown < seen.last, `shown ${shown - seen.last} ms after the last word was sent`);
  });

  test("its words appear one after the other, and the text is whole", async () => {
    const words = seen.text.split(/\s+/).length;
    const steps = await page.evaluate(() => window.steps);
    assert.ok(steps > words / 2, `${words} words in ${steps} steps`);
    assert.equal(await page.locator("#answer").textContent(), seen.text);
    await picture(page, "-chat");
  });

  test("the model and the instructions are the route's; the page sent a question and no more", async () => {
    const [request] = recorder.to(`${API_URL}/ask`).filter(({ method }) => method === "POST");
    assert.deepEqual(JSON.parse(request.postData), { question: QUESTION });
    const [instructions, question] = seen.body.messages;
    assert.deepEqual([seen.body.model, seen.body.stream, instructions.role], ["gpt-4o-mini", true, "system"]);
    assert.deepEqual(question, { role: "user", content: QUESTION });
  });

  test("nothing that the browser sent or received holds a secret", async () => {
    assertClean(`${await recorder.transcript()}${await page.content()}`);
  });
});

describe("from a page whose origin is listed", () => {
  let page, errors;
  beforeEach(async () => { ({ page, errors } = await open(await browser.newContext(), PAGE_URL)); });

  test("a stopped answer leaves its words and no error, ends upstream too, and the next one comes whole", async () => {
    await ask(page);
    await come(page, "streaming");
    await page.locator("#stop").click();
    await come(page, "stopped");
    const { text } = (await seenBy(CHAT_URL)).at(-1);
    const kept = await page.locator("#answer").textContent();
    assert.ok(kept && kept !== text && text.startsWith(kept), `kept: ${kept}`);
    assert.deepEqual(errors, []);
    await ask(page);
    await come(page, "ok");
    assert.equal(await page.locator("#answer").textContent(), text);
    assert.deepEqual(errors, []);
    const [stopped, whole] = (await seenBy(CHAT_URL)).slice(-2);
    assert.equal(stopped.last, null, "the upstream went on talking to nobody");
    assert.ok(whole.last);
  });

  test("an empty question is refused beside its field, and nothing reaches the upstream", async () => {
    const reached = await whatReached(CHAT_URL, async () => {
      await ask(page, "");
      await come(page, "refused");
    });
    assert.equal(reached.requests, 0);
    assert.ok((await page.locator("#question-error").textContent()).length > 3, "it is not said why");
    assert.equal(await page.evaluate(() => document.activeElement.id), "question");
  });
});

test("a foreign page's question stops at the preflight, and the upstream hears nothing", async () => {
  const { page, recorder } = await open(await browser.newContext(), FOREIGN_PAGE_URL);
  const reached = await whatReached(CHAT_URL, async () => {
    await ask(page);
    await come(page, "blocked");
  });
  assert.equal(reached.requests, 0);
  const calls = recorder.to(`${API_URL}/ask`);
  const [preflight] = calls.filter(({ method }) => method === "OPTIONS");
  assert.equal(preflight?.status, 403);
  assert.deepEqual(calls.filter(({ method, status }) => method === "POST" && status), []);
});

async function ask(page, question = QUESTION) {
  await page.locator("#question").fill(question);
  await page.locator("#ask").click();
}

/** Waits until the chat is at this point; one that has come to another end never will be. */
async function come(page, point) {
  await page.waitForFunction((wanted) => {
    const state = document.getElementById("chat").className;
    return state === wanted || !["pending", "streaming"].includes(state);
  }, point);
  assert.equal(await page.locator("#chat").getAttribute("class"), point, await page.locator("#chat-told").textContent());
}

/** Counts how often the answer grows; what comes at once is one step. */
function countSteps() {
  let last = 0;
  window.steps = 0;
  const watch = new MutationObserver(() => {
    if (performance.now() - last > 20) window.steps += 1;
    last = performance.now();
  });
  watch.observe(document.getElementById("answer"), { childList: true });
}

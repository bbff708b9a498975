// The list of repositories, and the refused POST: from an origin that the
// configuration lists, and from one that it does not.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import {
  API_URL, FOREIGN_PAGE_URL, PAGE_URL, UPSTREAM_URL, assertClean, launch, open, picture, whatReached,
} from "./browser.mjs";

const INVENTED = 12;

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

describe("from a page whose origin is listed", () => {
  let page, recorder;
  beforeEach(async () => { ({ page, recorder } = await open(await browser.newContext(), PAGE_URL)); });

  test("a click shows the repositories, private ones too", async () => {
    await click(page, "show", "ok");
    const names = await page.locator("#repositories a").allTextContents();
    assert.ok(names.length > 0 && names.length <= INVENTED, `${names.length} repositories`);
    assert.ok(await page.locator("#repositories .private").count() > 0, "no private repository is shown");
    assert.match(await page.locator("#status").textContent(), /^200/);
    await picture(page, "");
  });

  test("the next page is reached through the proxy, until every repository is shown", async () => {
    await click(page, "show", "ok");
    while (await page.locator("#more").isVisible()) await click(page, "more", "ok");
    assert.equal(new Set(await page.locator("#repositories a").allTextContents()).size, INVENTED);
    assert.ok(recorder.to(API_URL).length > 1, "the link header led nowhere");
    assert.deepEqual(recorder.to(UPSTREAM_URL), [], "the page was led to the upstream itself");
  });

  test("the page sent no credential, and shows exactly what it sent", async () => {
    await click(page, "show", "ok");
    const [request] = recorder.to(API_URL);
    const shown = await page.locator("#request").textContent();
    assert.ok(shown.startsWith(`GET ${request.url}\n`), shown);
    for (const name of ["authorization", "cookie", "x-api-key"]) assert.ok(!(name in request.sent), name);
  });

  test("the answer's CORS headers are the proxy's own, not the upstream's", async () => {
    await click(page, "show", "ok");
    const [{ received }] = recorder.to(API_URL);
    assert.equal(received["access-control-allow-origin"], new URL(PAGE_URL).origin);
    assert.match(received.vary ?? "", /\borigin\b/i);
    for (const name of ["x-github-request-id", "x-ratelimit-limit", "set-cookie"]) assert.ok(!(name in received), name);
  });

  test("the pressed button keeps the focus, and does nothing while its call is under way", async () => {
    await page.locator("#show").evaluate((button) => { button.focus(); button.click(); button.click(); });
    await page.locator("#show[aria-disabled=false]").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "show");
    assert.equal(recorder.to(API_URL).length, 1);
  });

  test("a POST is refused, and the page can read why", async () => {
    await click(page, "post", "refused");
    assert.match(await page.locator("#status").textContent(), /^405/);
    assert.equal(await page.locator("#told code").first().textContent(), "method_not_allowed");
    assert.ok((await page.locator("#told p").nth(1).textContent()).length > 0, "the problem has no detail");
    await picture(page, "-refused");
  });

  test("the browser asks permission before a POST of JSON, and is answered", async () => {
    await click(page, "post", "refused");
    const [preflight] = recorder.to(API_URL).filter(({ method }) => method === "OPTIONS");
    assert.equal(preflight?.sent["access-control-request-method"], "POST");
    assert.equal(preflight.sent["access-control-request-headers"], "content-type");
    assert.equal(preflight.status, 204);
    assert.equal(preflight.received["access-control-allow-origin"], new URL(PAGE_URL).origin);
    assert.match(preflight.received["access-control-allow-headers"] ?? "", /\bcontent-type\b/i);
  });

  test("a refused POST never reaches the upstream", async () => {
    const reached = await whatReached(UPSTREAM_URL, () => click(page, "post", "refused"));
    assert.equal(reached.requests, 0);
  });

  test("nothing that the browser sent or received holds the secret", async () => {
    await click(page, "show", "ok");
    await click(page, "post", "refused");
    assertClean(`${await recorder.transcript()}${await page.content()}`);
  });
});

describe("from a page of a foreign origin", () => {
  let page, recorder;
  beforeEach(async () => { ({ page, recorder } = await open(await browser.newContext(), FOREIGN_PAGE_URL)); });

  test("the browser keeps the answer from the page, which says so in words", async () => {
    await click(page, "show", "blocked");
    assert.equal(await page.locator("#repositories li").count(), 0);
    assert.match(await page.locator("#told").textContent(), new RegExp(new URL(FOREIGN_PAGE_URL).origin));
    await picture(page, "-foreign");
  });

  test("the upstream is never called with the credential", async () => {
    const reached = await whatReached(UPSTREAM_URL, async () => {
      await click(page, "show", "blocked");
      await click(page, "post", "blocked");
    });
    assert.deepEqual([reached.requests, reached.with_credential], [0, 0]);
  });

  test("a POST stops at the preflight: the request itself is never sent", async () => {
    await click(page, "post", "blocked");
    const calls = recorder.to(`${API_URL}/my-repos`);
    const [preflight] = calls.filter(({ method }) => method === "OPTIONS");
    assert.ok(preflight, "no preflight was sent");
    assert.ok(!preflight.received["access-control-allow-origin"], "the preflight was allowed");
    assert.deepEqual(calls.filter(({ method, status }) => method === "POST" && status), []);
  });

  test("no header of the refusal is open to it, and nothing holds the secret", async () => {
    await click(page, "show", "blocked");
    await click(page, "post", "blocked");
    for (const { received } of recorder.to(API_URL)) {
      for (const name of Object.keys(received ?? {})) assert.ok(!name.startsWith("access-control-"), name);
    }
    assertClean(`${await recorder.transcript()}${await page.content()}`);
  });

  test("what the browser hid from the page holds no secret either", async () => {
    // A blocked answer's body is out of DevTools' reach too, so the same is asked without a browser.
    const origin = new URL(FOREIGN_PAGE_URL).origin;
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const asked = { origin, "access-control-request-method": "POST" };
      const answer = await fetch(`${API_URL}/my-repos`, { method, headers: asked });
      assert.equal(answer.status, 403, method);
      assertClean(JSON.stringify([...answer.headers]) + await answer.text());
    }
  });

  test("the browser's cache does not hand it the listed page's answer", async () => {
    const url = `${API_URL}/my-repos?per_page=3`;
    const read = (tab) => tab.evaluate((from) => fetch(from).then((answer) => answer.status, () => "blocked"), url);
    const { page: listed } = await open(page.context(), PAGE_URL);
    assert.equal(await read(listed), 200);
    assert.equal(await read(page), "blocked");
    assert.equal(await read(listed), 200);
  });
});

test("the page reads on a phone and in the dark", async () => {
  const context = await browser.newContext({ viewport: { width: 375, height: 812 }, colorScheme: "dark" });
  const { page } = await open(context, PAGE_URL);
  await click(page, "show", "ok");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
  await picture(page, "-phone");
});

/** Clicks, and waits until the page has come to this end. */
async function click(page, button, end) {
  await page.locator(`#${button}`).click();
  await page.locator("#show[aria-disabled=false]").waitFor();
  const state = await page.locator("#exchange").getAttribute("class");
  assert.equal(state, `exchange ${end}`, await page.locator("#told").textContent());
}

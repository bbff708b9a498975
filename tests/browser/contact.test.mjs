// A contact form, in each encoding that browsers have: what the upstream gets
// of it, and where a person reads what is wrong with it.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import {
  API_URL, CRM_URL, FOREIGN_PAGE_URL, PAGE_URL, assertClean, launch, open, picture, seenBy, whatReached,
} from "./browser.mjs";

const ADA = { email: "ada@example.com", name: "Ada Løvelace", message: "Hello & good-bye = 100 %\nsecond line ☕" };
// Refusals that are no problem of ours, as gateways and upstreams have them.
const STRANGE = {
  HTML: { status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" },
  "JSON of another shape": { status: 429, contentType: "application/json", body: '{"error": "slow down"}' },
};
const ENCODINGS = { urlencoded: "application/x-www-form-urlencoded", parts: "multipart/form-data" };

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

describe("from a page whose origin is listed", () => {
  let page, recorder;
  beforeEach(async () => { ({ page, recorder } = await open(await browser.newContext(), PAGE_URL)); });

  for (const [encoding, type] of Object.entries(ENCODINGS)) {
    test(`a form posted as ${type} reaches the CRM as JSON of its own shape`, async () => {
      await fill(page, ADA, encoding);
      await send(page, "ok");
      const [request, ...more] = recorder.to(API_URL);
      assert.match(request.sent["content-type"], new RegExp(`^${type}`));
      assert.deepEqual(more, [], "a form needs no preflight");
      const { content_type, body } = (await seenBy(CRM_URL)).at(-1);
      assert.equal(content_type, "application/json");
      assert.deepEqual(body, upsert({ ...properties(ADA, encoding), attachment: null }));
    });

    test(`what does not fit in ${type} is said beside each field, and the first has the focus`, async () => {
      await fill(page, { email: "ada.example", name: "A", message: "" }, encoding);
      const reached = await whatReached(CRM_URL, () => send(page, "refused"));
      assert.deepEqual(await errors(page), ["email", "name", "message"]);
      assert.equal(await page.evaluate(() => document.activeElement.id), "email");
      assert.equal(reached.requests, 0);
      await picture(page, `-errors-${encoding}`);
    });
  }

  test("of the CRM's answer the page learns the number, and nothing else", async () => {
    await fill(page, ADA);
    await send(page, "ok");
    const answer = JSON.parse(await page.locator("#contact-told code").textContent());
    assert.deepEqual(Object.keys(answer), ["id"]);
    assert.match(answer.id, /^\d+$/);
    await picture(page, "-contact");
  });

  test("a file arrives with its name, its type and every byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
    await fill(page, ADA);
    await page.locator("#attachment").setInputFiles({ name: "Skizze ü.png", mimeType: "image/png", buffer: bytes });
    await send(page, "ok");
    const { body } = (await seenBy(CRM_URL)).at(-1);
    assert.deepEqual(body, upsert({
      ...properties(ADA),
      attachment: { filename: "Skizze ü.png", content_type: "image/png", base64: bytes.toString("base64") },
    }));
  });

  test("a field that was mended is no longer marked", async () => {
    await fill(page, { ...ADA, email: "ada" });
    await send(page, "refused");
    assert.deepEqual(await errors(page), ["email"]);
    await page.locator("#email").fill(ADA.email);
    await send(page, "ok");
    assert.deepEqual(await errors(page), []);
  });

  test("people do not meet the hidden field, and a robot that fills it in is refused", async () => {
    const hidden = page.locator("[name=website]");
    assert.ok((await hidden.boundingBox()).x < 0, "the field is in sight");
    assert.equal(await hidden.evaluate((field) => field.tabIndex), -1);
    await fill(page, ADA);
    await hidden.evaluate((field) => { field.value = "https://spam.example"; });
    const reached = await whatReached(CRM_URL, () => send(page, "refused"));
    assert.equal(reached.requests, 0);
    assert.equal(recorder.to(API_URL)[0].status, 403);
    assert.deepEqual(await errors(page), []);
  });

  test("a form that is too long is refused in words, before it reaches the CRM", async () => {
    await fill(page, ADA);
    await page.locator("#attachment").setInputFiles({ name: "a.bin", mimeType: "image/png", buffer: Buffer.alloc(20_000) });
    const reached = await whatReached(CRM_URL, () => send(page, "refused"));
    assert.equal(reached.requests, 0);
    assert.equal(recorder.to(API_URL)[0].status, 413);
    assert.match(await page.locator("#contact-told").textContent(), /16/, "the limit is not said");
  });

  for (const [shape, answer] of Object.entries(STRANGE)) {
    test(`a refusal in ${shape} is told by its status`, async () => {
      const headers = { "access-control-allow-origin": "*" };
      await page.route(`${API_URL}/contact`, (route) => route.fulfill({ ...answer, headers }));
      await fill(page, ADA);
      await send(page, "refused");
      assert.match(await page.locator("#contact-told .status").textContent(), new RegExp(`^${answer.status}`));
    });
  }

  test("nothing that the browser sent or received holds a secret", async () => {
    await fill(page, ADA);
    await send(page, "ok");
    assertClean(`${await recorder.transcript()}${await page.content()}`);
  });
});

test("a foreign page's form is refused, though no preflight comes before it", async () => {
  const { page, recorder } = await open(await browser.newContext(), FOREIGN_PAGE_URL);
  await fill(page, ADA);
  const reached = await whatReached(CRM_URL, () => send(page, "blocked"));
  assert.equal(reached.requests, 0);
  const [request] = recorder.to(`${API_URL}/contact`);
  assert.deepEqual([request.method, request.status], ["POST", 403]);
});

async function fill(page, values, encoding = "parts") {
  for (const [name, value] of Object.entries(values)) await page.locator(`#${name}`).fill(value);
  await page.locator("#encoding").selectOption(encoding);
}

/** Sends the form, and waits until it has come to this end. */
async function send(page, end) {
  await page.locator("#send").click();
  await page.locator("#send[aria-disabled=false]").waitFor();
  assert.equal(await page.locator("#contact").getAttribute("class"), end, await page.locator("#contact-told").textContent());
}

/** The fields that are marked wrong; each must say why. */
function errors(page) {
  return page.locator("#contact [aria-invalid=true]").evaluateAll((fields) => fields
    .filter((field) => document.getElementById(field.getAttribute("aria-describedby")).textContent.length > 3)
    .map((field) => field.name));
}

/** How the CRM wants to be told of a contact that it may have already. */
function upsert(properties) {
  return { inputs: [{ idProperty: "email", id: properties.email, properties }] };
}

/** What the CRM shall get: its own names; and a browser writes the line ends in parts anew. */
function properties({ email, name, message }, encoding = "parts") {
  return { email, firstname: name, message: encoding === "parts" ? message.replaceAll("\n", "\r\n") : message };
}

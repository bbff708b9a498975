// A real Chromium with the demo page in it. What CORS means, what a form looks
// like on the wire and when a word is on the page is decided by a browser, so
// a browser is asked.
//
// Wants, from the environment (`run.py --ready-file` writes all that must be set):
//   PAGE_URL, FOREIGN_PAGE_URL       the same page, on a listed and on a foreign origin
//   API_URL                          the proxy
//   UPSTREAM_URL, CRM_URL, CHAT_URL  the demo upstreams, which know what reached them
//   SECRETS_FILE                     where the credentials are that nobody may see
//   CHROMIUM, SCREENSHOT             optional: the browser's path; where to save pictures (name.png)

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { Recorder } from "./recorder.mjs";

const NEEDED = ["PAGE_URL", "FOREIGN_PAGE_URL", "API_URL", "UPSTREAM_URL", "CRM_URL", "CHAT_URL", "SECRETS_FILE"];
for (const name of NEEDED) assert.ok(process.env[name], `${name} is not set`);
export const { PAGE_URL, FOREIGN_PAGE_URL, API_URL, UPSTREAM_URL, CRM_URL, CHAT_URL } = process.env;

const { SECRETS_FILE, SCREENSHOT, CHROMIUM = "/usr/bin/chromium" } = process.env;
const SECRETS = Object.values(JSON.parse(readFileSync(SECRETS_FILE, "utf8"))).flatMap(Object.values);
// Quiet at start (no calls home), and able to run as root in a container.
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launch = () => chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });

/** The demo page in a tab, with everything written down that crosses the wire, and every error. */
export async function open(context, url) {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  const recorder = await Recorder.on(page);
  await page.goto(url);
  for (const button of ["show", "send", "ask"]) await page.locator(`#${button}:enabled`).waitFor();
  return { page, recorder, errors };
}

/** What a demo upstream counted while something was done. */
export async function whatReached(upstream, something) {
  const count = async () => (await fetch(`${upstream}/_count`)).json();
  const earlier = await count();
  await something();
  return Object.fromEntries(Object.entries(await count()).map(([name, value]) => [name, value - earlier[name]]));
}

/** The last requests that a demo upstream accepted, the newest last. */
export async function seenBy(upstream) {
  return (await fetch(`${upstream}/_seen`)).json();
}

/** No secret is in this text, in no spelling. */
export function assertClean(text) {
  assert.ok(text.length > 50, "nothing was recorded");
  for (const secret of SECRETS) {
    const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
    const hex = Buffer.from(secret).toString("hex");
    for (const spelling of [secret, encodeURIComponent(secret), base64, hex]) {
      assert.ok(!text.includes(spelling), "a secret reached the browser"); // and not into this report
    }
  }
}

export async function picture(page, suffix) {
  if (SCREENSHOT) await page.screenshot({ path: SCREENSHOT.replace(/(\.png)?$/, `${suffix}.png`), fullPage: true });
}

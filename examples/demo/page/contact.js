// A contact form: what a page writes for any server that takes forms.

import { $, config, element, once, submit, tell } from "./common.js";

const form = $("contact");

const inParts = () => $("encoding").value === "parts";

/** The form's fields as the browser would send them, in either of its encodings. */
function body() {
  const data = new FormData(form);
  if (!$("attachment").files.length) data.delete("attachment"); // or it is sent as a file without a name
  return inParts() ? data : new URLSearchParams(data);
}

async function send() {
  const response = await submit(form, "/contact", { body: body() });
  if (!response) return;
  tell(form, "ok", `${response.status} Sent`, ["All that came back: "]);
  const [line] = form.querySelectorAll(".told p");
  line.append(element("code", await response.text()));
  if (config.seen) line.after(whatArrived());
}

/** Where the demo's CRM shows what it got; no real one would. */
function whatArrived() {
  const link = element("a", "See what the CRM got");
  return Object.assign(link, { href: config.seen, target: "_blank", rel: "noreferrer" });
}

form.onsubmit = (event) => {
  event.preventDefault();
  once(form, send);
};
// A file needs a part of its own.
$("encoding").onchange = () => { $("attachment").disabled = !inParts(); };
$("encoding").onchange();
$("send").disabled = false;

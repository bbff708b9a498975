"""What the demo writes down, all of it in `target/demo`: the configuration, the secrets, the logs."""

import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SHOWN = ("github.yaml", "contact-form.yaml", "openai-chat.yaml")  # the demo is these three, in one file
SCHEMA = "schemas/contact.json"
HOME = ROOT / "target" / "demo"
CONFIG, SECRETS, RECORDS, LOG = (
    HOME / name for name in ("countersign.yaml", "secrets.json", "requests.jsonl", "proxy.log"))
GITHUB, CRM, CHAT = "https://api.github.com", "https://api.hubapi.com", "https://api.openai.com/v1"


class Failed(Exception):
    """Something that ends the demo, in words for the person who started it."""


def write_config(origin, local):
    """The examples, with this page's origin, and with an address on this machine for each upstream that has one."""
    text = merged([(EXAMPLES / name).read_text(encoding="utf-8") for name in SHOWN])
    if not re.search(rf"{re.escape(origin)}(?!\d)", text):
        text = put(r"(origins: \[)", rf'\1"{origin}", ', text)
    for real, url in local.items():
        here = rf"\1url: {url}\n\1dangerous_plain_http: true       # the demo upstream is on this machine\n" \
               r"\1dangerous_private_network: true"
        text = put(rf"(?m)^( +)url: {re.escape(real)}/?$", here, text)
    # The example has no file; the demo takes one, to show what becomes of it.
    text = put(r"(firstname: \.name, message)(?=}})", r"\1, attachment", text)
    write_whole(CONFIG, f"# Made from {', '.join(SHOWN)} in examples/ at every start of the demo.\n{text}")
    write_schema()


def merged(texts):
    """One configuration of several: their secrets, upstreams and routes. Of the rest, the first one's."""
    sections = {}
    for text in texts:
        for name, body in re.findall(r"(?m)^(\w+):\n((?:(?: .*)?\n)+)", text):
            sections.setdefault(name, []).append(body.rstrip("\n"))
    for name in ("cors", "callers"):
        del sections[name][1:]
    return "version: 1\n" + "".join(f"\n{name}:\n" + "\n\n".join(bodies) + "\n" for name, bodies in sections.items())


def put(pattern, replacement, text):
    text, times = re.subn(pattern, replacement, text)
    if times != 1:
        raise Failed(f"{shown(EXAMPLES)} has changed: {pattern} fits {times} times, not once")
    return text


def write_schema():
    schema = json.loads((EXAMPLES / SCHEMA).read_text(encoding="utf-8"))
    schema["properties"]["attachment"] = {"type": "object"}
    (HOME / SCHEMA).parent.mkdir(exist_ok=True)
    write_whole(HOME / SCHEMA, json.dumps(schema, indent=2))


def write_secrets(github, crm, chat):
    SECRETS.unlink(missing_ok=True)
    descriptor = os.open(SECRETS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"countersign/github": {"token": github}, "countersign/crm": {"token": crm},
                   "countersign/openai": {"key": chat}}, file)


def write_whole(path, text):
    """In one step: whoever waits for the file never reads half of it."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def shown(path):
    return path.relative_to(ROOT)

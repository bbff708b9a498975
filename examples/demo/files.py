"""What the demo writes down, all of it in `target/demo`: the configuration, the secret, the logs."""

import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "github.yaml"
HOME = ROOT / "target" / "demo"
CONFIG, SECRETS, RECORDS, LOG = (
    HOME / name for name in ("countersign.yaml", "secrets.json", "requests.jsonl", "proxy.log"))
GITHUB = "https://api.github.com"


class Failed(Exception):
    """Something that ends the demo, in words for the person who started it."""


def write_config(origin, upstream):
    """The example, with this page's origin and, unless it is the real one, this machine's upstream."""
    text = EXAMPLE.read_text(encoding="utf-8")
    if not re.search(rf"{re.escape(origin)}(?!\d)", text):
        text = put(r"(origins: \[)", rf'\1"{origin}", ', text)
    if upstream != GITHUB:
        local = rf"\1url: {upstream}\n\1dangerous_plain_http: true       # the demo upstream is on this machine\n" \
                r"\1dangerous_private_network: true"
        text = put(rf"(?m)^( +)url: {re.escape(GITHUB)}/?$", local, text)
    write_whole(CONFIG, f"# Made from {shown(EXAMPLE)} at every start of the demo; edit that one.\n{text}")


def put(pattern, replacement, text):
    text, times = re.subn(pattern, replacement, text)
    if times != 1:
        raise Failed(f"{shown(EXAMPLE)} has changed: {pattern} fits {times} times, not once")
    return text


def write_secrets(token):
    SECRETS.unlink(missing_ok=True)
    descriptor = os.open(SECRETS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"countersign/github": {"token": token}}, file)


def write_whole(path, text):
    """In one step: whoever waits for the file never reads half of it."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def shown(path):
    return path.relative_to(ROOT)

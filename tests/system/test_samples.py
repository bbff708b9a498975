"""The events folder: each real event gets its golden answer, also when
`cargo lambda invoke --data-file` sends it.

`events/README.md` says how a golden answer is read. The upstream is httpbin,
at whatever port it has here; the secrets are made up.
"""

import json
import re
import subprocess

import pytest
import yaml

from harness.canary import canary
from harness.function import ROOT
from harness.process import tools
from harness.world import Answer

EVENTS = ROOT / "events"
SAMPLES = sorted(path for path in EVENTS.glob("*.json") if not path.name.endswith(".answer.json"))
ANY = "*"  # any value, but there must be one


@pytest.fixture(scope="module")
def world(launch, shared_tap):
    config = yaml.safe_load((EVENTS / "countersign.yaml").read_text())
    for upstream in config["upstreams"].values():
        base = re.sub(r"^https?://[^/]+", "", upstream["url"])
        upstream |= {"url": shared_tap.url + base, "dangerous_plain_http": True, "dangerous_private_network": True}
    secrets = {name: made_up(name, config) for name in config["secrets"]}
    return launch(secrets=secrets, config=config)


def made_up(name, config):
    """A value for a secret: JSON with every field that the file names, or a text."""
    fields = set(re.findall(rf"\b{re.escape(name)}\.(\w+)", json.dumps(config["upstreams"])))
    return {field: canary() for field in fields} if fields else canary()


def test_there_are_events_of_every_kind_and_each_has_its_answer():
    assert {kind_of(read(sample)) for sample in SAMPLES} >= {"rest", "http", "url", "alb"}
    assert [sample.name for sample in SAMPLES if not golden_of(sample).exists()] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_each_event_gets_its_golden_answer(world, sample):
    raw = world.invoke(sample.read_bytes())
    Answer(raw, kind_of(read(sample)))  # checks its form
    assert differences(read(golden_of(sample)), json.loads(raw)) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_cargo_lambda_invoke_works_with_each(world, sample):
    # The emulator knows one name for whatever it runs: `function`.
    command = ["cargo", "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(world.function.port),
               "--data-file", str(sample), "--output-format", "json", "function"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env=tools())
    assert done.returncode == 0, done.stderr
    assert differences(read(golden_of(sample)), json.loads(done.stdout)) == []


def read(path):
    return json.loads(path.read_text())


def golden_of(sample):
    return sample.with_suffix(".answer.json")


def kind_of(event):
    context = event.get("requestContext") or {}
    if "elb" in context:
        return "alb" if "multiValueHeaders" in event else "alb_single"
    if event.get("version") == "2.0":
        return "url" if "lambda-url" in context["domainName"] else "http"
    return "rest"


def differences(golden, actual):
    """Where an answer differs from the golden one."""
    if isinstance(golden.get("body"), dict) and isinstance(actual.get("body"), str):
        actual = {**actual, "body": json.loads(actual["body"])}
    return list(compare(golden, actual, ""))


def compare(golden, actual, at):
    if isinstance(golden, dict) and isinstance(actual, dict):
        for name in sorted(golden.keys() ^ actual.keys()):
            yield f"{at}/{name}: " + ("is missing" if name in golden else f"should not be there: {actual[name]!r}")
        for name in sorted(golden.keys() & actual.keys()):
            yield from compare(golden[name], actual[name], f"{at}/{name}")
    elif golden not in (ANY, actual):
        yield f"{at}: expected {golden!r}, got {actual!r}"

"""The events folder: each real event gets its golden answer, also when
`cargo lambda invoke --data-file` sends it.

`events/NAME.json` is the event, `events/NAME.answer.json` the answer, and
`events/countersign.yaml` the configuration for all of them. Its upstreams
are served by httpbin here, whatever their host; their secrets are made up.
In an answer `"<any>"` stands for whatever is different each time.
"""

import json
import re
import subprocess

import pytest
import yaml

from harness.canary import canary
from harness.function import ROOT
from harness.world import Answer

EVENTS = ROOT / "events"
SAMPLES = sorted(path for path in EVENTS.glob("*.json") if not path.name.endswith(".answer.json"))
ANY = "<any>"


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
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


def differences(golden, actual, at=""):
    """Where two JSON values differ; a body in JSON is looked into."""
    if golden == ANY:
        return []
    if at == "/body" and isinstance(golden, str) and isinstance(actual, str):
        golden, actual = parsed(golden), parsed(actual)
    if isinstance(golden, dict) and isinstance(actual, dict):
        names = sorted(golden.keys() | actual.keys())
        gone = object()
        return [flaw for name in names
                for flaw in differences(golden.get(name, gone), actual.get(name, gone), f"{at}/{name}")]
    if isinstance(golden, list) and isinstance(actual, list) and len(golden) == len(actual):
        return [flaw for n, pair in enumerate(zip(golden, actual)) for flaw in differences(*pair, f"{at}/{n}")]
    if isinstance(golden, str) and isinstance(actual, str) and fits(golden, actual):
        return []
    return [] if golden == actual else [f"{at}: expected {golden!r}, got {actual!r}"]


def fits(golden, actual):
    """`<any>` within a text."""
    return re.fullmatch(".*".join(map(re.escape, golden.split(ANY))), actual, re.DOTALL) is not None


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text

"""What stands beside the code: the dependency rules and the workflows."""

import json
import re
import subprocess
import tomllib

import pytest
import yaml
from world import ROOT

DENY = tomllib.loads((ROOT / "deny.toml").read_text())
LOCK = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("ban", DENY["bans"]["deny"], ids=lambda ban: ban["crate"])
def test_a_banned_crate_comes_in_only_where_we_know(ban):
    name, _, below = ban["crate"].partition(":<")
    versions = [each["version"] for each in LOCK if each["name"] == name]
    if below:
        limit = [int(part) for part in below.split(".")]
        assert all([int(part) for part in version.split(".")[: len(limit)]] >= limit for version in versions)
    elif versions:
        brought_by = {each["name"] for each in LOCK for need in each.get("dependencies", []) if need.split()[0] == name}
        assert brought_by <= set(ban.get("wrappers", [])), ban["use-instead"]


@pytest.mark.parametrize("features, there", [([], False), (["--features", "otlp"], True)])
def test_what_sends_spans_is_in_the_function_only_where_it_is_asked_for(features, there):
    command = ["cargo", "tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", *features]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        pytest.skip("the crates are not fetched yet")
    assert ("opentelemetry" in result.stdout) is there


def test_every_licence_is_one_that_we_allow():
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        pytest.skip("the crates are not fetched yet")
    allowed = set(DENY["licenses"]["allow"])
    for package in json.loads(result.stdout)["packages"]:
        assert permits(package["license"] or "", allowed), (package["name"], package["license"])


def permits(expression, allowed):
    """`(A OR B) AND C`, with SPDX's older `A/B`. WITH counts as a licence of its own."""
    expression = re.sub(r"\s*/\s*", " OR ", expression)
    words = re.findall(r"[()]|[^\s()]+(?: WITH [^\s()]+)?", expression)
    python = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    return bool(words) and eval(" ".join(python.get(word, str(word in allowed)) for word in words))  # noqa: S307


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_whole_and_pins_what_it_uses(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["jobs"] and "permissions" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+\.\d+\.\d+", step["uses"]), step["uses"]
            # An expression inside a script is text put together by a stranger.
            assert "${{" not in step.get("run", ""), step


def test_no_build_script_runs_where_a_token_can_be_had():
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            if (job.get("permissions") or {}).get("id-token") == "write":
                scripts = [step.get("run", "") for step in job["steps"]]
                assert not [script for script in scripts if re.search(r"cargo|rustup|sam build|make", script)]


def test_only_deploying_gets_a_token_and_keeps_no_key():
    text = {path.name: path.read_text() for path in WORKFLOWS}
    assert "id-token: write" in text["deploy.yml"] and "id-token" not in text["ci.yml"]
    assert not any("secrets." in each or "aws-access-key-id" in each for each in text.values())

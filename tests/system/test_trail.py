"""`countersign audit` on a trail that a function has delivered: what people see of a day."""

import itertools
import json
import os
import pathlib
import pty
import re
import subprocess

import pytest

from harness.canary import canary
from harness.function import ROOT, RuntimeApi
from harness.upstream import answer
from harness.vault import ACCESS, REGION
from harness.world import CORS, route, upstream

_groups = (f"/countersign/audit/day-{number}" for number in itertools.count())
KEYS = {"github": {"token": canary("ghp")}, "openai": {"key": canary("sk")}}
WHO = {"allow": ["website"]}
ROUTES = {
    "GET /my-repos": route("/user/repos", "github", **WHO),
    "GET /my-repos/{name}": route("/repos/{name}", "github", **WHO),
    "POST /ask": route("/v1/chat/completions", "openai", **WHO, request={"content_types": ["application/json"]},
                       response={"meter": {"tokens": ".usage.total_tokens"}}),
}


def command():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = target / "debug/countersign"
    assert path.exists(), f"{path} is missing: cargo build --all-features --bins"
    return str(path)


def run(world, *words, terminal=False):
    """What it says, and how it ends."""
    env = {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL": world.front.url, "AWS_REGION": REGION,
           "AWS_ACCESS_KEY_ID": ACCESS["aws_access_key_id"],
           "AWS_SECRET_ACCESS_KEY": ACCESS["aws_secret_access_key"], "COUNTERSIGN_AUDIT_LOG_GROUP": world.group}
    if not terminal:
        done = subprocess.run([command(), "audit", *words], env=env, capture_output=True, timeout=60, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()
    ours, its = pty.openpty()
    with subprocess.Popen([command(), "audit", *words], env=env, stdout=its, stderr=its) as child:
        os.close(its)
        said = bytearray()
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # how a terminal ends on Linux
            pass
        os.close(ours)
        return child.wait(60), said.decode()


def github(seen, _):
    if seen.path == "/repos/broken":
        return answer(b'{"message":"down"}', "502 Bad Gateway")
    if seen.path == "/repos/echo":
        return answer(json.dumps({"you_sent": seen.header("authorization")}).encode())
    return answer(b'[{"name":"hello-world"}]')


def openai(*_):
    return answer(b'{"choices":[],"usage":{"total_tokens":421}}')


@pytest.fixture
def day(start, serve, moto):
    """A trail with something of everything."""
    group = next(_groups)
    moto.logs.create_log_group(logGroupName=group)
    upstreams = {"github": upstream(serve(github).url, "github.token", retries=1),
                 "openai": upstream(serve(openai).url, "openai.key")}
    config = {"version": 1, **CORS, "upstreams": upstreams, "callers": {"website": {"anonymous": True}},
              "routes": ROUTES}
    world = start(secrets=KEYS, config=config, driver=RuntimeApi,
                  env={"COUNTERSIGN_AUDIT_LOG_GROUP": group})
    world.group = group
    for _ in range(2):
        assert world.get("/my-repos").status == 200
    assert world.post("/ask", b'{"question":"why?"}').status == 200
    assert world.get("/my-repos", origin="https://evil.example.net").status == 403
    assert world.post("/ask", b"why?", "text/plain").status == 415
    assert world.get("/my-repos/broken").status == 502
    assert world.get("/nowhere").status == 404
    assert world.get("/my-repos/echo").status == 200
    world.function.process.stop()
    return world


def test_a_day_can_be_read_on_a_terminal(day):
    code, said = run(day, "--since", "1h", terminal=True)
    assert code == 0
    (ROOT / "target/reports").mkdir(parents=True, exist_ok=True)
    (ROOT / "target/reports/trail.ansi").write_text(said)  # docs/images/trail.svg is such a picture
    lines = re.sub(r"\x1b\[[0-9;]*[mK]", "", said).replace("\r", "\n").split("\n")
    lines = [line for line in lines if line.strip() and "lines of" not in line]
    assert lines[0].split() == ["TIME", "(UTC)", "CALLER", "ROUTE", "UPSTREAM", "STATUS", "SECRETS", "MS"]
    told = [" ".join(line.split()[2:]) for line in lines[1:]]
    version = day.versions["github"][:6]
    assert told[0] == "(an environment began)" and told[-1] == "(an environment ended)"
    assert re.fullmatch(rf"website GET /my-repos github 200 github.token@{version} \d+", told[1])
    assert re.fullmatch(r"website POST /ask openai 200 openai.key@\w{6} \d+", told[3])
    assert re.fullmatch(r"- - 403 origin_not_allowed \d+", told[4])
    assert re.fullmatch(r"website POST /ask 415 \w+ \d+", told[5])
    assert re.fullmatch(rf"website GET /my-repos/\{{name\}} github 502 github.token@{version} \d+ retries: 1", told[6])
    assert re.fullmatch(rf"website GET /my-repos/\{{name\}} github 200 github.token@{version} \d+ leak", told[8])
    red = [line for line in said.splitlines() if "\x1b[31m" in line]
    assert len(red) == 2 and "502" in red[0] and "leak" in red[1]
    day.check_no_secret_in(said.encode(), "the table")


FILTERS = {
    ("--caller", "website"): [200, 200, 200, 415, 502, 200],
    ("--route", "/ask"): [200, 415],
    ("--secret", "openai"): [200],
    ("--status", "4xx"): [403, 415, 404],
    ("--code", "origin_not_allowed"): [403],
    ("--leaks",): [200],
}


def test_what_was_asked_for_is_found_in_a_log_group(day):
    for words, expected in FILTERS.items():
        code, said = run(day, "--json", *words)
        found = [json.loads(line)["http_response"]["code"] for line in said.splitlines()]
        assert (code, found) == (0, expected), words
    [line] = [json.loads(line) for line in run(day, "--json", "--route", "/ask", "--status", "200")[1].splitlines()]
    assert line["unmapped"]["meters"] == {"tokens": 421}


def test_a_log_group_is_intact_until_somebody_adds_to_it(day, moto):
    code, said = run(day, "verify")
    assert (code, said) == (0, "1 chain, 10 records: intact\n")
    [stream] = [each["logStreamName"] for each in moto.logs.describe_log_streams(logGroupName=day.group)["logStreams"]]
    last = list(moto.events(day.group)[stream])[-2]
    forged = json.loads(last["message"])
    forged["actor"]["app_name"] = "somebody-else"
    moto.logs.put_log_events(logGroupName=day.group, logStreamName=stream, logEvents=[
        {"timestamp": last["timestamp"], "message": json.dumps(forged, separators=(",", ":"))}])
    code, said = run(day, "verify")
    assert code == 1 and "1 break" in said, said
    code, said = run(day, "verify", "--json")
    assert code == 1 and [each["kind"] for each in json.loads(said)["breaks"]] == ["inserted"], said


def test_what_is_not_visible_yet_is_not_called_removed(day, monkeypatch):
    """CloudWatch Logs shows new events in no order; moto shows them at once."""
    answer_of_moto, hidden = day.front.answer, []

    def late(operation, body, headers):
        status, said = answer_of_moto(operation, body, headers)
        if operation == "FilterLogEvents" and not hidden:
            page = json.loads(said)
            hidden.append(page["events"].pop(4))
            said = json.dumps(page).encode()
        return status, said
    monkeypatch.setattr(day.front, "answer", late)
    assert run(day, "verify") == (0, "1 chain, 10 records: intact\n")
    assert hidden

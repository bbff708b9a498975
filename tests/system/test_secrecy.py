"""No secret value in any output, at any log level, whatever fails.

Every world of every test is searched when it ends (see `conftest`); here each
way to fail is taken on purpose, with the logs turned up as far as they go.
"""

import base64
import html
import json
import urllib.parse

import pytest

from harness import upstream as up
from harness.canary import canary, found, spellings
from harness.function import RuntimeApi
from harness.world import github, route, upstream

LOUD = {"RUST_LOG": "trace", "AWS_LAMBDA_LOG_LEVEL": "TRACE", "RUST_BACKTRACE": "full"}
CORE, SHORT = canary("core"), "q7Zk!x9"


# How the upstream is reached (from the servers of this test), and the answer.
FAILURES = {
    "a call that works": (lambda s: upstream(s.tap.url), 200),
    "a name that DNS does not know": (lambda s: upstream("http://nowhere.invalid"), 502),
    "TLS to a port that speaks none": (lambda s: upstream(s.tap.url.replace("http", "https")), 502),
    "TLS with an unknown authority": (lambda s: upstream(s.serve(up.ok(), tls=s.certificate[0]).url), 502),
    "a reset": (lambda s: upstream(s.serve(up.resets()).url), 502),
    "an answer that is no HTTP": (lambda s: upstream(s.serve(up.says_and_hangs_up(b"nonsense\r\n")).url), 502),
    "nobody listening": (lambda s: upstream("http://127.0.0.1:1"), 502),
    "an answer that repeats the request": (lambda s: upstream(s.serve(echo).url), 200),
    "a problem that repeats the request": (lambda s: upstream(s.serve(echo_refused).url), 401),
}


def echo(seen, _, status="200 OK"):
    """Says everything back, in headers and body, in the spellings that the guard knows."""
    token = seen.header("authorization").removeprefix("Bearer ")
    embedded = [base64.b64encode(b"x" * shift + token.encode() + b"yz").decode() for shift in range(3)]
    forms = [token, token.encode().hex(), urllib.parse.quote(token, safe=""), html.escape(token), *embedded,
             *(text.replace("+", "-").replace("/", "_") for text in embedded)]
    body = json.dumps({"forms": forms}).encode()
    return up.answer(body, status, [("content-type", "application/json"), ("x-echo", token), ("etag", token)])


def echo_refused(seen, connection):
    return echo(seen, connection, "401 Unauthorized")


class Servers:
    def __init__(self, tap, serve, certificate):
        self.tap, self.serve, self.certificate = tap, serve, certificate


@pytest.mark.parametrize("name", FAILURES)
def test_nothing_shows_whatever_the_upstream_does(start, tap, serve, certificate, name):
    reach, status = FAILURES[name]
    world = start(to=reach(Servers(tap, serve, certificate)), env=LOUD,
                  routes={"GET /x": route("/anything/x", response={"headers": "any"})})
    for _ in range(2):  # also on a connection that was kept
        assert world.get("/x").status == status
    world.check_no_secret_in(world.function.output, "the log")


# The secret, the front's arguments, and a word that the message must hold.
REFUSED = {
    "missing": ({"github": None}, {}, "github"),
    "without the field": ({"github": {"another": CORE}}, {}, "token"),
    "no JSON": ({"github": CORE}, {}, "github"),
    "JSON but no object": ({"github": json.dumps([CORE])}, {}, "github"),
    "a field that is no text": ({"github": json.dumps({"token": {"deep": CORE}})}, {}, "token"),
    "an empty field": ({"github": json.dumps({"token": "", "other": CORE})}, {}, "github"),
    "empty": ({"github": {"token": CORE}}, lambda ids: {"empty": [f"{ids}/github"]}, "github"),
    "too short": ({"github": json.dumps({"token": SHORT, "other": CORE})}, {}, "8"),
    "two lines": ({"github": {"token": CORE + "\nsecond"}}, {}, "github"),
    "a line end at its end": ({"github": {"token": CORE + "\n"}}, {}, "github"),
    "a control character": ({"github": {"token": CORE + "\x07"}}, {}, "github"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("driver", ["emulator", "runtime api"])
def test_a_secret_that_cannot_be_used_is_refused_by_name_and_never_shown(start, tap, name, driver):
    secrets, front, word = REFUSED[name]
    world = start(to=tap, secrets=secrets, front=front, env=LOUD, routes={"GET /x": route("/anything/x")},
                  **({"driver": RuntimeApi} if driver == "runtime api" else {}))
    told = world.failed_start()
    assert world.ids["github"].encode() in told or b"github" in told, told[-2000:]
    assert word.encode() in told, told[-2000:]
    assert not found([CORE], told) and SHORT.encode() not in told
    assert tap.seen == []


@pytest.mark.parametrize("front", [{"broken": True}, {"deny": ["BatchGetSecretValue", "GetSecretValue"]}])
def test_without_secrets_manager_nothing_is_sent_and_the_message_is_clear(start, tap, front):
    world = start(to=tap, front=front, env=LOUD, routes={"GET /x": route("/anything/x")})
    told = world.failed_start()
    assert b"ecret" in told and tap.seen == [], told[-2000:]
    world.check_no_secret_in(told, "the log")


def test_with_secrets_manager_out_of_reach_nothing_is_sent(start, tap):
    env = {**LOUD, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    world = start(to=tap, env=env, routes={"GET /x": route("/anything/x")})
    assert b"ecret" in world.failed_start() and tap.seen == []


def test_the_search_itself_finds_a_secret_in_every_spelling():
    value = canary()
    for form in spellings(value):
        assert found([value], b"before " + form + b" after"), form
    assert not found([value], canary().encode())


def test_a_short_secret_is_allowed_where_a_field_may_hold_either(start, tap):
    recipe = {"basic": {"username": {"secret": "github.user"}, "password": {"secret": "github.token"}}}
    world = start(to=upstream(tap.url, recipe), secrets={"github": {"token": canary(), "user": "ab"}},
                  routes={"GET /x": route("/status/204")})
    assert world.get("/x").status == 204


def test_a_value_that_does_not_look_as_expected_is_refused(start, tap):
    world = start(to=tap, secrets=github(), routes={"GET /x": route("/anything/x")}, env=LOUD,
                  expect={"github": "^sk_live_"})
    assert b"github" in world.failed_start() and tap.seen == []

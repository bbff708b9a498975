"""An upstream that says everything back, httpbin, behind every recipe: what
proved us to it is in no answer and in no line of the log."""

import base64
import json
import re
import urllib.parse

import jwt
import pytest

from harness.canary import canary, found
from harness.issuer import Key
from harness.upstream import Upstream, answer
from harness.vault import REGION
from harness.world import route, upstream

RSA = Key("RS256")
ACCESS_TOKEN = canary("access")
SECRETS = {name: canary(name) for name in ("bearer", "basic", "header", "query", "body", "client", "hmac")} | {
    "cookie": canary("cookie").replace('"', ""), "path": canary("path").replace("/", ""), "jwt": RSA.pem,
    "aws": {"id": "AKIDCANARY0123456789", "key": canary("aws")}}


def recipes(token_url):
    return {
        "bearer": {"bearer": "bearer"},
        "basic": {"basic": {"username": "me", "password": {"secret": "basic"}}},
        "header": {"header": {"name": "x-api-key", "value": {"secret": "header", "format": "Key {}"}}},
        "query": {"query": {"name": "key", "value": {"secret": "query"}}},
        "cookie": {"cookie": {"name": "session", "value": {"secret": "cookie"}}},
        "path": {"path": {"param": "token", "value": {"secret": "path"}}},
        "body": {"body": {"pointer": "/auth/key", "value": {"secret": "body"}}},
        "oauth2": {"oauth2": {"token_url": token_url, "client_id": "me", "client_secret": "client"}},
        "jwt": {"jwt": {"key": "jwt", "issuer": "me", "audience": "them"}},
        "hmac": {"hmac": {"key": "hmac", "over": "{timestamp}.{body}", "header": "x-signature",
                          "format": "t={timestamp},v1={signature}"}},
        "sigv4": {"sigv4": {"service": "execute-api", "region": REGION, "access_key_id": "aws.id",
                            "secret_access_key": "aws.key"}},
    }


ANY = {"request": {"query": "any", "headers": "any"}, "response": {"headers": "any"}}
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


@pytest.fixture(scope="module")
def tokens():
    ours = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 600}
    server = Upstream(lambda seen, _: answer(json.dumps(ours).encode()))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def world(launch, shared_tap, tokens):
    """One function with an upstream for each recipe, all of them httpbin."""
    made = recipes(f"{tokens.url}/token")
    routes = {f"ANY /{name}/{{path+}}": route("/{path}", name, methods=["GET", "POST"], **ANY) for name in made}
    routes["ANY /body/{path+}"]["methods"] = ["POST"]
    routes["ANY /path/{path+}"]["path"] = "/anything/{token}/{path}"
    routes["GET /path/etag"] = route("/etag/{token}", "path", **ANY)
    running = launch(secrets=SECRETS, routes=routes,
                     upstreams={name: upstream(shared_tap.url, recipe) for name, recipe in made.items()})
    running.secrets = {**SECRETS, "token": ACCESS_TOKEN}
    return running


# What is asked of httpbin, and what it says to that.
ASKED = {
    "anything": (200, "GET", "anything", [], [], None),
    "anything of a form": (200, "POST", "anything", [], FORM, "a=1&b=2"),
    "anything of JSON": (200, "POST", "anything", [], [("Content-Type", "application/json")], '{"a":1}'),
    "headers": (200, "GET", "headers", [], [], None),
    "get": (200, "GET", "get", [("a", "1")], [], None),
    "post": (200, "POST", "post", [], FORM, "a=1"),
    "bearer": (200, "GET", "bearer", [], [], None),
    "gzip": (200, "GET", "gzip", [], [("Accept-Encoding", "gzip")], None),
    "gzip for nobody": (200, "GET", "gzip", [], [], None),
    "deflate": (200, "GET", "deflate", [], [("Accept-Encoding", "deflate")], None),
    "brotli": (200, "GET", "brotli", [], [("Accept-Encoding", "br")], None),
    "stream": (200, "GET", "stream/3", [], [], None),
    "response headers": (200, "GET", "response-headers", [("x-more", "1")], [], None),
    "response headers by post": (200, "POST", "response-headers", [("x-more", "1")], [], None),
    "redirect": (302, "GET", "redirect-to", [("url", "/get?a=1")], [], None),
    "redirect of a form": (302, "POST", "redirect-to", [], FORM, "url=/get"),
    "cookies": (200, "GET", "cookies", [], [], None),
}
# With these there is no bearer, so that /bearer says 401.
NO_BEARER = {"basic", "header", "query", "cookie", "hmac", "sigv4"}


# A body's recipe is for methods that have one.
PAIRS = [(name, asked) for name in recipes("") for asked in ASKED if name != "body" or ASKED[asked][1] == "POST"]


@pytest.mark.parametrize(("name", "asked"), PAIRS)
def test_what_proved_us_is_nowhere(world, tap, name, asked):
    status, method, path, query, headers, body = ASKED[asked]
    got = world.ask(method, f"/{name}/{path}", headers, query, body)
    if name == "path" or (asked == "bearer" and name in NO_BEARER):
        status = 200 if name == "path" else 401
    assert got.status == status, got
    shown = proofs(name, tap.seen[-1])
    assert shown, "the credential did not go out"
    for place in (got.body, repr(got.raw).encode(), world.function.output):
        assert not found(shown, place), (shown, place[-2000:])


def proofs(name, seen):
    """What a request carries that is worth something to whoever reads it."""
    scheme, _, value = (seen.header("authorization") or "").partition(" ")
    if name in {"bearer", "oauth2", "jwt"}:
        assert scheme == "Bearer"
        if name == "jwt":
            jwt.decode(value, RSA.public, algorithms=["RS256"], audience="them")
        return [value]
    if name == "basic":
        assert base64.b64decode(value).decode() == f"me:{SECRETS['basic']}"
        return [value]
    if name == "sigv4":
        assert f"Credential={SECRETS['aws']['id']}/" in value
        return [SECRETS["aws"]["id"]]
    secret = SECRETS[name]
    went = {
        "header": lambda: seen.header("x-api-key") == f"Key {secret}",
        "query": lambda: ("key", secret) in seen.query,
        "cookie": lambda: seen.header("cookie") == f"session={secret}",
        "path": lambda: f"/{secret}/" in urllib.parse.unquote(seen.path),
        "body": lambda: secret in urllib.parse.unquote_plus(seen.body.decode()) or secret in in_json(seen.body),
        "hmac": lambda: re.fullmatch(r"t=\d+,v1=[0-9a-f]{64}", seen.header("x-signature")),
    }
    return [secret] if went[name]() else []


def in_json(body):
    return str(json.loads(body)) if body.startswith(b"{") else ""


# Where httpbin repeats what went out, it was there, and was cut out.
REPEATED = {"bearer": "headers", "basic": "headers", "header": "headers", "query": "get", "cookie": "headers",
            "path": "x", "oauth2": "headers", "jwt": "bearer", "sigv4": "headers"}


@pytest.mark.parametrize("name", REPEATED)
def test_what_was_said_back_is_cut_out_and_recorded(world, tap, name):
    got = world.get(f"/{name}/{REPEATED[name]}")
    assert b"[redacted]" in got.body and got.record["leak"] is True


def test_what_was_said_back_in_a_header_is_cut_out_too(world, tap):
    got = world.get("/query/response-headers")
    assert got.header("key") == "[redacted]" and got.record["leak"] is True
    got = world.get("/path/etag")
    assert (got.status, got.header("etag"), got.record["leak"]) == (200, None, True)
    assert b"/etag/[redacted]" in got.body


def test_a_field_of_a_body_is_cut_out_too(world, tap):
    got = world.post("/body/post", "a=1", FORM[0][1])
    assert got.json()["form"] == {"a": "1", "auth[key]": "[redacted]"}

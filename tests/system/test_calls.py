"""A page's call goes through, with a credential that the page never sees."""

import base64
import urllib.parse

import pytest

from harness.canary import canary
from harness.world import PAGE, route, upstream


def test_a_pages_get_reaches_the_upstream_with_the_token_and_comes_back_without_it(proxy, tap):
    answer = proxy.get("/my-repos", query=[("page", "2")])
    assert answer.status == 200 and answer.json()["args"] == {"page": "2"}
    assert answer.header("access-control-allow-origin") == PAGE
    [seen] = tap.seen
    assert seen.header("authorization") == f"Bearer {proxy.secrets['github']['token']}"
    assert (seen.method, seen.target) == ("GET", "/anything/user/repos?page=2")


# httpbin repeats what it is sent, so each of these answers also shows whether
# the secret was cut out of it: `World` searches every answer.
TOKEN, PLAIN, SHORT = canary("tok"), canary("plain").replace('"', "").replace("&", "_"), "u-77"
RECIPES = {
    "bearer": ({"bearer": "keys.token"}, lambda seen: seen.header("authorization") == f"Bearer {TOKEN}"),
    "bearer of a whole secret": ({"bearer": "whole"}, lambda seen: seen.header("authorization") == f"Bearer {PLAIN}"),
    "basic": (
        {"basic": {"username": {"secret": "keys.user"}, "password": {"secret": "keys.token"}}},
        lambda seen: seen.header("authorization") == basic(SHORT, TOKEN)),
    "basic with a plain user name": (
        {"basic": {"username": "api", "password": {"secret": "keys.token"}}},
        lambda seen: seen.header("authorization") == basic("api", TOKEN)),
    "header": (
        {"header": {"name": "X-Api-Key", "value": {"secret": "keys.token"}}},
        lambda seen: seen.header("x-api-key") == TOKEN),
    "header with words around": (
        {"header": {"name": "Authorization", "value": {"secret": "keys.token", "format": "Token {}"}}},
        lambda seen: seen.header("authorization") == f"Token {TOKEN}"),
    "query": (
        {"query": {"name": "access_token", "value": {"secret": "keys.token"}}},
        lambda seen: ("access_token", TOKEN) in seen.query),
    "cookie": (
        {"cookie": {"name": "session", "value": {"secret": "whole"}}},
        lambda seen: seen.header("cookie") == f"session={PLAIN}"),
    "path": (
        {"path": {"param": "token", "value": {"secret": "keys.token"}}},
        lambda seen: urllib.parse.unquote(seen.path) == f"/anything/bot{TOKEN}/send" and seen.path.count("/") == 3),
    "two at once": (
        [{"bearer": "keys.token"}, {"header": {"name": "X-Account", "value": {"secret": "whole"}}}],
        lambda seen: (seen.header("authorization"), seen.header("x-account")) == (f"Bearer {TOKEN}", PLAIN)),
}
# What a caller proves itself with to us, or to somebody else; each is refused upstream.
CALLERS_OWN = [
    ("Authorization", "Bearer the-callers-own"), ("Cookie", "session=the-callers-own"),
    ("X-Api-Key", "the-callers-own"), ("Proxy-Authorization", "Basic the-callers-own"),
    ("X-Account", "the-callers-own")]


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def recipes(launch, shared_tap):
    """One world with an upstream and a route for each recipe."""
    places = {name: f"up{number}" for number, name in enumerate(RECIPES)}
    world = launch(
        upstreams={places[name]: upstream(shared_tap.url, recipe) for name, (recipe, _) in RECIPES.items()},
        routes={f"GET /{at}": route(path_of(name), at, request={"query": "any", "headers": "any"})
                for name, at in places.items()},
        secrets={"keys": {"token": TOKEN, "user": SHORT}, "whole": PLAIN})
    world.places = places
    return world


def path_of(name):
    return "/anything/bot{token}/send" if name == "path" else "/anything/it"


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_writes_the_secret_where_it_belongs(recipes, tap, name):
    answer = recipes.get(f"/{recipes.places[name]}")
    assert answer.status == 200, answer
    assert RECIPES[name][1](tap.seen[-1]), tap.seen[-1]


@pytest.mark.parametrize("name", RECIPES)
def test_what_the_caller_proves_itself_with_stays_here_and_nothing_is_doubled(recipes, tap, name):
    answer = recipes.get(f"/{recipes.places[name]}", CALLERS_OWN, [("access_token", "the-callers-own"), ("q", "1")])
    if answer.status == 400:  # the credential's own parameter may be refused too
        assert answer.code == "query_not_allowed"
        answer = recipes.get(f"/{recipes.places[name]}", CALLERS_OWN, [("q", "1")])
    assert answer.status == 200, answer
    seen = tap.seen[-1]
    assert RECIPES[name][1](seen), seen
    # Only what is no credential of this route may be the caller's: `any` asked for it.
    free = {"x-account"} if name != "two at once" else set()
    assert not [header for header, value in seen.headers
                if "the-callers-own" in value and header.lower() not in free], seen
    assert name != "query" or "the-callers-own" not in seen.target, seen


# What API Gateway adds, and what would let a caller speak for somebody else.
NEVER_CROSS = [
    ("X-Forwarded-For", "203.0.113.7, 70.132.1.1"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Proto", "https"),
    ("X-Amzn-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"), ("Via", "2.0 cloudfront"),
    ("Forwarded", "for=203.0.113.7"), ("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/admin"),
    ("X-Rewrite-URL", "/admin"), ("Expect", "100-continue"), ("TE", "trailers"), ("Upgrade", "h2c"),
    ("Connection", "keep-alive, x-hop"), ("X-Hop", "1"), ("Transfer-Encoding", "chunked"),
    ("Lambda-Runtime-Aws-Request-Id", "1"), ("Host", "evil.example.net"), ("Range", "bytes=0-1")]


def test_hop_by_hop_and_forwarding_headers_do_not_cross_even_where_any_header_may(recipes, tap):
    answer = recipes.get(f"/{recipes.places['bearer']}", [*NEVER_CROSS, ("X-Mine", "yes")])
    assert answer.status == 200, answer
    seen = tap.seen[-1]
    assert seen.header("x-mine") == "yes"
    assert seen.header("host") == f"127.0.0.1:{tap.port}"
    names = {name.lower() for name, _ in seen.headers}
    assert not names & {name.lower() for name, _ in NEVER_CROSS} - {"host", "connection"}, names


def test_only_declared_headers_and_the_usual_ones_cross(proxy, tap):
    proxy.get("/any/h", [("X-One", "1"), ("X-Other", "2"), ("Accept", "text/x"), ("Accept-Language", "de"),
                         ("If-None-Match", '"e"'), ("Referer", "https://app.example.com/")])
    seen = tap.seen[-1]
    assert [seen.header(name) for name in ("x-one", "accept", "accept-language", "if-none-match")] == \
        ["1", "text/x", "de", '"e"']
    assert seen.values("x-other") == seen.values("referer") == seen.values("origin") == []


def test_only_declared_response_headers_and_the_usual_ones_come_back(proxy):
    answer = proxy.get("/my-repos")
    names = {name for name, _ in answer.headers}
    assert "content-type" in names and not names & {"server", "date", "connection", "set-cookie"}, names


def test_the_upstreams_own_cors_headers_are_dropped(proxy):
    answer = proxy.get("/cookies", query=[("Access-Control-Allow-Origin", "*"), ("Set-Cookie", "a=b"), ("X-Fine", "1")])
    assert answer.header("access-control-allow-origin") == PAGE
    assert (answer.header("x-fine"), answer.values("set-cookie")) == ("1", [])


def test_cache_control_is_no_store_where_the_upstream_says_nothing(proxy):
    assert proxy.get("/my-repos").header("cache-control") == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_method_of_an_any_route_goes_up_as_it_came(proxy, tap, method):
    answer = proxy.ask(method, "/any/m", [("Content-Type", "text/plain")], body="hello")
    assert answer.status == 200 and answer.json()["data"] == "hello"
    assert (tap.seen[-1].method, tap.seen[-1].body) == (method, b"hello")


def test_head_is_served_by_a_get_route_and_has_no_body(proxy, tap):
    answer = proxy.ask("HEAD", "/my-repos")
    assert (answer.status, answer.body) == (200, b"")
    assert tap.seen[-1].method == "HEAD"


def test_the_upstreams_own_refusal_comes_back_as_it_is(proxy):
    assert proxy.get("/status/418").status == 418
    assert proxy.get("/status/404").code.startswith("no problem")


def test_a_redirect_is_not_followed(proxy, tap):
    answer = proxy.get("/redirect")
    assert answer.status == 302 and len(tap.seen) == 1


def test_declared_headers_of_the_upstream_override_the_callers(start, tap):
    world = start(to=upstream(tap.url, headers={"accept": "application/vnd.github+json", "user-agent": "countersign"}),
                  routes={"GET /x": route("/anything/x")})
    assert world.get("/x", [("Accept", "text/html"), ("User-Agent", "Mozilla")]).status == 200
    assert (tap.seen[-1].header("accept"), tap.seen[-1].header("user-agent")) == \
        ("application/vnd.github+json", "countersign")

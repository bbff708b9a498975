"""What the gateways really send, and what they accept.

The facts are from recordings of the real services; each has its test here.
"""

import gzip
import json
import urllib.parse

import pytest

from harness import events
from harness.upstream import answer as http_answer
from harness.upstream import ok, says
from harness.world import PAGE, route

BYTES = bytes(range(256)) * 3


@pytest.fixture
def api(start, serve):
    """A world whose only route takes everything, and its upstream."""
    server = serve(ok())
    more = {"request": {"query": "any", "headers": "any"}, "response": {"headers": "any"}}
    world = start(to=server, routes={"ANY /{path+}": route("/base/{path}", **more), "GET /": route("/root", **more)})
    world.upstream = server
    return world


def test_repeated_headers_of_a_rest_event_all_arrive_in_order(api):
    api.get("/x", [("X-Many", "a"), ("X-One", "1"), ("X-Many", "b, c"), ("X-Many", "a")])
    seen = api.upstream.seen[-1]
    assert ", ".join(seen.values("x-many")) == "a, b, c, a"
    assert seen.header("x-one") == "1"


QUERY = [("b", "2"), ("a", "x y"), ("a", "1+1"), ("a", ""), ("ü", "☕&="), ("b", "2"), ("a", "100%"), ("q[]", "#?/")]


@pytest.mark.parametrize("kind", ["rest", "http", "url", "alb"])
def test_repeated_query_parameters_arrive_complete_and_in_order(api, kind):
    answer = api.get("/x", query=QUERY, kind=kind)
    assert answer.status == 200, answer
    query = api.upstream.seen[-1].query
    for name in dict(QUERY):  # the order across names is not in a REST event
        assert [v for n, v in query if n == name] == [v for n, v in QUERY if n == name]
    assert len(query) == len(QUERY)


@pytest.mark.parametrize("kind", ["http", "url"])
def test_the_query_of_a_version_2_event_keeps_its_whole_order(api, kind):
    api.get("/x", query=QUERY, kind=kind)
    assert api.upstream.seen[-1].query == QUERY


# In the request line, and what an upstream must decode.
PATHS = [
    ("/capture/space%20value", "capture/space value"), ("/a%2Bb", "a+b"), ("/a+b", "a+b"),
    ("/%E2%98%95", "☕"), ("/100%25", "100%"), ("/what%3Fnot%23", "what?not#"), ("/a;b=c", "a;b=c"),
    ("/a@b:c", "a@b:c"), ("/caf%c3%a9", "café"), ("/%22%3C%3E", '"<>'), ("/a%26b%3Dc", "a&b=c"), ("/x/", "x/"),
]


@pytest.mark.parametrize("path, decoded", PATHS)
@pytest.mark.parametrize("kind", ["rest", "url", "alb"])
def test_a_percent_encoded_path_means_the_same_upstream(api, kind, path, decoded):
    answer = api.get(path, kind=kind)
    assert answer.status == 200, answer
    [seen] = api.upstream.seen[-1:]
    assert urllib.parse.unquote(seen.path) == f"/base/{decoded}"
    assert "?" not in seen.target and "#" not in seen.target


# Two programs could read these differently; none may reach an upstream.
TRICKS = [
    "/a//b", "//a", "/a/../b", "/..", "/a/.", "/a/%2e%2e/b", "/a/%2E./b", "/%2e", "/a%2Fb", "/a%2fb", "/a%5Cb",
    "/a\\b", "/a%00b", "/a%0d%0ab", "/a%7f", "/a%", "/a%zz", "/a%ff", "/a%252e%252e/b", "/a%252fb", "/..;/b",
]


@pytest.mark.parametrize("kind", ["rest", "url", "alb"])
def test_an_ambiguous_path_is_refused_before_any_route_is_looked_at(api, kind):
    for path in TRICKS:
        answer = api.get(path, kind=kind)
        assert (answer.status, answer.code) == (400, "malformed_path"), path
        assert answer.header("access-control-allow-origin") == PAGE, path
    assert api.upstream.seen == []


def test_an_encoded_slash_stays_within_its_segment_where_a_route_keeps_it(proxy, tap):
    assert proxy.get("/npm/@scope%2Fname").status == 200
    assert tap.seen[-1].path.lower() == "/anything/npm/@scope%2fname"
    assert proxy.get("/items/a%2Fb").code == "malformed_path"


def test_a_trailing_slash_is_another_path(proxy, tap):
    assert proxy.get("/my-repos/").code == "route_not_found"
    assert proxy.get("/any/a/").status == 200 and tap.seen[-1].path == "/anything/a/"


def test_the_root_is_served(api):
    assert api.get("/").status == 200 and api.upstream.seen[-1].path == "/root"


@pytest.mark.parametrize("stage", ["prod", "x"])
def test_a_path_that_begins_like_the_stage_is_not_cut(api, stage):
    event = events.rest("GET", f"/{stage}/thing", [("Origin", PAGE)], stage=stage)
    assert api.send(event).status == 200
    assert api.upstream.seen[-1].path == f"/base/{stage}/thing"


def test_the_base_path_of_a_custom_domain_is_cut_off(api):
    event = events.rest("GET", "/thing")
    event["path"] = "/v1/thing"  # the mapping is in `path`, not in the parameter
    assert api.send(event).status == 200
    assert api.upstream.seen[-1].path == "/base/thing"


def test_the_stage_of_an_http_api_is_cut_off(api):
    assert api.send(events.http("GET", "/thing", stage="dev"), "http").status == 200
    assert api.upstream.seen[-1].path == "/base/thing"


MAPS = ["headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters",
        "pathParameters", "stageVariables"]


@pytest.mark.parametrize("absent", ["null", "missing", "empty"])
def test_absent_maps_may_be_null_missing_or_empty(api, absent):
    event = events.rest("GET", "/x")
    for name in MAPS:
        event[name] = {} if absent == "empty" else None
        if absent == "missing":
            del event[name]
    answer = api.send(event)
    assert answer.status == 200 and "origin" in answer.words("vary"), answer


def test_a_body_without_headers_is_taken(api):
    event = events.rest("POST", "/x", body="hello")
    assert api.send(event).status == 200 and api.upstream.seen[-1].body == b"hello"


@pytest.mark.parametrize("kind", events.KINDS)
def test_a_base64_body_arrives_as_bytes(api, kind):
    answer = api.ask("POST", "/x", [("Content-Type", "application/octet-stream")], body=BYTES, kind=kind)
    assert answer.status == 200, answer
    assert api.upstream.seen[-1].body == BYTES


def test_a_body_that_is_no_base64_is_a_problem_and_the_next_event_is_served(api):
    event = events.rest("POST", "/x", [("Origin", PAGE)], body=b"abc")
    event["body"] = "***"
    assert api.send(event).status == 400 and api.upstream.seen == []
    assert api.get("/x").status == 200


@pytest.mark.parametrize("kind", events.KINDS)
def test_a_binary_answer_comes_back_equal(api, kind):
    api.upstream._script = says(http_answer(BYTES, headers=[("content-type", "image/png")]))
    answer = api.get("/x", kind=kind)
    assert answer.raw["isBase64Encoded"] is True and answer.body == BYTES
    assert answer.header("content-type") == "image/png"


def test_a_binary_answer_that_claims_to_be_text_comes_back_equal(api):
    api.upstream._script = says(http_answer(b"\xff\xfe\x00text", headers=[("content-type", "text/plain")]))
    assert api.get("/x").body == b"\xff\xfe\x00text"


def test_an_answer_in_text_is_not_base64(api):
    api.upstream._script = says(http_answer("☕".encode(), headers=[("content-type", "text/plain; charset=utf-8")]))
    answer = api.get("/x")
    assert answer.raw["isBase64Encoded"] is False and answer.raw["body"] == "☕"


def test_an_image_of_a_real_server_comes_back_equal(proxy):
    answer = proxy.get("/image")
    assert answer.raw["isBase64Encoded"] is True and answer.body.startswith(b"\x89PNG\r\n\x1a\n")


# httpbin says back the headers it got, the credential among them, so the guard has to cut.
@pytest.mark.parametrize(("path", "flag"), [("/gzip", "gzipped"), ("/deflate", "deflated"), ("/brotli", "brotli")])
@pytest.mark.parametrize("accept", ["gzip, deflate, br", "identity", None])
def test_an_answer_compressed_though_asked_not_to_be_is_searched_and_arrives_right(proxy, tap, path, flag, accept):
    answer = proxy.get(path, [("Accept-Encoding", accept)] if accept else [])
    said = json.loads(answer.body)
    assert answer.status == 200 and said[flag] is True and "[redacted]" in str(said["headers"])
    assert answer.header("content-encoding") is None
    assert tap.seen[-1].header("accept-encoding") in (None, "identity")


def test_a_clean_compressed_answer_leaves_as_it_came(api):
    packed = gzip.compress(b"hello, hello, hello")
    said = [("content-type", "text/plain"), ("content-encoding", "gzip")]
    api.upstream._script = says(http_answer(packed, headers=said))
    answer = api.get("/x", [("Accept-Encoding", "gzip")])
    assert answer.raw["isBase64Encoded"] is True and answer.body == packed
    assert answer.header("content-encoding") == "gzip"
    assert api.get("/x").body == b"hello, hello, hello"


def test_a_body_without_a_type_gets_one(api):
    api.upstream._script = says(http_answer(b"hello", headers=[]))
    answer = api.get("/x")
    assert answer.body == b"hello" and answer.header("content-type")


def test_repeated_response_headers_survive_in_order(api):
    links = [("link", '<a>; rel="x"'), ("content-type", "text/plain"), ("link", '<b>; rel="y"')]
    api.upstream._script = says(http_answer(b"hello", headers=[("x-many", "1"), *links, ("x-many", "2")]))
    assert ", ".join(api.get("/x").values("x-many")) == "1, 2"


@pytest.mark.parametrize("kind", events.KINDS)
def test_every_kind_of_event_is_served_alike(api, kind):
    api.upstream._script = says(http_answer(b'{"a":1}'))
    answer = api.get("/x", kind=kind)
    assert (answer.status, answer.json(), answer.header("access-control-allow-origin")) == (200, {"a": 1}, PAGE)


@pytest.mark.parametrize("kind", events.KINDS)
def test_every_kind_of_event_gets_problems_too(proxy, kind):
    answer = proxy.get("/nowhere", kind=kind)
    answer.is_problem(404, "route_not_found")
    assert answer.header("access-control-allow-origin") == PAGE


def test_a_load_balancer_gets_the_maps_that_it_reads(api):
    """Multi-value headers on: only `multiValueHeaders` is read; off: only `headers`."""
    assert "multiValueHeaders" in api.get("/x", kind="alb").raw
    assert "headers" in api.get("/x", kind="alb_single").raw


STRANGE = [
    b"{}", b"[]", b"null", b'"text"', b"7", b"not json", b"", b'{"httpMethod": 7}', b'{"Records": []}',
    b'{"httpMethod": "GET"}', b'{"version": "2.0"}', b'{"path": "/x"}', b'{"requestContext": null}',
    b'{"requestContext": {"elb": {}}, "httpMethod": "GET"}', b'{"httpMethod": "GE T", "path": "/x"}',
    b'{"type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-west-1:1:a/prod/GET/x", "requestContext": '
    b'{"connectionId": "c", "eventType": "CONNECT"}}',
]


def test_an_event_that_is_none_of_these_gets_a_clear_error_and_the_next_is_served(api):
    for event in STRANGE:
        told = json.loads(api.invoke(event))
        assert told.get("statusCode") in (400, 405, None), (event, told)
        assert "body" in told or "errorMessage" in told, (event, told)
        assert api.get("/x").status == 200, event

"""Who is refused, in which order, and whether a page can read why."""

import pytest

from harness.world import FOREIGN, PAGE, route


# status, code, and the request
REFUSALS = {
    "an unknown path": (404, "route_not_found", ("GET", "/nowhere")),
    "a method that the path does not have": (405, "method_not_allowed", ("POST", "/my-repos")),
    "an undeclared query parameter": (400, "query_not_allowed", ("GET", "/my-repos", (), [("token", "x")])),
    "an ambiguous path": (400, "malformed_path", ("GET", "/any/../x")),
    "a body that is too long": (413, "body_too_large", (
        "POST", "/contact", [("Content-Type", "application/json")], (), "x" * 1025)),
    "a body of another type": (415, "content_type_not_allowed", (
        "POST", "/contact", [("Content-Type", "text/xml")], (), "<a/>")),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_a_problem_that_our_page_can_read(proxy, tap, name):
    status, code, request = REFUSALS[name]
    answer = proxy.ask(*request)
    answer.is_problem(status, code)
    assert answer.header("access-control-allow-origin") == PAGE
    assert "origin" in answer.words("vary") and tap.seen == []


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_neither_the_upstream_nor_the_secret(proxy, name):
    text = proxy.ask(*REFUSALS[name][2]).body
    assert b"127.0.0.1" not in text and b"countersign/" not in text and b"github" not in text


def test_a_405_says_which_methods_there_are(proxy):
    assert {"get", "head"} <= proxy.ask("POST", "/my-repos").words("allow")
    assert {"get", "head", "delete"} <= proxy.ask("PUT", "/items/1").words("allow")


def test_a_refused_query_names_the_allowed_parameters(proxy):
    detail = proxy.get("/my-repos", query=[("nope", "1")]).body.decode()
    assert all(name in detail for name in ("page", "per_page", "sort"))


def test_a_413_says_the_limit(proxy):
    assert "1024" in proxy.post("/contact", "x" * 2000).json()["detail"].replace(",", "").replace("1 KiB", "1024") \
        .replace("1KiB", "1024").replace("1.0 KiB", "1024")


def test_a_body_up_to_the_limit_passes(proxy):
    assert proxy.post("/contact", "x" * 1024).status == 200
    assert proxy.post("/contact", "a=b", "application/x-www-form-urlencoded").status == 200
    assert proxy.post("/contact", "{}", "application/json; charset=utf-8").status == 200


@pytest.mark.parametrize("origin", [
    FOREIGN, "null", "http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.net",
    "https://evil-app.example.com", "https://a.b.preview.example.com", "https://preview.example.com",
    "https://a.preview.example.com:444", "https://APP.example.com.", "https://app.example.com/", "*"])
def test_a_foreign_origin_is_refused_before_the_credential_is_used(proxy, tap, origin):
    answer = proxy.get("/my-repos", origin=origin)
    answer.is_problem(403, "origin_not_allowed")
    assert answer.values("access-control-allow-origin") == [] and "origin" in answer.words("vary")
    assert tap.seen == []


@pytest.mark.parametrize("origin", [PAGE, "https://pr-7.preview.example.com"])
def test_a_declared_origin_is_echoed(proxy, origin):
    assert proxy.get("/my-repos", origin=origin).header("access-control-allow-origin") == origin


def test_a_program_without_an_origin_is_served_and_the_answer_still_varies(proxy):
    answer = proxy.get("/my-repos", origin=None)
    assert answer.status == 200 and answer.values("access-control-allow-origin") == []
    assert "origin" in answer.words("vary")


def test_the_readable_headers_are_the_routes_own(proxy):
    assert {"link", "etag"} <= proxy.get("/my-repos").words("access-control-expose-headers")


def test_a_preflight_is_answered_without_token_and_without_the_upstream(proxy, tap):
    answer = proxy.preflight("/my-repos", "GET", headers="content-type")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == PAGE
    assert "get" in answer.words("access-control-allow-methods")
    assert "content-type" in answer.words("access-control-allow-headers")
    assert answer.header("access-control-max-age") == "600"
    assert {"origin", "access-control-request-method", "access-control-request-headers"} <= answer.words("vary")
    assert tap.seen == []


def test_a_preflight_allows_the_routes_own_headers(proxy):
    assert {"x-many", "x-one"} <= proxy.preflight("/any/x", "POST").words("access-control-allow-headers")


def test_a_preflight_for_another_method_lists_those_that_there_are(proxy):
    answer = proxy.preflight("/my-repos", "DELETE")
    assert answer.status == 204 and "delete" not in answer.words("access-control-allow-methods")


def test_a_preflight_of_an_unknown_path_is_a_404_that_the_page_can_read(proxy):
    answer = proxy.preflight("/nowhere")
    answer.is_problem(404, "route_not_found")
    assert answer.header("access-control-allow-origin") == PAGE


@pytest.mark.parametrize("path", ["/my-repos", "/nowhere"])
def test_a_preflight_from_a_foreign_origin_learns_nothing(proxy, path):
    answer = proxy.preflight(path, origin=FOREIGN)
    assert answer.status == 403
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


def test_the_origin_is_judged_before_the_route_and_the_path_before_both(proxy):
    assert proxy.get("/nowhere", origin=FOREIGN).code == "origin_not_allowed"
    assert proxy.get("/a/../b", origin=FOREIGN).code == "malformed_path"


def test_without_cors_no_page_may_call_but_programs_may(start, tap):
    world = start(to=tap, routes={"GET /x": route("/anything/x")}, cors=False)
    assert world.get("/x").code == "origin_not_allowed"
    assert world.get("/x", origin=None).status == 200

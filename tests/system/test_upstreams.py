"""Whatever an upstream does, a page gets an answer that it can read, in time."""

import time

import pytest

from harness import upstream as up
from harness.world import PAGE, route, upstream

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\n"

# A connection that broke in the middle of an answer may be called either.
BROKEN = {"upstream_unreachable", "upstream_invalid"}
# What the upstream does; what the caller gets.
TROUBLE = {
    "a reset instead of an answer": (up.resets(), 502, {"upstream_unreachable"}),
    "an end instead of an answer": (up.says_and_hangs_up(b""), 502, {"upstream_unreachable"}),
    "a reset within the head": (up.resets(b"HTTP/1.1 200 OK\r\nx:"), 502, BROKEN),
    "a reset within the body": (up.resets(HEAD + b"half"), 502, BROKEN),
    "a body shorter than said": (up.says_and_hangs_up(HEAD + b"half"), 502, BROKEN),
    "a chunk shorter than said": (
        up.says_and_hangs_up(CHUNKED + b"ff\r\nhalf"), 502, BROKEN),
    "chunks without an end": (
        up.says_and_hangs_up(CHUNKED + b"4\r\nhalf\r\n"), 502, BROKEN),
    "a chunk size that is no number": (up.says_and_hangs_up(CHUNKED + b"zz\r\nhalf\r\n"), 502, BROKEN),
    "no HTTP": (up.says_and_hangs_up(b"SSH-2.0-OpenSSH_9.2\r\n"), 502, {"upstream_invalid"}),
    "no status": (up.says_and_hangs_up(b"HTTP/1.1 abc\r\n\r\n"), 502, {"upstream_invalid"}),
    "two lengths": (
        up.says_and_hangs_up(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), 502,
        {"upstream_invalid"}),
    "a length that is no number": (
        up.says_and_hangs_up(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), 502, {"upstream_invalid"}),
    "a partial answer that nobody asked for": (
        up.says(up.answer(b"half", "206 Partial Content", [("content-range", "bytes 0-3/8")])), 502,
        {"upstream_invalid"}),
    "silence": (up.late(5), 504, {"upstream_timeout"}),
    "a body that does not end": (up.drips(5), 504, {"upstream_timeout"}),
    "more than the route takes": (up.ok(b"x" * 5000), 502, {"response_too_large"}),
    "more than the route takes, in chunks": (
        up.says_and_hangs_up(CHUNKED + b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"), 502, {"response_too_large"}),
}


def world_with(start, target, **more):
    return start(to=target, routes={
        "GET /x": route("/x", timeout="1s", response={"max_bytes": "4KiB"}),
        "POST /x": route("/x", timeout="1s")}, **more)


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_becomes_a_problem_that_our_page_can_read(start, serve, name):
    script, status, codes = TROUBLE[name]
    answer = world_with(start, serve(script)).get("/x")
    assert (answer.status, answer.code in codes) == (status, True), answer
    assert answer.header("access-control-allow-origin") == PAGE
    assert b"127.0.0.1" not in answer.body


def test_after_trouble_the_next_request_is_served(start, serve):
    scripts = [script for name, (script, *_) in TROUBLE.items() if name not in ("silence", "a body that does not end")]
    server = serve(None)
    world = start(to=upstream(server.url, retries=0), routes={"GET /x": route("/x", response={"max_bytes": "4KiB"})})
    for script in scripts:
        server._script = script
        assert world.get("/x").status == 502
        server._script = up.ok()
        assert world.get("/x").status == 200


def test_a_timeout_says_after_how_long_and_keeps_to_it(proxy):
    begun = time.monotonic()
    problem = proxy.get("/slow").is_problem(504, "upstream_timeout")
    assert time.monotonic() - begun < 3
    assert "1 s" in problem["detail"] or "1s" in problem["detail"] or "1 second" in problem["detail"], problem


def test_too_large_an_answer_of_a_real_server_is_withheld_and_one_that_fits_is_not(proxy):
    proxy.get("/big").is_problem(502, "response_too_large")
    assert len(proxy.get("/fits").body) == 4096


def test_nobody_listening_is_a_502(start, serve):
    server = serve(None)
    server.stop()
    world_with(start, server).get("/x").is_problem(502, "upstream_unreachable")


def test_an_idempotent_call_is_tried_again_and_another_is_not(start, serve):
    server = serve(up.in_turn(up.resets(), up.ok()))
    world = world_with(start, server)
    assert world.get("/x").status == 200 and len(server.seen) == 2
    server._script = up.in_turn(up.resets(), up.ok())
    assert world.post("/x", "{}").status == 502 and len(server.seen) == 3


def test_retries_end_within_the_timeout(start, serve):
    server = serve(up.says(up.answer(b"", "503 Service Unavailable")))
    world = start(to=upstream(server.url, retries=5), routes={"GET /x": route("/x", timeout="2s")})
    begun = time.monotonic()
    assert world.get("/x").status in (502, 503, 504)
    assert time.monotonic() - begun < 4 and len(server.seen) >= 2


def test_a_private_address_is_refused_unless_allowed(start, serve):
    server = serve(up.ok())
    for url in (server.url, f"http://localhost:{server.port}"):
        world = world_with(start, upstream(url, dangerous_private_network=False))
        answer = world.function.invoke(b'{"httpMethod":"GET","path":"/x","requestContext":{"stage":"prod"}}')
        assert b"127.0.0.1" not in answer and server.connections == 0, answer


def test_the_answer_is_in_time_for_the_gateway_though_the_route_would_wait_longer(start, serve):
    """API Gateway hangs up after 29 s, Lambda ends the function after 28."""
    server = serve(up.late(40))
    world = start(to=server, routes={"GET /x": route("/x", timeout="60s")})
    begun = time.monotonic()
    world.get("/x").is_problem(504, "upstream_timeout")
    assert time.monotonic() - begun < 28


def test_tls_with_a_further_authority_is_trusted(start, serve, certificate):
    context, root = certificate
    server = serve(up.ok(b'{"secure":true}'), tls=context)
    world = start(to=upstream(server.url), routes={"GET /x": route("/x")}, env={"COUNTERSIGN_EXTRA_CA": str(root)})
    assert world.get("/x").json() == {"secure": True}
    assert server.seen[-1].header("authorization").startswith("Bearer ghp-")

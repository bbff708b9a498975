"""The function in Lambda's streaming mode: one head for every kind of event,
the body behind it as it arrives, and memory that stays flat."""

import json
import queue
import threading

import pytest
import requests

from harness import events
from harness.function import Emulator, HangUp, RuntimeApi, Watch, to_bytes
from harness.process import wait_until
from harness.upstream import ok
from harness.world import PAGE, route

STREAMING = {"COUNTERSIGN_STREAMING": "true"}
ROUTES = {
    "GET /stream": route("/stream", response={"stream": True, "headers": ["x-many"]}),
    "GET /hurry": route("/hurry", timeout="1s", response={"stream": True}),
    "GET /whole": route("/whole"),
}
MEGABYTE = 1 << 20
# Of PERFORMANCE's table: all memory that the process ever held.
PEAK_KIB = 24 * 1024


def split(raw):
    """The head of a streamed answer, checked, and its body."""
    head, nuls, body = raw.partition(bytes(8))
    assert nuls, raw[:300]
    head = json.loads(head)
    assert head.keys() == {"statusCode", "headers", "cookies"} and head["cookies"] == [], head
    assert all(isinstance(value, str) for value in head["headers"].values()), head
    return head, body


def chunked(*chunks):
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def head(*lines):
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, "transfer-encoding: chunked", "")).encode()


@pytest.mark.parametrize("kind", events.KINDS)
@pytest.mark.parametrize("path", ["/stream", "/whole"])
def test_every_event_gets_the_same_head_and_plain_bytes(start, serve, kind, path):
    body = bytes(range(256))
    lines = ("x-many: 1", "x-many: 2", "vary: accept", "vary: x-otp", "content-type: image/png")
    server = serve(lambda seen, _: head(*lines) + chunked(body[:100], body[100:], b""))
    world = start(to=server, routes=ROUTES, env=STREAMING, driver=RuntimeApi)
    answer, sent = split(world.invoke(events.KINDS[kind]("GET", path, [("Origin", PAGE)])))
    assert (answer["statusCode"], sent) == (200, body)
    headers = answer["headers"]
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["vary"] == "Origin, accept, x-otp"
    assert headers["content-type"] == "image/png"
    assert headers.get("x-many") == ("1, 2" if path == "/stream" else None)
    assert not {"content-length", "transfer-encoding"} & headers.keys()
    assert world.function.modes == ["streaming"]


def test_problems_and_preflights_are_streamed_too(start, serve):
    world = start(to=serve(ok(b"{}")), routes=ROUTES, env=STREAMING, driver=RuntimeApi)
    answer, body = split(world.invoke(events.rest("GET", "/nowhere", [("Origin", PAGE)])))
    assert (answer["statusCode"], json.loads(body)["code"]) == (404, "route_not_found")
    asked = [("Origin", PAGE), ("Access-Control-Request-Method", "GET")]
    answer, body = split(world.invoke(events.rest("OPTIONS", "/stream", asked)))
    assert (answer["statusCode"], body) == (204, b"")
    # The runtime's own word, which nothing takes back (docs/decisions/streaming-mode.md).
    assert answer["headers"]["content-type"] == "application/octet-stream"
    answer, body = split(world.invoke(b"[]"))
    assert (answer["statusCode"], json.loads(body)["code"]) == (400, "malformed_event")


def test_the_first_token_is_out_before_the_upstream_says_the_second(start, serve):
    arrived = queue.Queue()
    said = threading.Event()

    def script(_, connection):
        connection.sendall(head("content-type: text/event-stream") + chunked(b"data: one\n\n"))
        assert said.wait(20), "the first event did not arrive"
        return chunked(b"data: two\n\n", b"")

    world = start(to=serve(script), routes=ROUTES, env=STREAMING, driver=RuntimeApi)
    world.function.on_chunk = arrived.put
    asking = threading.Thread(target=world.function.invoke, args=(to_bytes(events.rest("GET", "/stream")),))
    asking.start()
    until(arrived, b"data: one\n\n")
    assert world.records() == [], "the record is left at the end"
    said.set()
    until(arrived, b"data: two\n\n")
    asking.join(20)
    [record] = world.records()
    assert (record["stream"], record["bytes_out"]) == ("complete", 22)


def until(arrived, wanted):
    """Waits for a chunk that ends so."""
    while not arrived.get(timeout=20).endswith(wanted):
        pass


@pytest.mark.parametrize("status", [None, 413])
def test_a_runtime_api_that_takes_no_more_ends_the_body_and_not_the_function(start, serve, status):
    gone = threading.Event()

    def script(seen, connection):
        if seen.path == "/whole":
            return ok(b"whole")(seen, connection)
        connection.sendall(head("content-type: text/event-stream") + chunked(b"data: one\n\n"))
        gone.wait(20)  # silent until the test is over

    def until_one(chunk):
        if chunk.endswith(b"data: one\n\n"):
            raise HangUp(status)

    world = start(to=serve(script), routes=ROUTES, env=STREAMING, driver=RuntimeApi)
    pid = world.function.process.pid
    world.function.on_chunk = until_one
    world.function.invoke(to_bytes(events.rest("GET", "/stream")))
    world.function.on_chunk = None
    _, body = split(world.invoke(events.rest("GET", "/whole")))
    assert body == b"whole"
    first, second = world.records()
    assert (first["stream"], first["code"], first["bytes_out"]) == ("caller_left", None, 11)
    assert second["route"] == "GET /whole"
    assert (world.function.process.pid, world.function.process.exit_code) == (pid, None)
    gone.set()


def test_a_caller_that_does_not_read_does_not_hold_the_function(start, serve):
    block, done = b"x" * MEGABYTE, threading.Event()

    def script(seen, connection):
        if seen.path == "/whole":
            return ok(b"whole")(seen, connection)
        connection.sendall(head("content-type: application/octet-stream"))
        while True:
            connection.sendall(chunked(block))

    world = start(to=serve(script), routes=ROUTES, env=STREAMING, driver=RuntimeApi)

    def unread(_):
        done.wait(60)
        raise HangUp

    world.function.on_chunk = unread
    world.function.send(to_bytes(events.rest("GET", "/hurry")))
    wait_until(world.records, "the record", 15)
    world.function.on_chunk = None
    _, body = split(world.invoke(events.rest("GET", "/whole")))
    done.set()
    assert body == b"whole"
    assert [record.get("stream") for record in world.records()] == ["caller_left", None]


def test_a_hundred_megabytes_pass_through_a_few(start, serve):
    block = b"x" * (MEGABYTE // 16)

    def script(_, connection):
        connection.sendall(head("content-type: application/octet-stream"))
        for _ in range(100 * 16):
            connection.sendall(chunked(block))
        return chunked(b"")

    world = start(to=serve(script), routes=ROUTES, env=STREAMING, driver=RuntimeApi)
    passed = []
    world.function.on_chunk = lambda chunk: passed.append(len(chunk))
    world.function.invoke(to_bytes(events.rest("GET", "/stream")))
    assert sum(passed) >= 100 * MEGABYTE
    [record] = world.records()
    assert (record["stream"], record["bytes_out"]) == ("complete", 100 * MEGABYTE)
    peak = peak_kib(world)
    print(f"peak: {peak} KiB, in {len(passed)} chunks")
    assert peak <= PEAK_KIB


def peak_kib(world):
    with open(f"/proc/{world.function.process.pid}/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1])


def test_cargo_lambda_watch_streams(start, serve):
    said = threading.Event()

    def script(_, connection):
        connection.sendall(head("content-type: text/event-stream") + chunked(b"data: one\n\n"))
        assert said.wait(20), "the first event did not arrive"
        return chunked(b"data: two\n\n", b"")

    world = start(to=serve(script), routes=ROUTES, env=STREAMING, driver=Watch)
    with requests.get(f"{world.function.url}/stream", headers={"origin": PAGE}, stream=True, timeout=60) as answer:
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
        chunks = answer.iter_content(None)
        assert next(chunks) == b"data: one\n\n"
        said.set()
        assert b"".join(chunks) == b"data: two\n\n"
    wait_until(world.records, "the record")
    assert world.records()[0]["stream"] == "complete"


def test_the_emulator_takes_a_streamed_answer(start, serve):
    """It waits for the end of it, and hands it on as it is written."""
    world = start(to=serve(ok(b"whole")), routes=ROUTES, env=STREAMING, driver=Emulator)
    answer, body = split(world.invoke(events.rest("GET", "/stream")))
    assert (answer["statusCode"], body) == (200, b"whole")


def test_an_upstream_that_breaks_off_leaves_a_function_that_goes_on(start, serve):
    def script(_, connection):
        connection.sendall(head("content-type: text/event-stream") + chunked(b"data: one\n\ndata: tw"))

    world = start(to=serve(script), routes=ROUTES, env=STREAMING, driver=RuntimeApi)
    for _ in range(2):
        answer, body = split(world.invoke(events.rest("GET", "/stream")))
        one, error, rest = body.decode().partition("event: error\ndata: ")
        assert (answer["statusCode"], one, bool(error)) == (200, "data: one\n\n\n\n", True)
        assert json.loads(rest)["code"] == "upstream_unreachable"
    assert [record["stream"] for record in world.records()] == ["upstream_broke"] * 2
    assert world.function.failures == []


def test_without_the_variable_nothing_streams(start, serve):
    world = start(to=serve(ok(b"whole")), routes=ROUTES, driver=RuntimeApi)
    answer = world.get("/stream")
    assert (answer.status, answer.body, world.function.modes) == (200, b"whole", [None])


def test_a_variable_that_says_neither_is_refused_at_start(start, serve):
    world = start(to=serve(ok(b"")), routes=ROUTES, env={"COUNTERSIGN_STREAMING": "yes"}, driver=RuntimeApi)
    with pytest.raises(AssertionError, match="the function ended"):
        world.function.invoke(to_bytes(events.rest("GET", "/stream")))
    assert b"COUNTERSIGN_STREAMING is neither `true` nor `false`" in world.function.output

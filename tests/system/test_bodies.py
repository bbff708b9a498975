"""Bodies that are judged and reshaped, with the real parts: httpbin behind,
the binary that is deployed in the middle, and bombs in front.
"""

import gzip
import json
import threading

import brotlicffi as brotli
import pytest
import requests

from harness.function import RuntimeApi
from harness.process import wait_until
from harness.upstream import Upstream, answer, ok, says
from harness.world import route

JSON = [("Content-Type", "application/json")]
PEAK_KIB = 128 * 1024


def names(program):
    """A route for everything of httpbin, with this program for what it answers."""
    return {"ANY /h/{path+}": route("/{path}", methods=["GET"], request={"query": "any"},
                                    response={"headers": ["location"], **({"transform": program} if program else {})})}


@pytest.fixture(scope="module")
def plain(launch, shared_tap):
    return launch(to=shared_tap, routes=names(None))


@pytest.fixture(scope="module")
def identity(launch, shared_tap):
    return launch(to=shared_tap, routes=names("."))


@pytest.fixture(scope="module")
def reading(launch, shared_tap):
    return launch(to=shared_tap, routes=names("[.] | .[0]"))


@pytest.mark.parametrize("world", ["plain", "identity", "reading"])
@pytest.mark.parametrize(("path", "flag"), [("gzip", "gzipped"), ("deflate", "deflated"), ("brotli", "brotli")])
def test_packed_answers_arrive_unpacked_for_whoever_cannot_unpack(request, world, path, flag):
    got = request.getfixturevalue(world).get(f"/h/{path}")
    assert (got.status, got.json()[flag], got.header("content-encoding")) == (200, True, None)


@pytest.mark.parametrize("world", ["plain", "identity", "reading"])
def test_many_values_arrive_as_many(request, world):
    lines = request.getfixturevalue(world).get("/h/stream/20").body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(20))


@pytest.mark.parametrize("world", ["plain", "identity"])
@pytest.mark.parametrize(("path", "begins"), [
    ("image/png", b"\x89PNG"), ("image/jpeg", b"\xff\xd8"), ("image/webp", b"RIFF"), ("image/svg", b"<svg")])
def test_images_arrive_byte_for_byte(request, httpbin, world, path, begins):
    got = request.getfixturevalue(world).get(f"/h/{path}")
    assert got.status == 200 and got.body.startswith(begins)
    assert got.body == direct(httpbin, path)


@pytest.mark.parametrize("world", ["plain", "identity"])
def test_bytes_and_text_arrive_as_they_were(request, httpbin, world):
    proxy = request.getfixturevalue(world)
    assert proxy.get("/h/bytes/1000", query=[("seed", "1")]).body == direct(httpbin, "bytes/1000?seed=1")
    got = proxy.get("/h/encoding/utf8")
    assert got.body == direct(httpbin, "encoding/utf8")
    assert got.header("content-type") == "text/html; charset=utf-8"


@pytest.mark.parametrize("world", ["plain", "identity", "reading"])
def test_redirections_are_told_and_not_followed(request, world):
    got = request.getfixturevalue(world).get("/h/redirect-to", query=[("url", "/get")])
    assert (got.status, got.header("location").endswith("/h/get")) == (302, True)


@pytest.mark.parametrize("path", ["image/png", "encoding/utf8", "bytes/100"])
def test_what_a_program_cannot_read_does_not_pass_around_it(reading, path):
    reading.get(f"/h/{path}").is_problem(502, "upstream_invalid")


def direct(httpbin, path):
    return requests.get(f"http://127.0.0.1:{httpbin.port}/{path}", timeout=10).content


# --- bombs ---

SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"},
                                          "b": {"items": {"properties": {"a": {"type": "integer"}}}}}}
BOMBS = {
    "deep JSON": ("/json", JSON, b"[" * 500_000, 400),
    "deep JSON in an object": ("/json", JSON, b'{"a":' * 150_000 + b"1" + b"}" * 150_000, 400),
    "many empty objects": ("/json", JSON, b"[" + b"{}," * 340_000 + b"1]", 400),
    "a long number": ("/json", JSON, b"9" * 1_000_000, 400),
    "gzip": ("/json", [*JSON, ("Content-Encoding", "gzip")], gzip.compress(b" " * 200_000_000, 9), 413),
    "brotli": ("/json", [*JSON, ("Content-Encoding", "br")], brotli.compress(b" " * 200_000_000, quality=5), 413),
    "parts": ("/form", [("Content-Type", "multipart/form-data; boundary=x")],
              b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n" * 18_000 + b"--x--", 400),
    "fields": ("/form", [("Content-Type", "application/x-www-form-urlencoded")], b"a=&" * 300_000, 400),
    "a regular expression": ("/schema", JSON, json.dumps({"a": "a" * 900_000 + "!"}).encode(), 422),
    "many small objects": ("/schema", JSON, b'{"b":[' + b'{"a":1},' * 125_000 + b"1]}", 422),
    "a text for a number": ("/schema", JSON, json.dumps({"a": [1] * 300_000}).encode(), 422),
}


@pytest.fixture(scope="module")
def target(launch):
    server = Upstream(ok(b'{"a":1}'))
    yield launch(to=server, driver=RuntimeApi, routes={
        "POST /json": route("/", request={"transform": "{a}"}),
        "POST /form": route("/", request={"encode": "json"}),
        "POST /schema": route("/", request={"schema": SCHEMA}),
        "GET /fine": route("/", response={"transform": "{a}"})})
    server.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_the_next_request_is_served(target, name):
    path, headers, body, status = BOMBS[name]
    got = target.ask("POST", path, headers, body=body)
    assert (got.status, got.header("access-control-allow-origin") is not None) == (status, True), got
    print(f"{name}: {got.record['duration_ms']} ms")
    assert target.get("/fine").json() == {"a": 1}
    assert peak_kib(target) < PEAK_KIB


@pytest.mark.parametrize("program", [
    "[range(1e9)]", "last(repeat(1))", "def f: f; f", "def f: 1 + f; f", "[limit(1e9; repeat([.]))]",
    'reduce range(100) as $i ("x"; . + .)', '"x" * 1e12'])
def test_a_program_without_an_end_is_answered_and_ends_the_environment(start, serve, program):
    world = start(to=serve(ok(b'{"a":1}')), driver=RuntimeApi, routes={
        "GET /loop": route("/", response={"transform": program}), "GET /fine": route("/")})
    assert world.get("/fine").status == 200
    with Peak(world) as peak:
        got = world.get("/loop")
    got.is_problem(502, "upstream_invalid")
    assert got.header("access-control-allow-origin") is not None
    print(f"{program}: {got.record['duration_ms']} ms, {peak.kib} KiB")
    assert peak.kib < PEAK_KIB
    if "came to no end" in got.record["cause"]:
        assert wait_until(lambda: world.function.process.exit_code, "the end of the environment", 5) != 0
    else:
        assert world.get("/fine").status == 200


@pytest.mark.parametrize(("coding", "pack"), [
    ("gzip", lambda body: gzip.compress(body, 9)), ("br", lambda body: brotli.compress(body, quality=5))])
def test_a_packed_bomb_from_the_upstream_is_refused(start, serve, coding, pack):
    bomb = answer(pack(b" " * 200_000_000), "200 OK",
                  [("content-type", "application/json"), ("content-encoding", coding)])
    world = start(to=serve(says(bomb)), driver=RuntimeApi, routes={"GET /x": route("/", response={"transform": "{a}"})})
    got = world.get("/x")
    got.is_problem(502, "response_too_large")
    print(f"{got.record['duration_ms']} ms")
    assert peak_kib(world) < PEAK_KIB


@pytest.mark.parametrize(("kind", "body"), [
    ("application/x-ndjson", b"0\n" * 1_000_000), ("application/x-ndjson", b"0\n" * 300_000),
    ("application/x-ndjson", b"\"longer than that\"\n" * 200_000), ("application/json", b"[" + b"{}," * 300_000 + b"0]"),
    ("application/json", b"[" + b"1," * 1_000_000 + b"1]")])
@pytest.mark.parametrize("program", ["{a: .}", "{a: [., .]}", "{a: tojson}"])
def test_many_small_values_from_the_upstream_take_bounded_memory(start, serve, program, kind, body):
    many = answer(body, "200 OK", [("content-type", kind)])
    world = start(to=serve(says(many)), driver=RuntimeApi,
                  routes={"GET /x": route("/", response={"transform": program, "rewrite_urls": True})})
    got = world.get("/x")
    assert got.status in {200, 502}
    assert got.status == 200 or got.record["code"] in {"upstream_invalid", "response_too_large"}
    print(f"{kind}: {got.status}, {got.record['duration_ms']} ms, {peak_kib(world)} KiB")
    assert peak_kib(world) < PEAK_KIB
    assert world.get("/x").status == got.status


def peak_kib(world):
    """The most memory that the function took so far; None where it is gone."""
    try:
        with open(f"/proc/{world.function.process.pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), None)
    except FileNotFoundError:
        return None


class Peak:
    """Looks at a function's memory all the time, since it may end before we ask."""

    def __init__(self, world):
        self.kib, self._world, self._over = 0, world, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.001):
            self.kib = max(self.kib, peak_kib(self._world) or 0)

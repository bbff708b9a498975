"""Fixtures: the parts that all tests share, and `start`, which makes worlds.

A cold start costs a quarter of a second, so tests that change nothing share
one world, `proxy`: all routes lead to httpbin through a tap.
"""

import itertools
import uuid

import pytest

from harness.upstream import Httpbin, Tap, Upstream, certificate_for
from harness.vault import Front, Moto
from harness.world import World, github, route, upstream

_names = (f"t{number}-{uuid.uuid4().hex[:8]}" for number in itertools.count())


@pytest.fixture(scope="session")
def moto():
    server = Moto()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def httpbin():
    server = Httpbin()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A TLS context for `localhost`, and the PEM file of its authority."""
    return certificate_for("localhost", tmp_path_factory.mktemp("tls"))


def _launcher(moto, tmp_path_factory, running):
    def begin(*, routes=None, upstreams=None, secrets=None, to=None, front=None, **more):
        """Starts a world. `to` is the upstream named `api`, by its server or
        its declaration; `front` are arguments of the Secrets Manager front."""
        secrets = github() if secrets is None else secrets
        ids = next(_names)  # moto is shared: each world keeps its secrets apart
        versions = {name: moto.put(f"{ids}/{name}", value) for name, value in secrets.items() if value is not None}
        if to is not None:
            upstreams = {"api": to if isinstance(to, dict) else upstream(to.url), **(upstreams or {})}
        gate = Front(moto, **(front(ids) if callable(front) else front or {}))
        world = World(gate, tmp_path_factory.mktemp("world"), upstreams=upstreams, routes=routes, secrets=secrets,
                      ids=ids, **more)
        world.versions = versions
        running.append(world)
        return world
    return begin


def _stop_all(running):
    """Stops the worlds, then searches all that they printed for secrets."""
    for world in running:
        world.stop()
    for world in running:
        world.check_no_secret_in(world.function.output, "the log")


@pytest.fixture
def start(moto, tmp_path_factory):
    """Makes worlds for one test."""
    running = []
    yield _launcher(moto, tmp_path_factory, running)
    _stop_all(running)


@pytest.fixture(scope="module")
def launch(moto, tmp_path_factory):
    """Makes worlds that the tests of one file share."""
    running = []
    yield _launcher(moto, tmp_path_factory, running)
    _stop_all(running)


@pytest.fixture
def serve():
    """Makes upstreams that do as a script says, for one test."""
    running = []

    def make(script, tls=None):
        running.append(Upstream(script, tls))
        return running[-1]
    yield make
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def shared_tap(httpbin):
    tap = Tap(httpbin.port)
    yield tap
    tap.stop()


@pytest.fixture(scope="session")
def shared_world(moto, shared_tap, tmp_path_factory):
    running = []
    world = _launcher(moto, tmp_path_factory, running)(to=shared_tap, routes=ROUTES)
    yield world
    _stop_all(running)


@pytest.fixture
def tap(shared_tap):
    """What reaches httpbin during one test."""
    shared_tap.seen.clear()
    return shared_tap


@pytest.fixture
def proxy(shared_world, tap):
    """The world that most tests share; `tap` shows what it sends."""
    return shared_world


# httpbin answers /anything with what it was sent.
ROUTES = {
    "GET /my-repos": route("/anything/user/repos", request={"query": ["page", "per_page", "sort"]},
                           response={"headers": ["link", "etag"]}),
    "POST /contact": route("/anything/contacts", request={
        "content_types": ["application/json", "application/x-www-form-urlencoded"], "max_bytes": "1KiB"}),
    "GET /items/{id}": route("/anything/items/{id}"),
    "DELETE /items/{id}": route("/anything/items/{id}"),
    "GET /npm/{name}": route("/anything/npm/{name}", encoded_slash="keep"),
    "ANY /any/{path+}": route("/anything/{path}", request={"query": "any", "headers": ["x-many", "x-one"]}),
    "GET /status/{code}": route("/status/{code}", response={"headers": ["location", "www-authenticate"]}),
    "GET /image": route("/image/png"),
    "GET /gzip": route("/gzip"),
    "GET /deflate": route("/deflate"),
    "GET /brotli": route("/brotli"),
    "GET /cookies": route("/response-headers", request={"query": "any"}, response={"headers": "any"}),
    "GET /big": route("/bytes/5000", response={"max_bytes": "4KiB"}),
    "GET /fits": route("/bytes/4096", response={"max_bytes": "4KiB"}),
    "GET /slow": route("/delay/9", timeout="1s"),
    "GET /redirect": route("/redirect/1", response={"headers": ["location"]}),
}

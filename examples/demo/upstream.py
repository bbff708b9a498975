"""What the demo's upstreams have in common: the exact bearer, connections kept alive, counts for tests.

Each stands on a port of its own, as a real one stands on a host of its own.
It never writes a credential anywhere, and logs neither queries nor headers.
Two addresses are for whoever looks on, and want no credential: `/_count` says
how many requests came, `/_seen` what arrived in the last ones.
"""

import argparse
import collections
import hmac
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REMEMBERED = 20  # requests that `/_seen` still knows


class Refusal(Exception):
    """An answer that says no, in the upstream's own shape."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


class Counts:
    """What a server was asked: never what it was sent."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = {"connections": 0, "requests": 0, "with_credential": 0, "accepted": 0}

    def add(self, *names):
        with self._lock:
            for name in names:
                self._counts[name] += 1

    def read(self):
        with self._lock:
            return dict(self._counts)


class Upstream(BaseHTTPRequestHandler):
    """One connection, kept alive. An upstream says in `serve` what it answers, and in `usual` with which headers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together
    timeout = 75

    def serve(self, path):
        raise NotImplementedError

    def usual(self):
        """The headers on every answer."""
        return {}

    def setup(self):
        super().setup()
        self.server.counts.add("connections")

    def do_GET(self):
        # All of the body, or the next request on this connection starts inside it.
        self.sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = urlsplit(self.path).path
        if path == "/_count":
            return self.json(200, self.server.counts.read())
        if path == "/_seen":
            return self.json(200, list(self.server.seen))
        self.server.counts.add("requests", *(["with_credential"] if "authorization" in self.headers else []))
        try:
            self.serve(path)
        except Refusal as refusal:
            self.json(refusal.status, refusal.body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def admit(self, missing, wrong):
        """The exact token, once; otherwise one of two refusals."""
        shown = self.headers.get_all("authorization") or []
        if not shown:
            raise missing
        if len(shown) > 1 or not hmac.compare_digest(shown[0].encode(), self.server.expected):
            raise wrong
        self.server.counts.add("accepted")

    def json(self, status, value, headers=None):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send(status, body, {"content-type": "application/json; charset=utf-8", **(headers or {})})

    def send(self, status, body, headers):
        if status not in (204, 304):
            headers = {**headers, "content-length": str(len(body))}
        self.begin(status, headers)
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def begin(self, status, headers):
        self.send_response(status)
        for name, value in {**self.usual(), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self):
        return "demo"  # and no Python version

    def log_request(self, code="-", size="-"):
        """Method, path and status: no query and no header, so no secret either."""
        print(f"{self.command} {urlsplit(self.path).path} {int(code)}", flush=True)

    def log_error(self, *_args):
        """Said nowhere: the text may quote what was sent."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream, port, token):
        super().__init__(("127.0.0.1", port), upstream)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.expected = f"Bearer {token}".encode()
        self.counts = Counts()
        self.seen = collections.deque(maxlen=REMEMBERED)

    def handle_error(self, request, client_address):
        """A caller that hangs up is no news; anything else is, by its kind alone."""
        kind = sys.exc_info()[0]
        if not issubclass(kind, (ConnectionError, TimeoutError)):
            print(f"failed: {kind.__name__}", flush=True)


def main(upstream):
    """Runs one upstream until it is told to stop."""
    options = argparse.ArgumentParser(description=upstream.__doc__)
    options.add_argument("--port", type=int, required=True)
    port = options.parse_args().port
    token = os.environ.get("DEMO_TOKEN")  # not an argument: those are on the process list
    if not token:
        options.error("DEMO_TOKEN is not set: it is the token that callers must show")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(upstream, port, token)
    print(f"listening on {server.base}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

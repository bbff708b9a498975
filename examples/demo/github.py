"""A demo upstream: `GET /user/repos` as GitHub serves it, with invented repositories.

`make run` puts the proxy in front of this, so that trying Countersign needs
neither an account nor a network. It does what GitHub does where that matters
to a proxy: it wants the token and a user agent, it pages with `link`, it
answers 304, and it sends CORS headers of its own, so that one can see the
proxy replace them.

It never writes the token anywhere, and never repeats what it was sent.

    DEMO_TOKEN=any-token python3 examples/demo/github.py --port 8001
"""

import argparse
import hashlib
import hmac
import itertools
import json
import os
import signal
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from repositories import OWNER, Refusal, listing

CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining",
}


class Counts:
    """What this server was asked, for tests: never what it was sent."""

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


class GitHub(BaseHTTPRequestHandler):
    """One connection, kept alive as GitHub keeps it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together
    timeout = 75

    def setup(self):
        super().setup()
        self.server.counts.add("connections")

    def do_GET(self):
        self._answer(self._get)

    do_HEAD = do_GET

    def do_OPTIONS(self):
        allow = {"access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE",
                 "access-control-allow-headers": "Authorization, Content-Type, If-None-Match",
                 "access-control-max-age": "86400"}
        self._send(204, b"", allow)

    def do_POST(self):
        self._answer(self._missing)

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _answer(self, serve):
        self.rfile.read(int(self.headers.get("content-length") or 0))  # or the next request on this connection starts inside this body
        path = urlsplit(self.path).path
        if path == "/_count":
            return self._json(200, self.server.counts.read())
        self.server.counts.add("requests", *(["with_credential"] if "authorization" in self.headers else []))
        try:
            serve(path)
        except Refusal as refusal:
            self._json(refusal.status, refusal.body())

    def _get(self, path):
        if path.startswith(f"/{OWNER}/"):
            return self._send(200, INVENTED_PAGE, {"content-type": "text/html; charset=utf-8"})
        self._admit()
        if path != "/user/repos":
            self._missing(path)
        query = parse_qs(urlsplit(self.path).query)
        rows, link = listing(self.server.base, query)
        self._json(200, rows, {"link": link} if link else {})

    def _missing(self, _path):
        self._admit()
        raise Refusal(404, "Not Found", "https://docs.github.com/rest")

    def _admit(self):
        """The exact token, once; and a user agent, without which GitHub answers nobody."""
        if not self.headers.get("user-agent"):
            raise Refusal(403, "Request forbidden by administrative rules. "
                               "Please make sure your request has a User-Agent header.")
        shown = self.headers.get_all("authorization") or []
        if not shown:
            raise Refusal(401, "Requires authentication")
        if len(shown) > 1 or not hmac.compare_digest(shown[0].encode(), self.server.expected):
            raise Refusal(401, "Bad credentials", "https://docs.github.com/rest")
        self.server.counts.add("accepted")

    def _json(self, status, value, headers=None):
        body = json.dumps(value, ensure_ascii=False).encode()
        headers = {"content-type": "application/json; charset=utf-8", **(headers or {})}
        if status == 200 and self.path != "/_count":
            headers |= {"etag": f'W/"{hashlib.sha256(body).hexdigest()}"',
                        "cache-control": "private, max-age=60, s-maxage=60",
                        "vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"}
            if headers["etag"] in self.headers.get("if-none-match", ""):
                status, body = 304, b""
        self._send(status, body, headers)

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in {**self._usual(), **CORS, **headers}.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _usual(self):
        """The headers that GitHub puts on everything, and a proxy should not pass on."""
        used = next(self.server.numbers)
        return {
            "x-github-api-version-selected": "2022-11-28",
            "x-github-media-type": "github.v3; format=json",
            "x-github-request-id": f"D3M0:{used:04X}:{os.getpid():X}:{int(time.time()):X}",
            "x-ratelimit-limit": "5000",
            "x-ratelimit-remaining": str(max(0, 5000 - used)),
            "x-ratelimit-reset": str(int(time.time()) // 3600 * 3600 + 3600),
            "x-ratelimit-resource": "core",
            "x-ratelimit-used": str(used),
            "x-frame-options": "deny",
            "x-content-type-options": "nosniff",
            "set-cookie": "_demo_session=upstream-only; Path=/; HttpOnly",
        }

    def version_string(self):
        return "github.com"  # as GitHub names itself, and no Python version

    def date_time_string(self, timestamp=None):
        return formatdate(timestamp, usegmt=True)

    def log_request(self, code="-", size="-"):
        """Method, path and status: no query and no header, so no secret either."""
        print(f"{self.command} {urlsplit(self.path).path} {int(code)}", flush=True)

    def log_error(self, *_args):
        """Said nowhere: the text may quote what was sent."""


INVENTED_PAGE = b"""<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>An invented repository</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui;margin:3rem auto;
max-width:30rem;padding:0 1rem}</style><h1>An invented repository</h1><p>It exists only in the demo upstream of
Countersign. Start the demo with <code>GITHUB_TOKEN=\xe2\x80\xa6 make run</code> to see your own.</p>"""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, token):
        super().__init__(("127.0.0.1", port), GitHub)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.expected = f"Bearer {token}".encode()
        self.counts = Counts()
        self.numbers = itertools.count(1)

    def handle_error(self, request, client_address):
        """A caller that hangs up is no news; anything else is, by its kind alone."""
        kind = sys.exc_info()[0]
        if not issubclass(kind, (ConnectionError, TimeoutError)):
            print(f"failed: {kind.__name__}", flush=True)


def main():
    options = argparse.ArgumentParser(description="A demo upstream that behaves as GitHub's /user/repos.")
    options.add_argument("--port", type=int, default=8001)
    options.add_argument("--token", help="what callers must show; DEMO_TOKEN keeps it off the process list")
    chosen = options.parse_args()
    token = chosen.token or os.environ.get("DEMO_TOKEN")
    if not token:
        options.error("give a token: --token or DEMO_TOKEN")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(chosen.port, token)
    print(f"listening on {server.base}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

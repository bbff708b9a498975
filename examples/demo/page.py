"""Serves the demo page, on as many origins as asked for, and tells it where the proxy is.

The same page on an origin that `cors.origins` does not list is how one sees
what the browser does then.

    python3 examples/demo/page.py --api http://localhost:9000 --port 8000 --port 8002
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).with_name("page")
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


class Page(BaseHTTPRequestHandler):
    """The files of the page, and `config.json` with the one address it needs."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 75

    def do_GET(self):
        name = self.path.split("?")[0][1:] or "index.html"
        if name == "config.json":
            return self._send(200, "application/json", json.dumps(self.server.config).encode())
        # Looked up among the files there are: a path from outside is never opened.
        file = next((file for file in PAGE.iterdir() if file.name == name), None)
        if not file:
            return self._send(404, "text/plain; charset=utf-8", b"not here\n")
        self._send(200, f"{KINDS[file.suffix]}; charset=utf-8", file.read_bytes())

    do_HEAD = do_GET

    def _send(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")  # an edit shows at the next reload
        self.send_header("x-content-type-options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_args):
        """Silent: the terminal belongs to the proxy's records."""


class PageServer(ThreadingHTTPServer):
    """The page on one port of this machine's loopback."""

    daemon_threads = True

    def __init__(self, port, config):
        super().__init__(("127.0.0.1", port), Page)
        self.config = config

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self


def main():
    options = argparse.ArgumentParser(description="Serves the demo page.")
    options.add_argument("--api", required=True, help="base URL of the proxy")
    options.add_argument("--port", type=int, action="append", required=True, help="give it twice for two origins")
    options.add_argument("--upstream", default="demo upstreams", help="what the page calls the upstreams")
    chosen = options.parse_args()
    config = {"api": chosen.api, "upstream": chosen.upstream}
    servers = [PageServer(port, config).start() for port in chosen.port]
    for server in servers:
        print(f"listening on http://localhost:{server.server_port}/", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

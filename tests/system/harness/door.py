"""HTTP in front of a function, for clients that know nothing of Lambda: each
request becomes a function URL's event, and the answer an HTTP answer."""

import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import events


class Door:
    """Listens before there is a world, which needs to know its address, and
    sends what comes to `world`."""

    def __init__(self):
        self.world = None
        self._one_at_a_time = threading.Lock()  # as an environment of Lambda takes them
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, method, target, headers, body):
        path, _, query = target.partition("?")
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        with self._one_at_a_time:
            return self.world.send(events.url(method, path, headers, pairs, body), "url")

    def _handler(door):  # noqa: N805  the handler's own `self` is another one
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))) or None
                answer = door.pass_on(self.command, self.path, self.headers.items(), body)
                self.send_response_only(answer.status)
                for name, value in answer.headers:
                    if name != "content-length":
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_):
                """Silent: the test's output is for the test."""
        return Handler

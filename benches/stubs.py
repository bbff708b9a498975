"""What a function under test talks to: the Lambda Runtime API, Secrets Manager, an upstream.

All of it on loopback, one thread a connection, HTTP/1.1 kept alive. The last two speak TLS with a
certificate made for the run, because that is what they do in life.
"""

import json
import queue
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAR = 4102444800000  # a deadline in 2100: milliseconds since 1970
SECRET = "sk-bench-0123456789"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status, body, headers=()):
        head = [f"HTTP/1.1 {status} -", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers]
        self.wfile.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def serve(handler, tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def certificate(folder):
    """A self-signed certificate for `localhost`, and a server context that uses it."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


class RuntimeApi:
    """Hands out events, takes answers. `next` blocks until there is an event."""

    def __init__(self):
        self.events, self.answers, self.asked = queue.Queue(), queue.Queue(), queue.Queue()
        api = self

        class Invocations(Handler):
            def do_GET(self):
                api.asked.put(time.perf_counter())
                event = api.events.get()
                self.answer(200, event, [
                    ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
                    ("lambda-runtime-deadline-ms", FAR),
                    ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:f"),
                    ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
                ])

            def do_POST(self):
                api.answers.put((self.path.rsplit("/", 1)[-1], self.body()))
                self.answer(202, b"{}")

        self.port = serve(Invocations)


def secrets_manager(tls, delay):
    class Secrets(Handler):
        def do_POST(self):
            name = json.loads(self.body())["SecretId"]
            time.sleep(delay)
            secret = {"ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf", "Name": name,
                      "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111", "SecretString": SECRET}
            self.answer(200, json.dumps(secret).encode(), [("content-type", "application/x-amz-json-1.1")])

    return serve(Secrets, tls)


def upstream(tls):
    """Answers 1 KiB of JSON to whoever shows the secret; counts connections."""
    items = [{"n": n, "sku": f"SKU-{n:06}", "title": "A thing", "price": 9.25} for n in range(8)]
    body = json.dumps({"id": "ord-000017", "items": items}).encode()
    body = body[:-1] + b", \"pad\": \"" + b"x" * (1024 - len(body) - 12) + b"\"}"
    counted = {"connections": 0}

    class Upstream(Handler):
        def setup(self):
            counted["connections"] += 1
            super().setup()

        def do_GET(self):
            right = self.headers.get("authorization") == f"Bearer {SECRET}"
            self.answer(200 if right else 401, body, [("content-type", "application/json")])

        def do_POST(self):
            self.body()
            self.do_GET()

    return serve(Upstream, tls), counted

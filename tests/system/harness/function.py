"""The function in a process of its own, behind a Lambda Runtime API.

`Emulator` is AWS's own Runtime Interface Emulator, which the wheel of
aws-sam-cli carries. `RuntimeApi` is a small stand-in of ours for what the
emulator cannot do: twenty thousand invocations in reasonable time, a streamed
answer while it streams, standard output apart from the emulator's, and the
process id of the function. `Watch` is `cargo lambda watch`.
"""

import json
import os
import pathlib
import queue
import shutil
import sysconfig
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from .process import Process, free_port, tools, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 28  # the function's own, as template.yaml sets it: API Gateway hangs up at 29


def bootstrap():
    """The binary that is tested."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(os.environ.get("COUNTERSIGN_BOOTSTRAP", target / "lambda/proxy/bootstrap"))
    assert path.exists(), f"{path} is missing: cargo lambda build --release --bin proxy"
    return path.resolve()


class Emulator:
    """One function behind the Runtime Interface Emulator. It starts at the
    first invocation, as the real one does, and takes one at a time."""

    def __init__(self, env, cwd):
        self.port = free_port()
        self._http = requests.Session()
        # The emulator is not executable as pip lays it down.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="rie-"))
        rie = self._folder / "aws-lambda-rie"
        shutil.copy(_rie(), rie)
        rie.chmod(0o755)
        self._process = Process(
            [str(rie), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}",
             "--runtime-api-address", f"127.0.0.1:{free_port()}", str(bootstrap())],
            env={**env, "AWS_LAMBDA_FUNCTION_TIMEOUT": str(TIMEOUT_SECONDS)}, cwd=cwd)
        self._process.wait_for_port(self.port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"

    def invoke(self, payload):
        """Sends one event as bytes; the answer's bytes are returned."""
        return self._http.post(self.url, data=payload, timeout=TIMEOUT_SECONDS + 10).content

    @property
    def output(self):
        """Everything that was printed, the emulator's own lines among it."""
        return self._process.stdout + self._process.stderr

    def stop(self):
        self._http.close()
        self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class HangUp(Exception):
    """What `on_chunk` raises for a Runtime API that takes no more of an answer:
    with a status, or without a word."""

    def __init__(self, status=None):
        super().__init__(status)
        self.status = status


class RuntimeApi:
    """A Runtime API of ours: it hands out events and takes the answers."""

    def __init__(self, env, cwd):
        self._events, self._answers = queue.Queue(), queue.Queue()
        self.failures = []  # what came to /init/error and /invocation/…/error
        self._over = threading.Event()
        self.modes = []  # how each answer came: streaming, or None
        self.trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"  # what Lambda says to X-Ray
        self.on_chunk = None  # called with each chunk of a streamed answer instead of keeping it
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        api = f"127.0.0.1:{self._server.server_port}"
        lambda_env = {
            "AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_FUNCTION_NAME": "proxy",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/proxy", "AWS_LAMBDA_LOG_STREAM_NAME": "stream"}
        self.process = Process([str(bootstrap())], env={**env, **lambda_env}, cwd=cwd)

    def send(self, payload):
        """Hands out an event, and waits for nothing."""
        self._events.put(payload)

    def invoke(self, payload):
        self.send(payload)
        return wait_until(self._answer, "an answer", TIMEOUT_SECONDS + 10)[0]

    def _answer(self):
        try:
            return [self._answers.get(timeout=0.2)]  # one that is empty is an answer too
        except queue.Empty:
            assert self.process.exit_code is None, (
                f"the function ended with {self.process.exit_code}: {self.output[-2000:]!r}")
            return None

    @property
    def output(self):
        return self.process.stdout + self.process.stderr + b"\n".join(self.failures)

    def stop(self):
        self.process.stop()
        self._over.set()
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def _next(self):
        """The next event with its headers; None when it is over."""
        payload = self._events.get()
        if payload is None:
            return None
        return payload, {
            "lambda-runtime-aws-request-id": str(uuid.uuid4()),
            "lambda-runtime-deadline-ms": str(int((time.time() + TIMEOUT_SECONDS) * 1000)),
            "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-west-1:123456789012:function:proxy",
            "lambda-runtime-trace-id": self.trace}

    def _take(self, path, body):
        if path.endswith("/response"):
            self._answers.put(body)
        elif path.endswith("/error"):
            self.failures.append(body)
            if "/invocation/" in path:
                self._answers.put(body)

    def _handler(api):  # noqa: N805  the handler's own `self` is another one
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                if "/extension/" in self.path:
                    api._over.wait()  # no events are sent to those who asked for none
                event = None if api._over.is_set() else api._next()
                if event is None:
                    self.close_connection = True
                    return
                self._reply(200, *event)

            def do_POST(self):
                if self.path.endswith("/extension/register"):
                    self._body()
                    told = b'{"functionName":"proxy","functionVersion":"$LATEST","handler":"bootstrap"}'
                    self._reply(200, told, {"lambda-extension-identifier": str(uuid.uuid4())})
                    return
                if self.path.endswith("/response"):
                    api.modes.append(self.headers.get("lambda-runtime-function-response-mode"))
                try:
                    api._take(self.path, self._body())
                    self._reply(202, b"{}", {})
                except HangUp as end:
                    self.close_connection = True
                    if end.status:
                        self._reply(end.status, b"{}", {})
                    api._answers.put(b"")

            def _body(self):
                if "chunked" in self.headers.get("transfer-encoding", ""):
                    return b"".join(self._chunks())
                return self.rfile.read(int(self.headers.get("content-length", 0)))

            def _chunks(self):
                while size := int(self.rfile.readline().partition(b";")[0], 16):
                    chunk = self.rfile.read(size)
                    self.rfile.readline()
                    if api.on_chunk is None:
                        yield chunk
                    else:
                        api.on_chunk(chunk)
                self.rfile.readline()

            def _reply(self, status, body, headers):
                lines = {"content-type": "application/json", "content-length": len(body), **headers}
                head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
                self.wfile.write(f"HTTP/1.1 {status} OK\r\n{head}\r\n".encode() + body)

            def log_message(self, *_):
                """Silent: the test's output is for the test."""
        return Handler


class Watch:
    """`cargo lambda watch` in front of the same binary: HTTP comes in at
    `url`, as a function URL's events."""

    def __init__(self, env, cwd):
        self.port = free_port()
        self._api = Process(
            ["cargo", "lambda", "watch", "--only-lambda-apis", "--disable-cors", "--invoke-address", "127.0.0.1",
             "--invoke-port", str(self.port)], env=tools(), cwd=ROOT)
        self._api.wait_for_port(self.port)
        lambda_env = {
            "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{self.port}/.rt/proxy", "AWS_LAMBDA_FUNCTION_NAME": "proxy",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "1"}
        self.process = Process([str(bootstrap())], env={**env, **lambda_env}, cwd=cwd)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/lambda-url/proxy"

    @property
    def output(self):
        return self.process.stdout + self.process.stderr

    def stop(self):
        self.process.stop()
        self._api.stop()


def _rie():
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[os.uname().machine]
    return pathlib.Path(sysconfig.get_path("purelib")) / "samcli/local/rapid" / f"aws-lambda-rie-{machine}"


def to_bytes(event):
    """An event as it is sent; bytes are left as they are."""
    return event if isinstance(event, bytes) else json.dumps(event).encode()

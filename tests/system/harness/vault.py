"""AWS Secrets Manager: moto's, shared by all tests, and a front for each
world that counts the calls and can be told to fail."""

import http.client
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
ACCESS = {"aws_access_key_id": "AKIDTEST", "aws_secret_access_key": "test-only"}


SLOW_SECONDS = 0.15


class Moto:
    """`moto_server`, on a free port."""

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        self.secrets, self.logs = (
            boto3.client(name, region_name=REGION, endpoint_url=f"http://127.0.0.1:{self.port}", **ACCESS)
            for name in ("secretsmanager", "logs"))

    def events(self, group):
        """All that stands in a log group, by stream, in the order in which it came."""
        streams = self.logs.describe_log_streams(logGroupName=group)["logStreams"]
        return {stream["logStreamName"]: list(self._events(group, stream["logStreamName"])) for stream in streams}

    def _events(self, group, stream):
        more = {}
        while True:
            page = self.logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, limit=10_000, **more)
            if not page["events"]:
                return
            yield from page["events"]
            more = {"nextToken": page["nextForwardToken"]}

    def put(self, name, value):
        """Keeps a value (a dict becomes JSON); its version id is returned."""
        text = json.dumps(value) if isinstance(value, dict) else value
        try:
            return self.secrets.create_secret(Name=name, SecretString=text)["VersionId"]
        except self.secrets.exceptions.ResourceExistsException:
            return self.secrets.put_secret_value(SecretId=name, SecretString=text)["VersionId"]

    def stop(self):
        self._server.stop()


class Front:
    """Stands before moto: counts the calls, and refuses those it is told to.

    `deny` names operations that get AccessDenied; `broken` makes every call a
    500; `empty` lists secrets that come back with an empty string, which
    moto would not store."""

    def __init__(self, moto, deny=(), broken=False, empty=()):
        self._moto, self._deny, self._broken, self._empty = moto, set(deny), broken, set(empty)
        self.calls, self._refused = [], {}
        self.slow = []  # seconds that a call took that took long, and its body
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def operations(self):
        return [name for name, _ in self.calls]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def break_down(self):
        """Every call from now on is a 500."""
        self._broken = True

    def refuse(self, operation, error, status=400):
        """Every call of this operation gets this error, until it is None."""
        self._refused = {operation: (status, error)} if error else {}

    def answer(self, operation, body, headers):
        """Status, body and type of the answer to one call."""
        self.calls.append((operation, json.loads(body or "{}")))
        if self._broken:
            return 500, b'{"__type":"InternalServiceError","message":"broken"}'
        if operation in self._refused:
            status, error = self._refused[operation]
            return status, json.dumps({"__type": error, "message": "no"}).encode()
        if operation in self._deny:
            return 400, json.dumps({
                "__type": "AccessDeniedException",
                "Message": f"User is not authorized to perform: secretsmanager:{operation}"}).encode()
        status, answer = self._ask_moto(body, headers)
        return status, self._emptied(answer)

    def _ask_moto(self, body, headers):
        onward = http.client.HTTPConnection("127.0.0.1", self._moto.port, timeout=10)
        try:
            onward.request("POST", "/", body, headers)
            reply = onward.getresponse()
            return reply.status, reply.read()
        finally:
            onward.close()

    def _emptied(self, answer):
        if not self._empty:
            return answer
        parsed = json.loads(answer)
        for value in parsed.get("SecretValues", [parsed]):
            if value.get("Name") in self._empty:
                value["SecretString"] = ""
        return json.dumps(parsed).encode()

    def _handler(front):  # noqa: N805  the handler's own `self` is another one
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
                keep = ("x-amz-target", "authorization", "x-amz-date", "content-type", "host")
                headers = {name: self.headers[name] for name in keep if name in self.headers}
                begun = time.monotonic()
                status, answer = front.answer(operation, body, headers)
                if SLOW_SECONDS < time.monotonic() - begun:
                    front.slow.append((time.monotonic() - begun, body))
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """Silent: the test's output is for the test."""
        return Handler

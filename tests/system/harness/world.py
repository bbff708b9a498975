"""All parts together: a function with its configuration, its secrets and its
upstreams, and what a test asks of them.

Every answer that a world gives is checked for what must hold of all answers:
its form is one that API Gateway accepts, caches are told that it depends on
the origin, and no secret is in it.
"""

import base64
import json

import yaml

from . import events
from .canary import canary, found
from .function import Emulator, to_bytes
from .process import wait_until
from .record import facts
from .vault import ACCESS, REGION

PAGE = "https://app.example.com"
FOREIGN = "https://evil.example.net"
SHORTEST = 8
CORS = {"cors": {"origins": [PAGE, "https://*.preview.example.com"], "max_age": "10m"}}

# API Gateway answers 502 to any other key (REST), or ignores it.
ANSWER_KEYS = {
    "rest": {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"},
    "http": {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "cookies"},
    "alb": {"statusCode", "statusDescription", "headers", "multiValueHeaders", "body", "isBase64Encoded"},
}
ANSWER_KEYS["url"] = ANSWER_KEYS["http"]
ANSWER_KEYS["alb_single"] = ANSWER_KEYS["alb"]


class Answer:
    """What the function said to one event."""

    def __init__(self, raw, kind="rest", record=None):
        self.raw = json.loads(raw)
        self.kind = kind
        self._record = record
        check_form(self.raw, kind)
        self.status = self.raw["statusCode"]
        self.headers = _pairs(self.raw)
        self.body = _body(self.raw)

    @property
    def record(self):
        """The line that this request left in the log."""
        return self._record()

    def values(self, name):
        return [value for key, value in self.headers if key == name]

    def header(self, name):
        """The only value of a header; None where it is absent."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def words(self, name):
        """A list header such as `vary` or `allow`, as a set of lowercase words."""
        return {word.strip().lower() for value in self.values(name) for word in value.split(",") if word.strip()}

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of a problem; what came instead, where it is none."""
        if self.header("content-type") != "application/problem+json":
            return f"no problem: {self.status} {self.body[:300]!r}"
        return self.json()["code"]

    def is_problem(self, status, code):
        """Asserts that this is a complete problem, readable by our page."""
        assert (self.status, self.code) == (status, code), self.raw
        problem = self.json()
        assert problem["status"] == status
        assert {"type", "title", "detail", "request_id"} <= problem.keys(), problem
        return problem

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:500]!r}>"


def check_form(raw, kind):
    """What any answer must look like, whatever it says."""
    assert raw.keys() <= ANSWER_KEYS[kind], f"keys that the gateway does not know: {raw.keys()}"
    assert isinstance(raw["statusCode"], int) and 200 <= raw["statusCode"] <= 599, raw
    assert isinstance(raw.get("isBase64Encoded", False), bool), raw
    assert isinstance(raw.get("body") or "", str), raw
    for values in (raw.get("multiValueHeaders") or {}).values():
        assert isinstance(values, list) and all(isinstance(value, str) for value in values), raw
    for value in (raw.get("headers") or {}).values():
        assert isinstance(value, str), raw
    assert not (raw.get("headers") and raw.get("multiValueHeaders")), "the gateway would merge the two maps"
    pairs = _pairs(raw)
    names = [name for name, _ in pairs]
    assert not raw.get("body") or "content-type" in names, "the gateway would call it application/json"
    for length in (value for name, value in pairs if name == "content-length"):
        assert not raw.get("body") or int(length) == len(_body(raw)), f"content-length {length}: {raw}"


def _pairs(raw):
    single = [(name.lower(), value) for name, value in (raw.get("headers") or {}).items()]
    multi = [(name.lower(), value) for name, values in (raw.get("multiValueHeaders") or {}).items() for value in values]
    cookies = [("set-cookie", value) for value in raw.get("cookies") or []]
    return single + multi + cookies


def _body(raw):
    body = raw.get("body") or ""
    return base64.b64decode(body, validate=True) if raw.get("isBase64Encoded") else body.encode()


def upstream(url, credential="github.token", **more):
    """The declaration of an upstream on loopback; a bare text as credential
    is a bearer's."""
    recipe = {"bearer": credential} if isinstance(credential, str) else credential
    return {"url": url, "credential": recipe, "dangerous_plain_http": True,
            "dangerous_private_network": True, **more}


def route(path, name="api", **more):
    """The declaration of a route that anybody may call."""
    return {"allow": ["anyone"], "upstream": name, "path": path, **more}


class World:
    """A function that runs, and everything that it talks to."""

    def __init__(self, moto_front, folder, *, secrets, ids, upstreams=None, routes=None, places=None,
                 expect=None, cors=True, config=None, more=None, env=None, cwd=None, driver=Emulator):
        """`secrets` maps our names to values (None: not in Secrets Manager at
        all); `places` overrides where a name is said to be kept; `expect` says
        what its value must look like; `more` is put into the file as it is.
        `config` is a whole file instead, of which only the places of the secrets
        are ours."""
        self.front = moto_front
        self.secrets = secrets
        self.ids = {name: f"{ids}/{name}" for name in secrets}
        self.folder = folder
        places = {**self.ids, **(places or {}), **{
            name: {"id": self.ids[name], "expect": pattern} for name, pattern in (expect or {}).items()}}
        config = {**config, "secrets": places} if config else {
            "version": 1, "secrets": places, "upstreams": upstreams or {},
            "callers": {"anyone": {"anonymous": True}}, "routes": routes or {},
            **(CORS if cors else {}), **(more or {})}
        self.config = folder / "countersign.yaml"
        self.config.write_text(yaml.safe_dump(config, sort_keys=False))
        self.function = driver({**self._environment(), **(env or {})}, cwd or folder)

    def _environment(self):
        """All of the function's environment: nothing of the tests' own leaks in."""
        return {
            "PATH": "/usr/bin:/bin", "COUNTERSIGN_CONFIG": str(self.config),
            "AWS_ENDPOINT_URL": self.front.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": ACCESS["aws_secret_access_key"],
            "AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def values(self):
        """Every secret text of this world. Short ones (user names, account
        ids) are no secrets to the guard, and are found in any text."""
        texts = []
        for value in self.secrets.values():
            texts += value.values() if isinstance(value, dict) else [value]
        return [text for text in texts if text and len(text) >= SHORTEST]

    # --- asking ---

    def send(self, event, kind="rest"):
        """Sends an event; the answer is checked before anybody sees it."""
        before = len(self.records())
        raw = self.invoke(event)
        log = self.function.output[-3000:].decode(errors="replace")
        assert b'"statusCode"' in raw, f"no answer but {raw!r}; the log ends so: {log}"
        answer = Answer(raw, kind, lambda: self._record_number(before))
        assert "origin" in answer.words("vary"), f"a cache would give this to every page: {answer}"
        return answer

    def invoke(self, event):
        """Sends an event (or bytes that are none); the raw answer."""
        raw = self.function.invoke(to_bytes(event))
        self.check_no_secret_in(raw, "the answer")
        self._check_body(raw)
        return raw

    def failed_start(self):
        """What a function that must not start says, on all its ways out."""
        try:
            answer = self.function.invoke(b'{"httpMethod":"GET","path":"/x","requestContext":{"stage":"prod"}}')
        except AssertionError:  # ours ends without an answer, as a failed init does
            answer = b""
        assert b'"statusCode":200' not in answer.replace(b" ", b""), answer
        return answer + self.function.output

    def ask(self, method, path, headers=(), query=(), body=None, origin=PAGE, kind="rest"):
        """A request from our page (`origin=None`: from a program)."""
        headers = list(headers) + ([("Origin", origin)] if origin else [])
        return self.send(events.KINDS[kind](method, path, headers, query, body), kind)

    def get(self, path, headers=(), query=(), **more):
        return self.ask("GET", path, headers, query, **more)

    def post(self, path, body, content_type="application/json", **more):
        return self.ask("POST", path, [("Content-Type", content_type)], body=body, **more)

    def preflight(self, path, method="GET", origin=PAGE, headers=""):
        asked = [("Access-Control-Request-Method", method)]
        asked += [("Access-Control-Request-Headers", headers)] if headers else []
        return self.ask("OPTIONS", path, asked, origin=origin)

    # --- looking ---

    def records(self):
        """What the records of requests say so far."""
        return [facts(line) for line in self.lines() if line.get("class_uid") == 6003]

    def lines(self):
        """All lines of JSON so far."""
        lines = self.function.output.split(b"\n")
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]

    def _record_number(self, index):
        # The line may be a moment behind the answer on its way through the emulator.
        return wait_until(lambda: self.records()[index:index + 1], "the record", 5)[0]

    def check_no_secret_in(self, text, where):
        leaks = found(self.values, text)
        assert not leaks, f"{where} shows a secret, as {leaks[0][1]!r}: {text[:2000]!r}"

    def _check_body(self, raw):
        """Also what hides from a search of the raw answer behind base64 or JSON."""
        try:
            body = _body(json.loads(raw))
        except (ValueError, TypeError, AttributeError):
            return
        self.check_no_secret_in(body, "the body")

    def stop(self):
        """Stops the function and its front; what was printed can still be read."""
        self.function.stop()
        self.front.stop()


def github():
    """The usual secret: JSON with a token."""
    return {"github": {"token": canary("ghp")}}

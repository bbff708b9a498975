"""Vendors' SDKs with a placeholder for a key, pointed at us, as
`examples/sdks.yaml` has it: they work unmodified, against upstreams that take
the real key only, and no placeholder goes upstream."""

import json
import pathlib
import shutil
import subprocess
import urllib.parse

import anthropic
import github
import openai
import pytest
import slack_sdk
import stripe
import yaml

from harness.canary import canary
from harness.door import Door
from harness.function import ROOT, RuntimeApi
from harness.process import tools
from harness.upstream import Upstream, answer

SDKS = pathlib.Path(__file__).parent / "sdks"
PLACEHOLDER = "placeholder-for-a-key"
EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)


class Vendor(Upstream):
    """An API that takes its real key only, in `header`. `says` has an answer
    for each method and path: a value, or what makes one of the request."""

    def __init__(self, says, header="authorization", before="Bearer "):
        self.key, self._says, self._header, self._before = canary("real"), says, header, before
        super().__init__(self._serve_it)

    def _serve_it(self, seen, _):
        if seen.values(self._header) != [self._before + self.key]:
            return refusal("no such key", "401 Unauthorized")
        said = self._says.get(f"{seen.method} {seen.path}")
        if said is None:
            return refusal("Not Found", "404 Not Found")
        said = said(self, seen) if callable(said) else said
        return said if isinstance(said, bytes) else answer(json.dumps(said).encode())


def refusal(why, status):
    """As all of the vendors word it, so that each SDK finds its own part."""
    error = {"message": why, "error": {"message": why, "type": "invalid_request_error"}}
    return answer(json.dumps(error).encode(), status)


def fields(seen):
    return dict(urllib.parse.parse_qsl(seen.body.decode()))


def stream(*events):
    text = "".join(f"event: {name}\ndata: {data}\n\n" if name else f"data: {data}\n\n" for name, data in events)
    return answer(text.encode(), headers=EVENTS)


# --- the vendors ---

def completion(_, seen):
    asked = json.loads(seen.body)
    said = asked["messages"][0]["content"].upper()
    if not asked.get("stream"):
        return {"id": "c1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}]}
    chunks = [{"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"], "choices": [
        {"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in said]
    return stream(*((None, json.dumps(chunk)) for chunk in chunks), (None, "[DONE]"))


def message(_, seen):
    assert seen.header("anthropic-version"), "the API refuses a request without it"
    asked = json.loads(seen.body)
    said = asked["messages"][0]["content"].upper()
    whole = {"id": "m1", "type": "message", "role": "assistant", "model": asked["model"], "stop_sequence": None,
             "stop_reason": None, "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
    if not asked.get("stream"):
        return {**whole, "stop_reason": "end_turn", "content": [{"type": "text", "text": said}]}
    pieces = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
              for piece in said]
    told = [{"type": "message_start", "message": whole},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, *pieces,
            {"type": "content_block_stop", "index": 0}, {"type": "message_stop"}]
    return stream(*((each["type"], json.dumps(each)) for each in told))


def customer(_, seen):
    assert seen.header("stripe-version") and seen.header("idempotency-key")
    return {"id": "cus_1", "object": "customer", "name": fields(seen)["name"],
            "metadata": {"plan": fields(seen)["metadata[plan]"]}}


def customers(_, seen):
    first = "starting_after" not in dict(seen.query)
    return {"object": "list", "url": "/v1/customers", "has_more": first,
            "data": [{"id": "cus_1" if first else "cus_2", "object": "customer"}]}


def repository(vendor, name="hello"):
    """Its `url` is where PyGithub goes next."""
    return {"id": 1, "name": name, "full_name": f"octo/{name}", "url": f"{vendor.url}/repos/octo/{name}"}


def repositories(vendor, seen):
    page = int(dict(seen.query).get("page", 1))
    links = [("link", f'<{vendor.url}/user/repos?per_page=2&page={page + 1}>; rel="next"')] if page < 3 else []
    body = json.dumps([repository(vendor, f"r{page}a"), repository(vendor, f"r{page}b")]).encode()
    return answer(body, headers=[("content-type", "application/json; charset=utf-8"), *links])


def issue(_, seen):
    return {"id": 1, "number": 7, "title": json.loads(seen.body)["title"]}


def posted(_, seen):
    sent = json.loads(seen.body) if seen.header("content-type").startswith("application/json") else fields(seen)
    return {"ok": True, "channel": sent["channel"], "ts": "1.2", "message": {"text": sent["text"]}}


@pytest.fixture(scope="module")
def vendors():
    made = {
        "openai": Vendor({"POST /chat/completions": completion,
                          "GET /models": {"object": "list", "data": [{"id": "m", "object": "model"}]}}),
        "anthropic": Vendor({"POST /v1/messages": message}, "x-api-key", ""),
        "stripe": Vendor({"POST /v1/customers": customer, "GET /v1/customers": customers,
                          "DELETE /v1/customers/cus_1": {"id": "cus_1", "object": "customer", "deleted": True}}),
        "github": Vendor({"GET /repos/octo/hello": lambda vendor, _: repository(vendor), "GET /user/repos": repositories,
                          "GET /user": {"login": "octo", "id": 1},
                          "POST /repos/octo/hello/issues": issue}),
        "slack": Vendor({"POST /chat.postMessage": posted, "POST /auth.test": {"ok": True, "user": "bot"}}),
    }
    yield made
    for vendor in made.values():
        vendor.stop()


@pytest.fixture(scope="module")
def url(launch, vendors):
    """Where we are; the vendors are where the example says the real ones are."""
    config = yaml.safe_load((ROOT / "examples" / "sdks.yaml").read_text())
    for name, vendor in vendors.items():
        config["upstreams"][name] |= {
            "url": vendor.url, "dangerous_plain_http": True, "dangerous_private_network": True}
    door = Door()
    keys = {name: vendor.key for name, vendor in vendors.items()}
    door.world = launch(config=config, secrets=keys, env={"COUNTERSIGN_PUBLIC_URL": door.url}, driver=RuntimeApi)
    yield door.url
    door.stop()


@pytest.fixture(autouse=True)
def no_placeholder_goes_up(vendors):
    """What an SDK thinks is a key is nobody's business but ours."""
    yield
    for vendor in vendors.values():
        assert not [seen for seen in vendor.seen if PLACEHOLDER in f"{seen.target} {seen.headers} {seen.body}"]


# --- the SDKs ---

def test_openai(url):
    client = openai.OpenAI(api_key=PLACEHOLDER, base_url=f"{url}/openai/v1", max_retries=0)
    ask = {"model": "m", "messages": [{"role": "user", "content": "grüße"}]}
    assert client.chat.completions.create(**ask).choices[0].message.content == "GRÜSSE"
    pieces = [chunk.choices[0].delta.content for chunk in client.chat.completions.create(**ask, stream=True)]
    assert "".join(pieces) == "GRÜSSE"
    assert [model.id for model in client.models.list()] == ["m"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("missing")


def test_anthropic(url):
    client = anthropic.Anthropic(api_key=PLACEHOLDER, base_url=f"{url}/anthropic", max_retries=0)
    ask = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "grüße"}]}
    assert client.messages.create(**ask).content[0].text == "GRÜSSE"
    with client.messages.stream(**ask) as told:
        assert "".join(told.text_stream) == "GRÜSSE"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("missing")


def test_stripe(url):
    client = stripe.StripeClient(PLACEHOLDER, base_addresses={"api": f"{url}/stripe"}, max_network_retries=0)
    made = client.v1.customers.create({"name": "Grüße & Co", "metadata": {"plan": "a+b"}})
    assert (made.name, made.metadata["plan"]) == ("Grüße & Co", "a+b")
    listed = client.v1.customers.list({"limit": 1})
    assert [each.id for each in listed.auto_paging_iter()] == ["cus_1", "cus_2"]
    assert client.v1.customers.delete("cus_1").deleted
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.retrieve("missing")


def test_pygithub(url):
    client = github.Github(base_url=f"{url}/github", auth=github.Auth.Token(PLACEHOLDER), retry=None)
    hello = client.get_repo("octo/hello")
    assert hello.full_name == "octo/hello"
    assert hello.create_issue("Grüße & more").title == "Grüße & more"
    assert [each.name for each in client.get_user().get_repos()] == ["r1a", "r1b", "r2a", "r2b", "r3a", "r3b"]
    with pytest.raises(github.UnknownObjectException):
        client.get_repo("octo/missing")


def test_slack(url):
    client = slack_sdk.WebClient(PLACEHOLDER, base_url=f"{url}/slack/")
    assert client.auth_test()["user"] == "bot"
    assert client.chat_postMessage(channel="#a", text="Grüße & more")["message"]["text"] == "Grüße & more"


def test_octokit(url):
    done = subprocess.run([shutil.which("node"), "octokit.mjs", f"{url}/github", PLACEHOLDER], cwd=SDKS, env=tools(),
                          capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {
        "repository": "octo/hello", "pages": ["r1a", "r1b", "r2a", "r2b", "r3a", "r3b"],
        "issue": "Grüße & more", "missing": 404}


def test_a_vendor_that_refuses_our_key_is_what_the_sdk_hears(url, vendors):
    vendors["openai"].key, ours = "another", vendors["openai"].key
    try:
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(api_key=PLACEHOLDER, base_url=f"{url}/openai/v1", max_retries=0).models.list()
    finally:
        vendors["openai"].key = ours


def test_the_fixtures_refuse_the_placeholder(vendors):
    """Else the tests above would prove nothing."""
    client = openai.OpenAI(api_key=PLACEHOLDER, base_url=vendors["openai"].url, max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.models.list()
    vendors["openai"].seen.clear()

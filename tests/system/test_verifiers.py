"""What we sign and show is judged by those whose business that is: moto with
IAM's checks switched on, the vendors' own verifiers of signatures, and nginx
asking for a client certificate."""

import base64
import dataclasses
import os

import pytest
import standardwebhooks
import stripe
from slack_sdk.signature import SignatureVerifier

from harness.canary import canary
from harness.upstream import Upstream, certificate_for, ok
from harness.vault import REGION
from harness.verifiers import Aws, Nginx
from harness.world import route, upstream

# --- sigv4 ---

FORM = "application/x-www-form-urlencoded; charset=utf-8"
WHO_AM_I = "Action=GetCallerIdentity&Version=2011-06-15"
OBJECT = b"what is in it"
MAY = ["s3:*", "sts:AssumeRole"]


@dataclasses.dataclass
class Account:
    """Who there is at AWS, as far as these tests go."""
    aws: Aws
    arn: str
    good: dict
    wrong: dict
    powerless: dict
    reader: str


@pytest.fixture(scope="module")
def account():
    aws = Aws()
    aws.s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.s3.put_object(Bucket="files", Key="a b/c+d=é.txt", Body=OBJECT)
    arn, good = aws.user("caller", MAY)
    _, powerless = aws.user("powerless", ["iam:GetUser"])
    reader = aws.role("reader", ["s3:*"], arn)
    aws.check_from_now_on()
    yield Account(aws, arn, good, {**good, "key": canary("wrong")}, powerless, reader)
    aws.stop()


GIVEN = {"access_key_id": "aws.id", "secret_access_key": "aws.key"}
AWS_ROUTES = {
    "POST /who": route("/", "sts"),
    "GET /files/{path+}": route("/files/{path}", "s3", request={"query": "any"}),
    "PUT /files/{path+}": route("/files/{path}", "s3"),
    "GET /list": route("/files", "s3", request={"query": "any"}),
}


def signing(start, account, keys=None, own=None, **recipe):
    """A world in front of AWS. `keys` are given ones, `own` those of the function's role."""
    secrets = {"aws": keys} if keys else {}
    env = {"AWS_ENDPOINT_URL_STS": account.aws.url}
    if own:
        env |= {"AWS_ACCESS_KEY_ID": own["id"], "AWS_SECRET_ACCESS_KEY": own["key"]}
    more = {**(GIVEN if keys else {}), **recipe}
    made = {service: upstream(account.aws.url, {"sigv4": {"service": service, "region": REGION, **more}})
            for service in ("sts", "s3")}
    world = start(secrets=secrets, upstreams=made, routes=AWS_ROUTES, env=env)
    if own:
        world.secrets = {"own": own["key"]}  # from here on it is looked for like any
    return world


@pytest.mark.parametrize("whose", ["keys", "own"])
def test_aws_takes_what_the_right_key_signs(start, account, whose):
    world = signing(start, account, **{whose: account.good})
    answer = world.post("/who", WHO_AM_I, FORM)
    assert answer.status == 200 and account.arn.encode() in answer.body, answer
    answer = world.get("/files/a%20b/c%2Bd%3D%C3%A9.txt")
    assert (answer.status, answer.body) == (200, OBJECT)
    query = [("prefix", "a b/"), ("list-type", "2"), ("delimiter", "="), ("marker", "")]
    answer = world.get("/list", query=query)
    assert answer.status == 200 and b"<Prefix>a b/c+d=</Prefix>" in answer.body, answer
    assert world.ask("PUT", "/files/new", [("Content-Type", "text/plain")], body="new").status == 200
    assert world.get("/files/new").body == b"new"


@pytest.mark.parametrize("whose", ["keys", "own"])
def test_aws_refuses_what_a_wrong_key_signs(start, account, whose):
    world = signing(start, account, **{whose: account.wrong})
    answer = world.post("/who", WHO_AM_I, FORM)
    assert answer.status == 403 and b"SignatureDoesNotMatch" in answer.body, answer
    answer = world.get("/files/new")
    assert answer.status == 403 and b"SignatureDoesNotMatch" in answer.body, answer


@pytest.mark.parametrize("whose", ["keys", "own"])
def test_aws_refuses_who_may_not(start, account, whose):
    answer = signing(start, account, **{whose: account.powerless}).get("/files/new")
    assert answer.status == 403 and b"AccessDenied" in answer.body, answer


def test_aws_takes_what_the_keys_of_another_role_sign(start, account):
    world = signing(start, account, own=account.good, role=account.reader)
    answer = world.post("/who", WHO_AM_I, FORM)
    assert answer.status == 200 and b":assumed-role/reader/countersign" in answer.body, answer
    assert world.get("/files/a%20b/c%2Bd%3D%C3%A9.txt").body == OBJECT


def test_a_role_that_may_not_be_taken_on_is_a_clear_problem(start, account):
    world = signing(start, account, own=account.powerless, role=account.reader)
    world.post("/who", WHO_AM_I, FORM).is_problem(503, "secret_unavailable")


# --- hmac ---

BODY = '{"type":"ping","text":"grüße & \\u00e9"}'


def slack(key, headers, body):
    return SignatureVerifier(key).is_valid_request(body, headers)


def stripe_event(key, headers, body):
    try:
        stripe.WebhookSignature.verify_header(body.decode(), headers["stripe-signature"], key, tolerance=300)
        return stripe.Webhook.construct_event(body, headers["stripe-signature"], key)["type"] == "ping"
    except stripe.SignatureVerificationError:
        return False


def standard(key, headers, body):
    try:
        return standardwebhooks.Webhook(key).verify(body, headers)["type"] == "ping"
    except standardwebhooks.WebhookVerificationError:
        return False


# The recipe as the guide writes it, the key, who verifies, and the header of the signature.
SIGNERS = {
    "stripe": ({"over": "{timestamp}.{body}", "header": "Stripe-Signature", "format": "t={timestamp},v1={signature}"},
               canary("whsec"), stripe_event, "stripe-signature"),
    "slack": ({"over": "v0:{timestamp}:{body}", "header": "X-Slack-Signature", "format": "v0={signature}",
               "timestamp_header": "X-Slack-Request-Timestamp"}, canary("slack"), slack, "x-slack-signature"),
    "standard webhooks": (
        {"key_encoding": "base64", "over": "{id}.{timestamp}.{body}", "header": "webhook-signature",
         "format": "v1,{signature}", "encoding": "base64", "id_header": "webhook-id",
         "timestamp_header": "webhook-timestamp"},
        "whsec_" + base64.b64encode(os.urandom(24)).decode(), standard, "webhook-signature"),
}


@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("transform", [None, "{type, text, more: [1]}"])
def test_a_vendors_verifier_takes_our_signature_and_no_other(start, serve, name, transform):
    recipe, key, verify, header = SIGNERS[name]
    server = serve(ok())
    request = {"request": {"transform": transform}} if transform else {}
    world = start(to=upstream(server.url, {"hmac": {"key": "hook", **recipe}}), secrets={"hook": key},
                  routes={"POST /hook": route("/in", **request)})
    assert world.post("/hook", BODY).status == 200
    [seen] = server.seen
    headers = {name.lower(): value for name, value in seen.headers}
    assert verify(key, headers, seen.body)
    assert not verify(key, headers, seen.body.replace(b"ping", b"pinh"))
    assert not verify(other(key), headers, seen.body)
    changed = headers[header].translate(str.maketrans("0123456789", "1234567890"))
    assert not verify(key, {**headers, header: changed}, seen.body)


def other(key):
    """A key of the same form: its first letter after the prefix is another one."""
    at = len("whsec_")
    return key[:at] + ("a" if key[at] != "a" else "b") + key[at + 1:]


# --- mtls ---

@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The folder of a client's certificate, and of its authority."""
    folder = tmp_path_factory.mktemp("client")
    certificate_for("the client", folder)
    return folder


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def nginx(request, tmp_path, certificate, client):
    server = Nginx(tmp_path, certificate[1].parent, client / "root.pem", request.param)
    server.protocol = request.param
    yield server
    server.stop()


def showing(start, nginx, certificate, folder):
    """A world that shows the certificate in `folder`; None: it shows none."""
    pair = folder and {"certificate": (folder / "chain.pem").read_text(), "key": (folder / "key.pem").read_text()}
    recipe = {"mtls": {"certificate": "bank.certificate", "key": "bank.key"}} if folder else "github.token"
    more = {"secrets": {"bank": pair}} if folder else {}
    return start(to=upstream(nginx.url, recipe), env={"COUNTERSIGN_EXTRA_CA": str(certificate[1])},
                 routes={"GET /x": route("/")}, **more)


def test_nginx_takes_our_client_certificate(start, nginx, certificate, client):
    world = showing(start, nginx, certificate, client)
    for _ in range(2):
        answer = world.get("/x")
        assert (answer.status, answer.body.decode()) == (200, f"CN=the client {nginx.protocol}")


def test_nginx_refuses_another_authoritys_certificate_and_none(start, nginx, certificate, tmp_path):
    (stranger := tmp_path / "stranger").mkdir()
    certificate_for("the client", stranger)
    answer = showing(start, nginx, certificate, stranger).get("/x")
    assert answer.status == 400 and b"SSL certificate error" in answer.body, answer
    answer = showing(start, nginx, certificate, None).get("/x")
    assert answer.status == 400 and b"No required SSL certificate was sent" in answer.body, answer

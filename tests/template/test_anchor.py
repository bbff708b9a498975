"""The function of infra/audit-anchor.yaml, against moto's CloudWatch Logs, KMS and S3."""

import base64
import hashlib
import importlib.util
import json
import time

import boto3
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto import mock_aws
from world import ROOT, filled, load, of_type

TRAIL, ANCHORS = "audit/countersign", "audit/countersign/anchors"
FILE = ROOT / "infra" / "audit-anchor.yaml"
MINUTE = 60_000

spec = importlib.util.spec_from_file_location("anchor", ROOT / "infra" / "anchor" / "anchor.py")
anchor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(anchor)


def record(chain, number, spoilt=""):
    """A record, as far as an anchor looks at it: docs/record.schema.json."""
    fingerprint = hashlib.sha256(f"{chain} {number} {spoilt}".encode()).hexdigest()
    return json.dumps({
        "attestation_list": [{"chain_uid": chain, "fingerprint": {"algorithm": "SHA-256", "value": fingerprint}}],
        "metadata": {"sequence": number},
    })


class Account:
    """A trail, a group for its anchors, a key, and a clock."""

    def __init__(self):
        self.logs, self.kms, self.s3 = (boto3.client(name, region_name="eu-west-1") for name in ("logs", "kms", "s3"))
        for group in (TRAIL, ANCHORS):
            self.logs.create_log_group(logGroupName=group)
        self.key = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        self.vault, self.now = None, int(time.time() * 1000)

    def write(self, chain, *lines, ago=0):
        """Lines at the end of a chain's stream."""
        if not any(each["logStreamName"] == chain for each in self.streams()):
            self.logs.create_log_stream(logGroupName=TRAIL, logStreamName=chain)
        events = [{"timestamp": self.now - ago, "message": line} for line in lines]
        self.logs.put_log_events(logGroupName=TRAIL, logStreamName=chain, logEvents=events)

    def records(self, chain, *numbers, ago=0):
        self.write(chain, *(record(chain, number) for number in numbers), ago=ago)

    def rewrite(self, chain, *lines):
        """What nobody may do."""
        self.logs.delete_log_stream(logGroupName=TRAIL, logStreamName=chain)
        self.write(chain, *lines)

    def streams(self):
        return self.logs.describe_log_streams(logGroupName=TRAIL)["logStreams"]

    def run(self):
        self.now += MINUTE
        anchors = anchor.Anchors(self.logs, ANCHORS, self.vault)
        anchor.run(anchor.Trail(self.logs, TRAIL), anchors, anchor.Signer(self.kms, self.key), self.now)

    def lines(self):
        events = self.logs.filter_log_events(logGroupName=ANCHORS)["events"]
        return [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]

    def anchored(self):
        """What was signed: chain and number, oldest run first."""
        anchors = [json.loads(line)["anchor"] for line in self.lines()]
        return [(each["chain_uid"], each["sequence"]) for each in anchors]


@pytest.fixture
def account(monkeypatch):
    for name, text in {"ACCESS_KEY_ID": "nobody", "SECRET_ACCESS_KEY": "nothing", "DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", text)
    with mock_aws():
        yield Account()


def test_an_anchor_says_how_far_each_chain_is_and_can_be_checked_without_us(account):
    account.records("a", 0, 1, 2)
    account.records("b", 0)
    account.run()
    assert sorted(account.anchored()) == [("a", 2), ("b", 0)]
    public = load_der_public_key(account.kms.get_public_key(KeyId=account.key)["PublicKey"])
    for line in account.lines():
        said = json.loads(line)
        chain, number = said["anchor"]["chain_uid"], said["anchor"]["sequence"]
        bond = json.loads(record(chain, number))["attestation_list"][0]
        assert said["anchor"] == {
            "chain_uid": chain, "fingerprint": bond["fingerprint"]["value"], "sequence": number, "time": account.now}
        assert said["key"] == account.key
        # RFC 8785, so that anybody makes the same bytes of it.
        canonical = json.dumps(said["anchor"], sort_keys=True, separators=(",", ":")).encode()
        signature = base64.b64decode(said["signature"])
        public.verify(signature, canonical, ECDSA(SHA256()))
        with pytest.raises(InvalidSignature):
            public.verify(signature, canonical.replace(b'"sequence":', b'"sequence":1'), ECDSA(SHA256()))


def test_only_what_is_new_is_signed(account):
    account.records("a", 0)
    account.records("b", 0)
    account.run()
    account.records("b", 1, 2)
    account.run()
    account.run()
    assert sorted(account.anchored()[:2]) == [("a", 0), ("b", 0)] and account.anchored()[2:] == [("b", 2)]
    assert len(account.logs.describe_log_streams(logGroupName=ANCHORS)["logStreams"]) == 2


def test_a_stream_that_was_written_to_long_ago_is_left_alone(account):
    account.records("old", 0, ago=anchor.LOOK_BACK + MINUTE)
    account.records("late", 0, ago=anchor.LOOK_BACK - 2 * MINUTE)
    account.run()
    assert account.anchored() == [("late", 0)]


def test_the_order_within_a_millisecond_does_not_matter(account):
    account.records("a", 0, 3, 1, 2)
    account.run()
    assert account.anchored() == [("a", 3)]


def test_only_the_end_of_a_long_chain_is_read(account):
    for number in range(3 * anchor.NEWEST):
        account.records("a", number, ago=MINUTE - number)
    account.run()
    assert account.anchored() == [("a", 3 * anchor.NEWEST - 1)]


def test_the_furthest_anchor_counts_in_whatever_order_they_come(account):
    account.records("a", 0, 1, 2)
    account.run()
    late = json.loads(account.lines()[0])
    late["anchor"]["sequence"] = 1
    anchor.Anchors(account.logs, ANCHORS, None).put([json.dumps(late)], account.now + 1)
    account.run()
    assert account.anchored() == [("a", 2), ("a", 1)]


def test_canonical_json_is_that_of_rfc_8785():
    assert anchor.canonical({"b": {"d": 1, "c": "é"}, "a": "[$LATEST]/"}) == '{"a":"[$LATEST]/","b":{"c":"é","d":1}}'


def test_a_stream_that_is_still_empty_is_no_reason_to_wake_anybody(account):
    account.logs.create_log_stream(logGroupName=TRAIL, logStreamName="a")
    account.run()
    assert account.lines() == []


@pytest.mark.parametrize(("lines", "says"), [
    ([record("a", 0), record("a", 1)], "a: it ends with record 1, and had record 2"),
    ([record("a", 2, "spoilt")], "a: record 2 is another one than it was"),
    ([record("b", 3)], "a: its end is no record of this chain"),
    (["no record"], "a: its end is no record of this chain"),
    (["{}"], "a: its end is no record of this chain"),
    ([], "a: its end is no record of this chain"),
])
def test_a_chain_that_is_not_as_it_was_wakes_somebody_and_the_others_are_signed(account, lines, says):
    account.records("a", 0, 1, 2)
    account.run()
    account.rewrite("a", *lines) if lines else account.logs.delete_log_stream(logGroupName=TRAIL, logStreamName="a")
    account.records("b", 0)
    with pytest.raises(RuntimeError) as raised:
        account.run()
    assert str(raised.value) == f"the trail is not as it was: {says}"
    assert account.anchored() == [("a", 2), ("b", 0)]


def test_a_record_of_another_chain_is_never_signed_as_its_own(account):
    account.write("a", record("b", 7))
    with pytest.raises(RuntimeError, match="a: its end is no record of this chain"):
        account.run()
    assert account.lines() == []


def test_an_empty_page_is_not_the_end():
    class Logs:
        class exceptions:
            class ResourceNotFoundException(Exception):
                pass

        def __init__(self, pages):
            self.pages, self.asked = pages, []

        def get_log_events(self, **asked):
            self.asked.append(asked.get("nextToken"))
            return self.pages.pop(0)

    full = [{"message": "line"}]
    logs = Logs([{"events": [], "nextBackwardToken": "1"}, {"events": full, "nextBackwardToken": "2"}])
    assert anchor.Trail(logs, TRAIL).end("a") == ["line"] and logs.asked == [None, "1"]
    logs = Logs([{"events": [], "nextBackwardToken": "1"}, {"events": [], "nextBackwardToken": "1"}])
    assert anchor.Trail(logs, TRAIL).end("a") == []


def test_many_anchors_are_put_in_parts(account, monkeypatch):
    monkeypatch.setattr(anchor, "BATCH", 2)
    for number in range(5):
        account.records(f"chain {number}", 0)
    account.run()
    assert len(account.anchored()) == 5


def test_the_bucket_gets_the_same_lines_and_gets_them_first(account):
    configuration = {"LocationConstraint": "eu-west-1"}
    account.s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True, CreateBucketConfiguration=configuration)
    account.vault = anchor.Vault(account.s3, "vault")
    account.records("a", 0)
    account.records("b", 0)
    account.run()
    (kept,) = account.s3.list_objects_v2(Bucket="vault")["Contents"]
    assert kept["Key"] == f"anchors/{account.now}.jsonl"
    text = account.s3.get_object(Bucket="vault", Key=kept["Key"])["Body"].read().decode()
    assert sorted(text.splitlines()) == sorted(account.lines()) and text.endswith("\n")
    # Where it cannot be kept there, it does not count as done.
    account.vault = anchor.Vault(account.s3, "nowhere")
    account.records("a", 1)
    with pytest.raises(account.s3.exceptions.NoSuchBucket):
        account.run()
    assert ("a", 1) not in account.anchored()


@pytest.mark.parametrize("bucket", ["", "vault"])
def test_the_door_says_what_the_template_says(account, monkeypatch, bucket):
    account.s3.create_bucket(Bucket="vault", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    properties = load(FILE)["Resources"]["Anchor"]["Properties"]
    assert properties["Handler"] == "anchor.handler" and properties["Runtime"] == "python3.13"
    given = {"TRAIL": TRAIL, "ANCHORS": ANCHORS, "KEY": account.key, "BUCKET": bucket}
    assert set(properties["Environment"]["Variables"]) == set(given)
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    account.records("a", 0)
    anchor.handler({}, None)
    assert account.anchored() == [("a", 0)]
    assert ("Contents" in account.s3.list_objects_v2(Bucket="vault")) == bool(bucket)


# ---- the template

def test_the_role_reads_the_trail_adds_anchors_and_signs_and_does_nothing_else():
    resources = filled(FILE, ProxyStack="countersign-x", BucketDays=30)
    (role,) = of_type(resources, "AWS::IAM::Role").values()
    (policy,) = role["Policies"]
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:"
    may = {each["Sid"]: (each["Action"], each["Resource"]) for each in policy["PolicyDocument"]["Statement"]}
    assert may == {
        "ReadsTheTrail": (["logs:DescribeLogStreams", "logs:GetLogEvents"], f"{group}audit/countersign-x:*"),
        "AddsAnchors": (
            ["logs:CreateLogStream", "logs:FilterLogEvents", "logs:PutLogEvents"],
            f"{group}audit/countersign-x/anchors:*",
        ),
        "ItsOwnLog": (["logs:CreateLogStream", "logs:PutLogEvents"], "<Log.Arn>"),
        "TheBucket": ("s3:PutObject", "arn:aws:s3:::<Bucket>/anchors/*"),
    }
    variables = resources["Anchor"]["Properties"]["Environment"]["Variables"]
    assert variables == {
        "TRAIL": "audit/countersign-x", "ANCHORS": "<Anchors>", "KEY": "<SigningKey>", "BUCKET": "<Bucket>"}
    assert resources["Anchors"]["Properties"]["LogGroupName"] == "audit/countersign-x/anchors"


def test_nobody_signs_but_the_function():
    key = filled(FILE)["SigningKey"]["Properties"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    signs, rest = key["KeyPolicy"]["Statement"]
    assert (signs["Principal"], signs["Action"]) == ({"AWS": "<Role.Arn>"}, "kms:Sign")
    assert not [action for action in rest["Action"] if action in ("kms:*", "kms:Sign", "kms:S*")]


def test_a_run_ends_before_the_next_begins_and_looks_further_back_than_aws_is_late():
    template = load(FILE)
    minutes = template["Parameters"]["Minutes"]
    assert template["Resources"]["Anchor"]["Properties"]["Timeout"] < minutes["MinValue"] * 60
    assert 60 * MINUTE + minutes["MaxValue"] * MINUTE < anchor.LOOK_BACK


def test_anchors_outlive_the_stack_and_in_a_bucket_also_the_owner():
    resources = filled(FILE, BucketDays=30)
    for name in ("Anchors", "SigningKey", "Bucket"):
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain", name
    assert resources["Anchors"]["Properties"]["DeletionProtectionEnabled"] is True
    bucket = resources["Bucket"]["Properties"]
    assert bucket["ObjectLockConfiguration"]["Rule"] == {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert filled(FILE)["Anchor"]["Properties"]["Environment"]["Variables"]["BUCKET"] == ""

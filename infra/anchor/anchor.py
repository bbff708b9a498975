"""Signs how far each chain of the trail has come, and keeps that elsewhere.

The hashes of a chain show what was changed, removed or slipped in; they do not
show that its last records are missing. A signed word of how far it was at a time
does. The trail itself is only read here, and nothing of a record is kept but its
number and its hash.

CloudWatch Logs may say an hour late that a stream was written to. So each run
looks back further than the run before it, and signs only what is new.
"""

import base64
import json
import os
import time

import boto3

LOOK_BACK = 3 * 60 * 60 * 1000  # milliseconds
# Records that ended in the same millisecond may stand in another order than that of the chain.
NEWEST = 25
# Lines of one call: some 500 bytes each, and CloudWatch Logs takes a million bytes.
BATCH = 1000


def handler(_event, _context):
    """The door: the schedule's event, and the environment."""
    logs, bucket = boto3.client("logs"), os.environ.get("BUCKET")
    run(
        Trail(logs, os.environ["TRAIL"]),
        Anchors(logs, os.environ["ANCHORS"], Vault(boto3.client("s3"), bucket) if bucket else None),
        Signer(boto3.client("kms"), os.environ["KEY"]),
        int(time.time() * 1000),
    )


def run(trail, anchors, signer, now):
    """Signs every head that is further than the last time. Raises at the end, where a chain is not as it should be."""
    signed = anchors.latest(now - LOOK_BACK)
    lines, wrong = [], []
    for chain in dict.fromkeys([*trail.chains(now - LOOK_BACK), *signed]):
        end = trail.end(chain)
        head = max((head for each in end if (head := head_of(each, chain))), key=sequence, default=None)
        flaw = flaw_of(end, head, signed.get(chain))
        if flaw:
            wrong.append(f"{chain}: {flaw}")
        elif head and sequence(signed.get(chain)) < sequence(head):
            lines.append(signer.line({**head, "time": now}))
    anchors.put(lines, now)
    if wrong:
        # Lambda counts it as an error, and that is what an alarm is on.
        raise RuntimeError("the trail is not as it was: " + "; ".join(wrong))


def flaw_of(end, head, before):
    """What cannot be, after what was signed before; `None` where all is well."""
    if head is None:
        # A stream that was made a moment ago holds nothing yet.
        return "its end is no record of this chain" if end or before else None
    if sequence(head) < sequence(before):
        return f"it ends with record {sequence(head)}, and had record {sequence(before)}"
    if before and sequence(head) == sequence(before) and head["fingerprint"] != before["fingerprint"]:
        return f"record {sequence(head)} is another one than it was"
    return None


def sequence(head):
    """The number of a chain's record; -1 before the first."""
    return head["sequence"] if head else -1


class Trail:
    """The log group of the records: a stream for each environment, which is a chain of the same name."""

    def __init__(self, logs, group):
        self.logs, self.group = logs, group

    def chains(self, since):
        """The names of those that were written to."""
        pages = self.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=self.group, orderBy="LastEventTime", descending=True)
        for page in pages:
            for stream in page["logStreams"]:
                # One that was made a moment ago has no last event yet.
                if (stream.get("lastEventTimestamp") or stream["creationTime"]) < since:
                    return
                yield stream["logStreamName"]

    def end(self, chain):
        """Its newest lines; none of a stream that is gone."""
        asked = {"logGroupName": self.group, "logStreamName": chain, "limit": NEWEST, "startFromHead": False}
        while True:
            try:
                page = self.logs.get_log_events(**asked)
            except self.logs.exceptions.ResourceNotFoundException:
                return []
            # A page may be empty though more follow. The same token again: nothing does.
            if page["events"] or page["nextBackwardToken"] == asked.get("nextToken"):
                return [event["message"] for event in page["events"]]
            asked["nextToken"] = page["nextBackwardToken"]


def head_of(message, chain):
    """The place of a record in its chain; `None` for what is no record of it."""
    try:
        record = json.loads(message)
        (bond,) = record["attestation_list"]
        head = {
            "chain_uid": bond["chain_uid"],
            "fingerprint": bond["fingerprint"]["value"],
            "sequence": record["metadata"]["sequence"],
        }
    except (ValueError, KeyError, TypeError):
        return None
    return head if head["chain_uid"] == chain and isinstance(head["sequence"], int) else None


class Signer:
    """A key of KMS that never leaves it: ECDSA on P-256, over SHA-256."""

    def __init__(self, kms, key):
        self.kms, self.key = kms, key

    def line(self, anchor):
        """An anchor with its signature (DER, base64) over its canonical JSON (RFC 8785)."""
        signed = self.kms.sign(
            KeyId=self.key, Message=canonical(anchor).encode(), MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")
        signature = base64.b64encode(signed["Signature"]).decode()
        return canonical({"anchor": anchor, "key": signed["KeyId"], "signature": signature})


def canonical(value):
    """RFC 8785, for what stands in an anchor: names of ASCII, whole numbers, texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Anchors:
    """The log group of the anchors, and beside it a bucket where nobody can delete, if there is one."""

    def __init__(self, logs, group, vault):
        self.logs, self.group, self.vault = logs, group, vault

    def latest(self, since):
        """What was signed last of each chain."""
        latest = {}
        for page in self.logs.get_paginator("filter_log_events").paginate(logGroupName=self.group, startTime=since):
            for event in page["events"]:
                anchor = json.loads(event["message"])["anchor"]
                latest[anchor["chain_uid"]] = max(anchor, latest.get(anchor["chain_uid"]), key=sequence)
        return latest

    def put(self, lines, now):
        """The bucket first: a line in the log group says that all is done."""
        if not lines:
            return
        # A stream for each run, named by its time in milliseconds.
        stream = str(now)
        if self.vault:
            self.vault.put(stream, lines)
        self.logs.create_log_stream(logGroupName=self.group, logStreamName=stream)
        for start in range(0, len(lines), BATCH):
            events = [{"timestamp": now, "message": line} for line in lines[start : start + BATCH]]
            self.logs.put_log_events(logGroupName=self.group, logStreamName=stream, logEvents=events)


class Vault:
    """A bucket with Object Lock."""

    def __init__(self, s3, bucket):
        self.s3, self.bucket = s3, bucket

    def put(self, name, lines):
        self.s3.put_object(Bucket=self.bucket, Key=f"anchors/{name}.jsonl", Body="\n".join([*lines, ""]).encode())

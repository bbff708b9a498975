"""Records in a log group of their own: all of them, once, in order, whatever happens."""

import collections
import hashlib
import itertools
import json
import time

import pytest

from harness import events, record
from harness.function import Emulator, RuntimeApi
from harness.process import wait_until
from harness.upstream import ok
from harness.world import route

REQUESTS = 10_000
OUTAGE_SECONDS = 30
DELIVERY_SECONDS = 2
END_SECONDS = 0.2
PAGE = [("Origin", "https://app.example.com")]
EVENT = json.dumps(events.rest("GET", "/x", PAGE)).encode()
_groups = (f"/countersign/audit/{number}" for number in itertools.count())


@pytest.fixture
def audited(start, serve, moto):
    def begin(driver=RuntimeApi, script=None, **config):
        group = next(_groups)
        moto.logs.create_log_group(logGroupName=group)
        server = serve(script or ok(b"{}"))
        audit = {"audit": config.pop("audit")} if "audit" in config else {}
        world = start(to=server, more=audit, routes={"GET /x": route("/x")}, driver=driver,
                      env={"COUNTERSIGN_AUDIT_LOG_GROUP": group}, **config)
        world.group, world.upstream = group, server
        return world
    return begin


def ask(world, times):
    answers = {json.loads(world.function.invoke(EVENT))["statusCode"] for _ in range(times)}
    assert answers <= {200}


def delivered(moto, world):
    """The lines of the one stream that the environment has."""
    [(stream, came)] = moto.events(world.group).items()
    times = [event["timestamp"] for event in came]
    assert times == sorted(times) and stream.startswith("stream/")
    lines = [event["message"] for event in came]
    # A batch is sent again only where no answer came in time. So only what was in such a one may be there twice.
    once = list(dict.fromkeys(lines))
    twice = {line for line, count in collections.Counter(lines).items() if 1 < count}
    assert twice <= sent_slowly(world, DELIVERY_SECONDS * 0.9)
    # The end has less: what did not arrive in it was said on standard output.
    late = [line for line in undelivered(world) if line not in set(once)]
    assert not late or any(END_SECONDS * 0.9 < seconds for seconds, _ in world.front.slow)
    return once + late


def sent_slowly(world, least):
    """The lines of batches that took longer than this."""
    bodies = [json.loads(body) for seconds, body in world.front.slow if least < seconds]
    return {event["message"] for body in bodies for event in body.get("logEvents", [])}


def check_chain(lines):
    """As RFC 8785 and the guide have it, by another program than ours."""
    before = "0" * 64
    for sequence, line in enumerate(lines):
        parsed = json.loads(line)
        record.check(parsed)
        assert parsed["metadata"]["sequence"] == sequence
        link = parsed["attestation_list"][0]
        assert link["prev_event"]["fingerprint"]["value"] == before
        own = link.pop("fingerprint")["value"]
        canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(canonical.encode()).hexdigest()
        assert own == before


def undelivered(world):
    """What was said on standard output instead, as the trail has it."""
    lines = world.function.output.split(b"\n")
    return [line[len(b'{"record":'):-len(b',"type":"undelivered"}')].decode()
            for line in lines if line.endswith(b',"type":"undelivered"}')]


def test_ten_thousand_requests_leave_ten_thousand_records_through_throttling_an_outage_and_a_sigterm(
        audited, moto):
    world = audited()
    ask(world, 1_500)
    world.front.refuse("PutLogEvents", "ThrottlingException")
    ask(world, 1_000)
    world.front.refuse("PutLogEvents", None)
    ask(world, 500)
    world.front.refuse("PutLogEvents", "ServiceUnavailableException", 503)
    end = time.monotonic() + OUTAGE_SECONDS
    ask(world, 5_000)
    time.sleep(max(0, end - time.monotonic()))
    ask(world, 1)
    world.front.refuse("PutLogEvents", None)
    ask(world, REQUESTS - 8_001)
    # In the middle of a request, whose answer is out before anything else is.
    world.function.invoke(EVENT)
    world.function.process.stop()
    lines = delivered(moto, world)
    check_chain(lines)
    # One that opens the chain, one that closes it.
    assert len(lines) == REQUESTS + 1 + 2
    assert [json.loads(line)["class_uid"] for line in (lines[0], lines[-1])] == [6002, 6002]
    told = undelivered(world)
    assert 0 < len(told) == len(set(told)) and set(told) <= set(lines)
    # It was not tried for each record.
    assert world.front.operations.count("PutLogEvents") < REQUESTS


def test_what_never_arrives_stands_on_standard_output(audited, moto):
    world = audited()
    world.front.refuse("CreateLogStream", "AccessDeniedException")
    ask(world, 3)
    world.function.process.stop()
    assert moto.events(world.group) == {}
    told = undelivered(world)
    check_chain(told)
    assert [json.loads(line)["class_uid"] for line in told] == [6002, 6003, 6003, 6003, 6002]


def test_the_emulator_ends_it_well_too(audited, moto):
    world = audited(driver=Emulator)
    assert world.get("/x").status == 200
    world.function.stop()
    [lines] = moto.events(world.group).values()
    lines = [event["message"] for event in lines]
    check_chain(lines)
    assert len(lines) >= 2


def test_where_it_is_strict_and_cannot_be_recorded_nothing_is_sent(audited, serve):
    world = audited(audit={"mode": "strict"})
    assert world.get("/x").status == 200
    world.front.refuse("PutLogEvents", "AccessDeniedException")
    answer = world.get("/x")
    assert (answer.status, answer.code) == (503, "audit_unavailable")
    assert len(world.upstream.seen) == 1


def test_a_request_that_is_under_way_when_the_environment_ends_is_in_the_chain(audited, moto):
    def slowly(seen, connection):
        time.sleep(0.1)
        return ok(b"{}")(seen, connection)
    world = audited(script=slowly)
    ask(world, 1)
    world.function.send(EVENT)
    wait_until(lambda: len(world.upstream.seen) == 2, "the second call")
    world.function.process.stop()
    lines = delivered(moto, world)
    check_chain(lines)
    assert [json.loads(line)["class_uid"] for line in lines] == [6002, 6003, 6003, 6002]

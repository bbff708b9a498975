"""Keys are rotated in moto's Secrets Manager while the function runs."""

import json
import threading
import time
import uuid

import pytest

from harness.canary import canary
from harness.process import wait_until
from harness.upstream import Upstream, answer
from harness.world import route, upstream


class Provider:
    """An API that takes one key, and which one can be changed."""

    def __init__(self, key):
        self.key = key
        self.server = Upstream(self._script)

    def _script(self, seen, _):
        good = seen.header("authorization") == f"Bearer {self.key}"
        return answer(status="200 OK" if good else "401 Unauthorized")


@pytest.fixture
def rotated(start, moto):
    """A function with a key in moto, and what rotates it. `about` is said of the secret in the file."""
    made = []

    def begin(front=None, **about):
        old, new = canary("ghp"), canary("ghp")
        name = f"countersign/rotated-{uuid.uuid4().hex[:8]}"
        moto.put(name, old)
        provider = Provider(old)
        made.append(provider)
        routes = {"GET /x": route("/x"), "POST /x": route("/x")}
        world = start(to=upstream(provider.server.url, "key"), secrets={}, front=front, routes=routes,
                      places={"key": {"id": name, **about}})
        world.secrets = {"old": old, "new": new}
        assert world.get("/x").status == 200  # the emulator starts a function with its first request
        return world, provider, lambda value=None: moto.put(name, value or new)

    yield begin
    for provider in made:
        provider.server.stop()


def test_a_rotation_while_requests_run_fails_none_and_reads_once(rotated):
    world, provider, rotate = rotated()
    version, statuses, over = [], [], threading.Event()

    def call():
        while not over.is_set():
            statuses.append((world.get("/x") if len(statuses) % 2 else world.post("/x", "{}")).status)

    caller = threading.Thread(target=call)
    caller.start()
    wait_until(lambda: 5 < len(statuses), "requests", 10)
    version.append(rotate())
    provider.key = world.secrets["new"]
    reached = len(statuses)
    wait_until(lambda: reached + 5 < len(statuses), "more requests", 10)
    over.set()
    caller.join()
    assert set(statuses) == {200}
    assert world.front.operations == ["GetSecretValue"] * 2
    records = world.records()
    assert [each["renewed"] for each in records if "renewed" in each] == [True]
    assert records[-1]["secrets"] == [{"name": "key", "version": version[0]}]


def test_an_old_value_is_read_again_once_the_answer_is_out(rotated):
    """The environment must not freeze in the middle of it: no other request is needed for it to end."""
    world, provider, rotate = rotated(refresh="1s")
    rotate()
    time.sleep(1.1)
    assert world.get("/x").status == 200
    wait_until(lambda: len(world.front.calls) == 2, "the second reading", 5)
    provider.key = world.secrets["new"]
    answered = world.get("/x")
    assert answered.status == 200 and "renewed" not in answered.record


def alarms(world):
    lines = [line for line in world.function.output.split(b"\n") if line.startswith(b'{"type":"alarm"')]
    return [json.loads(line) for line in lines]


def test_an_outage_and_a_broken_value_leave_the_known_one_and_an_alarm(rotated):
    world, _, rotate = rotated(refresh="1s", expect="ghp")
    rotate("another-key-by-mistake")
    time.sleep(1.1)
    assert world.get("/x").status == 200
    (unfit,) = wait_until(lambda: alarms(world), "the alarm", 5)
    assert (unfit["code"], unfit["secret"]) == ("secret_unfit", "key")
    answered = world.get("/x")
    assert answered.status == 200 and answered.record["stale"] == ["key"]

    world, _, _ = rotated(refresh="1s")
    world.front.break_down()
    time.sleep(1.1)
    assert world.get("/x").status == 200
    (unread,) = wait_until(lambda: alarms(world), "the alarm", 15)
    assert (unread["code"], unread["secret"]) == ("secret_unread", "key")

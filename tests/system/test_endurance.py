"""Twenty thousand requests in one process: no growth, one connection.

Driven through a Runtime API of ours: the emulator would take minutes.
"""

import json

from harness import events
from harness.function import RuntimeApi
from harness.upstream import ok
from harness.world import route

REQUESTS = 20_000
WARM_UP = 2_000
# Room for what an allocator keeps back; a leak of 16 bytes per request would show.
GROWTH_KIB = 256


def test_twenty_thousand_requests_leave_memory_flat_and_use_one_connection(start, serve):
    server = serve(ok(b"x" * 1024))
    world = start(to=server, routes={"GET /x": route("/x")}, driver=RuntimeApi)
    event = json.dumps(events.rest("GET", "/x", [("Origin", "https://app.example.com")])).encode()
    assert ask(world, event, WARM_UP) == {200}
    begun = anonymous_kib(world)
    assert ask(world, event, REQUESTS - WARM_UP) == {200}
    grown = anonymous_kib(world) - begun
    print(f"grown by {grown} KiB, from {begun} KiB; {server.connections} connection(s)")
    assert grown <= GROWTH_KIB
    assert (server.connections, len(server.seen)) == (1, REQUESTS)
    assert len(world.front.calls) == 1


def ask(world, event, times):
    return {json.loads(world.function.invoke(event))["statusCode"] for _ in range(times)}


def anonymous_kib(world):
    """Memory that belongs to the process alone: mapped pages of the binary
    come and go with the kernel's mood."""
    with open(f"/proc/{world.function.process.pid}/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("RssAnon")]
    return int(line.split()[1])

#!/usr/bin/env python3
"""Measures the proxy function from outside, against a function that answers a constant.

    python3 benches/run.py [--cold 20] [--warm 2000] [--soak 0]

The two take turns (A B B A …), so that a machine whose speed drifts spoils neither; what is printed
are medians, and ratios made turn by turn. CPU is the process's own, from /proc (Linux only).
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import stubs

ROOT = Path(__file__).resolve().parent.parent
SECRET_DELAY = 0.005
CONFIG = """\
version: 1
secrets: {{ up: prod/token }}
upstreams:
  up: {{ url: "https://localhost:{port}", credential: {{ bearer: up }}, dangerous_private_network: true }}
callers: {{ website: {{ anonymous: true }} }}
routes:
  GET /v1/orders: {{ allow: [website], upstream: up, request: {{ query: [page, limit] }} }}
  POST /v1/orders:
    allow: [website]
    upstream: up
    request:
      query: [page, limit]
      schema:
        type: object
        required: [id, amount, currency]
        properties:
          id: {{ type: string, minLength: 1, maxLength: 64 }}
          amount: {{ type: number, minimum: 0 }}
          currency: {{ enum: [EUR, USD, GBP] }}
          items: {{ type: array }}
      transform: "{{id, amount, currency}}"
    response:
      transform: "{{order: .id, items: (.items | map(.sku))}}"
"""


class Process:
    """One execution environment: spawned, fed, measured, ended."""

    def __init__(self, binary, world):
        self.api = stubs.RuntimeApi()
        env = world.environment | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.port}"}
        started = time.perf_counter()
        self.child = subprocess.Popen([binary], env=env, stdout=subprocess.DEVNULL)
        self.first_next = self.api.asked.get(timeout=30) - started
        self.init_cpu = self.cpu()

    def cpu(self):
        tasks = Path(f"/proc/{self.child.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory(self, field):
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) / 1024

    def invoke(self, event, times):
        """CPU seconds of one invocation, the poll after it included."""
        before = self.cpu()
        for _ in range(times):
            self.api.events.put(event)
            outcome, answer = self.api.answers.get(timeout=30)
            assert outcome == "response" and b'"statusCode":200' in answer, answer
            self.api.asked.get(timeout=30)
        return (self.cpu() - before) / times

    def end(self):
        self.child.kill()
        self.child.wait()


class World:
    def __init__(self, folder):
        cert, tls = stubs.certificate(folder)
        port, self.upstream = stubs.upstream(tls)
        (folder / "countersign.yaml").write_text(CONFIG.format(port=port))
        self.environment = {
            "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_SESSION_TOKEN": "none",
            "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"https://localhost:{stubs.secrets_manager(tls, SECRET_DELAY)}",
            "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
            "AWS_LAMBDA_LOG_STREAM_NAME": "s",
            "COUNTERSIGN_CONFIG": str(folder / "countersign.yaml"), "COUNTERSIGN_EXTRA_CA": str(cert),
        }


def build():
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "proxy"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", ROOT / "benches/hello/Cargo.toml",
                    "--target-dir", target / "hello"], check=True)
    return target / "release/proxy", target / "hello/release/hello"


def turns(count):
    """A B B A: neither always goes first."""
    return [pair for n in range(count) for pair in (("ab", "ba")[n % 2],)]


def get():
    return (ROOT / "benches/event.json").read_bytes()


def post(size):
    """The same with a body of about `size` bytes, which the schema of the route takes."""
    event = json.loads(get())
    item = {"n": 1, "sku": "SKU-000001", "title": "A thing of some length", "price": 9.25, "ok": True}
    items = [item] * (size // len(json.dumps(item)))
    body = {"id": "ord-000017", "amount": 1299.5, "currency": "EUR", "items": items}
    event |= {"httpMethod": "POST", "body": json.dumps(body)}
    event["headers"]["content-type"] = "application/json"
    event["multiValueHeaders"]["content-type"] = ["application/json"]
    return json.dumps(event).encode()


def cold(binaries, world, count):
    rows = {name: [] for name in binaries}
    for order in turns(count):
        for name in order:
            process = Process(binaries[name], world)
            process.invoke(get(), 1)
            rows[name].append((process.first_next, process.init_cpu, process.memory("VmHWM")))
            process.end()
    return rows


def warm(binaries, world, count, event, rounds=10):
    processes = {name: Process(binary, world) for name, binary in binaries.items()}
    for process in processes.values():
        process.invoke(event, count // rounds)
    rows = {name: [] for name in binaries}
    for order in turns(rounds):
        for name in order:
            rows[name].append(processes[name].invoke(event, count // rounds))
    for process in processes.values():
        process.end()
    return rows


def soak(binary, world, count):
    process = Process(binary, world)
    process.invoke(get(), count // 10)
    before, connections = process.memory("RssAnon"), world.upstream["connections"]
    process.invoke(get(), count)
    growth = process.memory("RssAnon") - before
    process.end()
    print(f"over {count} invocations: memory grew by {growth * 1024:.0f} KiB, "
          f"{world.upstream['connections'] - connections} new connections to the upstream")


def zipped(binary, folder):
    path = folder / "bootstrap.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    return path.stat().st_size / 1e6


def report(name, ours, theirs, unit, scale):
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    a, b = statistics.median(ours) * scale, statistics.median(theirs) * scale
    print(f"{name:46} {a:9.2f} {b:9.2f} {unit:4} {ratio:6.2f} x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cold", type=int, default=20)
    parser.add_argument("--warm", type=int, default=2000)
    parser.add_argument("--soak", type=int, default=0)
    options = parser.parse_args()
    proxy, hello = build()
    binaries = {"a": proxy, "b": hello}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        world = World(folder)
        print(f"{'':46} {'proxy':>9} {'hello':>9}      ratio")
        starts = cold(binaries, world, options.cold)
        column = lambda name, at: [row[at] for row in starts[name]]
        less = [seconds - SECRET_DELAY for seconds in column("a", 0)]
        report("start to first poll, less the vault", less, column("b", 0), "ms", 1e3)
        report("CPU until then", column("a", 1), column("b", 1), "ms", 1e3)
        report("peak memory after one answer", column("a", 2), column("b", 2), "MiB", 1)
        for name, event in [("GET of 1 KiB", get()), ("POST of 1 KiB, schema and jq", post(1 << 10)),
                            ("POST of 100 KiB, schema and jq", post(100 << 10))]:
            calls = warm(binaries, world, options.warm, event)
            report(f"CPU of a warm {name}", calls["a"], calls["b"], "µs", 1e6)
        report("zipped", [zipped(proxy, folder)], [zipped(hello, folder)], "MB", 1)
        if options.soak:
            soak(proxy, world, options.soak)


if __name__ == "__main__":
    main()

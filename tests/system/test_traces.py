"""Spans, as a collector gets them: read by OpenTelemetry's own words for the protocol.

They are not in the binary that is deployed, but in one that is built with the
feature `otlp`: the one that `cargo build --all-features` makes for the tests.
"""

import json
import os
import pathlib
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from harness.canary import canary
from harness.function import ROOT, RuntimeApi
from harness.process import wait_until
from harness.upstream import answer, ok
from harness.world import route

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ["authorize", "validate", "inject", "forward", "answer"]


class Collector:
    """What came to a collector."""

    def __init__(self, serve, says="200 OK", seconds=0):
        def script(*_):
            time.sleep(seconds)
            return answer(b"", says)
        self.server = serve(script)

    @property
    def requests(self):
        return self.server.seen

    def spans(self):
        assert all(seen.path == "/v1/traces" for seen in self.requests)
        assert all(seen.header("content-type") == "application/x-protobuf" for seen in self.requests)
        bodies = [ExportTraceServiceRequest.FromString(seen.body) for seen in self.requests]
        return [(each.resource, span) for body in bodies for each in body.resource_spans
                for scope in each.scope_spans for span in scope.spans]


@pytest.fixture
def traced(start, serve, monkeypatch):
    binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/proxy"
    assert binary.exists(), f"{binary} is missing: cargo build --all-features --bins"
    monkeypatch.setenv("COUNTERSIGN_BOOTSTRAP", str(binary))

    def begin(collector, script=None, **env):
        routes = {"GET /x/{id}": route("/x", request={"headers": ["traceparent"], "query": "any"})}
        upstream = serve(script or ok(b"{}"))
        world = start(to=upstream, driver=RuntimeApi, routes=routes,
                      env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.server.url, **env})
        world.upstream = upstream
        return world
    return begin


def facts(attributes):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def test_a_request_is_a_span_and_so_are_its_stages(traced, serve):
    collector = Collector(serve)
    world = traced(collector, OTEL_SERVICE_NAME="doorman", OTEL_RESOURCE_ATTRIBUTES="team=payments")
    secret = canary("query")
    answered = world.get("/x/1", [("traceparent", f"00-{TRACE}-{CALLER}-01")], [("q", secret)])
    assert answered.status == 200
    came = wait_until(collector.spans, "the spans")
    assert {each.key: each.value.string_value for each in came[0][0].attributes}.items() >= {
        "service.name": "doorman", "team": "payments"}.items()
    [whole, *stages] = [span for _, span in came]
    assert [span.name for span in stages] == STAGES
    assert {span.trace_id.hex() for span in [whole, *stages]} == {TRACE}
    assert (whole.name, whole.kind, whole.parent_span_id.hex()) == ("GET /x/{id}", Span.SPAN_KIND_SERVER, CALLER)
    said = facts(whole.attributes)
    assert said["http.response.status_code"] == 200 and said["http.route"] == "/x/{id}"
    assert said["countersign.caller"] == "anyone"
    assert all(span.parent_span_id == whole.span_id for span in stages)
    edges = [edge for span in stages for edge in (span.start_time_unix_nano, span.end_time_unix_nano)]
    assert edges == sorted(edges) and edges[0] == whole.start_time_unix_nano and edges[-1] == whole.end_time_unix_nano
    call = stages[3]
    assert (call.kind, facts(call.attributes)["service.peer.name"]) == (Span.SPAN_KIND_CLIENT, "api")
    # The upstream is told of the very span that the collector got, and so is the record.
    [seen] = world.upstream.seen
    assert seen.header("traceparent") == f"00-{TRACE}-{call.span_id.hex()}-01"
    [record] = [line for line in world.lines() if line.get("class_uid") == 6003]
    assert record["trace"]["span"]["uid"] == whole.span_id.hex()
    for seen in collector.requests:
        assert secret.encode() not in seen.body
        world.check_no_secret_in(seen.body, "a span")


def test_a_failure_is_one_in_the_spans_too(traced, serve):
    collector = Collector(serve)
    world = traced(collector, script=lambda *_: None)
    assert world.get("/x/1").code == "upstream_unreachable"
    [whole, *stages] = [span for _, span in wait_until(collector.spans, "the spans")]
    assert (whole.status.code, whole.status.message) == (Status.STATUS_CODE_ERROR, "upstream_unreachable")
    assert [(span.name, span.status.code) for span in stages][-1] == ("forward", Status.STATUS_CODE_ERROR)


def test_what_nobody_keeps_is_not_sent(traced, serve):
    collector = Collector(serve)
    world = traced(collector)
    assert world.get("/x/1", [("traceparent", f"00-{TRACE}-{CALLER}-00")]).status == 200
    assert world.get("/x/1").status == 200
    came = wait_until(collector.spans, "the spans")
    assert TRACE not in {span.trace_id.hex() for _, span in came}


def test_what_lambda_keeps_is_the_parent_that_it_says(traced, serve):
    collector = Collector(serve)
    world = traced(collector)
    world.function.trace = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1"
    assert world.get("/x/1").status == 200
    [whole, *_] = [span for _, span in wait_until(collector.spans, "the spans")]
    assert whole.trace_id.hex() == "67891233abcdef012345678912345678"
    assert whole.parent_span_id.hex() == "53995c3f42cd8ad8"


def lost(world):
    return [line for line in world.lines() if line.get("type") == "spans_lost"]


REFUSALS = {"that refuses": {"says": "503 Service Unavailable"}, "that does not answer": {"seconds": 3}}


@pytest.mark.parametrize("which", REFUSALS)
def test_a_collector_costs_no_answer_is_told_of_and_then_left_alone(traced, serve, which):
    collector = Collector(serve, **REFUSALS[which])
    world = traced(collector)
    assert [world.get("/x/1").status for _ in range(3)] == [200, 200, 200]
    [line] = wait_until(lambda: lost(world), "the words of it")
    assert line["spans"] == 6 and "none are sent for 30 s" in line["why"], json.dumps(line)
    assert len(collector.requests) == 1


@pytest.mark.parametrize("variable", [
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}])
def test_a_variable_that_cannot_be_right_costs_the_spans_and_not_the_function(traced, serve, variable):
    world = traced(Collector(serve), **variable)
    assert world.get("/x/1").status == 200
    [line] = lost(world)
    assert line["spans"] == 0 and line["why"].startswith("no spans are sent: ")

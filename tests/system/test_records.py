"""Every request leaves one line on standard output, and it says enough."""

import json

from harness import events
from harness.function import RuntimeApi
from harness.world import FOREIGN, PAGE, route

# Each is in every line, null where there is nothing to say.
FACTS = {"time", "request_id", "route", "caller", "origin", "source", "method", "status", "code", "duration_ms",
         "upstream", "upstream_status", "upstream_ms", "retries", "secrets", "bytes_in", "bytes_out"}
# What is only there when there is something to say.
MORE = {"api_key_id", "cause", "leak", "leaked"}


def test_a_served_request_leaves_all_its_facts_and_no_others(proxy):
    record = proxy.post("/contact", '{"a":"b"}').record
    assert FACTS <= record.keys() <= FACTS | MORE, record.keys() ^ FACTS
    expected = {"route": "POST /contact", "caller": "anyone", "origin": PAGE, "source": events.SOURCE,
                "method": "POST", "status": 200, "code": None, "upstream": "api", "upstream_status": 200, "bytes_in": 9}
    assert {name: record[name] for name in expected} == expected
    assert 0 <= record["upstream_ms"] <= record["duration_ms"] < 10_000 and 0 < record["bytes_out"]


def test_the_record_says_where_a_secret_was_cut_out(proxy):
    assert "github" in json.dumps(proxy.get("/my-repos").record["leaked"])
    assert "leak" not in proxy.get("/image").record


def test_a_refused_request_leaves_its_code_and_no_secret(proxy):
    record = proxy.get("/nowhere", origin=FOREIGN).record
    assert (record["status"], record["code"], record["origin"]) == (403, "origin_not_allowed", FOREIGN)
    assert FACTS <= record.keys() <= FACTS | MORE
    assert (record["secrets"], record["upstream"], record["upstream_ms"]) == ([], None, None)


def test_the_request_id_of_a_problem_is_that_of_the_record(proxy):
    answer = proxy.get("/nowhere")
    assert answer.json()["request_id"] == answer.record["request_id"]


def test_a_record_repeats_nothing_that_a_caller_typed_into_headers_query_or_body(proxy):
    proxy.ask("POST", "/any/t", [("X-One", "in-a-header"), ("Content-Type", "text/plain"),
                                 ("Authorization", "Bearer in-the-token")], [("q", "in-the-query")], "in-the-body")
    text = json.dumps(proxy.records())
    assert not [word for word in ("in-a-header", "in-the-token", "in-the-query", "in-the-body") if word in text]


def test_what_a_caller_writes_cannot_forge_a_line(proxy):
    before = len(proxy.records())
    proxy.get("/any/x", [("User-Agent", 'a\n{"request_id":"forged","duration_ms":1}')],
              origin='https://a\n{"request_id":"forged","duration_ms":1}')
    assert len(proxy.records()) == before + 1


def test_each_request_leaves_one_line_on_standard_output_and_none_elsewhere(start, tap):
    world = start(to=tap, routes={"GET /x": route("/anything/x")}, driver=RuntimeApi)
    for path in ("/x", "/nowhere", "/a/../b", "/x"):
        world.get(path)
    lines = world.function.process.stdout.splitlines()
    records = [record for record in map(json.loads, lines) if "_aws" not in record]
    # The first of them opens the chain.
    assert [each["class_uid"] for each in records] == [6002, 6003, 6003, 6003, 6003]
    assert [each["status_code"] for each in records[1:]] == ["200", "404", "400", "200"]
    assert b"request_id" not in world.function.process.stderr

"""Events reach the index of a Splunk that is as strict as its collector, and what it answers is understood."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from sandbox.vendors import splunk
from sandbox.receiver import Answer

from destinations import describe_shop, expect_dead, expect_wait, publish_each

TOKEN = "B5A79AAD-D822-46CC-80D1-819F80D7BFB0"
SPLUNK = Answer(like="splunk")
HOSTILE = "<script>alert(1)</script> $token$ `macro` | delete \n\r\n✅ Scan done — all good\",\"index\":\"other\",\"x\":\"\\ \u202egnp.exe"


def filing(stage: Any, path: str = "/splunk", **settings: Any) -> Any:
    """An integration with a collector below PATH."""
    stage.receiver.script(f"{path}/services/collector/event", SPLUNK)
    return stage.integration({"hec_url": stage.receiver.url(path), "token": TOKEN, **settings}, kind="splunk", name=path)


def test_every_event_is_found_by_its_words_and_numbers(stage, notifyd):
    filing(stage, index="security")
    describe_shop(stage, counts='{"high": 2, "low": 11}')
    notifyd()
    ids = publish_each(stage, change="recheck queued", error="no answer")
    stage.wait(lambda: len(splunk.indexed(stage.receiver.requests())) == 5)  # some may share a request
    requests = stage.receiver.requests()
    for request in requests:
        splunk.check(request)
    found = {ids[one["event"]["id"]]: one for one in splunk.indexed(requests)}
    assert {event_type: (one["sourcetype"], one["event"]["message"]) for event_type, one in found.items()} == {
        "scan_started": ("pencheff:scan_started", "🚀 Scan started — Shop & Söhne [deep]"),
        "scan_done": ("pencheff:scan_done", "✅ Scan done — Shop & Söhne · Grade C · 2 high, 11 low"),
        "scan_failed": ("pencheff:scan_failed", "❌ Scan failed — Shop & Söhne: no answer"),
        "finding_new": ("pencheff:finding", "🔴 [HIGH] CVSS 7.5 — SQL injection"),
        "finding_changed": ("pencheff:finding", "🔁 Finding updated — SQL injection: recheck queued")}
    assert {(one["index"], one["source"], one["host"]) for one in found.values()} == {("security", "pencheff", "pencheff")}
    assert found["scan_done"]["event"]["scan"]["summary"] == {"critical": 0, "high": 2, "medium": 0, "low": 11, "info": 0}
    finding = found["finding_new"]["event"]["finding"]
    assert (finding["severity"], finding["cvss_score"], finding["endpoint"]) == ("high", 7.5, "/cart?id=1")
    stage.wait_settled(5)
    assert {row["state"] for row in stage.deliveries()} == {"delivered"}


def test_hostile_findings_are_nothing_but_values_of_known_fields(stage, notifyd):
    filing(stage)
    stage.database.execute("UPDATE targets SET name = %s, base_url = %s", (HOSTILE, HOSTILE))
    stage.database.execute("UPDATE findings SET title = %s, endpoint = %s, description = repeat(%s, 90), remediation = repeat('\"', 9000), parameter = %s,"
                           " category = left(%s, 64), owasp_category = left(%s, 32)", (HOSTILE,) * 3 + (HOSTILE,) * 3)
    stage.database.execute("UPDATE scans SET error = %s", (HOSTILE,))
    notifyd()
    publish_each(stage, change=HOSTILE)
    stage.wait(lambda: len(splunk.indexed(stage.receiver.requests())) == 5)
    requests = stage.receiver.requests()
    for request in requests:
        assert splunk.live(splunk.check(request)) == []
    assert all(isinstance(one["event"], dict) for one in splunk.indexed(requests)), "nothing was cut by Splunk"
    stage.wait_settled(5)


def test_splunk_is_given_the_time_that_it_asks_for(stage, notifyd):
    filing(stage)
    stage.receiver.script("/splunk/services/collector/event", splunk.refusal(9, retry_after=3), splunk.refusal(26), SPLUNK)
    event, requests = expect_wait(stage, notifyd, 3)
    assert [one["event"]["id"] for one in splunk.indexed(requests[-1:])] == [event]


ENDS = [  # the answer, error, a word of the advice
    (splunk.refusal(4), "http_status", "token"),
    (splunk.refusal(7, number=1), "http_status", "index"),
    (splunk.refusal(10), "http_status", "indexer acknowledgment"),
    (splunk.refusal(404), "http_status", "hec_url"),
    (Answer(status=200, body=b"<html>Splunk Web</html>"), "not_accepted", "proxy"),
]


def test_what_splunk_refuses_is_dead_at_once_with_advice_and_the_token_is_nowhere(stage, notifyd):
    made = {}
    for n, (answer, *end) in enumerate(ENDS):
        made[filing(stage, f"/splunk{n}").id] = (answer.status, "rejected", *end)
        stage.receiver.script(f"/splunk{n}/services/collector/event", answer)
    expect_dead(stage, notifyd({"log": {"level": "debug"}}), made, TOKEN)


def request(body: Any, path: str = "/services/collector/event", auth: str = f"Splunk {TOKEN}", method: str = "POST") -> Any:
    text = body if isinstance(body, str) else "".join(json.dumps(one) for one in body)
    return SimpleNamespace(method=method, path=path, header={"authorization": auth} if auth else {}, body=text.encode())


def said(*args: Any, **more: Any) -> tuple[int, int, int | None]:
    answer = splunk.answer(request(*args, **more))
    body = json.loads(answer.body)
    return answer.status, body["code"], body.get("invalid-event-number")


def test_the_collector_takes_what_is_well_formed_up_to_the_first_that_is_not():
    good = {"event": {"a": 1}, "time": 1795312755.291, "sourcetype": "s", "index": "main"}
    assert said([good]) == said([good] * 3) == said([good], path="/splunk/services/collector") == (200, 0, None)
    assert said("\n".join(json.dumps(good) for _ in range(3))) == (200, 0, None)
    for bad, code, number in (({}, 12, 1), ({"event": ""}, 13, 1), ({**good, "fields": {"a": {}}}, 15, 1), ({**good, "index": "other"}, 7, 2), (7, 6, 1)):
        assert said([good, bad, good]) == (400, code, number)
        assert len(splunk.indexed([request([good, bad, good])])) == 1
    assert said(json.dumps(good).replace("1795312755.291", "1.795312755e9")) == (400, 15, 0)
    assert said(json.dumps([good])) == (400, 6, 0) and said("") == (400, 5, None) and said(json.dumps(good) + ",") == (400, 6, 1)
    assert [said([good], auth=auth)[1] for auth in ("", f"Bearer {TOKEN}", "Splunk other")] == [2, 3, 4]
    assert (said([good], path="/services/collector/raw")[0], said([good], method="PUT")[0]) == (404, 404)

    # What it does not know ends a body in silence, and what is too long is cut.
    lost = [good, {**good, "colour": "red"}, good]
    assert said(lost) == (200, 0, None) and len(splunk.indexed([request(lost)])) == 1 and said([{**good, "colour": "red"}]) == (400, 5, None)
    long = {**good, "event": {"text": "x" * 10000}}
    assert isinstance(splunk.indexed([request([long])])[0]["event"], str)
    for wrong in (lost, [long]):
        with pytest.raises(splunk.Refused):
            splunk.check(request(wrong))
    live = splunk.live([{"host": "a b", "sourcetype": "mine", "fields": {}, "event": {"<b>": 1, "a": None, "b": "x\ny", "description": "x\ny", "c": {"d": "\u202e"}}}])
    assert [re.split(":| '", one)[0] for one in live] == ["host", "sourcetype", "fields", "the name", "a", "b", "c.d"]

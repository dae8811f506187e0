"""Events reach a PagerDuty that is as strict as its documentation, and open, add to and end the alerts that they should."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

from sandbox.receiver import Answer
from sandbox.vendors import pagerduty

from destinations import expect_dead, expect_wait, publish_each

PAGERDUTY = Answer(like="pagerduty")
ENQUEUE = "/v2/enqueue"
HOSTILE = ("\",\"event_action\":\"resolve\",\"dedup_key\":\"x\",\"a\":\"\\ <script>alert(1)</script> https://evil.example\n"
           "Severity: info\x07 \u202egnp.exe")


def service(stage: Any, *answers: Answer, base: str = "", **settings: Any) -> tuple[str, str]:
    """An integration with a key of its own; its id, and the key."""
    key = uuid.uuid4().hex
    stage.receiver.script(f"{base}{ENQUEUE}", *(answers or (PAGERDUTY,)))
    return stage.integration({"routing_key": key, "api_url": stage.receiver.url(base), **settings}, kind="pagerduty", name="a service").id, key


def accepted(stage: Any, count: int) -> list[dict[str, Any]]:
    return [pagerduty.check(request) for request in stage.receiver.wait_for(count, ENQUEUE)]


def test_every_event_opens_an_alert_and_hostile_text_decides_about_nothing(stage, notifyd):
    _, key = service(stage)
    stage.database.execute("UPDATE targets SET name = %s, base_url = 'https://shop.example'", (HOSTILE,))
    stage.database.execute("UPDATE scans SET error = %s, profile = 'deep'", (HOSTILE,))
    stage.database.execute("UPDATE findings SET title = %s, endpoint = %s, description = %s, remediation = repeat('🚨', 9000), cvss_score = 7.5,"
                           " pencheff_finding_id = 'PF-1', verification_status = left(%s, 32) WHERE id = %s", (HOSTILE,) * 4 + (stage.high,))
    notifyd({"gate": {"rate_pagerduty": 0.0}})
    publish_each(stage, change=HOSTILE)
    events = accepted(stage, 5)
    assert {event["routing_key"] for event in events} == {key} and {event["event_action"] for event in events} == {"trigger"}
    assert not any(pagerduty.live(event) for event in events)
    said = {event["payload"]["summary"].partition(" — ")[0]: event["payload"]["severity"] for event in events}
    assert said == {"Scan started": "info", "Scan done": "info", "Scan failed": "error", "[HIGH] CVSS 7.5": "error", "Finding updated": "error"}
    assert all(event["payload"]["source"] == "https://shop.example" and "<script>" in event["payload"]["group"] for event in events)
    shown = pagerduty.alerts(events)
    assert sorted(alert["log"] for alert in shown) == [["trigger"]] * 3 + [["trigger", "trigger"]]  # both of the finding are one
    stage.wait_settled(5)


def test_an_alert_ends_with_its_finding_and_begins_anew_with_it(stage, notifyd):
    service(stage)
    stage.database.execute("UPDATE findings SET pencheff_finding_id = 'PF-1' WHERE id = %s", (stage.high,))
    notifyd({"gate": {"rate_pagerduty": 0.0}})
    for count, (event_type, suppressed) in enumerate((("finding_new", False), ("finding_changed", True), ("finding_changed", True),
                                                      ("finding_changed", False)), 1):
        stage.database.execute("UPDATE findings SET suppressed = %s WHERE id = %s", (suppressed, stage.high))
        stage.publish(event_type)
        accepted(stage, count)
    first, second = pagerduty.alerts(accepted(stage, 4))
    assert (first["log"], first["open"]) == (["trigger", "resolve"], False) and (second["log"], second["open"]) == (["trigger"], True)


def test_the_vendor_takes_what_is_just_within_the_limits_and_refuses_what_is_beyond():
    payload = {"summary": "🚨" * 512, "source": "s", "severity": "info", "timestamp": "2026-11-22T01:59:15.291Z"}
    good = {"routing_key": "k" * 32, "event_action": "trigger", "dedup_key": "d" * 255, "payload": payload}

    def status(event: Any, path: str = ENQUEUE) -> int:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return pagerduty.answer(SimpleNamespace(method="POST", path=path, header={}, body=body)).status

    assert status(good) == status({**good, "event_action": "resolve"}) == 202
    for change in ({"routing_key": "k" * 33}, {"routing_key": "-" * 32}, {"event_action": "open"}, {"dedup_key": "d" * 256}, {"payload": None},
                   *({"payload": {**payload, **wrong}} for wrong in ({"summary": "🚨" * 512 + "x"}, {"source": " "}, {"severity": "high"},
                                                                     {"timestamp": "now"}, {"class": ""}, {"custom_details": "x"}))):
        assert status({**good, **change}) == 400, change
    assert (status(b"{"), status(good, "/v2/change/enqueue"), status({**good, "client": "c" * 512_000})) == (400, 404, 413)
    event = {"dedup_key": "x", "client_url": "https://evil.example", "payload": {"summary": "a\nb", "custom_details": {"Description": "a\nb", "n": 1}}}
    assert pagerduty.live(event) == ["client_url", "dedup_key", "summary: 'a\\nb'", "n: int"]


def test_pagerduty_is_given_the_time_that_it_asks_for(stage, notifyd):
    service(stage, pagerduty.slow_down(3), Answer(status=500, body=b""), PAGERDUTY)
    expect_wait(stage, notifyd, 3, ENQUEUE, gate={"rate_pagerduty": 0.0})


def test_what_pagerduty_refuses_is_dead_at_once_with_advice_and_the_key_that_it_repeats_is_nowhere(stage, notifyd):
    ends = [(400, "http_status", "Integration Key"), (202, "not_accepted", "proxy")]
    made, keys = {}, []
    for number, (status, error, advice) in enumerate(ends):
        base = f"/{number}"
        integration, key = service(stage, base=base)
        body = json.dumps({"status": "invalid event", "errors": ["Invalid routing key"], "key": key} if status == 400 else {"you sent": key})
        stage.receiver.script(f"{base}{ENQUEUE}", Answer(status=status, body=body.encode()))
        made[integration] = (status, "rejected", error, advice)
        keys.append(key)
    expect_dead(stage, notifyd({"log": {"level": "debug"}}), made, *keys)
    answers = stage.database.query("SELECT convert_from(response, 'UTF8') FROM notify.deliveries")
    assert all("*" * 32 in answer for answer, in answers)
    assert not any(key in answer for key in keys for answer, in answers)

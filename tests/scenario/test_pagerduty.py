"""Events reach a PagerDuty that is as strict as its documentation, and open, add to and end the alerts that they should."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

from sandbox.receiver import Answer
from sandbox.vendors import pagerduty

from destinations import expect_dead, expect_wait, publish_each, settled

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
                           " verification_status = left(%s, 32)", (HOSTILE,) * 4)
    notifyd({"gate": {"rate_pagerduty": 0.0}})
    another = stage.findings["critical"].id
    stage.database.execute("UPDATE findings SET category = 'another' WHERE id = %s", (another,))
    publish_each(stage, change=HOSTILE, changed=another)
    events = accepted(stage, 5)
    assert {event["routing_key"] for event in events} == {key} and {event["event_action"] for event in events} == {"trigger"}
    assert not any(pagerduty.live(event) for event in events)
    said = {event["payload"]["summary"].partition(" — ")[0]: event["payload"]["severity"] for event in events}
    assert said == {"Scan started": "info", "Scan done": "info", "Scan failed": "error", "[HIGH] CVSS 7.5": "error", "Finding updated": "critical"}
    assert all(event["payload"]["source"] == "https://shop.example" and "<script>" in event["payload"]["group"] for event in events)
    stage.wait_settled(5)


def test_nobody_is_called_for_a_finding_that_is_closed_before_anybody_was_told(stage, notifyd):
    service(stage)
    notifyd({"gate": {"rate_pagerduty": 0.0}})
    for event_type in ("finding_new", "finding_changed"):
        stage.database.execute("UPDATE findings SET suppressed = true WHERE id = %s", (stage.high,))
        event = stage.publish(event_type)
        row, = settled(stage, event).values()
        assert row["state"] == "delivered" and stage.receiver.count() == 0, row
    stage.database.execute("UPDATE findings SET suppressed = false WHERE id = %s", (stage.high,))
    stage.publish("finding_changed")
    alert, = pagerduty.alerts(accepted(stage, 1))
    assert alert["open"] and alert["log"] == ["trigger"]
    assert "nothing to do: the finding is closed" in " ".join(map(str, stage.database.query("SELECT detail FROM notify.deliveries")))


def test_a_service_keeps_alerts_by_their_key_and_drops_what_ends_none():
    kept = pagerduty.Service(keys={"k" * 32})

    def said(action: str, severity: str = "info", key: str = "a", routing: str = "k" * 32) -> int:
        event = {"routing_key": routing, "event_action": action, "dedup_key": key}
        event |= {"payload": {"summary": f"so {severity}", "source": "s", "severity": severity}} if action == "trigger" else {}
        return kept.answer(SimpleNamespace(method="POST", path=ENQUEUE, header={}, body=json.dumps(event).encode())).status

    assert [said("resolve"), said("trigger"), said("trigger", "error"), said("trigger", key="b"), said("resolve")] == [202] * 5
    assert kept.alerts["a"] == {"state": "resolved", "summary": "so error", "severity": "error", "log": ["trigger", "trigger", "resolve"], "opened": 1}
    assert said("resolve") == said("trigger", "critical") == 202 and said("trigger", routing="x" * 32) == said("trigger", "high") == 400
    assert (kept.alerts["a"]["state"], kept.alerts["a"]["opened"], kept.alerts["b"]["state"]) == ("triggered", 2, "triggered")
    assert len(kept.dropped) == 2 and len(kept.requests) == 9


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

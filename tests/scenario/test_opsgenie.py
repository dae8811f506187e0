"""Findings become alerts at an Opsgenie that is as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from sandbox.vendors import opsgenie
from sandbox.receiver import Answer

from destinations import EVENTS, describe_shop, expect_dead, expect_wait, publish_each, settled

KEY = "12345678-90ab-4cde-8f01-234567890abc"
OPSGENIE = Answer(like="opsgenie")
HOSTILE = ("<img src=x onerror=alert(1)> </p> <a href=\"https://evil.example\">x</a> &lt;b&gt; & \n\r\n✅ Scan done — all good\","
           "\"priority\":\"P5\",\"x\":\"\\ \u202egnp.exe")


def alerting(stage: Any, path: str = "/og", **settings: Any) -> Any:
    """An integration with an Opsgenie below PATH."""
    stage.receiver.script(f"{path}/*", OPSGENIE)
    return stage.integration({"api_key": KEY, "api_url": stage.receiver.url(path), **settings}, kind="opsgenie", name=path)


def sent(stage: Any, count: int) -> list[Any]:
    """All requests, each of which Opsgenie would take."""
    requests = stage.receiver.wait_for(count)
    for request in requests:
        opsgenie.check(request)
    return requests


def test_every_event_is_an_alert_with_the_words_that_users_know(stage, notifyd):
    alerting(stage)
    describe_shop(stage, counts='{"high": 2, "low": 11}')
    notifyd()
    for event_type in EVENTS[:4]:
        stage.publish(event_type, **({"error": "no answer"} if event_type == "scan_failed" else {}))
    shown = {one["alert"]["message"]: one["alert"] for one in opsgenie.alerts(sent(stage, 4))}
    assert {message: alert["priority"] for message, alert in shown.items()} == {
        "🚀 Scan started — Shop & Söhne [deep]": "P5", "✅ Scan done — Shop & Söhne · Grade C · 2 high, 11 low": "P5",
        "❌ Scan failed — Shop & Söhne: no answer": "P3", "🔴 [HIGH] CVSS 7.5 — SQL injection · Shop & Söhne": "P2"}
    assert len({alert["alias"] for alert in shown.values()}) == 4
    stage.wait_settled(4)

    # What is changed is told to an alert that may be there already; nobody has to hear of what was closed before it was told.
    another, closed = stage.findings["critical"].id, stage.findings["medium"].id
    stage.database.execute("UPDATE findings SET title = 'XSS', severity = 'critical' WHERE id = %s", (another,))
    stage.publish("finding_changed", finding_id=another, change_summary="recheck queued")
    sent(stage, 6)
    stage.database.execute("UPDATE findings SET suppressed = true, severity = 'high' WHERE id = %s", (closed,))
    event = stage.publish("finding_changed", finding_id=closed, change_summary="suppressed (reason: accepted)")
    assert [row["state"] for row in settled(stage, event).values()] == ["delivered"]
    alert, = (one for one in opsgenie.alerts(sent(stage, 6)) if "XSS" in one["alert"]["message"])
    assert (alert["open"], alert["count"], alert["alert"]["priority"]) == (True, 1, "P1")
    assert [note.partition("\n")[0] for note in alert["notes"]] == ["🔁 Finding updated — XSS: recheck queued"]
    stage.wait_settled(6)
    assert stage.receiver.count() == 6 and "dead" not in {row["state"] for row in stage.deliveries()}


def test_hostile_findings_are_nothing_but_text_in_an_alert(stage, notifyd):
    alerting(stage)
    stage.database.execute("UPDATE targets SET name = %s, base_url = %s", (HOSTILE, HOSTILE))
    stage.database.execute("UPDATE findings SET title = %s, endpoint = %s, description = %s, remediation = repeat('&', 9000), parameter = %s,"
                           " category = left(%s, 64), owasp_category = left(%s, 32)", (HOSTILE,) * 3 + (HOSTILE,) * 3)
    another = stage.findings["critical"].id
    stage.database.execute("UPDATE findings SET category = 'another' WHERE id = %s", (another,))
    stage.database.execute("UPDATE scans SET error = %s", (HOSTILE,))
    notifyd()
    publish_each(stage, change=HOSTILE, changed=another)
    for request in sent(stage, 6):
        assert not opsgenie.live(opsgenie.check(request))
        if b'"priority"' in request.body:
            assert "‹img src=x" in json.loads(request.body)["message"]
        else:
            assert "&lt;img src=x" in json.loads(request.body)["note"]
    stage.wait_settled(5)


def test_opsgenie_is_given_the_time_that_it_asks_for(stage, notifyd):
    alerting(stage)
    stage.receiver.script("/og/v2/alerts", opsgenie.slow_down(3), opsgenie.refusal(500, "Internal Server Error"), OPSGENIE)
    expect_wait(stage, notifyd, 3)


ENDS = [  # the answer, reason, error, a word of the advice
    (opsgenie.refusal(401, "Could not authenticate"), "rejected", "http_status", "api.eu.opsgenie.com"),
    (opsgenie.refusal(422, "Key format is not valid!"), "rejected", "http_status", "api_key"),
    (opsgenie.refusal(404, "Not Found"), "rejected", "http_status", "api_url"),
    (Answer(status=410), "gone", "http_status", "jsm/ops/integration"),
    (Answer(status=202, body=b"<html>Please log in</html>"), "rejected", "not_accepted", "proxy"),
]


def test_what_opsgenie_refuses_is_dead_at_once_with_advice_and_the_key_is_nowhere(stage, notifyd):
    made = {}
    for n, (answer, *end) in enumerate(ENDS):
        made[alerting(stage, f"/og{n}").id] = (answer.status, *end)
        stage.receiver.script(f"/og{n}/v2/alerts", answer)
    expect_dead(stage, notifyd({"log": {"level": "debug"}}), made, KEY)


def test_the_vendor_takes_what_is_just_within_the_limits_and_refuses_what_is_beyond():
    good = {"message": "🚨" * 65, "alias": "a" * 512, "description": "d" * 15000, "tags": ["t" * 50] * 20, "details": {"k": "v" * 7999},
            "entity": "e" * 512, "source": "s" * 100, "user": "u" * 100, "priority": "P1"}

    def status(body: Any, path: str = "/v2/alerts", key: str = KEY, method: str = "POST") -> int:
        return opsgenie.answer(SimpleNamespace(method=method, path=path, header={"authorization": f"GenieKey {key}", "content-type": "application/json"},
                                               body=body if isinstance(body, bytes) else json.dumps(body).encode())).status

    assert status(good) == status(good, "/jsm/ops/integration/v2/alerts") == 202
    for name, value in good.items():
        longer = "P6" if name == "priority" else value + ["t"] if name == "tags" else {"k": "v" * 8000} if name == "details" else value + "x"
        assert status({**good, name: longer}) == 422, name
    assert [status({**good, **wrong}) for wrong in ({"message": " "}, {"details": {"k": 1}}, {"colour": "red"})] == [422, 400, 400]
    assert (status(b"{"), status(good, key="no-uuid"), status(good, "/v3/alerts"), status(good, method="PUT")) == (400, 422, 404, 405)
    assert status({"note": "n" * 25000}, "/v2/alerts/x/notes?identifierType=alias") == 202
    assert [status({"note": note}, "/v2/alerts/x/notes") for note in ("", "n" * 25001)] == [422, 422]

    # Who forgets identifierType is accepted, and nothing happens.
    def request(path: str, body: Any) -> Any:
        return SimpleNamespace(method="POST", path=path, header={"authorization": f"GenieKey {KEY}", "content-type": "application/json"}, body=json.dumps(body).encode())
    opened, lost = request("/v2/alerts", {"message": "m", "alias": "x"}), request("/v2/alerts/x/close", {})
    assert [one["open"] for one in opsgenie.alerts([opened, lost])] == [True]
    assert [one["open"] for one in opsgenie.alerts([opened, request("/v2/alerts/x/close?identifierType=alias", {}), opened])] == [False, True]
    assert opsgenie.live({"message": "a\nb", "alias": "mine", "tags": ["x"], "description": "<b>&nbsp;\n", "responders": []}) == [
        "message: 'a\\nb'", "description: <b>", "description: &nbsp;", "responders", "alias", "tag: x"]


def test_an_account_keeps_alerts_by_their_alias_and_says_nothing_of_what_is_lost():
    account, unable = opsgenie.Account(keys={KEY}), opsgenie.Account(has_priority=False)

    def said(path: str, body: Any, method: str = "POST", by: str = "?identifierType=alias", to: Any = account, key: str = KEY) -> int:
        header = {"authorization": f"GenieKey {key}", "content-type": "application/json"}
        return to.answer(SimpleNamespace(method=method, path=f"/v2/alerts{path}{by if path else ''}", header=header, body=json.dumps(body).encode())).status

    alert = {"message": "m", "alias": "a", "priority": "P3"}
    assert [said("/a/notes", {"note": "early"}), said("", alert), said("", {**alert, "priority": "P1", "message": "other"}),
            said("/a/notes", {"note": "n"}), said("/a/priority", {"priority": "P2"}, "PUT")] == [202] * 5
    kept = account.alerts["a"]
    assert (kept["state"], kept["count"], kept["priority"], kept["notes"], kept["message"]) == ("open", 2, "P2", ["n"], "m")
    assert [said("/a/close", {"note": "over"}), said("/a/close", {}), said("/a/close", {}, by="")] == [202] * 3
    assert (kept["state"], kept["notes"]) == ("closed", ["n", "over"])
    assert said("", {**alert, "message": "anew"}) == 202
    assert (account.alerts["a"]["state"], account.alerts["a"]["opened"], account.alerts["a"]["message"]) == ("open", 2, "anew")
    assert account.lost == [("notes", "a"), ("close", "a"), ("close", "the alert of the id a")]
    assert [said("/a/priority", {"priority": "P6"}, "PUT"), said("/a/priority", {"priority": "P1"}), said("/a/notes", {}), said("", alert, key=KEY[::-1])] == [422, 405, 422, 422]
    assert said("", alert, key=KEY.replace("1", "2")) == 401 and len(account.requests) == 14
    assert said("", alert, to=unable) == 202 and said("/a/priority", {"priority": "P1"}, "PUT", to=unable) == 404
    assert unable.alerts["a"]["priority"] == "P3"

"""What deploy/demo insists on can tell right from wrong: fed with wrong data, each check fails with the right sentence."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from typing import Any, Callable

import pytest
from sandbox import seed
from sandbox.answers import OK, Answer
from sandbox.demo_case import Call, Hook, ScanCall
from sandbox.demo_check import Ledger, dead_problems, explain_problems, ledger_problems, receipt_problems, request_problems
from sandbox.demo_expect import Expectation
from sandbox.demo_receipt import Inbox
from sandbox.demo_rule import FIRES, STAGES, Filters, Retry, ending
from sandbox.receiver import Request

SECRET = "s3cret"
WORKSPACE = seed.Workspace("w", "o")
TARGET = seed.Target("t", WORKSPACE, "url", "shop")
SCAN = seed.Scan("s", TARGET)
FINDING = seed.Finding("f", SCAN, "low", "a <title>")
EVERYTHING = Hook("i1", "everything", "/1", SECRET, answers=(Answer(503), Answer(503), OK))
CRITICAL = Hook("i2", "critical", "/2", SECRET)
CHANNEL = Hook("i3", "#channel", "/3", kind="slack", answers=(Answer(like="slack"),))
HOOKS = [EVERYTHING, CRITICAL, CHANNEL]
FILTERS = [Filters("i1", "everything", True, "info", None, None, None), Filters("i2", "critical", True, "critical", None, None, None),
           Filters("i3", "#channel", False, "info", None, None, None)]
OPEN_CHANNEL = [*FILTERS[:2], Filters("i3", "#channel", True, "info", None, None, None)]


def expectation(*calls: Call, filters: list[Filters] = FILTERS) -> Expectation:
    """Of events e1, e2 …; without CALLS of one finding_new."""
    expected = Expectation(filters)
    for number, call in enumerate(calls or (Call(SCAN, "finding_new", FINDING),), 1):
        expected.add(f"e{number}", call)
    return expected


def request(path: str = "/1", secret: str = SECRET, key: bytes | None = None, message_id: str = "m1", answered: int = 200,
            at: float = 0.0, method: str = "POST", **changes: Any) -> Request:
    body = json.dumps({
        "tool": "pencheff", "event": "finding_new", "id": "e1", "workspace_id": "w", "target": {"id": "t"}, "scan": {"id": "s"},
        "finding": {"id": "f", "severity": "low", "title": "a title"}, "change_summary": None, "error": None, **changes}).encode()
    digest = hmac.digest(key or secret.encode(), f"{message_id}.1700000000.".encode() + body, hashlib.sha256)
    headers = [("X-Pencheff-Signature", "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()),
               ("X-Pencheff-Timestamp", "1700000000"), ("webhook-id", message_id), ("webhook-timestamp", "1700000000"),
               ("webhook-signature", "v1," + base64.b64encode(digest).decode())]
    return Request(method, path, headers, body, 1, ("127.0.0.1", 1), at=at, answered=answered)


def retried(**last: Any) -> list[Request]:
    """Two failures and what came of them, at the times that are promised."""
    return [request(answered=503, at=0.0), request(answered=503, at=1.0), request(**{"at": 3.0, **last})]


def inbox(requests: list[Request], expected: Expectation) -> Inbox:
    made = Inbox(HOOKS, expected, Retry(base=1.0, factor=2.0))
    for one in requests:
        made.add(one)
    return made


def problems(*requests: Request, expected: Expectation | None = None) -> list[str]:
    expected = expected or expectation()
    return receipt_problems(inbox(list(requests), expected), expected)


def test_the_right_delivery_is_right() -> None:
    assert problems(request()) == [] and problems(*retried()) == []
    assert inbox([request()], expectation()).unfinished() == set()
    assert inbox([], expectation()).unfinished() == {("e1", "i1")}


@pytest.mark.parametrize(("wrong", "said"), [
    (request(secret="another"), "X-Pencheff-Signature does not match"),
    (request(key=b"another"), "webhook-signature does not match"),
    (request("/nowhere"), "/nowhere is no address"),
    (request(method="PUT"), "PUT /1 is no address"),
    (request("/2"), "delivered to critical, which it is not for"),
    (request(id="e2"), "event e2 was delivered to everything, which it is not for"),
    (request(event="finding_changed"), "event is 'finding_changed' instead of 'finding_new'"),
    (request(finding=None), "finding.id is None instead of 'f'"),
    (request(error="x"), "error is 'x' instead of None"),
])
def test_a_wrong_delivery_is_named(wrong: Request, said: str) -> None:
    assert any(said in text for text in problems(wrong)), problems(wrong)


@pytest.mark.parametrize(("requests", "said"), [
    ([request(), request()], "event e1 was sent to everything again after the answer 200"),
    ([request(answered=404), request()], "event e1 was sent to everything again after the answer 404"),
    ([request(answered=503), request(at=0.5)], "event e1 was sent to everything again after 0.50 s instead of 1 s"),
    (retried(at=2.5), "event e1 was sent to everything again after 1.50 s instead of 2 s"),
    (retried(message_id="m2"), "event e1 came to everything with another webhook-id when it was sent again"),
])
def test_a_repetition_that_must_not_be_is_named(requests: list[Request], said: str) -> None:
    assert problems(*requests) == [said]


def test_one_webhook_id_for_two_deliveries_is_named() -> None:
    expected = expectation(*[Call(SCAN, "finding_new", FINDING)] * 2)
    assert problems(request(), request(id="e2", message_id="m2"), expected=expected) == []
    assert problems(request(), request(id="e2"), expected=expected) == ["webhook-id m1 stands for more than one delivery"]


def test_a_delivery_is_finished_when_it_is_delivered_or_dead() -> None:
    for requests, states in (([request(answered=503)], ("waiting", True)), (retried(), ("delivered", False)),
                             ([request(answered=404)], ("dead", False))):
        made = inbox(requests, expectation())
        assert (made.ended(states[0]) == {("e1", "i1")}) and (made.unfinished() == {("e1", "i1")}) == states[1]


@pytest.mark.parametrize(("status", "state", "reason"), [
    (200, "delivered", None), (204, "delivered", None), (503, "waiting", None), (429, "waiting", None), (408, "waiting", None),
    (404, "dead", "rejected"), (302, "dead", "rejected"), (410, "dead", "gone")])
def test_what_follows_from_an_answer(status: int, state: str, reason: str | None) -> None:
    assert ending(status) == (state, reason)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_receiver_with_too_many_or_too_few_requests_is_named(count: int) -> None:
    expected = expectation()
    assert request_problems(inbox(retried(), expected), expected, HOOKS) == []
    requests = (retried() + [request()])[:count]
    assert request_problems(inbox(requests, expected), expected, HOOKS) == [f"everything got {count} requests instead of 3"]


# --- Slack

EVENTS = {
    "scan_started": (Call(SCAN, "scan_started"), "🚀 Scan started — shop [standard]", "scan s"),
    "scan_done": (Call(SCAN, "scan_done"), "✅ Scan done — shop · Grade B · 2 high", "scan s"),
    "scan_failed": (Call(SCAN, "scan_failed", keywords={"error": "no answer"}), "❌ Scan failed — shop: no answer", "scan s"),
    "finding_new": (Call(SCAN, "finding_new", FINDING), "🟡 [LOW] CVSS 3.1 — a &lt;title&gt;\n/search", "finding f · scan s"),
    "finding_changed": (Call(SCAN, "finding_changed", FINDING, keywords={"change_summary": "queued"}),
                        "🔁 Finding updated — a &lt;title&gt;: queued", "finding f · scan s"),
}


def posted(line: str, ids: str, kind: str = "plain_text", at: float = 0.0) -> Request:
    small = {"type": "context", "elements": [{"type": kind, "text": f"Pencheff · {ids}"}]}
    body = json.dumps({"text": line, "attachments": [{"color": "#EF4444", "blocks": [small]}]}).encode()
    return Request("POST", "/3", [("Content-Type", "application/json")], body, 1, ("127.0.0.1", 1), at=at, answered=200)


@pytest.mark.parametrize("event_type", EVENTS)
def test_the_right_message_to_slack_is_known_by_what_it_tells(event_type: str) -> None:
    call, line, ids = EVENTS[event_type]
    expected = expectation(call, filters=OPEN_CHANNEL)
    made = inbox([posted(line, ids)], expected)
    assert made.receipts[0].event_id == "e1" and receipt_problems(made, expected) == []


@pytest.mark.parametrize(("wrong", "said"), [
    (posted("🔴 [HIGH] CVSS 3.1 — a &lt;title&gt;", "finding f · scan s"),
     "#channel was told \"🔴 [HIGH] CVSS 3.1 — a <title>\", and no event for it reads like that"),
    (posted("🟡 [LOW] CVSS 3.1 — another", "finding f · scan s"), "#channel was told \"🟡 [LOW] CVSS 3.1 — another\", and no event"),
    (posted(EVENTS["finding_new"][1], "finding g · scan s"), "no event for it reads like that"),
    (posted(EVENTS["finding_new"][1], "scan s"), "no event for it reads like that"),
    (posted(EVENTS["finding_new"][1], "finding f · scan s", kind="mrkdwn"), "no event for it reads like that"),
    (posted(EVENTS["finding_new"][1], "finding f · scan s", kind="button"), "Slack would refuse the message with invalid_blocks"),
    (posted("", ""), "no event for it reads like that"),
])
def test_a_wrong_message_to_slack_is_named(wrong: Request, said: str) -> None:
    found = problems(wrong, expected=expectation(filters=OPEN_CHANNEL))
    assert len(found) == 1 and said in found[0], found


def test_a_message_to_a_channel_that_is_not_for_it_is_named() -> None:
    assert "no event for it reads like that" in problems(posted(*EVENTS["finding_new"][1:]), expected=expectation())[0]


def test_two_events_that_read_alike_are_two_messages_and_a_third_is_one_too_many() -> None:
    call, line, ids = EVENTS["scan_done"]
    expected = expectation(call, call, filters=OPEN_CHANNEL)
    made = inbox([posted(line, ids)] * 2, expected)
    assert [r.event_id for r in made.receipts] == ["e1", "e2"] and receipt_problems(made, expected) == []
    made.add(posted(line, ids))
    assert receipt_problems(made, expected) == ["event e1 was sent to #channel again after the answer 200"]


# --- the ledger and notifyctl

EVENT = {"state": "done", "considered": 3, "matched": 1, **{f"filtered_{stage}": 0 for stage in STAGES}, "filtered_severity": 1,
         "filtered_disabled": 1, "published": 0}
DELIVERY = {"event_id": "e1", "integration_id": "i1", "state": "delivered", "reason": None, "attempt": 3, "status": 200}
FAILED = [{"event_id": "e1", "integration_id": "i1", "attempt": attempt, "status": 503} for attempt in (1, 2)]
DEAD = {**DELIVERY, "state": "dead", "reason": "rejected", "attempt": 1, "status": 404}


def disagreement(requests: list[Request] | None = None, events: dict | None = None, deliveries: list | None = None,
                 attempts: list | None = None) -> list[str]:
    """What is wrong with a ledger in which only the parts that are given differ from the right one."""
    expected = expectation()
    parts = [{"e1": EVENT} if events is None else events, [DELIVERY] if deliveries is None else deliveries,
             FAILED if attempts is None else attempts]
    return ledger_problems(Ledger(*copy.deepcopy(parts)), inbox(requests or retried(), expected), expected)


def test_a_ledger_that_agrees_is_right() -> None:
    assert disagreement() == []
    assert disagreement([request(answered=404)], deliveries=[DEAD], attempts=[{**FAILED[0], "status": 404}]) == []


@pytest.mark.parametrize(("parts", "said"), [
    ({"events": {}}, "event e1 is not in the ledger"),
    ({"events": {"e1": EVENT, "e2": EVENT}}, "an event e2 that nobody published"),
    ({"events": {"e1": {**EVENT, "state": "open"}}}, "event e1 is open in the ledger, not done"),
    ({"events": {"e1": {**EVENT, "filtered_severity": 0, "filtered_event": 1}}},
     "filtered_event is 1 in the ledger and 0 by the rule"),
    ({"deliveries": []}, "delivery e1 to everything is not in the ledger"),
    ({"deliveries": [DELIVERY, {**DELIVERY, "integration_id": "i2"}]}, "delivery e1 to critical is in the ledger"),
    ({"deliveries": [{**DELIVERY, "state": "waiting"}]}, "state is waiting in the ledger and delivered by its receiver"),
    ({"deliveries": [{**DELIVERY, "attempt": 2}]}, "attempt is 2 in the ledger and 3 by its receiver"),
    ({"attempts": FAILED[:1]}, "failed attempts are [(1, 503)] in the ledger and [(1, 503), (2, 503)] by its receiver"),
    ({"requests": [request(answered=404)], "deliveries": [{**DEAD, "reason": "gone"}],
      "attempts": [{**FAILED[0], "status": 404}]},
     "reason is gone in the ledger and rejected by its receiver"),
])
def test_a_ledger_that_does_not_agree_is_named(parts: dict[str, Any], said: str) -> None:
    found = disagreement(**parts)
    assert len(found) >= 1 and any(said in text for text in found), found


def test_a_scan_that_became_too_few_events_or_is_not_done_is_named() -> None:
    scan_call = ScanCall(SCAN, (FINDING,))
    expected = Expectation(FILTERS)
    expected.add_scan("task", scan_call)
    assert expected.deliveries() == {("task.scan_done", "i1"), ("task.scan_done", "i2"), ("task.f", "i1")}
    assert {id: call.event_type for id, call in expected.calls.items()} == {"task.scan_done": "scan_done", "task.f": "finding_new"}
    empty = Inbox(HOOKS, expected, Retry(1, 2))
    for row, said in (({"state": "expanded", "published": 2}, []), (None, ["event task is not in the ledger"]),
                      ({"state": "open", "published": 2}, ["event task is open in the ledger, not expanded"]),
                      ({"state": "expanded", "published": 1}, ["event task: published is 1 in the ledger and 2 by the rule"])):
        found = ledger_problems(Ledger({"task": row} if row else {}, [], []), empty, expected)
        assert [text for text in found if text.startswith("event task ") or text.startswith("event task:")] == said, found


@pytest.mark.parametrize(("listed", "said"), [
    ([DEAD], []),
    ([], ["notifyctl dead list says nothing of e1 to everything, by its receiver it is rejected"]),
    ([{**DEAD, "reason": "gone"}], ["notifyctl dead list says gone of e1 to everything, by its receiver it is rejected"]),
    ([DEAD, {**DEAD, "integration_id": "i2"}],
     ["notifyctl dead list says rejected of e1 to critical, by its receiver it is not dead"]),
])
def test_a_list_of_the_dead_that_does_not_agree_is_named(listed: list[dict[str, Any]], said: list[str]) -> None:
    expected = expectation()
    assert dead_problems(listed, inbox([request(answered=404)], expected), expected) == said


def explained(**held: list[str]) -> dict[str, Any]:
    """What explain says of e1; HELD: the filters that hold back, by integration. One without any has a delivery."""
    return {"e1": {"integrations": [
        {"integration_id": id, "name": id, "filters": [{"filter": stage, "passes": stage not in stages} for stage in STAGES],
         "delivery": None if stages else {"state": "delivered"}} for id, stages in held.items()]}}


RIGHT: dict[str, list[str]] = {"i1": [], "i2": ["severity"], "i3": ["disabled", "severity"]}


def lost(said: dict[str, Any]) -> dict[str, Any]:
    """The delivery that there must be is missing."""
    said["e1"]["integrations"][0]["delivery"] = None
    return said


@pytest.mark.parametrize(("said", "wrong"), [
    (lambda: explained(**RIGHT), []),
    (lambda: explained(**{**RIGHT, "i2": ["event", "severity"]}),
     ["notifyctl explain says event of e1 for critical, by the rule it is severity"]),
    (lambda: explained(i1=[], i2=["severity"]), ["notifyctl explain says nothing of e1 for #channel, by the rule it is disabled"]),
    (lambda: explained(**RIGHT, i4=["event"]), ["notifyctl explain says event of e1 for i4, by the rule it is not asked"]),
    (lambda: explained(**{**RIGHT, "i2": []}), ["notifyctl explain has a delivery of e1 to i2",
                                                "notifyctl explain says fires of e1 for critical, by the rule it is severity"]),
    (lambda: lost(explained(**RIGHT)), ["notifyctl explain has no delivery of e1 to i1"]),
    (dict, [f"notifyctl explain says nothing of e1 for {name}, by the rule it is {stage}"
            for name, stage in (("everything", FIRES), ("critical", "severity"), ("#channel", "disabled"))]),
])
def test_an_explanation_that_does_not_agree_is_named(said: Callable[[], dict[str, Any]], wrong: list[str]) -> None:
    assert explain_problems(said(), expectation()) == wrong


def test_the_names_of_those_who_held_back_follow_the_rule() -> None:
    expected = expectation()
    assert expected.stages["e1"] == {"i1": FIRES, "i2": "severity", "i3": "disabled"}
    assert expected.counts("e1") == {name: EVENT[name] for name in expected.counts("e1")} and expected.held_back_most() == "e1"

"""What the demo insists on: each delivery that the filters call for exactly once, tried as often as its receiver's answers
call for, and notifyctl and the ledger agree.

Pure: receipts, rows, notifyctl's answers and expectations in, sentences about what is wrong out. An empty list is the proof.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .demo_case import Call, Hook
from .demo_expect import Expectation
from .demo_receipt import Inbox, Receipt
from .demo_rule import DEAD, FIRES, WAITING, ending

_EARLY = 0.01  # seconds: two clocks measure a pause


def receipt_problems(inbox: Inbox, expected: Expectation) -> list[str]:
    """What is wrong with what the receivers got: also used before all is there, so nothing about what is missing."""
    wrong = [f"a request was not right: {r.wrong}" for r in inbox.receipts if r.wrong]
    owner: dict[str, tuple[str, str]] = {}
    for delivery, attempts in inbox.by_delivery().items():
        event, name = delivery[0], expected.name_of(delivery[1])
        if not expected.fires(*delivery):
            wrong.append(f"event {event} was delivered to {name}, which it is not for")
            continue
        wrong += _attempt_problems(attempts, event, name)
        for r in attempts:
            if r.hook and r.hook.kind == "webhook":
                wrong += _body_problems(r, expected.calls[event])
        for message_id in sorted({r.message_id for r in attempts} - {""}):
            if owner.setdefault(message_id, delivery) != delivery:
                wrong.append(f"webhook-id {message_id} stands for more than one delivery")
    return wrong


def _attempt_problems(attempts: Sequence[Receipt], event: str, name: str) -> list[str]:
    wrong = []
    if len({r.message_id for r in attempts}) > 1:
        wrong.append(f"event {event} came to {name} with another webhook-id when it was sent again")
    for r, again in zip(attempts, attempts[1:]):
        if r.state != WAITING:
            wrong.append(f"event {event} was sent to {name} again after the answer {r.status}")
        elif again.at - r.at < r.pause - _EARLY:
            wrong.append(f"event {event} was sent to {name} again after {again.at - r.at:.2f} s instead of {r.pause:g} s")
    return wrong


def _body_problems(r: Receipt, call: Call) -> list[str]:
    finding, target, scan = (r.body.get(name) or {} for name in ("finding", "target", "scan"))
    must = {
        "tool": ("pencheff", r.body.get("tool")), "event": (call.event_type, r.body.get("event")),
        "workspace_id": (call.scan.workspace.id, r.body.get("workspace_id")),
        "target.id": (call.scan.target.id, target.get("id")), "scan.id": (call.scan.id, scan.get("id")),
        "finding.id": (call.finding.id if call.finding else None, finding.get("id")),
        "finding.severity": (call.finding.severity if call.finding else None, finding.get("severity")),
        "change_summary": (call.keywords.get("change_summary"), r.body.get("change_summary")),
        "error": (call.keywords.get("error"), r.body.get("error")),
    }
    return [f"event {r.event_id}: {name} is {got!r} instead of {right!r}" for name, (right, got) in must.items() if right != got]


def request_problems(inbox: Inbox, expected: Expectation, hooks: Sequence[Hook]) -> list[str]:
    """Each receiver got one request for each delivery, and one more for each of its answers that asks for another."""
    wanted = Counter(hook for _, hook in expected.deliveries())
    got = Counter(r.hook.id for r in inbox.receipts if r.hook)
    wrong = []
    for hook in hooks:
        # A vendor answers by what it gets: well, if that is right.
        again = sum(not answer.like and ending(answer.status)[0] == WAITING for answer in hook.answers)
        must = wanted[hook.id] + again if wanted[hook.id] else 0
        if got[hook.id] != must:
            wrong.append(f"{hook.name} got {got[hook.id]} requests instead of {must}")
    return wrong


@dataclass
class Ledger:
    events: Mapping[str, Mapping[str, Any]]  # rows of notify.events by id
    deliveries: Sequence[Mapping[str, Any]]  # rows of notify.deliveries
    attempts: Sequence[Mapping[str, Any]]  # rows of notify.attempts: those that failed


def ledger_problems(ledger: Ledger, inbox: Inbox, expected: Expectation) -> list[str]:
    wrong = [f"the ledger has an event {i} that nobody published"
             for i in ledger.events if i not in expected.calls and i not in expected.tasks]
    for event_id in expected.calls:
        wrong += _event_problems(event_id, ledger.events.get(event_id), "done", expected.counts(event_id))
    for task_id, published in expected.tasks.items():
        wrong += _event_problems(task_id, ledger.events.get(task_id), "expanded", {"published": published})
    there = {(row["event_id"], row["integration_id"]): row for row in ledger.deliveries}
    for event, hook in sorted(expected.deliveries() ^ there.keys()):
        missing = "not " if (event, hook) not in there else ""
        wrong.append(f"delivery {event} to {expected.name_of(hook)} is {missing}in the ledger")
    failed: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in ledger.attempts:
        failed.setdefault((row["event_id"], row["integration_id"]), []).append((row["attempt"], row["status"]))
    for delivery, attempts in inbox.by_delivery().items():
        if delivery in there:
            wrong += _delivery_problems(there[delivery], sorted(failed.get(delivery, [])), attempts, expected)
    return wrong


def _event_problems(event_id: str, row: Mapping[str, Any] | None, state: str, must: Mapping[str, int]) -> list[str]:
    if row is None:
        return [f"event {event_id} is not in the ledger"]
    wrong = [f"event {event_id} is {row['state']} in the ledger, not {state}"] if row["state"] != state else []
    return wrong + [f"event {event_id}: {name} is {row[name]} in the ledger and {right} by the rule"
                    for name, right in must.items() if row[name] != right]


def _delivery_problems(row: Mapping[str, Any], failed: list[tuple[int, int]], attempts: Sequence[Receipt],
                       expected: Expectation) -> list[str]:
    what = f"delivery {row['event_id']} to {expected.name_of(row['integration_id'])}"
    state, reason = ending(attempts[-1].status)
    must = {"state": state, "reason": reason, "attempt": len(attempts), "status": attempts[-1].status}
    wrong = [f"{what}: {name} is {row[name]} in the ledger and {right} by its receiver" for name, right in must.items()
             if row[name] != right]
    answered = [(r.attempt, r.status) for r in attempts if r.status >= 300]
    if failed != answered:
        wrong.append(f"{what}: failed attempts are {failed} in the ledger and {answered} by its receiver")
    return wrong


def dead_problems(listed: Sequence[Mapping[str, Any]], inbox: Inbox, expected: Expectation) -> list[str]:
    """LISTED: what `notifyctl dead list --json` says."""
    must = {delivery: ending(inbox.by_delivery()[delivery][-1].status)[1] for delivery in inbox.ended(DEAD)}
    said = {(row["event_id"], row["integration_id"]): row["reason"] for row in listed}
    return [f"notifyctl dead list says {said.get(delivery, 'nothing')} of {delivery[0]} to {expected.name_of(delivery[1])},"
            f" by its receiver it is {must.get(delivery, 'not dead')}"
            for delivery in sorted(must.keys() | said.keys()) if said.get(delivery) != must.get(delivery)]


def explain_problems(explained: Mapping[str, Mapping[str, Any]], expected: Expectation) -> list[str]:
    """EXPLAINED: what `notifyctl explain --event ID --json` says of each event. The first filter that holds is the stage."""
    wrong = []
    for event_id, stages in expected.stages.items():
        said = {}
        for row in explained.get(event_id, {}).get("integrations", ()):
            held = [one["filter"] for one in row["filters"] if not one["passes"]]
            said[row["integration_id"]] = held[0] if held else FIRES
            if bool(row["delivery"]) != expected.fires(event_id, row["integration_id"]):
                has = "a" if row["delivery"] else "no"
                wrong.append(f"notifyctl explain has {has} delivery of {event_id} to {row['name']}")
        wrong += [f"notifyctl explain says {said.get(i, 'nothing')} of {event_id} for {expected.name_of(i)}, by the rule it is"
                  f" {stages.get(i, 'not asked')}" for i in sorted(stages.keys() | said.keys()) if said.get(i) != stages.get(i)]
    return wrong

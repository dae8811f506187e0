"""What the demo insists on: each delivery that the filters call for exactly once, rightly signed, and a ledger that agrees.

Pure: requests, ledger rows and expectations in, sentences about what is wrong out. An empty list is the proof.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .demo_case import Call, Hook
from .demo_rule import FIRES, STAGES, Filters, verdict
from .receiver import Request
from .signatures import BadSignature, verify_signatures


@dataclass
class Receipt:
    """A request as its receiver understands it. WRONG is empty when it can be trusted."""

    hook: Hook | None
    body: dict[str, Any]
    wall: float
    message_id: str
    wrong: str = ""

    @property
    def event_id(self) -> str:
        return str(self.body.get("id", ""))


def read_receipt(request: Request, hooks: Sequence[Hook]) -> Receipt:
    hook = next((h for h in hooks if h.path == request.path), None)
    receipt = Receipt(hook, {}, request.wall, request.header.get("webhook-id", ""))
    if hook is None or request.method != "POST":
        receipt.wrong = f"{request.method} {request.path} is no address of a webhook"
        return receipt
    try:
        verify_signatures(request.header, request.body, hook.secret)
        receipt.body = json.loads(request.body)
    except BadSignature as error:
        receipt.wrong = str(error)
    except ValueError as error:
        receipt.wrong = f"the body is no JSON: {error}"
    return receipt


@dataclass
class Expectation:
    """Who must get which of the published events, and who must not, and why not."""

    calls: dict[str, Call] = field(default_factory=dict)  # by event id
    stages: dict[str, dict[str, str]] = field(default_factory=dict)  # event id → integration id → FIRES or a stage

    def add(self, event_id: str, call: Call, filters: Sequence[Filters]) -> None:
        self.calls[event_id] = call
        self.stages[event_id] = {f.id: verdict(f, call.facts) for f in filters}

    def deliveries(self) -> set[tuple[str, str]]:
        return {(event, hook) for event, stages in self.stages.items() for hook, stage in stages.items() if stage == FIRES}

    def counts(self, event_id: str) -> dict[str, int]:
        """The ledger's columns of an event, as they must be."""
        stages = Counter(self.stages[event_id].values())
        held = {f"filtered_{stage}": stages[stage] for stage in STAGES}
        return {"considered": sum(stages.values()), "matched": stages[FIRES], **held}


def receipt_problems(receipts: Sequence[Receipt], expected: Expectation) -> list[str]:
    """What is wrong with what the receiver got: also used before all is there, so nothing about what is missing."""
    wrong = [f"a request was not right: {r.wrong}" for r in receipts if r.wrong]
    good = [r for r in receipts if not r.wrong and r.hook]
    seen = Counter((r.event_id, r.hook.id) for r in good if r.hook)
    names = {r.hook.id: r.hook.name for r in good if r.hook}
    allowed = expected.deliveries()
    for (event, hook), times in seen.items():
        if (event, hook) not in allowed:
            wrong.append(f"event {event} was delivered to {names[hook]}, which it is not for")
        elif times > 1:
            wrong.append(f"event {event} was delivered {times} times to {names[hook]}")
    for r in good:
        if r.event_id in expected.calls:
            wrong += _body_problems(r, expected.calls[r.event_id])
    repeated = [i for i, times in Counter(r.message_id for r in good).items() if times > 1]
    if repeated and not any("times to" in text for text in wrong):
        wrong.append(f"webhook-id {repeated[0]} stands for more than one delivery")
    return wrong


def _body_problems(r: Receipt, call: Call) -> list[str]:
    finding, target = r.body.get("finding") or {}, call.scan.target
    must = {
        "tool": ("pencheff", r.body.get("tool")), "event": (call.event_type, r.body.get("event")),
        "workspace_id": (target.workspace.id, r.body.get("workspace_id")),
        "target.id": (target.id, (r.body.get("target") or {}).get("id")), "scan.id": (call.scan.id, (r.body.get("scan") or {}).get("id")),
        "finding.id": (call.finding.id if call.finding else None, finding.get("id")),
        "finding.severity": (call.finding.severity if call.finding else None, finding.get("severity")),
        "change_summary": (call.keywords.get("change_summary"), r.body.get("change_summary")),
        "error": (call.keywords.get("error"), r.body.get("error")),
    }
    return [f"event {r.event_id}: {name} is {got!r} instead of {right!r}" for name, (right, got) in must.items() if right != got]


def missing_deliveries(receipts: Sequence[Receipt], expected: Expectation) -> set[tuple[str, str]]:
    return expected.deliveries() - {(r.event_id, r.hook.id) for r in receipts if r.hook and not r.wrong}


def ledger_problems(events: Mapping[str, Mapping[str, Any]], deliveries: Sequence[Mapping[str, Any]],
                    expected: Expectation) -> list[str]:
    """EVENTS: rows of notify.events by id. DELIVERIES: rows of notify.deliveries."""
    wrong = [f"the ledger has an event {i} that nobody published" for i in events if i not in expected.calls]
    for event_id in expected.calls:
        row = events.get(event_id)
        if row is None:
            wrong.append(f"event {event_id} is not in the ledger")
            continue
        if row["state"] != "done":
            wrong.append(f"event {event_id} is {row['state']} in the ledger, not done")
        wrong += [f"event {event_id}: {name} is {row[name]} in the ledger and {right} by the rule"
                  for name, right in expected.counts(event_id).items() if row[name] != right]
    there = {(row["event_id"], row["integration_id"]): row for row in deliveries}
    for key in sorted(expected.deliveries() ^ there.keys()):
        wrong.append(f"delivery {key[0]} to {key[1]} is {'not ' if key not in there else ''}in the ledger")
    wrong += [f"delivery {row['event_id']} to {row['integration_id']} is {row['state']} after attempt {row['attempt']}"
              for row in deliveries if (row["state"], row["attempt"]) != ("delivered", 1)]
    return wrong

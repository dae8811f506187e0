"""What must come of what the demo published: which event fires for whom, and at which stage the others hold it back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Sequence

from .demo_case import Call, ScanCall
from .demo_rule import FIRES, STAGES, Filters, verdict


@dataclass
class Expectation:
    filters: Sequence[Filters]
    calls: dict[str, Call] = field(default_factory=dict)  # by event id
    stages: dict[str, dict[str, str]] = field(default_factory=dict)  # event id → integration id → FIRES or a stage
    tasks: dict[str, int] = field(default_factory=dict)  # id of a notify_scan_findings → how many events it becomes

    def add(self, event_id: str, call: Call) -> None:
        self.calls[event_id] = call
        self.stages[event_id] = {f.id: verdict(f, call.facts) for f in self.filters}

    def add_scan(self, task_id: str, scan_call: ScanCall) -> None:
        events = scan_call.events(task_id)
        self.tasks[task_id] = len(events)
        for event_id, call in events.items():
            self.add(event_id, call)

    def fires(self, event_id: str, integration: str) -> bool:
        return self.stages.get(event_id, {}).get(integration) == FIRES

    def deliveries(self) -> set[tuple[str, str]]:
        """Event and integration."""
        return {(event, hook) for event, stages in self.stages.items() for hook, stage in stages.items() if stage == FIRES}

    def counts(self, event_id: str) -> dict[str, int]:
        """The ledger's columns of an event, as they must be."""
        stages = Counter(self.stages[event_id].values())
        held = {f"filtered_{stage}": stages[stage] for stage in STAGES}
        return {"considered": sum(stages.values()), "matched": stages[FIRES], **held}

    def name_of(self, integration: str) -> str:
        return next((f.name for f in self.filters if f.id == integration), integration)

    def held_back_most(self) -> str:
        """The event that was held back at the most different stages: the one worth explaining."""
        return max(self.stages, key=lambda event: len(set(self.stages[event].values()) - {FIRES}))

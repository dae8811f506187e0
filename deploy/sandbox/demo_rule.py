"""The filters said once more, so that the demo can name who held an event back and be wrong only together with notifyd.

The ledger counts how many integrations held an event back and at which stage, not which ones. This is the published rule on
the rows of `integrations` as they stand in the database; it shares nothing with notifyd's own. Stages are asked in this
order and the first that says no is the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

FIRES = "fires"
STAGES = ("disabled", "target", "event", "target_kind", "severity")
_RANKS = ("info", "low", "medium", "high", "critical")


@dataclass(frozen=True)
class Filters:
    """An integration's row, as far as filters go."""

    id: str
    name: str
    enabled: bool
    severity_filter: str
    target_ids: Sequence[str] | None
    events: Sequence[str] | None
    target_kinds: Sequence[str] | None


@dataclass(frozen=True)
class Facts:
    """What the filters look at in an event; `severity` is the finding's, None when it has none."""

    event_type: str
    target_id: str
    target_kind: str
    severity: str | None


def verdict(filters: Filters, facts: Facts) -> str:
    """FIRES, or the stage that held the event back."""
    if not filters.enabled:
        return "disabled"
    if filters.target_ids and facts.target_id not in filters.target_ids:
        return "target"
    if filters.events and facts.event_type not in filters.events:
        return "event"
    if filters.target_kinds is not None and facts.target_kind not in filters.target_kinds:
        return "target_kind"
    if facts.event_type in ("finding_new", "finding_changed") and _rank(facts.severity, "info") < _rank(
            filters.severity_filter, "high"):
        return "severity"
    return FIRES


def why(stage: str, filters: Filters) -> str:
    """The stage in words."""
    return {
        "disabled": "it is disabled",
        "target": "not one of the targets it listens to",
        "event": f"it listens to {', '.join(filters.events or ())} only",
        "target_kind": f"it listens to targets of kind {', '.join(filters.target_kinds or ())} only",
        "severity": f"below its severity filter, {filters.severity_filter}",
    }[stage]


def _rank(word: str | None, otherwise: str) -> int:
    lowered = (word or "").lower()
    return _RANKS.index(lowered if lowered in _RANKS else otherwise)

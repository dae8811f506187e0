"""The rules said once more, so that the demo knows what must happen and is wrong only together with notifyd.

These are the published rules; they share nothing with notifyd's own. Filters work on the rows of `integrations` as they
stand in the database: stages are asked in this order and the first that says no is the reason. What follows from an answer
is that of webhooks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

FIRES = "fires"
WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"
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


@dataclass(frozen=True)
class Retry:
    """The settings retry.base and retry.factor; retry.jitter is 0."""

    base: float
    factor: float

    def pause(self, attempt: int) -> float:
        """Seconds between this failed attempt and the next."""
        return self.base * self.factor ** (attempt - 1)


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


def ending(status: int) -> tuple[str, str | None]:
    """The state that a delivery is in after this answer, and the reason when it is dead."""
    if 200 <= status < 300:
        return DELIVERED, None
    if status in (408, 425, 429) or status >= 500:
        return WAITING, None
    return DEAD, "gone" if status == 410 else "rejected"


def _rank(word: str | None, otherwise: str) -> int:
    lowered = (word or "").lower()
    return _RANKS.index(lowered if lowered in _RANKS else otherwise)

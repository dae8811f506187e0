"""What the filters must say, worked out on Python values as the live product does: compat.md section 4, stage by stage."""

from __future__ import annotations

from typing import Any

EVENTS = ["scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed"]
SEVERITIES = ["info", "low", "medium", "high", "critical"]
KINDS = ["url", "repo", "llm"]


def rank(word: str | None, otherwise: str) -> int:
    lowered = (word or "").lower()
    return SEVERITIES.index(lowered if lowered in SEVERITIES else otherwise)


def reference(row: dict[str, Any], event: dict[str, Any]) -> str:
    if not row["enabled"]:
        return "disabled"
    if row["target_ids"] and event["target_id"] not in row["target_ids"]:
        return "target"
    if row["events"] and event["event_type"] not in row["events"]:
        return "event"
    if row["target_kinds"] is not None and event["target_kind"] not in row["target_kinds"]:
        return "target_kind"
    if event["event_type"] in ("finding_new", "finding_changed"):
        if rank(event["severity"], "info") < rank(row["severity_filter"], "high"):
            return "severity"
    return "fires"

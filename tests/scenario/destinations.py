"""What the scenarios of all destinations do: an event of each type about the same shop, and what came of its deliveries."""

from __future__ import annotations

import json
from typing import Any

from stage import dead_letters

EVENTS = ("scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed")


def describe_shop(stage: Any, counts: str = '{"high": 2, "medium": 12, "low": 11, "critical": 0}') -> None:
    """Facts of which every kind shows some."""
    stage.database.execute("UPDATE targets SET name = 'Shop & Söhne'")
    stage.database.execute("UPDATE scans SET profile = 'deep', grade = 'C', error = NULL, summary = %s", (counts,))
    stage.database.execute("UPDATE findings SET title = 'SQL injection', cvss_score = 7.5, endpoint = '/cart?id=1',"
                           " owasp_category = 'A03:2021', cwe_id = 'CWE-89' WHERE id = %s", (stage.high,))


def another_finding(stage: Any) -> str:
    """Like the one that describe_shop describes, and of another place, so that nothing of the first is told to it."""
    other = stage.findings["low"].id
    stage.database.execute("UPDATE findings f SET title = h.title, severity = h.severity, cvss_score = h.cvss_score, owasp_category = h.owasp_category,"
                           " cwe_id = h.cwe_id, endpoint = '/other' FROM findings h WHERE h.id = %s AND f.id = %s", (stage.high, other))
    return other


def publish_each(stage: Any, change: str, error: str | None = None, changed: str | None = None) -> dict[str, str]:
    """An event of each type; the types by id. CHANGED: the finding that has changed, in place of the one that is new."""
    words: dict[str, dict[str, str]] = {"finding_changed": {"change_summary": change, **({"finding_id": changed} if changed else {})}, "scan_failed": {"error": error} if error else {}}
    return {stage.publish(event_type, **words.get(event_type, {})): event_type for event_type in EVENTS}


def settled(stage: Any, event: str, timeout: float = 10) -> dict[str, dict[str, Any]]:
    """The event's deliveries by integration, when none of them is under way any more."""
    def over() -> list[dict[str, Any]]:
        rows = stage.deliveries(event)
        return [] if any(row["state"] in ("sending", "waiting") for row in rows) else rows

    return {row["integration_id"]: row for row in stage.wait(over, timeout)}


def details(stage: Any) -> dict[str, str]:
    """What a person is told about each delivery, by integration."""
    return {integration: detail or "" for integration, detail in stage.database.query("SELECT integration_id::text, detail FROM notify.deliveries")}


def expect_wait(stage: Any, notifyd: Any, wait: float, path: str | None = None, **settings: Any) -> tuple[str, list[Any]]:
    """The first of three answers asks for a WAIT, and is given it; the third is a success. The event, and its requests."""
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}, **settings})
    event = stage.publish()
    first, second, third = stage.receiver.wait_for(3, path, timeout=20)
    assert wait <= second.at - first.at < 12, second.at - first.at
    assert first.body == second.body == third.body
    row, = settled(stage, event).values()
    assert (row["state"], row["attempt"]) == ("delivered", 3), row
    return event, [first, second, third]


def expect_dead(stage: Any, daemon: Any, made: dict[str, tuple[int, str, str, str]], *secrets: str) -> list[tuple[dict[str, Any], Any, bytes]]:
    """An event that every integration refuses at once, each with its status, reason, error and words of the advice; the dead letters."""
    event = stage.publish()
    letters = dead_letters(stage.broker_url, len(made), timeout=30)
    rows, said = settled(stage, event, timeout=30), details(stage)
    for integration, (status, reason, error, advice) in made.items():
        row = rows[integration]
        assert (row["state"], row["attempt"], row["status"], row["reason"], row["error"]) == ("dead", 1, status, reason, error), (row, advice)
        assert advice in said[integration], (advice, said[integration])
    assert sorted(headers["x-notify-reason"] for headers, _, _ in letters) == sorted(reason for _, reason, _, _ in made.values())
    expect_nowhere(stage, daemon, letters, *secrets)
    return letters


def expect_nowhere(stage: Any, daemon: Any, letters: list[tuple[dict[str, Any], Any, bytes]], *secrets: str) -> None:
    """Not in the ledger, not in the log, not in the dead letters."""
    kept = stage.database.query("SELECT to_jsonb(d)::text FROM notify.deliveries d UNION ALL SELECT to_jsonb(a)::text FROM notify.attempts a")
    assert len(kept) >= 2 * len(letters) > 0, "a delivery and an attempt of each"
    written = [*(row for row, in kept), daemon.log_text(), json.dumps([[str(headers), body.decode()] for headers, _, body in letters])]
    for secret in secrets:
        assert not any(secret in text for text in written), [text for text in written if secret in text][0][:300]

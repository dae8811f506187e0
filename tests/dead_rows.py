"""Dead deliveries, without the failures that make them."""

from __future__ import annotations

from typing import Any


def make_dead(stage: Any, count: int, *, reason: str = "rejected", age: float = 0, prefix: str = "e", integration: str | None = None) -> str:
    """COUNT events with one dead delivery each, to INTEGRATION, else to a new one, after two failed attempts; the integration's id."""
    integration = integration or stage.webhook("/made", name="made").id
    stage.database.execute(
        "INSERT INTO notify.events (id, content_hash, event_type, state, first_seen, accepted_at, finished_at, considered, matched)"
        " SELECT %(prefix)s || n, '', 'scan_done', 'done', now(), now(), now(), 1, 1 FROM generate_series(1, %(count)s) n;"
        "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, owner, reason, error, detail, status, response,"
        " swept_at, updated_at) SELECT %(prefix)s || n, %(integration)s, %(workspace)s, 'dead', 2, 'gone:1', %(reason)s, 'http_status', 'words',"
        " 404, 'no', now(), now() - %(age)s * interval '1 second' FROM generate_series(1, %(count)s) n;"
        "INSERT INTO notify.attempts (event_id, integration_id, attempt, error) SELECT %(prefix)s || n, %(integration)s, a, 'timeout'"
        " FROM generate_series(1, %(count)s) n, generate_series(1, 2) a",
        {"prefix": prefix, "count": count, "integration": integration, "workspace": stage.workspace.id, "reason": reason, "age": age})
    return integration

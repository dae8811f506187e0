"""What the database knows of an event: one statement, prepared once, that finds scan, target and finding."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg2

SEVERITIES = {"info": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}

_TARGET = ("id", "name", "url", "kind")
_SCAN = ("id", "profile", "status", "grade", "score", "summary")
_FINDING = ("id", "pencheff_finding_id", "title", "severity", "category", "owasp_category", "cwe_id", "cvss_score",
            "cvss_vector", "endpoint", "parameter", "description", "remediation", "verification_status", "suppressed",
            "suppress_reason", "epss", "kev", "risk_score", "reachability", "resolved_at", "created_at")
_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""

_PREPARE = f"""
    PREPARE look_up (uuid, uuid) AS
    SELECT s.workspace_id, left(s.error, 4096), t.id, t.name, t.base_url, t.kind, s.id, s.profile, s.status, s.grade, s.score,
           CASE WHEN jsonb_typeof(s.summary) = 'object' AND length(s.summary::text) <= 4096 THEN s.summary END,
           f.id, f.pencheff_finding_id, f.title, f.severity, f.category, f.owasp_category, f.cwe_id, f.cvss_score,
           f.cvss_vector, f.endpoint, f.parameter, left(f.description, 16384), left(f.remediation, 16384),
           f.verification_status, f.suppressed, f.suppress_reason, f.epss, f.kev, f.risk_score, f.reachability,
           to_char(f.resolved_at, {_TIME}), to_char(f.created_at, {_TIME})
      FROM public.scans s
      JOIN public.targets t ON t.id = s.target_id
      LEFT JOIN public.findings f ON f.id = $2 AND f.scan_id = s.id
     WHERE s.id = $1"""


class Facts(NamedTuple):
    workspace_id: str
    scan_error: str | None
    target: dict[str, Any]
    scan: dict[str, Any]
    finding: dict[str, Any] | None

    @property
    def severity(self) -> int:
        """The finding's; one that is unknown counts as info."""
        return SEVERITIES.get(self.finding["severity"], 0)


class Database:
    def __init__(self, url: str) -> None:
        self._url, self._cursor = url, None

    def execute(self, sql: str, values: tuple) -> list[tuple]:
        if self._cursor is None:
            connection = psycopg2.connect(self._url, options="-c timezone=UTC -c plan_cache_mode=force_generic_plan")
            connection.autocommit = True
            self._cursor = connection.cursor()
            self._cursor.execute(_PREPARE)
        self._cursor.execute(sql, values)
        return self._cursor.fetchall()

    def look_up(self, scan_id: str, finding_id: str | None) -> Facts | None:
        """None when one of them is missing."""
        rows = self.execute("EXECUTE look_up (%s, %s)", (scan_id, finding_id))
        if not rows or (finding_id and not rows[0][12]):
            return None
        row = rows[0]
        scan = dict(zip(_SCAN, row[6:12]))
        if scan["summary"]:
            scan["summary"] = {name: _count(value) for name, value in scan["summary"].items()}
        return Facts(row[0], row[1], dict(zip(_TARGET, row[2:6])), scan, _finding(row[12:]) if finding_id else None)


def _finding(columns: tuple) -> dict[str, Any]:
    finding = dict(zip(_FINDING, columns))
    if finding["severity"].lower() in SEVERITIES:
        finding["severity"] = finding["severity"].lower()
    for name in ("cvss_score", "epss", "risk_score"):
        finding[name] = _number(finding[name])
    return finding


def _number(value: float | None) -> float | int | None:
    """7.0 is written as 7."""
    return int(value) if value is not None and value.is_integer() else value


def _count(value: Any) -> Any:
    """A summary holds numbers; what is neither that nor a text is null."""
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None

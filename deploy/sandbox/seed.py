"""Rows for tests and demonstrations: workspaces, targets, scans, findings, integrations.

Works on the live product's tables and on the minimal ones that our migration makes: the columns that notifyd reads are always
named, the others that the live tables insist on only where they exist. Each builder takes a psycopg2 connection and returns
what it made; committing is the caller's business unless the connection is in autocommit mode.
"""

from __future__ import annotations

import json
import uuid
import weakref
from dataclasses import dataclass
from typing import Any, Iterable, Sequence

import psycopg2.extensions
import psycopg2.sql
from cryptography.fernet import Fernet
from psycopg2.extras import Json

SEVERITIES = ("info", "low", "medium", "high", "critical")

# NOT NULL columns of the live tables that have no default there and that notifyd never reads.
_WHERE_PRESENT: dict[str, dict[str, Any]] = {
    "orgs": {"name": "Example org", "plan": "community"},
    "workspaces": {"name": "Example workspace", "slug": lambda row: row["id"][:13]},
    "scans": {"progress_pct": 100},
    "findings": {"sla_breached": False},
}
_columns_of: "weakref.WeakKeyDictionary[Any, dict[str, set[str]]]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Workspace:
    id: str
    org_id: str


@dataclass(frozen=True)
class Target:
    id: str
    workspace: Workspace
    kind: str
    name: str


@dataclass(frozen=True)
class Scan:
    id: str
    target: Target

    @property
    def workspace(self) -> Workspace:
        return self.target.workspace


@dataclass(frozen=True)
class Finding:
    id: str
    scan: Scan
    severity: str
    title: str


@dataclass(frozen=True)
class Integration:
    id: str
    workspace: Workspace
    kind: str
    name: str


def new_id() -> str:
    return str(uuid.uuid4())


def _columns(connection: psycopg2.extensions.connection, table: str) -> set[str]:
    known = _columns_of.setdefault(connection, {})
    if table not in known:
        with connection.cursor() as cursor:
            cursor.execute("SELECT column_name FROM information_schema.columns"
                           " WHERE table_schema = 'public' AND table_name = %s", (table,))
            found = {name for (name,) in cursor.fetchall()}
        if not found:
            raise LookupError(f"no table public.{table} here (or no right to see it)")
        known[table] = found
    return known[table]


def insert(connection: psycopg2.extensions.connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """All ROWS have the same keys. One statement."""
    extra = _WHERE_PRESENT.get(table, {})
    present = [name for name in extra if name in _columns(connection, table)]
    full = [{**{name: extra[name](row) if callable(extra[name]) else extra[name] for name in present}, **row} for row in rows]
    names = list(full[0])
    marks = "(" + ",".join(["%s"] * len(names)) + ")"
    with connection.cursor() as cursor:
        values = b",".join(cursor.mogrify(marks, [row[name] for name in names]) for row in full)
        head = psycopg2.sql.SQL("INSERT INTO public.{} ({}) VALUES ").format(
            psycopg2.sql.Identifier(table), psycopg2.sql.SQL(",").join(map(psycopg2.sql.Identifier, names)))
        cursor.execute(head.as_string(connection).encode() + values)


def add_workspace(connection: psycopg2.extensions.connection, *, org_id: str | None = None) -> Workspace:
    """Makes an org too unless ORG_ID is given."""
    if org_id is None:
        org_id = new_id()
        insert(connection, "orgs", [{"id": org_id}])
    workspace = Workspace(new_id(), org_id)
    insert(connection, "workspaces", [{"id": workspace.id, "org_id": org_id}])
    return workspace


def add_target(connection: psycopg2.extensions.connection, workspace: Workspace, kind: str = "url", *,
               name: str = "shop.example.com", base_url: str = "https://shop.example.com/",
               repository_id: str | None = None) -> Target:
    """A target of kind `repo` mirrors a repository, as the live product's do."""
    target = Target(new_id(), workspace, kind, name)
    insert(connection, "targets", [{
        "id": target.id, "org_id": workspace.org_id, "workspace_id": workspace.id, "name": name, "base_url": base_url,
        "repository_id": repository_id or (new_id() if kind == "repo" else None), "kind": kind}])
    return target


def add_scan(connection: psycopg2.extensions.connection, target: Target, *, status: str = "done", profile: str = "standard",
             summary: dict[str, int] | None = None, grade: str | None = "B", score: int | None = 82,
             error: str | None = None) -> Scan:
    scan, workspace = Scan(new_id(), target), target.workspace
    insert(connection, "scans", [{
        "id": scan.id, "target_id": target.id, "org_id": workspace.org_id, "workspace_id": workspace.id, "status": status,
        "profile": profile, "summary": Json({"high": 2, "medium": 12, "low": 11} if summary is None else summary),
        "grade": grade, "score": score, "error": error}])
    return scan


def _finding_row(finding: Finding, changes: dict[str, Any]) -> dict[str, Any]:
    score = {"critical": 9.8, "high": 7.5, "medium": 5.3, "low": 3.1}.get(finding.severity)
    row = {
        "id": finding.id, "scan_id": finding.scan.id, "pencheff_finding_id": f"PF-{finding.id[:8]}", "title": finding.title,
        "severity": finding.severity, "category": "injection", "owasp_category": "A03", "cwe_id": "CWE-89",
        "cvss_score": score, "cvss_vector": None, "endpoint": "https://shop.example.com/search", "parameter": "q",
        "description": "The parameter reaches the database unescaped.", "remediation": "Use bound parameters.",
        "verification_status": "unverified", "suppressed": False, "suppress_reason": None, "epss": None, "kev": False,
        "risk_score": score, "reachability": None, "resolved_at": None,
    }
    unknown = changes.keys() - row.keys()
    if unknown:
        raise TypeError(f"findings have no {', '.join(sorted(unknown))}")
    return {**row, **changes}


def add_finding(connection: psycopg2.extensions.connection, scan: Scan, severity: str = "high", *,
                title: str = "SQL injection in search", **changes: Any) -> Finding:
    """CHANGES: any other column that notifyd reads."""
    finding = Finding(new_id(), scan, severity, title)
    insert(connection, "findings", [_finding_row(finding, changes)])
    return finding


def add_findings(connection: psycopg2.extensions.connection, scan: Scan, severities: Iterable[str],
                 **changes: Any) -> list[Finding]:
    """Many at once, one per entry of SEVERITIES, numbered in their titles."""
    made = [Finding(new_id(), scan, severity, f"Finding {i}") for i, severity in enumerate(severities, 1)]
    for start in range(0, len(made), 1000):
        insert(connection, "findings", [_finding_row(finding, changes) for finding in made[start : start + 1000]])
    return made


def encrypt_config(config: dict[str, Any], fernet_key: str | bytes, *, plain_form: bool = False) -> bytes:
    """`config_encrypted` as the live product writes it: JSON as a text under the only key of a JSON object.

    PLAIN_FORM: the settings' own JSON, as some older rows have it.
    """
    compact = {"separators": (",", ":")}
    inner = json.dumps(config, **compact)  # type: ignore[arg-type]
    plaintext = inner if plain_form else json.dumps({"config": inner}, **compact)  # type: ignore[arg-type]
    return Fernet(fernet_key).encrypt(plaintext.encode())


def add_integration(connection: psycopg2.extensions.connection, workspace: Workspace, kind: str, config: dict[str, Any],
                    fernet_key: str | bytes, *, name: str | None = None, enabled: bool = True, severity_filter: str = "high",
                    target_ids: Sequence[str] | None = None, events: Sequence[str] | None = None,
                    target_kinds: Sequence[str] | None = None, plain_form: bool = False) -> Integration:
    integration = Integration(new_id(), workspace, kind, name or f"Example {kind}")
    with connection.cursor() as cursor:  # NULL, '{}' and a list are three different things here
        ids = None if target_ids is None else cursor.mogrify("%s::uuid[]", (list(target_ids),)).decode()
    insert(connection, "integrations", [{
        "id": integration.id, "org_id": workspace.org_id, "workspace_id": workspace.id, "kind": kind, "name": integration.name,
        "config_encrypted": encrypt_config(config, fernet_key, plain_form=plain_form), "enabled": enabled,
        "severity_filter": severity_filter, "target_ids": psycopg2.extensions.AsIs(ids) if ids else None,
        "events": None if events is None else list(events),
        "target_kinds": None if target_kinds is None else Json(list(target_kinds))}])
    return integration


def add_example(connection: psycopg2.extensions.connection, *, severities: Sequence[str] = SEVERITIES
                ) -> tuple[Workspace, dict[str, Target], dict[str, Scan], list[Finding]]:
    """A workspace with a target and a scan of each kind (by kind), and findings of the `url` scan, one per severity."""
    workspace = add_workspace(connection)
    targets = {
        "url": add_target(connection, workspace, "url"),
        "repo": add_target(connection, workspace, "repo", name="acme/shop", base_url="https://git.example.com/acme/shop"),
        "llm": add_target(connection, workspace, "llm", name="support bot", base_url="https://bot.example.com/v1"),
    }
    scans = {kind: add_scan(connection, target) for kind, target in targets.items()}
    findings = [add_finding(connection, scans["url"], severity, title=f"{severity.title()} example") for severity in severities]
    return workspace, targets, scans, findings

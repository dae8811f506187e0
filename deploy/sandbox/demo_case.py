"""What the demo shows: a workspace with three targets and six webhooks, and a round of events about it.

`seed_workspace()` fills the tables, `first_round()` says what is published and how, `read_filters()` reads the integrations
back as the database has them. Nothing here prints or waits.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator

import psycopg2.extensions
from cryptography.fernet import Fernet

from . import seed
from .demo_rule import Facts, Filters

WEB, CODE, BOT = "shop.example.com", "acme/shop", "support bot"

FINDINGS = (
    (WEB, "info", "Server banner names its version"),
    (WEB, "low", "Cookie without the Secure attribute"),
    (WEB, "medium", "Reflected XSS in the search box"),
    (WEB, "high", "SQL injection in /search"),
    (WEB, "critical", "Remote code execution in the upload of pictures"),
    (CODE, "high", "AWS key in deploy/settings.py"),
    (CODE, "low", "Dependency two minor versions behind"),
    (BOT, "medium", "System prompt can be read by asking for it"),
)


@dataclass(frozen=True)
class Hook:
    """A webhook integration and the secret that its receiver knows."""

    id: str
    name: str
    path: str
    secret: str


@dataclass(frozen=True)
class Call:
    """One call of notify_event. HOW: celery, protocol-1, plain, twice (published two times under one id)."""

    scan: seed.Scan
    event_type: str
    finding: seed.Finding | None = None
    how: str = "celery"
    keywords: dict[str, str] = field(default_factory=dict)  # change_summary, error

    @property
    def facts(self) -> Facts:
        target = self.scan.target
        return Facts(self.event_type, target.id, target.kind, self.finding.severity if self.finding else None)

    @property
    def subject(self) -> str:
        return self.finding.title if self.finding else self.scan.target.name


@dataclass
class Workspace:
    row: seed.Workspace
    scans: dict[str, seed.Scan]  # by the target's name
    findings: list[seed.Finding]
    hooks: list[Hook]


def seed_workspace(connection: psycopg2.extensions.connection, url: Callable[[str], str], key: str,
                   seal: Callable[[dict[str, str]], bytes]) -> Workspace:
    """URL makes the receiver's address of a path. SEAL encrypts settings as `notifyctl seal` does."""
    row = seed.add_workspace(connection)
    targets = [
        seed.add_target(connection, row, "url", name=WEB, base_url="https://shop.example.com/"),
        seed.add_target(connection, row, "repo", name=CODE, base_url="https://git.example.com/acme/shop"),
        seed.add_target(connection, row, "llm", name=BOT, base_url="https://bot.example.com/v1"),
    ]
    scans = {target.name: seed.add_scan(connection, target) for target in targets}
    findings = [seed.add_finding(connection, scans[target], severity, title=title) for target, severity, title in FINDINGS]
    hooks = _add_hooks(connection, row, targets[0], url, key, seal)
    return Workspace(row, scans, findings, hooks)


def _add_hooks(connection: psycopg2.extensions.connection, row: seed.Workspace, web: seed.Target, url: Callable[[str], str],
               key: str, seal: Callable[[dict[str, str]], bytes]) -> list[Hook]:
    hooks = []

    def add(name: str, path: str, secret: str, secret_key: str = "hmac_secret", **filters: Any) -> str:
        config = {"webhook_url": url(path), secret_key: secret}
        made = seed.add_integration(connection, row, "webhook", config, key, name=name, **filters)
        hooks.append(Hook(made.id, name, path, secret))
        return made.id

    whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    archive = add("Archive of everything", "/archive", whsec, severity_filter="info")
    add("On call", "/on-call", "pager-secret", severity_filter="critical")
    add("Shop team", "/shop-team", "shop-secret", target_ids=[web.id])
    add("Scan desk", "/scan-desk", "desk-secret", events=["scan_started", "scan_failed"])
    add("Last year's chat", "/last-year", "old-secret", enabled=False, severity_filter="info")
    add("Code and models", "/code-and-models", "older-rows-secret", "webhook_secret", target_kinds=["repo", "llm"],
        severity_filter="medium")
    with connection.cursor() as cursor:  # the first one's settings as notifyctl seals them, the others' as the product does
        cursor.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s",
                       (seal({"webhook_url": url("/archive"), "hmac_secret": whsec}), archive))
    return hooks


def read_filters(connection: psycopg2.extensions.connection) -> list[Filters]:
    """The integrations as the database has them now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id::text, name, enabled, severity_filter, target_ids::text[], events, target_kinds"
                       " FROM integrations ORDER BY created_at, name")
        return [Filters(*row) for row in cursor.fetchall()]


def first_round(w: Workspace) -> list[Call]:
    web, code, bot = w.scans[WEB], w.scans[CODE], w.scans[BOT]
    about = {finding.title: finding for finding in w.findings}
    new = [Call(web, "finding_new", finding) for finding in w.findings if finding.scan is web]
    new[1] = Call(web, "finding_new", new[1].finding, "twice")
    new[4] = Call(web, "finding_new", new[4].finding, "twice")
    return [
        Call(web, "scan_started"), *new, Call(web, "scan_done"),
        Call(web, "finding_changed", about["SQL injection in /search"],
             keywords={"change_summary": "verification_status: unverified → confirmed"}),
        Call(web, "finding_changed", about["Cookie without the Secure attribute"],
             keywords={"change_summary": "suppressed (reason: accepted risk)"}),
        Call(code, "scan_started", how="plain"),
        Call(code, "finding_new", about["AWS key in deploy/settings.py"], "protocol-1"),
        Call(code, "finding_new", about["Dependency two minor versions behind"]),
        Call(bot, "finding_new", about["System prompt can be read by asking for it"]),
        Call(bot, "scan_failed", keywords={"error": "the model did not answer for 600 seconds"}),
    ]


def further_calls(connection: psycopg2.extensions.connection, w: Workspace, chance: random.Random) -> Iterator[Call]:
    """Without end; a finding_new comes with a new finding."""
    titles = [title for _, _, title in FINDINGS]
    while True:
        scan = chance.choice(list(w.scans.values()))
        event_type = chance.choice(("finding_new",) * 4 + ("finding_changed", "scan_started", "scan_done", "scan_failed"))
        if event_type == "finding_new":
            finding = seed.add_finding(connection, scan, chance.choice(seed.SEVERITIES), title=chance.choice(titles))
            yield Call(scan, event_type, finding)
        elif event_type == "finding_changed":
            finding = chance.choice(w.findings)
            yield Call(finding.scan, event_type, finding, keywords={"change_summary": "recheck queued"})
        else:
            keywords = {"error": "the target stopped answering"} if event_type == "scan_failed" else {}
            yield Call(scan, event_type, keywords=keywords)


def new_key() -> str:
    return Fernet.generate_key().decode()

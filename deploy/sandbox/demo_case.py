"""What the demo shows: a workspace with four targets, eight webhooks and a Slack channel, and what is published about it.

`seed_workspace()` fills the tables, `chapters()` says what is published, in which order and how, `read_filters()` reads the
integrations back as the database has them. Nothing here prints or waits.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator

import psycopg2.extensions
from cryptography.fernet import Fernet

from . import seed
from .answers import OK, Answer
from .demo_rule import Facts, Filters, Retry

WEB, CODE, BOT, PAY = "shop.example.com", "acme/shop", "support bot", "pay.example.com"
RETRY = Retry(base=1.0, factor=2.0)  # short, so that nobody has to wait

FINDINGS = (
    (WEB, "info", "Server banner names its version"),
    (WEB, "low", "Cookie without the Secure attribute"),
    (WEB, "medium", "Reflected XSS in the search box"),
    (WEB, "high", "SQL injection in /search"),
    (WEB, "critical", "Remote code execution in the upload of pictures"),
    (CODE, "high", "AWS key in deploy/settings.py"),
    (CODE, "low", "Dependency two minor versions behind"),
    (BOT, "medium", "System prompt can be read by asking for it"),
    (PAY, "low", "Directory listing of /static"),
)
# Severity, title, and whether somebody has suppressed it.
NIGHTLY = (
    ("medium", "Session lives for a year", False),
    ("critical", "Stored XSS: <script> in a review", False),
    ("info", "Robots.txt names the backup folder", False),
    ("high", "Password reset without a limit", False),
    ("critical", "Default password of the staging login", True),
    ("low", "Referrer leaks the basket's number", False),
    ("high", "Orders of others by changing the number", False),
    ("medium", "Old TLS version on the mail host", True),
)


@dataclass(frozen=True)
class Hook:
    """An integration and what its receiver knows: the secret, and its answers in turn, of which the last one repeats."""

    id: str
    name: str
    path: str
    secret: str = ""
    kind: str = "webhook"
    answers: tuple[Answer, ...] = (OK,)


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


@dataclass(frozen=True)
class ScanCall:
    """One call of notify_scan_findings; FINDINGS are those of the scan that are not suppressed."""

    scan: seed.Scan
    findings: tuple[seed.Finding, ...]

    def events(self, task_id: str) -> dict[str, Call]:
        """What it becomes, by event id."""
        new = {f"{task_id}.{finding.id}": Call(self.scan, "finding_new", finding) for finding in self.findings}
        return {f"{task_id}.scan_done": Call(self.scan, "scan_done"), **new}


@dataclass(frozen=True)
class Chapter:
    """What is published together, and what is said and shown (a notifyctl command) about it before and after."""

    head: str
    before: str
    calls: tuple[Call | ScanCall, ...]
    command: tuple[str, ...] = ()
    after: str = ""


@dataclass
class Workspace:
    row: seed.Workspace
    scans: dict[str, seed.Scan]  # by the target's name
    findings: list[seed.Finding]
    nightly: ScanCall  # a scan of its own
    hooks: list[Hook]


def seed_workspace(connection: psycopg2.extensions.connection, url: Callable[[str], str], key: str,
                   seal: Callable[[dict[str, str]], bytes]) -> Workspace:
    """URL makes the receiver's address of a path. SEAL encrypts settings as `notifyctl seal` does."""
    row = seed.add_workspace(connection)
    targets = [
        seed.add_target(connection, row, "url", name=WEB, base_url="https://shop.example.com/"),
        seed.add_target(connection, row, "repo", name=CODE, base_url="https://git.example.com/acme/shop"),
        seed.add_target(connection, row, "llm", name=BOT, base_url="https://bot.example.com/v1"),
        seed.add_target(connection, row, "url", name=PAY, base_url="https://pay.example.com/"),
    ]
    scans = {target.name: seed.add_scan(connection, target) for target in targets}
    findings = [seed.add_finding(connection, scans[target], severity, title=title) for target, severity, title in FINDINGS]
    nightly = _add_nightly(connection, targets[0])
    hooks = _add_hooks(connection, row, {target.name: target for target in targets}, url, key, seal)
    return Workspace(row, scans, findings, nightly, hooks)


def _add_nightly(connection: psycopg2.extensions.connection, target: seed.Target) -> ScanCall:
    scan = seed.add_scan(connection, target, summary={"critical": 1, "high": 2, "medium": 1, "low": 1, "info": 1})
    made = [(seed.add_finding(connection, scan, severity, title=title, suppressed=suppressed), suppressed)
            for severity, title, suppressed in NIGHTLY]
    return ScanCall(scan, tuple(finding for finding, suppressed in made if not suppressed))


def _add_hooks(connection: psycopg2.extensions.connection, row: seed.Workspace, targets: dict[str, seed.Target],
               url: Callable[[str], str], key: str, seal: Callable[[dict[str, str]], bytes]) -> list[Hook]:
    hooks = []

    def add(name: str, path: str, secret: str = "", secret_key: str = "hmac_secret", kind: str = "webhook",
            answers: tuple[Answer, ...] = (OK,), **filters: Any) -> str:
        config = {"webhook_url": url(path), **({secret_key: secret} if secret else {})}
        made = seed.add_integration(connection, row, kind, config, key, name=name, **filters)
        hooks.append(Hook(made.id, name, path, secret, kind, answers))
        return made.id

    whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    archive = add("Archive of everything", "/archive", whsec, severity_filter="info")
    add("On call", "/on-call", "pager-secret", severity_filter="critical")
    add("Shop team", "/shop-team", "shop-secret", target_ids=[targets[WEB].id])
    add("Scan desk", "/scan-desk", "desk-secret", events=["scan_started", "scan_failed"])
    add("Last year's chat", "/last-year", "old-secret", enabled=False, severity_filter="info")
    add("Code and models", "/code-and-models", "older-rows-secret", "webhook_secret", target_kinds=["repo", "llm"],
        severity_filter="medium")
    add("Ticket desk", "/ticket-desk", "ticket-secret", target_ids=[targets[PAY].id], events=["finding_new"],
        severity_filter="low", answers=(Answer(503, body=b"back soon"),) * 2 + (OK,))
    add("Moved away", "/moved-away", "moved-secret", target_ids=[targets[PAY].id], events=["finding_changed"],
        severity_filter="low", answers=(Answer(404, body=b"nobody lives here"),))
    add("#security", "/services/security", kind="slack", answers=(Answer(like="slack"),))
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


def chapters(w: Workspace) -> list[Chapter]:
    listing = next(finding for finding in w.findings if finding.scan is w.scans[PAY])
    return [
        Chapter("Events are published, each delivery is shown as it lands",
                "Webhooks check both signatures; #security is a Slack channel, shown by the line that people see first.",
                tuple(_first_round(w)),
                after="Two events were published twice under one id, one in Celery's protocol 1, one as plain JSON."),
        Chapter("A receiver is down for a moment",
                "Ticket desk answers 503 twice: the same request comes again, after growing pauses, with the same webhook-id.",
                (Call(listing.scan, "finding_new", listing),)),
        Chapter("A receiver is gone",
                "Moved away answers 404, which no repetition would mend: the delivery is dead, with its reason.",
                (Call(listing.scan, "finding_changed", listing, keywords={"change_summary": "recheck queued"}),),
                ("dead", "list"),
                "When the cause is mended, notifyctl dead replay EVENT INTEGRATION sends it after all."),
        Chapter("A whole scan in one call",
                f"notify_scan_findings.delay(scan) publishes scan_done and the {len(w.nightly.findings)} findings, worst first;"
                f" {len(NIGHTLY) - len(w.nightly.findings)} are suppressed.", (w.nightly,)),
    ]


def _first_round(w: Workspace) -> list[Call]:
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

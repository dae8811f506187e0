"""Findings that live: what is done to them, what is told of it, and how they stand at vendors that remember."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from sandbox import bulk, seed
from sandbox.receiver import Answer
from sandbox.vendors import discord, github, jira, opsgenie, pagerduty

# Everything as fast as it goes: leases that end in seconds, retries that come at once, no rates.
QUICK = {"delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0}, "retry": {"base": 1.0, "factor": 1.0, "max_attempts": 40},
         "sweep": {"grace": 2.0}, "gate": {"rate_jira": 0.0, "rate_github": 0.0, "rate_discord": 0.0, "rate_pagerduty": 0.0, "rate_opsgenie": 0.0, "circuit_least": 0}}


@dataclass
class Vendor:
    """One that remembers, and an integration with it."""

    kind: str
    path: str
    plays: Any
    settings: Callable[[str], dict[str, Any]]
    standing: Callable[[Any, str], list[bool]]  # of a weakness by its title: for each thing that stands for it, whether it is open

    def connect(self, stage: Any, *answers: Answer) -> Any:
        stage.receiver.script(f"{self.path}*", *(answers or (Answer(like=self.plays),)))
        return stage.integration(self.settings(stage.receiver.url("")), kind=self.kind, name=self.kind, severity_filter="info",
                                 events=["finding_new", "finding_changed"])

    def stands(self, title: str) -> list[bool]:
        return self.standing(self.plays, title)


@dataclass
class Weakness:
    """Found again, it is another row of another scan; what is done is done to the last one."""

    stage: Any
    title: str
    rows: list[Any] = field(default_factory=list)

    def find(self) -> None:
        scan = self.stage.scan if not self.rows else seed.add_scan(self.stage.connection, self.stage.target)
        self.rows.append(seed.add_finding(self.stage.connection, scan, "high", title=self.title))

    def do(self, deed: str) -> Any:
        """The event that tells of it."""
        changes = {"suppressed": "suppressed = true, suppress_reason = 'accepted'", "unsuppressed": "suppressed = false, suppress_reason = NULL",
                   "resolved": "resolved_at = now()", "not real": "verification_status = 'false_positive'"}
        if deed == "re-scan":
            self.find()
        elif deed != "new":
            self.stage.database.execute(f"UPDATE findings SET {changes[deed]} WHERE id = %s", (self.rows[-1].id,))
        if deed in ("new", "re-scan"):
            return self.tell("finding_new")
        return self.tell("finding_changed", change_summary=f"{deed}: no → yes")

    def tell(self, event_type: str, **words: str) -> Any:
        row = self.rows[-1]
        return self.stage.event(event_type, finding_id=row.id, scan_id=row.scan.id, **words)

    def is_open(self) -> bool:
        return self.stage.database.query("SELECT NOT suppressed AND resolved_at IS NULL AND verification_status <> 'false_positive'"
                                         " FROM findings WHERE id = %s", (self.rows[-1].id,))[0][0]


def weaknesses(stage: Any, count: int) -> list[Weakness]:
    made = [Weakness(stage, f"Weakness {number:03} of many") for number in range(count)]
    for weakness, row in zip(made, seed.add_findings(stage.connection, stage.scan, ["high"] * count)):
        stage.database.execute("UPDATE findings SET title = %s WHERE id = %s", (weakness.title, row.id))
        weakness.rows.append(row)
    return made


def found_again(stage: Any, made: list[Weakness]) -> Any:
    """By another scan, all of them; the scan."""
    scan = seed.add_scan(stage.connection, stage.target)
    for weakness, row in zip(made, seed.add_findings(stage.connection, scan, ["high"] * len(made))):
        stage.database.execute("UPDATE findings SET title = %s WHERE id = %s", (weakness.title, row.id))
        weakness.rows.append(row)
    return scan


def settle(stage: Any, count: int, timeout: float = 60) -> None:
    """Returns when COUNT deliveries are over, all of them delivered."""
    sql = "SELECT state, attempt, reason, error, detail, count(*) FROM notify.deliveries GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2"
    deadline = time.monotonic() + timeout
    while True:
        rows = stage.database.query(sql)
        over = sum(row[-1] for row in rows if row[0] not in ("sending", "waiting", "deferred"))
        if over >= count:
            break
        assert time.monotonic() < deadline, f"{over} of {count} deliveries over in time: {rows}"
        time.sleep(0.05)
    assert {row[0] for row in rows} == {"delivered"} and over == count, rows


def publish(stage: Any, events: list[Any], shuffle: random.Random | None = None) -> None:
    if shuffle:
        shuffle.shuffle(events)
    bulk.publish_many(stage.broker_url, "notify", iter(events))


# --- vendors

def _told(title: str, text: Any) -> bool:
    return title in json.dumps(text, ensure_ascii=False)


def a_pagerduty(stage: Any) -> Vendor:
    return Vendor("pagerduty", "/v2/enqueue", pagerduty.Service(), lambda url: {"routing_key": "R" * 32, "api_url": url},
                  lambda plays, title: [alert["state"] == "triggered" for alert in plays.alerts.values() if _told(title, alert["summary"])])


def a_opsgenie(stage: Any) -> Vendor:
    return Vendor("opsgenie", "/og/", opsgenie.Account(), lambda url: {"api_key": OPSGENIE_KEY, "api_url": f"{url}/og"},
                  lambda plays, title: [alert["state"] == "open" for alert in plays.alerts.values() if _told(title, alert["message"])])


def a_jira(stage: Any, **options: Any) -> Vendor:
    return Vendor("jira", "/jira/", jira.Site(**options), lambda url: {
        "base_url": f"{url}/jira", "email": "bot@acme.example", "api_token": "t0ken", "project_key": "SEC", "close_transition": "Done", "reopen_transition": "To Do"},
        lambda plays, title: [issue.status != "Done" for issue in plays.issues if _told(title, issue.fields["summary"])])


def a_github(stage: Any, **options: Any) -> Vendor:
    return Vendor("github", "/api/v3/", github.Repository(**options),
                  lambda url: {"repo": "octo/shop", "token": "t0ken", "api_url": f"{url}/api/v3"},
                  lambda plays, title: [issue.state == "open" for issue in plays.issues if _told(title, issue.title)])


def a_discord(stage: Any) -> Vendor:
    return Vendor("discord", "/api/webhooks/7/token", discord.Channel(), lambda url: {"webhook_url": f"{url}/api/webhooks/7/token"},
                  lambda plays, title: [message["embeds"][0]["color"] != CLOSED for message in plays.messages.values() if _told(title, message["embeds"])])


VENDORS = {"pagerduty": a_pagerduty, "opsgenie": a_opsgenie, "jira": a_jira, "github": a_github, "discord": a_discord}
CLOSED = 0x16A34A
OPSGENIE_KEY = "12345678-90ab-4cde-8f01-234567890abc"

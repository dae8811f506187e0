"""The filters in the running product: generated integrations and events, compared with the reference in Python.

test_match_reference.py compares the rule alone over thousands of pairs; here each pair goes the whole way, from a message at
the broker and rows in PostgreSQL to a request at the receiver and the counts in the ledger.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from sandbox import producer, seed
from sandbox.bulk import publish_many
from test_match_reference import EVENTS, KINDS, SEVERITIES, a_row, mixed_case, reference

STAGES = ("disabled", "target", "event", "target_kind", "severity")
WORKSPACES, TARGETS, INTEGRATIONS, EVENTS_EACH = 6, 3, 7, 9


class World:
    """One workspace with targets of any kind, findings of any severity, integrations with any filters, and events."""

    def __init__(self, stage: Any, chance: random.Random) -> None:
        connection, self.workspace = stage.connection, seed.add_workspace(stage.connection)
        targets = [seed.add_target(connection, self.workspace, chance.choice([*KINDS, *KINDS, "k8s", "URL"])) for _ in range(TARGETS)]
        scans = [seed.add_scan(connection, target) for target in targets]
        self.rows = [self._integration(stage, chance, [target.id for target in targets]) for _ in range(INTEGRATIONS)]
        self.events: dict[str, dict[str, Any]] = {}
        self.messages = [self._event(connection, chance, chance.choice(scans)) for _ in range(EVENTS_EACH)]

    def _integration(self, stage: Any, chance: random.Random, targets: list[str]) -> dict[str, Any]:
        row = a_row(chance, targets)
        row["kind"] = chance.choice(["webhook"] * 5 + ["unheard-of"])
        path = f"/{chance.getrandbits(64):016x}"
        made = stage.integration({"webhook_url": stage.receiver.url(path)}, row["kind"], workspace=self.workspace, enabled=row["enabled"],
                                 severity_filter=row["severity_filter"], target_ids=row["target_ids"], events=row["events"],
                                 target_kinds=row["target_kinds"], plain_form=chance.random() < 0.5)
        if row["target_kinds"] is None and chance.random() < 0.5:  # what SQLAlchemy stores for None
            stage.database.execute("UPDATE integrations SET target_kinds = 'null' WHERE id = %s", (made.id,))
        return {**row, "id": made.id, "path": path}

    def _event(self, connection: Any, chance: random.Random, scan: seed.Scan) -> producer.Event:
        event_type, severity = chance.choice(EVENTS), mixed_case(chance, chance.choice([*SEVERITIES, *SEVERITIES, "", "unknown", "High "]))
        about = {"finding_id": seed.add_finding(connection, scan, severity).id} if event_type.startswith("finding_") else {}
        message = producer.event(scan.id, event_type, **about)
        self.events[message.id] = {"event_type": event_type, "target_id": scan.target.id, "target_kind": scan.target.kind,
                                   "severity": severity}
        return message


def test_events_reach_exactly_the_integrations_of_the_reference_and_the_ledger_counts_the_same(stage, notifyd):
    chance = random.Random(38)
    worlds = [World(stage, chance) for _ in range(WORKSPACES)]
    requests: Counter[tuple[str, str]] = Counter()  # event, path
    deliveries: dict[tuple[str, str], tuple[str, str | None]] = {}
    ledger: dict[str, dict[str, Any]] = {}
    verdicts: Counter[str] = Counter()
    for world in worlds:
        for event_id, event in world.events.items():
            said = {row["id"]: reference(row, event) for row in world.rows}
            verdicts.update(said.values())
            counts = Counter(said.values())
            ledger[event_id] = {"id": event_id, "state": "done", "reason": None, "considered": len(world.rows), "matched": counts["fires"],
                                **{f"filtered_{stage}": counts[stage] for stage in STAGES}, "queue": "notify"}
            for row in world.rows:
                if said[row["id"]] != "fires":
                    continue
                known = row["kind"] == "webhook"
                deliveries[event_id, row["id"]] = ("delivered", None) if known else ("dead", "unknown_kind")
                requests[event_id, row["path"]] += known
    print(f"{sum(verdicts.values())} pairs: {dict(verdicts)}")
    assert sum(verdicts.values()) >= 300 and all(verdicts[word] >= 20 for word in ("fires", *STAGES)), verdicts

    daemon = notifyd()
    messages = [message for world in worlds for message in world.messages]
    chance.shuffle(messages)
    assert len(publish_many(stage.broker_url, "notify", messages)) == len(messages)
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.events WHERE state = 'done'") == [(len(messages),)])
    assert {row["id"]: row for row in stage.events()} == ledger
    assert {(row["event_id"], row["integration_id"]): (row["state"], row["reason"]) for row in stage.deliveries()} == deliveries
    assert Counter((json.loads(r.body)["id"], r.path) for r in stage.receiver.requests()) == +requests
    assert not any(daemon.events(refused) for refused in ("batch_refused", "lookup_refused", "rules_refused", "row_refused"))

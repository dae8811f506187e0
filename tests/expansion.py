"""What tests of notify_scan_findings share: the task, a tap on what is published, and its row."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterator

import pika
import pytest
from sandbox import producer, seed

RANKS = {"critical": 4, "high": 3, "medium": 2, "low": 1, "info": 0}
EXCHANGES = ("notify.urgent", "notify.bulk")


def task(scan_id: str, **options: Any) -> producer.Event:
    return producer.Event((str(scan_id),), task=producer.NOTIFY_SCAN_FINDINGS, **options)


def worst_first(findings: list[seed.Finding]) -> list[str]:
    return [f.id for f in sorted(findings, key=lambda f: (-RANKS.get(f.severity.lower(), 0), f.id))]


def expected_ids(task_id: str, findings: list[seed.Finding]) -> set[str]:
    return {f"{task_id}.scan_done"} | {f"{task_id}.{f.id}" for f in findings}


@dataclass
class Tap:
    """Copies of everything that is published to notify.urgent and notify.bulk, in order."""

    url: str
    messages: dict[str, list[tuple[str, dict[str, Any], bytes]]] = field(default_factory=lambda: {e: [] for e in EXCHANGES})

    def __post_init__(self) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(self.url))
        self.channel = self.connection.channel()
        for exchange in EXCHANGES:  # as notifyd declares them
            self.channel.exchange_declare(exchange, "fanout", durable=True)
            self.channel.queue_declare(f"tap.{exchange}", durable=True)
            self.channel.queue_bind(f"tap.{exchange}", exchange)

    def take(self) -> None:
        for exchange in EXCHANGES:
            while True:
                method, properties, body = self.channel.basic_get(f"tap.{exchange}", auto_ack=True)
                if method is None:
                    break
                self.messages[exchange].append((properties.message_id, properties.headers, body))

    def ids(self, exchange: str | None = None) -> list[str]:
        """Of what has been published so far, in the order of each exchange."""
        self.take()
        return [id for e in ([exchange] if exchange else EXCHANGES) for id, _, _ in self.messages[e]]

    def counts(self) -> Counter:
        return Counter(self.ids())

    def wait_for(self, count: int, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while len(self.ids()) < count:
            assert time.monotonic() < deadline, f"{len(self.ids())} of {count} events were published"
            self.connection.sleep(0.05)


@pytest.fixture
def tap(broker_url: str) -> Iterator[Tap]:
    made = Tap(broker_url)
    yield made
    made.connection.close()


def row_of(stage: Any, task_id: str) -> dict[str, Any] | None:
    names = ("event_type", "state", "reason", "published", "published_rank", "published_id", "workspace_id", "finished_at")
    rows = stage.database.query(f"SELECT {', '.join(names)} FROM notify.events WHERE id = %s", (task_id,))
    return dict(zip(names, rows[0])) if rows else None


def wait_expanded(stage: Any, task_id: str, timeout: float = 20) -> dict[str, Any]:
    def row() -> dict[str, Any] | None:
        found = row_of(stage, task_id)
        return found if found and found["state"] == "expanded" else None

    return stage.wait(row, timeout, "the scan's findings were not all published in time")


def in_state(stage: Any, task_id: str, state: str = "done") -> int:
    """How many of the events that the task became are in STATE."""
    return stage.database.query("SELECT count(*) FROM notify.events WHERE starts_with(id, %s) AND state = %s",
                                (f"{task_id}.", state))[0][0]

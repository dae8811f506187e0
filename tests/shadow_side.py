"""What tests of shadow mode share: the queue of the worker that delivers, and the rows of the report."""

from __future__ import annotations

import time
from typing import Any, Iterator

import pika
import pytest

FORWARD = "celery"
SHADOW = {"mode": "shadow", "forward": FORWARD}
NIL = "00000000-0000-0000-0000-000000000000"


class Queue:
    """A queue, over one connection."""

    def __init__(self, url: str, name: str = FORWARD) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel, self.name = self.connection.channel(), name

    def make(self, arguments: dict[str, Any] | None = None) -> "Queue":
        self.channel.queue_declare(self.name, durable=True, arguments=arguments)
        return self

    def take(self, count: int = 1, timeout: float = 30) -> list[tuple[Any, bytes]]:
        found: list[tuple[Any, bytes]] = []
        deadline = time.monotonic() + timeout
        while len(found) < count:
            method, properties, body = self.channel.basic_get(self.name, auto_ack=True)
            if method:
                found.append((properties, body))
                continue
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
            self.connection.sleep(0.02)
        return found

    def length(self, name: str | None = None) -> int:
        return self.channel.queue_declare(name or self.name, passive=True).method.message_count

    def is_empty(self) -> bool:
        return self.channel.basic_get(self.name, auto_ack=True)[0] is None


@pytest.fixture
def celery_queue(broker_url: str) -> Iterator[Queue]:
    queue = Queue(broker_url).make()
    yield queue
    queue.connection.close()


def rows(stage: Any, where: str = "true", *params: Any) -> list[dict[str, Any]]:
    names = ("event_id", "integration_id", "verdict", "reason", "integration_name", "kind", "event_type", "scan_id", "finding_id", "method",
             "url", "body_size", "body", "body_sha256", "times", "matched", "filtered_severity", "detail", "queue", "workspace_id")
    found = stage.database.query(f"SELECT {', '.join(names)} FROM notify.shadow WHERE {where} ORDER BY event_id, integration_id", params)
    return [dict(zip(names, row)) for row in found]


def own(stage: Any, event_id: str) -> dict[str, Any]:
    return rows(stage, "event_id = %s AND integration_id = %s", event_id, NIL)[0]

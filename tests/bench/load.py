"""Messages for the queue: one is made by the real Celery, and publish.c repeats it with other ids.

The words that Celery is given, and that publish.c then looks for, stand in stencil.h.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
from sandbox import producer
from sandbox.processes import Child, tail

_HEADER = Path(__file__).with_name("stencil.h")
_SENT = Path(__file__).with_name("sent.h")


@dataclass(frozen=True)
class Stencil:
    properties: Path
    body: Path


def words() -> dict[str, str]:
    """STENCIL_ID and so on, by the last part of their names in small letters."""
    found = re.findall(r'#define STENCIL_(\w+) +"([^"]+)"', _HEADER.read_text())
    assert {name for name, _ in found} == {"ID", "SCAN", "FINDING", "SENT"}, found
    return {name.lower(): word for name, word in found}


def mark() -> str:
    found = re.search(r'#define SENT_MARK "([^"]+)"', _SENT.read_text())
    assert found
    return found[1]


def make_stencil(url: str, folder: Path) -> Stencil:
    """Publishes one event with Celery to the broker at URL, takes the message off the queue, and keeps it in FOLDER."""
    word = words()
    celery = producer.celery_app(url)
    try:
        celery.notify_event.apply_async((word["scan"], "finding_changed"), {
            "finding_id": word["finding"], "change_summary": f"{mark()}{word['sent']}"}, task_id=word["id"])
    finally:
        celery.app.close()
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        method, properties, body = connection.channel().basic_get(producer.QUEUE, auto_ack=True)
    finally:
        connection.close()
    assert method is not None, "Celery's message is not in its queue"
    stencil = Stencil(folder / "message.properties", folder / "message.body")
    stencil.properties.write_bytes(b"".join(properties.encode()))
    stencil.body.write_bytes(body)
    return stencil


class Publisher:
    """publish.c, which runs on its own from the constructor on."""

    def __init__(self, program: Path, folder: Path, stencil: Stencil, url: str, events: Path, count: int, *,
                 rate: float | None = None) -> None:
        """RATE: messages a second, evenly; as fast as possible without. Events come in an order that is drawn."""
        self._log = folder / "publish.log"
        self._log.unlink(missing_ok=True)
        words = [str(program), "--properties", str(stencil.properties), "--body", str(stencil.body), "--events", str(events),
                 "--count", str(count), "--shuffle", *(["--rate", str(rate)] if rate else [])]
        self._child = Child(words, log=self._log, env={"AMQP_URL": url})

    @property
    def ended(self) -> bool:
        return self._child.exit_code() is not None

    def finish(self, timeout: float) -> dict[str, Any]:
        """Waits until every message is confirmed; what it says then."""
        try:
            code = self._child.wait(timeout)
        finally:
            self._child.kill()
        if code != 0:
            raise RuntimeError(f"the publisher ended with {code}; it said:\n{tail(self._log)}")
        return json.loads(self._log.read_text())

    def stop(self, timeout: float = 30) -> dict[str, Any]:
        """No more messages."""
        self._child.process.signal(15)
        return self.finish(timeout)

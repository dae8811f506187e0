"""Wall clocks that are set while everything runs: notifyd's, the broker's and the database's, each of them alone.

Nothing is lost and nothing circles. What waits, waits for as long as it should: notifyd measures with a clock that nobody sets, and
what two processes compare is the database's time. So only the database's own clock can move a retry, by as much as it is moved.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest
from sandbox import producer
from sandbox.bulk import BulkPublisher, publish_many
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import HELD

HOUR = 3600
RATE, SECONDS = 200, 6
PAUSE = 3.0  # before the second attempt


class Clock:
    """A wall clock, for processes in its environment: `clock.shift(seconds)` sets it."""

    def __init__(self, library: Path, file: Path) -> None:
        file.write_bytes(bytes(8))
        file.chmod(0o644)
        self.env = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(file)}
        with open(file, "r+b") as opened:
            self._shift = mmap.mmap(opened.fileno(), 8)

    def shift(self, seconds: int) -> None:
        self._shift[:] = struct.pack("=q", seconds)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the servers' own accounts may read."""
    with tempfile.TemporaryDirectory(prefix="notify-clock-", dir="/tmp") as made:
        os.chmod(made, 0o711)
        yield Path(made)


@pytest.fixture(scope="module")
def library(folder: Path, sanitized: bool) -> Path:
    if sanitized:
        pytest.skip("a sanitizer's library must be the first")
    made = folder / "shifted_clock.so"
    source = Path(__file__).with_name("shifted_clock.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", made, source], check=True)
    return made


@pytest.fixture
def clock(library: Path, tmp_path: Path) -> Clock:
    return Clock(library, tmp_path / "clock")


@pytest.fixture(scope="module")
def databases_clock(library: Path, folder: Path) -> Clock:
    return Clock(library, folder / "databases-clock")


@pytest.fixture(scope="module")
def postgres(server_folder: Path, databases_clock: Clock) -> Iterator[PostgresServer]:
    server = PostgresServer(server_folder / "postgres-clock", fsync=False, env=databases_clock.env)
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def rabbit_and_clock(library: Path, folder: Path, server_folder: Path) -> Iterator[tuple[RabbitServer, Clock]]:
    made = Clock(library, folder / "brokers-clock")
    server = RabbitServer(server_folder / "rabbit-clock", env=made.env)
    try:
        yield server.start(), made
    finally:
        server.remove()


def counted(one: Any, word: str) -> int:
    text = urllib.request.urlopen(f"{one.agent_url}/metrics", timeout=5).read().decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"notify_{word}_total "))


class Waiting:
    """A load, and beside it what waits: RETRIES deliveries for their second attempt, EVENTS events for their eta."""

    RETRIES, EVENTS = 60, 20

    def __init__(self, stage: Any, notifyd: Any, **options: Any) -> None:
        stage.webhook(secret=None, events=["finding_new"])
        stage.webhook("/sick", secret=None, events=["scan_failed"], name="sick")
        stage.webhook("/later", secret=None, events=["scan_done"], name="later")
        stage.receiver.script("/sick", *[Answer(status=503)] * self.RETRIES, Answer())
        self.stage = stage
        settings = {"retry": {"base": PAUSE, "jitter": 0.0}, "sweep": {"grace": 2.0}, **HELD, **options.pop("settings", {})}
        self.one = notifyd(settings, **options)
        self.pids = {p.pid for p in self.one.family()}
        self.load = BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(RATE * SECONDS)), rate=RATE)
        self.load.start()
        self.sick = publish_many(stage.broker_url, "notify", [stage.event("scan_failed", error="x") for _ in range(self.RETRIES)])
        self.begun = time.monotonic()
        self.eta = PAUSE + 1
        self.later = [self._publish_later() for _ in range(self.EVENTS)]
        stage.wait_arrivals(self.sick, path="/sick")
        stage.wait(lambda: Counter(e["state"] for e in stage.events())["scheduled"] == self.EVENTS)
        stage.wait(lambda: Counter(d["state"] for d in stage.deliveries())["waiting"] == self.RETRIES)
        assert time.monotonic() - self.begun < PAUSE, "all of them wait"

    def _publish_later(self) -> str:
        made = self.stage.event("scan_done")
        body, properties = producer.celery_message(made)
        properties.headers["eta"] = (datetime.now(timezone.utc) + timedelta(seconds=self.eta)).isoformat()
        producer.publish_raw(self.stage.broker_url, "notify", body, properties)
        return made.id

    def end(self, what: str, late: float = 0, early: float = 0, repeated: bool = False) -> None:
        """All has arrived, and what waited did so for no more than LATE seconds longer and EARLY seconds less than it should."""
        confirmed = self.load.finish()
        hook = self.stage.wait_arrivals(confirmed)
        self.stage.wait_arrivals(self.later, PAUSE + late + 10, "/later")
        self.stage.wait(lambda: self.stage.receiver.count("/sick") >= 2 * self.RETRIES, PAUSE + late + 10)
        self.stage.wait_settled(len(confirmed) + self.RETRIES + self.EVENTS, 10)
        times: dict[str, list[float]] = {}
        for r in self.stage.receiver.requests("/sick"):
            times.setdefault(json.loads(r.body)["id"], []).append(r.at)
        pauses = [second - first for first, second, *_ in times.values()]
        waits = [r.at - self.begun for r in self.stage.receiver.requests("/later")]
        published = counted(self.one, "publishes_confirmed")
        print(f"{what}: {len(confirmed)} confirmed and {sum(hook.values()) - len(hook)} repeated; retries after {min(pauses):.1f} to"
              f" {max(pauses):.1f} s, events with an eta after {min(waits):.1f} to {max(waits):.1f} s; {published} messages published")
        assert len(confirmed) == RATE * SECONDS
        assert {p.pid for p in self.one.family()} == self.pids and not self.one.events("child_hangs")
        assert PAUSE - early - 0.1 <= min(pauses) and max(pauses) <= PAUSE + late + 2.5
        assert self.eta - early - 0.5 <= min(waits) and max(waits) <= self.eta + late + 3.5
        assert set(hook.values()) == {1} and {len(t) for t in times.values()} == {2} and len(waits) == self.EVENTS
        assert published <= 4 * (self.RETRIES + self.EVENTS), "something circles"


@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_notifyds_clock_is_set_under_load(stage, notifyd, clock, shift):
    load = Waiting(stage, notifyd, env=clock.env)
    clock.shift(shift)
    load.end(f"notifyd's clock by {shift} s")
    signed = int(stage.receiver.requests("/later")[-1].header["webhook-timestamp"])
    assert abs(signed - time.time() - shift) < 60, "it was set"


@pytest.mark.long
@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_the_brokers_clock_is_set_under_load(stage, notifyd, rabbit_and_clock, shift):
    """RabbitMQ expires messages by its wall clock: the ladder stands still or lets go of all, and the ledger knows better."""
    rabbit, clock = rabbit_and_clock
    stage.broker_url = rabbit.url
    load = Waiting(stage, notifyd, settings={"broker": {"url": rabbit.url}})
    clock.shift(shift)
    load.end(f"the broker's clock by {shift} s", late=2.0 + 1 if shift < 0 else 0)


@pytest.mark.parametrize("shift", [-8, HOUR])
def test_the_databases_clock_is_set_under_load(stage, notifyd, databases_clock, shift):
    """It is the ledger's clock: what waits comes as much later, or at once."""
    load = Waiting(stage, notifyd)
    databases_clock.shift(shift)
    try:
        wait_until(lambda: abs(stage.database.query("SELECT extract(epoch FROM now())::float8")[0][0] - time.time() - shift) < 5, 2,
                   "it is set")
        load.end(f"the database's clock by {shift} s", late=max(0, -shift) + 3, early=PAUSE + 1 if shift > 0 else 0)
    finally:
        databases_clock.shift(0)

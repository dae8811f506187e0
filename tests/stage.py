"""The stage on which scenarios and faults play: a migrated database with a workspace in it, and what a test does there.

A module that stops, kills or freezes servers overrides the fixtures `rabbit` and `postgres` with its own; all here follows.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator

import psycopg2
import pytest
from sandbox import producer, seed


# Settings of a worker that puts nothing into a mailbox: it holds what waits for a slow receiver, and goes on trying one that fails.
HELD = {"gate": {"patience": 3600.0, "line": 65535, "circuit_least": 0}}


class Stage:
    """A workspace with a target, a scan and one finding of each severity, and webhooks that lead to the receiver."""

    def __init__(self, database: Any, fernet_key: str, receiver: Any, broker_url: str) -> None:
        self.database, self.key, self.receiver, self.broker_url = database, fernet_key, receiver, broker_url
        self.connection = psycopg2.connect(database.url)
        self.connection.autocommit = True
        self.workspace = seed.add_workspace(self.connection)
        self.target = seed.add_target(self.connection, self.workspace)
        self.scan = seed.add_scan(self.connection, self.target)
        found = seed.add_findings(self.connection, self.scan, seed.SEVERITIES)
        self.findings = dict(zip(seed.SEVERITIES, found))
        self.high = self.findings["high"].id

    def webhook(self, path: str = "/hook", *, url: str | None = None, secret: str | None = "s3cret", **options: Any) -> Any:
        config = {"webhook_url": url or self.receiver.url(path)}
        if secret:
            config["hmac_secret"] = secret
        return self.integration(config, **options)

    def integration(self, config: dict[str, Any], kind: str = "webhook", **options: Any) -> Any:
        return seed.add_integration(self.connection, options.pop("workspace", self.workspace), kind, config, self.key,
                                    name=options.pop("name", "hook"), **options)

    def event(self, event_type: str = "finding_new", **kwargs: Any) -> producer.Event:
        if event_type.startswith("finding_"):
            kwargs.setdefault("finding_id", self.high)
        return producer.event(kwargs.pop("scan_id", self.scan.id), event_type, **kwargs)

    def publish(self, event_type: str = "finding_new", *, protocol: int = 2, **kwargs: Any) -> str:
        return producer.publish_event(self.broker_url, self.event(event_type, **kwargs), protocol=protocol)

    def plain(self, obj: Any, message_id: str | None, queue: str = "notify", **options: Any) -> None:
        producer.publish_plain(self.broker_url, queue, obj, message_id, **options)

    def deliveries(self, event_id: str | None = None) -> list[dict[str, Any]]:
        where, params = ("WHERE event_id = %s", (event_id,)) if event_id else ("", None)
        names = ("event_id", "integration_id", "state", "attempt", "reason", "error", "status", "due_at", "owner")
        rows = self.database.query(f"SELECT {', '.join(names)} FROM notify.deliveries {where} ORDER BY 1, 2", params)
        return [dict(zip(names, row)) for row in rows]

    def events(self, event_id: str | None = None) -> list[dict[str, Any]]:
        where, params = ("WHERE id = %s", (event_id,)) if event_id else ("", None)
        names = ("id", "state", "reason", "considered", "matched", "filtered_disabled", "filtered_target", "filtered_event",
                 "filtered_target_kind", "filtered_severity", "queue")
        rows = self.database.query(f"SELECT {', '.join(names)} FROM notify.events {where} ORDER BY 1", params)
        return [dict(zip(names, row)) for row in rows]

    def wait(self, what: Callable[[], Any], timeout: float = 30, why: Any = "") -> Any:
        """The first true value of WHAT; the first row of none (an IndexError) is not there yet. WHY: what to say, or who says it."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                value = what()
            except IndexError:
                value = None
            if value:
                return value
            assert time.monotonic() < deadline, (why() if callable(why) else why) or "did not happen in time"
            time.sleep(0.02)

    def arrivals(self, path: str = "/hook") -> Counter:
        """How often each event arrived, by its id."""
        return Counter(json.loads(r.body)["id"] for r in self.receiver.requests(path))

    def wait_arrivals(self, ids: Any, timeout: float = 30, path: str = "/hook") -> Counter:
        """Returns when every one of IDS has arrived; says how many did not."""
        wanted = set(ids)
        deadline = time.monotonic() + timeout
        while True:
            seen = self.arrivals(path) if self.receiver.count(path) >= len(wanted) else Counter()
            missing = wanted - seen.keys()
            if not missing:
                return seen
            assert time.monotonic() < deadline, f"{len(missing) if seen else 'some'} of {len(wanted)} events did not arrive"
            time.sleep(0.1)

    def wait_settled(self, count: int, timeout: float = 30) -> None:
        """Returns when COUNT deliveries are recorded as delivered and no event is open."""
        sql = ("SELECT (SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'),"
               " (SELECT count(*) FROM notify.events WHERE state = 'open')")
        self.wait(lambda: self.database.query(sql)[0] == (count, 0), timeout, f"not {count} deliveries settled in time")

    def close(self) -> None:
        self.connection.close()


def balance(build: Path, stage: Stage) -> None:
    """The books balance, as they must at every moment: `notifyctl audit`, without the broker's half when that is away."""
    conf = {"DATABASE_URL": stage.database.dsn(), "AMQP_URL": stage.broker_url, "FERNET_KEY": stage.key, "PATH": "/usr/bin:/bin"}
    run = subprocess.run([build / "notifyctl", "audit", "-c", "/dev/null"], capture_output=True, text=True, timeout=60, env=conf)
    if run.returncode != 0 and not (run.returncode == 75 and run.stdout.startswith("balanced as far as")):
        pytest.fail(f"the books do not balance: exit {run.returncode}\n{run.stdout}{run.stderr}", pytrace=False)


def migrate(build: Path, url: str) -> None:
    """`notifyctl migrate` with nothing but the database."""
    run = subprocess.run([build / "notifyctl", "migrate", "-c", "/dev/null"], capture_output=True, text=True, timeout=60,
                         env={"DATABASE_URL": url, "AMQP_URL": "amqp://nobody@127.0.0.1:1", "PATH": "/usr/bin:/bin",
                              "FERNET_KEY": "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="})
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture
def migrated(build: Path, database: Any) -> Any:
    migrate(build, database.url)
    return database


@pytest.fixture
def stage(request: pytest.FixtureRequest, build: Path, migrated: Any, fernet_key: str, receiver: Any,
          broker_url: str) -> Iterator[Stage]:
    """Its books balance when the test is over, unless the test is marked unbalanced, with the reason."""
    made = Stage(migrated, fernet_key, receiver, broker_url)
    yield made
    made.close()
    if not request.node.get_closest_marker("unbalanced"):
        balance(build, made)


def dead_letters(url: str, count: int, timeout: float = 30, queue: str = "notify.dead") -> list[tuple[dict[str, Any], Any, bytes]]:
    """Take COUNT messages off a queue: headers, properties, body."""
    import pika

    found: list[tuple[dict[str, Any], Any, bytes]] = []
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    deadline = time.monotonic() + timeout
    while len(found) < count:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is not None:
            found.append((properties.headers or {}, properties, body))
            continue
        assert time.monotonic() < deadline, f"{len(found)} of {count} dead letters came"
        connection.sleep(0.05)
    connection.close()
    return found

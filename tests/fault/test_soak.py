"""A steady load for an hour, of which one request in twenty fails, while what is old is deleted: nothing grows."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

import evidence
import figures
import pytest
from sandbox import bulk
from sandbox.answers import Answer
from test_chaos import idle, open_rows, receiver, tally  # noqa: F401 (fixtures)
from test_growth import anonymous_kib, descriptors

pytestmark = [pytest.mark.alone, pytest.mark.long]

HOUR, RATE, FAILING, INTEGRATIONS = 3600, 200, 0.05, 10
SAMPLES = 60


@dataclass
class Sample:
    descriptors: int
    anonymous_kib: int
    database_kib: int
    rows: int
    relations: list[tuple[str, int, int, int]]  # name, MiB, dead rows and vacuums so far, for whoever asks what has grown


def sample(stage: Any, one: Any) -> Sample:
    """Of all its processes together."""
    pids = [p.pid for p in one.family()]
    size, rows = stage.database.query("SELECT pg_database_size(current_database()) / 1024, (SELECT count(*) FROM notify.events)")[0]
    relations = stage.database.query(
        "SELECT c.relname, pg_relation_size(c.oid) >> 20, coalesce(s.n_dead_tup, 0), coalesce(s.autovacuum_count, 0) FROM pg_class c"
        " LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid"
        " WHERE c.relnamespace = 'notify'::regnamespace AND pg_relation_size(c.oid) >= 1 << 20 ORDER BY 1")
    return Sample(sum(map(descriptors, pids)), sum(map(anonymous_kib, pids)), size, rows, relations)


def test_soak(stage, notifyd, rabbit, tally, sanitized, request):
    """In the first third the ledger fills up to what retention leaves of it; the others are compared."""
    seconds = request.config.getoption("--seconds") or HOUR
    chance = random.Random(seconds)
    for number in range(INTEGRATIONS):
        stage.webhook(f"/hook/{number}", name=str(number), target_ids=None, events=[["scan_done", "finding_new"][number % 2]])
        stage.receiver.script(f"/hook/{number}", *(
            Answer(status=503) if chance.random() < FAILING else Answer() for _ in range(RATE * seconds)))
    one = notifyd({
        "workers": 2, "retry": {"base": 1.0}, "gate": {"circuit_least": 0},
        "retention": {"deliveries_days": max(0.0001, seconds / 4 / 86400), "interval": seconds / 60},
    })
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (
        stage.event(chance.choice(["scan_done", "finding_new"])) for _ in range(RATE * seconds)), rate=RATE)
    began = time.monotonic()
    publisher.start()
    seen = []
    for number in range(1, SAMPLES + 1):
        time.sleep(max(0.0, began + number * seconds / SAMPLES - time.monotonic()))
        seen.append(sample(stage, one))
    confirmed = publisher.finish(seconds)
    stage.wait(lambda: open_rows(stage) == 0 and idle(rabbit, stage), 120)
    taken = sum(tally.taken.values())
    assert not one.events("child_ended") and not publisher.unknown
    found = (f"{len(confirmed)} events in {seconds} s, {taken} deliveries, {tally.refused} requests refused,"
             f" {one.counter('events_deleted')} events deleted; after a third, two thirds and at the end: "
             + "; ".join(f"{s.anonymous_kib / 1024:.1f} MiB, {s.descriptors} descriptors, {s.database_kib / 1024:.0f} MiB of database, {s.rows} events"
                         for s in (seen[SAMPLES // 3], seen[2 * SAMPLES // 3], seen[-1])))
    print(found)
    for at, one_of in enumerate(seen, 1):
        print(f"after {at * seconds / SAMPLES:.0f} s: {one_of}")
    figures.hold("soak, lost", len(confirmed) * INTEGRATIONS // 2 - taken, 0)
    figures.hold("soak, repeated", taken - len(confirmed) * INTEGRATIONS // 2, 0)
    second, last = seen[SAMPLES // 3:2 * SAMPLES // 3], seen[2 * SAMPLES // 3:]
    for what, slack in (("descriptors", 1.05), ("anonymous_kib", 1.1), ("database_kib", 1.1), ("rows", 1.1)):
        if sanitized and what == "anonymous_kib":
            continue  # a sanitizer keeps what was freed
        most = [max(getattr(s, what) for s in third) for third in (second, last)]
        figures.hold(f"soak, growth of {what} from the second to the last third", most[1] / most[0], slack)
    evidence.note("soak", seconds, found)

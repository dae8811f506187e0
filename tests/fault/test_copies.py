"""Copies of messages: what the sweep makes while somebody is only slow starts nothing twice, and does not breed."""

from __future__ import annotations

import time
import uuid

import pytest
from expansion import task
from sandbox import bulk, producer, seed
from sandbox.receiver import Answer
from stage import HELD


def delivered(stage, count: int, timeout: float = 60) -> None:
    sql = "SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'"
    stage.wait(lambda: stage.database.query(sql) == [(count,)], timeout, f"not {count} are delivered")


def waiting(stage, count: int) -> None:
    sql = "SELECT count(*) FROM notify.deliveries WHERE state = 'waiting'"
    stage.wait(lambda: stage.database.query(sql) == [(count,)], 60, f"not {count} rows are waiting")


def swept(one) -> int:
    return sum(int(e["rows"]) for e in one.events("swept"))


def test_an_open_event_whose_message_is_lost_comes_back(stage, notifyd):
    """As a worker leaves it that died when one of two integrations had its row, and whose queue was purged."""
    quick, slow = stage.webhook("/quick", secret=None), stage.webhook("/slow", secret=None)
    notifyd({"held_max": 10.0, "sweep": {"grace": 1.0}})
    event = stage.publish()
    stage.wait_settled(2)
    stage.database.execute("DELETE FROM notify.deliveries WHERE integration_id = %s", (slow.id,))
    stage.database.execute("UPDATE notify.events SET state = 'open', finished_at = NULL, accepted_at = now() - interval '9 s'")
    assert stage.receiver.count("/slow") == 1
    stage.receiver.wait_for(2, "/slow", 10)
    stage.wait_settled(2)
    assert stage.receiver.count("/quick") == 1 and {row["event_id"] for row in stage.deliveries()} == {event}


def test_an_event_that_the_ledger_knows_has_its_row_before_its_first_request(stage, notifyd):
    """Two hosts: it went round the ladder once, and is in hand longer than the grace. The copy takes no second first attempt."""
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(delay=4.0))
    settings = {"workers": 1, "retry": {"not_found": [1.0, 1.0, 1.0]}, "sweep": {"grace": 1.0}}
    pair = [notifyd(settings), notifyd(settings)]
    finding = str(uuid.uuid4())
    late = stage.publish(finding_id=finding)
    stage.wait(lambda: stage.events(late))
    stage.database.execute("INSERT INTO public.findings SELECT (jsonb_populate_record(f, jsonb_build_object('id', %s))).*"
                           " FROM public.findings f WHERE id = %s", (finding, stage.high))
    delivered(stage, 1)
    time.sleep(4.5)  # a second request would have been answered by now
    assert stage.receiver.count("/hook") == 1 and len(pair) == 2


@pytest.mark.parametrize("what", ["retries", "scheduled"])
def test_a_backlog_of_what_is_due_is_not_published_over_and_over(stage, notifyd, what):
    count = 150
    stage.webhook("/hook", secret=None, severity_filter="info")
    one = notifyd({"workers": 1, "broker": {"prefetch": 8}, "delivery": {"per_integration": 1},
                   "retry": {"base": 6.0, "jitter": 0.0}, "sweep": {"grace": 1.0}, **HELD})
    if what == "scheduled":
        app = producer.celery_app(stage.broker_url)
        for _ in range(count):
            app.notify_event.apply_async((str(stage.scan.id), "scan_done"), countdown=6)
        states = "SELECT count(*) FROM notify.events WHERE state = 'scheduled'"
        stage.wait(lambda: stage.database.query(states) == [(count,)], 20)
    else:
        stage.receiver.script("/hook", Answer(status=503))
        bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count)))
        waiting(stage, count)
    stage.receiver.script("/hook", Answer(delay=0.05))
    delivered(stage, count)
    print(f"{what}: {swept(one)} of {count} published again")
    assert swept(one) <= count
    assert set(stage.arrivals().values()) == {1 + (what == "retries")}


def test_retries_that_stand_at_the_gate_are_not_published_over_and_over(stage, notifyd):
    count = 14
    stage.webhook("/hook", secret=None, severity_filter="info")
    stage.receiver.script("/hook", Answer(status=503))
    one = notifyd({"workers": 2, "delivery": {"per_integration": 1}, "retry": {"base": 4.0, "jitter": 0.0},
                   "sweep": {"grace": 1.0}, **HELD})
    bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count)))
    waiting(stage, count)
    stage.receiver.script("/hook", Answer(delay=1.2))
    delivered(stage, count)
    print(f"{swept(one)} of {count} published again")
    assert swept(one) <= 2 * count and set(stage.arrivals().values()) == {2}


def test_many_tasks_of_scans_wait_for_their_turn_without_circling(stage, notifyd):
    count = 200
    stage.webhook("/hook", secret=None, events=["scan_failed"])
    scans = [seed.add_scan(stage.connection, stage.target) for _ in range(count)]
    one = notifyd({"workers": 1})
    bulk.publish_many(stage.broker_url, "notify", (task(scan.id) for scan in scans))
    expanded = "SELECT count(*) FROM notify.events WHERE state = 'expanded'"
    stage.wait(lambda: stage.database.query(expanded) == [(count,)], 60)
    rounds = (one.counter("messages_received") - 2 * count) / count  # a task and its scan_done are two
    print(f"{rounds:.1f} rounds for each task")
    assert rounds < 3


def test_the_late_outcome_of_an_attempt_that_counts_as_lost_is_not_kept(stage, notifyd):
    """The worker was only slow. Its lease is over, the delivery ended, and somebody replayed it."""
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer(status=503, delay=3.0), Answer())
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    event = stage.publish()
    stage.wait(lambda: [d for d in stage.deliveries(event) if (d["state"], d["attempt"]) == ("sending", 2)])
    stage.database.execute("UPDATE notify.deliveries SET state = 'waiting', attempt = 0, owner = 'replay', due_at = now(),"
                           " lease_until = NULL, owed = true, swept_at = NULL")
    stage.database.execute("UPDATE notify.attempts SET attempt = -1")
    delivered(stage, 1)
    time.sleep(3)
    assert stage.database.query("SELECT attempt FROM notify.attempts") == [(-1,)]


@pytest.mark.unbalanced("the place is moved by hand, and its count with nothing")
def test_a_worker_that_another_has_overtaken_stops_expanding(stage, notifyd):
    """Another host has the same task and is further: here its place stands behind the last finding."""
    count = 400
    seed.add_findings(stage.connection, stage.scan, ["low"] * count)
    notifyd({"workers": 1, "expand": {"page": 1}})
    sent = task(stage.scan.id)
    producer.publish_event(stage.broker_url, sent)
    children = "SELECT count(*) FROM notify.events WHERE id LIKE %s"
    stage.wait(lambda: stage.database.query(children, (f"{sent.id}.%",))[0][0] > 5)
    stage.database.execute("UPDATE notify.events SET published_rank = 0, published_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'"
                           " WHERE id = %s", (sent.id,))
    stage.wait(lambda: stage.events(sent.id)[0]["state"] == "expanded", 15)
    assert stage.database.query(children, (f"{sent.id}.%",))[0][0] < count

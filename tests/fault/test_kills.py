"""Processes of the pool that die at the worst moment: others take over, nothing is lost, and little is repeated."""

from __future__ import annotations

import os
import signal
import time

import pytest
from sandbox import bulk, producer, seed
from sandbox.processes import wait_until
from sandbox.receiver import Answer
from stage import HELD, dead_letters

pytestmark = pytest.mark.usefixtures("counted")


def queue(rabbit, vhost, name="notify") -> dict:
    return next(q for q in rabbit.list_queues(vhost) if q["name"] == name)


# --- kill -9

def test_a_killed_worker_is_replaced_within_a_second_and_nothing_is_lost(stage, notifyd):
    stage.webhook(secret=None)
    prefetch, kills = 64, 2
    in_flight = prefetch // 2  # a worker's part for the producers' queues
    one = notifyd({"broker": {"prefetch": prefetch}})
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(1500)), rate=500)
    publisher.start()
    took = []
    for kill in range(1, kills + 1):
        stage.receiver.wait_for(500 * kill, "/hook")
        victim, ready = one.workers()[0], len(one.events("worker_ready"))
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        one.wait_event("worker_ready", count=ready + 1, timeout=5)
        took.append(time.monotonic() - killed)
    confirmed = publisher.finish()
    seen = stage.wait_arrivals(confirmed)
    stage.wait_settled(1500)
    repeats = sum(seen.values()) - len(seen)
    print(f"replacements consumed after {', '.join(f'{t:.2f}' for t in took)} s; {repeats} of {len(seen)} repeated"
          f" by {kills} kills")
    assert len(confirmed) == 1500 and max(took) < 1.0
    assert repeats <= kills * in_flight and max(seen.values()) <= 2
    assert [e["how"] for e in one.events("child_ended")] == ["Killed"] * kills


def test_a_killed_supervisor_leaves_no_orphan_and_what_was_not_begun_is_back_in_the_queue(stage, notifyd, rabbit, vhost):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=0.5))
    one = notifyd({"broker": {"prefetch": 32}, **HELD})
    ids = bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(200)))
    stage.receiver.wait_for(10, "/hook")
    started = time.monotonic()
    one.kill()
    wait_until(lambda: not one.family(), one.grace, "no process is left")
    took = time.monotonic() - started
    seen = stage.arrivals()
    state = wait_until(lambda: queue(rabbit, vhost)["messages_unacknowledged"] == 0 and queue(rabbit, vhost), 5, "all unacked back")
    print(f"no process left after {took:.2f} s (grace {one.grace:g}); {len(seen)} delivered, {state['messages_ready']} back")
    assert set(seen.values()) == {1} and len(seen) + state["messages_ready"] == 200
    stage.receiver.script("/hook")
    notifyd()
    assert set(stage.wait_arrivals(ids).values()) == {1}


def test_orphans_that_cannot_finish_leave_at_the_end_of_the_grace(stage, notifyd, rabbit, vhost):
    """The supervisor is dead and the database holds every commit up."""
    stage.webhook(secret=None)
    one = notifyd({"shutdown_grace": 5.2, "delivery": {"timeout": 0.2, "connect_timeout": 0.2}})
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE notify.deliveries, notify.events")
    bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(20)))
    wait_until(lambda: queue(rabbit, vhost)["messages_unacknowledged"] == 20, 5, "all in hand")
    started = time.monotonic()
    one.kill()
    wait_until(lambda: not one.family(), 9, "no process is left")
    print(f"no process left after {time.monotonic() - started:.2f} s of 5.2")
    wait_until(lambda: queue(rabbit, vhost)["messages_ready"] == 20, 5, "all are back in the queue")
    lock.rollback()
    lock.close()


def test_a_killed_agent_is_replaced(stage, notifyd):
    one = notifyd()
    agent = next(p.pid for p in one.children() if p.pid not in one.workers())
    os.kill(agent, signal.SIGKILL)
    one.wait_event("child_started", role="agent", count=2, timeout=2)
    one.wait_event("agent_listening", count=2, timeout=4)
    assert len(one.workers()) == 2


# --- a message that kills

def test_a_message_that_kills_three_workers_becomes_a_dead_letter_and_others_pass(stage, notifyd):
    stage.webhook(secret=None)
    ids = [stage.publish() for _ in range(3)]
    poison = stage.publish("finding_changed", change_summary="POISON")
    ids += bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(60)))
    one = notifyd(env={"NOTIFY_FAULT": "decode=1/POISON"}, ready=False)
    one.wait_event("child_ended")  # so everything is declared
    [(headers, properties, body)] = dead_letters(stage.broker_url, 1, timeout=20)
    assert headers["x-notify-reason"] == "killed_worker" and headers["x-notify-queue"] == "notify"
    assert b"POISON" in body and headers["x-notify-size"] == len(body)
    assert headers["x-notify-task"] == producer.NOTIFY_EVENT
    deaths = [e for e in one.events("child_ended") if e["how"] == "Killed"]
    assert [e["message_killed"] for e in deaths] == ["1", "2", "3"]
    seen = stage.wait_arrivals(ids)
    print(f"properties of the dead letter: {properties.message_id}; {sum(seen.values()) - len(seen)} repeated")
    assert poison not in seen
    time.sleep(0.5)
    assert len([e for e in one.events("child_ended") if e["how"] == "Killed"]) == 3


# --- death at each step of a delivery

@pytest.mark.parametrize(("point", "answers", "requests"), [
    ("response", (200, 200), 2),  # answered, nothing written: the one place where a request may be repeated
    ("commit", (200,), 1),
    ("ack", (200,), 1),
    ("commit", (503, 200), 2),
    ("publish", (503, 200), 2),
    ("confirm", (503, 200), 2),
], ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else str(value))
def test_a_worker_killed_at_each_step_of_a_delivery(stage, notifyd, point, answers, requests):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", *[Answer(status=status) for status in answers], Answer())
    event = stage.event()
    one = notifyd({"retry": {"jitter": 0.0}}, env={"NOTIFY_FAULT": f"{point}=1*1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    one.wait_event("child_ended", how="Killed")
    row = stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "delivered"])[0]
    time.sleep(1.2 if 503 in answers else 0.3)  # a second copy of the retry may still be on the ladder
    assert stage.receiver.count("/hook") == requests
    assert len({r.header["webhook-id"] for r in stage.receiver.requests("/hook")}) == 1
    assert row["attempt"] == (2 if 503 in answers else 1) and stage.events(event.id)[0]["state"] == "done"
    assert len([e for e in one.events("child_ended") if e["how"] == "Killed"]) == 1


@pytest.mark.parametrize("point", ["commit", "confirm"])
def test_a_worker_killed_at_each_step_of_a_dead_letter(stage, notifyd, point):
    """The event's own end: its finding belongs to another scan."""
    other = seed.add_finding(stage.connection, seed.add_scan(stage.connection, stage.target))
    event = stage.event(finding_id=other.id)
    one = notifyd(env={"NOTIFY_FAULT": f"{point}=1*1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    one.wait_event("child_ended", how="Killed")
    letters = dead_letters(stage.broker_url, 1)
    assert letters[0][0]["x-notify-reason"] == "finding_of_other_scan" and letters[0][1].message_id == event.id
    stage.wait(lambda: stage.events(event.id)[0]["state"] == "dead")

"""What was failed, forgotten or purged comes back by itself, as often as it was promised and no oftener."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections import Counter

import pika
import pytest
from ctl import on_stage
from sandbox import bulk, producer, seed
from sandbox.processes import wait_until
from sandbox.receiver import Answer
from stage import HELD, dead_letters

LEVELS = [f"notify.delay.{level}" for level in range(17)]


def purge(url: str, *queues: str) -> int:
    """How many messages were thrown away."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    count = sum(channel.queue_purge(name).method.message_count for name in queues)
    connection.close()
    return count


def waiting(stage, count: int, timeout: float = 60) -> None:
    sql = "SELECT count(*) FROM notify.deliveries WHERE state = 'waiting'"
    stage.wait(lambda: stage.database.query(sql) == [(count,)], timeout, f"not {count} rows are waiting")


def attempts(stage, event_id: str) -> list[tuple]:
    return stage.database.query("SELECT attempt, error FROM notify.attempts WHERE event_id = %s ORDER BY attempt", (event_id,))


# --- what a receiver may do

@pytest.mark.alone
def test_a_receiver_that_recovers_gets_three_requests_at_the_promised_times_while_others_go_on(stage, notifyd):
    stage.webhook("/sick", events=["scan_failed"])
    stage.webhook("/well", events=["scan_done"])
    stage.receiver.script("/sick", Answer(status=503), Answer(status=429, headers=(("Retry-After", "3"),)), Answer())
    notifyd({"retry": {"base": 2.0, "factor": 1.0, "jitter": 0.0}})
    sick = stage.publish("scan_failed", error="x")
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(120)), rate=20)
    publisher.start()
    stage.wait(lambda: stage.deliveries(sick)[0]["state"] == "delivered", 15)
    first, second, third = stage.receiver.requests("/sick")
    assert 2.0 <= second.at - first.at < 3.0 and 3.0 <= third.at - second.at < 4.0, (second.at - first.at, third.at - second.at)
    assert len({r.header["webhook-id"] for r in (first, second, third)}) == 1
    during = [r.at for r in stage.receiver.requests("/well") if first.at < r.at < third.at]
    assert len(during) > 80 and max(b - a for a, b in zip(during, during[1:])) < 0.5
    publisher.finish()


def test_retry_after_as_a_date_is_obeyed(stage, notifyd):
    from email.utils import formatdate

    stage.webhook("/hook")
    at = int(time.time()) + 4
    stage.receiver.script("/hook", Answer(status=503, headers=(("Retry-After", formatdate(at, usegmt=True)),)), Answer())
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    stage.publish()
    second = stage.receiver.wait_for(2, "/hook")[1]
    assert at <= second.wall < at + 2, second.wall - at


def test_a_delivery_that_fails_eight_times_is_dead_and_a_replay_brings_it_back(stage, notifyd, build, tmp_path):
    hook = stage.webhook("/hook")
    stage.receiver.script("/hook", Answer(status=500))
    notifyd({"retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0, "max_attempts": 8}})
    event = stage.publish()
    [(headers, properties, _)] = dead_letters(stage.broker_url, 1, 30)
    assert headers["x-notify-reason"] == "attempts_exhausted" and headers["x-notify-attempt"] == 8
    assert properties.message_id == event and headers["x-notify-integration"] == str(hook.id)
    assert stage.receiver.count("/hook") == 8 and len(attempts(stage, event)) == 8
    stage.receiver.script("/hook", Answer())
    answer = on_stage(build, tmp_path, stage)("dead", "replay", event, str(hook.id))
    assert answer.code == 0, answer
    row = stage.wait(lambda: [d for d in stage.deliveries(event) if d["state"] == "delivered"], 10)[0]
    assert row["attempt"] == 1 and stage.receiver.count("/hook") == 9
    assert len({r.header["webhook-id"] for r in stage.receiver.requests("/hook")}) == 1
    stage.wait(lambda: stage.database.query("SELECT owed FROM notify.deliveries") == [(False,)])


# --- what may be lost on the way

def test_a_restart_of_everything_during_a_delay_neither_loses_nor_shifts_it(stage, notifyd, rabbit, postgres):
    stage.webhook("/hook")
    stage.receiver.script("/hook", Answer(status=503), Answer())
    one = notifyd({"retry": {"base": 30.0, "jitter": 0.0}})
    event = stage.publish()
    first = stage.receiver.wait_for(1, "/hook")[0]
    waiting(stage, 1)
    one.terminate()
    one.wait()
    rabbit.restart()
    postgres.restart()
    notifyd({"retry": {"base": 30.0, "jitter": 0.0}})
    back = time.monotonic()  # on a busy machine the servers may take longer than the delay
    second = stage.receiver.wait_for(2, "/hook", 60)[1]
    assert 30 <= second.at - first.at and second.at < max(first.at + 30, back) + 1.5, (second.at - first.at, back - first.at)
    stage.connection.close()
    stage.wait(lambda: stage.deliveries(event)[0]["state"] == "delivered")
    assert stage.receiver.count("/hook") == 2


def purged_ladder(stage, notifyd, count: int) -> None:
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    one = notifyd({"retry": {"base": 120.0, "jitter": 0.0}, "sweep": {"grace": 2.0}, "broker": {"prefetch": 512}, **HELD})
    ids = bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count)))
    waiting(stage, count, 120)
    stage.receiver.script("/hook", Answer())
    stage.receiver.clear()
    lost = stage.wait(lambda: purge(stage.broker_url, *LEVELS), 10)
    assert lost == count, "every retry was on the ladder"
    stage.database.execute("UPDATE notify.deliveries SET due_at = now() + interval '1 second'")
    started = time.monotonic()
    seen = stage.wait_arrivals(ids, 120)
    stage.wait_settled(count, 60)
    print(f"{count} deliveries came back in {time.monotonic() - started:.1f} s, 3 s of them due time and grace")
    time.sleep(3)  # what the sweep would publish twice would arrive now
    assert set(stage.arrivals().values()) == {1} and len(seen) == count
    assert Counter(d["attempt"] for d in stage.deliveries()) == {2: count}
    assert stage.database.query("SELECT count(*) FROM notify.attempts") == [(count,)]
    assert not one.events("child_ended")


def test_the_ladder_is_purged_while_2000_deliveries_wait(stage, notifyd):
    purged_ladder(stage, notifyd, 2000)


@pytest.mark.long
def test_the_ladder_is_purged_while_20000_deliveries_wait(stage, notifyd):
    purged_ladder(stage, notifyd, 20000)


def test_events_that_wait_for_their_time_or_their_rows_survive_a_purge(stage, notifyd):
    stage.webhook("/hook", secret=None)
    notifyd({"retry": {"not_found": [3.0, 3.0, 3.0]}, "sweep": {"grace": 1.0}})
    finding = str(uuid.uuid4())
    unborn = stage.publish(finding_id=finding)
    later = producer.celery_app(stage.broker_url).notify_event.apply_async((str(stage.scan.id), "scan_done"), countdown=4).id
    states = "SELECT count(*) FROM notify.events WHERE scheduled_for IS NOT NULL"
    stage.wait(lambda: stage.database.query(states) == [(2,)])
    assert stage.wait(lambda: purge(stage.broker_url, *LEVELS)) == 2
    stage.database.execute("INSERT INTO public.findings SELECT (jsonb_populate_record(f, jsonb_build_object('id', %s))).*"
                           " FROM public.findings f WHERE id = %s", (finding, stage.high))
    stage.wait_arrivals([unborn, later], 15)
    stage.wait_settled(2)
    assert set(stage.arrivals().values()) == {1}


@pytest.mark.parametrize("seconds", [0, pytest.param(60, marks=pytest.mark.long)])
def test_a_memory_alarm_while_every_delivery_fails(stage, notifyd, rabbit, vhost, seconds):
    """Nothing can be published: the queue is worked off all the same, and what is owed is published afterwards."""
    count, dead, whole = 1500, 100, 20
    stage.webhook("/sick", secret=None, events=["scan_failed"])
    stage.webhook("/gone", secret=None, events=["scan_started"])
    stage.receiver.script("/sick", Answer(status=503))
    stage.receiver.script("/gone", Answer(status=404))
    ids = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_failed", error="x") for _ in range(count)))
    lost = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_started") for _ in range(dead)))
    foreign = seed.add_finding(stage.connection, seed.add_scan(stage.connection, stage.target))
    strange = bulk.publish_many(stage.broker_url, "notify", (stage.event(finding_id=foreign.id) for _ in range(whole)))
    unborn = bulk.publish_many(stage.broker_url, "notify", (stage.event(finding_id=uuid.uuid4()) for _ in range(whole)))
    rabbit.alarm(True)
    began = time.monotonic()
    try:
        one = notifyd({"retry": {"base": 2.0, "factor": 1.0, "jitter": 0.0, "not_found": [1.0]}, "sweep": {"grace": 1.0},
                       "broker": {"prefetch": 128, "publish_patience": 1.0}, **HELD}, ready=False)
        wait_until(lambda: rabbit.depth("notify", vhost) == 0 and all(
            q["messages"] == 0 for q in rabbit.list_queues(vhost) if q["name"] == "notify"), 40, "the queue is worked off")
        waiting(stage, count)
        assert stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'dead' AND owed") == [(dead,)]
        assert stage.database.query("SELECT state, owed, count(*) FROM notify.events WHERE state <> 'done' GROUP BY 1, 2"
                                    " ORDER BY 1") == [("dead", True, whole), ("open", False, whole)]
        stage.receiver.script("/sick", Answer())
        stage.receiver.clear()
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    finally:
        rabbit.alarm(False)
    stage.wait_arrivals(ids, 60, "/sick")
    stage.wait_settled(count, 30)
    letters = dead_letters(stage.broker_url, dead + 2 * whole, 20)
    reasons = {"rejected": lost, "finding_of_other_scan": strange, "not_found": unborn}
    assert Counter(headers["x-notify-reason"] for headers, _, _ in letters) == {r: len(ids) for r, ids in reasons.items()}
    assert {properties.message_id for _, properties, _ in letters} == {*lost, *strange, *unborn}
    assert set(stage.arrivals("/sick").values()) == {1} and stage.receiver.count("/gone") == 0
    for table in ("deliveries", "events"):
        stage.wait(lambda: stage.database.query(f"SELECT count(*) FROM notify.{table} WHERE owed") == [(0,)])
    assert one.events("publishing_given_up")


# --- who may die

@pytest.mark.parametrize("point", ["take", "response", "commit", "publish", "confirm", "ack"])
def test_five_attempts_are_five_requests_however_often_workers_die(stage, notifyd, point):
    """From the second attempt on an attempt is taken first; what became of one whose worker died is unknown, and it counts."""
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    event = stage.event()
    first = 1 if point in ("take", "response") else 0
    one = notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0},
                   "retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0, "max_attempts": 5}},
                  env={"NOTIFY_FAULT": f"{point}={1 + first}*3/{event.id}"} if point != "take" else
                  {"NOTIFY_FAULT": f"take=1*3/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    one.wait_event("child_ended", how="Killed", timeout=20)
    row = stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "dead"], 60)[0]
    time.sleep(1.5)
    kills = len([e for e in one.events("child_ended") if e["how"] == "Killed"])
    seen = [error for _, error in attempts(stage, event.id)]
    print(f"{kills} kills: {stage.receiver.count('/hook')} requests, attempts {seen}")
    assert row["reason"] == "attempts_exhausted" and row["attempt"] == 5 and len(seen) == 5
    unknown = seen.count("outcome_unknown")
    # One that was killed between its take and its request has counted, too; a busy machine lets others be there as well.
    assert stage.receiver.count("/hook") <= 5 <= stage.receiver.count("/hook") + unknown
    assert unknown == kills if point == "take" else unknown >= kills if point == "response" else unknown <= kills
    duplicate = stage.database.query("SELECT maybe_duplicate FROM notify.deliveries")[0][0]
    assert duplicate == (unknown > 0)
    letters = dead_letters(stage.broker_url, 1)
    assert letters[0][0]["x-notify-reason"] == "attempts_exhausted"


def test_an_outcome_that_stays_unknown_at_the_last_attempt_ends_it(stage, notifyd):
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    event = stage.event()
    notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0},
             "retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0, "max_attempts": 2}},
            env={"NOTIFY_FAULT": f"response=2*1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    [(headers, _, _)] = dead_letters(stage.broker_url, 1, 20)
    assert headers["x-notify-reason"] == "attempts_exhausted" and headers["x-notify-error"] == "outcome_unknown"
    row = stage.deliveries(event.id)[0]
    assert (row["state"], row["attempt"], row["error"]) == ("dead", 2, "outcome_unknown")
    assert stage.receiver.count("/hook") == 2 and [e for _, e in attempts(stage, event.id)] == ["http_status", "outcome_unknown"]


def test_a_copy_that_comes_before_its_time_starts_nothing(stage, notifyd):
    hook = stage.webhook("/hook")
    stage.receiver.script("/hook", Answer(status=503), Answer())
    notifyd({"retry": {"base": 4.0, "jitter": 0.0}})
    event = stage.publish()
    waiting(stage, 1)
    for _ in range(3):
        stage.plain({"scan_id": stage.scan.id, "event_type": "finding_new", "finding_id": stage.high}, event, "notify.due",
                    headers={"x-notify-attempt": 2, "x-notify-integration": str(hook.id)})
    first, second = stage.receiver.wait_for(2, "/hook")
    assert second.at - first.at >= 4.0


def test_two_sweepers_share_what_is_overdue(stage, notifyd):
    """Two hosts: each row is published by one of them."""
    count = 400
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    settings = {"workers": 1, "retry": {"base": 600.0}, "sweep": {"grace": 1.0, "batch": 25}, **HELD}
    pair = [notifyd(settings), notifyd(settings)]
    ids = bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count)))
    waiting(stage, count)
    purge(stage.broker_url, *LEVELS)
    stage.receiver.script("/hook", Answer())
    stage.receiver.clear()
    stage.database.execute("UPDATE notify.deliveries SET due_at = now() - interval '1 minute'")
    stage.wait_arrivals(ids)
    stage.wait_settled(count)
    swept = [sum(int(e["rows"]) for e in one.events("swept")) for one in pair]
    assert sum(swept) == count and set(stage.arrivals().values()) == {1}, swept


def test_the_sweep_waits_longer_while_the_queue_of_retries_is_itself_behind(stage, notifyd):
    """Late, but not lost: a copy for each row would only make it worse. So twice the lateness seen is the grace."""
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer(), Answer(status=503), Answer())
    one = notifyd({"workers": 1, "retry": {"base": 1.0, "jitter": 0.0}, "sweep": {"grace": 3.0}})
    late = stage.publish()
    waiting(stage, 1)
    os.kill(one.workers()[0], signal.SIGSTOP)
    time.sleep(3.5)  # 2.5 s behind
    os.kill(one.workers()[0], signal.SIGCONT)
    stage.wait(lambda: stage.deliveries(late)[0]["state"] == "delivered")
    assert not one.events("swept")
    lost = stage.publish()
    waiting(stage, 1)
    due = stage.database.query("SELECT extract(epoch FROM due_at)::float8 FROM notify.deliveries WHERE state = 'waiting'")[0][0]
    assert stage.wait(lambda: purge(stage.broker_url, *LEVELS)) == 1
    stage.wait(lambda: stage.deliveries(lost)[0]["state"] == "delivered", 15)
    after = stage.receiver.requests("/hook")[3].wall - due
    print(f"published again {after:.1f} s after it was due")
    assert 4.5 < after < 8


# --- where a repeat shows

@pytest.mark.parametrize(("point", "requests"), [("take", 1), ("response", 2), ("commit", 1), ("ack", 1)])
def test_a_kind_where_a_repeat_shows_is_known_to_have_been_begun(stage, notifyd, point, requests):
    """Its first attempt has a row before its request, so what is repeated is flagged, and nothing is repeated unseen."""
    hook = stage.integration({"webhook_url": stage.receiver.url("/services/x")}, kind="slack", severity_filter="info")
    stage.receiver.script("/services/x", Answer(like="slack"))
    event = stage.event()
    one = notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0}},
                  env={"NOTIFY_FAULT": f"{point}=1*1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    one.wait_event("child_ended", how="Killed")
    row = stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "delivered"], 15)[0]
    unknown = point in ("take", "response")
    assert stage.receiver.count("/services/x") == requests and row["attempt"] == 1 + unknown
    assert stage.database.query("SELECT maybe_duplicate FROM notify.deliveries") == [(unknown,)]
    assert attempts(stage, event.id) == ([(1, "outcome_unknown")] if unknown else []) and row["integration_id"] == hook.id


def test_a_whole_event_that_was_dead_is_replayed(stage, notifyd, build, tmp_path):
    """Its finding belonged to another scan, by a mistake that was mended."""
    stage.webhook("/hook", severity_filter="info")
    other = seed.add_finding(stage.connection, seed.add_scan(stage.connection, stage.target))
    notifyd()
    event = stage.publish(finding_id=other.id)
    dead_letters(stage.broker_url, 1)
    stage.database.execute("UPDATE public.findings SET scan_id = %s WHERE id = %s", (stage.scan.id, other.id))
    answer = on_stage(build, tmp_path, stage)("dead", "replay", event)
    assert answer.code == 0, answer
    stage.wait_arrivals([event])
    stage.wait_settled(1)
    stage.wait(lambda: stage.database.query("SELECT state, owed FROM notify.events") == [("done", False)])

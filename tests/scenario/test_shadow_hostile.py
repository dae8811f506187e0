"""Shadow mode and what is made to stop it: whatever one message or one row is like, the others are passed on, each once."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import Any

import pika
import pytest
from sandbox import producer, seed
from shadow_side import FORWARD, SHADOW, Queue, celery_queue, own, rows  # noqa: F401

pytestmark = pytest.mark.unbalanced  # its queues are not there: nothing is to be compared


def publish_all(url: str, messages: list[tuple[bytes, pika.BasicProperties]]) -> None:
    """In one go, so that they are under way together; the queue is made with the first."""
    producer.publish_raw(url, "notify", *messages[0])
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    for body, properties in messages[1:]:
        channel.basic_publish("", "notify", body, properties)
    connection.close()


def copies(queue: Queue) -> Counter:
    found: Counter = Counter()
    while True:
        method, properties, _ = queue.channel.basic_get(queue.name, auto_ack=True)
        if not method:
            return found
        found[(properties.headers or {}).get("id") or properties.message_id] += 1


def test_a_life_is_never_made_longer(stage, notifyd, celery_queue):
    """The broker closes the channel of who asks for more than ten years."""
    messages, ids = [], []
    for number in range(41):
        event = stage.event("scan_done")
        body, properties = producer.celery_message(event)
        if number == 20:
            properties.headers["expires"] = "9999-12-31T00:00:00+00:00"
            properties.expiration = "600000"
            poison = event.id
        messages.append((body, properties))
        ids.append(event.id)
    worker = notifyd({**SHADOW, "workers": 1})
    publish_all(stage.broker_url, messages)
    found = celery_queue.take(len(ids))
    assert {properties.headers["id"]: properties.expiration for properties, _ in found if properties.expiration} == {poison: "600000"}
    assert Counter(properties.headers["id"] for properties, _ in found) == Counter(ids)
    time.sleep(0.5)
    assert celery_queue.is_empty() and not worker.events("broker_link_down")


LARGE = "application:set_env(rabbit, max_message_size, 134217728), persistent_term:put(max_message_size, 134217728)"


@pytest.fixture
def small_broker(rabbit: Any) -> Any:
    """Takes only small messages from connections that are made from now on."""
    yield lambda: rabbit.evaluate(LARGE.replace("134217728", "20000"))
    rabbit.evaluate(LARGE)


def one_that_the_broker_refuses(stage: Any, size: int) -> tuple[list[tuple[bytes, pika.BasicProperties]], list[str]]:
    """As the one of number 10 of 21."""
    messages, ids = [], []
    for _ in range(20):
        event = stage.event("scan_done")
        messages.append(producer.celery_message(event))
        ids.append(event.id)
    messages.insert(10, (b"x" * size, pika.BasicProperties(message_id="poison")))
    return messages, ids


def test_a_message_that_the_broker_refuses_is_put_out_of_the_way(stage, notifyd, celery_queue, small_broker):
    """As it closes the channel at it, all that is under way is sent again."""
    messages, ids = one_that_the_broker_refuses(stage, 30_000)
    publish_all(stage.broker_url, messages)
    small_broker()
    worker = notifyd({**SHADOW, "workers": 1, "broker": {"reconnect_max": 1.0}})
    found: Counter = Counter()
    stage.wait(lambda: found.update(copies(celery_queue)) or set(ids) <= set(found), timeout=30, why=found)
    event = stage.publish("scan_done")
    stage.wait(lambda: found.update(copies(celery_queue)) or found[event] == 1, timeout=10)
    said = worker.wait_event("shadow_held", id="poison", timeout=60)
    assert said[0]["level"] == "error" and "closes the connection" in said[0]["advice"]
    found.update(copies(celery_queue))
    assert max(found.values()) <= 4 and found["poison"] == 0, "three times together, then one by one"
    assert worker.counter("publishes_set_aside") >= 3
    assert "notify_messages_not_passed_on 1" in worker.metrics()
    downs = len(worker.events("broker_link_down"))
    more = [stage.publish("scan_done") for _ in range(5)]
    assert {properties.headers["id"] for properties, _ in celery_queue.take(5)} == set(more)
    time.sleep(2)
    assert len(worker.events("broker_link_down")) == downs, "and that was all"
    worker.terminate()
    assert worker.wait() == 0
    assert celery_queue.length("notify") == 1, "nor was it lost"


def test_what_the_broker_refused_is_passed_on_when_it_takes_it(stage, notifyd, celery_queue, small_broker, rabbit):
    messages, ids = one_that_the_broker_refuses(stage, 30_000)
    publish_all(stage.broker_url, messages)
    small_broker()
    worker = notifyd({**SHADOW, "workers": 1, "held_max": 10, "broker": {"reconnect_max": 1.0}})
    stage.wait(lambda: worker.events("shadow_held"), timeout=60)
    found = copies(celery_queue)
    event = stage.publish("scan_done")
    worker.wait_event("publish_set_aside", count=4, timeout=60)  # handed back, and tried again: alone from the first
    rabbit.evaluate(LARGE)
    stage.wait(lambda: found.update(copies(celery_queue)) or found["poison"] == 1, timeout=60)
    assert set(found) == {*ids, "poison", event} and found[event] == 1 and max(found.values()) <= 4


def test_a_right_that_is_missing_sets_nothing_aside_for_good(stage, notifyd, celery_queue, rabbit, vhost):
    """The broker closes the channel at every message: none of them is to blame, and all go when it has the right."""
    may = lambda write: (f'rabbit_auth_backend_internal:set_permissions(<<"weak">>, <<"{vhost}">>, <<".*">>, <<"{write}">>, <<".*">>,'  # noqa: E731
                         ' <<"test">>)')
    rabbit.evaluate('rabbit_auth_backend_internal:add_user(<<"weak">>, <<"pw">>, <<"test">>), ' + may("^(notify|celery).*"))
    url = pika.URLParameters(stage.broker_url)
    messages = [producer.celery_message(stage.event("scan_done")) for _ in range(3)]
    publish_all(stage.broker_url, messages)
    worker = notifyd({**SHADOW, "workers": 1, "broker": {"url": f"amqp://weak:pw@{url.host}:{url.port}/{vhost}", "reconnect_max": 1.0}})
    worker.wait_event("publish_set_aside", count=8, timeout=60)
    assert celery_queue.is_empty() and not worker.events("shadow_held") and worker.counter("messages_settled") == 0
    rabbit.evaluate(may(".*"))
    found = celery_queue.take(3, timeout=60)
    assert {properties.headers["id"] for properties, _ in found} == {properties.headers["id"] for _, properties in messages}
    time.sleep(1)
    assert celery_queue.is_empty() and not worker.events("shadow_held") and celery_queue.length("notify") == 0


# --- the database

def test_an_event_whose_look_up_the_database_refuses_is_passed_on(stage, notifyd, celery_queue):
    stage.database.execute("ALTER TABLE public.scans ALTER COLUMN score TYPE text USING score::text")
    stage.database.execute("UPDATE public.scans SET score = 'abc'")
    worker = notifyd({**SHADOW, "workers": 1, "retry": {"not_found": [0.2]}})
    event = stage.publish("scan_done")
    assert celery_queue.take()[0][0].headers["id"] == event
    assert worker.wait_event("lookup_refused")[0]["id"] == event
    assert own(stage, event)["verdict"] == "not_found"
    assert not worker.events("child_ended")


@pytest.mark.parametrize("point", ["look_up", "render"])
def test_an_event_that_kills_workers_while_it_is_judged_is_passed_on_unjudged(stage, notifyd, celery_queue, point):
    stage.webhook()
    event = stage.event("scan_done")
    worker = notifyd({**SHADOW, "workers": 1}, env={"NOTIFY_FAULT": f"{point}=1/{event.id}"})
    worker.expected_exit = None
    producer.publish_event(stage.broker_url, event)
    assert celery_queue.take(timeout=60)[0][0].headers["id"] == event.id
    assert own(stage, event.id)["reason"] == "killed_worker"
    assert len(worker.events("child_ended")) == 3


def test_what_the_database_does_not_take_is_passed_on_and_not_counted_as_judged(stage, notifyd, celery_queue):
    stage.database.execute("ALTER TABLE notify.shadow ADD CHECK (event_type <> 'scan_failed')")
    worker = notifyd({**SHADOW, "workers": 1})
    stage.publish("scan_failed")
    celery_queue.take()
    worker.wait_event("shadow_row_refused")
    stage.publish("scan_done")
    celery_queue.take()
    stage.wait(lambda: worker.counter("messages_forwarded") == 2)
    assert worker.counter("events_shadowed") == 1


def insert_scan(stage: Any, scan: str) -> None:
    stage.database.execute("INSERT INTO scans SELECT (jsonb_populate_record(s, jsonb_build_object('id', %s::text))).* FROM scans s WHERE s.id = %s",
                           (scan, stage.scan.id))


def test_an_event_that_is_looked_for_again_is_counted_once(stage, notifyd, celery_queue):
    worker = notifyd({**SHADOW, "workers": 1, "retry": {"not_found": [0.2, 0.2, 0.2]}})
    event = stage.publish("scan_done", scan_id=str(uuid.uuid4()))
    celery_queue.take()
    time.sleep(2)
    assert own(stage, event)["verdict"] == "not_found" and worker.counter("events_shadowed") == 1


def test_no_more_than_the_prefetch_is_looked_for_again(stage, notifyd, celery_queue):
    """What is passed on is out of the prefetch: nothing else would bound it."""
    notifyd({**SHADOW, "workers": 1, "broker": {"prefetch": 4}, "retry": {"not_found": [4.0]}})
    scans = [str(uuid.uuid4()) for _ in range(7)]
    events = [stage.publish("scan_done", scan_id=scan) for scan in scans]
    celery_queue.take(7)
    for scan in scans:
        insert_scan(stage, scan)
    verdicts = lambda: Counter(own(stage, event)["verdict"] for event in events)  # noqa: E731
    stage.wait(lambda: verdicts()["filtered"] + verdicts()["matched"] >= 4, timeout=15)
    time.sleep(1)
    assert verdicts()["not_found"] == 3


def test_the_task_of_a_scan_is_passed_on_before_its_findings_are_judged(stage, notifyd, celery_queue):
    """There may be a hundred thousand, and the worker that delivers waits."""
    seed.add_findings(stage.connection, stage.scan, ["low"] * 4000)
    worker = notifyd({**SHADOW, "workers": 1})
    task = producer.celery_app(stage.broker_url).notify_scan_findings.delay(stage.scan.id)
    celery_queue.take()
    assert own(stage, task.id)["verdict"] == "expanded"
    assert len(rows(stage)) < 4000
    stage.wait(lambda: len(rows(stage)) >= 4000, timeout=60)
    assert worker.counter("messages_settled") == 1


def test_a_worker_that_ends_does_not_wait_for_what_is_judged_afterwards(stage, notifyd, celery_queue):
    seed.add_findings(stage.connection, stage.scan, ["low"] * 4000)
    worker = notifyd({**SHADOW, "workers": 1})
    producer.celery_app(stage.broker_url).notify_scan_findings.delay(stage.scan.id)
    celery_queue.take()
    worker.terminate()
    assert worker.wait() == 0
    assert celery_queue.is_empty() and celery_queue.length("notify") == 0


# --- the broker's returns

@pytest.mark.parametrize("correlation", ["1abc", "1", None])
def test_a_message_whose_properties_fill_a_frame_is_not_taken_for_another_when_it_comes_back(stage, notifyd, correlation):
    """Its correlation id is its producer's, and may look like one of our numbers."""
    filling = pika.BasicProperties(headers={"a": "y" * 130_970}, message_id="full", correlation_id=correlation)
    publish_all(stage.broker_url, [producer.celery_message(stage.event("scan_done")), (b"z", filling),
                                   producer.celery_message(stage.event("scan_done"))])
    worker = notifyd({**SHADOW, "workers": 1})
    worker.wait_event("publish_returned", key=FORWARD)
    time.sleep(3)
    assert worker.counter("messages_settled") == 0
    queue = Queue(stage.broker_url).make()
    assert sum(properties.message_id == "full" for properties, _ in queue.take(3)) == 1
    time.sleep(1.5)
    assert queue.is_empty() and queue.length("notify") == 0


# --- large messages

def test_a_large_message_is_passed_on_without_being_judged(stage, notifyd, celery_queue):
    notifyd({**SHADOW, "workers": 1, "limits": {"message_bytes": 65536}})
    body = bytes(range(256)) * 20_000
    producer.publish_raw(stage.broker_url, "notify", body, pika.BasicProperties(message_id="large", content_type="application/json"))
    (properties, passed), = celery_queue.take()
    assert passed == body and properties.message_id == "large"
    row, = rows(stage)
    assert (row["verdict"], row["reason"]) == ("rejected", "too_large")
    stage.wait(lambda: celery_queue.length("notify") == 0)


def test_large_messages_that_do_not_fit_together_are_passed_on_one_after_the_other(stage, notifyd, celery_queue):
    """What is held for them is bounded, and they do not keep others waiting."""
    worker = notifyd({**SHADOW, "workers": 1, "limits": {"message_bytes": 65536}, "shadow": {"message_bytes": 1_500_000}})
    sizes = [1_000_000 + number for number in range(12)]
    publish_all(stage.broker_url, [(b"x" * size, pika.BasicProperties(message_id=f"m{size}")) for size in sizes])
    event = stage.publish("scan_done")
    found = celery_queue.take(13)
    assert sorted(len(body) for _, body in found if len(body) >= 1_000_000) == sizes
    assert any((properties.headers or {}).get("id") == event for properties, _ in found)
    stage.wait(lambda: celery_queue.length("notify") == 0)
    assert "notify_messages_not_passed_on 0" in worker.metrics() and not worker.events("shadow_held")
    assert worker.counter("messages_settled") == 13


def in_hand(worker: Any) -> str:
    return next(line for line in worker.metrics().splitlines() if line.startswith("notify_messages_in_hand")).split()[1]


def test_what_cannot_be_passed_on_is_forgotten_when_its_connection_is_lost(stage, notifyd, rabbit):
    Queue(stage.broker_url).make()
    worker = notifyd({**SHADOW, "workers": 1, "limits": {"message_bytes": 65536}, "shadow": {"message_bytes": 0}})
    producer.publish_raw(stage.broker_url, "notify", b"x" * 70_000, pika.BasicProperties(message_id="large"))
    worker.wait_event("shadow_held", id="large")
    assert "notify_messages_not_passed_on 1" in worker.metrics()
    for count in (2, 3, 4):
        rabbit.close_connections()
        worker.wait_event("shadow_held", id="large", count=count)
    stage.wait(lambda: in_hand(worker) == "1", timeout=15)
    assert "notify_messages_not_passed_on 1" in worker.metrics()


def test_what_cannot_be_passed_on_is_handed_back_in_time(stage, notifyd, celery_queue):
    """The broker closes the channel of who holds a message for half an hour."""
    worker = notifyd({**SHADOW, "workers": 1, "held_max": 10, "limits": {"message_bytes": 65536}, "shadow": {"message_bytes": 0}})
    producer.publish_raw(stage.broker_url, "notify", b"x" * 70_000, pika.BasicProperties(message_id="large"))
    worker.wait_event("shadow_held", id="large", count=2, timeout=40)
    assert worker.counter("messages_requeued") >= 1

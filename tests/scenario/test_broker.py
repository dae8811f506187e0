"""What we declare at the broker, and how we live with one that blocks, forgets, falls silent or goes away."""

from __future__ import annotations

import json
import time
from collections import Counter

import pika
import pytest
from sandbox import bulk, producer
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import dead_letters

LEVELS = 17


@pytest.fixture(scope="module")
def rabbit(server_folder):
    """A node that only this module freezes and puts into alarm."""
    server = RabbitServer(server_folder / "rabbit-broker")
    try:
        yield server.start()
    finally:
        server.remove()


def key_of(seconds: int) -> str:
    return ".".join(f"{seconds:0{LEVELS}b}")


def channel_to(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    return connection, connection.channel()


# --- topology

@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_everything_is_declared_as_the_architecture_says(stage, notifyd, rabbit, vhost, kind):
    notifyd({"broker": {"queue_type": kind}})
    made = rabbit.definitions(vhost)
    type_ = {"x-queue-type": "quorum"} if kind == "quorum" else {}
    safe = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"} if kind == "quorum" else {}
    queues = {"notify": {}, **{f"notify.{name}": type_ for name in ("due", "urgent", "bulk", "dead")}}
    exchanges = {"notify": "direct", "notify.dead": "fanout", "notify.delay.out": "fanout"}
    bindings = {("notify", "queue", "notify", "notify"), ("notify.dead", "queue", "notify.dead", ""),
                ("notify.delay.out", "queue", "notify.due", "")}
    for level in range(LEVELS):
        name, below = f"notify.delay.{level}", f"notify.delay.{level - 1}" if level else "notify.delay.out"
        queues[name] = {"x-message-ttl": 2**level * 1000, "x-dead-letter-exchange": below, **type_, **safe}
        exchanges[name] = "topic"
        stars, rest = "*." * (LEVELS - 1 - level), ".#" if level else ""
        bindings |= {(name, "queue", name, f"{stars}1{rest}"), (name, "exchange", below, f"{stars}0{rest}")}
    assert {q["name"]: q["arguments"] for q in made["queues"]} == queues and all(q["durable"] for q in made["queues"])
    assert {x["name"]: x["type"] for x in made["exchanges"]} == exchanges
    assert all(x["durable"] and not x["auto_delete"] for x in made["exchanges"])
    found = {(b["source"], b["kind"], b["destination"], b["key"]) for b in made["bindings"] if b["source"]}
    assert found == bindings


def test_messages_leave_the_ladder_on_time_and_do_not_block_each_other(stage, notifyd):
    """Our own messages, put onto the ladder by hand: the longest first, at the level of its highest bit or at the top."""
    stage.webhook(secret=None)
    notifyd()
    connection, channel = channel_to(stage.broker_url)
    channel.confirm_delivery()
    sent = {}
    for delay in (6, 5, 3, 2, 1):
        for level in {delay.bit_length() - 1, LEVELS - 1}:
            event_id = f"after-{delay}-from-{level}"
            body = {"scan_id": stage.scan.id, "event_type": "scan_done"}
            properties = pika.BasicProperties(content_type="application/json", message_id=event_id, delivery_mode=2,
                                              headers={"x-notify-attempt": 1})
            sent[event_id] = (time.monotonic(), delay)
            channel.basic_publish(f"notify.delay.{level}", key_of(delay), json.dumps(body).encode(), properties, mandatory=True)
    connection.close()
    late = {}
    for request in stage.receiver.wait_for(len(sent), "/hook", 10):
        event_id = json.loads(request.body)["id"]
        late[event_id] = request.at - sent[event_id][0] - sent[event_id][1]
    print("late by:", {event_id: f"{seconds:.3f}" for event_id, seconds in sorted(late.items())})
    assert late.keys() == sent.keys() and all(-0.01 <= seconds <= 0.3 for seconds in late.values())


def test_a_failed_delivery_waits_on_the_ladder_and_comes_again_under_the_same_webhook_id(stage, notifyd):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=503, body=b"not now"), Answer())
    notifyd({"retry": {"base": 3.0, "jitter": 0.0}})
    event_id = stage.publish()
    row = stage.wait(lambda: [d for d in stage.deliveries(event_id) if d["state"] == "waiting"])[0]
    assert (row["attempt"], row["error"], row["status"], row["owner"] is None) == (1, "http_status", 503, False)
    due = stage.database.query("SELECT extract(epoch FROM due_at - updated_at)::float FROM notify.deliveries")[0][0]
    assert due == pytest.approx(3.0, abs=0.01)
    first, second = stage.receiver.wait_for(2, "/hook")
    assert 2.9 <= second.at - first.at <= 3.4
    assert first.header["webhook-id"] == second.header["webhook-id"] and first.body != b""
    row = stage.wait(lambda: [d for d in stage.deliveries(event_id) if d["state"] == "delivered"])[0]
    assert (row["attempt"], row["error"], row["status"], row["due_at"]) == (2, None, 200, None)
    time.sleep(0.5)
    assert stage.receiver.count("/hook") == 2


def test_retries_with_different_delays_come_back_in_the_order_of_their_delays(stage, notifyd):
    """Retry-After makes the delays: the longest is published first."""
    wanted = (6, 4, 3, 2)
    for seconds in wanted:
        stage.webhook(f"/hook-{seconds}", name=f"hook {seconds}", secret=None)
        stage.receiver.script(f"/hook-{seconds}", Answer(status=429, headers=(("Retry-After", str(seconds)),)), Answer())
    notifyd({"retry": {"base": 0.1, "jitter": 0.0}})
    stage.publish()
    pauses = {}
    for seconds in wanted:
        first, second = stage.receiver.wait_for(2, f"/hook-{seconds}", 10)
        pauses[seconds] = second.at - first.at
    print("pauses:", {seconds: f"{pause:.3f}" for seconds, pause in pauses.items()})
    assert all(0 <= pause - seconds <= 0.4 for seconds, pause in pauses.items())


def test_a_producers_queue_with_other_arguments_is_used_as_it_is(stage, notifyd, rabbit, vhost):
    connection, channel = channel_to(stage.broker_url)
    channel.queue_declare("notify", durable=True, arguments={"x-max-priority": 5})
    stage.webhook(secret=None)
    one = notifyd()
    body, properties = producer.celery_message(stage.event())
    channel.basic_publish("", "notify", body, properties)
    stage.receiver.wait_for(1, "/hook")
    connection.close()
    assert {q["name"]: q["arguments"] for q in rabbit.definitions(vhost)["queues"]}["notify"] == {"x-max-priority": 5}
    assert not one.events("broker_link_down")


@pytest.mark.parametrize("first", ["producer", "notifyd"])
def test_producer_and_notifyd_may_declare_the_queue_in_either_order(stage, notifyd, first):
    stage.webhook(secret=None)
    if first == "notifyd":
        notifyd()
    app = producer.celery_app(stage.broker_url)
    sent = app.notify_event.delay(stage.scan.id, "scan_done")
    if first == "producer":
        notifyd()
    stage.wait_arrivals([sent.id])


def test_own_queues_with_other_arguments_are_used_as_they_are(stage, notifyd):
    """An operator changed broker.queue_type of a running installation."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    connection, channel = channel_to(stage.broker_url)
    channel.queue_declare("notify.due", durable=True, arguments={"x-max-length": 100000})
    connection.close()
    one = notifyd()
    assert one.wait_event("queue_differs", queue="notify.due")
    stage.publish()
    stage.receiver.wait_for(2, "/hook")


# --- things that vanish

@pytest.mark.parametrize("queue", ["notify", "notify.due"])
def test_a_queue_that_is_deleted_under_its_consumers_is_declared_again(stage, notifyd, rabbit, vhost, queue):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    one = notifyd()
    connection, channel = channel_to(stage.broker_url)
    channel.queue_delete(queue)
    connection.close()
    one.wait_event("broker_link_down", count=2, reason="the broker cancelled a consumer")
    wait_until(lambda: sum(c["queue"] == queue for c in rabbit.list_consumers(vhost)) == 2, 5, "both consume again")
    event_id = stage.publish()
    stage.receiver.wait_for(2, "/hook")
    stage.wait(lambda: stage.deliveries(event_id)[0]["state"] == "delivered")


def test_a_dead_letter_queue_that_is_deleted_is_declared_again_when_it_is_needed(stage, notifyd, rabbit, vhost):
    one = notifyd()
    connection, channel = channel_to(stage.broker_url)
    channel.queue_delete("notify.dead")
    connection.close()
    stage.plain({"event_type": "nonsense"}, "wrong")
    one.wait_event("publish_returned")
    wait_until(lambda: rabbit.depth("notify.dead", vhost) == 1, 10, "the dead letter is there")
    assert len(one.events("publish_returned")) == 1 and not one.events("broker_link_down")


def test_a_delay_exchange_that_is_deleted_is_declared_again_when_it_is_needed(stage, notifyd):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    connection, channel = channel_to(stage.broker_url)
    channel.exchange_delete("notify.delay.0")
    connection.close()
    stage.publish()
    stage.receiver.wait_for(2, "/hook")


def test_a_message_that_nothing_takes_is_tried_again_with_pauses(stage, notifyd, rabbit, vhost):
    """The broker returns it each time: a limit that somebody's policy sets on the queue of dead letters."""
    one = notifyd()
    rabbit.ctl("set_policy", "-p", vhost, "full", "^notify.dead$", '{"max-length": 0, "overflow": "reject-publish"}',
               "--apply-to", "queues")
    stage.plain({"event_type": "nonsense"}, "wrong")
    one.wait_event("publish_refused")
    time.sleep(3)
    tried = len(one.events("publish_refused"))
    print(f"tried {tried} times in 3 s")
    assert 2 <= tried <= 6 and not one.events("broker_link_down")
    rabbit.ctl("clear_policy", "-p", vhost, "full")
    dead_letters(stage.broker_url, 1)


# --- a broker that blocks or says nothing

def test_while_the_broker_blocks_publishers_deliveries_and_acknowledgements_go_on(stage, notifyd, rabbit, vhost):
    stage.webhook("/good", secret=None, name="good")
    stage.webhook("/bad", secret=None, name="bad", events=["scan_failed"])
    one = notifyd({"workers": 1})
    stage.receiver.script("/bad", *[Answer(status=503, delay=1.0)] * 11, Answer())
    good = [stage.event("scan_done") for _ in range(100)]
    bad = [stage.event("scan_failed", error="x") for _ in range(11)]
    connection, channel = channel_to(stage.broker_url)  # made before the alarm; a publish under it would not be taken
    producer.declare(channel)
    stage.receiver.script("/good", Answer(delay=0.5))
    for e in (*bad, *good):
        body, properties = producer.celery_message(e)
        channel.basic_publish("", "notify", body, properties)
    stage.receiver.wait_for(1, "/good")
    rabbit.alarm(True)
    try:
        stage.receiver.script("/good")
        one.wait_event("broker_blocks_publishing", timeout=10)
        stage.wait_arrivals([e.id for e in (*good, *bad)], path="/good")
        stage.wait(lambda: Counter(d["state"] for d in stage.deliveries())["delivered"] == 111, 15)
        # All that is not waiting for a publish is acknowledged.
        state = wait_until(lambda: [q for q in rabbit.list_queues(vhost) if q["name"] == "notify" and q["messages"] == 11],
                           10, "only what has a follow-up is unacknowledged")
        assert state[0]["messages_unacknowledged"] == 11
        time.sleep(2.5)
        assert stage.receiver.count("/bad") == 11, "no retry can have gone round"
        assert Counter(d["state"] for d in stage.deliveries())["waiting"] == 11
    finally:
        rabbit.alarm(False)
    one.wait_event("broker_takes_publishing")
    connection.close()
    stage.receiver.wait_for(22, "/bad")
    stage.wait_settled(122)
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 5, "everything is acknowledged")
    assert not one.events("broker_link_down") and stage.receiver.count("/good") == 111


def test_a_publish_after_a_long_silence_goes_out(stage, notifyd):
    """With nothing to publish the connection hears heartbeats only, and they must count as a sign of life."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    one = notifyd({"broker": {"heartbeat": 2}})
    time.sleep(5)
    stage.publish()
    first, second = stage.receiver.wait_for(2, "/hook", 5)
    assert second.at - first.at < 2.5 and not one.events("broker_link_down")


def test_a_silent_broker_is_noticed_within_two_heartbeats_and_found_again(stage, notifyd, rabbit):
    stage.webhook(secret=None)
    one = notifyd({"broker": {"heartbeat": 2, "reconnect_max": 1.0}})
    pids = one.workers()
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(3000)), rate=300)
    publisher.start()
    stage.receiver.wait_for(150, "/hook")
    frozen = time.monotonic()
    rabbit.freeze()
    try:
        one.wait_event("broker_link_down", count=4, timeout=10)
        noticed = time.monotonic() - frozen
        time.sleep(1)
    finally:
        rabbit.thaw()
    publisher.stop()
    confirmed = publisher.finish()
    up = len(one.events("broker_link_up"))
    print(f"noticed after {noticed:.2f} s; {len(confirmed)} confirmed, {up - 4} links made anew")
    assert noticed < 2 * 2 + 1.5
    seen = stage.wait_arrivals(confirmed)
    repeated = sum(seen.values()) - len(seen)
    print(f"{repeated} repeated")
    assert one.workers() == pids and repeated == 0
    assert all("heartbeat" in e["reason"].lower() for e in one.events("broker_link_down")[:4])


def test_a_broker_that_closes_the_connections_is_dialled_again(stage, notifyd, rabbit):
    stage.webhook(secret=None)
    one = notifyd()
    rabbit.close_connections("maintenance")
    one.wait_event("broker_link_down", count=4)
    assert all("maintenance" in e["reason"] for e in one.events("broker_link_down"))
    one.wait_event("broker_link_up", count=8)
    stage.wait_arrivals([stage.publish()])

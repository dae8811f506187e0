"""What we declare at the broker, and how we live with one that forgets it, refuses it or closes our connections."""

from __future__ import annotations

import json
import re
import struct
import time

import pika
import pytest
from amqp_proxy import METHOD, AmqpProxy
from hostile import Silent
from names import NameServer
from sandbox import producer
from sandbox.processes import wait_until
from sandbox.receiver import Answer

LEVELS = 17
LINKS = 3  # of one worker two, and the sweep's
ALONE = {"workers": 1, "celery": {"presence": False}}  # which has a link of its own


def key_of(seconds: int) -> str:
    return ".".join(f"{seconds:0{LEVELS}b}")


def channel_to(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    return connection, connection.channel()


# --- topology

@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_everything_is_declared_as_the_architecture_says(stage, notifyd, rabbit, vhost, kind):
    notifyd({"broker": {"queue_type": kind}, "celery": {"presence": False}})  # what that declares: test_presence.py
    made = rabbit.definitions(vhost)
    type_ = {"x-queue-type": "quorum"} if kind == "quorum" else {}
    safe = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"} if kind == "quorum" else {}
    queues = {"notify": {}, **{f"notify.{name}": type_ for name in ("due", "urgent", "bulk", "wake", "dead")}}
    exchanges = {"notify": "direct", "notify.dead": "fanout", "notify.delay.out": "fanout", "notify.urgent": "fanout",
                 "notify.bulk": "fanout", "notify.wake": "fanout"}
    bindings = {("notify", "queue", "notify", "notify"), ("notify.dead", "queue", "notify.dead", ""),
                ("notify.delay.out", "queue", "notify.due", ""), ("notify.urgent", "queue", "notify.urgent", ""),
                ("notify.bulk", "queue", "notify.bulk", ""), ("notify.wake", "queue", "notify.wake", "")}
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


@pytest.mark.alone
def test_messages_leave_the_ladder_on_time_and_do_not_block_each_other(stage, notifyd):
    """Our own messages, put onto the ladder by hand: the longest first, at the level of its highest bit or at the top."""
    stage.webhook(secret=None)
    notifyd()
    connection, channel = channel_to(stage.broker_url)
    channel.confirm_delivery()
    sent = {}
    for delay in (3, 2, 1):
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


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_failed_delivery_waits_on_the_ladder_and_comes_again_under_the_same_webhook_id(stage, notifyd, kind):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=503, body=b"not now"), Answer())
    notifyd({"broker": {"queue_type": kind}, "retry": {"base": 2.0, "jitter": 0.0}})
    event_id = stage.publish()
    row = stage.wait(lambda: [d for d in stage.deliveries(event_id) if d["state"] == "waiting"])[0]
    assert (row["attempt"], row["error"], row["status"], row["owner"] is None) == (1, "http_status", 503, False)
    due = stage.database.query("SELECT extract(epoch FROM due_at - updated_at)::float FROM notify.deliveries")[0][0]
    assert due == pytest.approx(2.0, abs=0.01)
    first, second = stage.receiver.wait_for(2, "/hook")
    assert 1.9 <= second.at - first.at <= 2.4
    assert first.header["webhook-id"] == second.header["webhook-id"] and first.body != b""
    row = stage.wait(lambda: [d for d in stage.deliveries(event_id) if d["state"] == "delivered"])[0]
    assert (row["attempt"], row["error"], row["status"], row["due_at"]) == (2, None, 200, None)
    time.sleep(0.5)
    assert stage.receiver.count("/hook") == 2


@pytest.mark.alone
def test_retries_with_different_delays_come_back_in_the_order_of_their_delays(stage, notifyd):
    """Retry-After makes the delays: the longest is published first."""
    wanted = (3, 2)
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


@pytest.mark.alone
def test_a_worker_consumes_soon_though_the_way_to_the_broker_is_long(stage, notifyd, rabbit):
    """30 ms each way: everything is declared while a worker's other work stands still."""
    stage.webhook(secret=None)
    with AmqpProxy(rabbit.port, delay=0.03) as proxy:
        started = time.monotonic()
        one = notifyd({**ALONE, "broker": {"url": proxy.url(stage.broker_url)}})
        took = time.monotonic() - started
        print(f"consuming after {took:.2f} s, waits for an answer: {[link.turns for link in proxy.links]}")
        assert took < 1.5 and len(proxy.links) == LINKS
        assert all(link.turns <= 8 for link in proxy.links), "of those, login alone takes 4"
        stage.wait_arrivals([stage.publish()])
        assert not one.events("broker_link_down")


def test_a_queue_with_other_arguments_costs_a_long_declaration_only_once(stage, notifyd, rabbit):
    stage.webhook(secret=None)
    connection, channel = channel_to(stage.broker_url)
    channel.queue_declare("notify.urgent", durable=True, arguments={"x-max-length": 100000})
    with AmqpProxy(rabbit.port) as proxy:
        one = notifyd({**ALONE, "broker": {"url": proxy.url(stage.broker_url)}})
        one.wait_event("queue_differs", count=LINKS)  # each link says it once
        first = [link.turns for link in proxy.links]
        rabbit.close_connections("to see them come back")
        one.wait_event("worker_ready", count=2)
        stage.wait(lambda: len(proxy.links) == 2 * LINKS and all(link.turns >= 6 for link in proxy.links))
        again = [link.turns for link in proxy.links[LINKS:]]
        print(f"waits for an answer: {first}, later {again}")
        assert all(turns > 80 for turns in first) and all(turns <= 8 for turns in again)
        assert len(one.events("queue_differs")) == LINKS
        # Gone, it is made as configured.
        connection, channel = channel_to(stage.broker_url)
        channel.queue_delete("notify.urgent")
        one.wait_event("worker_ready", count=3)
        channel.queue_declare("notify.urgent", durable=True)
        connection.close()


def test_a_declaration_that_is_refused_is_named(stage, notifyd, rabbit, vhost):
    """The broker's user may do everything but make one of the exchanges."""
    rabbit.evaluate(f'rabbit_auth_backend_internal:add_user(<<"limited">>, <<"limited">>, <<"test">>), '
                    f'rabbit_auth_backend_internal:set_permissions(<<"limited">>, <<"{vhost}">>, '
                    f'<<"^(?!notify.delay.7$).*">>, <<".*">>, <<".*">>, <<"test">>)')
    try:
        one = notifyd({"broker": {"url": re.sub("//.*@", "//limited:limited@", stage.broker_url)}}, ready=False)
        refused = one.wait_event("declaration_refused")[0]
        assert (refused["name"], refused["code"]) == ("notify.delay.7", "403")
        assert "what is needed could not be declared" in one.wait_event("broker_link_down")[0]["reason"]
    finally:
        rabbit.evaluate('rabbit_auth_backend_internal:delete_user(<<"limited">>, <<"test">>)')


# --- things that vanish

def test_queues_that_are_deleted_under_their_consumers_are_declared_again(stage, notifyd, rabbit, vhost):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    one = notifyd()
    connection, channel = channel_to(stage.broker_url)
    for downs, queue in ((2, "notify"), (4, "notify.due")):
        channel.queue_delete(queue)
        one.wait_event("broker_link_down", count=downs, reason="the broker cancelled a consumer")
        wait_until(lambda: sum(c["queue"] == queue for c in rabbit.list_consumers(vhost)) == 2, 5, "both consume again")
    connection.close()
    event_id = stage.publish()
    stage.receiver.wait_for(2, "/hook")
    stage.wait(lambda: stage.deliveries(event_id)[0]["state"] == "delivered")


def test_a_delay_exchange_that_is_deleted_is_declared_again_when_it_is_needed(stage, notifyd):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    connection, channel = channel_to(stage.broker_url)
    channel.exchange_delete("notify.delay.0")
    connection.close()
    stage.publish()
    stage.receiver.wait_for(2, "/hook")


def test_a_message_that_the_broker_refuses_or_cannot_route_is_tried_again_with_pauses(stage, notifyd, rabbit, vhost):
    """First the queue of dead letters is full for ever, then it is gone: then it is declared again."""
    connection, channel = channel_to(stage.broker_url)
    channel.queue_declare("notify.dead", durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    one = notifyd()
    stage.plain({"event_type": "nonsense"}, "wrong")
    one.wait_event("publish_refused")
    time.sleep(1.8)
    tried = one.counter("publishes_returned")
    print(f"tried {tried} times in 1.8 s")
    assert 2 <= tried <= 3
    channel.queue_delete("notify.dead")
    connection.close()
    one.wait_event("publish_returned")
    wait_until(lambda: rabbit.depth("notify.dead", vhost) == 1, 10, "the dead letter is there")
    assert len(one.events("publish_returned")) == 1 and not one.events("broker_link_down")


def test_of_two_retries_of_one_event_the_one_that_came_back_is_published_again(stage, notifyd, rabbit):
    """Both have the same id, exchange and key; the broker gets the second one with a key that leads nowhere."""
    for path in ("/one", "/two"):
        stage.webhook(path, secret=None, name=path)
        stage.receiver.script(path, Answer(status=503), Answer())
    published, key, nowhere = [], key_of(1).encode(), key_of(1).replace("0", "x").replace("1", "x").encode()

    def mislead(_, to_server: bool, frame: bytes) -> bytes:
        kind = frame[0] == METHOD and struct.unpack_from(">HH", frame, 7)
        if to_server and kind == (60, 40) and key in frame:
            published.append(frame)
            return frame.replace(key, nowhere) if len(published) == 2 else frame
        return frame.replace(nowhere, key) if kind == (60, 50) else frame

    # The way is long enough for both to be under way together.
    with AmqpProxy(rabbit.port, delay=0.1, change=mislead) as proxy:
        one = notifyd({"workers": 1, "broker": {"url": proxy.url(stage.broker_url)}, "retry": {"base": 1.0, "jitter": 0.0}})
        event_id = stage.publish()
        stage.wait(lambda: [d["state"] for d in stage.deliveries(event_id)] == ["delivered"] * 2, 10)
        assert len(one.events("publish_returned")) == 1 and len(published) == 3
        assert not one.events("broker_link_down")


# --- connections

def test_a_broker_of_several_addresses_is_reached_though_the_first_are_silent(stage, notifyd, rabbit, tmp_path):
    stage.webhook(secret=None)
    url = stage.broker_url.replace("@127.0.0.1:", "@broker.test:")
    with NameServer({"broker.test": ["127.0.0.2", "127.0.0.3", "127.0.0.1"]}) as names, \
            Silent("127.0.0.2", rabbit.port), Silent("127.0.0.3", rabbit.port):
        started = time.monotonic()
        one = notifyd({"broker": {"url": url}}, wrapper=names.wrapper(tmp_path / "names"))
        print(f"consuming after {time.monotonic() - started:.1f} s")
        stage.wait_arrivals([stage.publish()])
        assert not one.events("broker_link_down")


@pytest.mark.alone
def test_a_publish_after_a_long_silence_goes_out(stage, notifyd):
    """With nothing to publish the connection hears heartbeats only, and they must count as a sign of life."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    one = notifyd({"broker": {"heartbeat": 2}})
    time.sleep(3.5)
    stage.publish()
    first, second = stage.receiver.wait_for(2, "/hook", 5)
    assert second.at - first.at < 2.5 and not one.events("broker_link_down")


def test_a_broker_that_closes_the_connections_is_dialled_again(stage, notifyd, rabbit):
    stage.webhook(secret=None)
    one = notifyd()
    rabbit.close_connections("maintenance")
    one.wait_event("broker_link_down", count=4)
    assert all("maintenance" in e["reason"] for e in one.events("broker_link_down"))
    one.wait_event("broker_link_up", count=8)
    stage.wait_arrivals([stage.publish()])

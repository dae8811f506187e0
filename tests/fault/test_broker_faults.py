"""A broker that deletes, refuses, returns and times out: nothing confirmed is lost, and nothing goes round and round."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import Any, Iterator

import figures
import pika
import pytest
from ctl import on_stage
from sandbox import bulk, producer, seed
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import HELD, dead_letters
from test_growth import anonymous_kib

pytestmark = pytest.mark.usefixtures("counted")

FRAME_MAX = 131072  # RabbitMQ's default, which notifyd asks for
QUICK = {"retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0}, "sweep": {"grace": 1.0}, **HELD}


@contextmanager
def channel_to(url: str) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def publish_raw(url: str, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
    with channel_to(url) as channel:
        producer.declare(channel, queue)
        channel.confirm_delivery()
        channel.basic_publish("", queue, body, properties, mandatory=True)


@pytest.fixture(scope="module")
def postgres(server_folder: Any) -> Iterator[PostgresServer]:
    """To be frozen."""
    server = PostgresServer(server_folder / "postgres-broker-faults", fsync=False)
    try:
        yield server.start()
    finally:
        server.remove()


# --- sizes

def frame_size(body: bytes, properties: pika.BasicProperties) -> int:
    """Bytes of the frame that holds PROPERTIES, with its envelope."""
    return len(pika.frame.Header(1, len(body), properties).marshal())


def with_headers_of(stage: Any, size: int) -> tuple[str, bytes, pika.BasicProperties]:
    """An event whose header frame has SIZE bytes."""
    event = stage.event("scan_done")
    body, properties = producer.celery_message(event)
    properties.headers["padding"] = ""
    properties.headers["padding"] = "p" * (size - frame_size(body, properties))
    assert frame_size(body, properties) == size
    return event.id, body, properties


@pytest.mark.parametrize("size", [FRAME_MAX - 1, FRAME_MAX, FRAME_MAX + 1, FRAME_MAX + 8])
def test_headers_that_fill_a_frame_stop_nobody(stage, notifyd, size):
    """RabbitMQ takes frames that are eight bytes larger than agreed, and passes them on."""
    stage.webhook(secret=None)
    event, body, properties = with_headers_of(stage, size)
    publish_raw(stage.broker_url, "notify", body, properties)
    behind = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(20)))
    one = notifyd({"workers": 1, "broker": {"prefetch": 4}})
    assert set(stage.wait_arrivals([event, *behind], 10).values()) == {1}
    stage.wait_settled(21)
    assert not one.events("broker_link_down")


def test_headers_too_many_or_too_long_are_named_and_not_overlooked(stage, notifyd):
    """What stands behind those that are kept could be the time before which nothing may be sent."""
    stage.webhook(secret=None)
    later = "2100-01-01T00:00:00+00:00"
    bad, good = {}, []
    for count in (256, 257, 20_000):
        event = stage.event("scan_done")
        body, properties = producer.celery_message(event)
        eta = properties.headers.pop("eta")
        fillers = count - len(properties.headers) - 1
        properties.headers.update({f"{number:x}": None for number in range(fillers)})
        properties.headers["eta"] = eta if count == 256 else later
        assert len(properties.headers) == count
        publish_raw(stage.broker_url, "notify", body, properties)
        if count == 256:
            good.append(event.id)
        else:
            bad[event.id] = f"the message has {count} headers"
    one = notifyd({"workers": 1, "broker": {"prefetch": 4}})
    good += bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(20)))
    assert stage.wait_arrivals(good, 10) == Counter(good)
    letters = dead_letters(stage.broker_url, len(bad))
    assert {properties.message_id: headers["x-notify-detail"].split(",")[0] for headers, properties, _ in letters} == bad
    assert {headers["x-notify-reason"] for headers, _, _ in letters} == {"too_large"}
    assert stage.receiver.count("/hook") == len(good) and not one.events("broker_link_down")


def test_headers_that_grow_beyond_a_frame_on_their_way_stop_nobody(stage, notifyd):
    """A queue whose messages expire into ours: RabbitMQ writes into their headers where they were."""
    stage.webhook(secret=None)
    with channel_to(stage.broker_url) as channel:
        producer.declare(channel)
        channel.queue_declare("before", durable=True, arguments={
            "x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "notify"})
        event, body, properties = with_headers_of(stage, FRAME_MAX)
        channel.basic_publish("", "before", body, properties)
        wait_until(lambda: channel.queue_declare("notify", passive=True).method.message_count == 1, 5, "it has expired")
    behind = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(20)))
    one = notifyd({"workers": 1, "broker": {"prefetch": 4}})
    assert set(stage.wait_arrivals([event, *behind], 10).values()) == {1}
    stage.wait_settled(21)
    assert not one.events("broker_link_down")


def test_bodies_at_the_limit_are_handled_and_larger_ones_are_named(stage, notifyd, sanitized):
    """Many of each kind, more than a worker may hold at a time; what stands behind them is handled, and no memory stays."""
    limit, prefetch, many = 1 << 20, 16, 24
    stage.webhook(secret=None)
    one = notifyd({"workers": 1, "broker": {"prefetch": prefetch}, "limits": {"message_bytes": limit}})
    worker = one.workers()[0]
    rest = anonymous_kib(worker)
    sizes: dict[str, int] = {}
    with channel_to(stage.broker_url) as channel:
        channel.confirm_delivery()
        for size in [limit - 1, limit, limit + 1, limit + 2] * (many // 4) + [10_000_000] * 4:
            event = stage.event("scan_done")
            body, properties = producer.celery_message(event)
            sizes[event.id] = size
            channel.basic_publish("", "notify", body.ljust(size), properties, mandatory=True)
    behind = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(50)))
    good = [event for event, size in sizes.items() if size <= limit] + behind
    most = rest
    deadline = time.monotonic() + 20
    while stage.receiver.count("/hook") < len(good) and time.monotonic() < deadline:
        most = max(most, anonymous_kib(worker))
        time.sleep(0.005)
    assert stage.wait_arrivals(good, 5) == Counter(good)
    stage.wait_settled(len(good))
    letters = {properties.message_id: (headers, len(body))
               for headers, properties, body in dead_letters(stage.broker_url, len(sizes) + 50 - len(good))}
    assert letters.keys() == {event for event, size in sizes.items() if size > limit}
    for event, (headers, kept) in letters.items():
        assert (headers["x-notify-reason"], headers["x-notify-size"], kept) == ("too_large", sizes[event], 65536)
        assert headers["x-notify-detail"] == f"the body has {sizes[event]} bytes, allowed are {limit}"
    bound = rest + prefetch * 2 * limit // 1024
    print(f"at rest {rest} KiB, at most {most} KiB of {bound}")
    assert sanitized or most <= bound
    assert one.workers() == [worker] and not one.events("broker_link_down")


# --- queues that are deleted

def test_a_producers_queue_is_deleted_under_its_consumers_again_and_again(stage, notifyd, rabbit, vhost):
    """What a worker has in hand it delivers, though nobody hears its acknowledgement; what comes to the next queue, too."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=0.4))
    one = notifyd({"broker": {"prefetch": 400}, "delivery": {"per_integration": 100}, **HELD})
    pids, ids = one.workers(), []
    for time_ in range(1, 4):
        ids += bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(150)))
        wait_until(lambda: rabbit.depth("notify", vhost) == 0, 5, "all are in hand")
        with channel_to(stage.broker_url) as channel:
            channel.queue_delete("notify")
        one.wait_event("broker_link_down", count=2 * time_, reason="the broker cancelled a consumer")
        wait_until(lambda: sum(c["queue"] == "notify" for c in rabbit.list_consumers(vhost)) == 2, 5, "both consume again")
    ids += bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(150)))
    assert stage.wait_arrivals(ids) == Counter(ids)
    stage.wait_settled(len(ids))
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 5, "everything is acknowledged")
    assert one.workers() == pids and len(one.events("broker_link_down")) == 6
    assert stage.arrivals() == Counter(ids)


@pytest.mark.parametrize("queue", ["notify.due", "notify.delay.0"])
def test_a_queue_of_ours_is_deleted_again_and_again_while_retries_go_through_it(stage, notifyd, queue):
    """With it go its bindings and what it held: publishes are returned, and the sweep brings back what is gone."""
    count = 200
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    one = notifyd({**QUICK, "retry": {"base": 3.0, "factor": 1.0, "jitter": 0.0}, "broker": {"reconnect_max": 1.0}})
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(count)), rate=count / 4)
    publisher.start()
    stage.receiver.wait_for(count // 4, "/hook")
    with channel_to(stage.broker_url) as channel:
        lost = 0
        for _ in range(10):
            lost += channel.queue_delete(queue).method.message_count
            time.sleep(0.4)
    ids = publisher.finish()
    assert len(ids) == count
    stage.receiver.wait_for(count, "/hook")
    stage.receiver.script("/hook", Answer())
    stage.wait_settled(count, 30)
    attempts = {row["event_id"]: row["attempt"] for row in stage.deliveries()}
    swept = sum(int(e["rows"]) for e in one.events("swept"))
    print(f"{lost} messages deleted; {one.counter('publishes_returned')} publishes returned, {swept} rows swept,"
          f" attempts {Counter(attempts.values())}")
    assert swept, "something was lost"
    assert stage.arrivals() == Counter(attempts), "each attempt is one request"
    assert attempts.keys() == set(ids)


# --- exchanges of another type

WRONG = {"notify.delay.0": Answer(status=503), "notify.dead": Answer(status=404)}


@pytest.mark.parametrize("exchange", WRONG)
def test_an_exchange_that_is_made_again_with_another_type_is_mended_later(stage, notifyd, rabbit, vhost, exchange):
    """Nothing can be published meanwhile: what needs no publish goes on, what needs one waits for it, and once is enough."""
    count = 60
    stage.webhook("/bad", secret=None, events=["scan_failed"])
    stage.webhook("/good", secret=None, events=["scan_done"], name="good")
    one = notifyd({**QUICK, "broker": {"reconnect_max": 1.0}})
    stage.receiver.script("/bad", WRONG[exchange])
    with channel_to(stage.broker_url) as channel:
        channel.exchange_delete(exchange)
        channel.exchange_declare(exchange, "headers", durable=True)
    bad = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_failed", error="x") for _ in range(count)))
    refused = one.wait_event("exchange_refused", exchange=exchange, timeout=15)[0]
    assert refused["code"] == "406"
    good = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(count)))
    assert stage.wait_arrivals(good, path="/good") == Counter(good)
    began = time.monotonic()
    time.sleep(2)
    downs = len(one.events("broker_link_down"))
    with channel_to(stage.broker_url) as channel:
        channel.exchange_delete(exchange)
    stage.receiver.script("/bad", Answer())
    if exchange == "notify.dead":
        letters = dead_letters(stage.broker_url, count, 15)
        assert Counter(properties.message_id for _, properties, _ in letters) == Counter(bad)
        assert {headers["x-notify-reason"] for headers, _, _ in letters} == {"rejected"}
        stage.wait(lambda: Counter(d["state"] for d in stage.deliveries()) == {"dead": count, "delivered": count})
        assert stage.arrivals("/bad") == Counter(bad)
    else:
        stage.wait_settled(2 * count, 20)
        # Meanwhile the sweep, whose link still stands, has brought some of them back.
        attempts = {row["event_id"]: row["attempt"] for row in stage.deliveries() if row["event_id"] in bad}
        assert stage.arrivals("/bad") == Counter(attempts) and attempts.keys() == set(bad)
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 5, "everything is acknowledged")
    assert downs <= 3 * (time.monotonic() - began + 3), "no faster than once a second for each link"
    print(f"{downs} links ended in {time.monotonic() - began:.1f} s, {one.counter('publishes_returned')} publishes returned")
    assert stage.arrivals("/good") == Counter(good) and rabbit.depth("notify.dead", vhost) == 0


# --- queues that are full

@contextmanager
def full(rabbit: RabbitServer, vhost: str, queue: str) -> Iterator[None]:
    """QUEUE takes a message only while it is empty, and refuses all others."""
    def binary(text: str) -> str:
        return f'<<"{text}">>'

    rabbit.evaluate(f"ok = rabbit_policy:set({binary(vhost)}, {binary('full')}, {binary('^' + queue.replace('.', '[.]') + '$')}, "
                    f"[{{{binary('max-length')}, 1}}, {{{binary('overflow')}, {binary('reject-publish')}}}], 0, "
                    f"{binary('queues')}, {binary('test')})")
    try:
        yield
    finally:
        rabbit.evaluate(f"ok = rabbit_policy:delete({binary(vhost)}, {binary('full')}, {binary('test')})")


@pytest.mark.parametrize("delay", [1.0, 3.0], ids=["refused at once", "lost on the way"])
def test_a_rung_of_the_ladder_that_takes_one_at_a_time(stage, notifyd, rabbit, vhost, delay):
    """Retries after one second are refused and held; those that come from the rung above are thrown away by the broker."""
    count = 60
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    one = notifyd({**QUICK, "retry": {"base": delay, "factor": 1.0, "jitter": 0.0}})
    with full(rabbit, vhost, "notify.delay.0"):
        ids = bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count)))
        stage.wait_arrivals(ids)
        if delay == 1.0:
            stage.wait(lambda: one.counter("publishes_returned") >= count // 2)
        stage.receiver.script("/hook", Answer())
        time.sleep(4)
        refused = one.counter("publishes_returned")
    stage.wait_settled(count, 20)
    attempts = {row["event_id"]: row["attempt"] for row in stage.deliveries()}
    swept = sum(int(e["rows"]) for e in one.events("swept"))
    print(f"{refused} publishes refused, {swept} rows swept, attempts {Counter(attempts.values())}")
    assert refused or swept
    assert stage.arrivals() == Counter(attempts) and attempts.keys() == set(ids)
    assert refused <= 8 * count if delay == 1.0 else refused == 0
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 10, "nothing goes round any more")
    assert not one.events("broker_link_down")


def test_a_queue_of_dead_letters_that_is_full_keeps_its_messages_waiting(stage, notifyd, rabbit, vhost, build, tmp_path):
    """Deliveries that were refused, whole events, and what never was one: each is dead once, when there is room."""
    count = 20
    stage.webhook(secret=None, events=["scan_done"])
    stage.receiver.script("/hook", Answer(status=404))
    one = notifyd(QUICK)
    foreign = seed.add_finding(stage.connection, seed.add_scan(stage.connection, stage.target))
    with full(rabbit, vhost, "notify.dead"):
        refused = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(count)))
        strange = bulk.publish_many(stage.broker_url, "notify", (stage.event(finding_id=foreign.id) for _ in range(count)))
        for number in range(count):
            stage.plain({"event_type": "nonsense"}, f"wrong-{number}")
        stage.wait(lambda: one.counter("publishes_returned") >= 5 * count)
        assert rabbit.depth("notify.dead", vhost) == 1
        assert on_stage(build, tmp_path, stage)("audit").code == 0
    wrong = [f"wrong-{number}" for number in range(count)]
    letters = dead_letters(stage.broker_url, 3 * count)
    reasons = {"rejected": refused, "finding_of_other_scan": strange, "bad_arguments": wrong}
    found = Counter((headers["x-notify-reason"], properties.message_id) for headers, properties, _ in letters)
    assert found == Counter((reason, event) for reason, events in reasons.items() for event in events)
    assert stage.arrivals() == Counter(refused)
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 5, "everything is acknowledged")
    print(f"{one.counter('publishes_returned')} publishes refused")
    assert len(one.events("publish_refused")) <= 4, "a line for each refused message"
    assert not one.events("broker_link_down")


def test_a_queue_of_dead_letters_that_stays_full_stops_neither_deliveries_nor_the_sweep(stage, notifyd, rabbit, vhost, build, tmp_path):
    """More dead letters than the prefetch has places, then good events, then a replay; there is room at last."""
    dead, good, prefetch = 60, 30, 16
    stage.webhook("/bad", secret=None, events=["scan_failed"])
    stage.webhook("/good", secret=None, name="good", events=["scan_done"])
    stage.receiver.script("/bad", Answer(status=404))
    stage.receiver.script("/good", Answer(status=404), Answer())
    one = notifyd({**QUICK, "workers": 1, "broker": {"prefetch": prefetch, "publish_patience": 1.0},
                   "sweep": {"grace": 3.0, "interval": 0.5}})
    replayed = stage.publish("scan_done")
    stage.wait(lambda: [d["state"] for d in stage.deliveries(replayed)] == ["dead"])
    wait_until(lambda: rabbit.depth("notify.dead", vhost) == 1, 5, "its letter is there")
    with full(rabbit, vhost, "notify.dead"):
        letters = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_failed", error="e") for _ in range(dead)))
        ids = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(good)))
        began = time.monotonic()
        stage.receiver.wait_for(good + 1, "/good", 20)
        print(f"{good} deliveries {time.monotonic() - began:.1f} s after the dead ones")
        wait_until(lambda: [q["messages"] for q in rabbit.list_queues(vhost) if q["name"] == "notify"] == [0], 10, "all is acknowledged")
        assert on_stage(build, tmp_path, stage)("dead", "replay", replayed).code == 0
        stage.receiver.wait_for(good + 2, "/good", 10)
        assert one.counter("publishes_given_up") >= dead
        lines = len(one.events("publish_refused"))
    found = Counter(properties.message_id for _, properties, _ in dead_letters(stage.broker_url, dead + 1))
    assert found == Counter([replayed, *letters]), "each is dead once"
    assert stage.arrivals("/good") == Counter([replayed, *ids, replayed]) and stage.arrivals("/bad") == Counter(letters)
    assert lines <= 2 * (2 + (time.monotonic() - began) / 10), "a line for each refused message"


# --- a broker that does not wait

@pytest.fixture
def impatient(server_folder: Any, request: pytest.FixtureRequest) -> Iterator[RabbitServer]:
    """A node that waits for an acknowledgement no longer than so many seconds, and looks every second."""
    server = RabbitServer(server_folder / f"rabbit-impatient-{request.param}", config={"consumer_timeout": str(request.param * 1000)})
    try:
        server.start()
        server.evaluate("application:set_env(rabbit, channel_tick_interval, 1000)")
        yield server
    finally:
        server.remove()


@pytest.mark.parametrize(("impatient", "held_max", "seconds"), [
    pytest.param(3, 10.0, 6, id="6 seconds"), pytest.param(60, 30.0, 180, id="3 minutes", marks=pytest.mark.long)],
    indirect=["impatient"])
def test_the_broker_ends_channels_while_the_database_stands_still(
        impatient, postgres, stage, notifyd, request, held_max, seconds):
    """RabbitMQ's consumer_timeout: what is in hand is taken away and given again, to the same worker or to another."""
    count, patience = 60, request.node.callspec.params["impatient"]
    stage.broker_url = impatient.url
    stage.webhook(secret=None, events=["finding_new"])
    stage.webhook("/sick", secret=None, events=["scan_done"], name="sick")
    stage.receiver.script("/sick", *[Answer(status=503)] * count, Answer(delay=1.5))
    one = notifyd({"broker": {"url": impatient.url, "heartbeat": 10, "reconnect_max": 2.0}, "held_max": held_max,
                   "database": {"timeout": 2.0, "reconnect_max": 1.0}, "delivery": {"per_integration": 60, "connections": 200, "timeout": 2.0, "connect_timeout": 1.0, "lease_slack": 1.0},
                   "retry": {"base": 1.0, "jitter": 0.0}, **HELD})
    pids = {p.pid for p in one.family()}
    recorded = bulk.publish_many(impatient.url, "notify", (stage.event() for _ in range(count)))
    stage.wait_settled(count)
    stage.receiver.script("/hook", Answer(delay=1.5))
    again = bulk.publish_many(impatient.url, "notify", (stage.event("scan_done") for _ in range(count)))
    stage.receiver.wait_for(count + 1, "/sick")  # second attempts are under way
    first = bulk.publish_many(impatient.url, "notify", (stage.event() for _ in range(count)))
    stage.receiver.wait_for(count + 1, "/hook")  # and first ones
    postgres.freeze()
    try:
        frozen = time.monotonic()
        late = bulk.publish_many(impatient.url, "notify", (stage.event() for _ in range(count)))
        time.sleep(max(0.0, seconds - (time.monotonic() - frozen)))
    finally:
        postgres.thaw()
    stage.receiver.script("/hook", Answer())
    hook = stage.wait_arrivals([*recorded, *first, *late])
    sick = stage.wait_arrivals(again, path="/sick")
    stage.connection.close()  # too old by now, perhaps
    stage.wait_settled(4 * count, 60)
    time.sleep(2)
    hook, sick = stage.arrivals(), stage.arrivals("/sick")
    ended = [e for e in one.events("broker_link_down") if "timed out" in e["reason"] or "timeout" in e["reason"].lower()]
    attempts = Counter(d["attempt"] for d in stage.deliveries())
    print(f"{len(ended)} channels ended, {sum(int(e['count']) for e in one.events('messages_handed_back'))} messages handed back;"
          f" requests for what was recorded {Counter(hook[e] for e in recorded)}, under way {Counter(hook[e] for e in first)},"
          f" again {Counter(sick[e] for e in again)}, not begun {Counter(hook[e] for e in late)}; attempts {attempts}")
    figures.hold("recorded deliveries repeated after the consumer timeout", sum(hook[e] - 1 for e in recorded), 0)
    assert ended and len(ended) <= 2 * (seconds / patience + 1)
    assert {p.pid for p in one.family()} == pids and not one.events("child_hangs")
    assert hook == Counter([*recorded, *first, *late]), "a worker knows what it did"
    assert sick == Counter([*again, *again])
    wait_until(lambda: all(q["messages"] == 0 for q in impatient.list_queues()), 10, "nothing goes round any more")

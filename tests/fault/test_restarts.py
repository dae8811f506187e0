"""Servers that stop, are killed, fall silent or block: nothing that was confirmed is lost, and notifyd needs no restart."""

from __future__ import annotations

import time
from collections import Counter

import figures
import pika
import pytest
from load import RATE, Load
from sandbox import bulk, producer
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import HELD

pytestmark = [pytest.mark.xdist_group("restarts"),  # all with the same servers, which go and come
              pytest.mark.usefixtures("counted")]


@pytest.fixture(scope="module")
def rabbit(server_folder):
    server = RabbitServer(server_folder / "rabbit-restarts")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def postgres(server_folder):
    """With fsync: here the power is cut."""
    server = PostgresServer(server_folder / "postgres-restarts")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_rabbitmq_restarts_under_load(stage, notifyd, rabbit, how):
    load = Load(stage, notifyd, 3)
    getattr(rabbit, how)()
    assert len(load.publisher.confirmed) < 3 * RATE, "it went under load"
    rabbit.start()
    load.is_back()
    assert load.end(f"RabbitMQ, {how}") == 0
    assert len(load.one.events("broker_link_down")) >= 4


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_postgresql_restarts_under_load(stage, notifyd, postgres, how):
    load = Load(stage, notifyd, 3)
    getattr(postgres, how)()
    time.sleep(1)
    postgres.start()
    load.is_back()
    assert load.end(f"PostgreSQL, {how}") == 0
    assert len(load.publisher.confirmed) == 3 * RATE
    assert len(load.one.events("database_link_down")) >= 2


@pytest.mark.long
def test_both_restart_at_once_under_load(stage, notifyd, rabbit, postgres):
    load = Load(stage, notifyd, 3)
    postgres.kill()
    rabbit.kill()
    rabbit.start()
    postgres.start()
    load.is_back()
    load.end("both, killed")


def test_postgresql_falls_silent_under_load(stage, notifyd, postgres):
    load = Load(stage, notifyd, 4, database={"timeout": 2.0})
    frozen = time.monotonic()
    postgres.freeze()
    try:
        load.one.wait_event("database_link_down", count=2, timeout=5, reason="no answer within database.timeout")
        noticed = time.monotonic() - frozen
        time.sleep(1)
    finally:
        postgres.thaw()
        load.is_back()
    figures.hold("a silent database noticed (timeout 2 s, and until each link asks)", noticed, 2.5, "s")
    assert load.end("PostgreSQL, silent") == 0


@pytest.mark.alone
def test_a_silent_broker_is_noticed_within_two_heartbeats_and_found_again(stage, notifyd, rabbit):
    stage.webhook(secret=None)
    one = notifyd({"broker": {"heartbeat": 2, "reconnect_max": 1.0}})
    pids = one.workers()
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(1500)), rate=300)
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
    figures.hold("a silent broker noticed (heartbeat 2 s)", noticed, 2 * 2, "s")
    seen = stage.wait_arrivals(confirmed)
    repeated = sum(seen.values()) - len(seen)
    print(f"{repeated} repeated")
    assert one.workers() == pids and repeated == 0
    assert all("heartbeat" in e["reason"].lower() for e in one.events("broker_link_down")[:4])


def test_while_the_broker_blocks_publishers_deliveries_and_acknowledgements_go_on(stage, notifyd, rabbit, vhost):
    stage.webhook("/good", secret=None, name="good")
    stage.webhook("/bad", secret=None, name="bad", events=["scan_failed"])
    one = notifyd({"workers": 1, "broker": {"publish_patience": 600.0}, "gate": {**HELD["gate"], "window": 20},
                   "delivery": {"per_integration": 20}})
    stage.receiver.script("/bad", *[Answer(status=503, delay=1.0)] * 11, Answer())
    good = [stage.event("scan_done") for _ in range(100)]
    bad = [stage.event("scan_failed", error="x") for _ in range(11)]
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))  # made before the alarm; a publish under it would not be taken
    channel = connection.channel()
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
        time.sleep(1.5)
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

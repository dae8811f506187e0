"""What Celery's tools have changed lasts, hurts nobody beside the pool, and can be seen."""

from __future__ import annotations

import threading
import time

import pika
import pytest
from celery_side import NODE
from exposition import parse, value
from proxy import Link, Proxy
from sandbox.processes import wait_until
from test_agent import get
from test_presence import OURS, QUICK, shown

NOTIFY_NODE = NODE.replace("celery@", "notify@")
SHADOW = {"mode": "shadow", "forward": "celery", **QUICK}
SLOW = {"celery": {"heartbeat": 0.5, "retry": 60.0}}


@pytest.fixture
def pool(stage, notifyd):
    return shown(notifyd(QUICK))


def consumers(rabbit, vhost, *queues):
    return sorted(c["queue"] for c in rabbit.list_consumers(vhost) if c["queue"] in queues)


def ask(celery, node, method, **arguments):
    [reply] = celery.control.broadcast(method, arguments=arguments, destination=[node], reply=True, timeout=5, limit=1)
    return reply[node]


# --- queues that were added

def test_queues_are_consumed_again_whose_adoption_met_a_lost_connection(stage, notifyd, celery, rabbit, vhost):
    shown(notifyd({**SLOW, "broker": {"reconnect_max": 1.0}}))
    names = [f"extra-{i:02}" for i in range(31)]
    for name in names:
        assert "ok" in celery.ask("add_consumer", queue=name)
    stage.wait(lambda: consumers(rabbit, vhost, *names) == sorted(names * 2))
    for _ in range(8):  # the second close meets the adoptions of the connection that came after the first
        rabbit.close_connections()
        stage.wait(lambda: consumers(rabbit, vhost, *names))
    stage.wait(lambda: consumers(rabbit, vhost, *names) == sorted(names * 2))


def held_queue(stage, name):
    holder = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    holder.channel().queue_declare(name, exclusive=True)
    return holder


def test_adding_a_refused_queue_again_tries_it_again(stage, notifyd, celery, rabbit, vhost):
    one = shown(notifyd(SLOW))
    holder = held_queue(stage, "mine")
    assert "ok" in celery.ask("add_consumer", queue="mine")
    one.wait_event("queue_refused", count=2, queue="mine")
    holder.close()
    assert "ok" in celery.ask("add_consumer", queue="mine")
    stage.wait(lambda: consumers(rabbit, vhost, "mine") == ["mine"] * 2)


def test_a_refused_queue_is_tried_again_by_itself(pool, stage, celery, rabbit, vhost):
    holder = held_queue(stage, "mine")
    assert "ok" in celery.ask("add_consumer", queue="mine")
    pool.wait_event("queue_refused", count=4, queue="mine")
    holder.close()
    stage.wait(lambda: consumers(rabbit, vhost, "mine") == ["mine"] * 2)


def test_what_waits_in_queues_that_are_added_is_delivered_at_once(stage, notifyd, celery):
    stage.webhook()
    shown(notifyd({**QUICK, "workers": 1, "broker": {"heartbeat": 60}}))
    names = [f"extra-{i}" for i in range(6)]
    with pika.BlockingConnection(pika.URLParameters(stage.broker_url)) as connection:
        for name in names:
            connection.channel().queue_declare(name, durable=True)
    for name in names:  # the broker sends what waits there together with its answer
        stage.plain({"scan_id": str(stage.scan.id), "event_type": "scan_done"}, name, queue=name)
    begun = time.monotonic()
    for name in names:
        assert "ok" in celery.ask("add_consumer", queue=name)
        stage.wait_arrivals([name])
    assert time.monotonic() - begun < 15, "not with the next heartbeat"


def test_cancels_of_any_names_take_no_places(pool, stage, celery, rabbit, vhost):
    for i in range(40):
        assert celery.ask("cancel_consumer", queue=f"nobodys-{i}") == {"ok": f"no longer consuming from nobodys-{i}"}
    assert "ok" in celery.ask("add_consumer", queue="extra")
    stage.wait(lambda: consumers(rabbit, vhost, "extra") == ["extra"] * 2)


# --- what is said of it

def test_a_pool_whose_queues_are_all_cancelled_is_not_ready_and_is_healthy(pool, stage, celery):
    figure = lambda name: value(parse(pool.metrics()), name)  # noqa: E731
    stage.wait(lambda: get(pool, "/readyz")[0] == 200)
    assert figure("queues_added") == figure("queues_cancelled") == 0
    assert "ok" in celery.ask("cancel_consumer", queue="notify")
    stage.wait(lambda: get(pool, "/readyz")[0] == 503)
    stage.wait(lambda: get(pool, "/readyz")[1].startswith("not ready\nworkers 2, consuming from the broker 0, connected to the database 2\n"))
    assert "cancelled" in get(pool, "/readyz")[1] and "notifyctl queue add" in get(pool, "/readyz")[1]
    assert get(pool, "/healthz")[0] == 200 and get(pool, "/healthz")[1].startswith("ok\n") and "cancelled" in get(pool, "/healthz")[1]
    assert figure("workers_consuming") == 0 and figure("queues_cancelled") == 1 and figure("healthy") == 1
    assert "ok" in celery.ask("add_consumer", queue="extra")
    stage.wait(lambda: get(pool, "/readyz")[0] == 200)
    stage.wait(lambda: figure("workers_consuming") == 2 and figure("queues_added") == 1)
    assert "ok" in celery.ask("add_consumer", queue="notify") and "ok" in celery.ask("cancel_consumer", queue="extra")
    stage.wait(lambda: figure("queues_added") == 0 and get(pool, "/readyz")[0] == 200)


def test_a_reload_ends_while_all_queues_are_cancelled(pool, stage, celery):
    assert "ok" in celery.ask("cancel_consumer", queue="notify")
    stage.wait(lambda: get(pool, "/readyz")[0] == 503)
    before = set(pool.workers())
    pool.signal(1)
    stage.wait(lambda: len(pool.workers()) == 2 and not before & set(pool.workers()), 30)
    stage.wait(lambda: "cancelled 2" in get(pool, "/readyz")[1])


def test_a_queue_that_was_added_and_is_configured_now_is_listed_once(pool, stage, celery):
    assert "ok" in celery.ask("add_consumer", queue="extra")
    before = set(pool.workers())
    pool.write_conf({**pool.settings, "broker": {**pool.settings["broker"], "queues": ["notify", "extra"]}})
    pool.signal(1)
    stage.wait(lambda: len(pool.workers()) == 2 and not before & set(pool.workers()), 30)
    pool.wait_event("presence_shown", 30, count=2)
    stage.wait(celery.pings)
    assert sorted(q["name"] for q in celery.ask("active_queues")) == sorted({"notify", "extra"} | OURS)


# --- shadow mode

def shadow(stage, notifyd, rabbit, vhost):
    with pika.BlockingConnection(pika.URLParameters(stage.broker_url)) as connection:
        connection.channel().queue_declare("celery", durable=True)
    return shown(notifyd(SHADOW))


@pytest.mark.unbalanced
def test_a_pool_in_shadow_mode_does_not_consume_what_it_forwards(stage, notifyd, celery, rabbit, vhost):
    one = shadow(stage, notifyd, rabbit, vhost)
    [reply] = celery.control.broadcast("add_consumer", arguments={"queue": "celery"}, reply=True, timeout=2)  # to whom it may concern
    assert "shadow" in reply[NOTIFY_NODE]["error"]
    event = stage.publish()
    stage.wait(lambda: rabbit.depth("celery", vhost) == 1)
    time.sleep(2)
    assert rabbit.depth("celery", vhost) == 1 and not consumers(rabbit, vhost, "celery"), event
    assert [q["name"] for q in ask(celery, NOTIFY_NODE, "active_queues")] == ["notify"], "our own are not consumed"
    assert not one.events("queue_added")


@pytest.mark.unbalanced
def test_a_queue_that_was_added_is_not_consumed_when_it_becomes_the_one_to_forward_to(pool, stage, celery, rabbit, vhost):
    assert "ok" in celery.ask("add_consumer", queue="celery")
    stage.wait(lambda: consumers(rabbit, vhost, "celery") == ["celery"] * 2)
    before = set(pool.workers())
    pool.write_conf({**pool.settings, "mode": "shadow", "forward": "celery"})
    pool.signal(1)
    stage.wait(lambda: len(pool.workers()) == 2 and not before & set(pool.workers()), 30)
    pool.wait_event("queue_not_added", 30, count=2, queue="celery")
    stage.wait(lambda: not consumers(rabbit, vhost, "celery"))
    pool.wait_event("presence_shown", 30, node=NOTIFY_NODE)
    assert "celery" not in {q["name"] for q in ask(celery, NOTIFY_NODE, "active_queues")}


@pytest.mark.unbalanced
def test_a_native_worker_of_the_usual_name_starts_beside_a_pool_in_shadow_mode(stage, notifyd, celery, rabbit, vhost):
    shadow(stage, notifyd, rabbit, vhost)
    native = celery.worker("celery")
    assert set(celery.control.inspect(timeout=2).ping()) == {NODE, NOTIFY_NODE} and native.exit_code() is None


def test_a_pool_beside_a_native_worker_of_its_name_says_so(stage, notifyd, celery, ctl):
    stage.webhook()
    native = celery.worker("celery")
    one = notifyd(QUICK)
    [refused] = one.wait_event("presence_refused")
    assert refused["code"] == "405" and "Celery's" in refused["advice"] and "celery worker -n" in refused["advice"]
    checked = ctl("check")
    assert [line for line in checked.lines("note") if line.startswith("node name: ") and NODE in line], checked
    stage.wait_arrivals([stage.publish()])
    native.kill()
    one.wait_event("presence_shown")
    assert not [line for line in ctl("check").lines("note") if line.startswith("node name")]


# --- notifyctl

def test_notifyctl_adds_no_queue_to_a_native_worker(pool, ctl, stage, celery, rabbit, vhost):
    native = celery.worker()
    added = ctl("queue", "add", "extra")
    assert added.code == 0 and added.out == f"{NODE}  add consumer extra\n", added
    stage.wait(lambda: consumers(rabbit, vhost, "extra") == ["extra"] * 2)
    time.sleep(1)
    assert consumers(rabbit, vhost, "extra") == ["extra"] * 2, "the native worker would be the third"
    removed = ctl("queue", "remove", "native")
    assert removed.code == 0 and removed.out == f"{NODE}  no longer consuming from native\n", removed
    time.sleep(1)
    assert consumers(rabbit, vhost, "native") == ["native"] and native.exit_code() is None
    pool.terminate()
    pool.wait()
    alone = ctl("queue", "add", "extra")
    assert alone.code == 1 and "Celery's" in alone.err and not alone.out, alone


# --- connections that end without a word

class Silence(Proxy):
    """Of the connections that there were at a moment nothing passes any more, and nobody is told."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.silenced: set[Link] = set()
        self.seen: set[Link] = set()

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        self.seen.add(link)
        while link in self.silenced:
            threading.Event().wait(0.2)

    def silence(self) -> None:
        self.silenced = {link for link in self.seen if b"presence" in link.head}


def test_the_queue_of_our_own_lost_connection_is_waited_for_without_a_word(stage, notifyd, celery, rabbit):
    with Silence(rabbit.port) as proxy:
        url = stage.broker_url.replace(f":{rabbit.port}/", f":{proxy.port}/")
        one = shown(notifyd({**SLOW, "broker": {"url": url, "heartbeat": 6, "reconnect_max": 1.0}}))
        proxy.silence()
        one.wait_event("presence_shown", 50, count=2)
        assert [e for e in one.events("broker_link_down") if "presence" in e["link"]] and not one.events("presence_refused")
        proxy.silenced = set()
    wait_until(celery.pings, 15, "it answers")

"""Celery's own tools see the pool as one worker: Debian's `celery` command line, its State of events, and what Flower reads."""

from __future__ import annotations

import json
import os
import time

import pytest
from celery_side import NODE, CelerySide, plain
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import HELD

QUICK = {"celery": {"heartbeat": 0.5, "retry": 1.0}}
OURS = {"notify.due", "notify.urgent", "notify.bulk", "notify.wake"}
# What Flower 2.0.1 and 2.1.0 read of a queue and of an active task.
QUEUE_FIELDS = {"name", "exclusive", "durable", "routing_key", "no_ack", "alias", "queue_arguments", "binding_arguments", "auto_delete"}
TASK_FIELDS = {"id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info", "worker_pid"}


@pytest.fixture
def pool(stage, notifyd):
    one = notifyd(QUICK)
    one.wait_event("presence_shown", 15)
    return one


def shown(one):
    one.wait_event("presence_shown", 15)
    return one


# --- the command line

def test_the_command_line_lists_the_pool_and_its_queues_and_tasks(pool, celery):
    status = celery("status", "--timeout", "3")
    assert f"{NODE}: OK" in plain(status.stdout) and "1 node online" in status.stdout, status
    ping = celery("inspect", "ping", "-d", NODE)
    assert ping.returncode == 0 and f"{NODE}: OK" in plain(ping.stdout) and "pong" in ping.stdout, ping
    assert celery("inspect", "ping", "-d", "celery@elsewhere").returncode == 69
    assert celery.json("registered") == {NODE: ["notify_event", "notify_scan_findings"]}
    queues = celery.json("active_queues")[NODE]
    assert {q["name"] for q in queues} == {"notify"} | OURS
    for words in ("active", "reserved", "scheduled", "revoked"):
        assert celery.json(words) == {NODE: []}
    report = celery("inspect", "report", "-d", NODE)
    assert "pencheff-notify" in report.stdout, report


def test_stats_have_every_field_that_flower_reads(pool, celery, stage):
    stage.webhook()
    stage.wait_arrivals([stage.publish()])
    stats = stage.wait(lambda: (lambda s: s["total"] and s)(celery.ask("stats")))
    assert stats["total"] == {"notify_event": 1} and isinstance(stats["clock"], str)
    assert stats["pid"] == pool.pid and sorted(stats["pool"]["processes"]) == pool.workers()
    assert stats["pool"]["max-concurrency"] == 2 and stats["pool"]["timeouts"] == [0, 0]
    assert stats["pool"]["writes"]["inqueues"]["total"] == 2
    assert stats["prefetch_count"] == 512 and stats["rusage"]["maxrss"] > 0
    assert set(stats["broker"]) >= {"hostname", "userid", "virtual_host", "port", "insist", "ssl", "transport", "connect_timeout",
                                    "transport_options", "login_method", "uri_prefix", "heartbeat", "failover_strategy", "alternates"}
    assert all(QUEUE_FIELDS <= set(queue) for queue in celery.ask("active_queues"))


def test_no_answer_holds_a_secret(pool, celery, stage, fernet_key):
    conf = celery.ask("conf", with_defaults=True)
    assert conf["worker_concurrency"] == 2 and conf["broker.queues"] == ["notify"] and conf["delivery.timeout"] == 5
    everything = json.dumps([conf, celery.ask("stats"), celery.ask("report")])
    password = stage.broker_url.split("//")[1].split("@")[0].split(":")[1]
    assert password and fernet_key not in everything and f":{password}@" not in everything and stage.database.url not in everything
    assert conf["broker.url"] == conf["secrets.fernet_keys"] == conf["database.url"] == "********"


def test_a_message_in_hand_is_active_and_can_be_asked_for(stage, notifyd, celery):
    stage.webhook()
    stage.receiver.script("/hook", Answer(200, held=True))
    one = shown(notifyd(QUICK))
    event = stage.publish()
    stage.receiver.wait_for(1, "/hook")
    [task] = celery.ask("active", safe=True)
    assert set(task) >= TASK_FIELDS and task["id"] == event and task["hostname"] == NODE
    assert task["name"].endswith("notify_event") and task["type"] == task["name"]
    assert task["args"] == [str(stage.scan.id), "finding_new"] and task["kwargs"] == {"finding_id": str(stage.high)}
    assert task["worker_pid"] in one.workers() and abs(task["time_start"] - time.time()) < 60
    assert task["delivery_info"]["routing_key"] == "notify"
    assert celery.ask("query_task", ids=[event, "other"]) == {event: ["active", task]}
    assert celery.ask("query_task", ids="other") == {} and celery.ask("reserved") == []
    stage.receiver.release()
    stage.wait(lambda: celery.ask("active") == [])


def test_what_waits_for_the_database_is_reserved(stage, notifyd, celery):
    one = shown(notifyd({**QUICK, "database": {"timeout": 60.0}}))
    blocker = stage.database.connect()
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE notify.events IN ACCESS EXCLUSIVE MODE")
    event = stage.publish()
    [task] = stage.wait(lambda: celery.ask("reserved"))
    assert task["id"] == event and task["time_start"] is None and task["acknowledged"] is False
    assert celery.ask("query_task", ids=[event])[event][0] == "reserved"
    blocker.rollback()
    blocker.close()
    stage.wait(lambda: celery.ask("reserved") == [] and stage.events(event))
    assert one.alive()


# --- steering

def test_the_pool_grows_and_shrinks(pool, celery, stage):
    run = celery("control", "pool_grow", "2", "-d", NODE)
    assert "pool will grow" in run.stdout, run
    pool.wait_ready(count=4)
    assert celery.ask("stats")["pool"]["max-concurrency"] == 4
    assert celery.ask("pool_shrink", n=3) == {"ok": "pool will shrink"}
    stage.wait(lambda: len(celery.ask("stats")["pool"]["processes"]) == 1)
    assert "error" in celery.ask("pool_shrink", n=1) and "error" in celery.ask("pool_grow", n=256)
    for n in ("2", 1.5, -1, 0, 2**70, None, [1]):
        reply = celery.ask("pool_grow", n=n)
        assert ("error" in reply) == (n is not None), (n, reply)
    stage.wait(lambda: celery.ask("stats")["pool"]["max-concurrency"] == 2)


def test_a_queue_is_added_for_every_worker_and_cancelled_again(pool, celery, stage, rabbit, vhost):
    stage.webhook()
    run = celery("control", "add_consumer", "extra", "-d", NODE)
    assert "add consumer extra" in run.stdout, run
    stage.wait(lambda: [c["prefetch_count"] for c in rabbit.list_consumers(vhost) if c["queue"] == "extra"] == [32, 32])
    made = rabbit.definitions(vhost)
    assert {"name": "extra", "type": "direct", "durable": True, "auto_delete": False, "internal": False} in made["exchanges"]
    assert {"name": "extra", "durable": True, "arguments": {}} in made["queues"]
    assert {"source": "extra", "kind": "queue", "destination": "extra", "key": "extra"} in made["bindings"]
    assert "extra" in {q["name"] for q in celery.ask("active_queues")}
    stage.plain({"scan_id": str(stage.scan.id), "event_type": "scan_done"}, "by-extra", queue="extra")
    stage.wait_arrivals(["by-extra"])
    stage.wait(lambda: [e["queue"] for e in stage.events("by-extra")] == ["extra"])
    assert celery.ask("cancel_consumer", queue="extra") == {"ok": "no longer consuming from extra"}
    stage.wait(lambda: not [c for c in rabbit.list_consumers(vhost) if c["queue"] == "extra"])
    stage.plain({"scan_id": str(stage.scan.id), "event_type": "scan_done"}, "left", queue="extra")
    stage.wait(lambda: rabbit.depth("extra", vhost) == 1)
    assert len(pool.events("worker_ready")) == 2, "no worker has connected anew"


def test_a_configured_queue_can_be_cancelled_and_taken_back_and_the_own_ones_cannot(pool, celery, stage, rabbit, vhost):
    stage.webhook()
    for queue in sorted(OURS | {"notify.dead", "notify.delay.3", "amq.direct"}):
        assert "error" in celery.ask("cancel_consumer", queue=queue) and "error" in celery.ask("add_consumer", queue=queue)
    assert "ok" in celery.ask("cancel_consumer", queue="notify")
    stage.wait(lambda: not [c for c in rabbit.list_consumers(vhost) if c["queue"] == "notify"])
    assert "notify" not in {q["name"] for q in celery.ask("active_queues")}
    event = stage.publish()
    time.sleep(1)
    assert stage.receiver.count("/hook") == 0 and rabbit.depth("notify", vhost) == 1
    assert "ok" in celery.ask("add_consumer", queue="notify")
    stage.wait_arrivals([event])


def test_added_queues_live_through_a_reload_and_a_broken_connection(pool, celery, stage, rabbit, vhost):
    assert "ok" in celery.ask("add_consumer", queue="extra")
    consumers = lambda: len([c for c in rabbit.list_consumers(vhost) if c["queue"] == "extra"])  # noqa: E731
    stage.wait(lambda: consumers() == 2)
    rabbit.close_connections()
    stage.wait(lambda: consumers() == 2)
    before = set(pool.workers())
    pool.signal(1)
    stage.wait(lambda: len(pool.workers()) == 2 and not before & set(pool.workers()), 30)
    stage.wait(lambda: consumers() == 2)
    stage.wait(celery.pings)
    assert not pool.events("presence_refused"), "the new agent has waited for the old one to be gone"


def test_a_queue_that_may_not_be_consumed_costs_the_others_nothing(pool, celery, stage, rabbit, vhost):
    import pika

    stage.webhook()
    holder = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    holder.channel().queue_declare("mine", exclusive=True)
    assert "ok" in celery.ask("add_consumer", queue="mine")
    pool.wait_event("queue_refused", count=2, queue="mine")
    stage.wait_arrivals([stage.publish()])
    assert not pool.events("broker_link_down")
    holder.close()
    assert "ok" in celery.ask("cancel_consumer", queue="mine") and "ok" in celery.ask("add_consumer", queue="mine")
    stage.wait(lambda: len([c for c in rabbit.list_consumers(vhost) if c["queue"] == "mine"]) == 2)


def test_a_shutdown_is_warm(stage, notifyd, celery, monitor):
    stage.webhook()
    stage.receiver.script("/hook", Answer(200, delay=1.0))
    one = shown(notifyd(QUICK))
    event = stage.publish()
    stage.receiver.wait_for(1, "/hook")
    run = celery("control", "shutdown", "-d", NODE)
    assert run.returncode == 69, "as for Celery's own workers, nobody replies"
    assert len(one.events("shutdown_asked")) == 1
    assert one.wait() == 0
    assert stage.arrivals() == {event: 1}
    stage.wait_settled(1)
    stage.wait(lambda: "worker-offline" in monitor.types())
    assert not monitor.state.workers[NODE].alive


def test_with_steer_off_the_pool_can_be_seen_and_not_changed(stage, notifyd, celery):
    one = shown(notifyd({"celery": {"steer": False}}))
    for method, arguments in (("pool_grow", {"n": 1}), ("add_consumer", {"queue": "q"}), ("cancel_consumer", {"queue": "notify"}),
                              ("shutdown", {})):
        reply = celery.control.broadcast(method, arguments=arguments, destination=[NODE], reply=True, timeout=2)
        assert method == "shutdown" or "celery.steer" in reply[0][NODE]["error"], reply
    assert celery.ask("ping") == {"ok": "pong"} and one.alive()


def test_what_the_pool_does_not_do_is_said(pool, celery):
    for method, arguments in (("rate_limit", {"task_name": "notify_event", "rate_limit": "10/m"}), ("autoscale", {"max": 4, "min": 1}),
                              ("time_limit", {"task_name": "notify_event", "soft": 1, "hard": 2}), ("pool_restart", {}),
                              ("revoke", {"task_id": "x", "terminate": False}), ("terminate", {"task_id": "x", "signal": "KILL"}),
                              ("add_consumer", {"queue": "q", "exchange": "other"}), ("add_consumer", {"queue": "x" * 256})):
        assert len(celery.ask(method, **arguments)["error"]) > 20, method
    assert celery.ask("nosuch") == {"error": "KeyError('nosuch')"}
    assert celery.ask("clock")["clock"] > 0
    assert celery.ask("hello", from_node=NODE, revoked={}) is None
    assert celery.ask("hello", from_node="native@x", revoked={})["revoked"] == {}


def test_patterns_choose_the_node(pool, celery):
    def answers(pattern, matcher="glob"):
        return celery.control.broadcast("ping", reply=True, timeout=1, pattern=pattern, matcher=matcher)

    for pattern in ("celery@*", "*", NODE[:-1] + "?", "[a-d]elery@*", "[!x]elery*"):
        assert answers(pattern) == [{NODE: {"ok": "pong"}}], pattern
    for pattern in ("celery", "x*", "[!c]*", "celery@", "[", "*" * 200 + "x"):
        assert answers(pattern) == [], pattern
    assert answers("celery@.*", "pcre") == [{NODE: {"ok": "pong"}}] and answers("elery", "pcre") == []
    assert "understood" in answers(r"celery@\w+", "pcre")[0][NODE]["error"]


# --- events

def test_heartbeats_and_the_worker_as_a_monitor_sees_it(stage, monitor, notifyd):
    one = shown(notifyd(QUICK))
    stage.wait(lambda: monitor.types().count("worker-heartbeat") >= 3)
    assert monitor.types().count("worker-online") == 1
    worker = monitor.state.workers[NODE]
    assert worker.alive and worker.freq == 0.5 and worker.sw_ident == "pencheff-notify" and len(worker.loadavg) == 3
    beat = [e for e in monitor.seen if e["type"] == "worker-heartbeat"][-1]
    assert "utcoffset" not in beat and beat["active"] == 0 and beat["processed"] == 0 and beat["clock"] > 0
    clocks = [e["clock"] for e in monitor.seen]
    assert clocks == sorted(clocks)
    one.terminate()
    one.wait()
    stage.wait(lambda: monitor.types()[-1] == "worker-offline")


def test_the_life_of_a_task_is_told_after_enable_events_and_not_before(pool, celery, stage, monitor):
    stage.webhook()
    stage.wait_arrivals([stage.publish()])
    time.sleep(0.5)
    assert not [t for t in monitor.types() if t.startswith("task")]
    assert "task events enabled" in celery("control", "enable_events").stdout
    assert celery.ask("enable_events") == {"ok": "task events already enabled"}
    good = stage.publish()
    stage.wait(lambda: "task-succeeded" in monitor.types(good))
    assert monitor.types(good) == ["task-received", "task-started", "task-succeeded"]
    task = monitor.state.tasks[good]
    assert task.state == "SUCCESS" and task.name.endswith("notify_event") and task.worker.hostname == NODE
    assert task.args == f"('{stage.scan.id}', 'finding_new')" and task.kwargs == f"{{'finding_id': '{stage.high}'}}"
    assert 0 < task.runtime < 30 and task.result == "{'matched': 1}" and task.root_id == good
    stage.receiver.script("/hook", Answer(500), Answer(400))
    bad = stage.publish()
    stage.wait(lambda: "task-failed" in monitor.types(bad))
    assert monitor.types(bad) == ["task-received", "task-started", "task-retried"] + ["task-received", "task-started", "task-failed"]
    assert monitor.state.tasks[bad].state == "FAILURE" and "NotifyDead('" in monitor.state.tasks[bad].exception
    assert monitor.state.tasks[bad].retries == 1
    stage.plain({"scan_id": "no", "event_type": "scan_done"}, "unreadable")
    stage.wait(lambda: "task-rejected" in monitor.types("unreadable"))
    assert celery.ask("disable_events") == {"ok": "task events disabled"}
    quiet = stage.publish()
    stage.wait(lambda: stage.arrivals()[quiet])
    time.sleep(0.5)
    assert monitor.types(quiet) == []


def test_the_dump_of_events_shows_them(pool, celery, stage, tmp_path):
    import subprocess
    import sys

    stage.webhook()
    celery.ask("enable_events")
    with open(tmp_path / "dump", "wb") as out:
        dump = subprocess.Popen([sys.executable, "-B", "-u", "-m", "celery", "-A", "desk", "events", "--dump"], cwd=celery.folder, stdout=out)
    try:
        stage.wait(lambda: NODE in (tmp_path / "dump").read_text())
        event = stage.publish()
        stage.wait(lambda: event in (tmp_path / "dump").read_text())
    finally:
        dump.terminate()
        dump.wait(10)
    assert "Traceback" not in (tmp_path / "dump").read_text()


# --- beside others

def test_a_native_worker_beside_it_is_listed_too_and_goes_on_undisturbed(pool, celery, stage):
    native = celery.worker()
    log = celery.folder / "native.log"
    assert "mingle: sync with 1 nodes" in log.read_text()
    status = plain(celery("status", "--timeout", "3").stdout)
    assert f"{NODE}: OK" in status and "native@" in status and "2 nodes online" in status
    assert set(celery.control.inspect(timeout=3).ping()) == {NODE, NODE.replace("celery", "native")}
    celery.app.send_task("desk.add", (1, 2), queue="native")
    stage.wait(lambda: "succeeded" in log.read_text())
    assert celery.ask("pool_grow", n=1) and native.exit_code() is None
    stage.wait(lambda: len(celery.ask("stats")["pool"]["processes"]) == 3)
    text = log.read_text()
    assert "Traceback" not in text and "ERROR" not in text and "drift" not in text and "missed" not in text, text


def test_a_lost_connection_comes_back_with_the_queue_as_celery_has_it(stage, celery, rabbit, vhost, pool):
    rabbit.close_connections()
    pool.wait_event("presence_shown", 30, count=2)
    stage.wait(celery.pings)
    queue = [q for q in rabbit.definitions(vhost)["queues"] if q["name"] == f"{NODE}.celery.pidbox"]
    assert queue == [{"name": f"{NODE}.celery.pidbox", "durable": False, "arguments": {"x-expires": 10000, "x-message-ttl": 300000}}]


def test_a_broker_that_restarts_has_it_back(stage, notifyd, server_folder, tmp_path):
    with RabbitServer(server_folder / "presence") as server:  # whose transient exchanges are gone then
        one = shown(notifyd({**QUICK, "broker": {"url": server.url, "heartbeat": 10, "reconnect_max": 1.0}}))
        side = CelerySide(tmp_path / "side", server.url)
        assert side.pings()
        server.restart()
        one.wait_event("presence_shown", 60, count=2)
        stage.wait(side.pings)
        side.close()
        one.terminate()
        assert one.wait() == 0


def test_a_second_pool_with_the_name_says_so_and_works_on(pool, stage, notifyd, celery):
    stage.webhook()
    second = notifyd(QUICK)
    [refused] = second.wait_event("presence_refused")
    assert refused["code"] == "405" and "celery.node" in refused["advice"]
    time.sleep(2.5)
    assert len(second.events("presence_refused")) == 1, "it is said once"
    stage.wait_arrivals([stage.publish() for _ in range(20)])
    assert len(celery.control.inspect(timeout=1).ping()) == 1
    pool.terminate()
    pool.wait()
    second.wait_event("presence_shown")
    assert celery.ask("stats")["pid"] == second.pid


def test_two_pools_with_two_names_are_two_workers(pool, notifyd, celery):
    shown(notifyd({"celery": {"node": "second@%h"}}))
    assert set(celery.control.inspect(timeout=2).ping()) == {NODE, NODE.replace("celery@", "second@")}


def test_with_presence_off_nothing_is_declared_or_sent(stage, notifyd, rabbit, vhost):
    stage.webhook()
    notifyd({"celery": {"presence": False}})
    stage.wait_arrivals([stage.publish()])
    made = rabbit.definitions(vhost)
    assert not [x for kind in ("exchanges", "queues") for x in made[kind] if "pidbox" in x["name"] or "celery" in x["name"]]
    assert not [c for c in rabbit.list_connections(vhost) if "presence" in (c["connection_name"] or "")]


def test_an_exchange_that_differs_costs_the_pool_nothing(stage, notifyd, celery):
    import pika

    stage.webhook()
    with pika.BlockingConnection(pika.URLParameters(stage.broker_url)) as connection:
        connection.channel().exchange_declare("celery.pidbox", "direct", durable=True)
        one = notifyd(QUICK)
        [refused] = one.wait_event("presence_refused")
        assert refused["code"] == "406" and refused["what"] == "celery.pidbox"
        stage.wait_arrivals([stage.publish()])
        connection.channel().exchange_delete("celery.pidbox")
        one.wait_event("presence_shown")
    assert len(one.events("presence_refused")) == 1 and not one.events("broker_link_down")


def test_a_user_without_rights_on_it_has_a_pool_that_delivers(stage, notifyd, rabbit, vhost):
    stage.webhook()
    rabbit.evaluate(f'[rabbit_auth_backend_internal:add_user(<<"limited">>, <<"pw">>, <<"test">>), '
                    f'rabbit_auth_backend_internal:set_permissions(<<"limited">>, <<"{vhost}">>, <<"^notify.*">>, <<"^notify.*|^$|amq.default">>, '
                    f'<<"^notify.*">>, <<"test">>)]')
    url = f"amqp://limited:pw@{stage.broker_url.split('@')[1]}"
    one = notifyd({**QUICK, "broker": {"url": url, "heartbeat": 10}})
    [refused] = one.wait_event("presence_refused")
    assert refused["code"] == "403" and "celery.presence" in refused["advice"]
    stage.wait_arrivals([stage.publish()])
    time.sleep(2.5)
    assert len(one.events("presence_refused")) == 1 and not one.events("broker_link_down")
    rabbit.evaluate('rabbit_auth_backend_internal:delete_user(<<"limited">>, <<"test">>)')


# --- what is hostile

HOSTILE = [
    b"", b"null", b"[]", b"{", b"{}", b'{"method":1}', b'{"method":"ping","destination":1}', b'{"method":"ping","arguments":[1]}',
    b"[" * 5000, b'{"method":"' + b"x" * 70000 + b'"}', b'{"method":"ping\\u0000"}', b"\xff\xfe", b'{"method":"ping","reply_to":[]}',
    b'{"method":"ping","reply_to":{"exchange":"amq.direct","routing_key":"x"}}', b'{"method":"ping","reply_to":{"exchange":"","routing_key":"notify"}}',
    b'{"method":"ping","reply_to":{"exchange":"no.such","routing_key":"x"}}',
    b'{"method":"ping","reply_to":{"exchange":"reply.celery.pidbox","routing_key":"nobody"},"ticket":{"a":1}}',
    b'{"method":"ping","reply_to":{"exchange":"reply.celery.pidbox","routing_key":"' + b"k" * 300 + b'"}}',
    b'{"method":"pool_grow","arguments":{"n":1e308},"reply_to":{"exchange":"reply.celery.pidbox","routing_key":"nobody"}}',
    b'{"method":"add_consumer","arguments":{"queue":["a"]}}', b'{"method":"add_consumer","arguments":{"queue":""}}',
    b'{"method":"ping","pattern":"(((((a*)*)*)*)*)*$","matcher":"pcre"}', b'{"method":"ping","pattern":"[[[[","matcher":"pcre"}',
    b'{"method":"query_task","arguments":{"ids":{"a":1}}}', b'{"method":"hello","arguments":{"from_node":5}}',
]


def test_hostile_requests_change_nothing(pool, celery, stage, rabbit, vhost):
    import pika

    before = rabbit.definitions(vhost)
    with pika.BlockingConnection(pika.URLParameters(stage.broker_url)) as connection:
        channel = connection.channel()
        for body in HOSTILE:
            for headers in (None, {"clock": -5}, {"clock": "x"}, {"clock": 2**62}):
                channel.basic_publish("celery.pidbox", "", body, pika.BasicProperties(headers=headers))
    stage.wait(celery.pings, 15)
    assert celery.ask("clock")["clock"] < 100000
    assert celery.ask("stats")["pool"]["max-concurrency"] == 2
    assert not pool.events("broker_link_down") and rabbit.depth("notify", vhost) == 0
    after = rabbit.definitions(vhost)
    assert {q["name"] for q in after["queues"]} - {q["name"] for q in before["queues"]} <= {
        q["name"] for q in after["queues"] if q["name"].endswith(".reply.celery.pidbox")}


def test_a_flood_of_requests_is_dropped_and_the_pool_delivers(pool, celery, stage):
    import pika

    stage.webhook()
    with pika.BlockingConnection(pika.URLParameters(stage.broker_url)) as connection:
        channel = connection.channel()
        for _ in range(5000):
            channel.basic_publish("celery.pidbox", "", b'{"method":"stats","reply_to":{"exchange":"reply.celery.pidbox","routing_key":"x"}}')
        stage.wait_arrivals([stage.publish() for _ in range(10)])
    pool.wait_event("remote_control_flood")
    stage.wait(celery.pings, 15)
    assert pool.alive() and not pool.events("broker_link_down") and os.path.exists(f"/proc/{pool.pid}")


def test_many_messages_in_hand_are_listed_as_far_as_a_reply_takes(stage, notifyd, celery):
    stage.webhook()
    stage.receiver.script("/hook", Answer(200, held=True))
    shown(notifyd({**QUICK, **HELD, "broker": {"prefetch": 1000}, "workers": 1}))
    from sandbox import bulk

    bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(450)))
    stage.wait(lambda: len(celery.ask("active")) > 100)
    assert all(set(task) >= TASK_FIELDS for task in celery.ask("active"))
    stage.receiver.release()
    stage.wait_settled(450, 60)


# --- notifyctl queue

def test_notifyctl_lists_adds_and_removes_queues(pool, ctl, stage, rabbit, vhost):
    listed = ctl("queue", "list")
    assert listed.code == 0 and f"{NODE}  notify\n" in listed.out and f"{NODE}  notify.due\n" in listed.out, listed
    assert ctl("queue", "add", "extra", "--node", NODE).out == f"{NODE}  add consumer extra\n"
    stage.wait(lambda: len([c for c in rabbit.list_consumers(vhost) if c["queue"] == "extra"]) == 2)
    answer = ctl("queue", "list", "--json", "--wait", "0.5").json()
    assert "extra" in {q["name"] for q in answer[NODE]}
    assert ctl("queue", "remove", "extra").out == f"{NODE}  no longer consuming from extra\n"
    stage.wait(lambda: not [c for c in rabbit.list_consumers(vhost) if c["queue"] == "extra"])
    refused = ctl("queue", "remove", "notify.due")
    assert refused.code == 1 and "notify.due is a queue of the pool's own" in refused.out, refused


def test_notifyctl_says_what_may_be_wrong_when_no_node_answers(pool, ctl):
    silent = ctl("queue", "list", "--node", "celery@elsewhere")
    assert silent.code == 1 and "celery.presence" in silent.err and "celery.node" in silent.err, silent
    assert ctl("queue", "add").code == 2 and ctl("queue", "list", "--wait", "61").code == 2
    away = ctl("queue", "list", broker={"url": "amqp://u:p@127.0.0.1:1"})
    assert away.code == 75 and "notifyctl: broker: " in away.err, away

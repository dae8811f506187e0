"""The figures that notifyd tells of itself: what Prometheus's own checker thinks of them, and whether they are true."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest
from exposition import ROOT, check_scrapes, listed, parse, promtool, value
from sandbox import producer
from sandbox.answers import Answer
from sandbox.processes import wait_until
from test_agent import get
from test_all_kinds import settings

pytestmark = pytest.mark.usefixtures("counted")

FILTERED = ("disabled", "target", "event", "target_kind", "severity")


def ask(one):
    """What it says now, accepted by promtool and by our stricter rules."""
    text = one.metrics()
    promtool(text)
    return parse(text)


def test_an_idle_pool_shows_every_figure_that_has_no_labels_and_those_that_may_count(stage, notifyd, figure_words, build):
    one = notifyd()
    wait_until(lambda: value(parse(one.metrics()), "workers_with_database") == 2, 5, "both are connected")
    found = ask(one)
    metrics, words = listed(figure_words[0])
    named = {re.sub("_(bucket|sum|count)$", "", name) for name, _ in found}
    assert set(metrics) - named == {name for name, (kind, labels) in metrics.items() if kind == "histogram" and labels} - named
    assert value(found, "workers") == value(found, "workers_consuming") == 2 and value(found, "healthy") == 1
    assert value(found, "deliveries_dead_total") == 0
    assert {dict(labels)["kind"] for name, labels in found if name == "notify_deliveries_dead_total"} == words["kind"]
    assert value(found, "connections_made_total", server="broker") == 5 and value(found, "connections_made_total", server="database") == 4
    version = subprocess.run([build / "notifyd", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert found["notify_build_info", frozenset({("version", version)})] == 1
    assert 0 <= time.time() - value(found, "start_time_seconds") < 60 and value(found, "last_message_timestamp_seconds") == 0
    for process in words["process"]:
        assert 2**20 < value(found, "resident_memory_most_bytes", process=process) <= value(found, "resident_memory_bytes", process=process)
    assert value(found, "resident_memory_bytes", process="worker") > value(found, "resident_memory_most_bytes", process="worker")


def test_each_kind_counts_for_itself_and_each_stage_of_the_filters(stage, notifyd):
    kinds = settings(stage.receiver.url)
    for kind, (path, config) in kinds.items():
        stage.receiver.script(f"{path}*", Answer(like=kind))
        stage.integration(config, kind=kind, name=kind)
    stage.webhook("/no", enabled=False)
    stage.webhook("/no", severity_filter="critical")
    stage.webhook("/no", events=["scan_done"])
    stage.webhook("/no", target_ids=["11111111-1111-4111-8111-111111111111"])
    stage.webhook("/no", target_kinds=["mobile"])
    one = notifyd({"gate": {f"rate_{kind}": 0.0 for kind in kinds}})
    ids = [stage.publish() for _ in range(3)]
    stage.wait(lambda: len([d for d in stage.deliveries() if d["state"] == "delivered"]) == len(ids) * len(kinds))
    stage.publish("scan_started", scan_id="22222222-2222-4222-8222-222222222222")
    stage.wait(lambda: one.counter("messages_settled") >= 4)
    found = ask(one)
    for kind in kinds:
        assert value(found, "deliveries_delivered_total", kind=kind) == len(ids) == value(found, "delivery_seconds_count", kind=kind)
        assert value(found, "requests_total", kind=kind) == value(found, "request_seconds_count", kind=kind) >= len(ids)
        assert 0 < value(found, "request_seconds_sum", kind=kind) < 30
    assert value(found, "deliveries_delivered_total", kind="unknown") == 0
    assert {stage_: value(found, "deliveries_filtered_total", stage=stage_) for stage_ in FILTERED} == dict.fromkeys(FILTERED, len(ids))
    row = stage.database.query("SELECT sum(filtered_disabled), sum(filtered_target), sum(filtered_event), sum(filtered_target_kind),"
                               " sum(filtered_severity) FROM notify.events")[0]
    assert set(row) == {len(ids)}
    assert value(found, "first_attempt_seconds_count") == len(ids) * len(kinds)
    assert value(found, "messages_received_total", queue="producers") == 4 and value(found, "events_not_found_total") >= 1
    assert value(found, "rules_misses_total") >= 1 <= value(found, "rules_workspaces") <= 2 and value(found, "rules_bytes") > 1000
    assert value(found, "rules_hits_total") + value(found, "rules_misses_total") >= len(ids)
    assert value(found, "gate_windows") >= len(kinds) and value(found, "gate_waiting") == value(found, "requests_in_flight") == 0
    assert 0 <= time.time() - value(found, "last_message_timestamp_seconds") < 30
    assert value(found, "database_batch_items_count", batch="ledger") == value(found, "database_requests_total", batch="ledger") \
        == value(found, "database_round_trip_seconds_count", batch="ledger") > 0
    assert value(found, "database_batch_items_sum", batch="lookup") >= 4
    assert value(found, "broker_round_trip_seconds_count") == value(found, "publishes_confirmed_total") >= 1


def test_a_destination_that_fails_shows_as_retried_then_dead_by_reason(stage, notifyd):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=500))
    stage.receiver.script("/gone", Answer(status=410))
    one = notifyd({"retry": {"base": 0.1, "max_attempts": 2, "jitter": 0.0}, "gate": {"circuit_least": 0}})
    stage.publish()
    stage.wait(lambda: [d["state"] for d in stage.deliveries()] == ["dead"])
    stage.database.execute("DELETE FROM integrations")
    stage.integration({"webhook_url": stage.receiver.url("/gone/slack")}, kind="webhook", name="gone")
    stage.receiver.script("/gone/slack", Answer(status=410))
    stage.publish()
    stage.plain({"scan_id": "no uuid", "event_type": "scan_done"}, "bad-one")
    stage.wait(lambda: one.counter("messages_rejected") == 1 and one.counter("deliveries_dead") == 2)
    found = ask(one)
    assert value(found, "deliveries_dead_total", kind="webhook", reason="attempts_exhausted") == 1
    assert value(found, "deliveries_dead_total", kind="webhook", reason="gone") == 1
    assert value(found, "deliveries_retried_total", kind="webhook") == 1 and value(found, "requests_total") == 3
    assert value(found, "messages_rejected_total", reason="bad_id") == 1
    assert value(found, "messages_received_total", queue="notify.due") == 1
    assert value(found, "integrations_broken_total") == 1


def test_a_circuit_that_is_open_and_a_full_mailbox_show(stage, notifyd):
    hook = stage.webhook()
    stage.receiver.script("/hook", Answer(status=503))
    one = notifyd({"gate": {"circuit_least": 2, "circuit_pause": 60.0, "patience": 0.5}, "retry": {"base": 30.0}})
    for _ in range(6):
        stage.publish()
    stage.wait(lambda: one.counter("circuits_opened", kind="webhook") == 1 and one.counter("deliveries_deferred", kind="webhook") >= 1, 20)
    found = ask(one)
    assert value(found, "circuits_open") == 1 == value(found, "mailboxes")
    stage.database.execute("DELETE FROM integrations WHERE id = %s", (hook.id,))


def test_what_a_message_says_of_its_time_counts_for_the_first_attempt(stage, notifyd):
    """Celery's producers say nothing; whoever sets the AMQP timestamp is believed, within reason."""
    import pika

    stage.webhook()
    one = notifyd({"workers": 1})
    event = stage.event()
    body, properties = producer.celery_message(event)
    for number, sent in enumerate((int(time.time()) - 100, 1, int(time.time()) + 5000)):
        headers = {**properties.headers, "id": f"{event.id}-{number}"}
        producer.publish_raw(stage.broker_url, "notify", body, pika.BasicProperties(
            content_type="application/json", content_encoding="utf-8", headers=headers, timestamp=sent, correlation_id=headers["id"]))
    stage.wait(lambda: one.counter("deliveries_delivered") == 3)
    found = ask(one)
    assert 99 < value(found, "first_attempt_seconds_sum") < 130 and value(found, "first_attempt_seconds_count") == 3
    assert value(found, "delivery_seconds_sum") < 30


def test_workers_that_end_are_counted_by_cause_and_take_no_count_with_them(stage, notifyd):
    stage.webhook()
    one = notifyd({"watchdog": 5.0})
    stage.publish()
    stage.wait_settled(1)
    before = ask(one)
    victim = one.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: one.counter("worker_restarts", cause="crash") == 1 and len(one.workers()) == 2, 15, "killed and replaced")
    os.kill(one.workers()[0], signal.SIGSTOP)
    wait_until(lambda: one.counter("worker_restarts", cause="watchdog") == 1 and len(one.workers()) == 2, 15, "stopped and replaced")
    os.kill(one.workers()[0], signal.SIGTERM)
    wait_until(lambda: one.counter("worker_restarts", cause="recycled") == 1 and len(one.workers()) == 2, 15, "asked to drain, and replaced")
    one.signal(signal.SIGHUP)
    one.wait_event("agent_listening", count=2)  # the new agent, when the old one has left the port
    wait_until(lambda: one.counter("worker_restarts", cause="reload") == 2 and len(one.workers()) == 2, 15, "reloaded")
    wait_until(lambda: one.counter("agent_restarts", cause="reload") == 1, 15, "and the agent")
    found = ask(one)
    for name in ("deliveries_delivered_total", "messages_received_total", "messages_settled_total", "request_seconds_count"):
        assert value(found, name) == value(before, name) == 1
    assert value(found, "worker_restarts_total", cause="memory") == 0
    assert value(found, "workers") == 2 and value(found, "resident_memory_bytes", process="worker") < 2**30
    assert value(found, "last_message_timestamp_seconds") == pytest.approx(value(before, "last_message_timestamp_seconds"), abs=0.5)


def test_a_draining_pool_and_one_under_load_answer_well(stage, notifyd):
    stage.webhook()
    stage.receiver.script("/hook", Answer(delay=0.5))
    one = notifyd({"workers": 2, "gate": {"patience": 3600.0, "line": 65535}})
    ids = [stage.publish() for _ in range(60)]
    stage.wait(lambda: value(parse(one.metrics()), "requests_in_flight") > 0)
    loaded = ask(one)
    assert value(loaded, "messages_in_hand") > 0 and value(loaded, "deliveries_unwritten") >= 0
    for worker in one.workers():
        os.kill(worker, signal.SIGTERM)
    wait_until(lambda: value(parse(one.metrics()), "workers_draining") > 0, 5, "they drain")
    ask(one)
    stage.wait_settled(len(ids), 40)
    assert value(ask(one), "deliveries_delivered_total") == len(ids)


def test_servers_that_are_away_are_seen_and_make_nobody_restart_the_pool(stage, notifyd, rabbit, vhost):
    stage.webhook()
    one = notifyd({"agent": {"not_consuming": 1.0}, "broker": {"heartbeat": 2}})
    user = stage.broker_url.split("//")[1].split(":")[0]
    stage.database.server.execute(f"ALTER DATABASE {stage.database.name} ALLOW_CONNECTIONS false")
    try:
        stage.database.server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (stage.database.name,))
        wait_until(lambda: value(parse(one.metrics()), "workers_with_database") == 0, 10, "without a database")
        ask(one)
        rabbit.ctl("clear_permissions", "-p", vhost, user)
        rabbit.close_connections()
        wait_until(lambda: value(parse(one.metrics()), "workers_consuming") == 0, 10, "without a broker")
        found = ask(one)
        assert value(found, "connections_lost_total", server="database") >= 3 and value(found, "connections_lost_total", server="broker") >= 4
        time.sleep(6)  # longer than it may last while the broker is there
        assert get(one, "/healthz")[0] == 200 and get(one, "/readyz")[0] == 503
    finally:
        rabbit.ctl("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
        stage.database.server.execute(f"ALTER DATABASE {stage.database.name} ALLOW_CONNECTIONS true")
    wait_until(lambda: get(one, "/readyz")[0] == 200, 15, "ready again")
    assert value(ask(one), "healthy") == 1


def test_a_pool_that_is_let_in_and_may_not_consume_is_unhealthy_and_says_so(stage, notifyd, rabbit, vhost):
    one = notifyd({"agent": {"not_consuming": 5.0}, "broker": {"heartbeat": 2, "reconnect_max": 1.0}})
    user = stage.broker_url.split("//")[1].split(":")[0]
    rabbit.ctl("set_permissions", "-p", vhost, user, ".*", ".*", "^$")
    began = time.monotonic()
    rabbit.close_connections()
    wait_until(lambda: value(parse(one.metrics()), "workers_consuming") == 0, 5, "nobody consumes")
    assert get(one, "/healthz")[0] == 200
    wait_until(lambda: get(one, "/healthz")[0] == 503, 15, "that it is seen")
    assert time.monotonic() - began >= 5
    words = get(one, "/healthz")[1]
    assert words.startswith("not consuming\nfor ") and "broker_link_down" in words and "consuming from the broker 0" in words
    [line] = one.wait_event("not_consuming")
    assert "workers run and do not come to consume" in line["why"] and value(ask(one), "healthy") == 0
    rabbit.ctl("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
    wait_until(lambda: get(one, "/healthz")[0] == 200, 15, "healthy again")
    one.wait_event("healthy")


def test_a_crash_loop_is_counted_and_unhealthy(stage, notifyd):
    """First by a message that kills whoever reads it, then workers that end before they come to consume."""
    one = notifyd({"agent": {"not_consuming": 1.0}, "broker": {"heartbeat": 2}}, env={"NOTIFY_FAULT": "decode=1/POISON"})
    stage.plain({"scan_id": stage.scan.id, "event_type": "scan_done", "error": "POISON"}, "killer")
    stage.wait(lambda: one.counter("messages_rejected", reason="killed_worker") == 1, 30)
    assert one.counter("worker_restarts", cause="crash") == 3
    ask(one)
    agent = {int(e["child"]) for e in one.events("child_started") if e["role"] == "agent"}
    asked = end = time.monotonic()
    while get(one, "/healthz")[0] == 200 and time.monotonic() < end + 20:
        while time.monotonic() < asked + 0.25:
            for child in one.children():
                if child.pid not in agent:
                    os.kill(child.pid, signal.SIGKILL)
            time.sleep(0.005)
        asked = time.monotonic()
    status, words = get(one, "/healthz")
    assert status == 503 and "child_ended" in words, words
    found = ask(one)
    assert value(found, "worker_restarts_total", cause="crash") >= 6 and value(found, "healthy") == 0
    wait_until(lambda: get(one, "/healthz")[0] == 200, 40, "healthy when they live")


def test_the_page_of_metrics_is_what_notifyd_prints(figure_words, build):
    page = (ROOT / "docs/metrics.md").read_text()
    assert page.endswith(figure_words[0]), "put the output of notifyd --help-metrics=markdown at the end of docs/metrics.md"
    shown = subprocess.run([build / "notifyd", "--help-metrics"], capture_output=True, text=True, check=True).stdout
    metrics, words = listed(figure_words[0])
    for name in metrics:
        assert f"\n{name} (" in f"\n{shown}"
    kinds = re.findall(r"^ +ROW\(A, (\w+),", (ROOT / "common/base/kind_table.h").read_text(), re.M)
    assert words["kind"] == {*kinds, "unknown"}


def test_a_bad_exposition_does_not_pass():
    good = '# HELP notify_x_total x\n# TYPE notify_x_total counter\nnotify_x_total{kind="a"} 1\n'
    parse(good)
    histogram = ('# HELP notify_t_seconds x\n# TYPE notify_t_seconds histogram\nnotify_t_seconds_bucket{le="1"} 2\n'
                 'notify_t_seconds_bucket{le="+Inf"} 3\nnotify_t_seconds_sum 4\nnotify_t_seconds_count 3\n')
    parse(histogram)
    for bad in (good.replace("_total{", "{"), good + good, good.replace(" 1\n", " NaN\n"), good.replace("counter", "gauge"), good[:-1],
                good.replace('{kind="a"}', '{kind="a",kind="b"}'), good + 'notify_x_total{kind="a"} 2\n', good.replace(" x\n", "\n", 1),
                good + "notify_y 1\n", histogram.replace('"} 2', '"} 4'), histogram.replace("count 3", "count 4"),
                histogram.replace('notify_t_seconds_bucket{le="+Inf"} 3\n', "")):
        with pytest.raises(AssertionError):
            parse(bad)


class Said:
    """A notifyd that has said this and answers no more."""

    def __init__(self, *scrapes: str) -> None:
        self.scrapes = list(scrapes)

    def metrics(self, timeout: float) -> str:
        raise OSError


def test_a_counter_that_falls_or_has_a_word_of_no_list_does_not_pass(figure_words):
    said = "# HELP notify_requests_total x\n# TYPE notify_requests_total counter\nnotify_requests_total{{kind=\"{}\"}} {}\n"
    check_scrapes(Said(said.format("jira", 1), said.format("jira", 2)), *figure_words, False)
    for scrapes in ((said.format("jira", 2), said.format("jira", 1)), (said.format("mine", 1),), (said.format("jira", 1).replace("requests", "mine"),)):
        with pytest.raises(AssertionError):
            check_scrapes(Said(*scrapes), *figure_words, False)

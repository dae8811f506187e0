"""notify_scan_findings: the end of a scan and each of its findings become events, worst first, each once."""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from expansion import RANKS, expected_ids, in_state, row_of, task, wait_expanded, worst_first
from expansion import tap  # noqa: F401 (a fixture)
from sandbox import producer, seed
from stage import dead_letters

SPELLINGS = ["critical", "CRITICAL", "Critical", "high", "High", "hIgH", "medium", "MEDIUM", "low", "Low", "info", "INFO",
             "informational", "none", "", " high", "high ", "critical\n", "crit", "CRİTICAL", "crıtical", "hıgh", "ｈｉｇｈ",
             "MEDIUm", "unknown", "4", "null", "low\t"]


def publish(stage, scan_id: str, *, protocol: int = 2, **options) -> str:
    return producer.publish_event(stage.broker_url, task(scan_id, **options), protocol=protocol)


def test_a_scans_findings_are_published_worst_first_with_the_critical_ones_apart(stage, notifyd, tap):
    stage.webhook(severity_filter="info")
    scan = seed.add_scan(stage.connection, stage.target)
    severities = [random.choice(["critical", "HIGH", "medium", "low", "info", "odd"]) for _ in range(60)]
    found = seed.add_findings(stage.connection, scan, severities)
    hidden = seed.add_findings(stage.connection, scan, ["critical", "high"], suppressed=True)
    notifyd({"expand": {"page": 7}})
    began = time.time()
    task_id = publish(stage, scan.id)
    row = wait_expanded(stage, task_id)
    order = worst_first(found)
    critical = sum(1 for s in severities if s == "critical")
    assert tap.ids("notify.urgent") == [f"{task_id}.scan_done"] + [f"{task_id}.{i}" for i in order[:critical]]
    assert tap.ids("notify.bulk") == [f"{task_id}.{i}" for i in order[critical:]]
    assert (row["event_type"], row["published"], row["published_id"]) == ("notify_scan_findings", 61, order[-1])
    assert row["published_rank"] == 0 and row["workspace_id"] == stage.workspace.id and row["finished_at"]
    for _, headers, _ in tap.messages["notify.bulk"] + tap.messages["notify.urgent"]:
        assert headers["x-notify-queue"] == "notify" and headers["x-notify-attempt"] == 1
        assert began - 1 < headers["x-notify-first-seen"] / 1000 < time.time() and "x-notify-expand" not in headers
    seen = stage.wait_arrivals(expected_ids(task_id, found))
    assert set(seen.values()) == {1} and not any(f"{task_id}.{f.id}" in seen for f in hidden)
    bodies = {json.loads(r.body)["id"]: json.loads(r.body) for r in stage.receiver.requests("/hook")}
    assert bodies[f"{task_id}.scan_done"]["event"] == "scan_done" and not bodies[f"{task_id}.scan_done"]["finding"]
    assert bodies[f"{task_id}.{order[0]}"]["event"] == "finding_new"
    assert stage.deliveries(task_id) == []


def test_a_scan_without_findings_is_only_done(stage, notifyd, tap):
    stage.webhook()
    scan = seed.add_scan(stage.connection, stage.target)
    notifyd()
    task_id = publish(stage, scan.id)
    row = wait_expanded(stage, task_id)
    assert tap.ids() == [f"{task_id}.scan_done"] and (row["published"], row["published_id"]) == (1, None)
    assert list(stage.wait_arrivals([f"{task_id}.scan_done"])) == [f"{task_id}.scan_done"]


@pytest.mark.parametrize("count", [6, 7])
def test_pages_that_fit_exactly_are_told_from_those_that_do_not(stage, notifyd, tap, count):
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, ["low"] * count)
    notifyd({"expand": {"page": 3}})
    task_id = publish(stage, scan.id)
    assert wait_expanded(stage, task_id)["published"] == count + 1
    assert tap.counts() == dict.fromkeys(expected_ids(task_id, found), 1)


def test_more_findings_than_are_read_at_once(stage, notifyd, tap):
    """10,000 are read ahead; those behind them are read from the place in the row."""
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, ["high", "low"] * 5100)
    notifyd({"workers": 1, "expand": {"page": 3000}})
    task_id = publish(stage, scan.id)
    assert wait_expanded(stage, task_id)["published"] == 10_201
    assert tap.ids("notify.bulk") == [f"{task_id}.{i}" for i in worst_first(found)]
    stage.wait(lambda: in_state(stage, task_id) == 10_201, 60)


def test_every_spelling_of_a_severity_ranks_in_the_database_as_it_does_for_the_filters(stage, notifyd, tap, build):
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, SPELLINGS)
    sql = subprocess.run([build / "tests" / "unit" / "statements_tool"], capture_output=True, text=True, check=True).stdout
    rank = re.search(r"SELECT f\.id, (coalesce\(.*? - 1) AS rank", sql).group(1)
    in_database = {i: r for i, r in stage.database.query(f"SELECT f.id::text, {rank} FROM findings f WHERE scan_id = %s", (scan.id,))}
    for finding in found:
        lines = "".join(json.dumps({
            "integration": {"id": str(uuid.uuid4()), "workspace_id": str(uuid.uuid4()), "name": "n", "kind": "webhook",
                            "enabled": "t", "severity_filter": level}, "event_type": "finding_new",
            "target_id": str(uuid.uuid4()), "target_kind": "url", "severity": finding.severity}) + "\n" for level in RANKS)
        verdicts = subprocess.run([build / "tests" / "unit" / "match_tool"], input=lines, capture_output=True, text=True,
                                  check=True).stdout.split()
        by_filter = max(rank for rank, verdict in zip(RANKS.values(), verdicts) if verdict == "fires")
        assert in_database[finding.id] == by_filter, repr(finding.severity)
    notifyd()
    task_id = publish(stage, scan.id)
    wait_expanded(stage, task_id)
    assert {i.removeprefix(f"{task_id}.") for i in tap.ids("notify.urgent")} == {"scan_done"} | {
        i for i, r in in_database.items() if r == 4}


@pytest.mark.parametrize("protocol", [1, 2])
def test_celerys_own_delay(stage, notifyd, tap, protocol):
    notifyd()
    celery = producer.celery_app(stage.broker_url, protocol=protocol)
    task_id = celery.notify_scan_findings.delay(stage.scan.id).id
    celery.app.close()
    wait_expanded(stage, task_id)
    assert tap.counts() == dict.fromkeys(expected_ids(task_id, list(stage.findings.values())), 1)


def test_a_long_task_id_becomes_digits_in_the_ids_of_its_events(stage, notifyd, tap):
    notifyd()
    task_id = publish(stage, stage.scan.id, id="ü" * 100)
    wait_expanded(stage, task_id)
    digits = hashlib.sha256(task_id.encode()).hexdigest()[:32]
    assert set(tap.ids()) == expected_ids(digits, list(stage.findings.values()))


def test_a_task_that_comes_twice_is_expanded_once(stage, notifyd, tap):
    stage.webhook(severity_filter="info")
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, ["high"] * 300)
    notifyd({"workers": 3, "expand": {"page": 50}})
    one = task(scan.id)
    for _ in range(4):
        producer.publish_event(stage.broker_url, one)
    wait_expanded(stage, one.id)
    producer.publish_event(stage.broker_url, one, protocol=1)
    time.sleep(3)  # twins come back from the ladder after two seconds
    assert tap.counts() == dict.fromkeys(expected_ids(one.id, found), 1)
    assert set(stage.wait_arrivals(expected_ids(one.id, found)).values()) == {1}


def test_two_hosts_with_the_same_task_in_hand_leave_nothing_out(stage, notifyd, tap):
    """They share no memory, so both expand it; the place in the row only moves on."""
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, ["high", "low", "critical"] * 500)
    for _ in range(2):
        notifyd({"workers": 1, "expand": {"page": 40}})
    one = task(scan.id)
    for _ in range(2):
        producer.publish_event(stage.broker_url, one)
    row = wait_expanded(stage, one.id)
    stage.wait(lambda: in_state(stage, one.id) == 1501, 30)
    counts = tap.counts()
    assert set(counts) == expected_ids(one.id, found) and max(counts.values()) <= 2
    assert (row["published"], row["published_id"]) == (1501, worst_first(found)[-1])


def test_an_id_stands_for_a_scans_end_or_for_its_findings_but_not_for_both(stage, notifyd, tap):
    notifyd()
    one, other = task(stage.scan.id), stage.event("scan_done")
    producer.publish_event(stage.broker_url, one)
    producer.publish_event(stage.broker_url, other)
    wait_expanded(stage, one.id)
    stage.wait(lambda: stage.events(other.id)[0]["state"] == "done")
    producer.publish_event(stage.broker_url, task(stage.scan.id, id=other.id))
    producer.publish_event(stage.broker_url, producer.Event((stage.scan.id, "scan_done"), id=one.id))
    letters = {p.message_id: h for h, p, _ in dead_letters(stage.broker_url, 2)}
    assert {h["x-notify-reason"] for h in letters.values()} == {"id_reused"}
    assert letters[other.id]["x-notify-expand"] == 1 and "x-notify-expand" not in letters[one.id]
    assert len(tap.ids()) == 1 + len(stage.findings)


def test_no_producer_can_name_the_task_as_an_event(stage, notifyd, build):
    notifyd()
    stage.plain({"scan_id": stage.scan.id, "event_type": "notify_scan_findings"}, "m-1")
    stage.plain({"scan_id": stage.scan.id, "event_type": "scan_done"}, "m-2", headers={"x-notify-expand": 1})
    [(headers, _, _)] = dead_letters(stage.broker_url, 1)
    assert headers["x-notify-reason"] == "unknown_event"
    stage.wait(lambda: stage.events("m-2")[0]["state"] == "done")
    listed = subprocess.run([build / "notifyctl", "--list", "events"], capture_output=True, text=True, check=True).stdout
    assert "notify_scan_findings" not in listed


# --- scans that are not there, or not over

def test_a_scan_that_is_committed_late_is_expanded(stage, notifyd, tap):
    connection = stage.database.connect()
    connection.autocommit = False
    scan = seed.add_scan(connection, stage.target)
    found = seed.add_findings(connection, scan, ["high"] * 20)
    one = notifyd()
    task_id = publish(stage, scan.id)
    stage.wait(lambda: one.counter("events_not_found") >= 1)
    connection.commit()
    connection.close()
    wait_expanded(stage, task_id)
    assert tap.counts() == dict.fromkeys(expected_ids(task_id, found), 1)


def test_a_scan_that_never_comes_is_dead(stage, notifyd, tap):
    notifyd({"retry": {"not_found": [0.5, 0.5]}})
    task_id = publish(stage, seed.new_id())
    [(headers, properties, body)] = dead_letters(stage.broker_url, 1)
    assert (headers["x-notify-reason"], headers["x-notify-expand"], properties.message_id) == ("not_found", 1, task_id)
    assert headers["x-notify-queue"] == "notify" and json.loads(body)["event_type"] == "scan_done"
    row = stage.wait(lambda: row_of(stage, task_id))
    assert (row["event_type"], row["state"], row["reason"], row["published"]) == ("notify_scan_findings", "dead", "not_found", 0)
    assert tap.ids() == []


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_scan_that_is_not_over_is_waited_for(stage, notifyd, tap, status):
    scan = seed.add_scan(stage.connection, stage.target, status=status)
    notifyd()
    task_id = publish(stage, scan.id)
    row = stage.wait(lambda: row_of(stage, task_id))
    assert (row["event_type"], row["state"], row["published"]) == ("notify_scan_findings", "open", 0)
    time.sleep(1.5)  # the first look back is over
    assert tap.ids() == []
    found = seed.add_findings(stage.connection, scan, ["high"] * 20)
    stage.database.execute("UPDATE scans SET status = 'done' WHERE id = %s", (scan.id,))
    wait_expanded(stage, task_id)
    assert tap.counts() == dict.fromkeys(expected_ids(task_id, found), 1)


def test_a_scan_that_does_not_end_is_expanded_as_it_stands(stage, notifyd, tap):
    scan = seed.add_scan(stage.connection, stage.target, status="running")
    found = seed.add_findings(stage.connection, scan, ["high"] * 20)
    one = notifyd({"expand": {"queue_running_wait": 5.0}})
    began = time.monotonic()
    task_id = publish(stage, scan.id)
    wait_expanded(stage, task_id)
    assert 4 < time.monotonic() - began < 7
    assert tap.counts() == dict.fromkeys(expected_ids(task_id, found), 1)
    assert one.counter("messages_received") - len(found) - 1 == 4  # at 0, 1, 3 and 5 seconds


def test_a_task_with_an_eta_waits_for_it_and_one_that_has_expired_is_not_expanded(stage, notifyd, tap):
    notifyd()
    celery = producer.celery_app(stage.broker_url)
    eta = datetime.now(timezone.utc) + timedelta(seconds=3)
    late = celery.notify_scan_findings.apply_async((stage.scan.id,), eta=eta).id
    expired = celery.notify_scan_findings.apply_async((stage.scan.id,), expires=datetime.now(timezone.utc) - timedelta(1)).id
    celery.app.close()
    stage.wait(lambda: (row_of(stage, late) or {}).get("state") == "scheduled")
    stage.wait(lambda: (row_of(stage, expired) or {}).get("state") == "expired")
    assert tap.ids() == []
    row = wait_expanded(stage, late)
    assert row["finished_at"] >= eta and row["published"] == 1 + len(stage.findings)
    assert tap.counts() == dict.fromkeys(expected_ids(late, list(stage.findings.values())), 1)


def test_many_scans_at_once_are_all_expanded(stage, notifyd, tap):
    """More than a worker takes in hand: the others come round the ladder."""
    scans = [seed.add_scan(stage.connection, stage.target) for _ in range(30)]
    found = {scan.id: seed.add_findings(stage.connection, scan, ["high"] * 30) for scan in scans}
    notifyd({"workers": 1, "expand": {"page": 5}})
    tasks = {publish(stage, scan.id): scan for scan in scans}
    for task_id in tasks:
        wait_expanded(stage, task_id, 30)
    wanted = set().union(*(expected_ids(task_id, found[scan.id]) for task_id, scan in tasks.items()))
    assert tap.counts() == dict.fromkeys(wanted, 1)

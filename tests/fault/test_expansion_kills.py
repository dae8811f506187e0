"""Scans with thousands of findings: nothing is lost or held up, whatever dies in the middle, and memory stays."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time

import pytest
from expansion import expected_ids, in_state, row_of, task, wait_expanded
from expansion import tap  # noqa: F401 (a fixture)
from fast_receiver import webhook_id
from sandbox import producer, seed
from test_growth import anonymous_kib

FINDINGS, PAGE = 2000, 200


def mixed(count: int) -> list[str]:
    return [random.choice(seed.SEVERITIES) for _ in range(count)]


@pytest.mark.parametrize(("point", "again"), [
    ("commit=1*1", 0),  # the task's row
    ("commit=2*1", PAGE + 1),  # the first place, or an event of the first page
    ("publish=1*1", 0),  # handed to the link, which has sent nothing yet
    ("confirm=1*1", PAGE + 1), ("confirm=500*1", PAGE),
    ("expand=1*1", PAGE + 1), ("expand=5*1", PAGE), ("expand=10*1", PAGE),
    ("ack=1*1", PAGE + 1),  # of one of its events, as a rule
])
def test_a_worker_killed_at_each_step_of_an_expansion(stage, notifyd, tap, point, again):
    """What it becomes is wanted by nobody, so that nothing else is published."""
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, mixed(FINDINGS))
    one = task(scan.id, id="task")
    daemon = notifyd({"expand": {"page": PAGE}}, env={"NOTIFY_FAULT": f"{point}/task"})
    producer.publish_event(stage.broker_url, one)
    daemon.wait_event("child_ended", how="Killed")
    row = wait_expanded(stage, one.id)
    stage.wait(lambda: in_state(stage, one.id) == FINDINGS + 1, 60)
    counts = tap.counts()
    assert set(counts) == expected_ids(one.id, found) and row["published"] == FINDINGS + 1
    repeats = sum(counts.values()) - len(counts)
    print(f"{point}: {repeats} published again")
    assert max(counts.values()) <= 2 and repeats <= again
    assert len([e for e in daemon.events("child_ended") if e["how"] == "Killed"]) == 1


def test_an_expansion_goes_on_over_many_kills(stage, notifyd, tap):
    kills = 5
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, mixed(FINDINGS))
    daemon = notifyd({"expand": {"page": PAGE}}, env={"NOTIFY_FAULT": f"expand=2*{kills}/task"})
    one = task(scan.id, id="task")
    producer.publish_event(stage.broker_url, one)
    wait_expanded(stage, one.id, 40)
    counts = tap.counts()
    assert set(counts) == expected_ids(one.id, found)
    assert len([e for e in daemon.events("child_ended") if e["how"] == "Killed"]) == kills
    assert sum(counts.values()) - len(counts) <= kills * (PAGE + 1)


@pytest.mark.alone
def test_10000_findings_all_arrive_over_a_kill_and_another_workspace_waits_less_than_a_second(
        stage, notifyd, tap, fast_receiver, sanitized):
    count = 1000 if sanitized else 10_000
    hook = stage.webhook(url=fast_receiver.url, severity_filter="info", secret=None)
    scan = seed.add_scan(stage.connection, stage.target)
    found = seed.add_findings(stage.connection, scan, mixed(count))
    other = seed.add_workspace(stage.connection)
    other_scan = seed.add_scan(stage.connection, seed.add_target(stage.connection, other))
    stage.webhook("/other", workspace=other)
    daemon = notifyd()
    published: dict[str, float] = {}
    stopped = threading.Event()

    def others() -> None:
        while not stopped.is_set():
            event = producer.event(other_scan.id, "scan_started")
            published[event.id] = time.monotonic()
            producer.publish_event(stage.broker_url, event)
            stopped.wait(0.1)

    aside = threading.Thread(target=others)
    aside.start()
    try:
        one = task(scan.id)
        producer.publish_event(stage.broker_url, one)
        stage.wait(lambda: (row_of(stage, one.id) or {"published": 0})["published"] > count / 10)
        calm = time.monotonic()
        for pid in daemon.workers():  # one of them has the task
            os.kill(pid, signal.SIGKILL)
        began, wanted = time.monotonic(), expected_ids(one.id, found)
        wait_expanded(stage, one.id, 30)
        expanded = time.monotonic() - began
        seen = fast_receiver.wait_for({webhook_id(i, hook) for i in wanted}, 120)
        delivered = time.monotonic() - began
    finally:
        stopped.set()
        aside.join()
    stage.wait_arrivals(published, path="/other")
    late = {json.loads(r.body)["id"]: r.at for r in stage.receiver.requests("/other")}
    worst = sorted(late[i] - at for i, at in published.items() if at < calm or at > calm + 2)  # not what died with the worker
    counts = tap.counts()
    repeats = sum(counts.values()) - len(counts)
    print(f"expanded {expanded:.2f} s and delivered {delivered:.2f} s after the kill; {repeats} published again,"
          f" {sum(seen.values()) - len(wanted)} delivered again; the other workspace waited {worst[-1]:.3f} s at most")
    assert set(counts) == wanted and repeats <= 501
    assert len(seen) == len(wanted) and sum(seen.values()) - len(wanted) <= 2 * 256  # what the killed ones had in hand
    assert sanitized or worst[-1] < 1


@pytest.mark.parametrize("count", [20_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_the_findings_of_a_scan(stage, notifyd, sanitized, count):
    scans = {}
    for n in (2000, count):
        scans[n] = seed.add_scan(stage.connection, stage.target)
        seed.add_findings(stage.connection, scans[n], mixed(n), description="x" * 2000)
    daemon = notifyd({"workers": 1})
    [pid] = daemon.workers()
    most = {}
    for n, scan in scans.items():
        one = task(scan.id)
        producer.publish_event(stage.broker_url, one)
        most[n] = 0
        began = time.monotonic()
        while in_state(stage, one.id) < n + 1:
            most[n] = max(most[n], anonymous_kib(pid))
            assert time.monotonic() - began < 300
            time.sleep(0.02)
        print(f"{n} findings: {most[n]} KiB at most, {time.monotonic() - began:.1f} s")
    assert not daemon.events("child_ended")
    assert sanitized or most[count] < most[2000] + 6 * 1024

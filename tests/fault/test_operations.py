"""What operators do to a pool under load, and what their machines do to it: reloads in quick succession, another size, a stop, a
full disk for the log. Nothing that was confirmed is lost, and nothing is sent twice.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import figures
import pytest
from load import RATE, Load
from sandbox.bulk import BulkPublisher
from sandbox.daemon import log_line
from sandbox.processes import wait_until


def publisher(stage: Any, seconds: float, rate: int = RATE) -> BulkPublisher:
    """What Load publishes; here the pool's processes are to change."""
    made = BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(int(seconds * rate))), rate=rate)
    made.start()
    return made


def all_arrived_once(stage: Any, ids: list[str], what: str, since: float) -> None:
    seen = stage.wait_arrivals(ids, 60)
    print(f"{what}: {len(ids)} confirmed, all delivered {time.monotonic() - since:.1f} s after it began;"
          f" {sum(seen.values()) - len(seen)} requests repeated")
    stage.wait_settled(len(ids), 30)
    assert stage.arrivals() == Counter(ids)


def all_drained(one: Any) -> None:
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))
    assert Counter(e["how"] for e in one.events("child_ended")).keys() <= {"drained"}


# --- reloads

@pytest.mark.parametrize(("hups", "pause"), [(10, 0.3), pytest.param(20, 1.0, marks=pytest.mark.long)])
def test_many_hups_under_load_lose_and_repeat_nothing(stage, notifyd, hups, pause):
    stage.webhook(secret=None)
    one = notifyd()
    load = publisher(stage, hups * pause + 2)
    stage.receiver.wait_for(RATE // 2, "/hook")
    began, before, most = time.monotonic(), set(one.workers()), 0
    for _ in range(hups):
        one.signal(signal.SIGHUP)
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline:
            most = max(most, len(one.children()))
            time.sleep(0.02)
    ids = load.finish()
    assert len(ids) == RATE * (hups * pause + 2)
    all_arrived_once(stage, ids, f"{hups} HUPs in {hups * pause:.0f} s, at most {most} children", began)
    figures.hold("processes at a time while two workers are reloaded again and again", most, 7)  # two generations, a check
    wait_until(lambda: len(one.children()) == 3 and len(one.workers()) == 2, 15, "two workers and an agent are left")
    assert 2 <= len(one.events("reloading")) <= hups, "HUPs that come while one is done are one"
    assert not before & set(one.workers())
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))
    assert {(e["role"], e["how"]) for e in one.events("child_ended")} <= {("worker", "drained"), ("agent", "drained")}
    assert not one.events("child_hangs") and not one.events("no_room_for_child")


def test_many_hups_while_the_broker_is_out_of_reach_keep_two_generations_at_most(stage, notifyd):
    """A tool that writes a wrong address and reloads again and again: the old workers go on, and those in between do not pile up."""
    stage.webhook(secret=None)
    one = notifyd({"reload_patience": 1.0})
    before, good = set(one.workers()), one.settings
    one.write_conf({**good, "broker": {**good["broker"], "url": "amqp://nobody:wrong@127.0.0.1:1"}})
    most = 0
    for number in range(1, 9):
        one.signal(signal.SIGHUP)
        one.wait_event("reloading", count=number)
        time.sleep(0.3)
        most = max(most, len(one.children()))
    assert before <= {p.pid for p in one.children()} and most <= 2 * 3 + 1, f"{most} children"
    stage.wait_arrivals([stage.publish()])
    one.write_conf(good)
    one.signal(signal.SIGHUP)
    wait_until(lambda: len(one.workers()) == 2 and not before & set(one.workers()), 10, "workers with the mended file")
    wait_until(lambda: len(one.children()) == 3, 10, "nobody else is left")
    stage.publish()
    stage.wait_settled(2)
    assert set(stage.arrivals().values()) == {1}


@pytest.mark.alone
def test_a_hup_with_a_broken_file_under_load_changes_nothing(stage, notifyd):
    load = Load(stage, notifyd, 3)
    good = load.one.settings
    load.one.write_conf({**good, "workers": 999, "broker": {**good["broker"], "prefetch": "many"}})
    for number in range(1, 6):
        load.one.signal(signal.SIGHUP)
        load.one.wait_event("reload_refused", count=2 * number)
    load.one.conf.write_text("workers = {{{")
    load.one.signal(signal.SIGHUP)
    load.one.wait_event("reload_refused", count=11)
    load.one.conf.unlink()
    load.one.signal(signal.SIGHUP)
    load.one.wait_event("reload_refused", count=12)
    assert load.publisher.is_alive(), "it went under load"
    assert load.end("broken files") == 0
    assert len(load.publisher.confirmed) == 3 * RATE and not load.one.events("worker_draining")


# --- another size

@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.long)])
def test_from_two_workers_to_eight_to_one_under_load(stage, notifyd, seconds):
    stage.webhook(secret=None)
    one = notifyd()
    first = set(one.workers())
    load = publisher(stage, seconds + 60)
    stage.receiver.wait_for(RATE // 2, "/hook")
    began = time.monotonic()
    for wanted in range(3, 9):  # each after the one before: a signal that is pending already is not noted twice
        one.signal(signal.SIGTTIN)
        wait_until(lambda: len(one.children()) == wanted + 1, 5, f"{wanted} workers and the agent", every=0.005)
    wait_until(lambda: len(one.workers()) == 8, 10, "eight workers consume")
    time.sleep(seconds / 2)
    for wanted in range(7, 0, -1):
        one.signal(signal.SIGTTOU)
        one.wait_event("worker_draining", count=8 - wanted)
    wait_until(lambda: len(one.workers()) == 1 and len(one.children()) == 2, 10, "one worker is left")
    resized = time.monotonic() - began
    assert load.is_alive(), "it went under load"
    load.stop()
    ids = load.finish()
    all_arrived_once(stage, ids, f"two workers, eight, one in {resized:.1f} s", began)
    assert set(one.workers()) <= first, "the youngest go first"
    all_drained(one)


# --- a stop

@pytest.mark.parametrize("stops", [2, pytest.param(10, marks=pytest.mark.long)])
def test_a_stop_under_load_repeats_nothing(stage, notifyd, stops):
    """What the first run has begun it ends, what is left the next one delivers: each event once over all runs."""
    stage.webhook(secret=None)
    load = publisher(stage, 60 * stops)
    began, slowest = time.monotonic(), 0.0
    for number in range(stops):
        one = notifyd()
        stage.receiver.wait_for(stage.receiver.count("/hook") + RATE, "/hook")
        asked = time.monotonic()
        one.terminate()
        assert one.wait() == 0
        slowest = max(slowest, time.monotonic() - asked)
        all_drained(one)
        assert load.is_alive(), "it went under load"
    load.stop()
    notifyd()
    all_arrived_once(stage, load.finish(), f"{stops} stops, the longest took {slowest:.2f} s", began)


# --- a full disk for the log

LOG_KIB = 64


def on_a_small_disk(folder: Path) -> tuple[str | Path, ...]:
    """A wrapper: standard error goes to FOLDER/log, on a file system of its own that nobody else sees."""
    folder.mkdir()
    script = f'mount -t tmpfs -o size={LOG_KIB}k tmpfs "$1" && exec 2>>"$1/log" && shift && exec "$@"'
    return ("unshare", "-m", "sh", "-c", script, "sh", folder)


def test_a_full_disk_for_the_log_stops_nothing_and_costs_only_lines_which_are_counted(stage, notifyd, tmp_path):
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("to mount a small disk takes the right to mount")
    stage.webhook(secret=None)
    disk = tmp_path / "log-disk"
    one = notifyd({"log": {"level": "debug"}}, ready=False, wrapper=on_a_small_disk(disk))
    seen = Path(f"/proc/{one.pid}/root{disk}")
    wait_until(lambda: (seen / "log").exists(), 5, "the log begins")
    one.log = seen / "log"
    one.wait_ready()
    pids, began = {p.pid for p in one.family()}, time.monotonic()
    load = publisher(stage, 4)
    wait_until(lambda: one.log.stat().st_size > (LOG_KIB - 8) * 1024, 10, "the disk is full")
    ids = load.finish()
    stage.wait_arrivals(ids)
    took = time.monotonic() - began
    stage.wait_settled(len(ids))
    before = one.log_text()
    with open(one.log, "r+b") as log:  # as logrotate's copytruncate does it
        log.truncate(0)
    more = [stage.publish() for _ in range(8)]
    stage.wait_arrivals(more)
    stage.wait_settled(len(ids) + len(more))
    wait_until(lambda: len(workers_that_told(one.log_text())) == 2, 10, "both workers say how many lines they lost")
    lost = sum(map(int, re.findall(r" log_lines_lost=(\d+)", one.log_text())))
    whole = [e for e in (*parsed(before), *one.events("delivery")) if e["event"] == "delivery"]
    print(f"{len(ids)} delivered {took:.1f} s after it began; {len(whole)} of {len(ids) + len(more)} lines kept, {lost} lines lost")
    assert {p.pid for p in one.family()} == pids, "a process was replaced"
    assert stage.arrivals() == Counter([*ids, *more])
    assert len(ids) == 4 * RATE and took < 4 + 5
    assert len(ids) + len(more) - len(whole) <= lost, "each line that is missing is counted"


def parsed(text: str) -> list[dict[str, str]]:
    return [e for e in map(log_line, text.splitlines()) if e]


def workers_that_told(text: str) -> set[str]:
    return {e["pid"] for e in parsed(text) if "log_lines_lost" in e and e["process"].startswith("worker")}

"""HUP puts the program that stands at our path in the place of the running supervisor, under load, with everything that may be wrong
with program, file and moment. notifyd-next is a second build: another version, another layout of the shared memory.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator

import figures
import pytest
from fast_receiver import webhook_id
from sandbox.bulk import BulkPublisher
from sandbox.processes import descendants, wait_until
from sandbox.receiver import Answer

RATE = 1000


class Installed:
    """A program at a path of its own, replaced as a package manager does it: a new file takes over the name."""

    def __init__(self, build: Path, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "notifyd"
        self._programs = {"this": build / "notifyd", "next": build / "tests" / "fault" / "notifyd-next"}
        self.install("this")

    def install(self, which: str) -> None:
        fresh = self.path.with_suffix(".new")
        shutil.copy2(self._programs[which], fresh)
        os.replace(fresh, self.path)

    def write(self, text: str, mode: int = 0o755) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(mode)
        os.replace(fresh, self.path)


@pytest.fixture(scope="session")
def figure_words(build: Path, figure_words: tuple[str, set[str]]) -> tuple[str, set[str]]:
    """The next build tells all that this one does, and one figure more."""
    page = subprocess.run([build / "tests" / "fault" / "notifyd-next", "--help-metrics=markdown"], capture_output=True, text=True,
                          check=True).stdout
    assert "of_the_next_build" in page and "of_the_next_build" not in figure_words[0]
    return page, figure_words[1]


@pytest.fixture
def installed(build: Path, tmp_path: Path) -> Installed:
    return Installed(build, tmp_path / "sbin")


class Watch(threading.Thread):
    """Which children live, every 20 ms; and whether each scrape of the agent is answered."""

    def __init__(self, one: Any) -> None:
        super().__init__(name="watch", daemon=True)
        self.one, self.seen, self.refused, self.scrapes = one, [], [], 0
        self.totals: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._scraper = threading.Thread(target=self._scrape, daemon=True)

    def __enter__(self) -> "Watch":
        self.start()
        self._scraper.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self.join(10)
        self._scraper.join(10)

    def run(self) -> None:
        while not self._ended.wait(0.02):
            self.seen.append({p.pid for p in descendants(self.one.pid) if p.parent == self.one.pid})

    def _scrape(self) -> None:
        """A connection for each, as a scraper that is started anew would make it."""
        while not self._ended.wait(0.05):
            try:
                with urllib.request.urlopen(f"{self.one.agent_url}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
                self.scrapes += 1
                found = re.search(r"^notify_messages_settled_total (\d+)$", text, re.M)
                self.totals.append((time.monotonic(), int(found[1])))  # type: ignore[index]
            except OSError as error:
                self.refused.append(f"{error!r} after {self.scrapes}")

    def generations(self) -> list[set[int]]:
        """Of the children that lived at each moment."""
        of = {int(e["child"]): int(e["generation"]) for e in self.one.events("child_started")}
        return [{of[pid] for pid in pids if pid in of} for pids in self.seen]

    def check(self) -> None:
        most = max(map(len, self.generations()))
        figures.hold("generations at a time", most, 2)
        assert not self.refused, self.refused[:5]
        falls = [(a, b) for (_, a), (_, b) in zip(self.totals, self.totals[1:]) if b < a]
        assert not falls, f"a counter fell: {falls[:5]}"


class TimedLoad:
    """RATE events a second, each with the moment at which it was made."""

    def __init__(self, stage: Any, integration: Any, receiver: Any, seconds: float, rate: int = RATE) -> None:
        self.stage, self.integration, self.receiver, self.rate = stage, integration, receiver, rate
        self.made: dict[str, float] = {}
        self.publisher = BulkPublisher(stage.broker_url, "notify", self._events(int(seconds * rate)), rate=rate)
        self.publisher.start()
        wait_until(lambda: sum(receiver.requests().values()) > rate // 2, 20, "the load has begun")

    def _events(self, count: int) -> Iterator[Any]:
        for _ in range(count):
            event = self.stage.event()
            self.made[event.id] = time.time()
            yield event

    def stop(self) -> list[str]:
        self.publisher.stop()
        return self.publisher.finish(60)

    def check(self, ids: list[str], what: str, p99: float | None) -> None:
        """Every event once, and settled; how long they took."""
        names = {webhook_id(i, self.integration): i for i in ids}
        seen = self.receiver.wait_for(names, 60)
        self.stage.wait_settled(len(ids), 30)
        seen = self.receiver.requests()
        assert set(seen) == set(names) and set(seen.values()) == {1}, "lost or repeated"
        took = sorted(at - self.made[names[name]] for name, at in self.receiver.times().items())
        print(f"{what}: {len(ids)} events, latency p50 {took[len(took) // 2] * 1000:.0f} ms, p99 {took[len(took) * 99 // 100] * 1000:.0f}"
              f" ms, worst {took[-1] * 1000:.0f} ms")
        if p99 is not None:
            figures.hold(f"p99, {what}", took[len(took) * 99 // 100], p99, "s")


def steady(one: Any, workers: int = 2) -> Callable[[], bool]:
    return lambda: len(one.children()) == workers + 1 and len(one.workers()) == workers


def hup_and_wait(one: Any, version: str | None = None) -> list[int]:
    """A HUP that leads to a generation of its own, which is alone in the end; its workers."""
    before, reloads = set(one.workers()), len(one.events("reloading"))
    one.signal(signal.SIGHUP)
    one.wait_event("reloading", count=reloads + 1, timeout=20)
    if version:
        assert one.events("reloading")[-1]["version"] == version
    wait_until(lambda: steady(one)() and not before & set(one.workers()), 20, "the new generation is alone")
    return one.workers()


def refused(one: Any, count: int = 1) -> str:
    """What is said of the COUNTth refusal."""
    return one.wait_event("reload_refused", count=count, timeout=20)[-1]["error"]


def same_pool(one: Any, pids: set[int]) -> bool:
    return {p.pid for p in one.children()} == pids


# --- under load

@pytest.mark.alone
def test_twenty_hups_and_an_upgrade_and_a_downgrade_at_1000_events_a_second_lose_and_repeat_nothing(
        stage, notifyd, installed, fast_receiver, sanitized):
    hook = stage.webhook(url=fast_receiver.url)
    one = notifyd(program=installed.path)
    pid, rate = one.pid, 200 if sanitized else RATE
    load = TimedLoad(stage, hook, fast_receiver, 120, rate)
    with Watch(one) as watch:
        for _ in range(20):
            one.signal(signal.SIGHUP)
            time.sleep(1)
        wait_until(steady(one), 20, "the last of the twenty is done")
        settled = len(one.events("reloading"))
        for which, version in (("next", "0.2.0-next"), ("this", "0.1.0"), ("next", "0.2.0-next")):
            installed.install(which)
            hup_and_wait(one, version)
            time.sleep(1)
        ids = load.stop()
    assert settled >= (5 if sanitized else 12), f"{settled} of twenty HUPs were reloads of their own"
    print(f"{settled} reloads for 20 HUPs, {watch.scrapes} scrapes")
    watch.check()
    load.check(ids, "20 HUPs, an upgrade, a downgrade and an upgrade", None if sanitized else 2)
    assert one.pid == pid and one.alive()
    assert Counter(e["memory"] for e in one.events("reloading"))["other layout"] == 3
    assert one.counter("deliveries_delivered") == len(ids), "what both layouts counted is one sum"
    assert {e["how"] for e in one.events("child_ended")} == {"drained"}
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))


def test_a_storm_of_a_thousand_hups_is_a_few_reloads(stage, notifyd, installed):
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    publisher = BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(100 * 60)), rate=100)
    publisher.start()
    with Watch(one) as watch:
        for _ in range(1000):
            os.kill(one.pid, signal.SIGHUP)
            time.sleep(0.003)
        wait_until(steady(one), 20, "quiet")
        time.sleep(2)  # what was remembered is done
        wait_until(steady(one), 20, "one generation is left")
        publisher.stop()
        ids = publisher.finish()
    reloads = len(one.events("reloading"))
    print(f"{reloads} reloads for 1,000 HUPs")
    assert 1 <= reloads <= 60 and not one.events("reload_refused")
    watch.check()
    stage.wait_arrivals(ids)
    stage.wait_settled(len(ids))
    assert stage.arrivals() == Counter(ids)


def test_a_hup_during_a_drain_is_remembered_and_done_when_the_old_workers_are_gone(stage, notifyd):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=3.0))
    one = notifyd({"workers": 1, "delivery": {"timeout": 8.0}, "shutdown_grace": 15})
    stage.publish()
    stage.receiver.wait_for(1, "/hook")
    with Watch(one) as watch:
        one.signal(signal.SIGHUP)
        one.wait_event("worker_draining")
        for _ in range(5):
            one.signal(signal.SIGHUP)
            time.sleep(0.1)
        one.wait_event("reload_remembered")
        assert len(one.events("reloading")) == 1
        one.wait_event("reloading", count=2, timeout=10)
        wait_until(lambda: len(one.workers()) == 1 and len(one.children()) == 2, 10, "one generation is left")
        time.sleep(0.5)
    assert len(one.events("reloading")) == 2, "five are one"
    watch.check()
    stage.wait_settled(1)
    assert stage.receiver.count("/hook") == 1


# --- what a reload keeps

def test_a_reload_keeps_pid_size_socket_and_figures(stage, notifyd, installed):
    stage.webhook(secret=None)
    one = notifyd({"workers": 1}, program=installed.path)
    one.signal(signal.SIGTTIN)
    wait_until(lambda: len(one.workers()) == 2, 5, "a second worker")
    stage.wait_arrivals([stage.publish()])
    stage.wait_settled(1)
    limits = Path(f"/proc/{one.pid}/limits").read_text()
    for which, memory in (("this", "same"), ("next", "other layout"), ("next", "same"), ("this", "other layout")):
        installed.install(which)
        hup_and_wait(one)
        assert one.events("reloading")[-1]["memory"] == memory
        wait_until(lambda: one.counter("messages_settled") >= 1, 5, "figures are there")
    assert one.counter("messages_settled") == 1
    assert Path(f"/proc/{one.pid}/limits").read_text() == limits
    links = {os.readlink(f"/proc/{one.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{one.pid}/fd")}
    assert sum("memfd" in link for link in links) <= 1, links
    one.signal(signal.SIGTTOU)
    wait_until(lambda: len(one.workers()) == 1, 5, "one fewer")
    installed.install("next")
    one.signal(signal.SIGHUP)
    one.wait_event("reloading", count=5)
    wait_until(lambda: len(one.workers()) == 1 and len(one.children()) == 2, 10, "as many as before")
    one.write_conf({**one.settings, "workers": 3})
    one.signal(signal.SIGHUP)
    wait_until(lambda: len(one.workers()) == 3 and len(one.children()) == 4, 10, "another number in the file counts")


@pytest.mark.parametrize("which", ["this", "next"])
def test_what_celery_s_tools_have_changed_and_the_node_s_name_outlive_an_upgrade(stage, notifyd, installed, celery, rabbit, vhost, which):
    one = notifyd({"celery": {"heartbeat": 0.5, "retry": 60.0}, "workers": 1}, program=installed.path)
    one.wait_event("presence_shown", 15)
    strange = "q" * 200 + " ü%\""
    for method, arguments in (("add_consumer", {"queue": "extra"}), ("add_consumer", {"queue": strange}), ("add_consumer", {"queue": "given back"}),
                              ("cancel_consumer", {"queue": "given back"}), ("cancel_consumer", {"queue": "notify"}), ("pool_grow", {"n": 1})):
        assert "ok" in celery.ask(method, **arguments)
    consumed = lambda: Counter(c["queue"] for c in rabbit.list_consumers(vhost) if not c["queue"].startswith("notify.") and "pidbox" not in c["queue"])  # noqa: E731
    wait_until(lambda: consumed() == {"extra": 2, strange: 2}, 10, "two workers with what was added")
    for program in (which, "this"):
        installed.install(program)
        hup_and_wait(one)
        assert one.events("reloading")[-1]["memory"] == ("same" if which == "this" else "other layout")
        wait_until(lambda: consumed() == {"extra": 2, strange: 2}, 10, "the same after it")
        wait_until(celery.pings, 10, "the node answers")
    assert not one.events("presence_refused"), "the new agent has waited for the old one to be gone"
    assert celery.ask("stats")["pool"]["max-concurrency"] == 2


def test_twenty_reloads_leave_no_descriptor_behind(stage, notifyd, installed):
    one = notifyd(program=installed.path)
    for which in ("next", "this", "this"):
        installed.install(which)
        hup_and_wait(one)
    before = len(os.listdir(f"/proc/{one.pid}/fd"))
    for number in range(6):
        installed.install("next" if number % 2 == 0 else "this")
        hup_and_wait(one)
    assert len(os.listdir(f"/proc/{one.pid}/fd")) == before


def test_the_figures_of_a_generation_that_never_consumed_are_not_lost_and_not_counted_twice(stage, notifyd, installed):
    stage.webhook(secret=None)
    one = notifyd({"reload_patience": 1.0}, program=installed.path)
    ids = [stage.publish() for _ in range(5)]
    stage.wait_arrivals(ids)
    stage.wait_settled(5)
    good = one.settings
    one.write_conf({**good, "broker": {**good["broker"], "url": "amqp://nobody:wrong@127.0.0.1:1"}})
    with Watch(one) as watch:
        for number, which in enumerate(("next", "next", "this", "next"), 1):
            installed.install(which)
            one.signal(signal.SIGHUP)
            one.wait_event("reloading", count=number)
            time.sleep(0.5)
        stage.wait_arrivals([stage.publish()])
        one.write_conf(good)
        installed.install("this")
        one.signal(signal.SIGHUP)
        one.wait_event("reloading", count=5)
        wait_until(steady(one), 10, "the mended file is used")
        time.sleep(0.3)
    watch.check()
    stage.wait_settled(6)
    assert one.counter("messages_settled") == 6
    assert len(one.events("reload_superseded")) == 4


# --- programs and files that are not to be taken

BAD = {
    "ends with 1": ("#!/bin/sh\necho it is broken >&2\nexit 1\n", 0o755, "it is broken"),
    "says nothing": ("#!/bin/sh\nexit 0\n", 0o755, "does not say that it can take over"),
    "is no program": ("just a text\n", 0o755, "cannot be executed"),
    "may not be executed": ("#!/bin/sh\nexit 0\n", 0o644, "cannot be executed: Permission denied"),
    "kills itself": ("#!/bin/sh\nkill -SEGV $$\n", 0o755, "died of its check: Segmentation fault"),
    "writes without end": ("#!/bin/sh\nexec cat /dev/zero\n", 0o755, "died of its check: File size limit exceeded"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_program_that_cannot_take_over_changes_nothing(stage, notifyd, installed, what):
    text, mode, words = BAD[what]
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    pids = {p.pid for p in one.children()}
    installed.write(text, mode)
    one.signal(signal.SIGHUP)
    one.wait_event("reload_refused")
    time.sleep(0.3)
    assert any(words in e["error"] for e in one.events("reload_refused")), one.events("reload_refused")
    assert same_pool(one, pids) and not one.events("reloading")
    stage.wait_arrivals([stage.publish()])
    installed.install("next")
    hup_and_wait(one, "0.2.0-next")


def test_a_program_that_hangs_is_killed_with_all_that_it_started(stage, notifyd, installed):
    one = notifyd({"reload_timeout": 1.0}, program=installed.path)
    pids = {p.pid for p in one.children()}
    installed.write("#!/bin/sh\nsleep 1000 &\nsleep 1000\n")
    one.signal(signal.SIGHUP)
    wait_until(lambda: len(descendants(one.pid)) > len(pids) + 1, 5, "it hangs")
    started = {p.pid for p in descendants(one.pid)} - pids
    assert "reload_timeout" in refused(one)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), 5, "nothing of it is left")
    assert same_pool(one, pids)


def test_a_path_that_is_gone_is_said_and_the_pool_goes_on(stage, notifyd, installed):
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    pids = {p.pid for p in one.children()}
    installed.path.unlink()
    one.signal(signal.SIGHUP)
    assert "No such file" in refused(one) and str(installed.path) in refused(one)
    assert same_pool(one, pids)
    os.kill(one.workers()[0], signal.SIGKILL)  # a fork needs no file
    wait_until(steady(one), 10, "it is replaced")
    stage.wait_arrivals([stage.publish()])
    installed.install("this")
    hup_and_wait(one)


def test_a_program_that_is_replaced_while_it_is_checked_is_checked_again(stage, notifyd, installed, build):
    one = notifyd(program=installed.path)
    slow = f"#!/bin/sh\ncase $1 in -t) sleep 1;; esac\nexec {build}/notifyd \"$@\"\n"
    installed.write(slow)
    one.signal(signal.SIGHUP)
    time.sleep(0.4)
    installed.write("#!/bin/sh\necho the second is broken >&2\nexit 3\n")
    one.wait_event("reload_again")
    assert "the second is broken" in refused(one)
    assert not one.events("reloading")
    installed.write(slow)
    hup_and_wait(one)  # a script that executes a notifyd is one
    installed.install("next")
    hup_and_wait(one, "0.2.0-next")


def test_a_program_that_passes_its_check_and_cannot_be_executed_then_changes_nothing(stage, notifyd, installed, build, tmp_path):
    """Its interpreter goes while it is checked."""
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    pids, shell = {p.pid for p in one.children()}, tmp_path / "shell"
    shutil.copy2("/bin/sh", shell)
    installed.write(f"#!{shell}\nrm -f {shell}\nexec {build}/notifyd \"$@\"\n")
    one.signal(signal.SIGHUP)
    assert "No such file" in refused(one)
    assert "could not be executed" in one.events("reload_refused")[0]["advice"]
    time.sleep(0.3)
    assert same_pool(one, pids)
    stage.wait_arrivals([stage.publish()])
    installed.install("this")
    hup_and_wait(one)


def test_a_file_that_was_spoiled_after_its_check_costs_no_worker(stage, notifyd, installed, build, tmp_path):
    """The check sees a good file, the program that is executed a bad one."""
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    before = set(one.workers())
    good = one.conf.read_text()
    (tmp_path / "good.conf").write_text(good)
    installed.write(f"#!/bin/sh\ncase $1 in -t) ;; *) echo 'workers = {{' >{one.conf} ;; esac\nexec {build}/notifyd \"$@\"\n")
    one.signal(signal.SIGHUP)
    one.wait_event("bad_configuration")
    one.wait_event("reloading")
    stage.wait_arrivals([stage.publish()])
    assert before <= {p.pid for p in one.children()}
    one.conf.write_text(good)
    one.wait_event("configuration_good")
    wait_until(lambda: steady(one)() and not before & set(one.workers()), 10, "the next generation")


# --- moments

def test_term_while_the_program_is_checked_ends_at_once(notifyd, installed):
    one = notifyd(program=installed.path)
    installed.write("#!/bin/sh\nsleep 1000\n")
    one.signal(signal.SIGHUP)
    wait_until(lambda: len(one.children()) == 4, 5, "it is checked")
    since = time.monotonic()
    one.terminate()
    assert one.wait(5) == 0 and time.monotonic() - since < 3
    wait_until(lambda: not one.family(), 2, "nobody is left")


def test_a_hup_while_the_pool_ends_is_left_out(stage, notifyd):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=3.0))
    one = notifyd({"workers": 1})
    stage.publish()
    stage.receiver.wait_for(1, "/hook")
    one.terminate()
    for _ in range(20):
        os.kill(one.pid, signal.SIGHUP)
        time.sleep(0.02)
    assert one.wait() == 0 and not one.events("reloading") and not one.events("reload_refused")
    stage.wait_settled(1)


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_term_around_the_execution_drains_everybody(stage, notifyd, installed, delay):
    """Whenever it comes, it is blocked or taken, never lost: blocked signals outlive an execution."""
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    installed.install("next")
    ids = [stage.publish() for _ in range(10)]
    one.signal(signal.SIGHUP)
    time.sleep(delay)
    one.terminate()
    assert one.wait() == 0
    wait_until(lambda: not one.family(), 2, "nobody is left")
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))
    seen = stage.arrivals()
    assert set(seen.values()) <= {1} and set(seen) <= set(ids)


@pytest.mark.parametrize("moment", ["checked", "starting"])
def test_a_supervisor_that_is_killed_in_the_middle_leaves_nobody_behind(stage, notifyd, installed, moment):
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    ids = [stage.publish() for _ in range(20)]
    if moment == "checked":
        installed.write("#!/bin/sh\nexec sleep 1000\n")
        one.signal(signal.SIGHUP)
        wait_until(lambda: len(one.children()) == 4, 5, "it is checked")
    else:
        installed.install("next")
        one.signal(signal.SIGHUP)
        wait_until(lambda: len(one.children()) > 3 and one.events("reloading"), 5, "two generations", every=0.002)
    one.kill()
    one.wait(5)
    wait_until(lambda: not one.family(), one.grace, "its children drain and leave")
    installed.install("this")
    notifyd(program=installed.path)
    stage.wait_arrivals(ids)
    stage.wait_settled(20)
    assert stage.arrivals() == Counter(ids), "drained, so nothing was repeated"


# --- the state

@pytest.mark.parametrize("text", ["", "garbage", "notifyd-handover 2\nend\n", "notifyd-handover 1\nend\n",
                                  "notifyd-handover 1\nsupervisor 1 99 0 1 1 1 1 0\npath /x\nend\n"])
def test_a_state_that_is_none_is_refused(build, tmp_path, fernet_key, text):
    conf, state = tmp_path / "notify.conf", tmp_path / "state"
    conf.touch(0o600)
    conf.write_text(f'broker = {{ url = "amqp://127.0.0.1:1"; }}; database = {{ url = "postgresql://u@127.0.0.1/x"; }};'
                    f' secrets = {{ fernet_keys = ["{fernet_key}"]; }};')
    state.write_text(text)
    with open(state) as file:
        env = {"PATH": "/usr/bin:/bin", "NOTIFY_HANDOVER": str(file.fileno())}
        run = subprocess.run([build / "notifyd", "-c", conf], pass_fds=[file.fileno()], env=env, capture_output=True, text=True,
                             timeout=10)
        asked = subprocess.run([build / "notifyd", "-t", "-c", conf], pass_fds=[file.fileno()], env=env, capture_output=True,
                               text=True, timeout=10)
    assert run.returncode == 70 and "handover_refused" in run.stderr
    assert asked.returncode == 2 and "cannot take over" in asked.stderr


@pytest.mark.parametrize("number", ["0", "2", "999", "-1", "x", "99999999999999999999"])
def test_a_descriptor_that_is_no_state_is_refused(build, number):
    run = subprocess.run([build / "notifyd", "-c", "/dev/null"], env={"NOTIFY_HANDOVER": number}, capture_output=True, text=True,
                         timeout=10)
    assert run.returncode == 70 and "handover_refused" in run.stderr


# --- the service manager

def test_the_service_manager_hears_ready_reloading_and_stopping(notifyd, tmp_path):
    import socket

    heard: list[str] = []
    name = f"\0notifyd-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(0.2)

        def listen(until: Callable[[], bool], what: str) -> None:
            deadline = time.monotonic() + 20
            while not until():
                assert time.monotonic() < deadline, f"{what}: {heard}"
                try:
                    heard.append(manager.recv(4096).decode())
                except TimeoutError:
                    pass

        one = notifyd(ready=False, env={"NOTIFY_SOCKET": "@" + name[1:], "WATCHDOG_USEC": "1000000"})
        listen(lambda: "READY=1\n" in heard, "ready")
        listen(lambda: any(m.startswith("STATUS=2 of 2 workers consume;") for m in heard), "status")
        listen(lambda: heard.count("WATCHDOG=1\n") >= 2, "signs of life")
        del heard[:]
        one.signal(signal.SIGHUP)
        listen(lambda: "READY=1\n" in heard, "ready again")
        reloading = next(m for m in heard if m.startswith("RELOADING=1\nMONOTONIC_USEC="))
        assert 0 <= time.clock_gettime(time.CLOCK_MONOTONIC) - int(reloading.split("=")[2]) / 1e6 < 20
        assert heard.index(reloading) < heard.index("READY=1\n")
        one.write_conf({**one.settings, "workers": 999})
        del heard[:]
        one.signal(signal.SIGHUP)
        listen(lambda: "READY=1\n" in heard, "ready after a refusal")
        one.terminate()
        listen(lambda: "STOPPING=1\n" in heard, "stopping")

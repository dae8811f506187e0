"""The pool of processes: how it is kept whole, how it is told to change, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import figures
import pytest
from sandbox import bulk
from sandbox.processes import wait_until
from sandbox.receiver import Answer
from stage import HELD

pytestmark = pytest.mark.usefixtures("counted")


def unacked(rabbit, vhost) -> int:
    return sum(q["messages_unacknowledged"] for q in rabbit.list_queues(vhost))


def ready(rabbit, vhost, queue="notify") -> int:
    return {q["name"]: q["messages_ready"] for q in rabbit.list_queues(vhost)}[queue]


def publish(stage, count, **kwargs) -> list[str]:
    return bulk.publish_many(stage.broker_url, "notify", (stage.event(**kwargs) for _ in range(count)))


def times_of(log, name) -> list[float]:
    """Seconds since midnight of each line with that event (all of one test; no test runs across midnight)."""
    lines = [line for line in log.log_text().splitlines() if f"event={name} " in line + " "]
    clocks = [line.split()[0].rstrip("Z").split("T")[1].split(":") for line in lines]
    return [int(hours) * 3600 + int(minutes) * 60 + float(seconds) for hours, minutes, seconds in clocks]


# --- the pool

def test_workers_are_forked_processes_with_a_consumer_each_on_every_queue(stage, notifyd, rabbit, vhost):
    one = notifyd({"workers": 3})
    parents = {p.pid: p.parent for p in one.children()}
    assert len(one.workers()) == 3 and all(parents[pid] == one.pid for pid in one.workers())
    assert len(parents) == 4, "three workers and one agent"
    consumers = rabbit.list_consumers(vhost)
    by_queue = {c["queue"] for c in consumers}
    assert by_queue == {"notify", "notify.due", "notify.urgent", "notify.bulk", "notify.wake"}
    for queue in by_queue:
        mine = [c for c in consumers if c["queue"] == queue]
        assert len(mine) == 3 and all(c["ack_required"] for c in mine)
        assert {c["prefetch_count"] for c in mine} == {{"notify": 128, "notify.due": 64, "notify.wake": 64}.get(queue, 32)}


@pytest.mark.parametrize(("prefetch", "shares"), [(4, [1, 1, 1, 1, 64]), (9, [1, 1, 2, 4, 64])])
def test_the_shares_of_the_queues_never_pass_the_prefetch(stage, notifyd, rabbit, vhost, prefetch, shares):
    notifyd({"workers": 1, "broker": {"prefetch": prefetch}})
    assert sorted(c["prefetch_count"] for c in rabbit.list_consumers(vhost)) == shares


def test_two_notifyd_share_one_backlog(stage, notifyd):
    stage.webhook(secret=None)
    ids = publish(stage, 600)
    stage.receiver.script("/hook", Answer(delay=0.01))
    both = [notifyd({"workers": 1}, ready=False), notifyd({"workers": 1}, ready=False)]
    seen = stage.wait_arrivals(ids)
    stage.wait_settled(600)
    owners = [int(n) for _, n in stage.database.query("SELECT owner, count(*) FROM notify.deliveries GROUP BY 1")]
    print(f"shares: {owners}")
    assert len(owners) == 2 and min(owners) >= 120
    assert set(seen.values()) == {1} and all(one.alive() for one in both)


# --- the end

def test_term_drains_and_nothing_is_repeated(stage, notifyd, rabbit, vhost):
    """Sent to every process of the group, as a terminal and some service managers do it."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=0.5))
    one = notifyd({"broker": {"prefetch": 32}})
    ids = publish(stage, 60)
    stage.receiver.wait_for(10, "/hook")
    started = time.monotonic()
    one.signal(0)
    os.killpg(one.pid, signal.SIGTERM)
    assert one.wait() == 0
    took = time.monotonic() - started
    assert took < one.grace and unacked(rabbit, vhost) == 0
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))
    seen = stage.arrivals()
    figures.hold("repeated after TERM", sum(seen.values()) - len(seen), 0)
    print(f"drained in {took:.2f} s, {len(seen)} delivered, {ready(rabbit, vhost)} left in the queue")
    kept = sum(d["state"] == "deferred" for d in stage.deliveries())  # for which the receiver was too slow
    assert set(seen.values()) == {1} and len(seen) + kept + ready(rabbit, vhost) == 60 and len(seen) < 60
    assert {d["event_id"] for d in stage.deliveries() if d["state"] == "delivered"} == set(seen)
    stage.receiver.script("/hook")
    notifyd()
    assert set(stage.wait_arrivals(ids).values()) == {1}


def test_term_with_a_receiver_that_hangs_ends_within_the_grace_and_hands_the_rest_back(stage, notifyd, rabbit, vhost):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(instead="hang"))
    one = notifyd({"workers": 1, "shutdown_grace": 5.5, "delivery": {"timeout": 0.5, "connect_timeout": 0.5, "per_integration": 1},
                   "retry": {"base": 100.0}, **HELD})
    publish(stage, 30)
    stage.receiver.wait_for(1, "/hook")
    started = time.monotonic()
    one.terminate()
    assert one.wait() == 0
    took = time.monotonic() - started
    back = int(one.events("worker_leaves")[0]["handed_back"])
    waiting = [d for d in stage.deliveries() if d["state"] == "waiting"]
    print(f"ended after {took:.2f} s of 5.5, {back} handed back, {len(waiting)} failed and wait")
    assert 4 < took < 7 and back >= 15
    wait_until(lambda: ready(rabbit, vhost) == back, 5, "the messages are back in the queue")
    assert unacked(rabbit, vhost) == 0
    assert len(waiting) - (30 - back) in (0, 1), "one may be recorded already and not yet on the ladder"


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_a_second_signal_ends_at_once_and_hands_all_back(stage, notifyd, rabbit, vhost, second):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(instead="hang"))
    one = notifyd(HELD)
    publish(stage, 30)
    stage.receiver.wait_for(3, "/hook")
    one.terminate()
    one.wait_event("worker_draining", count=2)
    assert one.alive()
    started = time.monotonic()
    one.signal(second)
    assert one.wait() == 0
    took = time.monotonic() - started
    print(f"ended {took:.2f} s after the second signal")
    assert took < 1.5 and not one.family() and not list(one.folder.glob("core*"))
    wait_until(lambda: ready(rabbit, vhost) == 30, 5, "all messages are back in the queue")


def test_quit_alone_ends_at_once(stage, notifyd):
    one = notifyd()
    started = time.monotonic()
    one.signal(signal.SIGQUIT)
    assert one.wait() == 0 and time.monotonic() - started < 1.5
    assert all(e["how"] == "drained" for e in one.events("child_ended")), "nobody died of the signal"


# --- a new configuration

def test_hup_under_load_replaces_the_workers_and_loses_and_repeats_nothing(stage, notifyd):
    stage.webhook(secret=None)
    one = notifyd()
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(1000)), rate=500)
    publisher.start()
    stage.receiver.wait_for(300, "/hook")
    before = one.workers()
    one.write_conf({**one.settings, "workers": 3})
    one.signal(signal.SIGHUP)
    wait_until(lambda: len(one.workers()) == 3 and not set(before) & set(one.workers()), 10, "three new workers alone")
    assert len(one.children()) == 4
    seen = stage.wait_arrivals(publisher.finish())
    stage.wait_settled(1000)
    assert set(seen.values()) == {1} and len(seen) == 1000
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))
    assert all(e["how"] == "drained" for e in one.events("child_ended"))


def test_term_while_the_old_workers_drain_after_hup_repeats_nothing(stage, notifyd, rabbit, vhost):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=1.0))
    one = notifyd({"workers": 1, "broker": {"prefetch": 32}})
    publish(stage, 16)
    stage.receiver.wait_for(8, "/hook")
    one.signal(signal.SIGHUP)
    one.wait_event("worker_draining")
    one.terminate()
    assert one.wait() == 0
    assert all(e["handed_back"] == "0" for e in one.events("worker_leaves"))
    assert set(stage.arrivals().values()) == {1} and ready(rabbit, vhost) == 0


def test_hup_with_a_broken_file_leaves_everything_as_it_is_and_names_each_error(stage, notifyd):
    stage.webhook(secret=None)
    one = notifyd()
    before, good = one.children(), one.settings
    one.write_conf({**good, "workers": 999, "wrokers": 2, "retry": {"base": "soon"}})
    one.signal(signal.SIGHUP)
    errors = [e["error"] for e in one.wait_event("reload_refused", count=3)]
    for words in ("workers", "wrokers", "retry.base"):
        assert any(words in error and "notify.conf" in error for error in errors), (words, errors)
    time.sleep(0.5)
    assert {p.pid for p in one.children()} == {p.pid for p in before}
    event_id = stage.publish()
    stage.wait_arrivals([event_id])
    one.write_conf(good)  # the mended file is taken
    one.signal(signal.SIGHUP)
    wait_until(lambda: one.workers() and not {p.pid for p in before} & set(one.workers()), 10, "new workers")


def test_hup_with_settings_that_reach_no_broker_leaves_the_old_workers_at_work(stage, notifyd):
    stage.webhook(secret=None)
    one = notifyd({"watchdog": 5.0})
    before, good = set(one.workers()), one.settings
    one.write_conf({**good, "broker": {**good["broker"], "url": "amqp://nobody:wrong@127.0.0.1:1"}})
    one.signal(signal.SIGHUP)
    one.wait_event("reloading")
    one.wait_event("reload_waits", timeout=8)  # longer than the watchdog
    time.sleep(0.3)
    assert before <= {p.pid for p in one.children()}
    stage.wait_arrivals([stage.publish()])
    one.write_conf(good)
    one.signal(signal.SIGHUP)
    wait_until(lambda: len(one.workers()) == 2 and not before & set(one.workers()), 10, "workers with the mended file")
    wait_until(lambda: len(one.children()) == 3, 10, "nobody else is left")


def test_ttin_and_ttou_add_and_remove_a_worker(stage, notifyd):
    stage.webhook(secret=None)
    one = notifyd({"workers": 1})
    first = one.workers()
    one.signal(signal.SIGTTIN)
    wait_until(lambda: len(one.workers()) == 2, 5, "a second worker")
    one.signal(signal.SIGTTIN)
    wait_until(lambda: len(one.workers()) == 3, 5, "a third worker")
    for left in (2, 1):
        one.signal(signal.SIGTTOU)
        wait_until(lambda: len(one.workers()) == left, 5, f"{left} left")
    one.signal(signal.SIGTTOU)  # the last one stays
    time.sleep(0.5)
    assert one.workers() == first
    assert all(e["how"] == "drained" for e in one.events("child_ended"))
    stage.wait_arrivals([stage.publish()])


# --- the watchdog and the throttle

def test_a_frozen_worker_and_a_frozen_agent_are_killed_by_the_watchdog_and_replaced(stage, notifyd):
    stage.webhook(secret=None)
    one = notifyd({"watchdog": 5.0})
    frozen = [one.workers()[0], next(p.pid for p in one.children() if p.pid not in one.workers())]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    since = time.monotonic()
    ids = publish(stage, 100)
    for pid in frozen:
        ended = one.wait_event("child_ended", child=str(pid), timeout=9)[0]
        assert ended["watchdog"] == "yes" and ended["how"] == "Killed"
    figures.hold("frozen processes killed, and that is in the log (watchdog 5 s)", time.monotonic() - since, 5.5, "s")
    wait_until(lambda: len(one.workers()) == 2 and len(one.children()) == 3, 5, "new ones")
    assert not set(frozen) & {p.pid for p in one.children()}
    assert set(stage.wait_arrivals(ids).values()) == {1}


def test_a_pool_that_was_paused_as_a_whole_goes_on(stage, notifyd):
    """A container that is paused and resumed: nobody hung, only time went by."""
    stage.webhook(secret=None)
    one = notifyd({"watchdog": 5.0})
    before = one.family()
    for p in before:
        p.signal(signal.SIGSTOP)
    time.sleep(5.2)  # longer than the watchdog
    for p in before:  # the supervisor first: it must not judge the others by the time that it slept itself
        p.signal(signal.SIGCONT)
        time.sleep(0.2)
    time.sleep(0.5)
    assert [p.pid for p in one.family()] == [p.pid for p in before]
    stage.wait_arrivals([stage.publish()])


@pytest.mark.alone
def test_deaths_before_the_first_message_are_throttled(stage, notifyd):
    one = notifyd({"workers": 1})
    for deaths in range(1, 4):
        wait_until(lambda: len(one.workers()) == 1, 10, "a worker")
        os.kill(one.workers()[0], signal.SIGKILL)
        one.wait_event("child_ended", count=deaths)
    one.wait_event("child_started", role="worker", count=4)
    ends = times_of(one, "child_ended")
    starts = [t for t, e in zip(times_of(one, "child_started"), one.events("child_started")) if e["role"] == "worker"]
    pauses = [after - before for before, after in zip(ends, starts[1:])]
    print("pauses:", [f"{p:.2f}" for p in pauses])
    for pause, least in zip(pauses, (0.25, 0.5, 1.0)):
        assert least <= pause < least + 0.4
    stage.webhook(secret=None)  # a worker that has worked is replaced at once, and the pauses start anew
    stage.wait_arrivals([stage.publish()])
    stage.wait_settled(1)
    time.sleep(0.2)
    os.kill(one.workers()[0], signal.SIGKILL)
    one.wait_event("child_started", role="worker", count=5)
    pause = times_of(one, "child_started")[-1] - times_of(one, "child_ended")[-1]
    assert pause < 0.1


@pytest.mark.long
def test_deaths_that_are_far_apart_are_no_loop(notifyd):
    one = notifyd()
    for deaths in (1, 2):
        agent = next(p.pid for p in one.children() if p.pid not in one.workers())
        time.sleep(31 if deaths == 2 else 0)
        os.kill(agent, signal.SIGKILL)
        one.wait_event("child_started", role="agent", count=deaths + 1)
    assert times_of(one, "child_started")[-1] - times_of(one, "child_ended")[-1] < 0.45


@pytest.mark.long
def test_a_limit_below_what_a_worker_needs_makes_no_storm_of_forks(notifyd):
    one = notifyd({"workers": 1, "recycle_memory": 1})
    time.sleep(5)
    started = one.events("child_started")
    print(f"{len(started) - 1} workers in 5 s")
    assert one.events("worker_draining")[0]["why"] == "recycle_memory" and len(started) - 1 <= 5


# --- its start

def test_a_bad_configuration_ends_with_78_and_every_error(notifyd):
    one = notifyd({"workers": -1, "broker": {"url": "http://nowhere", "prefetch": 1}, "database": {"url": "mysql://x"},
                   "secrets": {"fernet_keys": ["short"]}, "nonsense": True}, ready=False)
    one.expected_exit = 78
    assert one.wait(5) == 78
    errors = [e["error"] for e in one.events("bad_configuration")]
    for words in ("workers", "broker.url", "broker.prefetch", "database.url", "secrets.fernet_keys", "nonsense"):
        assert any(words in error for error in errors), (words, errors)
    assert not any("short" in error for error in errors), "a secret was printed"


@pytest.mark.parametrize("url", ["amqp://u:p@127.0.0.1:99999", "amqp://u:p@127.0.0.1:port", "amqp://u:p%zz@127.0.0.1",
                                 "amqp://u:p@127.0.0.1:5672/a/b", "amqp://u:pa?ss@127.0.0.1/v"])
def test_a_broker_url_that_the_library_cannot_read_is_an_error_of_the_file(build, tmp_path, fernet_key, url):
    conf = tmp_path / "notify.conf"
    conf.touch(0o600)
    conf.write_text(f'broker = {{ url = "{url}"; }}; database = {{ url = "postgresql://u@127.0.0.1/x"; }};'
                    f' secrets = {{ fernet_keys = ["{fernet_key}"]; }};')
    run = subprocess.run([build / "notifyd", "-c", conf], capture_output=True, text=True, timeout=10)
    assert run.returncode == 78 and "broker.url" in run.stderr

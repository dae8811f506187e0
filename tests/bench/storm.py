"""Scenario storm: everything fails at once, then the receiver is healed.

While it lasts, a worker's memory must not grow with what waits: that stands in the ledger and on the ladder. After the
healing all must be delivered little later than the last pause that was outstanding at that moment. How long that pause was
from its beginning is not how much of it was left; both are reported, and the bound is on the former.
"""

from __future__ import annotations

import time
from typing import Any

from .contenders import Daemon, RunningNotifyd, Site
from .figures import Bound, judged, ratio
from .machine import BenchFailed
from .meter import Memory, Peaks, Snapshot, cpu_between
from .plan import Plan
from .rounds import WORKSPACES
from .world import World

EVENTS = 50_000
PATH = "/storm"
_MEMORY_BOUND = 2.0  # times what a worker has when everything is delivered at once
_HEALING_BOUND = 2.0  # times the longest pause: it is rounded up to the next step of the ladder, and what comes back must be sent
_OUTAGE = 3.0  # times --seconds: so long it lasts at least; the pauses of ladder and circuits grow meanwhile
_PATIENCE = 600.0


def run(plan: Plan) -> dict[str, Any]:
    machine, count = plan.machine, plan.scaled(EVENTS, 5000)
    calm = plan.reference().memory
    machine.receiver.answer(PATH, "fail")
    with machine.world("storm") as world, machine.vhost() as vhost:
        events = world.events(world.add_workspaces(WORKSPACES, machine.receiver.url(PATH)))
        machine.fill(vhost, events, count)
        machine.receiver.reset()
        running = Daemon().start(machine, Site(vhost, world, ""))
        try:
            lasts = _rage(plan, running, world, count)
            heals = _heal(plan, running, world, count)
            machine.wait_acknowledged(vhost)
            running.stop()
        finally:
            running.kill()
    peak = Memory(max(lasts["memory"].rss_mb, heals["memory"].rss_mb), max(lasts["memory"].anon_mb, heals["memory"].anon_mb))
    machine.say(f"storm of {count}: {peak.anon_mb:.1f} MB at most, all delivered {heals['seconds']:.1f} s after the healing")
    return judged({
        "events": count, "seconds_until_all_waited": lasts["seconds"], "requests_until_healed": lasts["requests"],
        **{f"{name}_cpu_us_per_event": us for name, us in lasts["cpu_us"].items()}, "rows_waiting": lasts["waiting"],
        "rows_deferred": lasts["deferred"], "rss_mb_per_worker": peak.rss_mb, "anon_mb_per_worker": peak.anon_mb,
        "anon_mb_per_worker_calm": calm.anon_mb, "anon_ratio": ratio(peak.anon_mb, calm.anon_mb),
        "longest_delay_s": lasts["longest_delay"], "longest_delay_left_s": lasts["longest_left"], "healed_in_s": heals["seconds"],
        "healing_ratio": ratio(heals["seconds"], lasts["longest_delay"]),
    }, Bound("anon_ratio", most=_MEMORY_BOUND), Bound("healing_ratio", most=_HEALING_BOUND))


def _rage(plan: Plan, running: RunningNotifyd, world: World, count: int) -> dict[str, Any]:
    """Until all of it waits: on the ladder for its next attempt, or in the mailbox of an integration whose circuit is open."""
    peaks, begun, before = Peaks(running.daemon.workers()), time.monotonic(), Snapshot()

    def all_wait() -> bool:
        running.check()
        peaks.sample()
        found = world.query("SELECT count(*) FROM notify.deliveries WHERE state IN ('sending', 'waiting', 'deferred')")[0][0]
        return found >= count and time.monotonic() - begun >= _OUTAGE * plan.seconds
    plan.machine.wait(all_wait, _PATIENCE, f"{count} deliveries have failed or wait in mailboxes", every=0.2)
    [(waiting, deferred, ladder)] = world.query(
        "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'deferred'),"
        " coalesce(extract(epoch FROM max(due_at) FILTER (WHERE state = 'waiting') - now()), 0)::float8 FROM notify.deliveries")
    [(pause, left)] = world.query(
        "SELECT coalesce(extract(epoch FROM max(wake_at - updated_at)), 0)::float8,"
        " coalesce(extract(epoch FROM max(wake_at) - now()), 0)::float8 FROM notify.integration_state WHERE wake_at IS NOT NULL")
    requests = plan.machine.receiver.path(PATH)["requests"]
    cpu = cpu_between(before, Snapshot(), plan.machine.groups(running.roots, plan.machine.receiver.pid))
    return {"seconds": time.monotonic() - begun, "waiting": waiting, "deferred": deferred, "longest_delay": max(ladder, pause),
            "longest_left": max(ladder, left),
            "requests": requests, "cpu_us": {name: us / count for name, us in cpu.items()},
            "memory": peaks.greatest(running.daemon.workers())}


def _heal(plan: Plan, running: RunningNotifyd, world: World, count: int) -> dict[str, Any]:
    peaks, begun = Peaks(running.daemon.workers()), time.monotonic()
    plan.machine.receiver.answer(PATH, "ok")

    def all_are_delivered() -> bool:
        running.check()
        peaks.sample()
        return plan.machine.receiver.path(PATH)["delivered"] >= count
    plan.machine.wait(all_are_delivered, _PATIENCE, f"{count} deliveries come through", every=0.1)
    seconds = time.monotonic() - begun
    plan.machine.wait(lambda: world.states() == {"delivered": count}, 30, "the ledger knows of all deliveries", every=0.5)
    if plan.machine.receiver.path(PATH)["delivered"] != count:
        raise BenchFailed("a delivery of the storm was made twice")
    return {"seconds": seconds, "memory": peaks.greatest(running.daemon.workers())}

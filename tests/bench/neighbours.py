"""Scenario neighbours: what healthy receivers notice of one that never answers and of one that takes five seconds.

Half of what notifyd can do is offered; a tenth of it goes to the one that accepts and is silent, a hundredth to the slow
one. The comparison is a run with the healthy part of it alone.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .contenders import Daemon, Site
from .figures import Bound, judged, ratio
from .plan import Plan
from .rounds import WORKSPACES
from .world import World

HEALTHY, NEVER, SLOW = "/healthy", "/never", "/slow"
_SLOW_MS = 5000
_SHARES = {HEALTHY: 89, NEVER: 10, SLOW: 1}  # percent of the events
_OF_SATURATION = 0.5
_WARM_UP = 2.0
_ARRIVE = 30.0  # seconds for what is late


def run(plan: Plan) -> dict[str, Any]:
    machine = plan.machine
    offered = plan.reference().events_per_s * _OF_SATURATION
    seconds = max(5.0, 3 * plan.seconds)  # longer than a delivery may take, so that its end is seen too
    machine.receiver.answer(NEVER, "never")
    machine.receiver.answer(SLOW, "after", _SLOW_MS)
    with machine.world("neighbours") as world:
        url = machine.receiver.url
        healthy = world.add_workspaces(WORKSPACES, url(HEALTHY), findings=1)
        never, slow = (world.add_workspaces(1, url(path), findings=1) for path in (NEVER, SLOW))
        share = _SHARES[HEALTHY] / 100
        among = world.joined((healthy, _SHARES[HEALTHY]), (never, _SHARES[NEVER] * WORKSPACES),
                             (slow, _SHARES[SLOW] * WORKSPACES))
        without = _offer(plan, world, world.events(healthy), offered * share, seconds, 1.0)
        within = _offer(plan, world, among, offered, seconds, share)
    for name, found in (("without", without), ("with", within)):
        machine.say(f"{name} neighbours: {found['healthy_per_s']:.0f} healthy deliveries/s, p99 {found['healthy_p99_ms']:.1f} ms")
    return judged({
        "offered_per_s": offered, **{f"{name}_without": value for name, value in without.items()},
        **{f"{name}_with": value for name, value in within.items()},
        "healthy_rate_ratio": ratio(within["healthy_per_s"], without["healthy_per_s"]),
        "healthy_p99_ratio": ratio(within["healthy_p99_ms"], without["healthy_p99_ms"]),
    }, Bound("healthy_rate_ratio", least=0.9), Bound("healthy_p99_ratio", most=2.0))


def _offer(plan: Plan, world: World, events: Path, rate: float, seconds: float, share: float) -> dict[str, float]:
    """RATE events/s for SECONDS, SHARE of which are for healthy receivers."""
    machine = plan.machine
    count = int(rate * (_WARM_UP + seconds))
    world.empty_ledger()
    with machine.vhost() as vhost:
        running = Daemon().start(machine, Site(vhost, world, ""))
        try:
            machine.receiver.reset()
            publisher = machine.publish(vhost, events, count, rate)
            machine.stop.pause(_WARM_UP)
            before = machine.receiver.path(HEALTHY, machine.receiver.reset())["requests"]
            begun = time.monotonic()
            machine.wait(lambda: publisher.ended, seconds + _ARRIVE, f"{count} events are published")
            took = time.monotonic() - begun
            in_time = machine.receiver.path(HEALTHY)["requests"]
            said = publisher.finish(5)
            running.check()
            figures = _when_all_is_there(plan, int(count * share * 0.995) - before)
        finally:
            running.kill()  # what it has in hand may never end, and nobody wants it
    missing = count * share - before - figures["requests"]
    return {"healthy_per_s": in_time / took, "healthy_p50_ms": figures["latency_ms"]["p50"],
            "healthy_p99_ms": figures["latency_ms"]["p99"], "healthy_missing": max(0.0, round(missing)),
            "publisher_late_ms_p99": said["late_ms"]["p99"]}


def _when_all_is_there(plan: Plan, wanted: int) -> dict[str, Any]:
    """The healthy receiver's figures when WANTED requests have come, or when they should long have."""
    deadline = time.monotonic() + _ARRIVE
    while True:
        plan.machine.stop.pause(0.2)
        figures = plan.machine.receiver.path(HEALTHY)
        if figures["requests"] >= wanted or time.monotonic() > deadline:
            return figures

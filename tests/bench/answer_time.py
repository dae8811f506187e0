"""Scenario answer_time: what one worker does when receivers take their time.

Then it is not the processors that bound it: a request lasts as long as the receiver lets it, and a worker has no more of
them under way than it holds messages of the producers' queues, which is their share of broker.prefetch.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .contenders import PREFETCH, Daemon, Site
from .plan import Plan
from .rounds import WORKSPACES
from .world import World

PATH = "/late"
TIMES_MS = (50, 200, 500)
PREFETCHES = (PREFETCH, 4 * PREFETCH)
_FROM = 0.2  # of the events have arrived when the rate begins to count: windows have grown
_TO = 0.8
_PATIENCE = 120.0


def run(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with plan.machine.world("answer_time") as world:
        events = world.events(world.add_workspaces(WORKSPACES, plan.machine.receiver.url(PATH)))
        for ms in TIMES_MS:
            plan.machine.receiver.answer(PATH, "after", ms)
            rates = {f"prefetch {prefetch}": _rate(plan, world, events, ms, prefetch) for prefetch in PREFETCHES}
            plan.machine.say(f"answers after {ms} ms: " + ", ".join(f"{rate:.0f}/s with {name}" for name, rate in rates.items()))
            found[f"{ms} ms"] = rates
    return found


def _rate(plan: Plan, world: World, events: Path, ms: int, prefetch: int) -> float:
    """Deliveries/s of one worker."""
    machine, count = plan.machine, int(plan.seconds * prefetch * 1000 / ms)
    delivery = {"connections": prefetch, "idle_connections": prefetch}
    world.empty_ledger()
    with machine.vhost() as vhost:
        machine.fill(vhost, events, count)
        machine.receiver.reset()
        running = Daemon(1, {"broker": {"prefetch": prefetch}, "delivery": delivery}).start(machine, Site(vhost, world, ""))
        try:
            first, begun = _until(plan, int(_FROM * count)), time.monotonic()
            last = _until(plan, int(_TO * count))
            took = time.monotonic() - begun
            running.check()
        finally:
            running.kill()
    return (last - first) / took


def _until(plan: Plan, wanted: int) -> int:
    """How many requests have come, which is at least WANTED."""
    plan.machine.wait(lambda: plan.machine.receiver.path(PATH)["requests"] >= wanted, _PATIENCE, f"{wanted} deliveries are made",
                      every=0.02)
    return int(plan.machine.receiver.path(PATH)["requests"])

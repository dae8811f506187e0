"""Scenario limited: one integration has far more to get than its rate allows; what the others notice of it.

The others alone, then beside it, and for comparison beside the same events with a rate that lets them through. When the
others are done, the rest still waits in the mailbox: that is when one sees what waiting costs whom.

Only with a notifyd that can limit the rate of a webhook (gate.rate_webhook).
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from .contenders import Daemon, RunningNotifyd, Site
from .figures import Bound, judged, ratio
from .meter import Snapshot, cpu_between
from .plan import Plan
from .rounds import WORKSPACES
from .world import World

EVENTS = 20_000
LIMITED, OTHERS = "/limited", "/others"
SETTING = "gate.rate_webhook"
_RATE = 50.0  # requests a second that an integration may get
_NO_LIMIT = 0.0
_OTHERS_RATE = 1000.0
_WARM_UP = 2.0
_ARRIVE = 30.0
_WAITING = 3.0  # seconds for which is watched what waiting costs


def unavailable(plan: Plan) -> str:
    """Why it cannot run; empty when it can."""
    known = subprocess.run([plan.machine.programs / "notifyd", "--help-config"], capture_output=True, text=True, check=True,
                           timeout=30, start_new_session=True).stdout
    return "" if SETTING in known else f"this notifyd has no setting {SETTING}"


def run(plan: Plan) -> dict[str, Any]:
    machine, burst = plan.machine, plan.scaled(EVENTS, 2000)
    seconds = max(5.0, 2 * plan.seconds)
    with machine.world("limited") as world:
        url = machine.receiver.url
        one = world.events(world.add_workspaces(1, url(LIMITED)))
        others = world.events(world.add_workspaces(WORKSPACES, url(OTHERS)))
        without = _offer(plan, world, _RATE, others, seconds, None, 0)
        unlimited = _offer(plan, world, _NO_LIMIT, others, seconds, one, burst)
        beside = _offer(plan, world, _RATE, others, seconds, one, burst)
    machine.say(f"limited: {beside['limited_per_s']:.0f}/s, others {beside['others_per_s']:.0f}/s,"
                f" p99 {beside['others_p99_ms']:.1f} ms ({without['others_p99_ms']:.1f} without)")
    return judged({
        "events": burst, "rate_limit_per_s": _RATE, "others_offered_per_s": _OTHERS_RATE,
        **{f"{name}_without": value for name, value in without.items() if name.startswith("others")},
        **{f"{name}_beside_unlimited": value for name, value in unlimited.items() if name.startswith("others")}, **beside,
        "limited_ratio": ratio(beside["limited_per_s"], _RATE),
        "others_rate_ratio": ratio(beside["others_per_s"], without["others_per_s"]),
        "others_p99_ratio": ratio(beside["others_p99_ms"], without["others_p99_ms"]),
    }, Bound("limited_ratio", least=0.8, most=1.1), Bound("others_rate_ratio", least=0.9), Bound("others_p99_ratio", most=2.0))


def _offer(plan: Plan, world: World, rate: float, others: Path, seconds: float, one: Path | None, burst: int) -> dict[str, float]:
    machine = plan.machine
    count = int(_OTHERS_RATE * (_WARM_UP + seconds))
    world.empty_ledger()
    with machine.vhost() as vhost:
        running = Daemon(settings={"gate": {"rate_webhook": rate}}).start(machine, Site(vhost, world, ""))
        try:
            publisher = machine.publish(vhost, others, count, _OTHERS_RATE)
            too_much = machine.publish(vhost, one, burst, _OTHERS_RATE) if one else None
            machine.stop.pause(_WARM_UP)
            before = machine.receiver.path(OTHERS, machine.receiver.reset())["requests"]
            begun = time.monotonic()
            machine.wait(lambda: publisher.ended, seconds + _ARRIVE, f"{count} events are published")
            took = time.monotonic() - begun
            figures = machine.receiver.figures()
            publisher.finish(5)
            if too_much:
                machine.wait(lambda: too_much.ended, seconds + _ARRIVE, f"{burst} events are published")
                too_much.finish(5)
            _wait_for_others(plan, count - before)
            late = machine.receiver.path(OTHERS)
            waiting = _cores(plan, running) if one and rate else {}
            running.check()
        finally:
            running.kill()  # most of what is too much still waits for its turn
    return {"limited_per_s": machine.receiver.path(LIMITED, figures)["requests"] / took,
            "others_per_s": machine.receiver.path(OTHERS, figures)["requests"] / took,
            "others_p50_ms": late["latency_ms"]["p50"], "others_p99_ms": late["latency_ms"]["p99"],
            **{f"cores_while_the_rest_waits_{name}": cores for name, cores in waiting.items()}}


def _cores(plan: Plan, running: RunningNotifyd) -> dict[str, float]:
    """How many processors each of them uses now: a hundredth is 10 ms in a second."""
    before, begun = Snapshot(), time.monotonic()
    plan.machine.stop.pause(_WAITING)
    seconds = time.monotonic() - begun
    used = cpu_between(before, Snapshot(), plan.machine.groups(running.roots, plan.machine.receiver.pid))
    return {name: us / 1e6 / seconds for name, us in used.items()}


def _wait_for_others(plan: Plan, wanted: int) -> None:
    """Or until they should long have arrived."""
    deadline = time.monotonic() + _ARRIVE
    while plan.machine.receiver.path(OTHERS)["requests"] < wanted and time.monotonic() < deadline:
        plan.machine.stop.pause(0.2)

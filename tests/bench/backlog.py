"""Scenario backlog: whether an event costs more when half a million others wait behind it than with ten thousand.

Both are measured over the same number of events; the long queue is filled once and loses but a little of it in each run.
"""

from __future__ import annotations

from typing import Any

from .contenders import Daemon
from .figures import Bound, judged, ratio
from .plan import RUNS, Plan, median_of
from .rounds import WORKSPACES
from .throughput import Throughput, Work, run_part

SHORT, LONG = 10_000, 500_000
_CPU_BOUND, _RATE_BOUND = 1.10, 0.75


def run(plan: Plan) -> dict[str, Any]:
    machine = plan.machine
    short, long = plan.scaled(SHORT, 10_000), plan.scaled(LONG, 50_000)
    runs: dict[str, list[Throughput]] = {"short": [], "long": []}
    with machine.world("backlog") as world, machine.vhost() as vhost:
        work = Work(world.events(world.add_workspaces(WORKSPACES, machine.nginx.url)), short)
        machine.say(f"filling a queue with {long} events")
        machine.fill(vhost, work.events, long)
        for _ in range(RUNS):
            runs["short"].append(plan.run(f"{short} waiting", world, work))
            runs["long"].append(run_part(machine, Daemon(), world, vhost, work))
            plan.say(f"{long} waiting", runs["long"][-1])
    few, many = median_of(runs["short"]), median_of(runs["long"])
    return judged({
        "waiting_short": short, "waiting_long": long,
        "events_per_s_short": few["events_per_s"], "events_per_s_long": many["events_per_s"],
        "cpu_us_per_event_short": few["cpu_us_per_event"], "cpu_us_per_event_long": many["cpu_us_per_event"],
        "broker_cpu_us_per_event_short": few["cpu_us_per_event_of"]["broker"],
        "broker_cpu_us_per_event_long": many["cpu_us_per_event_of"]["broker"],
        "cpu_ratio": ratio(many["cpu_us_per_event"], few["cpu_us_per_event"]),
        "rate_ratio": ratio(many["events_per_s"], few["events_per_s"]),
    }, Bound("cpu_ratio", most=_CPU_BOUND), Bound("rate_ratio", least=_RATE_BOUND))

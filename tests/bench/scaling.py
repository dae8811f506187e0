"""Scenario scaling: more workers, and more than one notifyd on one broker; who then uses the processors."""

from __future__ import annotations

from typing import Any

from .contenders import Contender, Daemon, Pair
from .plan import RUNS, Plan, median_of
from .rounds import WORKSPACES
from .throughput import Throughput, Work


def run(plan: Plan) -> dict[str, Any]:
    ways: dict[str, Contender] = {"1 worker": Daemon(1), "2 workers": Daemon(2), "4 workers": Daemon(4),
                                  "2 notifyd of 2 workers": Pair(Daemon(2))}
    runs: dict[str, list[Throughput]] = {name: [] for name in ways}
    count = plan.lasting(plan.reference().events_per_s)
    with plan.machine.world("scaling") as world:
        work = Work(world.events(world.add_workspaces(WORKSPACES, plan.machine.nginx.url)), count)
        for _ in range(RUNS):
            for name, way in ways.items():
                runs[name].append(plan.run(f"scaling, {name}", world, work, way))
    return {name: _figures(median_of(found)) for name, found in runs.items()}


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    cpu = {"notifyd": found["cpu_us_per_event"], **found["cpu_us_per_event_of"]}
    return {"events_per_s": found["events_per_s"], "cpu_us_per_event": found["cpu_us_per_event"],
            "cpu_share_of": {name: us / sum(cpu.values()) for name, us in cpu.items()}}

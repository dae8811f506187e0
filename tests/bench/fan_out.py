"""Scenario fan_out: what a delivery costs when an event has one, ten or a hundred of them."""

from __future__ import annotations

from typing import Any

from .plan import RUNS, Plan, median_of
from .throughput import Throughput, Work

WIDTHS = (1, 10, 100)
_WORKSPACES = 20
_IN_FLIGHT = 256  # events that two workers hold: a run must be longer than what it begins with
_LEAST_ROUNDS = 4


def run(plan: Plan) -> dict[str, Any]:
    runs: dict[int, list[Throughput]] = {width: [] for width in WIDTHS}
    deliveries = plan.lasting(plan.reference().events_per_s)
    with plan.machine.world("fan_out") as world:
        events = {width: world.events(world.add_workspaces(_WORKSPACES, plan.machine.nginx.url, integrations=width))
                  for width in WIDTHS}
        for _ in range(RUNS):
            for width in WIDTHS:
                count = max(deliveries // width, _LEAST_ROUNDS * _IN_FLIGHT if plan.seconds >= 5 else _IN_FLIGHT)
                runs[width].append(plan.run(f"fan_out of {width}", world, Work(events[width], count, width)))
    return {str(width): _figures(median_of(found), width) for width, found in runs.items()}


def _figures(found: dict[str, Any], width: int) -> dict[str, Any]:
    return {"deliveries_per_s": found["deliveries_per_s"], "events_per_s": found["events_per_s"],
            "cpu_us_per_delivery": found["cpu_us_per_event"] / width,
            "cpu_us_per_delivery_of": {name: us / width for name, us in found["cpu_us_per_event_of"].items()}}

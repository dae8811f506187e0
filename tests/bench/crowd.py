"""Scenario crowd: ten thousand integrations of which one fires, against that one alone."""

from __future__ import annotations

from typing import Any

from .figures import Bound, judged, ratio
from .plan import RUNS, Plan, median_of
from .throughput import Throughput, Work

CROWD = 10_000
_BOUND = 1.3


def run(plan: Plan) -> dict[str, Any]:
    url = plan.machine.nginx.url
    runs: dict[str, list[Throughput]] = {"alone": [], "crowd": []}
    with plan.machine.world("crowd") as world:
        alone, crowd = world.add_workspaces(1, url), world.add_workspaces(1, url)
        world.add_bystanders(crowd[0], CROWD - 1, url)
        events = {"alone": world.events(alone), "crowd": world.events(crowd)}
        first = plan.run("one integration", world, Work(events["alone"], plan.lasting(1000)))
        for _ in range(RUNS):
            for name, found in runs.items():
                found.append(plan.run(f"crowd, {name}", world, Work(events[name], plan.lasting(first.events_per_s))))
    one, many = median_of(runs["alone"]), median_of(runs["crowd"])
    return judged({
        "integrations": CROWD,
        "events_per_s_alone": one["events_per_s"], "events_per_s_crowd": many["events_per_s"],
        "cpu_us_per_event_alone": one["cpu_us_per_event"], "cpu_us_per_event_crowd": many["cpu_us_per_event"],
        "anon_mb_per_worker_alone": one["anon_mb_per_worker"], "anon_mb_per_worker_crowd": many["anon_mb_per_worker"],
        "rate_ratio": ratio(one["events_per_s"], many["events_per_s"]),
        "cpu_ratio": ratio(many["cpu_us_per_event"], one["cpu_us_per_event"]),
    }, Bound("rate_ratio", most=_BOUND), Bound("cpu_ratio", most=_BOUND))

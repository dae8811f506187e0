"""The scenarios, by the names that they have on the command line and in bench.json."""

from __future__ import annotations

from typing import Any, Callable

from . import answer_time, backlog, crowd, fan_out, limited, neighbours, scaling, storm
from .plan import Plan

SCENARIOS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "fan_out": fan_out.run, "crowd": crowd.run, "backlog": backlog.run, "neighbours": neighbours.run, "storm": storm.run,
    "limited": limited.run, "scaling": scaling.run, "answer_time": answer_time.run,
}


def unavailable(name: str, plan: Plan) -> str:
    """Why a scenario cannot run with this notifyd; empty when it can."""
    return limited.unavailable(plan) if name == "limited" else ""

"""tests/bench/run after its packages are installed; see there for what it does."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from typing import Any, Callable

from sandbox.demo_screen import Stop, Stopped
from sandbox.processes import StartError

from . import chart, report as reports
from .contenders import NAMES
from .machine import ROOT, BenchFailed, Machine
from .plan import Plan
from .rounds import Rounds, ratios
from .scenarios import SCENARIOS, unavailable


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="tests/bench/run")
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", action="append", default=[], choices=[*NAMES, *SCENARIOS])
    options.add_argument("--check", action="store_true")
    chosen = options.parse_args()
    if not 0.5 <= chosen.seconds <= 600:
        options.error("--seconds is from 0.5 to 600")
    if not 1 <= chosen.rounds <= 100:
        options.error("--rounds is from 1 to 100")
    return chosen


def _measure(machine: Machine, chosen: argparse.Namespace) -> dict[str, Any]:
    wanted = chosen.only or [*NAMES, *SCENARIOS]
    machine.start()
    rounds = Rounds(machine, [name for name in NAMES if name in wanted], chosen.seconds, chosen.rounds)
    contenders = rounds.run()
    plan, scenarios = Plan(machine, chosen.seconds), {}
    skipped, failed = dict(rounds.skipped), dict(rounds.failed)
    for name in [name for name in SCENARIOS if name in wanted]:
        why = unavailable(name, plan)
        if why:
            skipped[name] = why
            machine.say(f"{name} is skipped: {why}")
            continue
        machine.say(f"scenario {name}")
        try:
            scenarios[name] = SCENARIOS[name](plan)
        except (BenchFailed, StartError, TimeoutError) as error:
            failed[name] = str(error)
            machine.say(f"{name} failed: {error}")
    return {"contenders": contenders, "scenarios": scenarios, "ratios": ratios(contenders),
            "latency_rate_per_s": rounds.latency_rate, "skipped": skipped, "failed": failed,
            "others_share": reports.spread(machine.others), "machine": reports.surroundings(machine, chosen.seconds)}


def _show(report: dict[str, Any]) -> None:
    build = ROOT / "build"
    print("\n" + reports.table(report) + "\n")
    reports.write_json(report, build / "bench.json")
    written = "build/bench.json"
    if report["contenders"]:
        chart.write(report, build / "bench.svg")
        written += " and build/bench.svg"
    print(f"written: {written}")


def _say(begun: float) -> Callable[[str], None]:
    return lambda text: print(f"[{time.monotonic() - begun:6.1f} s] {text}", flush=True)


def run(chosen: argparse.Namespace, stop: Stop) -> int:
    machine = Machine(stop, _say(time.monotonic()))
    report, reason, stopped = None, "", False
    try:
        report = _measure(machine, chosen)
    except Stopped:
        stopped = True
    except (BenchFailed, StartError) as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    stop.ignore()
    reason = "\n".join(filter(None, [reason, *machine.clean_up()]))
    if report:
        _show(report)
    if reason:
        print(f"tests/bench/run: {reason}", file=sys.stderr)
        return 1
    if stopped:
        return 128 + stop.number
    wrong = reports.outside(report) if chosen.check else []
    for figure in wrong:
        print(f"tests/bench/run: {figure} is outside of its bound", file=sys.stderr)
    return 1 if report["failed"] or wrong else 0


if __name__ == "__main__":
    sys.exit(run(_options(), Stop()))

"""What is shown: a table for people, and bench.json for programs."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any, Iterable, Mapping

from .figures import rounded
from .machine import Machine, processors
from .world import describe

_COLUMNS = (
    ("events/s", lambda c: f"{c['events_per_s']:.0f}"),
    ("deliveries/s", lambda c: f"{c['deliveries_per_s']:.0f}"),
    ("us/event", lambda c: f"{c['cpu_us_per_event']:.0f}"),
    ("RSS MB", lambda c: f"{c['rss_mb_per_worker']:.1f}"),
    ("anon MB", lambda c: f"{c['anon_mb_per_worker']:.1f}"),
    ("p50 ms", lambda c: f"{c['latency_ms']['p50']:.2f}"),
    ("p99 ms", lambda c: f"{c['latency_ms']['p99']:.2f}"),
    ("broker us", lambda c: f"{c['cpu_us_per_event_of']['broker']:.0f}"),
    ("database us", lambda c: f"{c['cpu_us_per_event_of']['database']:.0f}"),
    ("receiver us", lambda c: f"{c['cpu_us_per_event_of']['receiver']:.0f}"),
)


_QUIET = 0.05  # of the processors; with more for others, rates and latencies are no longer notifyd's own


def spread(shares: list[float]) -> dict[str, float]:
    return {"median": statistics.median(shares), "max": max(shares)} if shares else {"median": 0.0, "max": 0.0}


def table(report: Mapping[str, Any]) -> str:
    """The whole report as text."""
    parts = []
    contenders = report["contenders"]
    if contenders:
        rows = [["", *(head for head, _ in _COLUMNS)],
                *([name, *(cell(figures) for _, cell in _COLUMNS)] for name, figures in contenders.items())]
        parts.append(_aligned(rows) + f"\n\nLatency at {report['latency_rate_per_s']:.0f} events/s; us: CPU time per event,"
                     " of the contender and of those whom it keeps busy.")
    if report["ratios"]:
        rows = [["ratio", *next(iter(report["ratios"].values()))],
                *([name, *("-" if value is None else f"{value:.3g}" for value in values.values())]
                  for name, values in report["ratios"].items())]
        parts.append(_aligned(rows))
    parts += [f"{name}\n{_scenario(figures)}" for name, figures in report["scenarios"].items()]
    others = report["others_share"]
    if others["max"] > _QUIET:
        parts.append(f"This machine was busy with something else: {others['median']:.0%} of its processors in the median run,"
                     f" {others['max']:.0%} at most.\nRates and latencies suffer from that; CPU times do so less, and memory not.")
    for heading in ("skipped", "failed"):
        parts += [f"{heading}: {name}: {why}" for name, why in report[heading].items()]
    return "\n\n".join(parts)


def _scenario(figures: Mapping[str, Any]) -> str:
    bounds = figures.get("bounds", {})
    if all(isinstance(part, Mapping) for part in figures.values()):  # one row for each way to run it
        flat = {name: _flat(part) for name, part in figures.items()}
        heads = list(next(iter(flat.values())))
        return _aligned([["  ", *heads], *(["  " + name, *(_number(row[head]) for head in heads)] for name, row in flat.items())])
    rows = []
    for name, value in figures.items():
        if name in ("bounds", "within"):
            continue
        verdict = bounds.get(name)
        words = f"  {_limit(verdict['bound'])}: {'within' if verdict['within'] else 'NOT WITHIN'}" if verdict else ""
        rows.append([f"  {name}", _number(value), words])
    return _aligned(rows)


def _flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            kind = name.removeprefix("cpu_").removesuffix("_of").split("_per_")[0]  # us, share
            flat.update({f"{kind} of {part}": number for part, number in value.items()})
        else:
            flat[name] = value
    return flat


def _limit(bound: Mapping[str, float]) -> str:
    return ", ".join(f"{word.replace('_', ' ')} {value:g}" for word, value in bound.items())


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:.0f}"


def _aligned(rows: Iterable[list[str]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip()
                     for row in lines)


def outside(report: Mapping[str, Any]) -> list[str]:
    """Every figure that is outside of its bound."""
    return [f"{name}.{figure}" for name, figures in report["scenarios"].items()
            for figure, verdict in figures.get("bounds", {}).items() if not verdict["within"]]


def surroundings(machine: Machine, seconds: float) -> dict[str, Any]:
    """On what it was measured."""
    return {
        "date": time.strftime("%Y-%m-%d"), "seconds": seconds, "processors": processors(), "processor": _processor(),
        "kernel": platform.release(), "build": _build_type(machine),
        "rabbitmq": machine.rabbit.evaluate("io:put_chars(rabbit_misc:version())"), "postgresql": describe(machine.postgres),
        "nginx": _version(["/usr/sbin/nginx", "-v"]), "node": _version(["node", "--version"]),
        "python3-celery": _version(["dpkg-query", "-W", "-f", "${Version}", "python3-celery"]),
    }


def _processor() -> str:
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if
             line.startswith("model name")]
    return names[0] if names else platform.machine()


def _build_type(machine: Machine) -> str:
    """With what notifyd was compiled, as CMake wrote it down."""
    cache = machine.build / "CMakeCache.txt"
    words = [line.split("=", 1)[1] for line in cache.read_text().splitlines() if line.startswith("CMAKE_BUILD_TYPE:")]
    return words[0] if words and words[0] else "RelWithDebInfo"


def _version(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip()


def write_json(report: Mapping[str, Any], path: Path) -> None:
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(rounded(report), indent=2) + "\n")
    fresh.replace(path)

"""The contenders, one after the other, on the same servers and rows, in several rounds, so that what changes on the machine
meanwhile meets all of them. Each round begins with another one. The figures are medians.

How many events a contender gets is sized to its speed, which a short run before the first round finds out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

from sandbox.processes import StartError

from . import latency, throughput
from .contenders import Contender, Daemon, Site, contender, missing
from .figures import medians, ratio
from .machine import BenchFailed, Machine
from .throughput import Work
from .world import World

WORKSPACES = 100  # each with one integration, so that no window of a single integration is what is measured
_GUESS = {"notifyd": 3000, "celery": 300, "node": 1000, "floor": 6000}  # events/s, for the first short run
_LEAST = 400  # events of a run
_LATENCY_RATE = 500.0
_BELOW_SATURATION = 0.8
_PATH = "/hook"


class Rounds:
    def __init__(self, machine: Machine, names: Sequence[str], seconds: float, rounds: int) -> None:
        self._machine, self._seconds, self._rounds = machine, seconds, rounds
        self.skipped = {name: missing(name) for name in names if missing(name)}
        self.failed: dict[str, str] = {}
        self._names = [name for name in names if name not in self.skipped]
        self._speed: dict[str, float] = {}
        self._runs: dict[str, list[dict[str, Any]]] = {}
        self.latency_rate = _LATENCY_RATE
        for name, why in self.skipped.items():
            machine.say(f"{name} is skipped: {why}")

    def run(self) -> dict[str, Any]:
        """Figures by contender, as in bench.json."""
        if not self._names:
            return {}
        machine = self._machine
        with machine.world("contenders") as world:
            self._fast = world.events(world.add_workspaces(WORKSPACES, machine.nginx.url))
            self._timed = world.events(world.add_workspaces(WORKSPACES, machine.receiver.url(_PATH)))
            size = _body_size(machine, world, self._timed)
            machine.say(f"{WORKSPACES} workspaces with a webhook each, {size} bytes a delivery")
            contenders = {name: contender(name, machine, size) for name in self._names}
            for name, one in contenders.items():
                self._guarded(name, lambda one=one: self._find_speed(world, one))
            self._choose_rate()
            for number in range(self._rounds):
                for name in self._names[number % len(self._names):] + self._names[:number % len(self._names)]:
                    if name not in self.failed:
                        self._guarded(name, lambda name=name: self._one(world, contenders[name], number))
        return {name: self._summary(name) for name in self._names if name not in self.failed}

    def speed(self, name: str) -> float | None:
        """Events/s that it reached in its first run."""
        return self._speed.get(name)

    def _guarded(self, name: str, step: Callable[[], None]) -> None:
        """One that does not work must not cost us what the others have shown."""
        try:
            step()
        except (BenchFailed, StartError, TimeoutError) as error:
            self.failed[name] = str(error)
            self._machine.say(f"{name} is out: {error}")

    def _find_speed(self, world: World, one: Contender) -> None:
        count = max(_LEAST, int(_GUESS[one.name] * min(1.0, self._seconds)))
        found = throughput.run(self._machine, one, world, Work(self._fast, count))
        self._speed[one.name] = found.events_per_s
        self._machine.say(f"{one.name}: about {found.events_per_s:.0f} events/s")

    def _choose_rate(self) -> None:
        slowest = min((speed for name, speed in self._speed.items() if name not in self.failed), default=_LATENCY_RATE * 2)
        if slowest * _BELOW_SATURATION < _LATENCY_RATE:
            self.latency_rate = max(10.0, slowest / 2 // 10 * 10)
            self._machine.say(f"latency is measured at {self.latency_rate:.0f} events/s instead of {_LATENCY_RATE:.0f}")

    def _one(self, world: World, one: Contender, number: int) -> None:
        machine = self._machine
        count = max(_LEAST, int(self._speed[one.name] * self._seconds / (throughput.TO - throughput.FROM)))
        fast = throughput.run(machine, one, world, Work(self._fast, count))
        timed = latency.run(machine, one, world, self._timed, _PATH, self.latency_rate, self._seconds)
        self._runs.setdefault(one.name, []).append({
            **fast.json(), "latency_ms": {"p50": timed.p50, "p99": timed.p99}, "publisher_late_ms_p99": timed.publisher_late_p99})
        machine.say(f"round {number + 1}: {one.name}: {fast.events_per_s:.0f} events/s, {fast.cpu_us['contender']:.0f} us/event,"
                    f" p50 {timed.p50:.2f} ms, p99 {timed.p99:.2f} ms")

    def _summary(self, name: str) -> dict[str, Any]:
        runs = self._runs[name]
        return {**medians(runs), "events_per_s_of_runs": [run["events_per_s"] for run in runs]}


def _body_size(machine: Machine, world: World, events: Path) -> int:
    """Bytes of what notifyd posts for one of EVENTS, as the receiver counts them."""
    machine.receiver.reset()
    with machine.vhost() as vhost:
        running = Daemon(workers=1).start(machine, Site(vhost, world, ""))
        try:
            machine.publish(vhost, events, 1).finish(10)
            machine.wait(lambda: machine.receiver.path(_PATH)["requests"], 10, "a first event is delivered")
            machine.wait_acknowledged(vhost)
            running.stop()
        finally:
            running.kill()
    return int(machine.receiver.path(_PATH)["body_bytes"])


def ratios(contenders: dict[str, Any]) -> dict[str, Any]:
    """notifyd's figures divided by those of each other one."""
    ours = contenders.get("notifyd")
    return {f"notifyd/{name}": {
        **{figure: ratio(ours[figure], theirs[figure])
           for figure in ("events_per_s", "cpu_us_per_event", "rss_mb_per_worker", "anon_mb_per_worker")},
        "latency_p50": ratio(ours["latency_ms"]["p50"], theirs["latency_ms"]["p50"]),
        "latency_p99": ratio(ours["latency_ms"]["p99"], theirs["latency_ms"]["p99"]),
    } for name, theirs in contenders.items() if ours and name != "notifyd"}

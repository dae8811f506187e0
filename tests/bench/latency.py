"""One run at a fixed rate: how long after its publishing an event has arrived at the receiver.

The moment of publishing travels in the event, written just before it is sent; one clock serves the publisher and the
receiver. The first second (half of a run that is shorter than two) is not counted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contenders import Contender, Site
from .machine import BenchFailed, Machine
from .world import World

_WARM_UP = 1.0  # seconds
_ARRIVE = 30.0  # seconds for the last event


@dataclass(frozen=True)
class Latency:
    p50: float  # milliseconds
    p99: float
    samples: int
    publisher_late_p99: float


def run(machine: Machine, contender: Contender, world: World, events: Path, path: str, rate: float, seconds: float) -> Latency:
    """EVENTS lead to PATH of machine.receiver."""
    world.empty_ledger()
    warm_up = min(_WARM_UP, seconds / 2)
    receiver, count = machine.receiver, int(rate * (warm_up + seconds))
    with machine.vhost() as vhost:
        running = contender.start(machine, Site(vhost, world, receiver.url(path)))
        try:
            receiver.reset()
            publisher = machine.publish(vhost, events, count, rate)
            machine.stop.pause(warm_up)
            before = receiver.path(path, receiver.reset())["requests"]
            machine.wait(lambda: publisher.ended, seconds + _ARRIVE, f"{count} events are published")
            said = publisher.finish(5)
            figures = _all_of(machine, path, count - before)
            machine.wait_acknowledged(vhost)
            running.check()
            running.stop()
        finally:
            running.kill()
    times = figures["latency_ms"]
    return Latency(times["p50"], times["p99"], times["samples"], said["late_ms"]["p99"])


def _all_of(machine: Machine, path: str, count: int) -> dict[str, Any]:
    """The figures when COUNT requests have come."""
    deadline = time.monotonic() + _ARRIVE
    while True:
        figures = machine.receiver.path(path)
        if figures["requests"] >= count:
            return figures
        if time.monotonic() > deadline:
            raise BenchFailed(f"{figures['requests']} of {count} events arrived at a rate below saturation")
        machine.stop.pause(0.05)

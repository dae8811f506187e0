"""One run over a queue that was filled beforehand: how fast, and what each event costs whom.

Counted is the middle of the run, from a tenth of the deliveries to 95 %: what a start costs (connections, caches, compilers)
is left out, and so is the end, when one worker may be done before the other. That everything has arrived exactly once
and is acknowledged is checked afterwards.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contenders import Contender, Running, Site
from .machine import BenchFailed, Machine, Vhost
from .meter import Memory, Peaks, Snapshot, busy_workers, cpu_between, others_share
from .world import World

FROM, TO = 0.10, 0.95
_POLL = 0.02
_STALLED = 30.0  # seconds without a delivery after which a run has failed


@dataclass(frozen=True)
class Mark:
    """One moment of a run."""

    at: float
    deliveries: int
    cpu: Snapshot


@dataclass(frozen=True)
class Throughput:
    events_per_s: float
    deliveries_per_s: float
    cpu_us: dict[str, float]  # per event, of: contender, broker, database, receiver
    memory: Memory  # the worker that had most
    others: float  # part of the machine that was busy with something else

    def json(self) -> dict[str, Any]:
        others = {name: us for name, us in self.cpu_us.items() if name != "contender"}
        return {
            "events_per_s": self.events_per_s, "deliveries_per_s": self.deliveries_per_s,
            "cpu_us_per_event": self.cpu_us["contender"], "rss_mb_per_worker": self.memory.rss_mb,
            "anon_mb_per_worker": self.memory.anon_mb, "cpu_us_per_event_of": others, "others_share": self.others,
        }


@dataclass(frozen=True)
class Work:
    """EVENTS (a file) are published COUNT times in all; each leads to FAN_OUT deliveries."""

    events: Path
    count: int
    fan_out: int = 1


class Course:
    """A run that is under way, watched until DELIVERIES have come since BASE."""

    def __init__(self, machine: Machine, running: Running, base: int, deliveries: int) -> None:
        self._machine, self._running, self._base, self._wanted = machine, running, base, deliveries
        self._first = Snapshot()
        self._peaks = Peaks(self._first.tree(running.roots))
        self._progress = (time.monotonic(), 0)

    def until(self, deliveries: int) -> Mark:
        """The mark at which at least so many had come."""
        while True:
            count = self._count()
            if count >= deliveries:
                return Mark(time.monotonic(), count, Snapshot())
            time.sleep(_POLL)

    def _count(self) -> int:
        self._machine.stop.check()
        self._running.check()
        self._peaks.sample()
        count, now = self._machine.nginx.count() - self._base, time.monotonic()
        if count > self._progress[1]:
            self._progress = (now, count)
        if now - self._progress[0] > _STALLED:
            raise BenchFailed(f"{count} of {self._wanted} deliveries came, and then none for {_STALLED:g} s")
        return count

    def memory(self, last: Mark) -> Memory:
        return self._peaks.greatest(busy_workers(self._first, last.cpu, self._running.roots))


def run(machine: Machine, contender: Contender, world: World, work: Work) -> Throughput:
    """Fills a queue, lets CONTENDER empty it, and checks that it did."""
    world.empty_ledger()
    with machine.vhost() as vhost:
        machine.fill(vhost, work.events, work.count)
        figures, base = _measure(machine, contender, Site(vhost, world, machine.nginx.url), work)
        _check(machine, contender, world, vhost, base, work)
    return figures


def run_part(machine: Machine, contender: Contender, world: World, vhost: Vhost, work: Work) -> Throughput:
    """The same over the first COUNT events of a longer queue that is there already; the rest stays in it."""
    world.empty_ledger()
    return _measure(machine, contender, Site(vhost, world, machine.nginx.url), work, to_the_end=False)[0]


def _measure(machine: Machine, contender: Contender, site: Site, work: Work, to_the_end: bool = True) -> tuple[Throughput, int]:
    """The figures, and what the receiver had counted before."""
    base, wanted = machine.nginx.count(), work.count * work.fan_out
    running = contender.start(machine, site)
    try:
        course = Course(machine, running, base, wanted)
        begin, end = course.until(int(FROM * wanted)), course.until(int(TO * wanted))
        memory = course.memory(end)
        if to_the_end:
            course.until(wanted)
            machine.wait_acknowledged(site.vhost)
        running.stop()
    finally:
        running.kill()
    groups = machine.groups(running.roots, machine.nginx.pid)
    deliveries, seconds = end.deliveries - begin.deliveries, end.at - begin.at
    if deliveries <= 0:
        raise BenchFailed(f"{wanted} deliveries are too few to measure {contender.name}")
    cpu = cpu_between(begin.cpu, end.cpu, groups)
    events, others = deliveries / work.fan_out, others_share(begin.cpu, end.cpu)
    machine.others.append(others)
    per_event = {name: us / events for name, us in cpu.items()}
    return Throughput(events / seconds, deliveries / seconds, per_event, memory, others), base


def _check(machine: Machine, contender: Contender, world: World, vhost: Vhost, base: int, work: Work) -> None:
    came, wanted = machine.nginx.count() - base, work.count * work.fan_out
    if came != wanted:
        raise BenchFailed(f"{contender.name} made {came} deliveries instead of {wanted}")
    if contender.name == "notifyd" and world.states() != {"delivered": wanted}:
        raise BenchFailed(f"the ledger has {world.states()} instead of {wanted} deliveries")
    for queue in machine.rabbit.list_queues(vhost.name):
        if queue["messages"]:
            raise BenchFailed(f"{contender.name} left {queue['messages']} messages in {queue['name']}")

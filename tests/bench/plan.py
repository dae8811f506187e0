"""What a scenario is given: the machine, how long a run may take, and what notifyd does when nothing disturbs it."""

from __future__ import annotations

from pathlib import Path

from . import throughput
from .contenders import Contender, Daemon
from .figures import medians
from .machine import Machine
from .rounds import WORKSPACES
from .throughput import Throughput, Work
from .world import World

RUNS = 3  # of everything that is compared, taken in turn
_FIRST = 3000  # events of the run that finds out how many there should be


class Plan:
    def __init__(self, machine: Machine, seconds: float) -> None:
        self.machine, self.seconds = machine, seconds
        self._reference: Throughput | None = None

    def reference(self) -> Throughput:
        """notifyd with two workers and one integration in each of many workspaces; measured once."""
        if self._reference is None:
            with self.machine.world("reference") as world:
                events = world.events(world.add_workspaces(WORKSPACES, self.machine.nginx.url))
                first = throughput.run(self.machine, Daemon(), world, Work(events, _FIRST))
                count = self.lasting(first.events_per_s)
                self._reference = throughput.run(self.machine, Daemon(), world, Work(events, count))
            self.machine.say(f"saturated at {self._reference.events_per_s:.0f} events/s")
        return self._reference

    def lasting(self, rate: float) -> int:
        """Events that last as long as a run should at RATE a second."""
        return max(1000, int(rate * self.seconds))

    def scaled(self, full: int, per_second: int) -> int:
        """FULL, or less in a run that is shorter than the ten seconds of the default."""
        return min(full, int(per_second * self.seconds))

    def run(self, what: str, world: World, work: Work, contender: Contender | None = None) -> Throughput:
        found = throughput.run(self.machine, contender or Daemon(), world, work)
        self.say(what, found)
        return found

    def say(self, what: str, found: Throughput) -> None:
        self.machine.say(f"{what}: {found.deliveries_per_s:.0f} deliveries/s, {found.cpu_us['contender']:.0f} us/event")


def median_of(runs: list[Throughput]) -> dict[str, float]:
    """events_per_s, cpu_us_per_event and so on, as in bench.json."""
    return medians([run.json() for run in runs])

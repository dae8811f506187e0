"""CPU time and memory of process trees, from /proc.

CPU time is what the kernel has charged, user and system, to the processes of a tree and to those that they have waited for;
its unit there is a tick of 10 ms for each process, so a difference over a second of work is right to some percent. Time
that a process merely waits for a busy processor is not in it, which makes it the steadiest of all figures here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple

_US_PER_TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
_WORKER_SHARE = 0.1  # of the CPU time of a contender: who has less is a supervisor or an agent and no worker


class Entry(NamedTuple):
    parent: int
    own_us: float
    waited_us: float  # of children that are gone


class Memory(NamedTuple):
    rss_mb: float
    anon_mb: float


class Snapshot:
    """The CPU time of every process, and of the machine, at one moment; takes some milliseconds."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        user, nice, system, idle, waiting, interrupts, soft, stolen = (
            int(field) * _US_PER_TICK for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
        self.busy_us = user + nice + system + stolen  # what could be others' work; interrupts are mostly ours
        self.all_us = self.busy_us + idle + waiting + interrupts + soft
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    text = Path(f"/proc/{name}/stat").read_text(errors="replace")
                except OSError:
                    continue
                fields = text[text.rindex(")") + 2 :].split()
                user, system, waited_user, waited_system = (int(field) * _US_PER_TICK for field in fields[11:15])
                self.entries[int(name)] = Entry(int(fields[1]), user + system, waited_user + waited_system)

    def tree(self, roots: Iterable[int]) -> set[int]:
        """ROOTS and all that descends from them."""
        found = {pid for pid in roots if pid in self.entries}
        while True:
            more = {pid for pid, entry in self.entries.items() if entry.parent in found} - found
            if not more:
                return found
            found |= more

    def cpu_us(self, roots: Iterable[int]) -> float:
        return sum(self.entries[pid].own_us + self.entries[pid].waited_us for pid in self.tree(roots))


def cpu_between(before: Snapshot, after: Snapshot, groups: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Microseconds that each group's trees used."""
    return {name: after.cpu_us(roots) - before.cpu_us(roots) for name, roots in groups.items()}


def others_share(before: Snapshot, after: Snapshot) -> float:
    """The part of the machine's processors that was used by processes which are not ours."""
    ours = after.cpu_us([os.getpid()]) - before.cpu_us([os.getpid()])
    return max(0.0, after.busy_us - before.busy_us - ours) / max(1.0, after.all_us - before.all_us)


def busy_workers(before: Snapshot, after: Snapshot, roots: Iterable[int]) -> list[int]:
    """Those processes of a contender that did its work."""
    none = Entry(0, 0, 0)
    used = {pid: after.entries[pid].own_us - before.entries.get(pid, none).own_us for pid in after.tree(roots)}
    return [pid for pid, us in used.items() if us > 0 and us >= _WORKER_SHARE * sum(used.values())]


def memory(pid: int) -> Memory | None:
    """None when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS:", "RssAnon:"))}
    if "VmRSS" not in kib:  # it has ended, and nobody has asked for its exit status yet
        return None
    return Memory(kib["VmRSS"] / 1024, kib["RssAnon"] / 1024)


class Peaks:
    """The greatest memory of each of some processes, sampled whenever sample() is called."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.of: dict[int, Memory] = {pid: Memory(0, 0) for pid in pids}

    def sample(self) -> None:
        for pid, peak in self.of.items():
            now = memory(pid)
            if now:
                self.of[pid] = Memory(max(peak.rss_mb, now.rss_mb), max(peak.anon_mb, now.anon_mb))

    def greatest(self, pids: Iterable[int]) -> Memory:
        known = [self.of[pid] for pid in pids if pid in self.of] or [Memory(0, 0)]
        return Memory(max(m.rss_mb for m in known), max(m.anon_mb for m in known))

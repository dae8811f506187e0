"""notifyd, and every other program that does its work, behind one interface: start it for a run, measure it, stop it.

A contender other than notifyd is one command. It gets AMQP_URL, DATABASE_URL, FERNET_KEY, BENCH_QUEUE, BENCH_PREFETCH,
BENCH_WORKERS, PATH and HOME in its environment and nothing else, forks its workers itself, writes a line "ready" to
standard output once all of them consume, and ends on SIGTERM with all that it has started.
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Protocol

from sandbox import producer
from sandbox.daemon import Notifyd, merged
from sandbox.processes import Child, tail

from .machine import ROOT, BenchFailed, Machine, Vhost
from .world import World

WORKERS = 2
PREFETCH = 256
NAMES = ("notifyd", "celery", "node", "floor")
_START_TIMEOUT = 120
_STOP_TIMEOUT = 30


@dataclass(frozen=True)
class Site:
    """Where a contender works: URL is where its deliveries go, for who does not look that up in the database."""

    vhost: Vhost
    world: World
    url: str


class Running(Protocol):
    @property
    def roots(self) -> list[int]:
        """Its processes that have no other parent than us."""

    def check(self) -> None:
        """BenchFailed when it has ended by itself."""

    def stop(self) -> None:
        """Orderly, and BenchFailed when that goes wrong."""

    def kill(self) -> None:
        """At once, whatever it was doing; does nothing to one that is stopped."""


class Contender(Protocol):
    name: str

    def start(self, machine: Machine, site: Site) -> Running:
        """Returns when all its workers consume."""


# --- notifyd

class RunningNotifyd:
    def __init__(self, daemon: Notifyd) -> None:
        self.daemon = daemon

    @property
    def roots(self) -> list[int]:
        return [self.daemon.pid]

    def check(self) -> None:
        if not self.daemon.alive():
            raise BenchFailed(f"notifyd ended by itself; its log ends:\n{tail(self.daemon.log)}")

    def stop(self) -> None:
        wrong = self.daemon.close()
        if wrong:
            raise BenchFailed("\n".join(wrong))

    def kill(self) -> None:
        self.daemon.end_at_once()


class Daemon:
    """notifyd with the ledger, as it is delivered but for what lets it reach receivers on this machine."""

    name = "notifyd"

    def __init__(self, workers: int = WORKERS, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = merged({"workers": workers}, settings or {})

    def start(self, machine: Machine, site: Site) -> RunningNotifyd:
        base = {
            "broker": {"url": site.vhost.url, "prefetch": PREFETCH}, "database": {"url": site.world.url},
            "secrets": {"fernet_keys": [machine.key]},
            "delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True},
        }
        running = RunningNotifyd(Notifyd(machine.programs / "notifyd", machine.run_folder("notifyd"),
                                         merged(base, self._settings)))
        try:
            running.daemon.wait_ready(_START_TIMEOUT)
        except BaseException:
            running.kill()
            raise
        return running


class RunningPair:
    """Several that share a broker and a database."""

    def __init__(self, parts: list[RunningNotifyd]) -> None:
        self._parts = parts

    @property
    def roots(self) -> list[int]:
        return [pid for part in self._parts for pid in part.roots]

    def check(self) -> None:
        for part in self._parts:
            part.check()

    def stop(self) -> None:
        for part in self._parts:
            part.stop()

    def kill(self) -> None:
        for part in self._parts:
            part.kill()


class Pair:
    name = "notifyd"

    def __init__(self, one: Daemon) -> None:
        self._one = one

    def start(self, machine: Machine, site: Site) -> RunningPair:
        first = self._one.start(machine, site)
        try:
            return RunningPair([first, self._one.start(machine, site)])
        except BaseException:
            first.kill()
            raise


# --- a command

class RunningCommand:
    def __init__(self, name: str, words: list[str | Path], environment: dict[str, str], folder: Path) -> None:
        self._name, self._log = name, folder / "log"
        self._child = Child(words, log=self._log, env=environment, cwd=folder)

    @property
    def roots(self) -> list[int]:
        return [self._child.pid]

    def ready(self) -> bool:
        self.check()
        return "ready" in self._log.read_text(errors="replace").splitlines()

    def check(self) -> None:
        code = self._child.exit_code()
        if code is not None:
            raise BenchFailed(f"{self._name} ended with {code}; it said:\n{tail(self._log)}")

    def stop(self) -> None:
        self.check()
        self._child.process.signal(signal.SIGTERM)
        try:
            self._child.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise BenchFailed(f"{self._name} did not end within {_STOP_TIMEOUT} s of SIGTERM") from None
        finally:
            self._child.kill()

    def kill(self) -> None:
        self._child.kill()


class Command:
    def __init__(self, name: str, words: list[str | Path]) -> None:
        self.name, self._words = name, words

    def environment(self, machine: Machine, site: Site) -> dict[str, str]:
        return {
            "AMQP_URL": site.vhost.url, "DATABASE_URL": site.world.url, "FERNET_KEY": machine.key,
            "BENCH_QUEUE": producer.QUEUE, "BENCH_PREFETCH": str(PREFETCH), "BENCH_WORKERS": str(WORKERS),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(machine.folder),
        }

    def start(self, machine: Machine, site: Site) -> RunningCommand:
        running = RunningCommand(self.name, self._words, self.environment(machine, site), machine.run_folder(self.name))
        try:
            machine.wait(running.ready, _START_TIMEOUT, f"{self.name} is ready")
        except BaseException:
            running.kill()
            raise
        return running


class Floor(Command):
    """It knows no database: where to post and how much is in its environment."""

    def __init__(self, program: Path, body_size: int) -> None:
        super().__init__("floor", [program])
        self._body_size = body_size

    def environment(self, machine: Machine, site: Site) -> dict[str, str]:
        return {**super().environment(machine, site), "BENCH_URL": site.url, "BENCH_BODY": str(self._body_size)}


def missing(name: str) -> str:
    """Why a contender cannot run, empty when it can."""
    if name in ("notifyd", "floor"):
        return ""
    path = ROOT / "tests" / "bench" / name / "run"
    return "" if path.exists() else f"{path.relative_to(ROOT)} is missing"


def contender(name: str, machine: Machine, body_size: int) -> Contender:
    """BODY_SIZE: bytes of what notifyd posts, which the floor posts too."""
    if name == "notifyd":
        return Daemon()
    if name == "floor":
        return Floor(machine.programs / "bench_floor", body_size)
    return Command(name, [ROOT / "tests" / "bench" / name / "run"])

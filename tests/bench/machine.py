"""What all runs have in common: programs, servers and receivers, one of each, and a vhost for each run.

One benchmark owns one folder below build/bench, and everything that it starts is a child that dies with it. Whoever starts
more gives its end to at_end(); the end is always clean_up(), in the opposite order.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

import pika
from cryptography.fernet import Fernet
from sandbox import producer
from sandbox.demo_screen import Stop
from sandbox.postgres import PostgresServer
from sandbox.processes import StartError, wait_until
from sandbox.programs import PROGRAMS, build_programs
from sandbox.rabbit import RabbitServer

from .load import Publisher, make_stencil
from .meter import Snapshot, cpu_between
from .receivers import Nginx, Receiver
from .world import TEMPLATE, World

ROOT = Path(__file__).resolve().parents[2]
_TOOLS = {name: f"tests/bench/{name}" for name in ("bench_floor", "bench_publish", "bench_receiver")}
_FILLED_PER_S = 1000  # messages that a publisher gets rid of at least, or something is wrong
_REST, _AT_REST_US = 10.0, 15_000  # seconds to wait at most, and CPU time in a quarter of a second that is next to nothing


class BenchFailed(Exception):
    """Something that was to be measured did not work; the text says what."""


@dataclass(frozen=True)
class Vhost:
    name: str
    url: str


class Machine:
    def __init__(self, stop: Stop, say: Callable[[str], None]) -> None:
        self.stop, self.say = stop, say
        above = ROOT / "build" / "bench"
        above.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=above))
        self.folder.chmod(0o711)  # PostgreSQL's own account passes through
        self.key = Fernet.generate_key().decode()
        self.others: list[float] = []  # for each run, the part of the machine that was busy with something else
        self._endings: list[tuple[str, Callable[[], Any]]] = []
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Builds, starts the servers, and makes what every run needs."""
        self.say(f"building in build/, everything else in {self.folder.relative_to(ROOT)}")
        self.build = ROOT / "build"
        _refuse_slow_build(self.build)
        self.programs = build_programs(ROOT, self.folder / "programs", self.stop.pause, {**PROGRAMS, **_TOOLS})
        self.say("starting a private RabbitMQ and PostgreSQL")
        self._start_servers()
        self.nginx = Nginx(self.folder / "nginx")
        self.at_end("nginx", self.nginx.close)
        self.receiver = Receiver(self.programs / "bench_receiver", self.folder / "receiver")
        self.at_end("the receiver", self.receiver.close)
        self._make_template()
        with self.vhost() as vhost:
            self._stencil = make_stencil(vhost.url, self.folder)

    def _start_servers(self) -> None:
        self.rabbit = RabbitServer(self.folder / "rabbit")
        self.at_end("RabbitMQ", self._end_rabbit)
        self.postgres = PostgresServer(self.folder / "postgres")
        self.at_end("PostgreSQL", self.postgres.remove)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:  # both are waited for, whatever happens to the other
            starts = [pool.submit(server.start) for server in (self.rabbit, self.postgres)]
        for start in starts:
            start.result()
        self.stop.check()

    def _make_template(self) -> None:
        url = self.postgres.create_database(TEMPLATE)
        environment = {"DATABASE_URL": url, "AMQP_URL": self.rabbit.url, "FERNET_KEY": self.key, "PATH": "/usr/bin:/bin"}
        done = subprocess.run([self.programs / "notifyctl", "migrate", "-c", "/dev/null"], capture_output=True, text=True,
                              timeout=60, env=environment, start_new_session=True)
        self.stop.check()
        if done.returncode != 0:
            raise BenchFailed(f"notifyctl migrate ended with {done.returncode}\n{done.stderr.strip()}")

    # --- for a run

    def groups(self, contender: Iterable[int], receiver: int) -> dict[str, Iterable[int]]:
        """Whose CPU time is told apart: roots of process trees by name."""
        return {"contender": contender, "broker": [self.rabbit.pid], "database": [self.postgres.pid], "receiver": [receiver]}

    @contextlib.contextmanager
    def vhost(self) -> Iterator[Vhost]:
        """A fresh one with the producers' queue, as Celery declares it; nothing of it is left for the next run."""
        name = f"bench-{next(self._numbers)}"
        self.rabbit.add_vhosts(name)
        made = Vhost(name, self.rabbit.url_for(name))
        try:
            connection = pika.BlockingConnection(pika.URLParameters(made.url))
            producer.declare(connection.channel())
            connection.close()
            yield made
        finally:
            self.rabbit.delete_vhost(name)

    @contextlib.contextmanager
    def world(self, name: str) -> Iterator[World]:
        made = World(self.postgres, f"{name}_{next(self._numbers)}", self.folder, self.key)
        try:
            yield made
        finally:
            made.close()

    def run_folder(self, name: str) -> Path:
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def publish(self, vhost: Vhost, events: Path, count: int, rate: float | None = None) -> Publisher:
        return Publisher(self.programs / "bench_publish", self.run_folder("publish"), self._stencil, vhost.url, events, count,
                         rate=rate)

    def fill(self, vhost: Vhost, events: Path, count: int) -> None:
        """Puts COUNT messages into the queue, and returns when the broker has come to rest."""
        publisher = self.publish(vhost, events, count)
        self.wait(lambda: publisher.ended, 30 + count / _FILLED_PER_S, f"{count} messages are published")
        publisher.finish(10)
        deadline, last = time.monotonic() + _REST, Snapshot()
        while time.monotonic() < deadline:
            self.stop.pause(0.25)
            now = Snapshot()
            if cpu_between(last, now, {"broker": [self.rabbit.pid]})["broker"] < _AT_REST_US:
                break
            last = now

    def wait_acknowledged(self, vhost: Vhost, timeout: float = 30) -> None:
        """The producers' queue is empty and nobody holds a message of it."""
        def settled() -> bool:
            return all(q["messages"] == 0 for q in self.rabbit.list_queues(vhost.name) if q["name"] == producer.QUEUE)
        self.wait(settled, timeout, "everything is acknowledged", every=0.2)

    def wait(self, condition: Callable[[], object], timeout: float, what: str, every: float = 0.02) -> None:
        def stopped_or_true() -> object:
            self.stop.check()
            return condition()
        try:
            wait_until(stopped_or_true, timeout, what, every)
        except TimeoutError as error:
            raise BenchFailed(str(error)) from None

    # --- the end

    def at_end(self, what: str, end: Callable[[], Any]) -> None:
        self._endings.append((what, end))

    def clean_up(self) -> list[str]:
        """Stops everything and deletes the folder; returns what was wrong with that."""
        wrong: list[str] = []
        for what, end in reversed(self._endings):
            try:
                end()
            except Exception as error:
                wrong.append(f"{what} could not be stopped: {error}")
        shutil.rmtree(self.folder, ignore_errors=True)
        return wrong

    def _end_rabbit(self) -> None:
        self.rabbit.kill()  # what a clean stop would save is deleted anyway
        self.rabbit.remove()


def _refuse_slow_build(build: Path) -> None:
    """Figures of a build with sanitizers or fuzzers, or without optimization, would be about those."""
    cache = build / "CMakeCache.txt"
    text = cache.read_text(errors="replace") if cache.exists() else ""
    for line in ("SANITIZE:BOOL=ON", "FUZZ:BOOL=ON", "CMAKE_BUILD_TYPE:STRING=Debug"):
        if line in text:
            raise StartError(f"{cache} says {line}; configure build/ without it to measure")


def processors() -> int:
    return len(os.sched_getaffinity(0))

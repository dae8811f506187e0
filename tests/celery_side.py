"""Celery's own tools beside the pool: an application in a file, `celery` on the command line, a native worker, a monitor."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from amqp.exceptions import AMQPError
from celery import Celery
from celery.events.state import State
from sandbox.processes import Child

NODE = f"celery@{socket.gethostname()}"
APP = """
from celery import Celery
app = Celery("desk", broker={url!r})
app.conf.update(task_default_queue="native", worker_hijack_root_logger=False)

@app.task(name="desk.add")
def add(x, y):
    return x + y
"""


class CelerySide:
    """celery("inspect", "ping") runs `celery -A desk inspect ping`; `control` and `inspect` are those of an application here."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        (folder / "desk.py").write_text(APP.format(url=url))
        self.folder, self.url = folder, url
        self.app = Celery("desk", broker=url, set_as_current=False)
        self.control = self.app.control
        self._workers: list[Child] = []

    def __call__(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-B", "-m", "celery", "-A", "desk", *words], cwd=self.folder, capture_output=True,
                              text=True, timeout=timeout)

    def json(self, *words: str) -> Any:
        """What `inspect` says of each node."""
        run = self("inspect", "--timeout", "3", "--json", *words)
        assert run.returncode == 0, run.stdout + run.stderr
        return json.loads(run.stdout[run.stdout.index("{"):])

    def inspect(self, *nodes: str, timeout: float = 3) -> Any:
        return self.control.inspect(destination=list(nodes or (NODE,)), timeout=timeout)

    def ask(self, method: str, **arguments: Any) -> Any:
        """The pool's reply to one request."""
        replies = self.control.broadcast(method, arguments=arguments, destination=[NODE], reply=True, timeout=5, limit=1)
        assert len(replies) == 1, f"{method}: {replies}"
        return replies[0][NODE]

    def pings(self) -> bool:
        """The pool answers, alone under its name."""
        try:
            with self.app.connection_for_write() as fresh:  # the pool's may have been cut with all others
                return self.control.inspect(destination=[NODE], timeout=1, connection=fresh).ping() == {NODE: {"ok": "pong"}}
        except AMQPError:
            return False

    def worker(self, name: str = "native", queue: str = "native") -> Child:
        """A native worker of one process, ready."""
        log = self.folder / f"{name}.log"
        child = Child([sys.executable, "-B", "-m", "celery", "-A", "desk", "worker", "-P", "solo", "-Q", queue, "-n", f"{name}@%h",
                       "-l", "info"], log=log, env=dict(os.environ), cwd=self.folder)
        self._workers.append(child)
        deadline = time.monotonic() + 60
        while " ready." not in log.read_text(errors="replace"):
            assert child.exit_code() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)
        return child

    def close(self) -> None:
        for child in self._workers:
            child.kill()
        self.app.close()


class Monitor:
    """What Flower keeps: the State of all events, caught in a thread. `lists`: how many came in a list."""

    def __init__(self, url: str) -> None:
        self.app = Celery("monitor", broker=url, set_as_current=False)
        self.state, self.seen = self.app.events.State(), []  # type: State, list[dict]
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        with self.app.connection_for_read() as connection:
            receiver = self.app.events.Receiver(connection, handlers={"*": self._take})
            with receiver.consumer_context() as (live, _, _):  # on a connection of its own
                self._ready.set()
                while not self._stop.is_set():
                    try:
                        live.drain_events(timeout=0.2)
                    except socket.timeout:
                        pass

    def _take(self, event: dict[str, Any]) -> None:
        self.seen.append(event)
        self.state.event(event)

    def types(self, uuid: str | None = None) -> list[str]:
        return [e["type"] for e in list(self.seen) if uuid is None or e.get("uuid") == uuid]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self.app.close()


@pytest.fixture
def celery(tmp_path: Path, broker_url: str) -> Iterator[CelerySide]:
    made = CelerySide(tmp_path / "desk", broker_url)
    yield made
    made.close()


@pytest.fixture
def monitor(broker_url: str) -> Iterator[Monitor]:
    made = Monitor(broker_url)
    yield made
    made.close()


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)

"""Torture: the Nth call that can fail does, once or for a while, and what must hold then still holds.

torture.c is preloaded into the notifyd that is shipped, and shares a table with us through which a living worker is armed again and
again. A round publishes one of each kind of event; what must come of each is known. Whatever failed, each is delivered, or dead with
its reason; nothing is requested more often than attempts and deaths allow; and no process dies but of lack of memory, saying so.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import mmap
import os
import re
import signal
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from expansion import task
from sandbox import bulk, seed
from sandbox.answers import Answer

CLASSES = ("memory", "socket", "kernel", "sql", "publish", "confirm", "ack")
WAYS = {"sql": 6, "publish": 3, "ack": 2}  # to fail; the other classes have one
NEXT_CHILD = -1
NO_RESOURCES = 71
FRAGILE = ("libjson-c", "libgssapi_krb5")  # die when they find no memory (docs/operate.md)
FINDINGS = 3  # of the scan that is expanded; the filters hold one of them back
SETTINGS: dict[str, Any] = {  # one worker, which holds what waits for a receiver, and short pauses
    "workers": 1, "shutdown_grace": 8, "watchdog": 8.0,
    "broker": {"reconnect_max": 1.0, "heartbeat": 4}, "database": {"timeout": 2.0, "reconnect_max": 1.0},
    "delivery": {"timeout": 2.0, "connect_timeout": 1.0, "lease_slack": 1.0},
    "retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0, "max_attempts": 50},
    "gate": {"patience": 3600.0, "line": 65535, "circuit_least": 0, "rate_slack": 0.0}, "sweep": {"grace": 2.0},
}


class _Page(ctypes.Structure):
    """struct torture_table of torture.h."""

    _fields_ = [*((name, ctypes.c_int) for name in ("pid", "kind", "countdown", "failures", "how", "spare", "step", "fired", "crashed")),
                ("calls", ctypes.c_int * len(CLASSES)), ("told", ctypes.c_int), ("unmoved", ctypes.c_int),
                *((name, ctypes.c_char * 6000) for name in ("where", "tried", "crash"))]


class Table:
    """What is to fail, and what did."""

    def __init__(self, file: Path, build: Path, sanitized: bool) -> None:
        self.path, self.library, self.sanitized = file, build / "tests" / "fault" / "torture.so", sanitized
        self.path.write_bytes(bytes(ctypes.sizeof(_Page)))
        with open(self.path, "r+b") as file:
            self.page = _Page.from_buffer(mmap.mmap(file.fileno(), 0))

    def environment(self) -> dict[str, str]:
        options = {"ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:exitcode=99:verify_asan_link_order=0"} if self.sanitized else {}
        return {"LD_PRELOAD": str(self.library), "TORTURE": str(self.path), **options}

    def arm(self, kind: str, number: int, failures: int = 1, how: int = 0, pid: int = NEXT_CHILD) -> None:
        """The NUMBERth call of KIND from now on, and the ones after it, FAILURES in all, in process PID."""
        page = self._clear()
        page.kind, page.countdown, page.failures, page.how = CLASSES.index(kind), number, failures, how
        page.pid = pid

    def arm_each(self, start: int, step: int) -> None:
        """Of the next program every STEPth allocation, each in a child, the STARTth first."""
        page = self._clear()
        page.countdown, page.step, page.spare = start, step, True

    def _clear(self) -> _Page:
        self.page.pid = 0
        ctypes.memset(ctypes.addressof(self.page), 0, ctypes.sizeof(self.page))
        self.page.spare = self.sanitized  # whose report would end the run
        return self.page

    def disarm(self) -> None:
        self.page.pid = 0

    @property
    def where(self) -> str:
        return self.page.where.decode(errors="replace")

    @property
    def crash(self) -> str:
        return self.page.crash.decode(errors="replace")


class Moody:
    """Stands before a receiver and answers 503 to the first request for each event that comes to /moody."""

    def __init__(self, receiver: Any) -> None:
        self._arrived, self._seen = receiver._arrived, set()
        receiver._arrived = self
        receiver.script("/refused", Answer(status=400))

    def __call__(self, request: Any) -> Answer:
        answer = self._arrived(request)
        if request.path != "/moody" or (id := json.loads(request.body)["id"]) in self._seen:
            return answer
        self._seen.add(id)
        return Answer(status=503)


@dataclass
class Round:
    """One of each: an event that is delivered twice over, one that is retried, one that ends dead, and a scan."""

    good: str
    moody: str
    refused: str
    scan: str
    what: str  # failed meanwhile

    def ids(self) -> list[str]:
        return [self.good, self.moody, self.refused, self.scan]


class World:
    """The integrations that rounds are for, and what ledger and receiver say of them."""

    def __init__(self, stage: Any) -> None:
        self.stage, self.rounds = stage, []
        Moody(stage.receiver)
        stage.webhook("/good", events=["finding_new"])
        self.slack = stage.integration({"webhook_url": stage.receiver.url("/slack")}, "slack", events=["finding_new"]).id
        stage.webhook("/moody", events=["finding_changed"])
        stage.webhook("/refused", events=["scan_failed"])
        self.scan = seed.add_scan(stage.connection, stage.target)
        seed.add_findings(stage.connection, self.scan, ["critical", "high", "low"])

    def publish(self, what: str) -> Round:
        events = [self.stage.event(), self.stage.event("finding_changed"), self.stage.event("scan_failed"), task(self.scan.id)]
        made = Round(*[e.id for e in events], what)
        self.rounds.append(made)
        assert len(bulk.publish_many(self.stage.broker_url, "notify", events)) == len(events)
        return made

    def rows(self, one: Round) -> tuple[list, list]:
        """The events and the deliveries of a round."""
        with self.stage.connection.cursor() as cursor:
            cursor.execute("SELECT id, state, reason FROM notify.events WHERE id = ANY (%s) OR starts_with(id, %s)",
                           (one.ids(), one.scan + "."))
            events = cursor.fetchall()
            cursor.execute("SELECT event_id, integration_id::text, state, reason, attempt FROM notify.deliveries WHERE event_id = ANY (%s)"
                           " OR starts_with(event_id, %s)", (one.ids(), one.scan + "."))
            return events, cursor.fetchall()

    def written(self, one: Round, ended: bool) -> bool:
        """All that must come of a round is in the ledger; ENDED: nothing of it waits for its next attempt."""
        events, deliveries = self.rows(one)
        if len(events) != 5 + FINDINGS or len(deliveries) != 4 + 2 * (FINDINGS - 1):
            return False
        open_ = {"sending", "waiting"} if ended else set()
        return all(state in ("done", "dead", "expanded") for _, state, _ in events) and not any(d[2] in open_ for d in deliveries)

    def surprises(self) -> list[str]:
        """What ended otherwise than it must."""
        found = []
        for one in self.rounds:
            events, deliveries = self.rows(one)
            wrong = [event for event in events if event[1] == "dead"]
            for id, _, state, reason, _ in deliveries:
                if (state, reason) != (("dead", "rejected") if id == one.refused else ("delivered", None)):
                    wrong.append((id, state, reason))
            found += [f"{one.what}: {row}" for row in wrong]
        return found

    def repeats(self) -> Counter:
        """Requests beyond the attempts that the ledger knows of."""
        requests = Counter("slack" if r.path == "/slack" else (r.path, json.loads(r.body)["id"]) for r in self.stage.receiver.requests())
        attempts: Counter = Counter()
        for one in self.rounds:
            for id, integration, _, _, attempt in self.rows(one)[1]:
                path = "/moody" if id == one.moody else "/refused" if id == one.refused else "/good"
                attempts["slack" if integration == self.slack else (path, id)] += attempt
        return Counter({key: count - attempts[key] for key, count in requests.items() if count > attempts[key]})


class Torture:
    """A notifyd with one worker, and what came of everything that was made to fail in it."""

    def __init__(self, stage: Any, notifyd: Callable[..., Any], table: Table) -> None:
        self.stage, self.table, self.world = stage, table, World(stage)
        self.places: Counter[str] = Counter()  # where calls failed
        self.crashes: list[str] = []
        self.slowest: tuple[float, str] = (0, "")
        table.disarm()
        self.daemon = notifyd(SETTINGS, env=table.environment())
        self.world.publish("nothing failed")
        self.finish_round("nothing failed")

    def process(self, role: str) -> int:
        """The pid of the worker or the agent, as soon as there is one."""
        def living() -> int:
            agents = {int(e["child"]) for e in self.daemon.events("child_started") if e["role"] == "agent"}
            pids = [p.pid for p in self.daemon.children()]
            return next((pid for pid in pids if (pid in agents) == (role == "agent")), 0)

        return self.stage.wait(living, 40, f"no {role}")

    def finish_round(self, what: str) -> None:
        one, begun = self.world.rounds[-1], time.monotonic()
        try:
            self.stage.wait(lambda: self.world.written(one, False), 40)
        except AssertionError:
            raise AssertionError(f"{what}: not settled: {self.world.rows(one)}\n{self.table.where}") from None
        self.slowest = max(self.slowest, (time.monotonic() - begun, what))

    def once(self, kind: str, number: int, failures: int = 1, how: int = 0, birth: bool = False, role: str = "worker") -> bool:
        """One round, in which the NUMBERth call fails; of a new process from its BIRTH on. False: there are not so many."""
        what = f"{kind} {number}{f' x {failures}' if failures > 1 else ''}{f' way {how}' if how else ''}{' at birth' if birth else ''}"
        victim = self.process(role)
        self.table.arm(kind, number, failures, how, NEXT_CHILD if birth else victim)
        if birth:
            os.kill(victim, signal.SIGKILL)
        self.world.publish(what)
        self.finish_round(what)
        if role == "agent":
            self.agent_answers()
        fired = self.table.page.fired > 0
        self.table.disarm()
        if fired:
            self.places[self.table.where] += 1
        if self.table.page.crashed:
            self.crashes.append(f"{what}: signal {self.table.page.crashed}, failed at\n{self.table.where}\ndied at\n{self.table.crash}")
        return fired

    def agent_answers(self) -> None:
        """It says over HTTP that the pool is ready; after a death it may take its time."""
        def ready() -> bool:
            try:
                return urllib.request.urlopen(f"{self.daemon.agent_url}/readyz", timeout=2).status == 200
            except OSError:
                return False

        self.stage.wait(ready, 60, "the agent does not answer")

    def each(self, kind: str, start: int, step: int, **options: Any) -> int:
        """The STARTth call and every STEPth after it, each in a round of its own, until there are not so many."""
        return next(number for number in itertools.count(start, step) if not self.once(kind, number, **options))

    def judge(self) -> str:
        """What must hold, does; what was found, in words."""
        self.table.disarm()
        for one in self.world.rounds:
            self.stage.wait(lambda: self.world.written(one, True), 30, f"{one.what}: not at rest")
        surprises = self.world.surprises()
        assert not surprises, surprises[:10]
        ends = [e for e in self.daemon.events("child_ended") if e["how"] != "Killed"]
        said = {e["pid"] for name in ("out_of_memory", "libevent") for e in self.daemon.events(name)}
        strange = [e for e in ends if e["status"] != str(NO_RESOURCES) or e["child"] not in said]
        ours = [crash for crash in self.crashes if culprit(crash) not in FRAGILE]
        assert not ours and len(strange) == len(self.crashes), (strange, ours)
        repeats, at_stake = self.world.repeats(), sum(int(e["unwritten"]) for e in self.daemon.events("child_ended"))
        assert sum(repeats.values()) <= at_stake, f"repeated: {repeats}, {at_stake} were at stake"
        fragile = Counter(culprit(crash) for crash in self.crashes)
        return (f"{len(self.world.rounds)} rounds, {sum(self.places.values())} calls failed at {len(self.places)} places;"
                f" {len(ends) - len(strange)} processes ended saying what they lacked,"
                f" {' and '.join(f'{count} in {name}' for name, count in sorted(fragile.items())) or 'none'} without a word;"
                f" {sum(repeats.values())} requests repeated of {at_stake} that were at stake;"
                f" slowest round {self.slowest[0]:.1f} s ({self.slowest[1]}); 0 lost")


def culprit(crash: str) -> str:
    """The library in which a process died, or the program."""
    frames = crash.split("died at\n")[1].splitlines()
    inner = next((frame for frame in frames if not frame.startswith(("torture.so", "libc.so"))), "libc")
    return re.split(r"\.so|\+", inner)[0]

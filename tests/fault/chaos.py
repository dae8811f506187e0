"""Chaos: events of every kind to integrations of every kind while processes die, servers go and receivers misbehave.

Everything is drawn from one seed: the tables, the events, what is done to whom and when (the moments are wall-clock, so that a seed
repeats the plan and not the race). What should have been delivered is worked out from the tables by tests/reference.py,
which shares nothing with the program.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator

from expansion import task
from reference import EVENTS, KINDS, SEVERITIES, reference
from sandbox import producer, seed
from sandbox.answers import Answer
from sandbox.receiver import Receiver, Request
from test_growth import anonymous_kib

WORKSPACES, INTEGRATIONS = 6, 5
SETTINGS: dict[str, Any] = {  # pauses that suit a run of a minute; what they are has no part in what is promised
    "workers": 3, "shutdown_grace": 12,
    "broker": {"reconnect_max": 1.0, "heartbeat": 4}, "database": {"timeout": 3.0, "reconnect_max": 1.0},
    "delivery": {"timeout": 2.0, "lease_slack": 2.0},
    "retry": {"base": 1.0, "factor": 1.5, "max_delay": 4.0, "max_attempts": 100},
    "gate": {"circuit_pause": 1.0, "circuit_max": 2.0, "rate_slack": 0.0}, "sweep": {"grace": 3.0},
}
SICK = (Answer(status=503), Answer(instead="reset"), Answer(instead="hang"), Answer(status=429, headers=(("Retry-After", "1"),)),
        Answer(instead="close"))


class Tally:
    """What receivers took: how often each event, by path, was answered with success. Chat messages carry no id: None."""

    def __init__(self) -> None:
        self.taken: Counter[tuple[str, str | None]] = Counter()
        self.refused = 0

    def __call__(self, request: Request) -> None:
        if request.answered != 200:
            self.refused += 1
            return
        body = json.loads(request.body)
        many = re.match(r"\S+ (\d+) new findings ", body.get("text", ""))  # one message tells of all of them
        self.taken[request.path, body.get("id")] += int(many[1]) if many else 1


class World:
    """Workspaces with targets, scans, findings and integrations, and what events about them should lead to."""

    def __init__(self, stage: Any, chance: random.Random, receiver: Receiver) -> None:
        self.stage, self.chance = stage, chance
        self.scans: list[tuple[seed.Scan, list[seed.Finding]]] = []
        for _ in range(WORKSPACES):
            workspace = seed.add_workspace(stage.connection)
            targets = [seed.add_target(stage.connection, workspace, kind) for kind in KINDS]
            for target in targets:
                scan = seed.add_scan(stage.connection, target)
                self.scans.append((scan, seed.add_findings(stage.connection, scan, SEVERITIES * 2)))
            for number in range(INTEGRATIONS):
                self._integration(workspace, targets, number, receiver)
        self._read()

    def _some(self, words: list[str]) -> list[str] | None:
        return None if self.chance.random() < 0.5 else self.chance.sample(words, self.chance.randint(1, len(words)))

    def _integration(self, workspace: seed.Workspace, targets: list[seed.Target], number: int, receiver: Receiver) -> None:
        kind = "slack" if number == 0 else "webhook"
        url = receiver.url(f"/{kind}/{seed.new_id()}")
        seed.add_integration(
            self.stage.connection, workspace, kind, {"webhook_url": url}, self.stage.key, name=url,
            enabled=self.chance.random() < 0.9, severity_filter=self.chance.choice(SEVERITIES), events=self._some(EVENTS),
            target_ids=self._some([target.id for target in targets]), target_kinds=self._some(KINDS))

    def _read(self) -> None:
        """The tables as they are, for the reference."""
        names = ("id", "workspace_id", "kind", "name", "enabled", "target_ids", "events", "target_kinds", "severity_filter")
        rows = self.stage.database.query(f"SELECT id::text, workspace_id::text, kind, name, enabled, target_ids::text[], events,"
                                         f" target_kinds, severity_filter FROM integrations")
        self.rows = [dict(zip(names, row)) for row in rows]
        self.path = {row["id"]: "/" + row["name"].split("/", 3)[3] for row in self.rows}

    def events(self, count: int) -> Iterator[producer.Event]:
        """COUNT events; a few of them are scans whose findings notifyd publishes itself."""
        self.wanted: dict[str, set[str]] = {}
        for _ in range(count):
            scan, findings = self.chance.choice(self.scans)
            made = producer.Event((), id=str(self.chance.getrandbits(64)))
            if self.chance.random() < 0.002:
                made = task(scan.id, id=made.id)
                self._want(f"{made.id}.scan_done", scan, "scan_done", None)
                for finding in findings:
                    self._want(f"{made.id}.{finding.id}", scan, "finding_new", finding)
                self.wanted[made.id] = set()
            else:
                word, finding = self.chance.choice(EVENTS), self.chance.choice(findings)
                about = finding if word.startswith("finding_") else None
                made = producer.event(scan.id, word, **({"finding_id": finding.id} if about else {}))
                made.id = str(self.chance.getrandbits(64))
                self._want(made.id, scan, word, about)
            yield made

    def _want(self, event: str, scan: seed.Scan, word: str, finding: seed.Finding | None) -> None:
        about = {"event_type": word, "target_id": scan.target.id, "target_kind": scan.target.kind,
                 "severity": finding.severity if finding else None}
        self.wanted[event] = {row["id"] for row in self.rows
                              if row["workspace_id"] == scan.workspace.id and reference(row, about) == "fires"}


@dataclass
class Servers:
    """What there is to break. `daemon` is replaced when its supervisor is killed."""

    rabbit: Any
    postgres: Any
    receiver: Receiver
    start: Callable[[], Any]
    paths: list[str] = field(default_factory=list)
    daemon: Any = None
    daemons: list[Any] = field(default_factory=list)

    def begin(self) -> None:
        self.daemon = self.start()
        self.daemons.append(self.daemon)


class Memory(threading.Thread):
    """The most that a worker, and an agent, was seen to hold, in KiB of anonymous memory."""

    def __init__(self, servers: Servers) -> None:
        super().__init__(name="memory", daemon=True)
        self.servers = servers
        self.most: Counter[str] = Counter()
        self._failure: BaseException | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            while not self._ended.wait(0.2):
                self._look(self.servers.daemon)
        except BaseException as error:
            self._failure = error

    def _look(self, daemon: Any) -> None:
        try:
            workers = set(daemon.workers())
            for process in daemon.children():
                role = "worker" if process.pid in workers else "agent"
                self.most[role] = max(self.most[role], anonymous_kib(process.pid))
        except (OSError, TypeError):  # it has just ended
            pass

    def end(self) -> None:
        """Raises what kept it from looking to the end."""
        self._ended.set()
        self.join()
        if self._failure:
            raise self._failure


class Chaos(threading.Thread):
    """Breaks one thing after the other until it is stopped, and then makes everything whole."""

    def __init__(self, servers: Servers, chance: random.Random, pause: float) -> None:
        super().__init__(name="chaos", daemon=True)
        self.servers, self.chance, self.pause = servers, chance, pause
        self.done: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        acts = [(self.worker, 6), (self.agent, 1), (self.supervisor, 1), (self.broker, 1), (self.database, 1), (self.freeze, 1),
                (self.sick, 4)]
        plan = [act for act, weight in acts for _ in range(weight)]
        try:
            while not self._ended.is_set():
                for act in self.chance.sample(plan, len(plan)):
                    if self._ended.wait(self.chance.uniform(0.5, 1.5) * self.pause):
                        break
                    self.done[act.__name__] += 1
                    act()
        except BaseException as error:
            self.failure = error

    def end(self) -> None:
        self._ended.set()
        self.join(120)
        assert not self.is_alive(), "an act of the chaos did not end"
        if self.failure:
            raise self.failure
        for path in self.servers.paths:
            self.servers.receiver.script(path)

    # --- the acts

    def _kill(self, pids: list[int]) -> None:
        if pids:
            try:
                os.kill(self.chance.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def worker(self) -> None:
        self._kill(self.servers.daemon.workers())

    def agent(self) -> None:
        workers = set(self.servers.daemon.workers())
        self._kill([p.pid for p in self.servers.daemon.children() if p.pid not in workers])

    def supervisor(self) -> None:
        self.servers.daemon.kill()
        self.servers.begin()

    def _restart(self, server: Any) -> None:
        getattr(server, self.chance.choice(["stop", "kill"]))()
        time.sleep(self.chance.uniform(0, 1))
        server.start()

    def broker(self) -> None:
        self._restart(self.servers.rabbit)

    def database(self) -> None:
        self._restart(self.servers.postgres)

    def freeze(self) -> None:
        server = self.chance.choice([self.servers.rabbit, self.servers.postgres])
        server.freeze()
        time.sleep(self.chance.uniform(1, 5))
        server.thaw()

    def sick(self) -> None:
        for path in self.chance.sample(self.servers.paths, 3):
            healed = self.chance.random() < 0.5
            self.servers.receiver.script(path, *([] if healed else [self.chance.choice(SICK)]))

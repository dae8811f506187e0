"""A change of the table `integrations` reaches the workers: how soon, and that it always does.

An event is *born* not later than its publish, and a change is *made* not earlier than its commit. So an event that was born
more than a second after a change was made was certainly published more than a second after the commit; how long after a
change events were still born that followed the row before it is the lateness of that change.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import socket
import subprocess
import threading
import time
from typing import Any, Iterator

import pytest
from ctl import ROOT
from sandbox import producer, seed
from sandbox.bulk import BulkPublisher, publish_many

AGENT, WORKER = "pencheff-notify agent", "pencheff-notify worker"


class Load:
    """Events at an even rate, for one scan after the other, from the constructor to stop()."""

    def __init__(self, url: str, scans: list[str], rate: float) -> None:
        self.born: dict[str, float] = {}
        self.scan: dict[str, str] = {}
        self._scans, self._rate = scans, rate
        self._began = time.monotonic()
        self._publisher = BulkPublisher(url, "notify", self._events(), rate)
        self._publisher.start()

    def _events(self) -> Iterator[producer.Event]:
        for scan in itertools.cycle(self._scans):
            e = producer.event(scan, "scan_done")
            self.scan[e.id], self.born[e.id] = scan, time.monotonic()
            yield e

    def stop(self) -> set[str]:
        """The ids of the events, all of them confirmed; fails when this machine could not keep the rate."""
        seconds = time.monotonic() - self._began
        self._publisher.stop()
        confirmed = set(self._publisher.finish())
        assert not self._publisher.unknown
        assert len(confirmed) / seconds > 0.8 * self._rate, f"only {len(confirmed) / seconds:.0f} events/s were published"
        return confirmed


class Proxy:
    """Stands before PostgreSQL and can stop forwarding for the connections of one application_name, closing nothing."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._changed = threading.Condition()
        self._cut: bytes | None = None
        self._answers_after: bytes | None = None  # once this went to the server its answers are kept
        self._kept = 0  # answers that came and were not passed on
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, name: str) -> None:
        """Nothing passes any more, in either direction, on the connections of NAME and on those it will open."""
        self._cut = name.encode()

    def keep_answers_after(self, marker: bytes) -> None:
        self._kept, self._answers_after = 0, marker

    def wait_kept(self) -> None:
        """An answer has come from the server and is kept: the statement has run."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._kept > 0, 10), "no answer came"

    def heal(self) -> None:
        with self._changed:
            self._cut = self._answers_after = None
            self._changed.notify_all()

    def close(self) -> None:
        self.heal()
        self._listener.close()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link: dict[str, Any] = {"name": b"", "head": b"", "keeps": False}
                threading.Thread(target=self._to_server, args=(client, server, link), daemon=True).start()
                threading.Thread(target=self._to_client, args=(server, client, link), daemon=True).start()
        except OSError:
            pass  # closed

    def _wait(self, link: dict[str, Any]) -> None:
        with self._changed:
            if link["keeps"]:
                self._kept += 1
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._cut is None or link["name"] != self._cut)
            self._changed.wait_for(lambda: self._answers_after is None or not link["keeps"])

    def _to_server(self, client: socket.socket, server: socket.socket, link: dict[str, Any]) -> None:
        def pass_on(data: bytes) -> None:
            if len(link["head"]) < 4096 and not link["name"]:
                link["head"] += data
                named = re.search(rb"application_name\0([^\0]+)\0", link["head"])
                link["name"] = named[1] if named else b""
            with self._changed:
                self._changed.wait_for(lambda: self._cut is None or link["name"] != self._cut)
                if self._answers_after is not None and self._answers_after in data:
                    link["keeps"] = True
            server.sendall(data)
        self._pump(client, server, pass_on)

    def _to_client(self, server: socket.socket, client: socket.socket, link: dict[str, Any]) -> None:
        def pass_on(data: bytes) -> None:
            self._wait(link)
            client.sendall(data)
        self._pump(server, client, pass_on)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, pass_on: Any) -> None:
        try:
            while data := source.recv(65536):
                pass_on(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()


@pytest.fixture
def proxy(postgres) -> Iterator[Proxy]:
    made = Proxy(postgres.port)
    yield made
    made.close()


def through(proxy: Proxy, database: Any) -> dict[str, Any]:
    url = database.url.replace(f":{database.server.port}/", f":{proxy.port}/")
    assert url != database.url
    return {"database": {"url": url}}


class Psql:
    """A psql that stays: run(sql) returns the moment when the change had been made."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1)

    def run(self, sql: str) -> float:
        self._process.stdin.write(f"{sql};\n\\echo made\n")
        assert self._process.stdout.readline() == "made\n", sql
        return time.monotonic()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


@pytest.fixture
def psql(stage) -> Iterator[Psql]:
    made = Psql(stage.database.url)
    yield made
    made.close()


def sealed(stage: Any, path: str) -> str:
    return f"'{seed.encrypt_config({'webhook_url': stage.receiver.url(path)}, stage.key).decode()}'"


def use(stage: Any, hook: Any, path: str) -> str:
    return f"UPDATE integrations SET config_encrypted = {sealed(stage, path)} WHERE id = '{hook.id}'"


def paths_by_event(stage: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for request in stage.receiver.requests():
        found.setdefault(json.loads(request.body)["id"], set()).add(request.path)
    return found


def wait_done(stage: Any, events: set[str]) -> None:
    """All of them are settled, so all of their requests have been made."""
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.events WHERE state = 'done'") == [(len(events),)], 30,
               f"not all of {len(events)} events were settled")


def lateness(load: Load, made: float, until: float, still_old: Any, least: float) -> float:
    """Seconds after MADE at which the last event was born that STILL_OLD is true of; at least 20 are born LEAST seconds after."""
    after = [event for event, born in load.born.items() if made < born < until]
    assert sum(load.born[event] > made + least for event in after) >= 20, "too few events to judge by"
    return max((load.born[event] - made for event in after if still_old(event)), default=0.0)


def judge_updates(stage: Any, load: Load, made: list[float], bounds: list[float]) -> None:
    """The n-th change led the one webhook to /n. An event may be handled when a later change has been made already."""
    events = load.stop()
    wait_done(stage, events)
    number = {event: [int(path[1:]) for path in paths] for event, paths in paths_by_event(stage).items()}
    assert set(number) == events and all(len(n) == 1 for n in number.values())
    late = []
    for n, (at, until, bound) in enumerate(zip(made, [*made[1:], time.monotonic()], bounds), 1):
        late.append(lateness(load, at, until, lambda event: event in number and number[event][0] < n, bound))
    print("effective after", [f"{1000 * one:.0f} ms" for one in late])
    assert all(one < bound for one, bound in zip(late, bounds)), (late, bounds)


@pytest.mark.alone
def test_a_change_made_with_psql_is_followed_within_a_second_at_500_events_a_second(stage, notifyd, psql):
    hook = stage.webhook("/before", secret=None)
    notifyd()
    load = Load(stage.broker_url, [stage.scan.id], 500)
    stage.receiver.wait_for(200)
    updated = psql.run(use(stage, hook, "/after"))
    time.sleep(1.4)
    inserted = psql.run("INSERT INTO integrations (id, org_id, workspace_id, kind, name, config_encrypted)"
                        f" VALUES (gen_random_uuid(), gen_random_uuid(), '{stage.workspace.id}', 'webhook', 'second',"
                        f" {sealed(stage, '/second')})")
    time.sleep(1.4)
    deleted = psql.run(f"DELETE FROM integrations WHERE id = '{hook.id}'")
    time.sleep(1.4)
    events, end = load.stop(), time.monotonic()
    wait_done(stage, events)
    paths = paths_by_event(stage)
    late = [lateness(load, updated, inserted, lambda event: "/before" in paths.get(event, ()), 1),
            lateness(load, inserted, deleted, lambda event: event in events and "/second" not in paths.get(event, ()), 1),
            lateness(load, deleted, end, lambda event: "/after" in paths.get(event, ()), 1)]
    print("effective after", [f"{1000 * one:.0f} ms" for one in late])
    assert max(late) < 1
    assert {path for some in paths.values() for path in some} == {"/before", "/after", "/second"}


@pytest.mark.alone
def test_a_thousand_flips_that_race_with_loads_end_in_the_tables_state(stage, notifyd):
    flips, rounds, count = 25, 5, 8
    chance = random.Random(7)
    hooks, scans = [], []
    for _ in range(count):
        workspace = seed.add_workspace(stage.connection)
        scans.append(seed.add_scan(stage.connection, seed.add_target(stage.connection, workspace)).id)
        hooks.append(stage.webhook(secret=None, workspace=workspace))
    notifyd()
    load = Load(stage.broker_url, scans, 500)
    stage.receiver.wait_for(100)
    quiet: list[tuple[str, bool, float, float]] = []  # scan, state of the table, from, until
    failures: list[BaseException] = []

    def flip(scan: str, hook: Any, pauses: list[float]) -> None:
        try:
            connection = stage.database.connect()
            cursor = connection.cursor()
            for _ in range(rounds):
                for _ in range(flips):
                    time.sleep(pauses.pop())
                    cursor.execute("UPDATE integrations SET enabled = NOT enabled WHERE id = %s RETURNING enabled", (hook.id,))
                made = time.monotonic()
                (enabled,) = cursor.fetchone()
                time.sleep(1.4)
                quiet.append((scan, enabled, made, time.monotonic()))
            connection.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=flip, args=(scan, hook, [chance.random() * 0.01 for _ in range(flips * rounds)]))
               for scan, hook in zip(scans, hooks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    events = load.stop()
    wait_done(stage, events)
    to_monotonic = time.monotonic() - time.time()
    rows = stage.database.query("SELECT id, matched = 1, extract(epoch FROM finished_at)::float8 FROM notify.events"
                                " WHERE considered = 1 AND matched + filtered_disabled = 1")
    assert len(rows) == len(events)
    judged, worst = 0, 0.0
    for scan, enabled, made, until in quiet:
        of_this = [(load.born[event], fired) for event, fired, finished in rows if load.scan[event] == scan
                   and load.born[event] > made and finished + to_monotonic < until]
        assert sum(born > made + 1 for born, _ in of_this) >= 5, "too few events to judge by"
        judged += len(of_this)
        worst = max([worst, *(born - made for born, fired in of_this if fired != enabled)])
    assert len(quiet) == count * rounds and {enabled for _, enabled, _, _ in quiet} == {True, False}
    print(f"{flips * rounds * count} flips, {len(quiet)} ends, {judged} events judged, effective after {1000 * worst:.0f} ms")
    assert worst < 1


def test_rows_that_were_read_before_a_change_and_arrive_after_it_are_not_kept(stage, notifyd, proxy, psql):
    hook = stage.webhook("/0", secret=None)
    daemon = notifyd({"workers": 1, **through(proxy, stage.database)})
    daemon.wait_event("database_link_up", link=AGENT)
    stage.publish("scan_done")
    stage.receiver.wait_for(1, "/0")
    psql.run(use(stage, hook, "/1"))  # the cached row is void: the next event reads the table
    proxy.keep_answers_after(b"\0rules\0")
    stage.publish("scan_done")
    proxy.wait_kept()
    psql.run(use(stage, hook, "/2"))
    time.sleep(0.2)  # the agent has heard of it
    proxy.heal()
    stage.receiver.wait_for(1, "/1")
    stage.publish("scan_done")
    time.sleep(1.2)
    stage.publish("scan_done")
    stage.receiver.wait_for(2, "/2")
    assert stage.receiver.count("/0") == stage.receiver.count("/1") == 1


@pytest.mark.alone
def test_with_the_link_for_changes_cut_silently_a_change_is_followed_within_two_seconds(stage, notifyd, proxy, psql):
    hook = stage.webhook("/0", secret=None)
    daemon = notifyd(through(proxy, stage.database))
    load = Load(stage.broker_url, [stage.scan.id], 300)
    stage.receiver.wait_for(100)
    time.sleep(0.5)
    made = []
    proxy.cut(AGENT)
    made.append(psql.run(use(stage, hook, "/1")))
    time.sleep(2.2)
    daemon.wait_event("database_link_down", link=AGENT)
    made.append(psql.run(use(stage, hook, "/2")))  # while the agent tries to get a new link
    time.sleep(2.2)
    made.append(psql.run(use(stage, hook, "/3")))  # the notification of this one is lost for ever
    proxy.heal()
    time.sleep(2.2)
    daemon.wait_event("database_link_up", link=AGENT, count=2)
    made.append(psql.run(use(stage, hook, "/4")))
    time.sleep(1.2)
    judge_updates(stage, load, made, [2, 2, 2, 1])
    assert not daemon.events("database_link_down")[1:], "the workers' links were not touched"


def test_without_changes_nothing_is_asked_of_integrations_and_few_statements_are_made(stage, notifyd, database):
    def statements() -> tuple[int, int]:
        rows = database.server.statements(database.name)
        assert any("notify.events" in text for text, _, _ in rows)
        return (sum(calls for text, calls, _ in rows if "pg_notify" not in text),
                sum(calls for text, calls, _ in rows if "public.integrations" in text))

    stage.webhook(secret=None)
    stage.webhook(secret=None, enabled=False)
    backlog = 6000
    publish_many(stage.broker_url, "notify", [stage.event("scan_done") for _ in range(backlog)])
    database.server.reset_statements(database.name)
    daemon = notifyd()
    stage.receiver.wait_for(backlog, timeout=30)
    stage.wait(lambda: daemon.counter("messages_settled") >= backlog)  # on a busy machine one may have been tried again
    total, of_integrations = statements()
    assert total / backlog < 0.2
    load = Load(stage.broker_url, [stage.scan.id], 500)
    time.sleep(2)
    steady = len(load.stop())
    stage.receiver.wait_for(backlog + steady)
    stage.wait(lambda: daemon.counter("messages_settled") >= backlog + steady)
    more, after = statements()
    print(f"{total / backlog:.3f} statements per event in a backlog of {backlog}, {of_integrations} of them of integrations;"
          f" {(more - total) / steady:.3f} at 500 events/s, {after - of_integrations} of them of integrations")
    assert 0 < of_integrations <= 8 and after == of_integrations


def test_without_the_triggers_a_change_is_followed_after_a_second_and_the_log_says_so(stage, notifyd, psql):
    hook = stage.webhook("/0", secret=None)
    daemon = notifyd()
    load = Load(stage.broker_url, [stage.scan.id], 300)
    stage.receiver.wait_for(100)
    assert not daemon.events("triggers_missing")
    psql.run("DO $$ DECLARE t name; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'integrations'::regclass"
             " LOOP EXECUTE format('DROP TRIGGER %I ON integrations', t); END LOOP; END $$")
    daemon.wait_event("triggers_missing", level="warn")
    made = [psql.run(use(stage, hook, "/1"))]
    time.sleep(1.7)
    made.append(psql.run(use(stage, hook, "/2")))
    time.sleep(1.5)
    psql.run((ROOT / "schema" / "integration_triggers.sql").read_text())
    time.sleep(1.2)
    loads = daemon.counter("database_requests", batch="rules")
    made.append(psql.run(use(stage, hook, "/3")))
    time.sleep(1.2)
    judge_updates(stage, load, made, [1.2, 1.2, 1])
    assert daemon.counter("database_requests", batch="rules") - loads <= 4, "one load per worker, and not one more each second"
    assert len(daemon.events("triggers_missing")) == 1


def test_with_room_for_few_workspaces_every_event_of_many_still_goes_by_its_own_rules(stage, notifyd):
    """The smallest cache holds some hundred workspaces; those of events under way stay until they are served."""
    count, rounds = 300, 3
    scans = {}
    for number in range(count):
        workspace = seed.add_workspace(stage.connection, org_id=stage.workspace.org_id)
        scan = seed.add_scan(stage.connection, seed.add_target(stage.connection, workspace)).id
        scans[scan] = f"/{number}" if number % 3 else None
        if number % 3:
            stage.webhook(f"/{number}", secret=None, workspace=workspace)
    daemon = notifyd({"workers": 1, "rules": {"cache_bytes": 1 << 20}})
    expected: dict[str, str | None] = {}
    loads = []
    for _ in range(rounds):
        events = [stage.event("scan_done", scan_id=scan) for scan in scans]
        expected.update((event.id, scans[event.args[0]]) for event in events)
        publish_many(stage.broker_url, "notify", events)
        wait_done(stage, set(expected))
        loads.append(daemon.counter("database_requests", batch="rules"))
    assert paths_by_event(stage) == {event: {path} for event, path in expected.items() if path}
    assert loads[0] < loads[1] < loads[2], f"what left the cache was not read again: {loads}"

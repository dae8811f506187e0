"""deploy/demo after its packages are installed; see there for what it does.

One run owns one folder below build/demo, and everything that it starts is a child that dies with it. The order is: programs,
servers, database, notifyd, events; the end is always clean_up(), in the opposite order.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable

import psycopg2
import psycopg2.extras

from . import demo_case, producer, seed
from .daemon import Notifyd, conf_text
from .demo_case import Call
from .demo_check import Expectation, Receipt, ledger_problems, missing_deliveries, read_receipt, receipt_problems
from .demo_rule import STAGES
from .demo_screen import Screen, Stop, Stopped, fail
from .postgres import PostgresServer
from .processes import HeldPort, StartError, tail
from .programs import build_programs
from .rabbit import RabbitServer
from .receiver import Receiver, Request

ROOT = Path(__file__).resolve().parents[2]
_OVERRIDES = ("AMQP_URL", "DATABASE_URL", "FERNET_KEY")
_COUNTS = ("considered", "matched", *(f"filtered_{stage}" for stage in STAGES))
DATABASE, LOGIN = "pencheff", "notify"
PATIENCE = 30.0  # seconds for the last delivery of the first round
BETWEEN = 3.0  # seconds between two events afterwards


class DemoFailed(Exception):
    pass


class Demo:
    def __init__(self, stop: Stop) -> None:
        self.stop, self.screen = stop, Screen(stop)
        above = ROOT / "build" / "demo"
        above.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=above))
        self.folder.chmod(0o711)  # PostgreSQL's own account passes through
        self.key = demo_case.new_key()
        self.expected = Expectation()
        self.receipts: list[Receipt] = []
        self._arrived: "queue.SimpleQueue[Request]" = queue.SimpleQueue()
        self._endings: list[tuple[str, Callable[[], Any]]] = []
        self.notifyd: Notifyd | None = None
        self.kept = False  # whether the data stays

    # --- setting up

    def set_up(self) -> None:
        self.screen.step(f"building in build/, everything else in {self.folder.relative_to(ROOT)}")
        self.programs = build_programs(ROOT, self.folder / "programs", self.stop.pause)
        self._start_servers()
        receiver = Receiver(keep=False, on_request=self._arrived.put)
        self._endings.append(("the receiver", receiver.stop))
        self.postgres.create_database(DATABASE)
        self._write_conf()
        self.screen.head("An empty database becomes ours")
        self._ctl("migrate", env={"DATABASE_URL": self.postgres.dsn(database=DATABASE)})
        self._make_roles()
        self.database = self.postgres.connect(DATABASE)
        self.workspace = demo_case.seed_workspace(self.database, receiver.url, self.key, self._seal)
        self.filters = demo_case.read_filters(self.database)
        self._start_notifyd()
        self.screen.head("Is everything as a worker needs it?")
        self._ctl("check")

    def _start_servers(self) -> None:
        self.screen.step("starting a private RabbitMQ and PostgreSQL")
        self.rabbit = RabbitServer(self.folder / "rabbit")
        self._endings.append(("RabbitMQ", lambda: _end_rabbit(self.rabbit, self.kept)))
        self.postgres = PostgresServer(self.folder / "postgres", fsync=False)
        self._endings.append(("PostgreSQL", lambda: self.postgres.stop() if self.kept else self.postgres.remove()))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:  # both are waited for, whatever happens to the other
            starts = [pool.submit(server.start) for server in (self.rabbit, self.postgres)]
        for start in starts:
            start.result()
        self.stop.check()
        self.screen.step(f"RabbitMQ on port {self.rabbit.port}, PostgreSQL on port {self.postgres.port}")

    def _write_conf(self) -> None:
        agent = HeldPort()
        self._endings.append(("the agent's port", agent.release))
        self.settings = {
            "workers": 2, "shutdown_grace": 10, "broker": {"url": self.rabbit.url, "queues": [producer.QUEUE]},
            "database": {"url": self.postgres.dsn(LOGIN, DATABASE), "role": "notify_worker"},
            "secrets": {"fernet_keys": [self.key]}, "agent": {"listen": f"127.0.0.1:{agent.number}"},
            # The receiver is on this machine and speaks http; both are refused unless they are allowed.
            "delivery": {"timeout": 5.0, "allow_networks": ["127.0.0.0/8"], "allow_http": True},
        }
        self.conf = self.folder / "notify.conf"
        self.conf.touch(0o600)
        self.conf.write_text(conf_text(self.settings))

    def _make_roles(self) -> None:
        """notifyd logs in as a role of its own and has exactly the rights of schema/roles.sql."""
        roles = ROOT / "schema" / "roles.sql"
        done = subprocess.run(["psql", "-X", "-q", "-f", roles, self.postgres.dsn(database=DATABASE)], capture_output=True,
                              text=True, timeout=60, start_new_session=True)
        self.stop.check()
        if done.returncode != 0:
            raise DemoFailed(f"psql -f {roles} ended with {done.returncode}\n{done.stderr.strip()}")
        self.postgres.create_role(LOGIN)
        self.postgres.execute(f"GRANT notify_worker TO {LOGIN}")

    def _seal(self, config: dict[str, str]) -> bytes:
        return self._notifyctl("seal", stdin=json.dumps(config)).strip().encode()

    def _start_notifyd(self) -> None:
        self.notifyd = notifyd = Notifyd(self.programs / "notifyd", self.folder, self.settings)
        self._endings.append(("notifyd", lambda: _end_notifyd(notifyd)))
        notifyd.wait_ready(20)
        self.screen.step(f"notifyd runs: supervisor {notifyd.pid}, workers {', '.join(map(str, notifyd.workers()))}"
                         f", figures at {notifyd.agent_url}/metrics")

    # --- notifyctl

    def _notifyctl(self, *words: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        outside = {name: value for name, value in os.environ.items() if name not in _OVERRIDES}
        # In a session of its own: Ctrl-C at the terminal is for us, and would fail the command.
        done = subprocess.run([self.programs / "notifyctl", "-c", self.conf, *words], input=stdin, capture_output=True, text=True,
                              timeout=60, start_new_session=True, env={**outside, **(env or {})})
        self.stop.check()
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise DemoFailed(f"notifyctl {' '.join(words)} ended with {done.returncode}\n{said}")
        return done.stdout

    def _ctl(self, *words: str, env: dict[str, str] | None = None) -> None:
        self.screen.command(["notifyctl", *words], self._notifyctl(*words, env=env))

    # --- events and deliveries

    def first_round(self) -> None:
        self.screen.head("Events are published, each delivery is shown as it lands")
        calls = demo_case.first_round(self.workspace)
        modern = producer.celery_app(self.rabbit.url)
        old = producer.celery_app(self.rabbit.url, protocol=1)
        try:
            for number, call in enumerate(calls, 1):
                self._publish(call, old if call.how == "protocol-1" else modern, number)
                self._show(until=time.monotonic() + 0.1)
        finally:
            modern.app.close()
            old.app.close()
        self._show_until_settled()
        twice = sum(call.how == "twice" for call in calls)
        self.screen.say(f"\n{len(calls)} events, {len(self.receipts)} deliveries. {twice} events were published twice under one id"
                        ", one in Celery's protocol 1, one as plain JSON.")

    def _publish(self, call: Call, by: producer.Producer, number: int = 0) -> str:
        words = (call.scan.id, call.event_type)
        about = {**({"finding_id": call.finding.id} if call.finding else {}), **call.keywords}
        if call.how == "plain":
            event_id = f"plain-{number}"
            producer.publish_plain(self.rabbit.url, producer.QUEUE,
                                   {"scan_id": call.scan.id, "event_type": call.event_type, **about}, event_id)
        elif call.how == "twice":
            event_id = seed.new_id()
            for _ in range(2):
                by.notify_event.apply_async(words, about, task_id=event_id)
        else:
            event_id = by.notify_event.delay(*words, **about).id
        self.expected.add(event_id, call, self.filters)
        return event_id

    def _show(self, until: float) -> None:
        """Prints what lands until then."""
        while True:
            self.stop.check()
            if self.notifyd is None or not self.notifyd.alive():
                raise DemoFailed("notifyd ended by itself")
            left = until - time.monotonic()
            try:
                request = self._arrived.get(timeout=max(0.001, min(0.1, left)))
            except queue.Empty:
                if left <= 0:
                    return
                continue
            self.receipts.append(read_receipt(request, self.workspace.hooks))
            self.screen.delivery(self.receipts[-1])

    def _show_until_settled(self) -> None:
        """Every expected delivery has landed and no message is left anywhere: nothing more can come."""
        deadline = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 2:
            self._show(time.monotonic() + 0.25)
            missing = missing_deliveries(self.receipts, self.expected)
            left = {} if missing else {q["name"]: q["messages"] for q in self.rabbit.list_queues() if q["messages"]}
            if left.get("notify.dead"):
                raise DemoFailed(f"{left['notify.dead']} messages were dead-lettered")
            quiet = 0 if missing or left else quiet + 1
            if time.monotonic() > deadline:
                what = [f"event {event} to {self._name_of(hook)}" for event, hook in sorted(missing)]
                raise DemoFailed(f"not within {PATIENCE:g} s: {len(what)} deliveries, of "
                                 f"{', '.join(what[:3])}" if what else f"messages are still in {left}")

    def _name_of(self, integration: str) -> str:
        return next((f.name for f in self.filters if f.id == integration), integration)

    def verify(self) -> None:
        events, deliveries = self._ledger()
        wrong = receipt_problems(self.receipts, self.expected) + ledger_problems(events, deliveries, self.expected)
        if wrong:
            raise DemoFailed(f"{wrong[0]}" + (f" (and {len(wrong) - 1} more)\n" + "\n".join(wrong) if wrong[1:] else ""))
        self._show_held_back(events)
        self.screen.head("What the ledger says")
        self._ctl("deliveries", "--limit", "8")
        self._ctl("stats")
        self.screen.say(self.screen.paint(
            f"\n✓ {len(self.receipts)} deliveries, each exactly once, both signatures of each verified; the ledger agrees.", "green"))

    def _ledger(self) -> tuple[dict[str, Any], list[Any]]:
        with self.database.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT id, state, {', '.join(_COUNTS)} FROM notify.events")
            events = {row["id"]: row for row in cursor.fetchall()}
            cursor.execute("SELECT event_id, integration_id::text, state, attempt FROM notify.deliveries")
            return events, cursor.fetchall()

    def _show_held_back(self, events: dict[str, Any]) -> None:
        self.screen.head("What the filters held back, and why")
        self.screen.say("  The names are the demo's own reading of the rule (deploy/sandbox/demo_rule.py) on the table of"
                        " integrations;\n  event by event its counts are those that notifyd wrote into the ledger.")
        self.screen.held_back(self.expected.calls, self.expected.stages, self.filters)
        sums = {name: sum(row[name] for row in events.values()) for name in _COUNTS}
        held = ", ".join(f"{sums[f'filtered_{stage}']} {stage}" for stage in STAGES)
        self.screen.say(f"  In the ledger: {sums['considered']} pairs of event and integration considered, {sums['matched']} fired,"
                        f" held back {held}.")

    def go_on(self) -> None:
        """An event every few seconds until somebody stops us."""
        self.screen.head(f"Another event every {BETWEEN:g} seconds; Ctrl-C ends it and leaves nothing behind")
        self.screen.say(f"  Look at it from another terminal:\n    {self.programs}/notifyctl -c {self.conf} deliveries\n")
        further = demo_case.further_calls(self.database, self.workspace, random.Random())
        celery = producer.celery_app(self.rabbit.url)
        try:
            for call in further:
                event_id = self._publish(call, celery)
                self._show(time.monotonic() + 0.5)
                self.screen.held_back_of_one(self.expected.stages[event_id], self.filters)
                self._show(time.monotonic() + BETWEEN - 0.5)
                wrong = receipt_problems(self.receipts, self.expected)
                if wrong:
                    raise DemoFailed(wrong[0])
        finally:
            celery.app.close()

    # --- the end

    def clean_up(self, keep: bool) -> list[str]:
        """Stops everything, in the opposite order; returns what was wrong with that."""
        self.kept = keep
        wrong: list[str] = []
        for what, end in reversed(self._endings):
            try:
                wrong += end() or []
            except Exception as error:
                wrong.append(f"{what} could not be stopped: {error}")
        if not keep and not wrong:
            shutil.rmtree(self.folder, ignore_errors=True)
        return wrong


def _end_rabbit(rabbit: RabbitServer, keep: bool) -> None:
    if keep:
        rabbit.stop()
        return
    rabbit.kill()  # what a clean stop would save is deleted anyway
    rabbit.remove()


def _end_notifyd(notifyd: Notifyd) -> list[str]:
    return notifyd.close()


def _show_failure(demo: Demo, reason: str) -> None:
    first, _, rest = reason.partition("\n")
    details = [rest] if rest else []
    if demo.notifyd is not None:
        details.append(f"notifyd's log ends:\n{tail(demo.notifyd.log, 40)}")
    details.append(f"the data is kept in {demo.folder}")
    fail(first, "\n".join(details))


def run(once: bool, stop: Stop) -> int:
    demo = Demo(stop)
    reason = ""
    stopped = verified = False
    try:
        demo.set_up()
        demo.first_round()
        demo.verify()
        verified = True
        if not once:
            demo.go_on()
    except Stopped:
        stopped = True
        demo.screen.say("\nstopping …")
    except (DemoFailed, StartError) as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    stop.ignore()
    wrong = demo.clean_up(keep=bool(reason))
    reason = reason or "\n".join(wrong)
    if reason:
        _show_failure(demo, reason)
        return 1
    if stopped and (once or not verified):
        return 128 + stop.number
    demo.screen.say("Everything that was started is stopped, its data is deleted.")
    return 0


def main() -> int:
    options = argparse.ArgumentParser(prog="deploy/demo")
    options.add_argument("--once", action="store_true")
    chosen = options.parse_args()
    return run(chosen.once, Stop())


if __name__ == "__main__":
    sys.exit(main())

"""What the demo starts and stops: a folder, private servers with a database, notifyd; and how it asks notifyctl.

One run owns one folder below build/demo, and everything that it starts is a child that dies with it. Whoever starts more
gives its end to at_end(); the end is always clean_up(), in the opposite order.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import psycopg2
import psycopg2.extras

from . import demo_case, producer
from .api import NotifyApi
from .daemon import Notifyd, conf_text
from .demo_check import Ledger
from .demo_rule import STAGES
from .demo_screen import Screen, Stop
from .postgres import PostgresServer
from .processes import HeldPort
from .programs import build_programs
from .rabbit import RabbitServer

ROOT = Path(__file__).resolve().parents[2]
_OVERRIDES = ("AMQP_URL", "DATABASE_URL", "FERNET_KEY")
COUNTS = ("considered", "matched", *(f"filtered_{stage}" for stage in STAGES))
DATABASE, LOGIN = "pencheff", "notify"


class DemoFailed(Exception):
    pass


class Machine:
    def __init__(self, stop: Stop, screen: Screen) -> None:
        self.stop, self.screen = stop, screen
        above = ROOT / "build" / "demo"
        above.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=above))
        self.folder.chmod(0o711)  # PostgreSQL's own account passes through
        self.key = demo_case.new_key()
        self._endings: list[tuple[str, Callable[[], Any]]] = []
        self.notifyd: Notifyd | None = None
        self.api: NotifyApi | None = None
        self.kept = False  # whether the data stays

    def start_servers(self) -> None:
        """Builds, starts the servers and makes a database that notifyd can use."""
        self.screen.step(f"building in build/, everything else in {self.folder.relative_to(ROOT)}")
        self.programs = build_programs(ROOT, self.folder / "programs", self.stop.pause)
        self._start_rabbit_and_postgres()
        self.postgres.create_database(DATABASE)
        self._write_conf()
        self.screen.head("An empty database becomes ours")
        self.show("migrate", env={"DATABASE_URL": self.postgres.dsn(database=DATABASE)})
        self._make_roles()
        self.database = self.postgres.connect(DATABASE)

    def _start_rabbit_and_postgres(self) -> None:
        self.screen.step("starting a private RabbitMQ and PostgreSQL")
        self.rabbit = RabbitServer(self.folder / "rabbit")
        self.at_end("RabbitMQ", lambda: _end_rabbit(self.rabbit, self.kept))
        self.postgres = PostgresServer(self.folder / "postgres", fsync=False)
        self.at_end("PostgreSQL", lambda: self.postgres.stop() if self.kept else self.postgres.remove())
        with concurrent.futures.ThreadPoolExecutor(2) as pool:  # both are waited for, whatever happens to the other
            starts = [pool.submit(server.start) for server in (self.rabbit, self.postgres)]
        for start in starts:
            start.result()
        self.stop.check()
        self.screen.step(f"RabbitMQ on port {self.rabbit.port}, PostgreSQL on port {self.postgres.port}")

    def _write_conf(self) -> None:
        agent = HeldPort()
        self.at_end("the agent's port", agent.release)
        self.settings = {
            "workers": 2, "shutdown_grace": 10, "broker": {"url": self.rabbit.url, "queues": [producer.QUEUE]},
            "database": {"url": self.postgres.dsn(LOGIN, DATABASE), "role": "notify_worker"}, "api": {"role": "notify_api"},
            "expand": {"page": 1},  # one finding at a time, so that their order can be seen
            "retry": {"base": demo_case.RETRY.base, "factor": demo_case.RETRY.factor, "jitter": 0.0},
            "secrets": {"fernet_keys": [self.key]}, "agent": {"listen": f"127.0.0.1:{agent.number}"},
            # The receiver is on this machine and speaks http; both are refused unless they are allowed.
            "delivery": {"timeout": 5.0, "allow_networks": ["127.0.0.0/8"], "allow_http": True},
        }
        self.conf = self.folder / "notify.conf"
        self.conf.touch(0o600)
        self.conf.write_text(conf_text(self.settings))

    def _make_roles(self) -> None:
        """notifyd and notify-api log in as a role of its own and have exactly the rights of schema/roles.sql."""
        roles = ROOT / "schema" / "roles.sql"
        done = subprocess.run(["psql", "-X", "-q", "-f", roles, self.postgres.dsn(database=DATABASE)], capture_output=True,
                              text=True, timeout=60, start_new_session=True)
        self.stop.check()
        if done.returncode != 0:
            raise DemoFailed(f"psql -f {roles} ended with {done.returncode}\n{done.stderr.strip()}")
        self.postgres.create_role(LOGIN)
        self.postgres.execute(f"GRANT notify_worker, notify_api TO {LOGIN}")

    def seal(self, config: dict[str, str]) -> bytes:
        return self.notifyctl("seal", stdin=json.dumps(config)).strip().encode()

    def start_notifyd(self) -> None:
        self.notifyd = notifyd = Notifyd(self.programs / "notifyd", self.folder, self.settings)
        self.at_end("notifyd", notifyd.close)
        notifyd.wait_ready(20)
        self.screen.step(f"notifyd runs: supervisor {notifyd.pid}, workers {', '.join(map(str, notifyd.workers()))}"
                         f", figures at {notifyd.agent_url}/metrics")

    def start_api(self, workspace: str) -> None:
        self.api = api = NotifyApi(self.programs / "notify-api", self.folder / "api", self.settings)
        self.at_end("notify-api", api.close)
        api.wait_ready(20)
        made = json.loads(self.notifyctl("token", "create", "--workspace", workspace, "--scope", "write", "--name", "demo", "--json"))
        self.token = made["token"]
        self.screen.step(f"notify-api runs: {api.url}")

    def show_api(self) -> list[str]:
        """Lists the integrations as a client would; what was wrong with that."""
        api = self.api
        assert api is not None
        answer = api.ask("GET", "/integrations", token=self.token)
        if answer.status != 200:
            return [f"the API answered {answer.status}: {answer.body.decode(errors='replace')}"]
        shown = sorted(row["name"] for row in answer.json())
        self.screen.say(f"$ curl -H 'Authorization: Bearer {self.token}' {api.url}/integrations")
        self.screen.say("  " + ", ".join(shown))
        page = api.ask("GET", "/")
        if page.status != 200 or not page.headers["content-type"].startswith("text/html"):
            return [f"the dashboard was answered {page.status}"]
        self.screen.say(f"the dashboard: {api.url}/ (sign in with the token above)")
        with self.database.cursor() as cursor:
            cursor.execute("SELECT name FROM integrations")
            there = sorted(name for name, in cursor.fetchall())
        return [] if shown == there else [f"the API lists {shown}, and there are {there}"]

    # --- notifyctl

    def notifyctl(self, *words: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        outside = {name: value for name, value in os.environ.items() if name not in _OVERRIDES}
        # In a session of its own: Ctrl-C at the terminal is for us, and would fail the command.
        done = subprocess.run([self.programs / "notifyctl", "-c", self.conf, *words], input=stdin, capture_output=True,
                              text=True, timeout=60, start_new_session=True, env={**outside, **(env or {})})
        self.stop.check()
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise DemoFailed(f"notifyctl {' '.join(words)} ended with {done.returncode}\n{said}")
        return done.stdout

    def show(self, *words: str, env: dict[str, str] | None = None, grep: str = "") -> None:
        self.screen.command(["notifyctl", *words], self.notifyctl(*words, env=env), grep)

    # --- what there is

    def ledger(self) -> Ledger:
        with self.database.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT id, state, published, {', '.join(COUNTS)} FROM notify.events")
            events = {row["id"]: row for row in cursor.fetchall()}
            cursor.execute("SELECT event_id, integration_id::text, state, reason, attempt, status FROM notify.deliveries")
            deliveries = cursor.fetchall()
            cursor.execute("SELECT event_id, integration_id::text, attempt, status FROM notify.attempts")
            return Ledger(events, deliveries, cursor.fetchall())

    def queues(self) -> dict[str, int]:
        """Messages in each queue that has any."""
        return {queue["name"]: queue["messages"] for queue in self.rabbit.list_queues() if queue["messages"]}

    def check_alive(self) -> None:
        for name, one in (("notifyd", self.notifyd), ("notify-api", self.api)):
            if one is None or not one.alive():
                raise DemoFailed(f"{name} ended by itself")

    # --- the end

    def at_end(self, what: str, end: Callable[[], Any]) -> None:
        """END may return what was wrong, a list of texts."""
        self._endings.append((what, end))

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

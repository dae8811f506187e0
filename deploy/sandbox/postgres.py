"""A private PostgreSQL server.

It listens on one held loopback port and nowhere else (no Unix socket: nothing to clean up outside the folder). Anybody on
this machine may log in as any role without a password: it is for tests and demonstrations on made-up data only.

PostgreSQL refuses to run as root. Started by root it runs as Debian's `postgres` account, and when that account cannot reach
the folder (a checkout below /root, say) the data lies in a folder of its own in /tmp; server.json says where.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2
import psycopg2.extensions
import psycopg2.sql

from .processes import Child, HeldPort, StartError, listening, tail

_IPC_RMID = 0


def _programs() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if not folders:
        raise StartError("no PostgreSQL server below /usr/lib/postgresql")
    return folders[-1].parent


class PostgresServer:
    """start(), stop(), kill(), restart(), freeze(), thaw(); dsn(), connect(), execute(), query()."""

    def __init__(self, folder: str | Path, *, fsync: bool = True, settings: dict[str, str] | None = None,
                 env: dict[str, str] | None = None) -> None:
        """SETTINGS: further lines of postgresql.conf. fsync off is faster and loses data in a power cut, not in a kill.

        ENV: further variables of the server's environment.
        """
        self.folder = Path(folder).absolute()
        self.log = self.folder / "server.log"
        self._settings = {"fsync": "on" if fsync else "off", **(settings or {})}
        self._env = {**_ENVIRONMENT, **(env or {})}
        self._server: Child | None = None
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o711)
        self._load()

    # --- what clients need

    @property
    def port(self) -> int:
        return self._port.number

    def dsn(self, user: str = "postgres", database: str = "postgres") -> str:
        return f"postgresql://{quote(user, safe='')}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    @property
    def url(self) -> str:
        return self.dsn()

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg2.extensions.connection:
        """A connection in autocommit mode; the caller closes it."""
        connection = psycopg2.connect(self.dsn(user, database), connect_timeout=5)
        connection.autocommit = True
        return connection

    def execute(self, sql: str, params: object = None, database: str = "postgres", user: str = "postgres") -> int:
        """Runs one statement (several, without params) and returns the number of rows it touched."""
        connection = self.connect(database, user)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.rowcount
        finally:
            connection.close()

    def query(self, sql: str, params: object = None, database: str = "postgres", user: str = "postgres") -> list[tuple]:
        connection = self.connect(database, user)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetchall()
        finally:
            connection.close()

    def create_database(self, name: str, owner: str = "postgres", template: str = "template1") -> str:
        """Returns its dsn for OWNER."""
        names = [psycopg2.sql.Identifier(word) for word in (name, owner, template)]
        self._run(psycopg2.sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
        return self.dsn(owner, name)

    def drop_database(self, name: str) -> None:
        self._run(psycopg2.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(psycopg2.sql.Identifier(name)))

    def create_role(self, name: str, options: str = "LOGIN") -> None:
        """Roles belong to the whole server, so one that exists already is left as it is."""
        if not self.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)):
            self._run(psycopg2.sql.SQL("CREATE ROLE {} " + options).format(psycopg2.sql.Identifier(name)))

    def statements(self, database: str) -> list[tuple[str, int, int]]:
        """(text, calls, rows) of what ran in DATABASE since reset_statements(), most calls first."""
        return self.query("SELECT query, calls, rows FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
                          " WHERE datname = %s ORDER BY calls DESC", (database,))

    def reset_statements(self, database: str) -> None:
        self.query("SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = %s", (database,))

    # --- life

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.exit_code() is None

    @property
    def pid(self) -> int:
        assert self._server is not None, "not started"
        return self._server.pid

    def start(self, timeout: float = 60) -> "PostgresServer":
        """Returns when a client can log in. A first start takes another port if somebody else has got this one."""
        assert not self.running, "already started"
        fresh = not (self.data / "PG_VERSION").exists()
        if fresh:
            self._create_cluster()
        for attempt in range(3):
            try:
                self._start_once(timeout)
                break
            except StartError as error:
                self.kill()
                if attempt == 2 or not fresh or "already in use" not in str(error):
                    raise
                self._choose_port()
        if fresh:
            self.execute("CREATE EXTENSION pg_stat_statements")
        return self

    def stop(self) -> None:
        """A clean, fast shutdown: clients are disconnected, everything is on disk."""
        if self._server is None:
            return
        if self._server.exit_code() is None:
            self.thaw()
        self._server.stop((signal.SIGINT, signal.SIGQUIT), timeout=30)
        self._server = None
        self._drop_shared_memory()

    def kill(self) -> None:
        """The power cut: SIGKILL for the server and every backend."""
        if self._server is not None:
            self._server.kill()
            self._server = None
        self._drop_shared_memory()

    def restart(self, timeout: float = 60) -> None:
        self.stop()
        self.start(timeout)

    def freeze(self) -> None:
        """The server is there and says nothing: connections stay open and nobody answers."""
        assert self._server is not None, "not started"
        self._server.freeze()

    def thaw(self) -> None:
        assert self._server is not None, "not started"
        self._server.thaw()

    def remove(self) -> None:
        """Stops, gives the port back and deletes the data."""
        self.stop()
        self._port.release()
        shutil.rmtree(self.data.parent if self._elsewhere else self.folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "PostgresServer":
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- inside

    def _run(self, statement: psycopg2.sql.Composable) -> None:
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _load(self) -> None:
        path = self.folder / "server.json"
        state = json.loads(path.read_text()) if path.exists() else {}
        self.data = Path(state["data"]) if "data" in state else self._choose_folder()
        try:
            self._port = HeldPort(state.get("port", 0))
        except OSError:  # somebody took it while nobody held it
            self._port = HeldPort()
        self._save()

    def _save(self) -> None:
        (self.folder / "server.json").write_text(json.dumps({"data": str(self.data), "port": self.port}))

    @property
    def _elsewhere(self) -> bool:
        return self.folder not in self.data.parents

    def _choose_port(self) -> None:
        self._port.release()
        self._port = HeldPort()
        self._save()

    def _choose_folder(self) -> Path:
        if self._user is None or all(_may_pass(step, self._user) for step in [self.folder, *self.folder.parents]):
            return self.folder / "data"
        apart = Path(tempfile.mkdtemp(prefix="notify-postgres-", dir="/tmp"))
        apart.chmod(0o711)
        return apart / "data"

    def _create_cluster(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True, mode=0o700)
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self.data, account.pw_uid, account.pw_gid)
        initdb = Child([_programs() / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                        "--locale=C.UTF-8", "--no-sync", "--no-instructions"], log=self.log, env=_ENVIRONMENT, cwd="/",
                       user=self._user)
        try:
            code = initdb.wait(60)
        except subprocess.TimeoutExpired:
            code = initdb.kill()
        if code != 0:
            raise StartError(f"initdb ended with {code}; its log ends:\n{tail(self.log)}")

    def _start_once(self, timeout: float) -> None:
        settings = {
            "port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "max_connections": "200", "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "1000",
            "dynamic_shared_memory_type": "mmap",  # inside the folder, where a kill -9 leaves nothing behind in /dev/shm
            "timezone": "UTC", "log_timezone": "UTC", "log_line_prefix": "%m [%p] %q%u@%d ", **self._settings,
        }
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._server = Child([_programs() / "postgres", "-D", self.data, *words], log=self.log, env=self._env, cwd="/",
                             user=self._user)
        deadline = time.monotonic() + timeout
        while not self._accepts_login():
            if self._server.exit_code() is not None:
                raise StartError(f"PostgreSQL ended with {self._server.exit_code()}; its log ends:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise StartError(f"PostgreSQL was not ready within {timeout:g} s; its log ends:\n{tail(self.log)}")
            time.sleep(0.05)

    def _accepts_login(self) -> bool:
        if not listening(self.port):
            return False
        try:
            self.connect().close()
            return True
        except psycopg2.OperationalError:  # also while it recovers after a crash
            return False

    def _drop_shared_memory(self) -> None:
        """A killed server leaves its System V segment (56 bytes) behind; line 7 of postmaster.pid names it."""
        try:
            segment = int((self.data / "postmaster.pid").read_text().splitlines()[6].split()[1])
        except (OSError, IndexError, ValueError):
            return
        ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)


_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}


def _may_pass(folder: Path, user: str) -> bool:
    status, account = folder.stat(), pwd.getpwnam(user)
    if status.st_uid == account.pw_uid:
        return bool(status.st_mode & 0o100)
    return bool(status.st_mode & (0o010 if status.st_gid == account.pw_gid else 0o001))

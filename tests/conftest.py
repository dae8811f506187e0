"""What every test can ask for.

    broker_url, vhost       a vhost of its own on one RabbitMQ node that all tests share
    database                an empty database of its own on one PostgreSQL server that all tests share (a Database)
    incumbent               the same, with the live product's tables in it
    receiver                an HTTP receiver
    fernet_key              a key
    ctl                     a function that runs notifyctl there: ctl("stats", "--json")
    notifyd                 a function that starts notifyd: notifyd({"workers": 2, "retry": {"base": 1.0}})
    rabbit, postgres        the shared servers; a test that stops or freezes one has its own (own_postgres, test_restarts.rabbit)

At the end of a test every notifyd that it started must exit 0 within its grace and leave no child and no sanitizer report, and
all that its metrics said, last of all then, must be good (exposition.py).
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
sys.path[:0] = [str(ROOT / "deploy"), str(TESTS)]

from exposition import wrong_scrapes  # noqa: E402 (the path comes first)
from sandbox.api import NotifyApi  # noqa: E402 (the path comes first)
from sandbox.daemon import Notifyd, merged  # noqa: E402 (the path comes first)
from sandbox.postgres import PostgresServer  # noqa: E402
from sandbox.rabbit import RabbitServer  # noqa: E402
from sandbox.receiver import Receiver  # noqa: E402

pytest_plugins = ["unit_programs", "counts", "stage", "ctl", "served", "fast_receiver", "agent", "counted", "celery_side"]


def seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that wants a `long_seed` runs once for each seed that is asked for."""
    if "long_seed" in metafunc.fixturenames:
        metafunc.parametrize("long_seed", metafunc.config.getoption("--seeds"))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pencheff-notify")
    group.addoption("--long", action="store_true", help="run the tests marked long as well")
    group.addoption("--ci", action="store_true", help="run the tests marked ci as well")
    group.addoption("--san", action="store_true", help="the build has sanitizers")
    group.addoption("--seeds", default="1-1", type=seeds, help="A-B: which seeds the long runs that have some take")
    group.addoption("--seconds", type=int, help="how long each of the long runs that can be of any length takes")
    group.addoption("--build", default=str(ROOT / "build"), help="the build folder")
    group.addoption("--word", action="append", default=[], help="only tests whose name contains this")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    words = [word.lower() for word in config.getoption("--word")]
    if words:
        chosen = [item for item in items if any(word in item.nodeid.lower() for word in words)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    for item in items:
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="long; use --long"))
        if item.get_closest_marker("ci") and not (words or config.getoption("--ci")):
            item.add_marker(pytest.mark.skip(reason="for CI; use --ci, or ask for it by name"))


# --- folders

@pytest.fixture(scope="session")
def build(pytestconfig: pytest.Config) -> Path:
    """The build folder: build/notifyd is `build / "notifyd"`."""
    return Path(pytestconfig.getoption("--build")).absolute()


@pytest.fixture(scope="session")
def sanitized(pytestconfig: pytest.Config) -> bool:
    return pytestconfig.getoption("--san")


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Below it PostgreSQL's own account may pass; pytest makes its folders for our eyes only."""
    folder = tmp_path_factory.mktemp("servers")
    for step in (folder, folder.parent):
        step.chmod(0o711)
    return folder


# --- servers

@pytest.fixture(scope="session")
def rabbit(server_folder: Path) -> Iterator[RabbitServer]:
    server = RabbitServer(server_folder / "rabbit")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """Without fsync: no test cuts the power of the shared server."""
    server = PostgresServer(server_folder / "postgres", fsync=False)
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A server for one test, to be stopped, killed and frozen; with fsync."""
    server = PostgresServer(server_folder / f"postgres-{_serial()}")
    try:
        yield server.start()
    finally:
        server.remove()


_numbers = itertools.count(1)


def _serial() -> int:
    return next(_numbers)


@pytest.fixture
def vhost(rabbit: RabbitServer, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"{re.sub('[^a-z0-9]+', '-', request.node.name.lower())[:40]}-{_serial()}"
    rabbit.add_vhosts(name)
    yield name
    rabbit.delete_vhost(name)


@pytest.fixture
def broker_url(rabbit: RabbitServer, vhost: str) -> str:
    return rabbit.url_for(vhost)


class Database:
    """One database of a server: url, execute(), query(), connect()."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server, self.name = server, name
        self.url = server.dsn(database=name)

    def dsn(self, user: str = "postgres") -> str:
        return self.server.dsn(user, self.name)

    def execute(self, sql: str, params: object = None, user: str = "postgres") -> int:
        return self.server.execute(sql, params, self.name, user)

    def query(self, sql: str, params: object = None, user: str = "postgres") -> list[tuple]:
        return self.server.query(sql, params, self.name, user)

    def connect(self, user: str = "postgres") -> Any:
        """In autocommit mode; the caller closes it."""
        return self.server.connect(self.name, user)


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    name = f"test_{_serial()}"
    postgres.create_database(name)
    yield Database(postgres, name)
    postgres.drop_database(name)


@pytest.fixture
def incumbent(postgres: PostgresServer, database: Database) -> Database:
    """The live product's tables, owned by the role `incumbent` as on its own database."""
    postgres.create_role("incumbent")
    database.execute("GRANT ALL ON SCHEMA public TO incumbent")
    database.execute((TESTS / "vectors" / "incumbent.sql").read_text(), user="incumbent")
    return database


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture(scope="session")
def fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


# --- notifyd and notify-api

SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=0",
    "LSAN_OPTIONS": "exitcode=99",
}

@pytest.fixture(scope="session")
def figure_words(build: Path) -> tuple[str, set[str]]:
    """What notifyd's metrics may be, as it lists them itself, and all reasons."""
    page = subprocess.run([build / "notifyd", "--help-metrics=markdown"], capture_output=True, text=True, check=True).stdout
    reasons = subprocess.run([build / "notifyctl", "--list", "reasons"], capture_output=True, text=True, check=True).stdout
    return page, {line.split()[0] for line in reasons.splitlines() if line.strip()}


@pytest.fixture
def notifyd(request: pytest.FixtureRequest, build: Path, fernet_key: str, tmp_path: Path,
            figure_words: tuple[str, set[str]]) -> Iterator[Callable[..., Notifyd]]:
    """notifyd(settings, ready=True, args=(), env=None, wrapper=(), program=None) starts one, with the test's own vhost and database.

    The settings go over defaults that suit tests: two workers, loopback and http allowed, a short grace.
    """
    started: list[Notifyd] = []
    def start(settings: dict[str, Any] | None = None, *, ready: bool = True, env: dict[str, str] | None = None,
              program: Path | None = None, **options: Any) -> Notifyd:
        settings = settings or {}
        defaults: dict[str, Any] = {
            "workers": 2, "shutdown_grace": 10, "secrets": {"fernet_keys": [fernet_key]},
            "delivery": {"timeout": 5.0, "connect_timeout": 2.0, "allow_networks": ["127.0.0.0/8"], "allow_http": True},
            "retry": {"base": 1.0},
        }
        if "url" not in settings.get("broker", {}):
            defaults["broker"] = {"url": request.getfixturevalue("broker_url"), "heartbeat": 10}
        if "url" not in settings.get("database", {}):
            defaults["database"] = {"url": request.getfixturevalue("database").url}
        one = Notifyd(program or build / "notifyd", tmp_path / f"notifyd-{len(started) + 1}", merged(defaults, settings),
                      env={**SANITIZERS, **(env or {})}, **options)
        started.append(one)
        return one.wait_ready() if ready else one

    # Whatever the order in the test's argument list: what notifyd uses is made before it and taken down after it.
    for name in ("broker_url", "database", "incumbent", "receiver", "own_postgres"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    request.node.notifyds = started
    yield start
    ask_promtool = "fault" in request.node.path.parts
    wrong = wrong_scrapes(started, (*figure_words, ask_promtool))
    wrong += [line for one in started for line in one.close()]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.fixture
def notify_api(build: Path, fernet_key: str, tmp_path: Path, stage: Any) -> Iterator[Callable[..., NotifyApi]]:
    """notify_api(settings) starts one on the stage's database, ready to answer; wait=False: listening, ready or not."""
    started: list[NotifyApi] = []

    def start(settings: dict[str, Any] | None = None, *, expected_exit: int | None = 0, wait: bool = True, **options: Any) -> NotifyApi:
        defaults = {"secrets": {"fernet_keys": [fernet_key]}, "broker": {"url": "amqp://127.0.0.1:1/%2F"},
                    "database": {"url": stage.database.url}, "log": {"level": "debug"}}
        one = NotifyApi(build / "notify-api", tmp_path / f"api-{len(started) + 1}", merged(defaults, settings or {}),
                        env=SANITIZERS, **options)
        one.expected_exit = expected_exit
        started.append(one)
        return one.wait_ready() if wait else one.wait_listening()

    yield start
    wrong = [line for one in started for line in one.close()]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.fixture
def api(notify_api: Callable[..., NotifyApi]) -> NotifyApi:
    return notify_api()


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    """The environment overrides configuration files by contract; a developer's must not reach the tests."""
    for name in ("AMQP_URL", "DATABASE_URL", "FERNET_KEY"):
        os.environ.pop(name, None)

"""notifyctl migrate: on an empty database, on the live product's, twice, at once, beside writers, and what it leaves alone."""

from __future__ import annotations

import hashlib
import re
import select
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ctl import ROOT, Database, Notifyctl
from sandbox import seed

MIGRATIONS = sorted(path.name for path in (ROOT / "schema").glob("[0-9]*_*.sql"))
TRIGGERS = (ROOT / "schema" / "integration_triggers.sql").read_text()


@pytest.fixture
def ctl_for(build: Path, tmp_path: Path) -> Any:
    """ctl_for(dsn): a notifyctl for that database; the broker is not there, migrate does not need one."""
    return lambda dsn: Notifyctl(build / "notifyctl", tmp_path, {"broker": {"url": "amqp://127.0.0.1:1"}, "database": {"url": dsn}})


@pytest.fixture
def ctl(ctl_for: Any, database: Database) -> Notifyctl:
    return ctl_for(database.url)


@pytest.fixture
def stranger(incumbent: Database) -> str:
    """A login role that owns nothing in the live product's database and may only create a schema there."""
    incumbent.server.create_role("stranger")
    incumbent.execute(f"GRANT CREATE ON DATABASE {incumbent.name} TO stranger")
    return incumbent.dsn("stranger")


def applied(database: Database) -> list[tuple[int, str]]:
    return database.query("SELECT version, name FROM notify.schema_migrations ORDER BY version")


def triggers(database: Database) -> list[str]:
    return [name for (name,) in database.query(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.integrations'::regclass AND NOT tgisinternal ORDER BY 1")]


ALL_TRIGGERS = ["notify_integrations_delete", "notify_integrations_insert", "notify_integrations_truncate",
                "notify_integrations_update"]


def public_shape(database: Database) -> list[tuple]:
    """Everything about the tables of schema public that a migration might touch, but for triggers."""
    return (database.query("SELECT c.relname, c.relowner::regrole::text, c.relkind, c.relacl::text FROM pg_class c"
                           " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1")
            + database.query("SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
                             " WHERE table_schema = 'public' ORDER BY 1, 2")
            + database.query("SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
                             " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"))


# --- an empty database

def test_migrate_makes_everything_on_an_empty_database(ctl: Notifyctl, database: Database) -> None:
    answer = ctl("migrate")
    assert answer.code == 0, answer
    assert [name for _, name in applied(database)] == MIGRATIONS
    assert triggers(database) == ALL_TRIGGERS
    with database.connect() as connection:
        seed.add_example(connection)  # names every column that the workers read
    assert database.query("SELECT column_default FROM information_schema.columns WHERE table_schema = 'public'"
                          " AND (table_name, column_name) IN (('scans', 'profile'), ('integrations', 'enabled'),"
                          " ('integrations', 'severity_filter'), ('findings', 'verification_status')) ORDER BY 1") == [
        ("'high'::character varying",), ("'standard'::character varying",), ("'unverified'::character varying",), ("true",)]


def test_migrate_says_when_it_found_none_of_the_products_tables(ctl: Notifyctl, database: Database) -> None:
    note = "note: no Pencheff tables here; made a minimal set: is this the right database?"
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (public\.\w+)", (ROOT / "schema" / MIGRATIONS[0]).read_text())
    assert len(tables) == 6
    answer = ctl("migrate")
    assert answer.code == 0 and note in answer.out.splitlines() and note not in ctl("migrate").out, answer
    for table in tables:
        database.execute(f"DROP SCHEMA notify CASCADE; DROP TABLE {', '.join(tables)}; CREATE TABLE {table} (id uuid PRIMARY KEY,"
                         " workspace_id uuid)")
        answer = ctl("migrate")
        assert note not in answer.out and f"applied {MIGRATIONS[0]}" in answer.out, answer


def test_migrate_a_second_time_changes_nothing(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    before = database.query("SELECT * FROM notify.schema_migrations ORDER BY version")
    oids = database.query("SELECT oid, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1")
    answer = ctl("migrate")
    assert answer.code == 0 and "already" in answer.out, answer
    assert database.query("SELECT * FROM notify.schema_migrations ORDER BY version") == before
    assert database.query("SELECT oid, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1") == oids


def test_four_migrates_at_once_apply_each_migration_once(ctl: Notifyctl, database: Database) -> None:
    answers = [Notifyctl.finish(process) for process in [ctl.start("migrate") for _ in range(4)]]
    assert [answer.code for answer in answers] == [0] * 4, answers
    assert [name for _, name in applied(database)] == MIGRATIONS
    for name in MIGRATIONS:
        assert sum(f"applied {name}" in answer.out for answer in answers) == 1


def test_a_migrate_that_cannot_have_its_turn_says_so(ctl: Notifyctl, database: Database) -> None:
    key = re.search(r'MIGRATE_LOCK "(\d+)"', (ROOT / "api" / "ctl" / "ctl_migrate.c").read_text()).group(1)  # type: ignore[union-attr]
    other = database.connect()
    other.cursor().execute(f"SELECT pg_advisory_lock({key})")
    started = time.monotonic()
    answer = ctl("migrate", "--wait", "1")
    assert 1 <= time.monotonic() - started < 5
    other.close()
    assert answer.code == 75 and "another migrate" in answer.err, answer
    assert database.query("SELECT to_regnamespace('notify')") == [(None,)]


def test_the_ledger_accepts_the_words_of_the_lists_and_no_others(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    for table, name in (("events", "event-states"), ("deliveries", "states")):
        listed = [line.split()[0] for line in ctl("--list", name).out.splitlines()]
        (check,), = database.query("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", (f"{table}_state",))
        assert sorted(re.findall(r"'(\w+)'::text", check)) == sorted(listed), table
        assert len(listed) >= 6


def test_the_ledger_has_no_foreign_key_to_the_products_tables(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    assert database.query("SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'") == [
        ("notify.attempts", "notify.deliveries")]


def test_attempts_go_with_their_delivery(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    database.execute("INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt)"
                     " VALUES ('e', gen_random_uuid(), gen_random_uuid(), 'dead', 1)")
    database.execute("INSERT INTO notify.attempts (event_id, integration_id, attempt) SELECT event_id, integration_id, 1 FROM notify.deliveries")
    database.execute("DELETE FROM notify.deliveries")
    assert database.query("SELECT count(*) FROM notify.attempts") == [(0,)]


# --- versions that do not fit

def test_an_applied_migration_with_other_contents_is_refused(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    (checksum,), = database.query("SELECT checksum FROM notify.schema_migrations WHERE version = 2")
    assert checksum == hashlib.sha256((ROOT / "schema" / "0002_ledger.sql").read_bytes()).hexdigest()
    database.execute("UPDATE notify.schema_migrations SET checksum = repeat('0', 64) WHERE version = 2")
    answer = ctl("migrate")
    assert answer.code == 1 and "0002_ledger.sql was applied with other contents" in answer.err, answer


def test_a_database_newer_than_the_program_is_refused(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    database.execute("INSERT INTO notify.schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')")
    answer = ctl("migrate")
    assert answer.code == 1 and "version 9999" in answer.err and "newer program" in answer.err, answer


def test_a_migration_that_fails_leaves_nothing_of_itself(ctl: Notifyctl, database: Database) -> None:
    database.execute("CREATE SCHEMA notify; CREATE TABLE notify.attempts (x int)")  # in the way of 0002
    answer = ctl("migrate")
    assert answer.code == 1 and "0002_ledger.sql was not applied" in answer.err and "already exists" in answer.err, answer
    assert [name for _, name in applied(database)] == MIGRATIONS[:1]
    assert database.query("SELECT to_regclass('notify.events')") == [(None,)]
    database.execute("DROP TABLE notify.attempts")
    assert ctl("migrate").code == 0
    assert [name for _, name in applied(database)] == MIGRATIONS


def test_without_a_server_the_answer_is_75(ctl_for: Any) -> None:
    answer = ctl_for("postgresql://nobody@127.0.0.1:1/none")("migrate")
    assert answer.code == 75 and "is the server up" in answer.err, answer


# --- the live product's database

def test_migrate_changes_nothing_of_the_live_product(ctl_for: Any, incumbent: Database, stranger: str) -> None:
    before = public_shape(incumbent)
    answer = ctl_for(stranger)("migrate")
    assert answer.code == 0, answer
    assert public_shape(incumbent) == before
    assert [name for _, name in applied(incumbent)] == MIGRATIONS
    assert triggers(incumbent) == []
    assert "pending for the owner" in answer.out and "role incumbent" in answer.out and TRIGGERS in answer.out, answer


def test_the_owner_can_run_the_printed_sql(ctl_for: Any, incumbent: Database, stranger: str) -> None:
    answer = ctl_for(stranger)("migrate")
    printed = answer.out[answer.out.index("CREATE OR REPLACE TRIGGER"):]
    for _ in range(2):
        incumbent.execute(printed, user="incumbent")
    assert triggers(incumbent) == ALL_TRIGGERS
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        incumbent.query("SELECT * FROM notify.events", user="incumbent")
    answer = ctl_for(stranger)("migrate")
    assert answer.code == 0 and "pending" not in answer.out, answer


def test_the_trigger_right_is_enough_for_migrate(ctl_for: Any, incumbent: Database, stranger: str) -> None:
    assert ctl_for(stranger)("migrate").code == 0
    incumbent.execute("GRANT TRIGGER ON integrations TO stranger", user="incumbent")
    answer = ctl_for(stranger)("migrate")
    assert answer.code == 0 and "applied integration_triggers.sql" in answer.out, answer
    assert triggers(incumbent) == ALL_TRIGGERS


def test_without_the_right_to_create_a_schema_migrate_says_so(ctl_for: Any, incumbent: Database) -> None:
    incumbent.server.create_role("nobody_special")
    answer = ctl_for(incumbent.dsn("nobody_special"))("migrate")
    assert answer.code == 1 and "permission denied for database" in answer.err, answer
    assert ("; run it as the owner of the product's tables, role incumbent: DATABASE_URL=postgresql://OWNER@HOST/DB notifyctl migrate\n"
            in answer.err), answer


def write_as_owner(database: Database) -> int:
    """The owner's own work on its tables: the number of integrations after an insert, updates and a delete."""
    connection = database.connect("incumbent")
    try:
        workspace = seed.add_workspace(connection)
        key = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
        made = [seed.add_integration(connection, workspace, "webhook", {"webhook_url": "https://x"}, key) for _ in range(3)]
        with connection.cursor() as cursor:
            cursor.execute("UPDATE integrations SET enabled = NOT enabled WHERE workspace_id = %s", (workspace.id,))
            cursor.execute("UPDATE integrations SET name = 'x' WHERE false")
            cursor.execute("DELETE FROM integrations WHERE id = %s", (made[0].id,))
            cursor.execute("SELECT count(*) FROM integrations WHERE workspace_id = %s AND NOT enabled", (workspace.id,))
            return cursor.fetchone()[0]
    finally:
        connection.close()


def test_the_owner_writes_as_before_with_the_triggers_and_without_the_schema(ctl: Notifyctl, incumbent: Database) -> None:
    assert ctl("migrate").code == 0
    assert triggers(incumbent) == ALL_TRIGGERS
    assert write_as_owner(incumbent) == 2
    incumbent.execute("DROP SCHEMA notify CASCADE")
    assert triggers(incumbent) == []
    assert write_as_owner(incumbent) == 2
    assert ctl("migrate").code == 0  # and back again
    assert write_as_owner(incumbent) == 2


def test_an_error_in_a_trigger_is_not_the_writers_error(ctl: Notifyctl, incumbent: Database) -> None:
    assert ctl("migrate").code == 0
    incumbent.execute("ALTER TABLE integrations RENAME COLUMN workspace_id TO renamed")
    try:
        row = {"id": str(uuid.uuid4()), "kind": "webhook", "name": "x", "enabled": True, "severity_filter": "low"}
        org, workspace = str(uuid.uuid4()), str(uuid.uuid4())
        incumbent.execute("INSERT INTO orgs (id, name, plan) VALUES (%s, 'x', 'x')", (org,), user="incumbent")
        incumbent.execute("INSERT INTO workspaces (id, org_id, name, slug) VALUES (%s, %s, 'x', 'x')", (workspace, org), user="incumbent")
        incumbent.execute("INSERT INTO integrations (id, org_id, renamed, kind, name, enabled, severity_filter) VALUES"
                          " (%(id)s, %(org)s, %(workspace)s, %(kind)s, %(name)s, %(enabled)s, %(severity_filter)s)",
                          {**row, "org": org, "workspace": workspace}, user="incumbent")
        assert incumbent.execute("UPDATE integrations SET name = 'y'", user="incumbent") == 1
        assert incumbent.execute("DELETE FROM integrations", user="incumbent") == 1
    finally:
        incumbent.execute("ALTER TABLE integrations RENAME COLUMN renamed TO workspace_id")


# --- beside writers

def open_write(database: Database) -> Any:
    """A transaction that holds the lock of a writer on integrations, until it is closed."""
    connection = database.connect("incumbent")
    connection.autocommit = False
    connection.cursor().execute("UPDATE integrations SET name = name")
    return connection


def test_migrate_waits_for_an_open_write_transaction(ctl: Notifyctl, incumbent: Database) -> None:
    writer = open_write(incumbent)
    process = ctl.start("migrate", "--wait", "30")
    time.sleep(4)  # longer than lock_timeout: at least one try has failed by now
    assert process.poll() is None
    writer.commit()
    writer.close()
    answer = Notifyctl.finish(process)
    assert answer.code == 0 and triggers(incumbent) == ALL_TRIGGERS, answer


def test_migrate_gives_up_beside_a_transaction_that_does_not_end(ctl: Notifyctl, incumbent: Database) -> None:
    writer = open_write(incumbent)
    started = time.monotonic()
    process = ctl.start("migrate", "--wait", "3")
    slowest = 0.0
    while process.poll() is None:  # other writers go on: none waits much longer than lock_timeout
        began = time.monotonic()
        write_as_owner(incumbent)
        slowest = max(slowest, time.monotonic() - began)
    answer = Notifyctl.finish(process)
    assert answer.code == 75 and "integration_triggers.sql was not applied" in answer.err and "pg_stat_activity" in answer.err, answer
    assert time.monotonic() - started < 15
    assert slowest < 4
    writer.close()
    assert ctl("migrate").code == 0
    assert triggers(incumbent) == ALL_TRIGGERS


# --- an index on a ledger that is big

INDEX = "0013_deliveries_workspace.sql"


@pytest.fixture
def ledger(database: Database) -> Database:
    """The ledger of version 10 with 200,000 deliveries."""
    folder = ROOT / "schema"
    database.execute((folder / "versions.sql").read_text())
    for path in (folder / name for name in MIGRATIONS if name < "0011"):
        database.execute(path.read_text())
        database.execute("INSERT INTO notify.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                         (int(path.name[:4]), path.name, hashlib.sha256(path.read_bytes()).hexdigest()))
    database.execute("INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt)"
                     " SELECT 'event-' || n, gen_random_uuid(), gen_random_uuid(), 'delivered', 1 FROM generate_series(1, 200000) n")
    return database


def index(database: Database) -> list[tuple[bool]]:
    """Whether it is whole; empty: there is none."""
    return database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('notify.deliveries_workspace')")


def open_delivery(database: Database) -> Any:
    """A transaction that has written a delivery, until it is committed."""
    connection = database.connect()
    connection.autocommit = False
    connection.cursor().execute("UPDATE notify.deliveries SET updated_at = now() WHERE event_id = 'event-1'")
    return connection


class Writers:
    """Two that write deliveries one after the other, until stop(), which says how long the longest took, and how many they were."""

    def __init__(self, database: Database) -> None:
        self.database, self.took, self.ending = database, [], threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(first,)) for first in (2, 100000)]
        for thread in self.threads:
            thread.start()

    def _write(self, number: int) -> None:
        connection = self.database.connect()
        while not self.ending.is_set():
            began = time.monotonic()
            connection.cursor().execute("UPDATE notify.deliveries SET updated_at = now() WHERE event_id = %s", (f"event-{number}",))
            self.took.append(time.monotonic() - began)
            number += 1
        connection.close()

    def stop(self) -> tuple[float, int]:
        self.ending.set()
        for thread in self.threads:
            thread.join()
        return max(self.took), len(self.took)


def wait_broken(database: Database) -> None:
    """Until the index is begun; what is open keeps it from being made."""
    deadline = time.monotonic() + 30
    while index(database) != [(False,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_writers_of_a_big_ledger_go_on_while_it_gets_an_index(ctl: Notifyctl, ledger: Database) -> None:
    """Two migrates at once, and a transaction that takes its time."""
    late, writers = open_delivery(ledger), Writers(ledger)
    try:
        processes = [ctl.start("migrate", "--wait", "50") for _ in range(2)]
        time.sleep(4)  # longer than lock_timeout of the other migrations
        late.commit()
        answers = [Notifyctl.finish(process) for process in processes]
    finally:
        slowest, count = writers.stop()
        late.close()
    print(f"{count} writes, the slowest took {slowest:.3f} s")
    assert [answer.code for answer in answers] == [0, 0] and index(ledger) == [(True,)], answers
    assert [name for _, name in applied(ledger)] == MIGRATIONS
    assert sum(f"applied {INDEX}" in answer.out for answer in answers) == 1
    assert count > 100 and slowest < 1


@pytest.mark.parametrize("server", ["goes on", "ends it"])
def test_a_migrate_that_is_killed_while_it_makes_an_index_leaves_nothing_that_matters(ctl: Notifyctl, ledger: Database, server: str) -> None:
    late = open_delivery(ledger)
    process = ctl.start("migrate")
    wait_broken(ledger)
    process.kill()
    process.communicate()
    answer = ctl("migrate", "--wait", "0")
    assert answer.code == 75 and "another migrate works on this database" in answer.err, answer  # the server does not know yet
    if server == "ends it":
        ledger.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                     " AND query LIKE %s AND pid <> pg_backend_pid()", ("%CREATE INDEX%",))
    late.commit()
    late.close()
    answer = ctl("migrate")
    assert answer.code == 0 and f"applied {INDEX}" in answer.out and index(ledger) == [(True,)], answer
    assert [name for _, name in applied(ledger)] == MIGRATIONS


def test_a_transaction_that_does_not_end_keeps_the_index_away_and_nobody_else(ctl: Notifyctl, ledger: Database) -> None:
    late, writers = open_delivery(ledger), Writers(ledger)
    try:
        answer = ctl("migrate", "--wait", "3")
        slowest, _ = writers.stop()
        assert answer.code == 75 and f"{INDEX} was not applied" in answer.err and "pg_stat_activity" in answer.err, answer
        assert slowest < 1 and index(ledger) == [(False,)]
        assert [name for _, name in applied(ledger)] == MIGRATIONS[:MIGRATIONS.index(INDEX)]
    finally:
        writers.ending.set()
        late.close()
    answer = ctl("migrate")
    assert answer.code == 0 and index(ledger) == [(True,)] and [name for _, name in applied(ledger)] == MIGRATIONS, answer


# --- notifications

class Listener:
    """Channel notify_integrations of a database: payloads() are those since the last call."""

    def __init__(self, database: Database) -> None:
        self.connection = database.connect()
        self.connection.cursor().execute("LISTEN notify_integrations")

    def payloads(self) -> list[str]:
        # A notification of our own comes behind all that were committed before.
        mark = str(uuid.uuid4())
        self.connection.cursor().execute("SELECT pg_notify('notify_integrations', %s)", (mark,))
        deadline = time.monotonic() + 10
        while mark not in [one.payload for one in self.connection.notifies]:
            assert time.monotonic() < deadline
            select.select([self.connection], [], [], 1)
            self.connection.poll()
        found = [one.payload for one in self.connection.notifies]
        self.connection.notifies.clear()
        return sorted(found[:found.index(mark)])


def test_every_kind_of_change_notifies_its_workspaces(ctl: Notifyctl, incumbent: Database, fernet_key: str) -> None:
    assert ctl("migrate").code == 0
    listener, owner = Listener(incumbent), incumbent.connect("incumbent")
    one, two = seed.add_workspace(owner), seed.add_workspace(owner)

    made = seed.add_integration(owner, one, "webhook", {}, fernet_key)
    assert listener.payloads() == [one.id]
    seed.add_integration(owner, two, "webhook", {}, fernet_key)
    assert listener.payloads() == [two.id]
    incumbent.execute("UPDATE integrations SET enabled = false", user="incumbent")
    assert listener.payloads() == sorted([one.id, two.id])
    incumbent.execute("UPDATE integrations SET workspace_id = %s WHERE id = %s", (two.id, made.id), user="incumbent")
    assert listener.payloads() == sorted([one.id, two.id])  # the old and the new one
    incumbent.execute("UPDATE integrations SET enabled = true WHERE false", user="incumbent")
    assert listener.payloads() == []
    incumbent.execute("DELETE FROM integrations WHERE id = %s", (made.id,), user="incumbent")
    assert listener.payloads() == [two.id]
    incumbent.execute("DELETE FROM workspaces WHERE id = %s", (two.id,), user="incumbent")  # a cascade
    assert listener.payloads() == [two.id]
    incumbent.execute("TRUNCATE integrations", user="incumbent")
    assert listener.payloads() == ["*"]

    owner.autocommit = False  # nothing is heard of what is rolled back
    seed.add_integration(owner, one, "webhook", {}, fernet_key)
    owner.rollback()
    assert listener.payloads() == []


@pytest.mark.parametrize(("workspaces", "payloads"), [(100, 100), (101, 1)])
def test_many_workspaces_at_once_become_one_notification(ctl: Notifyctl, database: Database, workspaces: int, payloads: int) -> None:
    assert ctl("migrate").code == 0
    listener = Listener(database)
    changes = [
        "INSERT INTO integrations (id, org_id, workspace_id, kind, name) SELECT gen_random_uuid(), gen_random_uuid(), w, 'webhook', 'x'"
        f" FROM (SELECT gen_random_uuid() AS w FROM generate_series(1, {workspaces})) n, generate_series(1, 2)",
        "UPDATE integrations SET enabled = false",
        "DELETE FROM integrations",
    ]
    for change in changes:
        assert database.execute(change) == 2 * workspaces
        heard = listener.payloads()
        assert len(heard) == payloads and (heard == ["*"]) == (payloads == 1), change


# --- roles

def test_roles_can_be_run_again_and_by_two_at_once(ctl: Notifyctl, database: Database) -> None:
    assert ctl("migrate").code == 0
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(ROOT / "schema" / "roles.sql"), database.url]
    for process in [subprocess.Popen(psql, stderr=subprocess.PIPE, text=True) for _ in range(2)]:
        _, err = process.communicate(timeout=30)
        # Two sessions that grant at once may meet in the catalog ("tuple concurrently updated"): run it again.
        assert process.returncode == 0 or "concurrently" in err, err
    subprocess.run(psql, check=True, timeout=30)
    assert database.query("SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'notify_worker'") == [
        (False, False, False, False)]


def roles(dsn: str) -> "subprocess.CompletedProcess[str]":
    """As a reader of the README runs it, who may forget ON_ERROR_STOP."""
    return subprocess.run(["psql", "-X", "-q", "-f", str(ROOT / "schema" / "roles.sql"), dsn], capture_output=True, text=True, timeout=30)


def test_roles_is_for_the_owner_and_says_what_it_needs(ctl_for: Any, own_postgres: Any, fernet_key: str) -> None:
    """On a server of its own: roles belong to the whole server, and here notify_worker must be missing."""
    own_postgres.create_role("product")
    own_postgres.create_role("notify")
    dsn = own_postgres.create_database("pencheff", "product")
    own_postgres.execute((ROOT / "tests" / "vectors" / "incumbent.sql").read_text(), database="pencheff", user="product")

    early = roles(dsn)
    assert early.returncode == 3 and early.stderr.count("ERROR") == 1 and "no schema notify in database pencheff" in early.stderr, early
    assert "notifyctl migrate" in early.stderr
    assert ctl_for(dsn)("migrate").code == 0
    barred = roles(dsn)
    assert barred.returncode == 3 and barred.stderr.count("ERROR") == 1 and "product may not create the role" in barred.stderr, barred
    assert "CREATE ROLE notify_worker" in barred.stderr, "it says what a superuser is to do"

    own_postgres.execute("ALTER ROLE product CREATEROLE")
    for _ in range(2):
        assert roles(dsn).returncode == 0
    own_postgres.execute("GRANT notify_worker TO notify", database="pencheff", user="product")
    checked = ctl_for(own_postgres.dsn("notify", "pencheff"))("check", database={"role": "notify_worker"}, secrets={"fernet_keys": [fernet_key]})
    assert [line for line in checked.lines("ok") if line.startswith("rights: all ")], checked
    assert all(line.startswith("broker:") for line in checked.lines("FAIL")), checked

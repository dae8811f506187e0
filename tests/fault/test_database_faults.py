"""A database that refuses to write, has no connections, or whose tables somebody locks.

Nothing that was confirmed is lost, nothing is sent twice, and notifyd needs no restart.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import psycopg2
import pytest
from load import Load
from sandbox import bulk, producer, seed
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until

pytestmark = pytest.mark.usefixtures("counted")

LONG = [3, pytest.param(60, marks=pytest.mark.long)]


@pytest.fixture(scope="module")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(server_folder / "postgres-faults", settings={"max_connections": "30"})
    try:
        yield server.start()
    finally:
        server.remove()


# --- read-only

def test_the_database_becomes_read_only_under_load_and_then_no_longer(stage, notifyd, postgres):
    def read_only(word: str) -> None:
        postgres.execute(f"ALTER SYSTEM SET default_transaction_read_only = {word}")
        postgres.query("SELECT pg_reload_conf()")

    load = Load(stage, notifyd, 3)
    read_only("on")
    try:
        load.one.wait_event("batch_again", batch="ledger", sqlstate="25006")
        time.sleep(1.5)
        written = stage.database.query("SELECT count(*) FROM notify.deliveries")
        time.sleep(0.5)
        assert stage.database.query("SELECT count(*) FROM notify.deliveries") == written
    finally:
        read_only("off")
    assert load.end("read-only") == 0
    assert not load.one.events("database_link_down"), "an error is no reason to connect anew"


def test_the_server_comes_back_as_a_standby_and_is_promoted_later(stage, notifyd, postgres):
    """As after a failover to a host that is not the primary yet: it answers, and refuses each write and LISTEN."""
    load = Load(stage, notifyd, 3)
    postgres.stop()
    signal = postgres.data / "standby.signal"
    signal.touch()
    os.chown(signal, postgres.data.stat().st_uid, -1)  # the server removes it at the end
    postgres.start()
    load.one.wait_event("batch_again", batch="ledger", sqlstate="25006")
    wait_until(lambda: any("recovery" in e["reason"] for e in load.one.events("database_unreachable")), 5, "LISTEN is refused")
    assert stage.database.query("SELECT pg_is_in_recovery()") == [(True,)]
    assert stage.database.query("SELECT pg_promote()") == [(True,)]
    assert load.end("standby") == 0


# --- no connections

def test_others_have_all_connections_when_the_workers_must_connect_anew(stage, notifyd, postgres):
    load = Load(stage, notifyd, 3)
    others: list[Any] = []

    def take_all() -> bool:
        try:
            while True:
                others.append(postgres.connect())
        except psycopg2.OperationalError as error:
            return "too many clients" in str(error)

    try:
        assert take_all(), "the test has its connections before it cuts the others'"
        with others[0].cursor() as cursor:
            cursor.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                           " WHERE application_name LIKE 'pencheff-notify%'")
            assert cursor.fetchone()[0] >= 3
        wait_until(lambda: take_all() and len([e for e in load.one.events("database_unreachable")
                                               if "too many clients" in e["reason"]]) >= 3, 10, "none is left for them")
        before = stage.receiver.count("/hook")
        time.sleep(1)
        assert stage.receiver.count("/hook") - before < 100, "some worker has a connection"
    finally:
        for other in others:
            other.close()
    assert load.end("no connections") == 0


# --- locks

@contextmanager
def locked(database: Any, table: str) -> Iterator[None]:
    """Not even reading is allowed meanwhile."""
    connection = psycopg2.connect(database.url)
    try:
        connection.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("seconds", LONG)
def test_somebody_locks_the_deliveries_under_load(stage, notifyd, seconds):
    load = Load(stage, notifyd, seconds + 1, 200)
    with locked(stage.database, "notify.deliveries"):
        load.one.wait_event("batch_again", sqlstate="55P03")  # of the look-up, as a rule: it comes first
        time.sleep(seconds)
    assert load.end("deliveries locked") == 0
    assert not load.one.events("database_link_down")


@pytest.mark.parametrize("seconds", LONG)
def test_somebody_locks_the_integrations_and_only_workspaces_that_are_not_cached_wait(stage, notifyd, seconds):
    load = Load(stage, notifyd, seconds + 2, 200)
    workspace = seed.add_workspace(stage.connection)
    scan = seed.add_scan(stage.connection, seed.add_target(stage.connection, workspace))
    stage.webhook("/other", secret=None, workspace=workspace)
    time.sleep(0.3)  # the new integration is known, so what was cached of all is good
    with locked(stage.database, "public.integrations"):
        others = bulk.publish_many(stage.broker_url, "notify", [producer.event(scan.id, "scan_done") for _ in range(50)])
        load.one.wait_event("batch_again", batch="rules", sqlstate="55P03")
        before = stage.receiver.count("/hook")
        time.sleep(seconds)
        assert stage.receiver.count("/hook") - before > 200 * seconds / 2, "the others went on"
        assert stage.receiver.count("/other") == 0
    assert set(stage.wait_arrivals(others, path="/other").values()) == {1}
    assert load.end("integrations locked", others=len(others)) == 0
    assert not load.one.events("database_link_down")

"""Servers that stop, are killed or fall silent under load: nothing that was confirmed is lost, and notifyd needs no restart."""

from __future__ import annotations

import time

import pytest
from sandbox import bulk
from sandbox.postgres import PostgresServer
from sandbox.rabbit import RabbitServer

RATE = 500


@pytest.fixture(scope="module")
def rabbit(server_folder):
    server = RabbitServer(server_folder / "rabbit-restarts")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def postgres(server_folder):
    """With fsync: here the power is cut."""
    server = PostgresServer(server_folder / "postgres-restarts")
    try:
        yield server.start()
    finally:
        server.remove()


class Load:
    """500 events a second for some seconds, through whatever happens meanwhile."""

    def __init__(self, stage, notifyd, seconds: float, **settings) -> None:
        stage.webhook(secret=None)
        self.stage = stage
        quick = {"broker": {"reconnect_max": 2.0}, "database": {"timeout": 3.0, "reconnect_max": 1.0}}
        self.one = notifyd({**quick, **settings})
        self.pids = {p.pid for p in self.one.family()}
        self.publisher = bulk.BulkPublisher(stage.broker_url, "notify",
                                            (stage.event() for _ in range(int(seconds * RATE))), rate=RATE)
        self.publisher.start()
        stage.receiver.wait_for(RATE, "/hook")
        self.started = time.monotonic()

    def end(self, what: str) -> int:
        """All that was confirmed has arrived, and the same processes are at work; returns how many requests were repeats."""
        confirmed = self.publisher.finish(120)
        seen = self.stage.wait_arrivals(confirmed, 60)
        took = time.monotonic() - self.started
        repeats = sum(seen.values()) - len(seen)
        unknown = len(self.publisher.unknown)
        print(f"{what}: {len(confirmed)} confirmed, all delivered {took:.1f} s after it began; {repeats} requests repeated;"
              f" {unknown} events of unknown fate, {len(seen.keys() - set(confirmed))} of them delivered")
        assert {p.pid for p in self.one.family()} == self.pids, "a process was replaced"
        self.stage.wait_settled(len(seen), 30)
        return repeats


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_rabbitmq_restarts_under_load(stage, notifyd, rabbit, how):
    load = Load(stage, notifyd, 5)
    getattr(rabbit, how)()
    rabbit.start()
    assert load.end(f"RabbitMQ, {how}") == 0
    assert load.publisher.unknown or how == "stop"
    assert len(load.one.events("broker_link_down")) >= 4


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_postgresql_restarts_under_load(stage, notifyd, postgres, how):
    load = Load(stage, notifyd, 5)
    getattr(postgres, how)()
    time.sleep(1)
    postgres.start()
    assert load.end(f"PostgreSQL, {how}") == 0
    assert len(load.publisher.confirmed) == 5 * RATE
    assert len(load.one.events("database_link_down")) >= 2


def test_both_restart_at_once_under_load(stage, notifyd, rabbit, postgres):
    load = Load(stage, notifyd, 4)
    postgres.kill()
    rabbit.kill()
    rabbit.start()
    postgres.start()
    load.end("both, killed")


def test_postgresql_falls_silent_under_load(stage, notifyd, postgres):
    load = Load(stage, notifyd, 5, database={"timeout": 1.0, "reconnect_max": 1.0})
    frozen = time.monotonic()
    postgres.freeze()
    try:
        load.one.wait_event("database_link_down", count=2, timeout=5, reason="no answer within database.timeout")
        noticed = time.monotonic() - frozen
        time.sleep(1)
    finally:
        postgres.thaw()
    print(f"noticed after {noticed:.2f} s")
    assert noticed < 1.0 + 1.5
    assert load.end("PostgreSQL, silent") == 0

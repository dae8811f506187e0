"""Shadow mode while a server is away: messages wait in their queue, none is lost, and none is passed on twice."""

from __future__ import annotations

import time
from typing import Any, Iterator

import pytest
from sandbox import producer
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until

pytestmark = pytest.mark.unbalanced  # shadow mode makes none of the queues that the books are compared with

SHADOW = {"mode": "shadow", "forward": "celery"}


@pytest.fixture(scope="module")
def postgres(server_folder: Any) -> Iterator[PostgresServer]:
    server = PostgresServer(server_folder / "postgres-shadow")
    try:
        yield server.start()
    finally:
        server.remove()


def make_queue(stage: Any) -> None:
    """With a message in it that is known, so that counting begins with one."""
    producer.publish_plain(stage.broker_url, "celery", {}, "first")


def length(rabbit: Any, vhost: str, queue: str = "celery") -> int:
    return rabbit.depth(queue, vhost)


def ids(stage: Any) -> list[str]:
    return [row[0] for row in stage.database.query("SELECT event_id FROM notify.shadow WHERE verdict = 'would_send' ORDER BY 1")]


def passes(rabbit: Any, vhost: str, count: int) -> None:
    """COUNT messages have been passed on, and no more follow."""
    wait_until(lambda: length(rabbit, vhost) >= 1 + count, 60, "messages passed on")
    time.sleep(1.5)
    assert length(rabbit, vhost) == 1 + count
    assert length(rabbit, vhost, "notify") == 0


def test_while_the_database_takes_no_rows_messages_wait(stage, notifyd, postgres, rabbit, vhost):
    stage.webhook()
    make_queue(stage)
    one = notifyd(SHADOW)
    postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    postgres.query("SELECT pg_reload_conf()")
    try:
        events = sorted(stage.publish("scan_done") for _ in range(10))
        one.wait_event("batch_again", batch="shadow")
        assert length(rabbit, vhost) == 1
    finally:
        postgres.execute("ALTER SYSTEM RESET default_transaction_read_only")
        postgres.query("SELECT pg_reload_conf()")
    passes(rabbit, vhost, 10)
    assert ids(stage) == events


def test_while_the_database_is_away_messages_wait(stage, notifyd, postgres, rabbit, vhost):
    stage.webhook()
    make_queue(stage)
    one = notifyd({**SHADOW, "held_max": 10})
    postgres.stop()
    try:
        events = sorted(producer.publish_event(stage.broker_url, stage.event("scan_done")) for _ in range(10))
        one.wait_event("messages_handed_back", timeout=60)
        assert length(rabbit, vhost) == 1
    finally:
        postgres.start()
    passes(rabbit, vhost, 10)
    assert ids(stage) == events


def test_while_the_broker_takes_nothing_messages_wait(stage, notifyd, rabbit, vhost):
    """Longer than a message of ours would wait: nothing has written down what this one says."""
    stage.webhook()
    make_queue(stage)
    events = sorted(stage.publish("scan_done") for _ in range(10))
    rabbit.alarm(True)
    try:
        one = notifyd({**SHADOW, "workers": 1, "broker": {"publish_patience": 1.0}})
        one.wait_event("broker_blocks_publishing")
        time.sleep(3)
        assert one.counter("publishes_given_up") == 0 and one.counter("messages_settled") == 0
    finally:
        rabbit.alarm(False)
    passes(rabbit, vhost, 10)
    assert ids(stage) == events

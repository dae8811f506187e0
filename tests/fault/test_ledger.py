"""A database that refuses a row, or whose word that it has committed is lost."""

from __future__ import annotations

import select
import socket
import threading
import time

import pytest
from sandbox import bulk, producer
from sandbox.processes import wait_until
from sandbox.receiver import Answer
from stage import dead_letters


# --- rows that the database will never take

@pytest.mark.parametrize("table", ["deliveries", "events"])
def test_a_row_that_the_database_refuses_is_dead_and_all_others_of_its_batch_are_committed(
        stage, notifyd, rabbit, vhost, table):
    stage.webhook(secret=None)
    events = [stage.event() for _ in range(200)]
    bad = events[100].id
    stage.database.execute(f"ALTER TABLE notify.{table} ADD CONSTRAINT no_such_event CHECK"
                           f" ({'event_id' if table == 'deliveries' else 'id'} <> '{bad}')")
    stage.receiver.script("/hook", Answer(delay=0.05))
    bulk.publish_many(stage.broker_url, "notify", events)
    one = notifyd({"workers": 1, "delivery": {"per_integration": 200}})
    [(headers, properties, _)] = dead_letters(stage.broker_url, 1)
    assert (headers["x-notify-reason"], properties.message_id) == ("row_refused", bad)
    stage.wait(lambda: len(stage.deliveries()) == 199)
    assert {d["event_id"] for d in stage.deliveries()} == {e.id for e in events} - {bad}
    refused = one.wait_event("row_refused")
    splits = len(one.events("batch_refused"))
    print(f"{splits} batches split")
    assert {r["id"] for r in refused} == {bad} and "no_such_event" in refused[0]["words"] and splits <= 16
    states = {e["id"]: (e["state"], e["reason"]) for e in stage.events()}
    assert all(states[e.id] == ("done", None) for e in events if e.id != bad)
    if table == "deliveries":
        assert states[bad] == ("dead", "row_refused"), "the ledger remembers what became of the event"
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 5, "all settled, by one dead letter")


@pytest.mark.parametrize("count", [1, 40])
def test_events_that_come_meanwhile_are_no_refusal(stage, notifyd, rabbit, vhost, count):
    """Two hosts have a copy each, both looked before either wrote: the second finds rows that it took for new."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=1.0))
    events = [stage.event() for _ in range(count)]
    pair = [notifyd({"workers": 1, "delivery": {"per_integration": 200}, "broker": {"url": stage.broker_url}}) for _ in range(2)]
    bulk.publish_many(stage.broker_url, "notify", [copy for event in events for copy in (event, event)])
    stage.wait_settled(len(events))
    wait_until(lambda: all(q["messages"] == 0 for q in rabbit.list_queues(vhost)), 10, "all settled, without a dead letter")
    assert stage.receiver.count("/hook") > len(events), "no event was in two hands at once: nothing is shown"
    assert {d["state"] for d in stage.deliveries()} == {"delivered"}
    assert not any(one.events("row_refused") for one in pair)
    assert count == 1 or any(one.events("batch_refused") for one in pair), "none was found to be there"


@pytest.mark.unbalanced("a delivery whose row the database refuses is missing in the ledger, and audit says so")
def test_an_event_with_one_refused_and_one_good_delivery_is_done(stage, notifyd):
    good = stage.webhook("/good", secret=None, name="good")
    bad = stage.webhook("/bad", secret=None, name="bad")
    stage.database.execute(f"ALTER TABLE notify.deliveries ADD CONSTRAINT no_such_integration CHECK"
                           f" (integration_id <> '{bad.id}')")
    stage.receiver.script("/good", Answer(delay=0.3), Answer())
    notifyd()
    for slow in (True, False):  # whichever of the two is written last
        event_id = stage.publish()
        [(headers, _, _)] = dead_letters(stage.broker_url, 1)
        assert (headers["x-notify-reason"], headers["x-notify-integration"]) == ("row_refused", bad.id)
        stage.wait(lambda: [e["state"] for e in stage.events(event_id)] == ["done"], 5, f"good one slow: {slow}")
        assert [(d["integration_id"], d["state"]) for d in stage.deliveries(event_id)] == [(good.id, "delivered")]
        stage.receiver.script("/bad", Answer(delay=0.3))


# --- commits whose confirmation is lost

class Cutter:
    """A proxy before PostgreSQL that, once, takes a statement to the server and cuts the line instead of the answer."""

    def __init__(self, port: int, statement: str) -> None:
        self._needle = b"\0" + statement.encode() + b"\0"  # of a Bind message: portal, statement
        self._port, self.cuts, self._left = port, 0, 1
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)
                    if ready is client and self._left and b"B" in data and self._needle in data:
                        self._left -= 1
                        self.cuts += 1
                        time.sleep(0.3)  # the server commits
                        return

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize(("statement", "answers"), [("new_events", (503, 200)), ("take", (503, 200)), ("outcomes", (503, 503, 200))],
                         ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else value)
def test_a_commit_whose_confirmation_is_lost_is_repeated_without_harm(stage, notifyd, postgres, statement, answers):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", *[Answer(status=status) for status in answers], Answer())
    cutter = Cutter(postgres.port, statement)
    url = stage.database.url.replace(f":{postgres.port}/", f":{cutter.port}/")
    try:
        one = notifyd({"workers": 1, "database": {"url": url}, "retry": {"jitter": 0.0, "factor": 1}})
        event_id = stage.publish()
        one.wait_event("database_link_down")
        row = stage.wait(lambda: [d for d in stage.deliveries(event_id) if d["state"] == "delivered"], 10)[0]
        assert cutter.cuts == 1
        time.sleep(1.3)
        assert row["attempt"] == len(answers) == stage.receiver.count("/hook")
        failed = stage.database.query("SELECT attempt FROM notify.attempts WHERE event_id = %s ORDER BY 1", (event_id,))
        assert failed == [(n,) for n in range(1, len(answers))]
        assert stage.database.query("SELECT maybe_duplicate FROM notify.deliveries") == [(False,)]
    finally:
        cutter.close()


def test_a_lock_on_the_ledger_is_waited_for(stage, notifyd):
    """Somebody holds a table for longer than the statement's time: an error and another try, not another connection."""
    stage.webhook(secret=None)
    one = notifyd({"workers": 1, "database": {"timeout": 2.0}})
    one.wait_event("database_link_up", link="pencheff-notify worker")
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE notify.deliveries IN EXCLUSIVE MODE")  # reading is still allowed
    try:
        event_id = stage.publish()
        one.wait_event("batch_again", batch="ledger", timeout=5)
    finally:
        lock.rollback()
        lock.close()
    stage.wait(lambda: [d["state"] for d in stage.deliveries(event_id)] == ["delivered"])
    assert stage.receiver.count("/hook") == 1 and not one.events("database_link_down")


def test_a_killed_worker_with_a_message_on_the_ladder_leaves_it_there(stage, notifyd):
    """Between two attempts nobody holds anything: another process makes the second."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    first = notifyd({"workers": 1, "retry": {"jitter": 0.0}})
    event_id = producer.publish_event(stage.broker_url, stage.event())
    stage.wait(lambda: [d["state"] for d in stage.deliveries(event_id)] == ["waiting"])
    first.terminate()
    assert first.wait() == 0
    notifyd({"workers": 1})
    wait_until(lambda: [d["state"] for d in stage.deliveries(event_id)] == ["delivered"], 6, "the second attempt")
    assert stage.receiver.count("/hook") == 2

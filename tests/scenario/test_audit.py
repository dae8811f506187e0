"""notifyctl audit: the books of a running system balance, and what is broken in them is found."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from pathlib import Path
from typing import Any

import pika
import pytest
from ctl import ROOT, Answer, Notifyctl, make_ctl, run_roles
from sandbox.answers import Answer as Reply

from conftest import Stage

LADDER = [f"notify.delay.{level}" for level in range(17)]


@pytest.fixture
def books(build: Path, tmp_path: Path, migrated: Any, broker_url: str, fernet_key: str) -> Notifyctl:
    """On a ledger made by hand: one event with a delivered, a waiting, a sending and a dead delivery, all in order."""
    run_roles(migrated)
    migrated.execute(
        "INSERT INTO notify.events (id, content_hash, event_type, state, first_seen, finished_at, considered, matched, filtered_event)"
        " VALUES ('e', '', 'scan_done', 'done', now(), now(), 6, 4, 2), ('f', '', 'scan_done', 'scheduled', now(), NULL, 0, 0, 0);"
        "UPDATE notify.events SET scheduled_for = now() + interval '4 s' WHERE id = 'f';"
        "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, owner, due_at, lease_until)"
        " SELECT 'e', gen_random_uuid(), gen_random_uuid(), state, 2, 'w:1', now() + due, now() + lease FROM (VALUES"
        " ('delivered', NULL::interval, NULL::interval), ('waiting', interval '1 h', NULL), ('sending', NULL, interval '1 min'),"
        " ('dead', NULL, NULL)) x(state, due, lease);"
        "INSERT INTO notify.attempts (event_id, integration_id, attempt) SELECT event_id, integration_id, n"
        " FROM notify.deliveries, (VALUES (1), (2), (-1)) a(n) WHERE state IN ('dead', 'waiting')")
    return make_ctl(build, tmp_path, broker_url, migrated.url, fernet_key)


def found(ctl: Notifyctl, **settings: Any) -> dict[str, int]:
    """The violations: how often each."""
    answer = ctl("audit", "--json", **settings)
    shown = answer.json()
    assert answer.code == (1 if shown["violations"] else 0) and not answer.err, answer
    assert shown["balanced"] == (not shown["violations"]) and shown["ledger"] and shown["broker"]
    assert all(one["advice"] and one["wrong"] and one["example"] for one in shown["violations"])
    return {one["name"]: one["count"] for one in shown["violations"]}


def age(database: Any) -> None:
    """The rows have waited for a while."""
    database.execute("UPDATE notify.deliveries SET updated_at = updated_at - interval '10 s';"
                     "UPDATE notify.events SET accepted_at = accepted_at - interval '10 s'")


def publish(url: str, queue: str, count: int) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    if queue not in LADDER:
        channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    for _ in range(count):
        channel.basic_publish("", queue, b"x")
    connection.close()


# --- a running system

def test_the_books_of_a_running_system_balance_at_every_moment(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    stage.webhook("/flaky")
    stage.webhook("/dead")
    stage.webhook("/off", enabled=False)
    stage.receiver.script("/flaky", *[Reply(status=503, delay=0.02), Reply(delay=0.02)] * 400)
    stage.receiver.script("/dead", Reply(status=404))
    notifyd({"retry": {"base": 8.0}})
    for _ in range(8):
        for _ in range(25):
            stage.publish("scan_done")
        assert found(ctl) == {}
    stage.wait(lambda: len(stage.deliveries()) == 400, 30)
    answer = ctl("audit")
    assert answer.code == 0 and re.fullmatch(r"balanced: \d+ checks \(the ledger and the broker\)\n", answer.out), answer
    assert {row["state"] for row in stage.deliveries()} >= {"waiting", "dead"}


@pytest.mark.unbalanced("the ladder is purged")
def test_a_purged_ladder_is_found(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    stage.webhook("/hook")
    stage.receiver.script("/hook", Reply(status=503))
    notifyd({"retry": {"base": 600.0}})
    for _ in range(5):
        stage.publish("scan_done")
    stage.publish("scan_started", scan_id=stage.scan.id)
    stage.wait(lambda: [row["state"] for row in stage.deliveries()] == ["waiting"] * 6)
    age(stage.database)
    assert found(ctl) == {}
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    held = [level for level in LADDER if connection.channel().queue_declare(level, passive=True).method.message_count]
    for level in held:
        connection.channel().queue_purge(level)
    assert found(ctl) == {"ladder": 6}
    for level in held:
        connection.channel().queue_delete(level)
    connection.close()
    answer = ctl("audit")
    assert answer.code == 1 and "FAIL ladder: 6: more wait in the ledger (6) than there are messages on the retry ladder (0)" in answer.out, answer
    assert "so nothing is lost" in answer.out and "not balanced: 1 of" in answer.out
    publish(stage.broker_url, "notify.delay.16", 4)
    assert found(ctl) == {"ladder": 2}
    publish(stage.broker_url, "notify.delay.16", 2)
    assert found(ctl) == {}


@pytest.mark.unbalanced("rows are deleted")
@pytest.mark.parametrize(("sql", "name"), [("DELETE FROM notify.deliveries", "event_deliveries"), ("DELETE FROM notify.events", "delivery_event")])
def test_a_deleted_row_is_found(stage: Stage, notifyd: Any, ctl: Notifyctl, sql: str, name: str) -> None:
    stage.webhook("/hook")
    notifyd()
    events = [stage.publish("scan_done") for _ in range(3)]
    stage.wait_settled(3)
    assert found(ctl) == {}
    stage.database.execute(f"{sql} WHERE {'event_id' if 'deliveries' in sql else 'id'} = %s", (events[1],))
    assert found(ctl) == {name: 1}
    answer = ctl("audit")
    assert answer.code == 1 and f"FAIL {name}: 1: " in answer.out and f"; for example {events[1]}" in answer.out, answer


# --- each invariant

BREAK = {
    "event_counts": "UPDATE notify.events SET filtered_event = 1 WHERE id = 'e'",
    "event_deliveries": "DELETE FROM notify.deliveries WHERE state = 'delivered'",
    "delivery_waiting": "UPDATE notify.deliveries SET due_at = NULL WHERE state = 'waiting'",
    "delivery_waiting ": "UPDATE notify.deliveries SET lease_until = now() WHERE state = 'waiting'",
    "delivery_sending": "UPDATE notify.deliveries SET owner = NULL WHERE state = 'sending'",
    "delivery_sending ": "UPDATE notify.deliveries SET lease_until = NULL WHERE state = 'sending'",
    "delivery_sending  ": "UPDATE notify.deliveries SET due_at = now() WHERE state = 'sending'",
    "delivery_finished": "UPDATE notify.deliveries SET due_at = now() + interval '1 h' WHERE state = 'delivered'",
    "delivery_finished ": "UPDATE notify.deliveries SET lease_until = now() + interval '1 h' WHERE state = 'dead'",
    "delivery_attempts": "UPDATE notify.deliveries SET attempt = 1 WHERE state = 'dead'",
    "mailbox_wake": "UPDATE notify.deliveries SET state = 'deferred', rank = 4 WHERE state = 'waiting'",
    "mailbox_wake ": "UPDATE notify.deliveries SET state = 'deferred', rank = 4 WHERE state = 'waiting';"
                     "INSERT INTO notify.integration_state (integration_id, workspace_id)"
                     " SELECT integration_id, workspace_id FROM notify.deliveries WHERE state = 'deferred'",
    "overdue_mailboxes": "INSERT INTO notify.integration_state (integration_id, workspace_id, wake_at)"
                         " VALUES (gen_random_uuid(), gen_random_uuid(), now() - interval '135 s')",
    "event_times": "UPDATE notify.events SET scheduled_for = NULL WHERE id = 'f'",
    "event_times ": "UPDATE notify.events SET finished_at = NULL WHERE id = 'e'",
    "event_times  ": "UPDATE notify.events SET finished_at = now() WHERE id = 'f'",
    "overdue_deliveries": "UPDATE notify.deliveries SET due_at = now() - interval '135 s' WHERE state = 'waiting'",
    "overdue_deliveries ": "UPDATE notify.deliveries SET lease_until = now() - interval '135 s' WHERE state = 'sending'",
    "reference_state": "INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id, state)"
                       " VALUES (gen_random_uuid(), 'f', gen_random_uuid(), 'open')",
    "reference_state ": "INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id, state, key)"
                        " VALUES (gen_random_uuid(), 'f', gen_random_uuid(), 'none', 'SEC-1')",
    "reference_state  ": "INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id, unsure_since)"
                         " VALUES (gen_random_uuid(), 'f', gen_random_uuid(), now())",
    "overdue_events": "UPDATE notify.events SET scheduled_for = now() - interval '135 s' WHERE id = 'f'",
    "abandoned_events": "UPDATE notify.events SET state = 'open', scheduled_for = NULL, accepted_at = now() - interval '1335 s'"
                        " WHERE id = 'f'",
    "owed_deliveries": "UPDATE notify.deliveries SET owed = true, updated_at = now() - interval '135 s' WHERE state = 'dead'",
    "owed_events": "UPDATE notify.events SET owed = true, accepted_at = now() - interval '135 s', finished_at = now() - interval '135 s'"
                   " WHERE id = 'e'",
}


@pytest.mark.parametrize("name", BREAK)
def test_each_broken_invariant_is_found_and_no_other(books: Notifyctl, migrated: Any, name: str) -> None:
    assert found(books) == {}
    migrated.execute(BREAK[name])
    assert found(books) == {name.strip(): 1}


def test_every_invariant_of_the_file_has_a_test() -> None:
    names = re.findall(r"\n\n-- (\w+): ", (ROOT / "schema" / "invariants.sql").read_text())
    assert set(names) == {name.strip() for name in BREAK} | {"delivery_event", "scan_too_many"} and len(names) == len(set(names))


@pytest.mark.parametrize("sql", [
    "UPDATE notify.deliveries SET due_at = now() - interval '125 s' WHERE state = 'waiting'",
    "UPDATE notify.deliveries SET due_at = now() - interval '1 day', swept_at = now() WHERE state = 'waiting'",
    "UPDATE notify.deliveries SET lease_until = now() - interval '125 s' WHERE state = 'sending'",
    "UPDATE notify.deliveries SET owed = true, updated_at = now() - interval '1 day', swept_at = now() WHERE state = 'dead'",
    "UPDATE notify.events SET state = 'open', scheduled_for = NULL WHERE id = 'f'",
    "UPDATE notify.events SET owed = true, scheduled_for = now(), accepted_at = now() - interval '1 day', state = 'open' WHERE id = 'f'",
])
def test_what_is_only_in_motion_is_no_violation(books: Notifyctl, migrated: Any, sql: str) -> None:
    migrated.execute(sql)
    assert found(books) == {}


def test_the_grace_follows_the_setting(books: Notifyctl, migrated: Any) -> None:
    migrated.execute("UPDATE notify.deliveries SET due_at = now() - interval '135 s' WHERE state = 'waiting'")
    assert found(books) == {"overdue_deliveries": 1} and found(books, sweep={"grace": 70.0}) == {}
    migrated.execute("UPDATE notify.deliveries SET due_at = now() - interval '15 s' WHERE state = 'waiting'")
    assert found(books) == {} and found(books, sweep={"grace": 1.0}) == {"overdue_deliveries": 1}


def test_a_scheduled_event_needs_a_message_too(books: Notifyctl, migrated: Any, broker_url: str) -> None:
    migrated.execute("UPDATE notify.events SET scheduled_for = now() + interval '2 h' WHERE id = 'f'")
    assert found(books) == {}, "it has only just been written"
    age(migrated)
    assert found(books) == {"ladder": 2}
    publish(broker_url, "notify.due", 1)
    assert found(books) == {"ladder": 1}
    migrated.execute("UPDATE notify.events SET owed = true WHERE id = 'f'")
    assert found(books) == {}, "what is owed its message has none yet"


# --- scans

@pytest.mark.parametrize("task", ["task", "t" * 160, "t" * 161, "\u00fc" * 90])
def test_the_events_of_a_scan_are_counted(books: Notifyctl, migrated: Any, broker_url: str, task: str) -> None:
    start = hashlib.sha256(task.encode()).hexdigest()[:32] if len(task.encode()) > 160 else task
    scan, findings = str(uuid.uuid4()), [str(uuid.uuid4()) for _ in range(4)]

    def add(name: str, kind: str, state: str, finding: str | None = None) -> None:
        migrated.execute("INSERT INTO notify.events (id, content_hash, event_type, state, scan_id, finding_id, first_seen, finished_at, published)"
                         " VALUES (%s, '', %s, %s, %s, %s, now(), now(), %s)", (name, kind, state, scan, finding, 5 if kind == "notify_scan_findings" else 0))
    add(task, "notify_scan_findings", "expanded")
    add(f"{start}.scan_done", "scan_done", "done")
    for finding in findings[:2]:
        add(f"{start}.{finding}", "finding_new", "done", finding)
    add(str(uuid.uuid4()), "finding_new", "done", findings[2])  # published by somebody else
    assert found(books) == {}, "its events may still be on their way"
    migrated.execute("UPDATE notify.events SET accepted_at = accepted_at - interval '1 day', finished_at = finished_at - interval '1 day'"
                     " WHERE id LIKE %s", (f"{start}%",))
    migrated.execute("UPDATE notify.events SET accepted_at = accepted_at - interval '1 day', finished_at = finished_at - interval '1 day' WHERE id = %s", (task,))
    assert found(books) == {"scan_events": 2}
    publish(broker_url, "notify.bulk", 1)
    publish(broker_url, "notify.urgent", 1)
    assert found(books) == {}, "they wait in the queues"
    for finding in findings[2:]:
        add(f"{start}.{finding}", "finding_new", "done", finding)
    assert found(books) == {}
    extra = str(uuid.uuid4())
    add(f"{start}.{extra}", "finding_new", "done", extra)
    assert found(books) == {"scan_too_many": 1}


# --- servers that are away, and what it costs

def test_half_an_audit_says_which_half(books: Notifyctl, migrated: Any) -> None:
    nowhere = {"broker": {"url": "amqp://127.0.0.1:1"}}
    answer = books("audit", **nowhere)
    assert answer.code == 75 and answer.out.startswith("balanced as far as it was audited: ") and "the broker was not audited" in answer.out, answer
    assert "notifyctl: broker: 127.0.0.1:1: Connection refused" in answer.err
    shown = books("audit", "--json", **nowhere)
    assert shown.code == 75 and (shown.json()["balanced"], shown.json()["ledger"], shown.json()["broker"]) == (None, True, False), shown
    migrated.execute(BREAK["event_counts"])
    answer = books("audit", **nowhere)
    assert answer.code == 1 and "FAIL event_counts" in answer.out, answer
    migrated.execute("REVOKE SELECT ON notify.attempts FROM notify_worker")
    answer = books("audit", "--json")
    assert answer.code == 1 and answer.json()["balanced"] is False and not answer.json()["ledger"], answer
    assert "permission denied for table attempts; run schema/roles.sql" in answer.err
    migrated.execute("UPDATE notify.events SET filtered_event = 2 WHERE id = 'e'")
    answer = books("audit")
    assert answer.code == 1 and answer.out == "not audited (the ledger could not be read to the end)\n", answer
    answer = books("audit", database={"url": "postgresql://127.0.0.1:1/d"})
    assert answer.code == 75 and "notifyctl: database: " in answer.err and not answer.out, answer


def test_hostile_ids_cannot_drive_the_terminal(books: Notifyctl, migrated: Any) -> None:
    migrated.execute("INSERT INTO notify.events (id, content_hash, event_type, state, first_seen, finished_at, considered)"
                     " VALUES (E'\\x1b[31mx', '', 'scan_done', 'done', now(), now(), 1)")
    answer = books("audit")
    assert answer.code == 1 and "for example ?[31mx" in answer.out and "\x1b" not in answer.out, answer


def test_migrate_takes_the_invariants_for_no_migration(books: Notifyctl, migrated: Any) -> None:
    files = sorted(path.name for path in (ROOT / "schema").glob("[0-9]*.sql"))
    assert [name for name, in migrated.query("SELECT name FROM notify.schema_migrations ORDER BY version")] == files
    assert "invariants" not in books("migrate").out


@pytest.mark.alone
def test_an_audit_of_a_small_ledger_takes_less_than_a_tenth_of_a_second(books: Notifyctl, sanitized: bool) -> None:
    def once() -> float:
        started = time.monotonic()
        answer: Answer = books("audit")
        assert answer.code == 0, answer
        return time.monotonic() - started
    took = sorted(once() for _ in range(9))
    assert took[4] < (0.5 if sanitized else 0.1), took

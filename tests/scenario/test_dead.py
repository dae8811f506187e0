"""notifyctl dead: what was given up is listed, shown, brought back or dropped; against real servers and real failures."""

from __future__ import annotations

import hashlib
import re
import threading
import time
import uuid
from typing import Any

import pika
import pytest
from ctl import Answer, Notifyctl
from dead_rows import make_dead
from sandbox import producer
from sandbox.answers import Answer as Reply

from conftest import Stage

pytestmark = pytest.mark.usefixtures("counted")

FAST = {"retry": {"base": 0.1, "factor": 1.0, "jitter": 0.0, "max_attempts": 2, "not_found": [0.1]}}
BODY = b'{"scan_id": \x1b]0;owned\x07\xff\\ \n2'


def good(answer: Answer) -> Any:
    assert answer.code == 0 and not answer.err, answer
    return answer.json()


def listed(ctl: Notifyctl, *words: str) -> list[dict[str, Any]]:
    return good(ctl("dead", "list", "--json", *words))


def rows(stage: Stage, event: str) -> list[dict[str, Any]]:
    names = ("state", "attempt", "reason", "error", "detail", "status", "owner", "owed", "lease", "swept", "due", "fresh")
    found = stage.database.query(
        "SELECT state, attempt, reason, error, detail, status, owner, owed, lease_until, swept_at, due_at <= now(),"
        " updated_at > now() - interval '20 s' FROM notify.deliveries WHERE event_id = %s ORDER BY integration_id", (event,))
    return [dict(zip(names, row)) for row in found]


def attempts(stage: Stage, event: str) -> list[int]:
    return [n for n, in stage.database.query("SELECT attempt FROM notify.attempts WHERE event_id = %s ORDER BY 1", (event,))]


# --- list and show

def test_dead_deliveries_and_dead_events_are_listed_and_filtered(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    refused, gone = stage.webhook("/refused", name="refused\x1b[31m"), stage.webhook("/gone", name="gone")
    stage.receiver.script("/refused", Reply(status=404))
    stage.receiver.script("/gone", Reply(status=410))
    notifyd(FAST)
    event = stage.publish("scan_done")
    lost = stage.publish("scan_done", scan_id=str(uuid.uuid4()))
    stage.wait(lambda: len(listed(ctl)) == 3)
    found = {(row["event_id"], row["integration_id"]): row for row in listed(ctl)}
    assert set(found) == {(event, refused.id), (event, gone.id), (lost, None)}
    assert {key: (row["what"], row["reason"], row["status"], row["attempt"]) for key, row in found.items()} == {
        (event, refused.id): ("delivery", "rejected", 404, 1), (event, gone.id): ("delivery", "gone", 410, 1),
        (lost, None): ("event", "not_found", None, None)}
    assert [row["event_id"] for row in listed(ctl, "--reason", "not_found")] == [lost]
    assert [row["integration_id"] for row in listed(ctl, "--integration", gone.id)] == [gone.id]
    assert listed(ctl, "--reason", "gone", "--integration", refused.id) == []
    stage.database.execute("UPDATE notify.deliveries SET updated_at = updated_at - interval '90 min' WHERE reason = 'gone'")
    assert [row["reason"] for row in listed(ctl, "--older-than", "1h")] == ["gone"]
    assert {row["reason"] for row in listed(ctl, "--younger-than", "5399")} == {"rejected", "not_found"}
    assert listed(ctl, "--younger-than", "2h", "--older-than", "1.6h") == []
    assert len(listed(ctl, "--limit", "2")) == 2 and listed(ctl)[-1]["reason"] == "gone", "the latest first"
    table = ctl("dead", "list").out
    assert "(the whole event)" in table and "refused?[31m" in table and "\x1b" not in table
    assert len(table.splitlines()) == 4 and ctl("dead", "list", "--reason", "tls").code == 2
    assert ctl("dead", "list", "--reason", "too_long").out == "(none)\n"


def test_show_tells_everything_that_the_ledger_knows(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    hook, other = stage.webhook("/hook"), stage.webhook("/other")
    stage.receiver.script("/hook", Reply(status=503, body=b"busy"), Reply(status=503, body=b"\x1b[2Jbusy\n\xff"))
    notifyd(FAST)
    event = stage.publish("scan_done")
    stage.wait(lambda: {row["state"] for row in stage.deliveries(event)} == {"dead", "delivered"})
    shown = good(ctl("dead", "show", event, "--json"))
    assert shown["event"]["id"] == event and shown["event"]["state"] == "done" and shown["event"]["matched"] == 2
    assert {row["integration_id"] for row in shown["deliveries"]} == {hook.id, other.id}
    one, = good(ctl("dead", "show", "--json", event, hook.id))["deliveries"]
    assert (one["state"], one["reason"], one["attempt"], one["response"]) == ("dead", "attempts_exhausted", 2, "\x1b[2Jbusy\n\\377")
    assert [(a["attempt"], a["status"], a["response"], a["before_replay"]) for a in one["attempts"]] == [
        (1, 503, "busy", False), (2, 503, "\x1b[2Jbusy\n\\377", False)]
    text = ctl("dead", "show", event, hook.id).out
    assert "\x1b" not in text and "\\x1b[2Jbusy\\n\n" in text and "\\xff" in text, text
    assert "attempts_exhausted (every attempt allowed by retry.max_attempts failed)" in text and other.id not in text
    assert len(re.findall(r"^[12] +2\d\d\d-.* http_status +503 ", text, re.M)) == 2, text
    answer = ctl("dead", "show", "no such event")
    assert answer.code == 1 and "the ledger has no event with this id" in answer.err, answer
    answer = ctl("dead", "show", event, str(uuid.uuid4()))
    assert answer.code == 1 and "no such delivery of this event" in answer.err, answer


def test_an_id_may_look_like_an_option(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 1, prefix="--json")
    assert ctl("dead", "show", "--json1").code == 2
    assert good(ctl("dead", "show", "--json", "--", "--json1"))["event"]["id"] == "--json1"
    assert good(ctl("dead", "replay", "--json", "--", "--json1"))["deliveries"] == 1


# --- replay

def test_a_replayed_delivery_starts_again_and_keeps_its_story(stage: Stage, ctl: Notifyctl) -> None:
    integration = make_dead(stage, 2)
    answer = ctl("dead", "replay", "e1", integration)
    assert answer.code == 0 and answer.out == "replayed 1 delivery and 0 events; a running notifyd sends them\n", answer
    waiting = {"state": "waiting", "attempt": 0, "reason": None, "error": "http_status", "detail": "words", "status": 404, "owner": None,
               "owed": True, "lease": None, "swept": None, "due": True, "fresh": True}
    assert rows(stage, "e1") == [waiting] and attempts(stage, "e1") == [-2, -1]
    assert rows(stage, "e2")[0]["state"] == "dead" and attempts(stage, "e2") == [1, 2]
    answer = ctl("dead", "replay", "e1")
    assert answer.code == 1 and "nothing dead by that name" in answer.err, answer

    stage.database.execute(  # it dies once more
        "UPDATE notify.deliveries SET state = 'dead', attempt = 3, reason = 'gone', owed = false, due_at = NULL WHERE event_id = 'e1';"
        "INSERT INTO notify.attempts (event_id, integration_id, attempt, error) SELECT 'e1', %s, n, 'dns' FROM generate_series(1, 3) n",
        (integration,))
    assert good(ctl("dead", "replay", "--json", "--reason", "gone")) == {"deliveries": 1, "events": 0, "kept": 0, "busy": 0}
    assert attempts(stage, "e1") == [-5, -4, -3, -2, -1]
    stage.database.execute("INSERT INTO notify.attempts (event_id, integration_id, attempt, error) VALUES ('e1', %s, 1, 'tls');"
                           "UPDATE notify.deliveries SET attempt = 1 WHERE event_id = 'e1'", (integration,))
    story = good(ctl("dead", "show", "e1", "--json"))["deliveries"][0]["attempts"]
    assert [(a["error"], a["before_replay"]) for a in story] == [("timeout", True)] * 2 + [("dns", True)] * 3 + [("tls", False)]
    assert [a["attempt"] for a in story] == [None] * 5 + [1]
    assert ctl("dead", "show", "e1").out.count("before a replay") == 5


def test_a_replayed_event_is_open_again(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    daemon = notifyd(FAST)
    scan = str(uuid.uuid4())
    event = stage.publish("scan_done", scan_id=scan)
    stage.wait(lambda: listed(ctl, "--reason", "not_found"))
    daemon.terminate()
    assert daemon.wait() == 0
    make_dead(stage, 1)
    assert ctl("dead", "replay", "--reason", "not_found").out == "replayed 0 deliveries and 1 event; a running notifyd sends them\n"
    row, = stage.database.query("SELECT state, reason, finished_at, owed, swept_at, scheduled_for <= now() FROM notify.events WHERE id = %s", (event,))
    assert row == ("open", None, None, True, None, True)
    assert rows(stage, "e1")[0]["state"] == "dead"


def test_what_is_for_an_integration_that_is_disabled_or_gone_stays_dead_until_it_can_be_sent(stage: Stage, ctl: Notifyctl) -> None:
    """A worker would cancel it, and then it could never begin again."""
    good_one, off, gone = make_dead(stage, 2, prefix="good"), make_dead(stage, 3, prefix="off"), make_dead(stage, 1, prefix="gone")
    stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s", (off,))
    stage.database.execute("DELETE FROM integrations WHERE id = %s", (gone,))
    states = lambda: {(i, s): n for i, s, n in stage.database.query("SELECT integration_id::text, state, count(*) FROM notify.deliveries GROUP BY 1, 2")}
    answer = ctl("dead", "replay", "--all", "--json")
    assert answer.code == 0 and answer.json() == {"deliveries": 2, "events": 0, "kept": 4, "busy": 0} and "enable it first" in answer.err, answer
    assert states() == {(good_one, "waiting"): 2, (off, "dead"): 3, (gone, "dead"): 1}
    answer = ctl("dead", "replay", "gone1")
    assert answer.code == 1 and "1 stays dead" in answer.err, answer
    stage.database.execute("UPDATE integrations SET enabled = true WHERE id = %s", (off,))
    assert ctl("dead", "replay", "--all", "--json").json()["deliveries"] == 3
    assert ctl("dead", "drop", "--all", "--json").json()["deliveries"] == 1 and states()[(gone, "dropped")] == 1
    stage.database.execute("UPDATE notify.deliveries SET state = 'canceled', owed = false, due_at = NULL")


def test_replay_takes_what_the_filters_name_and_no_more(stage: Stage, ctl: Notifyctl) -> None:
    old, young = make_dead(stage, 3, age=7200, prefix="old"), make_dead(stage, 4, reason="gone", prefix="young")
    replayed = lambda: {name for name, in stage.database.query("SELECT event_id FROM notify.deliveries WHERE state = 'waiting'")}
    assert good(ctl("dead", "replay", "--json", "--older-than", "3h")) == {"deliveries": 0, "events": 0, "kept": 0, "busy": 0}
    assert good(ctl("dead", "replay", "--json", "--reason", "gone", "--integration", old))["deliveries"] == 0 and not replayed()
    assert good(ctl("dead", "replay", "--json", "--older-than", "1h", "--limit", "2"))["deliveries"] == 2
    assert len(replayed()) == 2 and replayed() < {"old1", "old2", "old3"}
    assert good(ctl("dead", "replay", "--json", "--integration", young))["deliveries"] == 4
    assert good(ctl("dead", "replay", "--json", "--all"))["deliveries"] == 1 and len(replayed()) == 7


def test_a_replay_of_many_skips_rows_that_others_hold_and_says_so(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 2500)
    holder = stage.database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("SELECT FROM notify.deliveries WHERE event_id IN ('e7', 'e1700') FOR UPDATE")
    started = time.monotonic()
    answer = ctl("dead", "replay", "--all", "--rate", "0", "--json")
    assert answer.code == 75 and answer.json() == {"deliveries": 2498, "events": 0, "kept": 0, "busy": 2} and "2 more are being changed" in answer.err, answer
    assert time.monotonic() - started < 20
    holder.close()
    assert good(ctl("dead", "replay", "--all", "--rate", "0", "--json"))["deliveries"] == 2
    assert stage.database.query("SELECT DISTINCT state, attempt, owed FROM notify.deliveries") == [("waiting", 0, True)]
    assert stage.database.query("SELECT count(*), min(attempt), max(attempt) FROM notify.attempts") == [(5000, -2, -1)]


def test_what_dies_again_during_a_replay_is_left_alone(stage: Stage, ctl: Notifyctl) -> None:
    """A receiver that is still broken must not keep a replay going for ever."""
    make_dead(stage, 2100)
    stage.database.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.state := 'dead'; NEW.owed := false; NEW.due_at := NULL;"
        " NEW.updated_at := clock_timestamp(); NEW.attempt := 1; RETURN NEW; END $$;"
        "CREATE TRIGGER die BEFORE UPDATE ON notify.deliveries FOR EACH ROW EXECUTE FUNCTION die()")
    assert good(ctl("dead", "replay", "--all", "--rate", "0", "--json", timeout=30)) == {"deliveries": 2100, "events": 0, "kept": 0, "busy": 0}


def test_two_replays_and_workers_at_once_share_the_rows_without_a_deadlock(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 6000)
    stop, failed = threading.Event(), []

    def work() -> None:  # as a worker writes: its rows locked in the order of their keys, then changed
        connection = stage.database.connect()
        connection.autocommit = False
        with connection.cursor() as cursor:
            while not stop.is_set():
                try:
                    cursor.execute("SELECT FROM notify.deliveries WHERE event_id LIKE 'e%%7' ORDER BY event_id, integration_id FOR UPDATE")
                    cursor.execute("INSERT INTO notify.attempts (event_id, integration_id, attempt) SELECT event_id, integration_id, 0"
                                   " FROM notify.deliveries WHERE event_id LIKE 'e%%7' ON CONFLICT DO NOTHING")
                    connection.commit()
                except Exception as error:  # a deadlock would be one
                    failed.append(error)
                    return
        connection.close()
    worker = threading.Thread(target=work)
    worker.start()
    both = [ctl.start("dead", "replay", "--all", "--rate", "0", "--json") for _ in range(2)]
    answers = [ctl.finish(one) for one in both]
    stop.set()
    worker.join(20)
    assert not failed and all(answer.code in (0, 75) for answer in answers), (failed, answers)
    rest = good(ctl("dead", "replay", "--all", "--rate", "0", "--json"))
    assert sum(answer.json()["deliveries"] for answer in answers) + rest["deliveries"] == 6000
    assert stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'waiting' AND owed") == [(6000,)]


def test_replay_names_the_right_that_is_missing(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 1)
    stage.database.execute("REVOKE UPDATE ON notify.attempts FROM notify_worker")
    answer = ctl("dead", "replay", "--all")
    assert answer.code == 1 and "permission denied for table attempts; run schema/roles.sql" in answer.err, answer
    assert rows(stage, "e1")[0]["state"] == "dead" and attempts(stage, "e1") == [1, 2]
    assert any("UPDATE ON TABLE notify.attempts is missing" in line for line in ctl("check").lines("FAIL"))


# --- drop

def test_dropped_deliveries_are_over_and_dead_events_stay(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 3)
    stage.database.execute("UPDATE notify.deliveries SET owed = true")  # its dead letter was never published; no longer wanted
    stage.database.execute("INSERT INTO notify.events (id, content_hash, event_type, state, reason, first_seen, finished_at)"
                           " VALUES ('lost', '', 'scan_done', 'dead', 'not_found', now(), now())")
    answer = ctl("dead", "drop", "e1")
    assert answer.code == 0 and answer.out == "dropped 1 delivery\n" and not answer.err, answer
    assert [(row["state"], row["reason"], row["attempt"], row["owed"]) for row in rows(stage, "e1")] == [("dropped", "rejected", 2, False)]
    answer = ctl("dead", "drop", "lost")
    assert answer.code == 1 and "1 dead event stays: they reached no integration" in answer.err, answer
    answer = ctl("dead", "drop", "--all", "--json")
    assert answer.code == 0 and answer.json() == {"deliveries": 2, "events_kept": 1, "busy": 0}, answer
    assert [row["event_id"] for row in listed(ctl)] == ["lost"]
    assert good(ctl("dead", "replay", "--all", "--json")) == {"deliveries": 0, "events": 1, "kept": 0, "busy": 0}, "dropped is for good"


# --- messages that never became an event

@pytest.fixture
def unread(stage: Stage, notifyd: Any, rabbit: Any, vhost: str) -> list[str]:
    """In notify.dead: the copy of a dead delivery, then three unread messages, by their SHA-256 in order."""
    stage.webhook("/hook")
    stage.receiver.script("/hook", Reply(status=404))
    daemon = notifyd({**FAST, "workers": 1})
    stage.publish("scan_done")
    stage.wait(lambda: rabbit.depth("notify.dead", vhost) == 1)
    bodies = [BODY, b"x" * 70000 + b"end", b"[[], {}, {}]"]
    kinds = [{"content_type": "application/json", "message_id": "broken\x1b1"}, {"content_type": "text/plain"},
             {"content_type": "application/json", "content_encoding": "utf-8", "headers": {"id": "known", "task": "other.task"}}]
    for count, (body, properties) in enumerate(zip(bodies, kinds), 2):
        producer.publish_raw(stage.broker_url, "notify", body, pika.BasicProperties(delivery_mode=2, **properties))
        stage.wait(lambda: rabbit.depth("notify.dead", vhost) == count)
    daemon.terminate()
    assert daemon.wait() == 0
    return [hashlib.sha256(body).hexdigest() for body in bodies]


def contents(url: str) -> list[tuple[Any, bytes]]:
    """What is in notify.dead, which stays there."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    found = []
    while (got := channel.basic_get("notify.dead"))[0]:
        found.append(((got[1].headers or {}).get("x-notify-sha256"), got[2]))
    connection.close()
    return found


def test_unread_messages_are_listed_and_shown_and_stay_where_they_are(stage: Stage, ctl: Notifyctl, unread: list[str]) -> None:
    before = contents(stage.broker_url)
    found = listed(ctl, "--unread")
    assert [row["sha256"] for row in found] == unread and [row["sha256"] for row in found] == [hash for hash, _ in before[1:]]
    assert [(row["reason"], row["queue"], row["message_id"], row["size"]) for row in found] == [
        ("bad_body", "notify", "broken\x1b1", len(BODY)), ("bad_content_type", "notify", None, 70003), ("unknown_task", "notify", "known", 12)]
    assert found[2]["task"] == "other.task" and found[1]["content_type"] == "text/plain" and "body" not in found[0]
    assert [row["sha256"] for row in listed(ctl, "--unread", "--reason", "unknown_task")] == [unread[2]]
    assert len(listed(ctl, "--unread", "--limit", "1")) == 1
    assert listed(ctl, "--unread", "--older-than", "1h") == [] and len(listed(ctl, "--unread", "--younger-than", "1h")) == 3
    table = ctl("dead", "list", "--unread").out
    assert len(table.splitlines()) == 4 and "broken?1" in table and "\x1b" not in table

    text = ctl("dead", "show", "--unread", unread[0][:12]).out
    assert "\x1b" not in text and "\x07" not in text, text
    assert r'{"scan_id": \x1b]0;owned\x07\xff\\ \n' + "\n" in text and "bad_body (the body is not valid UTF-8 JSON" in text
    one, = good(ctl("dead", "show", "--unread", "--json", "known"))
    assert one["body"] == "[[], {}, {}]" and one["task"] == "other.task"
    cut, = good(ctl("dead", "show", "--unread", "--json", unread[1]))
    assert cut["body"] == "x" * 65536 and cut["size"] == 70003
    answer = ctl("dead", "show", "--unread", "nothing")
    assert answer.code == 1 and "no unread message has this id or SHA-256" in answer.err, answer
    assert contents(stage.broker_url) == before


def test_dropped_unread_messages_are_gone_and_nothing_else_is(stage: Stage, ctl: Notifyctl, unread: list[str]) -> None:
    before = contents(stage.broker_url)
    assert good(ctl("dead", "drop", "--unread", "--reason", "too_large", "--json")) == {"messages": 0}
    answer = ctl("dead", "drop", "--unread", "nothing")
    assert answer.code == 1, answer
    assert ctl("dead", "drop", "--unread", unread[1][:8]).out == "dropped 1 unread message\n"
    assert contents(stage.broker_url) == [before[0], before[1], before[3]]
    assert good(ctl("dead", "drop", "--unread", "--all", "--limit", "1", "--json")) == {"messages": 1}
    assert contents(stage.broker_url) == [before[0], before[3]]
    assert good(ctl("dead", "drop", "--unread", "--all", "--json")) == {"messages": 1}
    assert contents(stage.broker_url) == [before[0]], "the copy of a dead delivery is no unread message"


def test_unread_messages_of_any_form_do_no_harm(stage: Stage, ctl: Notifyctl) -> None:
    """Anybody with rights at the broker may write into the queue."""
    assert listed(ctl, "--unread") == [], "without a queue there is nothing"
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    channel = connection.channel()
    channel.queue_declare("notify.dead", durable=True)
    for headers, body in (({"x-notify-sha256": 5}, b""), ({"x-notify-sha256": "ab\x1b", "x-notify-first-seen": "soon", "x-notify-size": -5}, b""),
                          ({"x-notify-sha256": "c" * 64, "x-notify-first-seen": 2 ** 62, "x-notify-reason": b"\xff\x00x"}, b"\0" * 300000), (None, b"{}")):
        channel.basic_publish("", "notify.dead", body, pika.BasicProperties(headers=headers))
    connection.close()
    found = listed(ctl, "--unread")
    assert [(row["sha256"], row["first_seen"], row["size"]) for row in found] == [("ab\x1b", None, None), ("c" * 64, "9999-12-31T23:59:59.999Z", None)]
    assert "\x1b" not in ctl("dead", "list", "--unread").out
    big, = good(ctl("dead", "show", "--unread", "--json", "c" * 64))
    assert 0 < len(big["body"]) <= 4 * 131072, "more than we ever write is cut"


def test_away_servers_are_said_to_be_away(stage: Stage, ctl: Notifyctl) -> None:
    for words in (["dead", "list"], ["dead", "show", "e"], ["dead", "replay", "--all"], ["dead", "drop", "--all"]):
        answer = ctl(*words, database={"url": "postgresql://127.0.0.1:1/d"})
        assert answer.code == 75 and "notifyctl: database: " in answer.err and not answer.out, answer
    for words in (["dead", "list", "--unread"], ["dead", "show", "--unread", "x"], ["dead", "drop", "--unread", "--all"]):
        answer = ctl(*words, broker={"url": "amqp://127.0.0.1:1"})
        assert answer.code == 75 and "notifyctl: broker: " in answer.err and not answer.out, answer

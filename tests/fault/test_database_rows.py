"""Rows that nobody should have written: each has a clear end, and every other event goes through."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import psycopg2.errors
import pytest
from cryptography.fernet import Fernet
from sandbox import bulk, producer, seed
from stage import dead_letters

ODD = "".join(map(chr, [*range(1, 32), 0x7F, 0x85, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF, 0x202E])) + "\"\\e\u0301</script>"


def strict(body: bytes) -> Any:
    """As JSON, without the words for numbers that Python's own parser adds."""
    return json.loads(body.decode(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


# --- integrations

def test_an_integration_that_cannot_be_used_is_dead_or_held_back_alone(stage, notifyd, fernet_key):
    def settings(**more: Any) -> bytes:
        return seed.encrypt_config({"webhook_url": stage.receiver.url("/bad"), **more}, fernet_key)

    def token(text: bytes) -> bytes:
        return Fernet(fernet_key).encrypt(text)

    deep = b'{"webhook_url": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    values = {  # column: values and what becomes of the delivery; (filter) when there is none
        "config_encrypted": [
            (b"", "config_unreadable"), (bytes(range(256)) * 40, "config_unreadable"),
            (b"\\x6741", "config_unreadable"), (settings()[:100] + b"\0" + settings()[101:], "config_unreadable"),
            (settings()[:-1], "config_unreadable"), (token(b""), "config_unreadable"), (token(b"null"), "config_unreadable"),
            (token(b"[{}]"), "config_unreadable"), (token(b"\xff\xfe{}"), "config_unreadable"),
            (token(deep), "config_unreadable"), (settings(headers={"X-Long": "x" * 400_000}), "config_unreadable"),
            (settings(headers=["no", "object"]), "config_invalid"), (settings(headers={"X\r\nY": "z"}), "config_invalid")],
        "kind": [("", "unknown_kind"), ("WEBHOOK", "unknown_kind"), (ODD[:32], "unknown_kind"), ("👾" * 32, "unknown_kind")],
        "target_kinds": [(text, "filtered_target_kind") for text in (
            "{}", '{"url": true}', '"url"', "5", "true", "[]", "[null]", '[["url"]]', "[" * 500 + '"url"' + "]" * 500)],
        "events": [(text, "filtered_event") for text in ("{{finding_new},{scan_done}}", "{NULL}", '{""}', "{FINDING_NEW}")],
        "target_ids": [("{{%s}}" % stage.target.id, "filtered_target"), ("{NULL}", "filtered_target")],
        "severity_filter": [("", "delivered"), ("nonsense", "delivered"), (ODD[:16], "delivered")],  # as the default: high
        "name": [(ODD, "delivered"), ("", "delivered")],
    }
    good = stage.webhook("/hook", secret=None)
    expected: dict[str, str] = {good.id: "delivered"}
    for column, cases in values.items():
        for value, end in cases:
            made = stage.webhook("/bad", secret=None)
            stage.database.execute(f"UPDATE integrations SET {column} = %s WHERE id = %s", (value, made.id))
            expected[made.id] = end
    held = {made: end for made, end in expected.items() if end.startswith("filtered_")}
    one = notifyd()
    ids = bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(10)])
    assert set(stage.wait_arrivals(ids).values()) == {1}
    rows = stage.wait(lambda: len(rows := stage.deliveries()) == len(ids) * (len(expected) - len(held)) and rows)
    found = {(row["event_id"], row["integration_id"]): row["reason"] or row["state"] for row in rows}
    assert found == {(id, made): end for id in ids for made, end in expected.items() if made not in held}
    assert {row["attempt"] for row in rows if row["state"] == "dead"} == {0}
    for event in stage.events():
        assert (event["considered"], event["matched"]) == (len(expected), len(expected) - len(held))
        assert {name: event[name] for name in set(held.values())} == Counter(held.values())
    dead = Counter(end for end in found.values() if end != "delivered")
    letters = dead_letters(stage.broker_url, dead.total())
    assert Counter(h["x-notify-reason"] for h, _, _ in letters) == dead and all(h["x-notify-detail"] for h, _, _ in letters)
    unreadable = {made for made, end in expected.items() if end == "config_unreadable"}
    assert {e["integration"] for e in one.events("settings_unreadable")} == unreadable


# --- what an event is about

def test_scans_and_findings_with_absurd_values_arrive_as_json_and_what_is_missing_is_named(stage, notifyd):
    stage.webhook(secret=None, severity_filter="info")
    scans = {name: seed.add_scan(stage.connection, stage.target) for name in ("nowhere", "summary", "huge summary", "texts")}
    findings = {name: seed.add_finding(stage.connection, stage.scan).id for name in (
        "huge", "odd", "numbers", "infinity", "minus infinity", "severity", "scan nowhere")}

    def change(table: str, row: str, **columns: Any) -> None:
        names = ", ".join(f"{name} = %s" for name in columns)
        assert stage.database.execute(f"UPDATE {table} SET {names} WHERE id = %s", (*columns.values(), row)) == 1

    change("scans", scans["nowhere"].id, target_id=seed.new_id())
    change("scans", scans["summary"].id, summary='["no", "object"]', score=-2147483648, status="")
    change("scans", scans["huge summary"].id, summary=json.dumps({f"k{n}": "x" * 100 for n in range(20_000)}))
    change("scans", scans["texts"].id, error="é" * 2_000_000, status=ODD[:32], profile="👾" * 32, grade="\x01")
    change("findings", findings["huge"], description="👾x" * 1_500_000, remediation="\x01" * 3_000_000, title="\x02" * 500)
    change("findings", findings["odd"], description=ODD, remediation=ODD, title=ODD, endpoint=ODD, category=ODD, parameter=ODD,
           cwe_id=ODD[-32:], verification_status="", suppress_reason=ODD, pencheff_finding_id=ODD)
    change("findings", findings["numbers"], cvss_score="NaN", epss="Infinity", risk_score="-Infinity")
    change("findings", findings["infinity"], created_at="infinity", resolved_at="infinity", cvss_score="1e308", epss="-1e-308")
    change("findings", findings["minus infinity"], created_at="-infinity", resolved_at="4713-01-01 BC")
    change("findings", findings["severity"], severity="catastrophic")
    change("findings", findings["scan nowhere"], scan_id=seed.new_id())

    named = {name: producer.event(scan.id, "scan_done") for name, scan in scans.items()}
    named |= {name: stage.event(finding_id=id) for name, id in findings.items()}
    good = [stage.event() for _ in range(200)]
    notifyd({"retry": {"not_found": [1]}})
    missing = {"nowhere": "not_found", "scan nowhere": "finding_of_other_scan"}
    # Among the others, so that they share statements and batches with them.
    bulk.publish_many(stage.broker_url, "notify", [*good[:100], *named.values(), *good[100:]])
    wanted = [e.id for e in (*named.values(), *good) if e.id not in {named[name].id for name in missing}]
    assert set(stage.wait_arrivals(wanted).values()) == {1}
    letters = {p.message_id: h["x-notify-reason"] for h, p, _ in dead_letters(stage.broker_url, len(missing))}
    assert letters == {named[name].id: reason for name, reason in missing.items()}
    assert {e["id"]: e["reason"] for e in stage.events() if e["state"] == "dead"} == letters
    stage.wait_settled(len(wanted))

    bodies = {body["id"]: body for body in (strict(r.body) for r in stage.receiver.requests("/hook"))}
    got = {name: bodies[e.id] for name, e in named.items() if e.id in bodies}
    assert got["summary"]["scan"]["summary"] in (None, {}) and got["summary"]["scan"]["score"] == -2147483648
    assert got["texts"]["scan"]["profile"] == "👾" * 32 and len(json.dumps(got["texts"])) < 100_000
    assert got["huge"]["finding"]["title"] == "\x02" * 500
    assert got["huge"]["finding"]["description"].startswith("👾x👾x") and len(json.dumps(got["huge"])) < 1_000_000
    assert {got["odd"]["finding"][name] for name in ("description", "remediation", "title", "endpoint")} == {ODD}
    assert {got["numbers"]["finding"][name] for name in ("cvss_score", "epss", "risk_score")} == {None}
    assert got["severity"]["finding"]["severity"] == "catastrophic"


# --- the ledger

def test_the_ledger_takes_no_state_that_this_version_does_not_know(stage, notifyd):
    stage.webhook(secret=None)
    notifyd()
    stage.publish()
    stage.wait_settled(1)
    for table in ("events", "deliveries"):
        with pytest.raises(psycopg2.errors.CheckViolation):
            stage.database.execute(f"UPDATE notify.{table} SET state = 'unheard-of'")


def test_rows_of_a_later_version_are_left_alone(stage, notifyd):
    """Its migration has widened the constraints, and workers of this version still run: a copy of the event comes to them."""
    first, second = stage.webhook("/first", secret=None, name="first"), stage.webhook("/hook", secret=None, name="second")
    one = notifyd()
    names = ("state of a delivery", "of a delivery of an open event", "state of an event", "words")
    events = {name: stage.event() for name in names}
    bulk.publish_many(stage.broker_url, "notify", events.values())
    stage.wait_settled(2 * len(events))
    for table in ("events", "deliveries"):
        stage.database.execute(f"ALTER TABLE notify.{table} DROP CONSTRAINT {table}_state")
    of_first = "event_id = %s AND integration_id = %s"
    for name in names[:2]:
        stage.database.execute(f"UPDATE notify.deliveries SET state = 'unheard-of' WHERE {of_first}", (events[name].id, first.id))
    begun = events[names[1]].id
    stage.database.execute("DELETE FROM notify.deliveries WHERE event_id = %s AND integration_id = %s", (begun, second.id))
    stage.database.execute("UPDATE notify.events SET state = 'open', finished_at = NULL, matched = 1, considered = 1 WHERE id = %s", (begun,))
    stage.database.execute("UPDATE notify.events SET state = 'unheard-of' WHERE id = %s", (events["state of an event"].id,))
    stage.database.execute("UPDATE notify.deliveries SET reason = 'two words', error = E'a\nline', owner = repeat('x', 9999)"
                           f" WHERE {of_first}", (events["words"].id, first.id))
    good = [stage.event() for _ in range(100)]
    ids = bulk.publish_many(stage.broker_url, "notify", [*good[:50], *events.values(), *good[50:]])
    sent = {e.id: 1 for e in (*good, *events.values())}
    for path in ("/first", "/hook"):
        stage.wait_arrivals(ids, path=path)
    stage.wait(lambda: stage.arrivals("/hook")[begun] == 2, why="what the open event lacked was not sent")
    # All but the two rows of another version.
    stage.wait(lambda: Counter(d["state"] for d in stage.deliveries())["delivered"] == 2 * len(sent) - 2)
    stage.wait(lambda: [e["state"] for e in stage.events(begun)] == ["done"])
    assert stage.arrivals("/first") == sent, "it was sent again, beside a row of another version"
    assert stage.arrivals("/hook") == {**sent, begun: 2}
    kept = {row["event_id"] for row in stage.deliveries() if row["state"] == "unheard-of"}
    assert kept == {events[name].id for name in names[:2]}
    assert [e["state"] for e in stage.events(events["state of an event"].id)] == ["unheard-of"]
    said = {(e["id"], e["state"]) for e in one.wait_event("ledger_row_unknown", count=3)}
    assert said == {(events[name].id, "unheard-of") for name in names[:3]}


def test_the_sweep_names_an_overdue_event_whose_type_it_does_not_know_and_goes_on(stage, notifyd):
    hook = stage.webhook(secret=None)
    stage.webhook("/other", secret=None, name="other")
    one = notifyd({"sweep": {"grace": 2.0, "interval": 0.2}, "held_max": 10})
    ids = bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(4)])
    stage.wait_settled(2 * len(ids))
    stage.database.execute("UPDATE notify.events SET event_type = 'scan_paused' WHERE id = %s", (ids[0],))
    stage.database.execute("UPDATE notify.events SET event_type = '' WHERE id = %s", (ids[1],))
    # As a purged ladder leaves them.
    stage.database.execute("UPDATE notify.deliveries SET state = 'waiting', due_at = now() - interval '5 s' WHERE integration_id = %s", (hook.id,))
    stage.wait(lambda: Counter(stage.arrivals().values()) == {1: 2, 2: 2}, 15)
    said = {e["id"]: e for e in one.wait_event("sweep_event_unknown", count=2)}
    assert said.keys() == set(ids[:2])
    assert (said[ids[0]]["type"], said[ids[1]]["type"]) == ("scan_paused", "") and not one.events("sweep_without_event")
    assert {d["event_id"] for d in stage.deliveries() if d["state"] == "waiting"} == set(ids[:2])


def test_deliveries_of_unknown_events_in_a_mailbox_do_not_stand_before_the_others(stage, notifyd):
    hook = stage.webhook(secret=None)
    one = notifyd({"sweep": {"interval": 0.2}})
    ids = bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(400)])
    stage.wait_settled(len(ids))
    bad, good = ids[:300], ids[300:]
    stage.database.execute("UPDATE notify.events SET event_type = 'scan_paused' WHERE id = ANY (%s)", (bad,))
    stage.database.execute("UPDATE notify.deliveries SET state = 'deferred', due_at = now(), attempt = 0,"
                           " rank = CASE WHEN event_id = ANY (%s) THEN 4 ELSE 3 END", (bad,))
    stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, wake_at) VALUES (%s, %s, now())"
                           " ON CONFLICT (integration_id) DO UPDATE SET wake_at = now()", (hook.id, stage.workspace.id))
    stage.wait(lambda: Counter(stage.arrivals().values()) == {1: len(bad), 2: len(good)}, 15)
    stage.wait(lambda: Counter(d["state"] for d in stage.deliveries()) == {"deferred": len(bad), "delivered": len(good)})
    assert {e["id"] for e in one.wait_event("mailbox_event_unknown", type="scan_paused")} <= set(bad)


def test_overdue_deliveries_with_numbers_that_no_worker_wrote_fill_no_queue(stage, notifyd, rabbit, vhost):
    stage.webhook(secret=None)
    one = notifyd({"sweep": {"grace": 1.0, "interval": 0.2}, "held_max": 10})
    overdue = "due_at = now() - interval '5 s'"
    changes = {"most": f"{overdue}, attempt = 2147483647", "negative": f"{overdue}, attempt = -7", "long ago": "due_at = '-infinity'",
               "owner": f"{overdue}, owner = repeat('x', 100000), error = E'two\\nlines', reason = ''"}
    ids = dict(zip(changes, bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in changes])))
    stage.wait_settled(len(ids))
    for name, change in changes.items():
        stage.database.execute(f"UPDATE notify.deliveries SET state = 'waiting', {change} WHERE event_id = %s", (ids[name],))
    bad = {ids["most"], ids["negative"]}
    stage.wait_arrivals(ids.values())
    stage.wait(lambda: {d["event_id"] for d in stage.deliveries() if d["state"] == "waiting"} == bad)
    assert {e["id"] for e in one.wait_event("sweep_attempt_impossible", count=4)} == bad, "looked at again after each grace"
    assert stage.arrivals() == {id: 1 if id in bad else 2 for id in ids.values()}
    assert not one.events("message_rejected")
    assert all(q["messages"] == 0 for q in rabbit.list_queues(vhost))


@pytest.mark.alone
def test_times_that_are_none_hold_up_only_their_own_row(stage, notifyd):
    """Infinities and the last year that PostgreSQL knows, where the sweep, the look-up and a mailbox read them."""
    hook = stage.webhook(secret=None)
    one = notifyd({"sweep": {"grace": 1.0, "interval": 0.2}, "held_max": 10})
    times = ["infinity", "-infinity", "294276-12-31 23:59:59+00", "4714-11-24 00:00:00+00 BC"]
    columns = {"notify.events": ["first_seen", "accepted_at", "scheduled_for"], "notify.deliveries": ["due_at", "swept_at", "updated_at"]}
    changes = [(table, f"{column} = '{at}'") for table, some in columns.items() for column in some for at in times]
    events = [stage.event() for _ in range(len(changes) + 3)]
    ids = bulk.publish_many(stage.broker_url, "notify", events)
    stage.wait_settled(len(ids))
    due = "due_at = now() - interval '5 s'"
    for (table, change), id in zip(changes, ids):
        if table == "notify.events":  # before the row is overdue: the sweep runs meanwhile
            stage.database.execute(f"UPDATE notify.events SET {change} WHERE id = %s", (id,))
            change = due
        elif not change.startswith("due_at"):
            change = f"{due}, {change}"
        stage.database.execute(f"UPDATE notify.deliveries SET state = 'waiting', {change} WHERE event_id = %s", (id,))
    *_, plain, mailed, odd = ids
    stage.database.execute(f"UPDATE notify.deliveries SET state = 'waiting', {due} WHERE event_id = %s", (plain,))
    stage.database.execute("UPDATE notify.deliveries SET state = 'deferred', attempt = 0, rank = 3, due_at = now()"
                           " WHERE event_id = ANY (%s)", ([odd, mailed],))
    stage.database.execute("UPDATE notify.events SET first_seen = 'infinity' WHERE id = %s", (odd,))
    stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, wake_at) VALUES (%s, %s, now())"
                           " ON CONFLICT (integration_id) DO UPDATE SET wake_at = now()", (hook.id, stage.workspace.id))
    late = {id for (table, change), id in zip(changes, ids) if change in ("due_at = 'infinity'", f"due_at = '{times[2]}'",
                                                                          "swept_at = 'infinity'", f"swept_at = '{times[2]}'")}
    wanted = {id: 1 if id in late else 2 for id in ids}
    wrong = lambda: {change: stage.arrivals()[id] for change, id in zip(changes, ids) if stage.arrivals()[id] != wanted[id]}
    stage.wait(lambda: stage.arrivals() == wanted, 30, wrong)
    bulk.publish_many(stage.broker_url, "notify", events)  # copies, whose look-up reads those rows
    stage.publish()
    stage.wait(lambda: one.counter("messages_settled") >= 3 * len(ids) - len(late), 15)
    assert sum(stage.arrivals().values()) == sum(wanted.values()) + 1
    assert not one.events("child_ended") and not one.events("batch_refused") and not one.events("database_link_down")
    stage.database.execute("UPDATE notify.deliveries SET due_at = now(), swept_at = NULL WHERE state = 'waiting'")
    stage.wait(lambda: all(stage.arrivals()[id] == 2 for id in ids), 15)

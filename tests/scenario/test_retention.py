"""What finished long ago leaves the ledger a little at a time, and nothing else does."""

from __future__ import annotations

import json
import time
from typing import Any

import figures
import pytest
from ctl import run_roles
from sandbox import bulk
from sandbox.receiver import Answer

QUICK = {"retention": {"deliveries_days": 30, "interval": 0.2, "batch": 10}}


def age(stage: Any, where: str = "true", days: int = 31) -> None:
    """Make events, and their deliveries, that much older."""
    for table, columns, key in (("events", ("first_seen", "accepted_at", "finished_at"), "id"),
                                ("deliveries", ("created_at", "updated_at"), "event_id")):
        sets = ", ".join(f"{column} = {column} - interval '{days} days'" for column in columns)
        stage.database.execute(f"UPDATE notify.{table} SET {sets} WHERE {key} IN (SELECT id FROM notify.events WHERE {where})")


def test_what_stands_for_findings_goes_with_its_integration_and_not_before(stage, notifyd):
    one = notifyd({"retention": {"interval": 0.2, "batch": 7}, "workers": 1})
    kept = [stage.webhook(f"/{n}", enabled=False).id for n in range(3)]
    stage.database.execute("INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id, state, key)"
                           " SELECT i.id, n::text, i.workspace_id, 'open', 'k' FROM integrations i, generate_series(1, 20) n")
    time.sleep(1)
    assert rows(stage, "external_refs") == 60
    stage.database.execute("DELETE FROM integrations WHERE id IN (%s, %s)", (kept[0], kept[2]))
    stage.wait(lambda: rows(stage, "external_refs") == 20, 20)
    time.sleep(0.5)
    assert stage.database.query("SELECT DISTINCT integration_id::text FROM notify.external_refs") == [(kept[1],)]
    assert sum(int(e["references"]) for e in one.events("old_rows_deleted")) == 40


def test_references_that_stand_for_nothing_or_for_a_scan_are_deleted_when_they_are_old(stage, notifyd):
    hook = stage.webhook(enabled=False)
    old, young = "now() - interval '31 days'", "now()"
    cases = {"none": ("'none', NULL, gen_random_uuid(), NULL, NULL", old), "scan": ("'open', 'k', NULL, NULL, NULL", old),
             "+young": ("'none', NULL, gen_random_uuid(), NULL, NULL", young), "+finding": ("'open', 'k', gen_random_uuid(), NULL, NULL", old),
             "+unsure": ("'none', NULL, gen_random_uuid(), now(), now()", old), "+claimed": ("'none', NULL, gen_random_uuid(), NULL, now()", old)}
    for name, (values, updated) in cases.items():
        stage.database.execute("INSERT INTO notify.external_refs (integration_id, workspace_id, fingerprint, state, key, finding_id, unsure_since, lease_until,"
                               f" claimed_at, claim, updated_at, created_at) SELECT id, workspace_id, '{name}', {values}, now(), gen_random_uuid(), {updated}, {updated} FROM integrations")
    notifyd({"retention": {"interval": 0.2}, "workers": 1})
    stage.wait(lambda: rows(stage, "external_refs") == 4, 10)
    time.sleep(0.5)
    left_over = {name for name, in stage.database.query("SELECT fingerprint FROM notify.external_refs WHERE integration_id = %s", (hook.id,))}
    assert left_over == {name for name in cases if name.startswith("+")}


def test_what_the_api_keeps_goes_when_it_is_old_and_not_before(stage, notifyd, ctl):
    """By workers with no other rights than their role's."""
    ages = {"old": "366 days", "young": "364 days"}
    for name, age in ages.items():
        stage.database.execute("INSERT INTO notify.changes (at, workspace_id, actor, actor_name, verb, object)"
                               f" SELECT now() - interval '{age}', gen_random_uuid(), 'a', 'n', 'create', '{name}' FROM generate_series(1, 30)")
        for what, (revoked, expires) in {"revoked": (f"now() - interval '{age}'", "NULL"), "expired": ("NULL", f"now() - interval '{age}'"),
                                         "revoked early": (f"now() - interval '{age}'", "now() + interval '1 day'")}.items():
            stage.database.execute("INSERT INTO notify.tokens (id, workspace_id, scope, name, hash, revoked_at, expires_at, created_at) VALUES"
                                   f" (%s, gen_random_uuid(), 'read', 'n', 'x', {revoked}, {expires}, now() - interval '400 days')", (f"{name} {what}",))
    for what, expires in {"live": "NULL", "for ever": "'infinity'", "long": "now() + interval '1 day'"}.items():
        stage.database.execute("INSERT INTO notify.tokens (id, workspace_id, scope, name, hash, expires_at, created_at) VALUES"
                               f" (%s, gen_random_uuid(), 'read', 'n', 'x', {expires}, now() - interval '900 days')", (f"young {what}",))
    for key, age, count in (("old", "25 hours", 35), ("young", "23 hours", 5)):
        stage.database.execute("INSERT INTO notify.kept_answers (workspace_id, key, body_hash, integration_id, created_at)"
                               f" SELECT gen_random_uuid(), '{key}', 'x', gen_random_uuid(), now() - interval '{age}' FROM generate_series(1, {count})")
    one = notifyd({"workers": 1, "database": {"role": "notify_worker"}, "retention": {"interval": 0.2, "batch": 10}})
    stage.wait(lambda: one.events("old_rows_deleted") and rows(stage, "kept_answers") == 5 and rows(stage, "changes") == 30, 20)
    stage.wait(lambda: rows(stage, "tokens") == 6, 10)
    time.sleep(0.5)
    assert {row[0] for row in stage.database.query("SELECT DISTINCT object FROM notify.changes")} == {"young"}
    assert all(row[0].startswith("young") for row in stage.database.query("SELECT id FROM notify.tokens"))
    assert {row[0] for row in stage.database.query("SELECT DISTINCT key FROM notify.kept_answers")} == {"young"}
    said = [{name: int(line[name]) for name in ("answers", "changes", "tokens")} for line in one.events("old_rows_deleted")]
    assert {name: sum(line[name] for line in said) for name in said[0]} == {"answers": 35, "changes": 30, "tokens": 3}
    assert not one.events("old_rows_kept") and not one.events("database_link_down")


def left(stage: Any) -> set[str]:
    return {row[0] for row in stage.database.query("SELECT id FROM notify.events")}


def rows(stage: Any, table: str) -> int:
    return stage.database.query(f"SELECT count(*) FROM notify.{table}")[0][0]


def test_old_events_go_with_all_that_belongs_to_them_and_all_others_stay(stage, notifyd):
    stage.webhook("/good", secret=None, events=["scan_done"])
    stage.webhook("/bad", secret=None, events=["scan_failed"])
    stage.webhook("/gone", secret=None, events=["scan_started"])
    stage.receiver.script("/bad", Answer(status=404))
    stage.receiver.script("/gone", Answer(status=503))
    one = notifyd({"workers": 1})
    old = [*bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(30))),
           *bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_failed", error="e") for _ in range(5))),
           stage.publish("finding_changed", change_summary="nobody asked for it")]
    stays = {name: stage.publish("scan_done") for name in ("young", "touched", "owed event", "owed delivery")}
    stays["waiting"] = stage.publish("scan_started")
    stage.wait(lambda: rows(stage, "events") == len(old) + len(stays) and rows(stage, "attempts") == 6 and not stage.database.query(
        "SELECT FROM notify.deliveries WHERE state = 'sending'"))
    one.terminate()
    stage.database.execute("UPDATE notify.deliveries SET due_at = now() + interval '1 day' WHERE state = 'waiting'")
    age(stage, f"id <> '{stays['young']}'")
    stage.database.execute("UPDATE notify.deliveries SET updated_at = now() WHERE event_id = %s", (stays["touched"],))
    stage.database.execute("UPDATE notify.events SET owed = true WHERE id = %s", (stays["owed event"],))
    stage.database.execute("UPDATE notify.deliveries SET owed = true WHERE event_id = %s", (stays["owed delivery"],))
    one = notifyd({**QUICK, "workers": 1, "sweep": {"interval": 3600.0}})
    stage.wait(lambda: not left(stage) & set(old), 10)
    time.sleep(0.5)
    assert left(stage) == set(stays.values())
    assert rows(stage, "deliveries") == len(stays) and rows(stage, "attempts") == 1
    said = one.events("old_rows_deleted")
    assert sum(int(e["events"]) for e in said) == one.counter("events_deleted") == len(old)
    assert sum(int(e["deliveries"]) for e in said) == one.counter("deliveries_deleted") == 35
    assert len(said) == 1, "one line for a walk of several batches"
    for table in ("events", "deliveries"):
        stage.database.execute(f"UPDATE notify.{table} SET owed = false")
    stage.database.execute("UPDATE notify.deliveries SET state = 'canceled', due_at = NULL WHERE state = 'waiting'")


def test_each_state_has_its_end(stage, notifyd):
    """Whatever is finished goes, whatever is open stays, and with it all of its event."""
    one = notifyd({"workers": 1, "sweep": {"interval": 3600.0}})
    with stage.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notify.events (id, content_hash, event_type, state, first_seen, accepted_at)"
            " SELECT s || d, '', 'scan_done', s, now(), now() - d * interval '1 day'"
            " FROM unnest(ARRAY['done', 'open', 'dead', 'expired', 'scheduled', 'expanded']) s, unnest(ARRAY[1, 31]) d;"
            "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, updated_at)"
            " SELECT 'done' || d, gen_random_uuid(), gen_random_uuid(), s, 1, now() - d * interval '1 day'"
            " FROM unnest(ARRAY['delivered', 'dead', 'dropped', 'canceled']) s, unnest(ARRAY[1, 31]) d;"
            "INSERT INTO notify.events (id, content_hash, event_type, state, first_seen, accepted_at)"
            " SELECT s || ' delivery', '', 'scan_done', 'done', now(), now() - interval '31 days' FROM unnest(ARRAY['sending', 'waiting', 'deferred']) s;"
            "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, updated_at)"
            " SELECT s || ' delivery', gen_random_uuid(), gen_random_uuid(), t, 3, now() - interval '31 days'"
            " FROM unnest(ARRAY['sending', 'waiting', 'deferred']) s, unnest(ARRAY[s, 'delivered']) t;"
            "INSERT INTO notify.attempts (event_id, integration_id, attempt) SELECT event_id, integration_id, 1 FROM notify.deliveries")
    one.terminate()
    one = notifyd({**QUICK, "workers": 1, "sweep": {"interval": 3600.0}})
    one.wait_event("old_rows_deleted")
    assert left(stage) == {"done1", "open1", "open31", "dead1", "expired1", "scheduled1", "scheduled31", "expanded1", "sending delivery",
                           "waiting delivery", "deferred delivery"}
    assert rows(stage, "attempts") == rows(stage, "deliveries") == 4 + 2 * 3
    stage.database.execute("DELETE FROM notify.deliveries; DELETE FROM notify.events")


def test_a_few_seconds_of_retention_are_not_none(stage, notifyd):
    stage.webhook(secret=None)
    notifyd({"workers": 1, "retention": {"deliveries_days": 0.0003, "interval": 0.1}})  # 26 s
    event = stage.publish()
    stage.wait_settled(1)
    time.sleep(1)
    assert left(stage) == {event}
    age(stage, days=1)
    stage.wait(lambda: not left(stage))


def test_a_delivery_that_is_replayed_while_its_event_is_deleted_stays_with_it(stage, notifyd):
    stage.webhook("/bad", secret=None)
    stage.receiver.script("/bad", Answer(status=404), Answer(status=404), Answer())
    one = notifyd({"workers": 1})
    event, other = stage.publish(), stage.publish()
    stage.wait(lambda: {d["state"] for d in stage.deliveries()} == {"dead"} and len(stage.deliveries()) == 2)
    one.terminate()
    with stage.database.connect() as connection, connection.cursor() as cursor:
        age(stage)
        cursor.execute("UPDATE notify.deliveries SET state = 'waiting', attempt = 0, due_at = now(), owed = true, updated_at = now()"
                       " WHERE event_id = %s", (event,))
        one = notifyd({**QUICK, "workers": 1})
        stage.wait(lambda: stage.database.query("SELECT FROM pg_locks WHERE NOT granted"), 5, "it waits for the replay")
        connection.commit()
    stage.wait(lambda: left(stage) == {event}, 5)
    stage.wait(lambda: stage.deliveries(event)[0]["state"] == "delivered", 10)
    assert stage.arrivals("/bad") == {event: 2, other: 1}


def test_without_the_right_to_delete_all_stays_and_the_log_says_what_to_do(stage, notifyd):
    stage.webhook(secret=None)
    one = notifyd({"workers": 1})
    event = stage.publish()
    stage.wait_settled(1)
    one.terminate()
    age(stage)
    role = f"reader_{stage.database.name}"
    stage.database.execute(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA notify TO {role}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA notify TO {role}")
    try:
        one = notifyd({**QUICK, "workers": 1, "database": {"role": role}}, ready=False)
        line = one.wait_event("old_rows_kept")[0]
        assert "right to delete" in line["reason"] and "roles.sql" in line["advice"], line
        time.sleep(0.5)
        assert len(one.events("old_rows_kept")) == 1 and not one.events("database_link_down")
        one.terminate()
    finally:
        stage.database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert left(stage) == {event}


@pytest.mark.parametrize("missing", ["ALL", "SELECT"])
def test_a_role_with_the_rights_of_an_earlier_version_still_deletes_old_deliveries(stage, notifyd, ctl, missing):
    """After an upgrade, as long as nobody has run roles.sql again."""
    stage.webhook(secret=None)
    one = notifyd({"workers": 1})
    stage.publish()
    stage.wait_settled(1)
    one.terminate()
    age(stage)
    stage.database.execute("INSERT INTO notify.kept_answers (workspace_id, key, body_hash, integration_id, created_at)"
                           " SELECT gen_random_uuid(), 'old', 'x', gen_random_uuid(), now() - interval '2 days' FROM generate_series(1, 25)")
    stage.database.execute(f"REVOKE {missing} ON notify.kept_answers, notify.changes, notify.tokens FROM notify_worker")
    one = notifyd({**QUICK, "workers": 1, "database": {"role": "notify_worker"}})
    stage.wait(lambda: not left(stage) and not rows(stage, "deliveries"), 10)
    time.sleep(1)
    line, = one.events("old_rows_kept")
    assert "the right to delete what the API keeps" in line["reason"] and "run schema/roles.sql" in line["advice"], line
    assert rows(stage, "kept_answers") == 25
    run_roles(stage.database)
    stage.wait(lambda: not rows(stage, "kept_answers"), 10)
    assert len(one.events("old_rows_kept")) == 1 and not one.events("database_link_down")


def slow(stage: Any, ids: list[str]) -> float:
    """Milliseconds from reading an event to its request, of the slowest but one in a hundred."""
    read = dict(stage.database.query("SELECT id, extract(epoch FROM first_seen)::float FROM notify.events WHERE id = ANY (%s)", (ids,)))
    took = sorted(1000 * (r.wall - read[json.loads(r.body)["id"]]) for r in stage.receiver.requests("/hook"))
    return took[len(took) * 99 // 100]


@pytest.mark.alone
def test_deliveries_are_as_quick_while_20000_old_events_are_deleted(stage, notifyd):
    hook = stage.webhook(secret=None)
    one = notifyd({"workers": 1, "retention": {"interval": 0.5, "deliveries_days": 30}})
    stage.database.execute("WITH e AS (INSERT INTO notify.events (id, content_hash, event_type, state, first_seen, accepted_at)"
                           " SELECT 'old-' || n, '', 'scan_done', 'done', now(), now() - interval '31 days' FROM generate_series(1, 20000) n)"
                           " INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, created_at, updated_at)"
                           " SELECT 'old-' || n, %s, %s, 'delivered', 1, t, t FROM generate_series(1, 20000) n,"
                           " (SELECT now() - interval '31 days' AS t) x", (hook.id, stage.scan.workspace.id))
    began = time.monotonic()
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(1500)), rate=500)
    publisher.start()
    stage.wait(lambda: one.counter("events_deleted") == 20000, 30)
    print(f"20000 events with their deliveries deleted in {time.monotonic() - began:.1f} s")
    ids = publisher.finish()
    stage.wait_arrivals(ids)
    figures.hold("99 of 100 requests after reading, while old rows are deleted", slow(stage, ids), 200, "ms")


def test_an_operator_has_what_is_old_deleted_at_once_and_nothing_else(stage, notifyd, ctl):
    one = notifyd({"workers": 1})
    stage.webhook(secret=None)
    for _ in range(25):
        stage.publish()
    stage.wait_settled(25)
    one.terminate()
    age(stage, days=3)
    some = sorted(left(stage))[:11]
    stage.database.execute("UPDATE notify.deliveries SET state = 'waiting', due_at = now() + interval '1 hour' WHERE event_id = %s", (some[0],))
    age(stage, f"id IN ({', '.join(repr(id) for id in some)})", days=28)
    for ago in ("2 hours", "31 days", "32 days"):
        stage.database.execute("INSERT INTO notify.stats_hourly (integration_id, workspace_id, hour) VALUES (gen_random_uuid(), gen_random_uuid(),"
                               f" date_trunc('hour', now() - interval '{ago}', 'UTC'))")
    stage.database.execute("INSERT INTO notify.kept_answers (workspace_id, key, body_hash, integration_id, created_at)"
                           " SELECT gen_random_uuid(), 'old', 'x', gen_random_uuid(), now() - interval '2 days' FROM generate_series(1, 25)")
    stage.database.execute("INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id, state, key)"
                           " SELECT i.id, n::text, gen_random_uuid(), 'open', 'k' FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 4)) i, generate_series(1, 12) n")
    batch = {"retention": {"batch": 5}}
    assert ctl("prune", "--json", **batch).json() == {"deliveries": 10, "events": 10, "references": 48, "answers": 25, "changes": 0, "tokens": 0, "hours": 2, "shadows": 0}
    assert len(left(stage)) == 15 and some[0] in left(stage), "what still waits stays"
    assert ctl("prune", **batch).out == "deleted deliveries 0, events 0, references 0, answers 0, changes 0, tokens 0, hours 0, shadows 0\n"
    assert ctl("prune", "--older-than", "2d", "--json").json()["events"] == 14 and left(stage) == {some[0]}
    stage.database.execute("UPDATE notify.deliveries SET state = 'canceled', due_at = NULL")


def test_an_operator_is_told_what_keeps_old_rows_from_being_deleted(stage, ctl):
    for age_, word in (("23h", "at least 1d"), ("x", "--older-than"), ("-1", "--older-than")):
        answer = ctl("prune", "--older-than", age_)
        assert answer.code == 2 and word in answer.err, answer
    stage.database.execute("REVOKE DELETE ON notify.events FROM notify_worker")
    answer = ctl("prune")
    assert answer.code == 1 and "roles.sql" in answer.err, answer
    assert ctl("prune", database={"url": "postgresql://127.0.0.1:1/d"}).code == 75

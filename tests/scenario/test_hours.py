"""What became of deliveries is counted by integration and hour, a statement now and then whatever the load."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ctl import run_roles
from sandbox import bulk
from sandbox.receiver import Answer
from test_plans import prepare, statements

QUICK = {"workers": 1, "gate": {"report": 0.2}}


def counts(stage: Any) -> dict[str, tuple[int, int, int]]:
    """By integration, of all hours: delivered, failed, dead. Those of the workspace are their sums."""
    found = {row[0]: row[1:] for row in stage.database.query(
        "SELECT integration_id::text, sum(delivered)::int, sum(failed)::int, sum(dead)::int FROM notify.stats_hourly GROUP BY 1")}
    whole = found.pop(stage.workspace.id, (0, 0, 0))
    return found if whole == tuple(sum(column) for column in zip((0, 0, 0), *found.values())) else {}


def test_each_integration_has_its_counts_of_the_hour(stage, notifyd):
    good, bad, slow, broken = (stage.webhook(f"/{name}", name=name, secret=None) for name in ("good", "bad", "slow", "broken"))
    stage.receiver.script("/bad", Answer(status=400))
    stage.receiver.script("/slow", Answer(status=503), Answer(status=503), Answer())
    stage.database.execute("UPDATE integrations SET config_encrypted = 'x' WHERE id = %s", (broken.id,))
    one = notifyd({**QUICK, "retry": {"base": 0.1, "factor": 1.0}})
    events = [stage.publish()]
    stage.wait(lambda: sorted(d["state"] for d in stage.deliveries(events[0])) == ["dead", "dead", "delivered", "delivered"])
    events += [stage.publish() for _ in range(4)]
    stage.wait(lambda: sorted(d["state"] for d in stage.deliveries()) == ["dead"] * 10 + ["delivered"] * 10)
    stage.wait(lambda: counts(stage) == {good.id: (5, 0, 0), bad.id: (0, 5, 5), slow.id: (5, 2, 0), broken.id: (0, 0, 5)}, 5)
    assert stage.database.query("SELECT count(*) FROM notify.stats_hourly WHERE workspace_id <> %s", (stage.workspace.id,)) == [(0,)]
    assert stage.database.query("SELECT count(*) FROM notify.stats_hourly WHERE hour NOT BETWEEN now() - interval '65 minutes' AND now()"
                                " OR hour <> date_trunc('hour', hour)") == [(0,)]
    assert not one.events("hours_not_counted") and not one.events("hours_refused")


def test_no_statement_more_is_made_however_many_are_delivered(stage, notifyd):
    hooks = [stage.webhook(f"/{n}", name=f"hook {n}", secret=None) for n in range(3)]
    one = notifyd({"workers": 1, "gate": {"report": 1.0}})
    began = time.monotonic()
    bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(1000)))
    stage.wait(lambda: counts(stage) == {hook.id: (1000, 0, 0) for hook in hooks}, 60)
    assert one.counter("database_requests", batch="hours") <= time.monotonic() - began + 1 < one.counter("database_requests", batch="ledger")
    made = one.counter("database_requests", batch="hours")
    time.sleep(2.5)
    assert one.counter("database_requests", batch="hours") == made, "nothing to say, nothing said"


def test_a_worker_that_ends_writes_what_it_has_counted(stage, notifyd):
    hook = stage.webhook(secret=None)
    one = notifyd({"workers": 2, "gate": {"report": 3600.0}})
    for _ in range(20):
        stage.publish()
    stage.wait(lambda: [d["state"] for d in stage.deliveries()] == ["delivered"] * 20)
    assert counts(stage) == {}
    one.terminate()
    assert counts(stage) == {hook.id: (20, 0, 0)}


def test_workers_of_one_host_and_of_others_add_to_the_same_row(stage, notifyd):
    hook = stage.webhook(secret=None)
    for settings in ({**QUICK, "workers": 2}, QUICK):
        notifyd(settings)
    bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(300)))
    stage.wait(lambda: counts(stage) == {hook.id: (300, 0, 0)}, 30)


def test_counts_outlive_a_lost_connection(stage, notifyd):
    hook = stage.webhook(secret=None)
    one = notifyd({"workers": 1, "gate": {"report": 2.0}})
    for _ in range(5):
        stage.publish()
    stage.wait_settled(5)
    stage.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pencheff-notify worker'")
    one.wait_event("database_link_down")
    stage.wait(lambda: counts(stage) == {hook.id: (5, 0, 0)}, 15)


def test_a_role_with_the_rights_of_an_earlier_version_delivers_and_says_once_that_it_does_not_count(stage, notifyd):
    """After an upgrade, as long as nobody has run roles.sql again."""
    hook = stage.webhook(secret=None)
    run_roles(stage.database)
    stage.database.execute("REVOKE ALL ON notify.stats_hourly FROM notify_worker")
    one = notifyd({**QUICK, "database": {"role": "notify_worker"}})
    for _ in range(5):
        stage.publish()
    stage.wait_settled(5)
    time.sleep(1)
    line, = one.events("hours_not_counted")
    assert "notify.stats_hourly" in line["reason"] and "run schema/roles.sql" in line["advice"], line
    run_roles(stage.database)
    time.sleep(1)
    stage.publish()
    stage.wait(lambda: counts(stage) == {hook.id: (1, 0, 0)}, 10)
    assert len(one.events("hours_not_counted")) == 1 and not one.events("database_link_down")


def test_the_hour_is_the_one_in_which_it_happened_in_utc_whatever_the_servers_zone(migrated, build):
    with migrated.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Kathmandu'")  # 5:45 ahead
        oids, sql = statements(build)["hours"]
        prepare(cursor, "hours", oids, sql)
        for age in (0, 3600, 7200, 7200):
            cursor.execute("EXECUTE p_hours(ARRAY[%s::uuid], ARRAY[%s::uuid], ARRAY[%s], ARRAY[2], ARRAY[1], ARRAY[0])",
                           ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", age))
        cursor.execute("SELECT round(extract(epoch FROM date_trunc('hour', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - hour)), delivered, failed, dead"
                       " FROM notify.stats_hourly WHERE integration_id <> workspace_id ORDER BY hour DESC")
        assert [tuple(map(int, row)) for row in cursor.fetchall()] == [(0, 2, 1, 0), (3600, 2, 1, 0), (7200, 4, 2, 0)]


def test_notes_of_one_statement_that_are_for_one_row_are_added_up_and_so_is_their_workspace(migrated, build):
    """What could not be written before goes with what came since, and PostgreSQL changes a row once in a statement."""
    one, two, workspace = ("11111111-1111-4111-8111-111111111111", "33333333-3333-4333-8333-333333333333", "22222222-2222-4222-8222-222222222222")
    with migrated.connect() as connection, connection.cursor() as cursor:
        oids, sql = statements(build)["hours"]
        prepare(cursor, "hours", oids, sql)
        for _ in range(2):
            cursor.execute("EXECUTE p_hours(%s::uuid[], %s::uuid[], ARRAY[0, 0, 0], ARRAY[2, 3, 4], ARRAY[1, 0, 0], ARRAY[0, 0, 5])",
                           ([one, one, two], [workspace] * 3))
        cursor.execute("SELECT integration_id::text, delivered, failed, dead FROM notify.stats_hourly WHERE workspace_id = %s", (workspace,))
        assert {row[0]: tuple(map(int, row[1:])) for row in cursor.fetchall()} == {one: (10, 2, 0), two: (8, 0, 10), workspace: (18, 2, 10)}


def test_old_hours_are_deleted_and_young_ones_stay(stage, notifyd):
    run_roles(stage.database)
    stage.database.execute("INSERT INTO notify.stats_hourly (integration_id, workspace_id, hour, delivered)"
                           " SELECT gen_random_uuid(), gen_random_uuid(), now() - n * interval '1 day', n FROM generate_series(1, 60) n, generate_series(1, 5)")
    one = notifyd({"workers": 1, "database": {"role": "notify_worker"}, "retention": {"interval": 0.2, "batch": 10, "stats_days": 40.5}})
    stage.wait(lambda: stage.database.query("SELECT count(*), max(delivered)::int FROM notify.stats_hourly") == [(200, 40)], 20)
    stage.wait(lambda: sum(int(line["hours"]) for line in one.events("old_rows_deleted")) == 100, 5)

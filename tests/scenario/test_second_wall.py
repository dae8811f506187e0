"""Two workspaces never meet: not by a forged id, and not when every WHERE of every statement is taken away."""

from __future__ import annotations

import re
import subprocess
from typing import Any, Callable

import psycopg2
import pytest
from ctl import ROOT
from sandbox import seed
from served import LOGIN

TABLES = ("orgs", "workspaces", "targets", "scans", "findings", "integrations")
NEW = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def statements(build: Any) -> dict[str, tuple[list[int], str]]:
    printed = subprocess.run([build / "tests/unit/service_tool", "statements"], capture_output=True, text=True, check=True).stdout
    return {name: ([int(oid) for oid in oids.split(",")], sql) for name, oids, sql in (line.split("\t") for line in printed.splitlines())}


def without_where(sql: str) -> str:
    """The same statement for any row that it can reach; its parameters are still used."""
    return re.sub(r"\b\w+\.(?:workspace_id|id) = (\$[12])(?=\D|$)", r"\1 IS NOT NULL", sql)


@pytest.fixture
def run(served: Any, statements: Any) -> Callable[..., list[tuple]]:
    """run(NAME, VALUES): a statement without its WHERE clauses, for ours, as the API's login; committed."""

    def one(name: str, *values: Any, workspace: str = served.ours.id) -> list[tuple]:
        connection = psycopg2.connect(served.database.dsn(LOGIN))
        oids, sql = statements[name]
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('notify.workspace', %s, true)", (workspace,))
            cursor.execute("SELECT array_agg(format_type(o, NULL) ORDER BY n) FROM unnest(%s) WITH ORDINALITY AS x(o, n)", (oids,))
            cursor.execute(f"PREPARE one ({', '.join(cursor.fetchone()[0])}) AS {without_where(sql)}")
            cursor.execute(f"EXECUTE one({', '.join(['%s'] * len(values))})", values)
            return cursor.fetchall() if cursor.description else []

    return one


def theirs(served: Any) -> dict[str, Any]:
    found = served.database.query("SELECT i::text FROM public.integrations i WHERE workspace_id = %s ORDER BY id", (served.theirs.id,))
    return {"rows": found, "changes": served.database.query("SELECT c::text FROM notify.changes c WHERE workspace_id = %s", (served.theirs.id,))}


@pytest.fixture
def both(served: Any) -> tuple[str, str]:
    return served.add(), served.add(workspace=served.theirs)


def test_without_their_where_clauses_statements_still_reach_one_workspace(served: Any, statements: Any, run: Any, both: Any) -> None:
    mine, other = both
    before = theirs(served)
    assert sum(without_where(sql) != sql for _, sql in statements.values()) >= 8
    assert [row[2] for row in run("api_integration_list", served.theirs.id, None, None, 100)] == [mine]
    assert [other in str(row) for row in run("api_integration_get", served.theirs.id, other)] == [False]
    assert run("api_integration_lock", served.theirs.id, other) == [(mine,)]
    assert run("api_integration_settings", served.theirs.id, other) == [("webhook", served.row(mine)["config_encrypted"][2:])]
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):  # a copy is logged for the workspace that was asked for
        run("api_integration_duplicate", served.theirs.id, other, NEW, "copied", None, "a", "b")
    taken = (other, None, "taken over", None, None, None, None, None, "false", None, "false", None, "a", "b")
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):  # what it writes into the log of changes is theirs
        run("api_integration_update", served.theirs.id, *taken)
    run("api_integration_update", served.ours.id, *taken)
    assert served.row(mine)["name"] == "taken over" and theirs(served) == before
    run("api_integration_delete", served.ours.id, other, "a", "b", None)
    assert served.database.query("SELECT id::text FROM public.integrations") == [(other,)] and theirs(served) == before


def test_nothing_can_be_written_for_another_workspace(served: Any, run: Any, both: Any) -> None:
    before = theirs(served)
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):  # the log of changes names the workspace that was asked for
        run("api_integration_create", served.theirs.id, NEW, "slack", "x", "high", "true", b"x", None, None, None, "a", "b", None)
    row, = run("api_integration_create", served.ours.id, NEW, "slack", "x", "high", "true", b"x", "{" + served.foreign + "}", None, None, "a", "b", None)
    assert row[1] == served.foreign, "a foreign target is none, whatever the statement asks"
    with pytest.raises(psycopg2.errors.WithCheckOptionViolation):
        run("api_integration_key", served.theirs.id, "key", b"x", NEW, None, None)
    assert theirs(served) == before and served.database.query("SELECT count(*) FROM public.integrations") == [(2,)]
    served.database.execute("UPDATE public.integrations SET target_kinds = '[\"repo\"]'")
    before = theirs(served)
    run("api_integration_duplicate", served.ours.id, both[1], NEW, "copied", None, "a", "b")
    copy, original = served.row(NEW), served.row(both[0])
    assert theirs(served) == before and {name for name in copy if copy[name] != original[name]} - {"updated_at"} == {"id", "name", "enabled", "created_at"}


def test_rows_cannot_be_moved_or_made_for_another_workspace_by_any_sql(served: Any, both: Any) -> None:
    mine, other = both
    with psycopg2.connect(served.database.dsn(LOGIN)) as connection, connection.cursor() as cursor:
        for sql, error in ((f"UPDATE notify.api_integrations SET workspace_id = '{served.theirs.id}'", "InsufficientPrivilege"),
                           (f"UPDATE notify.api_integrations SET name = 'x' WHERE id = '{other}'", None),
                           (f"INSERT INTO notify.api_audit (workspace_id, actor, actor_name, verb, object) VALUES ('{served.theirs.id}', '', '', '', '')",
                            "WithCheckOptionViolation"),
                           (f"INSERT INTO notify.api_integrations (id, org_id, workspace_id, kind, name, enabled, severity_filter) VALUES"
                            f" ('{NEW}', '{served.theirs.org_id}', '{served.theirs.id}', 'slack', 'x', true, 'high')", "WithCheckOptionViolation"),
                           ("DELETE FROM notify.api_audit", "InsufficientPrivilege"), ("UPDATE notify.tokens SET scope = 'write'", "InsufficientPrivilege")):
            cursor.execute(f"SET LOCAL notify.workspace = '{served.ours.id}'")
            if error:
                with pytest.raises(getattr(psycopg2.errors, error)):
                    cursor.execute(sql)
                connection.rollback()
            else:
                cursor.execute(sql)
                assert cursor.rowcount == 0
                connection.rollback()


def test_without_the_setting_there_is_nothing_and_with_it_one_workspace(served: Any, both: Any) -> None:
    connection = psycopg2.connect(served.database.dsn(LOGIN))
    with connection, connection.cursor() as cursor:
        for view in ("api_integrations", "api_targets", "api_workspaces", "api_audit", "api_keys"):
            for workspace in (None, "", NEW):
                if workspace is not None:
                    cursor.execute("SELECT set_config('notify.workspace', %s, true)", (workspace,))
                cursor.execute(f"SELECT count(*) FROM notify.{view}")
                assert cursor.fetchone() == (0,), (view, workspace)
            connection.rollback()
        cursor.execute("SELECT set_config('notify.workspace', %s, true)", (served.ours.id,))
        cursor.execute("SELECT (SELECT array_agg(id::text) FROM notify.api_integrations), (SELECT array_agg(id::text ORDER BY id) FROM notify.api_targets),"
                       " (SELECT array_agg(id::text) FROM notify.api_workspaces)")
        assert cursor.fetchone() == ([both[0]], sorted(served.targets), [served.ours.id])
        connection.rollback()
        cursor.execute("SELECT current_setting('notify.workspace', true)")
        assert cursor.fetchone()[0] in (None, ""), "it ends with its transaction"
    connection.close()


def test_a_cheap_function_in_a_where_clause_sees_no_other_workspaces_rows(served: Any, both: Any) -> None:
    """What security_barrier is for: without it the planner would ask the function first."""
    served.database.execute("CREATE FUNCTION notify.spy(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS"
                            " $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$")
    connection = psycopg2.connect(served.database.dsn(LOGIN))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('notify.workspace', %s, true)", (served.ours.id,))
        cursor.execute("SELECT count(*) FROM notify.api_integrations WHERE notify.spy(id::text)")
        assert cursor.fetchone() == (1,)
    assert both[0] in "".join(connection.notices) and both[1] not in "".join(connection.notices)
    connection.close()


def test_the_apis_role_reads_none_of_the_products_tables_nor_the_ledger(served: Any) -> None:
    for table in (*(f"public.{name}" for name in TABLES), "notify.deliveries", "notify.changes", "notify.kept_answers"):
        for sql in (f"SELECT FROM {table}", f"DELETE FROM {table}"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                served.database.execute(sql, user=LOGIN)


VIEWS = {  # and whether rows can be written through it, of this workspace alone
    "api_integrations": True, "api_targets": True, "api_workspaces": True, "api_scans": True, "api_findings": False,  # of the product
    "api_audit": True, "api_keys": True, "api_events": True, "api_deliveries": True, "api_recent": False, "api_attempts": True, "api_states": True,
    "api_refs": False, "api_hours": False, "api_recent_events": False}
PRODUCTS = {"api_integrations", "api_targets", "api_workspaces", "api_scans", "api_findings"}


def test_the_views_belong_to_the_owner_of_the_products_tables(served: Any) -> None:
    owners = served.database.query("SELECT relname, relowner = (SELECT relowner FROM pg_class WHERE oid = 'public.integrations'::regclass),"
                                   " reloptions::text FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND relkind = 'v' ORDER BY 1")
    assert [(name, options) for name, _, options in owners] == [
        (name, "{security_barrier=true,check_option=cascaded}" if VIEWS[name] else "{security_barrier=true}") for name in sorted(VIEWS)]
    assert all(owner for name, owner, _ in owners if name in PRODUCTS), owners


def test_the_role_has_rights_on_the_views_and_on_tokens_only(served: Any) -> None:
    roles = (ROOT / "schema" / "roles.sql").read_text()
    assert set(re.findall(r"^GRANT .* ON TABLE (\S+) TO notify_api;$", roles, re.M)) == {
        "notify.schema_migrations", "notify.tokens", *(f"notify.{view}" for view in VIEWS)}


@pytest.fixture
def ledger(served: Any, both: Any) -> dict[str, Any]:
    """A dead delivery with an attempt in each workspace, and a scan with a finding."""
    found = {}
    for name, workspace, integration, target in (("ours", served.ours, both[0], served.targets[0]), ("theirs", served.theirs, both[1], served.foreign)):
        scan = seed.add_scan(served.connection, seed.Target(target, workspace, "url", "shop"))
        finding, = seed.add_findings(served.connection, scan, ["high"])
        served.database.execute(
            f"INSERT INTO notify.events (id, content_hash, workspace_id, scan_id, event_type, finding_id, queue, state, first_seen, finished_at, considered, matched)"
            f" VALUES ('event {name}', 'x', '{workspace.id}', '{scan.id}', 'finding_new', '{finding.id}', 'notify', 'done', now(), now(), 1, 1);"
            f" INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, reason, error)"
            f" VALUES ('event {name}', '{integration}', '{workspace.id}', 'dead', 1, 'rejected', 'http_error');"
            f" INSERT INTO notify.attempts (event_id, integration_id, attempt, error) VALUES ('event {name}', '{integration}', 1, 'http_error');"
            f" INSERT INTO notify.integration_state (integration_id, workspace_id, last_success_at) VALUES ('{integration}', '{workspace.id}', now());"
            f" INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id, finding_id, state, key)"
            f" VALUES ('{integration}', 'f', '{workspace.id}', '{finding.id}', 'open', 'key {name}');"
            f" INSERT INTO notify.stats_hourly (integration_id, workspace_id, hour, delivered) VALUES ('{integration}', '{workspace.id}',"
            f" date_trunc('hour', now(), 'UTC'), {4711 if name == 'theirs' else 3})")
        found[name] = (f"event {name}", integration, scan.id, finding.id)
    found["export"] = "00000000-0000-4000-8000-00000000e000"
    served.database.execute(f"UPDATE notify.events SET export_id = '{found['export']}', export_to = '{found['theirs'][1]}' WHERE id = 'event theirs'")
    return found


def test_no_statement_about_the_ledger_reaches_another_workspaces(served: Any, statements: Any, run: Any, ledger: Any) -> None:
    event, integration, scan, finding = ledger["theirs"]
    other = served.theirs.id
    states = "{dead,waiting,delivered}"
    page = (other, "200000000000000000", "", "00000000-0000-0000-0000-000000000000", 100, 100, states, None, None)
    events = (other, "200000000000000000", "", 100, 100, "{done,dead}", None, None)
    asked = {
        "api_delivery_recent": page, "api_delivery_of_integration": (*page, integration), "api_delivery_of_events": (*page, event, scan, finding, integration),
        "api_delivery_of_export": (*page, None, None, None, None, ledger["export"]),
        "api_delivery_get": (other, event, integration), "api_delivery_attempts": (other, event, integration),
        "api_explain_events": (other, None, scan, "finding_new", finding, 5), "api_explain_deliveries": (other, event, None, None, None, 5, None),
        "api_explain_attempts": (other, event, None, None, None, 5, None), "api_explain_facts": (other, event, scan, finding), "api_explain_integrations": (other, None),
        "api_target_list": (other, None, None, 100), "api_stats": (other, states), "api_stats_integrations": (other,), "api_overview": (other, None, None, 100, None, None, None),
        "api_event_recent": events, "api_event_of_scan": (*events, scan, finding)}
    assert set(asked) == {name for name in statements if re.match("api_(delivery|explain|target|stats|overview|event)", name)} - {"api_delivery_replay", "api_delivery_drop"}
    for name, values in asked.items():
        said = str(run(name, *values))
        given = {str(value) for value in values}
        for secret in (event, integration, scan, finding, "key theirs", "4711", served.foreign):
            assert secret in given or secret not in said, (name, said)
    assert ledger["ours"][0] in str(run("api_delivery_recent", *page)) and run("api_delivery_get", other, event, integration) == []
    before = served.database.query("SELECT d::text, a::text FROM notify.deliveries d JOIN notify.attempts a USING (event_id, integration_id) WHERE workspace_id = %s", (other,))
    for name in ("api_delivery_replay", "api_delivery_drop"):
        assert run(name, served.ours.id, "{" + event + "}", "{" + integration + "}", "a", "b") == [(event, integration, False, None, "deleted")]
        run(name, other, "{" + event + "}", "{" + integration + "}", "a", "b")
    assert served.database.query("SELECT d::text, a::text FROM notify.deliveries d JOIN notify.attempts a USING (event_id, integration_id) WHERE workspace_id = %s", (other,)) == before


def test_no_export_reaches_another_workspaces_findings_or_integration(served: Any, statements: Any, run: Any, ledger: Any) -> None:
    event, integration, scan, finding = ledger["theirs"]
    mine_event, mine, my_scan, my_finding = ledger["ours"]
    export, other = "00000000-0000-4000-8000-00000000e001", served.theirs.id
    before = served.database.query("SELECT e::text, d::text FROM notify.events e JOIN notify.deliveries d ON d.event_id = e.id ORDER BY 1")
    kinds, who = "{webhook}", ("a", "b")
    for workspace in (served.ours.id, other):
        for of in ((scan, None), (None, "{" + finding + "}")):
            for to in (integration, mine):
                said = str(run("api_export", workspace, *of, 0, 10, "false", to, export, None, kinds, *who, kinds, 10, 10))
                assert "Finding 1" not in said and said.count(finding) <= 1, "no more than that there is none with the id that was given"
            assert "Finding 1" not in str(run("api_export_unsaved", workspace, *of, 0, 10, "true", *who, export))
        run("api_export_wake", workspace, integration, export, kinds, "{1}")
        run("api_export_cancel", workspace, export, *who)
    assert served.database.query("SELECT e::text, d::text FROM notify.events e JOIN notify.deliveries d ON d.event_id = e.id ORDER BY 1") == before
    assert served.database.query("SELECT count(*) FROM notify.integration_state WHERE wake_at IS NOT NULL") == [(0,)]
    # while ours works, and then is not theirs to cancel
    assert my_finding in str(run("api_export", served.ours.id, my_scan, None, 0, 10, "false", mine, export, None, kinds, *who, kinds, 10, 10))
    assert run("api_export_cancel", served.ours.id, export, *who, workspace=other) == [(0, 0)]
    assert run("api_export_cancel", served.ours.id, export, *who) == [(1, 1)]


@pytest.mark.parametrize("name", ["notify.api_export_sum(uuid, uuid[], integer)", "notify.api_exportable(uuid, uuid[], integer, integer, integer)"])
def test_the_functions_of_exports_are_the_owners_and_for_the_api_alone(served: Any, ledger: Any, name: str) -> None:
    owner, public = served.database.query(
        f"SELECT p.proowner = (SELECT relowner FROM pg_class WHERE oid = 'public.integrations'::regclass),"
        f" EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0) FROM pg_proc p WHERE p.oid = '{name}'::regprocedure")[0]
    assert owner and not public
    call = name.partition("(")[0] + "(%s, NULL, 0" + (", 10, 10)" if "exportable" in name else ")")
    with psycopg2.connect(served.database.dsn(LOGIN)) as connection, connection.cursor() as cursor:
        for setting, scan, found in (("", "ours", 0), (NEW, "ours", 0), (served.ours.id, "theirs", 0), (served.ours.id, "ours", 1)):
            cursor.execute("SELECT set_config('notify.workspace', %s, true)", (setting,))
            cursor.execute(f"SELECT {'count(*)' if 'exportable' in name else 'sum(meant + low + suppressed)'} FROM {call}", (ledger[scan][2],))
            assert cursor.fetchone() == (found,), (setting, scan)


def test_the_api_reads_of_a_finding_what_destinations_are_told(served: Any, ledger: Any) -> None:
    """Not what the product keeps beside it, as the evidence."""
    with psycopg2.connect(served.database.dsn(LOGIN)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('notify.workspace', %s, true)", (served.ours.id,))
        cursor.execute("SELECT array_agg(k) FROM notify.api_exportable(%s, NULL, 0, 10, 10) e, jsonb_object_keys(e.facts->'finding') k", (ledger["ours"][2],))
        known, = cursor.fetchone()
    worker = (ROOT / "worker" / "statements.c").read_text()
    assert len(known) == 22 and all(f"f.{name}" in worker for name in set(known) - {"id"})

"""On the live product's own database: another role owns its tables, our login has the rights of schema/roles.sql and no
others, and the rows of `integrations` hold settings in every form that its versions have written.

That each missing right is named by `notifyctl check` is tested in test_notifyctl.py.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import psycopg2
import pytest
from cryptography.fernet import Fernet
from ctl import ROOT
from sandbox import producer, seed
from sandbox.receiver import Answer
from sandbox.signatures import verify_signatures

from conftest import Stage, balance, dead_letters, migrate

TRIGGERS = (ROOT / "schema" / "integration_triggers.sql").read_text()
OWNER, ADMIN, LOGIN = "incumbent", "notify_admin", "notify_login"


class Live:
    """The live product's database: OWNER has its tables, ADMIN may make a schema, LOGIN is what notifyd logs in as."""

    def __init__(self, build: Path, database: Any) -> None:
        self.build, self.database = build, database
        for role in (ADMIN, LOGIN):
            database.server.create_role(role)
        database.server.create_role("notify_worker", "NOLOGIN")
        database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {ADMIN}; GRANT notify_worker TO {LOGIN};"
                         "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        self.settings = {"database": {"url": database.dsn(LOGIN), "role": "notify_worker", "reconnect_max": 1.0}}
        database.url = database.dsn(OWNER)  # whoever seeds and changes rows does it as the product

    def migrate(self) -> None:
        """As the documents say: migrate, the owner's part, the roles."""
        migrate(self.build, self.database.dsn(ADMIN))
        self.database.execute(TRIGGERS, user=OWNER)
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", ROOT / "schema" / "roles.sql", self.database.dsn()], check=True)

    def write_and_read(self) -> None:
        """What the product does with its tables, as their owner; every statement touches the row it means."""
        connection = self.database.connect(OWNER)
        cursor = connection.cursor()
        workspace, _, _, findings = seed.add_example(connection)
        hook = seed.add_integration(connection, workspace, "webhook", {}, Fernet.generate_key())
        for table, column, value in (("integrations", "enabled", "false"), ("findings", "suppressed", "true"), ("scans", "grade", "'A'"),
                                     ("targets", "name", "'renamed'"), ("workspaces", "slug", "'renamed'"), ("orgs", "plan", "'paid'")):
            key, owner = ("org_id", workspace.org_id) if table != "findings" else ("scan_id", findings[0].scan.id)
            cursor.execute(f"UPDATE {table} SET {column} = {value} WHERE {'id' if table == 'orgs' else key} = %s", (owner,))
            assert cursor.rowcount > 0, table
            cursor.execute(f"SELECT * FROM {table} WHERE {column} = {value}")
            assert cursor.fetchall(), table
        cursor.execute("DELETE FROM integrations WHERE id = %s", (hook.id,))
        cursor.execute("DELETE FROM orgs WHERE id = %s", (workspace.org_id,))  # cascades
        cursor.execute("SELECT count(*) FROM findings WHERE id = ANY (%s::uuid[])", ([finding.id for finding in findings],))
        assert cursor.fetchall() == [(0,)]
        connection.close()


@pytest.fixture
def live(build, incumbent) -> Live:
    return Live(build, incumbent)


@pytest.fixture
def stage(build, live, fernet_key, receiver, broker_url) -> Iterator[Stage]:
    made = Stage(live.database, fernet_key, receiver, broker_url)
    yield made
    made.close()
    balance(build, made)


def test_everything_works_with_the_rights_of_the_roles_and_no_others(live, stage, notifyd):
    live.migrate()
    hook = stage.webhook("/hook")
    quiet = stage.webhook("/quiet", severity_filter="critical")
    daemon = notifyd(live.settings)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    retried = stage.publish()
    stage.receiver.wait_for(2, "/hook")
    stage.wait(lambda: [row["state"] for row in stage.deliveries(retried)] == ["delivered"])
    assert stage.events(retried)[0]["filtered_severity"] == 1
    assert stage.database.query("SELECT attempt, status FROM notify.attempts WHERE event_id = %s", (retried,)) == [(1, 503)]
    stage.receiver.script("/hook", Answer(status=404))
    dead = stage.publish("scan_done")
    stage.wait(lambda: {row["state"] for row in stage.deliveries(dead)} == {"dead", "delivered"})

    # Their own change is followed at once: their trigger reaches us although they have no right on our schema.
    with stage.connection.cursor() as cursor:
        cursor.execute("UPDATE integrations SET enabled = false WHERE id = %s", (hook.id,))
    time.sleep(0.3)
    filtered = stage.publish("finding_changed")
    stage.wait(lambda: [(row["matched"], row["filtered_disabled"]) for row in stage.events(filtered)] == [(0, 1)])
    assert quiet.id and not daemon.events("triggers_missing") and not daemon.events("database_link_down")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        live.database.query("SELECT credentials_encrypted FROM public.targets", user=LOGIN)


def test_the_product_reads_and_writes_as_before_also_without_the_schema_and_notifyd_survives_that(live, stage, notifyd):
    live.write_and_read()
    live.migrate()
    stage.webhook()
    daemon = notifyd(live.settings)
    live.write_and_read()
    stage.publish("scan_done")
    stage.receiver.wait_for(1)
    live.database.execute("DROP SCHEMA notify CASCADE")
    live.write_and_read()
    meanwhile = stage.publish("scan_started")
    daemon.wait_event("database_link_down", link="pencheff-notify worker")
    live.write_and_read()
    assert stage.receiver.count() == 1
    live.migrate()
    stage.receiver.wait_for(2)
    stage.wait(lambda: [row["state"] for row in stage.deliveries(meanwhile)] == ["delivered"])
    assert len(daemon.workers()) == 2 and len(daemon.events("worker_ready")) == 2, "no worker was replaced"
    live.write_and_read()


def test_notifyd_that_was_started_before_migrate_begins_to_work_when_it_has_been_run(live, stage, notifyd):
    stage.webhook()
    daemon = notifyd(live.settings)
    early = stage.publish()
    refused = daemon.wait_event("database_unreachable", link="pencheff-notify worker", count=3)
    assert "permission denied for schema public" in refused[-1]["reason"], "the log tells what is missing first"
    assert stage.receiver.count() == 0
    live.migrate()
    began = time.monotonic()
    stage.receiver.wait_for(1, timeout=5)
    print(f"delivered {time.monotonic() - began:.1f} s after migrate")
    stage.wait(lambda: [row["state"] for row in stage.deliveries(early)] == ["delivered"])
    assert len(daemon.events("worker_ready")) == 2, "no worker was replaced"


def test_a_lock_that_the_owner_holds_on_its_table_only_delays(live, stage, notifyd):
    live.migrate()
    hook = stage.webhook()
    settings = {**live.settings, "database": {**live.settings["database"], "timeout": 2.0}}  # statements give up after 0.8 s on a lock
    daemon = notifyd(settings)
    stage.publish("scan_done")
    stage.receiver.wait_for(1)
    owner = psycopg2.connect(live.database.url)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE integrations SET name = 'renamed' WHERE id = %s", (hook.id,))
        owner.commit()  # what is cached is void now
        cursor.execute("ALTER TABLE integrations ADD COLUMN their_next_version text")
    events = {stage.publish("scan_done") for _ in range(5)}
    daemon.wait_event("batch_again", level="warn", batch="rules", sqlstate="55P03")
    assert stage.receiver.count() == 1
    owner.commit()
    owner.close()
    stage.receiver.wait_for(6)
    stage.wait(lambda: {row["event_id"] for row in stage.deliveries() if row["state"] == "delivered"} >= events)
    assert stage.receiver.count() == 6 and not daemon.events("database_link_down")


def test_every_form_of_stored_settings_is_read_and_a_bad_one_is_dead_alone(live, stage, notifyd, fernet_key):
    live.migrate()
    old, lost = Fernet.generate_key().decode(), Fernet.generate_key().decode()

    def add(path: str, token: bytes | None, kind: str = "webhook") -> str:
        made = stage.integration({}, kind)
        stage.database.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s", (token, made.id))
        expected[made.id] = path
        return made.id

    def settings(path: str, **more: Any) -> dict[str, Any]:
        return {"webhook_url": stage.receiver.url(path), **more}

    expected: dict[str, str] = {}  # integration: path, or the reason why it is dead
    seal = seed.encrypt_config
    add("/today", seal(settings("/today", hmac_secret="first-secret"), fernet_key))
    add("/plain", seal(settings("/plain", webhook_secret="second-secret"), fernet_key, plain_form=True))
    add("/old", seal(settings("/old"), old))
    add("/old-plain", seal(settings("/old-plain"), old, plain_form=True))
    broken = add("config_unreadable", seal(settings("/lost", hmac_secret="lost-secret"), lost))
    add("config_unreadable", None)
    add("config_unreadable", b"")
    add("config_unreadable", b"\x00\xffno token")
    add("config_unreadable", seal(settings("/cut"), fernet_key)[:-4])
    for text in (b"[]", b"no json secret", b'{"config": "no json secret"}', b'{"config": "[\\"secret\\"]"}'):
        add("config_unreadable", Fernet(fernet_key).encrypt(text))
    add("config_invalid", seal({}, fernet_key))
    add("config_invalid", seal({"hmac_secret": "third-secret"}, fernet_key, plain_form=True))
    add("config_invalid", seal({"webhook_url": 5}, fernet_key))
    add("config_invalid", seal({"webhook_url": "fourth-secret"}, fernet_key))
    add("config_invalid", Fernet(fernet_key).encrypt(b'{"config": {"webhook_url": "https://fifth-secret.example"}}'))
    add("unknown_kind", seal(settings("/unheard"), fernet_key), "unheard-of")
    daemon = notifyd({**live.settings, "secrets": {"fernet_keys": [fernet_key, old]}})

    event = stage.publish("scan_done")
    rows = stage.wait(lambda: (rows := stage.deliveries(event)) and len(rows) == len(expected) and rows)
    assert {row["integration_id"]: row["reason"] or row["state"] for row in rows} == {
        hook: "delivered" if said.startswith("/") else said for hook, said in expected.items()}
    assert {(row["state"], row["attempt"]) for row in rows} == {("delivered", 1), ("dead", 0)}
    requests = {request.path: request for request in stage.receiver.requests()}
    assert sorted(request.path for request in stage.receiver.requests()) == ["/old", "/old-plain", "/plain", "/today"]
    verify_signatures(requests["/today"].header, requests["/today"].body, "first-secret")
    verify_signatures(requests["/plain"].header, requests["/plain"].body, "second-secret")
    dead = {hook: said for hook, said in expected.items() if not said.startswith("/")}
    letters = dead_letters(stage.broker_url, len(dead))
    assert {headers["x-notify-integration"]: headers["x-notify-reason"] for headers, _, _ in letters} == dead
    assert all(headers["x-notify-detail"] for headers, _, _ in letters)
    assert stage.events(event)[0]["state"] == "done" and stage.events(event)[0]["matched"] == len(expected)

    # Settings that were repaired are used by the next event.
    stage.database.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s", (seal(settings("/repaired"), fernet_key), broken))
    time.sleep(0.3)
    stage.publish("scan_started")
    stage.receiver.wait_for(1, "/repaired")
    shown = daemon.log_text() + "".join(map(str, letters))
    assert "secret" not in shown.replace(str(producer.MODULE), "") and stage.receiver.url("/lost") not in shown

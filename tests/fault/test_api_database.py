"""The API over a database that refuses, waits, is slow or loses an answer: who asked for it bears it, and nobody is told what is not so."""

from __future__ import annotations

import threading
import time
from typing import Any, Iterator

import figures
import psycopg2
import pytest
from proxy import Link, Proxy
from sandbox import seed
from sandbox.api import NotifyApi, Reply

SLACK = {"kind": "slack", "name": "#security", "config": {"webhook_url": "https://hooks.slack.com/services/T0/B0/verysecret"}}
PATIENT = {"api": {"rate": 100000.0}, "database": {"timeout": 30.0}}


@pytest.fixture
def token(ctl, stage):
    """token(workspace) makes one."""
    def make(workspace: Any = None) -> str:
        words = ("token", "create", "--workspace", (workspace or stage.workspace).id, "--scope", "write", "--json")
        return ctl(*words, database={"role": None}).json()["token"]

    return make


def created(api: NotifyApi, token: str) -> str:
    answer = api.ask("POST", "/integrations", SLACK, token)
    assert answer.status == 201, answer
    return f"/integrations/{answer.json()['id']}"


def timed(api: NotifyApi, *asked: Any) -> tuple[Reply, float]:
    began = time.monotonic()
    return api.ask(*asked), time.monotonic() - began


def on_integrations(stage: Any, body: str) -> None:
    """A trigger of the product's own."""
    stage.database.execute("CREATE TABLE product_log (id uuid); CREATE SEQUENCE product_tries;"
                           f" CREATE FUNCTION product_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;"
                           " CREATE TRIGGER product_note BEFORE INSERT ON integrations FOR EACH ROW EXECUTE FUNCTION product_note()")


# --- refused

@pytest.mark.parametrize("body, sqlstate", [
    ("INSERT INTO product_log VALUES (NEW.id)", "42501"), ("RAISE 'secret words'", "P0001"), ("RAISE 'secret words' USING ERRCODE = '23505'", "23505"),
    ("RAISE 'secret words' USING ERRCODE = '42P01'", "42P01"), ("RAISE 'secret words' USING ERRCODE = 'UX001'", "UX001")])
def test_what_the_database_refuses_is_refused_at_once_and_disturbs_nobody(stage, notify_api, token, body, sqlstate):
    api = notify_api({"api": {"role": "notify_api"}})
    api.wait_event("database_link_up", count=5)
    mine, other = token(), token(seed.add_workspace(stage.connection))
    on_integrations(stage, body)
    refused, seconds = timed(api, "POST", "/integrations", SLACK, mine)
    assert refused.status == 500 and "request_id" in refused.json()["detail"] and seconds < 2, (refused, seconds)
    assert b"product_log" not in refused.body and b"secret" not in refused.body
    said = api.wait_event("request_refused")
    assert [(one["id"], one["sqlstate"]) for one in said] == [(refused.json()["request_id"], sqlstate)]
    assert timed(api, "GET", "/integrations", None, other)[1] < 1 and timed(api, "GET", "/integrations", None, mine)[0].status == 200
    assert not api.events("database_link_down")
    stage.database.execute("DROP TRIGGER product_note ON integrations")
    created(api, mine)


def test_a_role_that_is_dropped_and_made_again_is_taken_on_again(stage, notify_api, token):
    """As roles.sql of another version may be run: from nothing."""
    mine, role = token(), f"renewed_{stage.database.name}"

    def make() -> None:
        stage.database.execute(f"CREATE ROLE {role} NOLOGIN; GRANT notify_api TO {role}")

    make()
    try:
        api = notify_api({"api": {"role": role}, "database": {"timeout": 5.0}})
        path = created(api, mine)
        stage.database.execute(f"DROP ROLE {role}; SELECT pg_sleep(1.2)")  # what is known of the token is forgotten
        assert timed(api, "GET", path, None, mine)[0].status == 503
        make()
        for _ in range(8):
            answer, seconds = timed(api, "GET", path, None, mine)
            assert answer.status == 200 and seconds < 5, (answer, seconds)
        created(api, mine)
        assert not api.events("request_refused") and not api.events("tokens_refused")
        api.close()
    finally:
        stage.database.execute(f"DROP ROLE {role}")


def test_tokens_that_may_not_be_read_are_asked_for_again_on_the_same_connection(stage, notify_api, token):
    """As after an upgrade whose rights are not there yet."""
    mine = token()
    api = notify_api({"api": {"role": "notify_api"}, "database": {"timeout": 3.0}})
    api.wait_event("database_link_up", count=5)
    stage.database.execute("REVOKE SELECT ON notify.tokens FROM notify_api")
    assert timed(api, "GET", "/integrations", None, mine)[0].status == 503
    said = api.wait_event("tokens_refused")
    assert said[0]["sqlstate"] == "42501" and "advice" in said[0] and not api.events("database_link_down")
    stage.database.execute("GRANT SELECT ON notify.tokens TO notify_api")
    assert timed(api, "GET", "/integrations", None, mine)[0].status == 200


def test_tokens_are_looked_up_whatever_the_products_tables_are_locked_for(stage, notify_api, token):
    """A migration of the product; the API is started meanwhile."""
    mine = token()
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE integrations IN ACCESS EXCLUSIVE MODE")
    api = notify_api(wait=False)
    refused, seconds = timed(api, "GET", "/integrations", None, mine[:-1] + ("x" if mine[-1] != "x" else "y"))
    assert refused.status == 401 and seconds < 3, (refused, seconds)
    lock.rollback()
    lock.close()
    api.wait_ready()
    assert api.ask("GET", "/integrations", None, mine).json() == []


def test_a_prepared_statement_that_no_longer_fits_is_prepared_anew(stage, notify_api, token):
    """What a connection has in its memory is no fault of who asks: it is made anew, and the request answered."""
    api, mine = notify_api(), token()
    on_integrations(stage, "IF nextval('product_tries') < 3 THEN RAISE 'cached plan must not change result type' USING ERRCODE = '0A000'; END IF")
    created(api, mine)
    assert len(api.events("database_link_down")) == 2 and not api.events("request_refused")


def test_a_read_that_is_not_answered_says_nothing_of_changes_and_a_write_does(stage, notify_api, token):
    api, mine = notify_api({"database": {"timeout": 2.0}}), token()
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE integrations IN ACCESS EXCLUSIVE MODE")
    read, write = api.ask("GET", "/integrations", None, mine), api.ask("POST", "/integrations", SLACK, mine)
    lock.rollback()
    lock.close()
    assert (read.status, write.status) == (503, 503) and "retry-after" in read.headers
    assert "change" not in read.json()["detail"] and "Idempotency-Key" not in read.json()["detail"] and "try again" in read.json()["detail"], read
    assert "whether a change took effect is not known" in write.json()["detail"]


@pytest.mark.alone
def test_what_is_too_slow_is_ended_once_and_says_so(stage, notify_api, token):
    api, mine = notify_api({"database": {"timeout": 2.0}}), token()
    on_integrations(stage, "PERFORM nextval('product_tries'), pg_sleep(30)")
    answer, seconds = timed(api, "POST", "/integrations", SLACK, mine)
    assert answer.status == 503 and "nothing was changed" in answer.json()["detail"] and "retry-after" in answer.headers, answer
    assert stage.database.query("SELECT last_value FROM product_tries") == [(1,)] and 1.4 < seconds < 1.95
    assert not api.events("database_link_down")


# --- lost

class Loser(Proxy):
    """Once armed with the name of a statement, it swallows the answer to the next one, and cuts."""

    statement: bytes | None = None

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if to_server and self.statement and self.statement in data:
            self.statement = None
            link.loses = True
        elif not to_server and getattr(link, "loses", False):
            raise OSError("cut")


@pytest.fixture
def loser(postgres) -> Iterator[Loser]:
    with Loser(postgres.port) as made:
        yield made


@pytest.fixture
def lossy(stage, notify_api, loser) -> NotifyApi:
    return notify_api({"database": {"url": stage.database.url.replace(f":{stage.database.server.port}/", f":{loser.port}/")}})


def is_unknown(answer: Reply) -> bool:
    return answer.status == 503 and "not known" in answer.json()["detail"] and "retry-after" in answer.headers


def test_a_change_that_took_effect_and_whose_answer_was_lost_is_not_said_to_have_failed(lossy, loser, token):
    mine = token()
    path = created(lossy, mine)
    seen = lossy.ask("GET", path, None, mine).headers["etag"]
    loser.statement = b"api_integration_update"
    answer = lossy.ask("PATCH", path, {"name": "new"}, mine, {"If-Match": seen})
    assert loser.statement is None and is_unknown(answer), answer
    assert lossy.ask("GET", path, None, mine).json()["name"] == "new"
    assert lossy.ask("PATCH", path, {"name": "newer"}, mine, {"If-Match": seen}).status == 412  # this one was answered

    loser.statement = b"api_integration_update"
    assert lossy.ask("PATCH", path, {"name": "newest"}, mine).status == 200 and loser.statement is None
    loser.statement = b"api_integration_delete"
    answer = lossy.ask("DELETE", path, None, mine)
    assert loser.statement is None and is_unknown(answer), answer
    assert lossy.ask("GET", path, None, mine).status == 404 and lossy.ask("DELETE", path, None, mine).status == 404


@pytest.mark.parametrize("verb, listed", [("replay", False), ("replay", True), ("drop", True)])
def test_a_replay_that_took_effect_and_whose_answer_was_lost_is_not_said_to_have_failed(stage, lossy, loser, token, verb, listed):
    mine, hook = token(), stage.webhook()
    stage.database.execute(
        "INSERT INTO notify.events (id, content_hash, workspace_id, scan_id, event_type, queue, state, first_seen, accepted_at, finished_at, considered,"
        " matched) VALUES ('one', 'x', %(w)s, %(s)s, 'scan_done', 'notify', 'done', now(), now(), now(), 1, 1);"
        " INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, reason, error, updated_at)"
        " VALUES ('one', %(i)s, %(w)s, 'dead', 1, 'rejected', 'http_error', now())",
        {"w": stage.workspace.id, "s": stage.scan.id, "i": hook.id})
    asked = ("POST", f"/deliveries/{verb}", {"deliveries": [{"event_id": "one", "integration_id": hook.id}]}, mine)
    if not listed:
        asked = ("POST", f"/deliveries/one/{hook.id}/replay", None, mine)
    loser.statement = f"api_delivery_{verb}".encode()
    answer = lossy.ask(*asked)
    assert loser.statement is None and is_unknown(answer), answer
    assert stage.database.query("SELECT count(*) FROM notify.changes WHERE verb = %s", (verb,)) == [(1,)]
    assert lossy.ask(*asked).status == (200 if listed else 409)


def test_an_export_that_took_effect_and_whose_answer_was_lost_is_not_said_to_have_failed(stage, lossy, loser, token):
    """The first try is committed; before the second the integration is disabled, and then there is nothing to cancel any more."""
    mine, hook = token(), stage.webhook()
    stage.database.execute("CREATE FUNCTION disable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                           " UPDATE integrations SET enabled = false WHERE id = NEW.integration_id; RETURN NULL; END $$;"
                           " CREATE CONSTRAINT TRIGGER disables AFTER INSERT ON notify.deliveries DEFERRABLE INITIALLY DEFERRED"
                           " FOR EACH ROW EXECUTE FUNCTION disable(); ALTER FUNCTION disable() SECURITY DEFINER")
    loser.statement = b"api_export"
    answer = lossy.ask("POST", f"/integrations/{hook.id}/export", {"finding_ids": [stage.high]}, mine)
    assert loser.statement is None and is_unknown(answer), answer
    (export,), = stage.database.query("SELECT export_id::text FROM notify.events")
    stage.database.execute("DROP TRIGGER disables ON notify.deliveries")
    loser.statement = b"api_export_cancel"
    answer = lossy.ask("POST", f"/exports/{export}/cancel", None, mine)
    assert loser.statement is None and is_unknown(answer), answer
    assert lossy.ask("POST", f"/exports/{export}/cancel", None, mine).json() == {"canceled": 0}
    assert stage.database.query("SELECT state FROM notify.deliveries") == [("canceled",)]


def test_a_question_whose_answer_was_lost_is_asked_again_and_answered(lossy, loser, token):
    mine = token()
    path = created(lossy, mine)
    loser.statement = b"api_integration_get"
    assert lossy.ask("GET", path, None, mine).status == 200 and loser.statement is None
    loser.statement = b"api_integration_get"
    assert lossy.ask("GET", f"{path[:-12]}000000000000", None, mine).status == 404 and loser.statement is None


# --- slow

class Patches:
    """COUNT clients that change one integration, whose row somebody has locked until `let_go`."""

    def __init__(self, stage: Any, api: NotifyApi, token: str, path: str, count: int) -> None:
        self.answers: list[int] = []
        self._lock = psycopg2.connect(stage.database.url)
        self._lock.cursor().execute("SELECT FROM integrations WHERE id = %s FOR UPDATE", (path.rpartition("/")[2],))
        self._threads = [threading.Thread(target=lambda: self.answers.append(api.ask("PATCH", path, {"enabled": False}, token).status))
                         for _ in range(count)]
        for one in self._threads:
            one.start()

    def let_go(self) -> list[int]:
        """Their statuses."""
        self._lock.close()
        for one in self._threads:
            one.join()
        return self.answers


@pytest.mark.alone
def test_fifty_changes_that_wait_for_a_lock_keep_no_other_workspace_waiting(stage, notify_api, token):
    api = notify_api(PATIENT)
    api.wait_event("database_link_up", count=5)
    theirs, mine = token(seed.add_workspace(stage.connection)), token()
    path, seen = created(api, theirs), created(api, mine)
    api.ask("GET", seen, None, mine)
    patches, taken, waiting = Patches(stage, api, theirs, path, 50), [], []
    stage.wait(lambda: stage.database.query("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"))
    end = time.monotonic() + 5
    while time.monotonic() < end:
        answer, seconds = timed(api, "GET", seen, None, mine)
        assert answer.status == 200, answer
        taken.append(seconds * 1000)
        if len(taken) % 10 == 1:
            waiting += stage.database.query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    taken.sort()
    assert patches.let_go() == [200] * 50
    print(f"{len(taken)} answers, p50 {taken[len(taken) // 2]:.1f} ms, p99 {taken[int(len(taken) * 0.99)]:.1f} ms; at most {max(waiting)[0]} wait")
    figures.hold("API, beside 50 changes that wait for a lock: others' p99", taken[int(len(taken) * 0.99)], 50, "ms")
    assert max(waiting)[0] <= 2


def test_a_change_that_waits_for_a_lock_longer_than_it_may_is_not_made(stage, notify_api, token):
    api, mine = notify_api({"database": {"timeout": 2.0}}), token()
    path = created(api, mine)
    patches = Patches(stage, api, mine, path, 3)
    time.sleep(3)
    assert patches.let_go() == [503] * 3
    assert api.ask("GET", path, None, mine).json()["enabled"] is True and not api.events("database_link_down")


@pytest.mark.parametrize("connections", [1, 2, 4])
def test_many_questions_of_many_workspaces_at_once_are_all_answered(stage, notify_api, token, connections):
    api = notify_api({"api": {"rate": 100000.0, "database_connections": connections}})
    tokens = [token(seed.add_workspace(stage.connection)) for _ in range(5)]
    paths = [created(api, one) for one in tokens]
    statuses: list[int] = []

    def ask(index: int) -> None:
        for number in range(20):
            body = {"name": f"name {number}"} if number % 3 == 0 else None
            statuses.append(api.ask("PATCH" if body else "GET", paths[index], body, tokens[index]).status)

    threads = [threading.Thread(target=ask, args=(index % 5,)) for index in range(40)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert statuses == [200] * 800

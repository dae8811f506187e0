"""The product changes its tables, of which the API has views: it can, and the API answers again without a restart."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Iterator

import psycopg2
import pytest
from ctl import run_roles
from sandbox.api import NotifyApi
from sandbox.processes import wait_until
from served import ADMIN, HOOK, LOGIN, OWNER

WIDER = "ALTER TABLE public.targets ALTER COLUMN name TYPE varchar(300)"
MADE_ANEW = "ALTER TABLE public.targets DROP COLUMN kind; ALTER TABLE public.targets ADD COLUMN kind varchar(16) NOT NULL DEFAULT 'url'"
BODY = {"kind": "webhook", "name": "hook", "config": {"webhook_url": HOOK}}


@pytest.fixture
def owner(served: Any, request: pytest.FixtureRequest) -> str:
    """Who runs the product's migrations; on the live product's database no superuser."""
    return OWNER if request.node.callspec.params["served"] == "incumbent" else "postgres"


@pytest.fixture
def api(served: Any, build: Path, tmp_path: Path) -> Iterator[NotifyApi]:
    one = NotifyApi(build / "notify-api", tmp_path / "api", {
        "secrets": {"fernet_keys": [served.key]}, "broker": {"url": "amqp://127.0.0.1:1/%2F"}, "api": {"role": "notify_api"},
        "database": {"url": served.database.dsn(LOGIN), "timeout": 2.0}})
    yield one.wait_ready()
    assert one.close() == []


@pytest.fixture
def token(served: Any) -> str:
    return served.ctl("token", "create", "--scope", "write", "--json").json()["token"]


def rights(served: Any) -> list[tuple]:
    """All rights of notify_api in schema notify."""
    return served.database.query(
        "SELECT c.relname, a.attname, r.privilege_type FROM pg_class c CROSS JOIN LATERAL (SELECT NULL::name AS attname, c.relacl AS acl UNION ALL"
        " SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid) a CROSS JOIN LATERAL aclexplode(a.acl) r"
        " WHERE c.relnamespace = 'notify'::regnamespace AND r.grantee = 'notify_api'::regrole ORDER BY 1, 2, 3")


def owners(served: Any) -> list[tuple]:
    return served.database.query("SELECT relname, relowner::regrole::text FROM pg_class WHERE relnamespace = 'notify'::regnamespace"
                                 " AND relkind = 'v' ORDER BY 1")


def works(api: NotifyApi, token: str) -> None:
    made = api.ask("POST", "/integrations", BODY, token)
    assert made.status == 201, made
    path = f"/integrations/{made.json()['id']}"
    statuses = [api.ask(*ask, token).status for ask in (("GET", path, None), ("PATCH", path, {"name": "other"}), ("GET", "/deliveries", None),
                                                        ("DELETE", path, None))]
    assert statuses == [200, 200, 200, 204]


def test_the_product_changes_its_columns_and_the_api_answers_again(served: Any, owner: str, api: NotifyApi, token: str) -> None:
    works(api, token)
    before = rights(served), owners(served)
    assert len(before[0]) > 30
    for change in (WIDER, MADE_ANEW):
        with pytest.raises((psycopg2.errors.FeatureNotSupported, psycopg2.errors.DependentObjectsStillExist)):
            served.database.execute(change, user=owner)
        assert served.database.query("SELECT notify.drop_api_views()", user=owner) == [("dropped",)]
        assert served.database.query("SELECT notify.drop_api_views()", user=owner) == [("gone",)]
        away = api.ask("GET", "/integrations", None, token)
        assert away.status == 503 and int(away.headers["retry-after"]) >= 1, away
        served.database.execute(change, user=owner)
        assert served.database.query("SELECT notify.make_api_views()", user=owner) == [("made",)]
        wait_until(lambda: api.ask("GET", "/integrations", None, token).status == 200, 10, "the API answers again")
        works(api, token)
        assert (rights(served), owners(served)) == before
    assert served.database.query("SELECT notify.make_api_views()", user=owner) == [("there",)]
    run_roles(served.database)
    assert (rights(served), owners(served)) == before, "make_api_views() gives what roles.sql gives"


def test_in_one_transaction_clients_only_wait(served: Any, owner: str, api: NotifyApi, token: str) -> None:
    works(api, token)
    connection = served.database.connect(owner)
    connection.autocommit = False
    cursor, answers = connection.cursor(), []
    cursor.execute("SELECT notify.drop_api_views()")
    cursor.execute(WIDER)
    asking = threading.Thread(target=lambda: answers.append(api.ask("GET", "/integrations", None, token)))
    asking.start()
    time.sleep(1)  # longer than database.lock_timeout
    cursor.execute("SELECT notify.make_api_views()")
    connection.commit()
    connection.close()
    asking.join()
    assert answers[0].status == 200, answers
    works(api, token)


def test_who_could_not_make_the_views_again_may_not_drop_them(served: Any, owner: str) -> None:
    callers = [(LOGIN, "SET ROLE notify_api; ")] + [(ADMIN, "")] * (owner == OWNER)  # who made schema notify there
    for caller, first in callers:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="could not make them again"):
            served.database.query(f"{first}SELECT notify.drop_api_views()", user=caller)
    assert len(owners(served)) > 5


def test_migrate_makes_views_again_that_somebody_dropped(served: Any, owner: str) -> None:
    before = rights(served), owners(served)
    served.database.query("SELECT notify.drop_api_views()", user=owner)
    assert rights(served) != before[0]
    answer = served.notifyctl("integration", "list", "--workspace", served.ours.id)
    assert answer.code != 0 and "notifyctl migrate" in answer.err, answer
    if owner == OWNER:  # of the tables, but neither of our functions nor of what is recorded
        served.database.execute(f"GRANT SELECT ON notify.schema_migrations TO {owner}")
    answer = served.notifyctl("migrate", database={"url": served.database.dsn(owner)})
    assert answer.code == 0 and "note" not in answer.out, answer
    assert (rights(served), owners(served)) == before

"""The integrations API as its clients see it: what can be asked, what is answered, and what is refused."""

from __future__ import annotations

import json
import socket
import time
import uuid
from typing import Any

import pytest
from sandbox import seed
from sandbox.api import NotifyApi

SLACK = {"kind": "slack", "name": "#security", "config": {"webhook_url": "https://hooks.slack.com/services/T0/B0/verysecret"}}
SHOWN = {"id", "kind", "name", "severity_filter", "enabled", "target_ids", "events", "target_kinds", "created_at"}


@pytest.fixture
def token(ctl, stage):
    """token(scope, workspace) makes one."""
    def make(scope: str = "write", workspace: str | None = None) -> str:
        return ctl("token", "create", "--workspace", workspace or stage.workspace.id, "--scope", scope, "--json", database={"role": None}).json()["token"]

    return make


def created(api: NotifyApi, token: str, **changes: Any) -> dict[str, Any]:
    answer = api.ask("POST", "/integrations", {**SLACK, **changes}, token)
    assert answer.status == 201, answer
    return answer.json()


def test_an_integration_is_made_shown_changed_and_deleted(stage, api, token):
    mine = token()
    made = api.ask("POST", "/integrations", SLACK, mine)
    assert made.status == 201 and set(made.json()) == SHOWN, made
    one = made.json()
    assert made.headers["location"] == f"/integrations/{one['id']}"
    assert (one["severity_filter"], one["enabled"], one["target_ids"], one["events"], one["target_kinds"]) == ("high", True, None, None, None)
    assert b"verysecret" not in made.body and "config" not in one
    got = api.ask("GET", f"/integrations/{one['id']}", None, mine)
    assert got.json() == one and got.headers["etag"] == made.headers["etag"]
    assert api.ask("GET", "/integrations", None, mine).json() == [one]
    target = stage.target.id
    changed = api.ask("PATCH", f"/integrations/{one['id']}", {"severity_filter": "low", "target_ids": [target], "events": ["scan_done"]}, mine)
    assert changed.status == 200 and changed.json() == {**one, "severity_filter": "low", "target_ids": [target], "events": ["scan_done"]}
    assert changed.headers["etag"] != made.headers["etag"]
    emptied = api.ask("PATCH", f"/integrations/{one['id']}", {"target_ids": [], "events": []}, mine).json()
    assert (emptied["target_ids"], emptied["events"]) == (None, None)
    assert stage.database.query("SELECT kind, name, config_encrypted IS NOT NULL FROM integrations") == [("slack", "#security", True)]
    gone = api.ask("DELETE", f"/integrations/{one['id']}", None, mine)
    assert (gone.status, gone.body) == (204, b"") and api.ask("GET", f"/integrations/{one['id']}", None, mine).status == 404


def test_two_editors_do_not_overwrite_each_other(api, token):
    mine = token()
    one = created(api, mine)
    path = f"/integrations/{one['id']}"
    seen = api.ask("GET", path, None, mine).headers["etag"]
    assert api.ask("PATCH", path, {"name": "first"}, mine, {"If-Match": seen}).status == 200
    late = api.ask("PATCH", path, {"name": "second"}, mine, {"If-Match": seen})
    assert late.status == 412 and "detail" in late.json() and api.ask("GET", path, None, mine).json()["name"] == "first"


def test_what_proxies_that_compress_make_of_a_version_is_that_version(api, token):
    mine = token()
    path = f"/integrations/{created(api, mine)['id']}"
    first = api.ask("GET", path, None, mine).headers["etag"]
    for number, form in enumerate(("W/{0}", '{1}-gzip"', 'W/"other", W/{1}-gzip"')):
        seen = api.ask("GET", path, None, mine).headers["etag"]
        sent = {"If-Match": form.format(seen, seen[:-1])}
        assert api.ask("PATCH", path, {"name": f"name {number}"}, mine, sent).status == 200, sent
        assert api.ask("PATCH", path, {"name": "late"}, mine, sent).status == 412, sent
    assert api.ask("DELETE", path, None, mine, {"If-Match": f"W/{first}"}).status == 412


def test_a_create_that_is_sent_again_makes_no_second(stage, api, token):
    mine, key = token(), {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (api.ask("POST", "/integrations", SLACK, mine, key) for _ in range(2))
    assert (first.status, again.status) == (201, 201) and again.json() == first.json()
    assert "idempotent-replayed" not in first.headers and again.headers["idempotent-replayed"] == "true"
    other = api.ask("POST", "/integrations", {**SLACK, "name": "other"}, mine, key)
    assert other.status == 409 and other.headers["content-type"] == "application/problem+json"
    assert stage.database.query("SELECT count(*) FROM integrations") == [(1,)]


def test_what_is_wrong_is_named_field_by_field_and_nothing_is_changed(stage, api, token):
    mine = token()
    bad = api.ask("POST", "/integrations", {"kind": "carrier-pigeon", "name": "", "enabled": "yes", "config": [], "colour": "red"}, mine)
    problem = bad.json()
    assert bad.status == 422 and problem["status"] == 422 and problem["title"] == "Unprocessable Content" and problem["detail"]
    assert {error["field"] for error in problem["errors"]} >= {"kind", "name", "enabled", "colour"}
    assert all(error["detail"] for error in problem["errors"])
    theirs = api.ask("POST", "/integrations", {**SLACK, "target_ids": [str(uuid.uuid4())]}, mine)
    assert theirs.status == 422 and theirs.json()["errors"][0]["field"] == "target_ids"
    secret = api.ask("POST", "/integrations", {**SLACK, "config": {"webhook_url": "http://SECRET.example/"}}, mine)
    assert secret.status in (201, 422) and b"SECRET" not in secret.body
    assert api.ask("POST", "/integrations", b"{", mine).status == 400
    stage.database.execute("DELETE FROM integrations")
    one = created(api, mine)
    assert api.ask("PATCH", f"/integrations/{one['id']}", {"kind": "discord"}, mine).status == 422
    assert api.ask("GET", f"/integrations/{one['id']}", None, mine).json() == one


def test_what_a_token_may_not_do_is_refused(stage, api, token, ctl):
    reads, writes = token("read"), token("write")
    one = created(api, writes)
    path = f"/integrations/{one['id']}"
    assert [api.ask(*ask, reads).status for ask in (("GET", path, None), ("POST", "/integrations", SLACK), ("PATCH", path, {"name": "x"}), ("DELETE", path, None))] == [
        200, 403, 403, 403]
    wrong = [None, "", "pnt_", "x" * 64, writes[:-1] + ("A" if writes[-1] != "A" else "B"), writes + "A", f"pnt_{'0' * 16}_{'A' * 43}"]
    for text in wrong:
        answer = api.ask("GET", path, None, text)
        assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Bearer"), (text, answer)
    elsewhere = seed.add_workspace(stage.connection)
    other = token("write", elsewhere.id)
    assert [api.ask(*ask, other).status for ask in (("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None))] == [404] * 3
    assert api.ask("GET", "/integrations", None, other).json() == []
    revoked = ctl("token", "revoke", writes.split("_")[1], database={"role": None})
    assert revoked.code == 0, revoked
    stage.wait(lambda: api.ask("GET", path, None, writes).status == 401, 3)
    assert api.ask("GET", path, None, reads).status == 200


def test_lists_come_in_pages(stage, api, token):
    mine = token()
    names = [f"room {number:02}" for number in range(7)]
    for name in names:
        created(api, mine, name=name)
    path, seen = "/integrations?limit=3", []
    while path:
        page = api.ask("GET", path, None, mine)
        seen.append([row["name"] for row in page.json()])
        link = page.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        path = link[1 : link.index(">")] if link else ""
    assert [len(page) for page in seen] == [3, 3, 1] and sorted(sum(seen, [])) == names
    assert api.ask("GET", "/integrations?limit=0", None, mine).status == 422
    assert api.ask("GET", "/integrations?cursor=nonsense", None, mine).status == 422
    assert api.ask("GET", "/integrations?page=2", None, mine).status == 400


def test_the_manners_of_http(api, token):
    mine = token()
    assert api.ask("GET", "/nothing").status == 404
    wrong = api.ask("PUT", "/integrations", SLACK, mine)
    assert wrong.status == 405 and wrong.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert api.ask("POST", "/integrations", json.dumps(SLACK).encode(), mine, {"Content-Type": "text/plain"}).status == 415
    assert api.ask("POST", "/integrations", {**SLACK, "name": "x" * 100000}, mine).status == 413
    assert api.ask("GET", "/integrations?limit=%ff", None, mine).status == 400
    named = api.ask("GET", "/integrations", None, mine, {"X-Request-Id": "mine-1"})
    assert named.headers["x-request-id"] == "mine-1" and named.headers["cache-control"] == "no-store"
    assert api.ask("GET", "/nothing", None, None, {"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"
    assert api.ask("HEAD", "/integrations", None, mine).status == 200
    assert api.ask("GET", "/healthz").body == b"ok\n" and api.ask("GET", "/readyz").status == 200


def test_a_token_that_asks_too_often_waits_and_others_do_not(notify_api, token):
    api = notify_api({"api": {"rate": 5.0}})
    busy, calm = token(), token()
    answers = [api.ask("GET", "/integrations", None, busy) for _ in range(12)]
    late = [answer for answer in answers if answer.status == 429]
    assert late and int(late[0].headers["retry-after"]) >= 1 and {a.status for a in answers} == {200, 429}
    assert api.ask("GET", "/integrations", None, calm).status == 200
    time.sleep(1.1)
    assert api.ask("GET", "/integrations", None, busy).status == 200


def test_a_thousand_slow_clients_stop_nobody(notify_api, token):
    api = notify_api({"api": {"connections": 300, "patience": 3.0, "rate": 10000.0}})
    mine = token()
    slow = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(1000)]
    began, worst = time.monotonic(), 0.0
    while time.monotonic() - began < 4:
        for one in slow:
            try:
                one.send(b"G" if one is slow[0] else b"E")
            except OSError:
                pass
        asked = time.monotonic()
        assert api.ask("GET", "/integrations", None, mine).status == 200
        worst = max(worst, time.monotonic() - asked)
    for one in slow:
        one.close()
    print(f"the longest of the others' requests took {worst * 1000:.0f} ms")
    assert worst < 1


def test_a_database_that_goes_away_is_said_and_comes_back(notify_api, token, stage):
    api = notify_api({"database": {"timeout": 1.0}})
    mine = token()
    assert api.ask("GET", "/integrations", None, mine).status == 200
    stage.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pencheff-notify%'")
    assert api.ask("GET", "/integrations", None, mine).status == 200


def test_a_deletion_on_an_old_view_is_refused(api, token):
    mine = token()
    one = created(api, mine)
    path = f"/integrations/{one['id']}"
    seen = api.ask("GET", path, None, mine).headers["etag"]
    api.ask("PATCH", path, {"name": "another"}, mine)
    for old in ('"nope"', seen):
        assert api.ask("DELETE", path, None, mine, {"If-Match": old}).status == 412
    new = api.ask("GET", path, None, mine).headers["etag"]
    assert api.ask("DELETE", path, None, mine, {"If-Match": new}).status == 204 and api.ask("GET", path, None, mine).status == 404


def test_a_rule_of_the_products_that_keeps_a_row_as_it_is_is_said_and_ends_nothing(stage, api, token):
    mine = token()
    one = created(api, mine)
    stage.database.execute("CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
                           " CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON integrations FOR EACH ROW EXECUTE FUNCTION kept()")
    refused = api.ask("PATCH", f"/integrations/{one['id']}", {"name": "another"}, mine)
    assert refused.status == 409 and "kept it as it was" in refused.json()["detail"], refused
    kept = api.ask("DELETE", f"/integrations/{one['id']}", None, mine)
    assert kept.status == 409, kept
    assert api.ask("GET", f"/integrations/{one['id']}", None, mine).json() == one
    assert stage.database.query("SELECT count(*) FROM notify.changes WHERE verb IN ('update', 'delete')") == [(0,)]

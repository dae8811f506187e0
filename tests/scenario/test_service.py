"""The service layer as notify-api calls it: versions, repeated requests, pages, forged ids, tokens that are looked up."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import Any

import psycopg2
import pytest
from sandbox import seed
from served import HOOK, LOGIN

BODY = {"kind": "webhook", "name": "hook", "config": {"webhook_url": HOOK}}


class Calls:
    def __init__(self, served: Any) -> None:
        self.served = served

    def start(self, *words: str, body: Any = None, workspace: Any = None) -> subprocess.Popen:
        text = body if isinstance(body, str) else json.dumps(BODY if body is None else body)
        process = subprocess.Popen([self.served.build / "tests/unit/service_tool", self.served.database.dsn(LOGIN),
                                    (workspace or self.served.ours).id, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={"FERNET_KEY": self.served.key})
        assert process.stdin
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    @staticmethod
    def finish(process: subprocess.Popen) -> Any:
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and not err, err
        assert "config-secret" not in out
        return json.loads(out)

    def __call__(self, *words: str, **options: Any) -> Any:
        return self.finish(self.start(*words, **options))


@pytest.fixture
def call(served: Any) -> Calls:
    return Calls(served)


def count(served: Any) -> int:
    return served.database.query("SELECT count(*) FROM public.integrations")[0][0]


# --- versions

def test_every_change_of_the_row_gives_another_etag_and_nothing_else_does(served: Any, call: Calls) -> None:
    made = call("create")
    assert made["status"] == "created" and made["body"]["id"] == made["id"]
    seen = {made["etag"]}
    assert call("get", made["id"])["etag"] == made["etag"] == call("get", made["id"].upper())["etag"]
    for change in ({"name": "other"}, {"enabled": False}, {"config": {"webhook_url": HOOK}}, {"events": ["scan_done"]},
                   {"severity_filter": "low"}, {"target_ids": served.targets}):
        answer = call("update", made["id"], "-", body=change)
        assert answer["status"] == "ok" and answer["etag"] not in seen, change
        assert call("get", made["id"]) == answer
        seen.add(answer["etag"])
    answer = call("update", made["id"], "-", body={"target_ids": [], "events": []})
    assert answer["body"]["target_ids"] is None and answer["body"]["events"] is None
    unchanged = call("update", made["id"], "-", body={})
    assert unchanged["etag"] == answer["etag"] and unchanged["body"] == answer["body"]


def test_if_match_lets_one_of_two_editors_through(served: Any, call: Calls) -> None:
    made = call("create")
    first = call("update", made["id"], made["etag"], body={"name": "first"})
    assert first["status"] == "ok"
    second = call("update", made["id"], made["etag"], body={"name": "second"})
    assert second["status"] == "changed" and "read it again" in second["detail"] and served.row(made["id"])["name"] == "first"
    for match, status in (("*", "ok"), (f'"x", {first["etag"]}', "changed"), ('"x"', "changed")):
        assert call("update", made["id"], match, body={"name": "third"})["status"] == status, match
    now = call("get", made["id"])["etag"]
    racers = [call.start("update", made["id"], now, body={"name": f"racer {i}"}) for i in range(6)]
    assert sorted(Calls.finish(one)["status"] for one in racers) == ["changed"] * 5 + ["ok"]
    assert call("update", "x", made["etag"], body={"name": "y"})["status"] == "not_found"


# --- repeated requests

def test_a_repeated_key_answers_as_the_first_time_and_makes_no_second(served: Any, call: Calls) -> None:
    first = call("create", "key one")
    assert first["status"] == "created" and not first["repeated"]
    call("update", first["id"], "-", body={"name": "renamed meanwhile"})
    again = call("create", "key one")
    assert again == {**first, "repeated": True} and count(served) == 1
    assert call("delete", first["id"])["status"] == "no_content"
    assert call("create", "key one") == again and count(served) == 0
    other = call("create", "key one", body={**BODY, "name": "another"})
    assert other["status"] == "conflict" and "Idempotency-Key" in other["detail"] and count(served) == 0
    theirs = call("create", "key one", workspace=served.theirs)
    assert theirs["status"] == "created" and not theirs["repeated"]
    assert call("create", "key two")["id"] != first["id"]
    assert len([one for one in served.changes() if one[1] == "create"]) == 3


def test_many_at_once_with_one_key_make_one(served: Any, call: Calls) -> None:
    answers = [Calls.finish(one) for one in [call.start("create", "k") for _ in range(12)]]
    assert {one["status"] for one in answers} == {"created"} and len({one["id"] for one in answers}) == 1
    assert len([one for one in answers if not one["repeated"]]) == 1 and count(served) == 1


def test_a_refused_request_leaves_its_key_free(served: Any, call: Calls) -> None:
    refused = call("create", "k", body={**BODY, "target_ids": [served.foreign]})
    assert refused["status"] == "invalid" and list(refused["errors"]) == ["target_ids"]
    assert served.database.query("SELECT count(*) FROM notify.kept_answers") == [(0,)]
    assert call("create", "k")["status"] == "created"
    assert call("create", "\x01")["errors"].keys() == {"Idempotency-Key"} == call("create", "k" * 256)["errors"].keys()


def test_a_key_counts_for_a_day(served: Any, call: Calls) -> None:
    first = call("create", "k")
    served.database.execute("UPDATE notify.kept_answers SET created_at = now() - interval '25 hours'")
    second = call("create", "k", body={**BODY, "name": "another"})
    assert second["status"] == "created" and second["id"] != first["id"] and call("create", "k")["status"] == "conflict"


def test_keys_that_count_no_more_are_taken_away_by_later_ones_of_the_workspace(served: Any, call: Calls) -> None:
    call("create", "old")
    call("create", "old", workspace=served.theirs)
    served.database.execute("UPDATE notify.kept_answers SET created_at = now() - interval '25 hours'")
    call("create", "young")
    assert served.database.query("SELECT workspace_id::text, key FROM notify.kept_answers ORDER BY key") == [
        (served.theirs.id, "old"), (served.ours.id, "young")]


@pytest.mark.parametrize("key", ["-", "k"])
def test_a_creation_whose_commit_was_not_heard_of_can_be_sent_again(served: Any, call: Calls, key: str) -> None:
    made = call("again", key)
    assert made["status"] == "created" and count(served) == 1 and made["body"]["id"] == made["id"]
    assert len(served.changes()) == 1


@pytest.mark.parametrize("victim", ["client", "server"])
def test_a_creation_that_is_killed_in_the_middle_leaves_nothing_and_can_be_repeated(served: Any, call: Calls, victim: str) -> None:
    locker = psycopg2.connect(served.database.url)  # the last thing that a creation writes waits for us
    locker.cursor().execute("LOCK TABLE notify.changes IN ACCESS EXCLUSIVE MODE")
    process = call.start("create", "k")
    backends: list[tuple] = []
    deadline = time.monotonic() + 10
    while not backends and time.monotonic() < deadline:
        backends = served.database.query("SELECT pid FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'", (LOGIN,))
    if victim == "client":
        process.kill()
    else:
        served.database.query("SELECT pg_terminate_backend(%s)", backends[0])
    assert process.wait(timeout=10) != 0
    locker.rollback()
    locker.close()
    made = call("create", "k")  # waits for the end of the first, if that has not ended
    assert made["status"] == "created" and not made["repeated"] and count(served) == 1 and len(served.changes()) == 1


# --- what is wrong

def test_every_error_of_a_body_is_named_at_once(served: Any, call: Calls) -> None:
    answer = call("create", body={
        "kind": "slak", "name": None, "severity_filter": 3, "enabled": "yes", "config": [], "target_ids": "all", "events": {},
        "id": "x", "target_kinds": [], "created_at": "now", "event": []})
    assert answer["status"] == "invalid" and answer["detail"] and set(answer["errors"]) == {
        "kind", "name", "severity_filter", "enabled", "config", "target_ids", "events", "id", "target_kinds", "created_at", "event"}
    assert answer["errors"]["event"] == "there is no field event; did you mean events?"
    assert "not \"slak\"" in answer["errors"]["kind"] and "shown only" in answer["errors"]["id"]
    assert set(call("create", body={})["errors"]) == {"kind", "name", "config"}
    assert call("create", body={**BODY, "config": {"webhook_url": "http:"}})["errors"].keys() == {"config.webhook_url"}
    assert call("create", body={**BODY, "config": {}})["errors"].keys() == {"config.webhook_url"}
    assert count(served) == 0


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "{\"name\": \"\xff\"", "{} {}", "{\"a\": " + "[" * 50 + "]" * 50 + "}"])
def test_what_is_no_object_is_unreadable(call: Calls, body: str) -> None:
    for words in (("create",), ("update", "00000000-0000-4000-8000-000000000000", "-")):
        assert call(*words, body=body)["status"] == "unreadable"


def test_what_cannot_be_changed_is_said_together(served: Any, call: Calls) -> None:
    made = call("create")
    before = served.row(made["id"])
    answer = call("update", made["id"], "-", body={"kind": "slack", "config": {"hmac_secret": "config-secret"}, "target_ids": [served.foreign],
                                                   "name": "other"})
    assert set(answer["errors"]) == {"kind", "config.webhook_url", "target_ids"} and "this one is webhook" in answer["errors"]["kind"]
    assert served.row(made["id"]) == before and len(served.changes()) == 1
    assert call("update", made["id"], "-", body={"kind": "webhook", "enabled": False})["status"] == "ok"
    assert set(call("update", made["id"], "-", body={"config": None, "kind": None, "enabled": None})["errors"]) == {"config", "kind", "enabled"}


# --- lists

def test_pages_follow_each_other_whatever_is_created_or_deleted_meanwhile(served: Any, call: Calls) -> None:
    made = [seed.add_integration(served.connection, served.ours, "slack", {}, served.key).id for _ in range(7)]
    first = call("list", "3", "-")
    assert [one["id"] for one in first["body"]] == made[:3] and first["next"]
    call("delete", made[2])
    call("delete", made[3])
    second = call("list", "3", first["next"])
    assert [one["id"] for one in second["body"]] == made[4:7] and second["next"] is None
    assert call("list", "-", "-")["next"] is None and len(call("list", "500", "-")["body"]) == 5
    assert call("list", "3", first["next"], workspace=served.theirs)["body"] == []


@pytest.mark.parametrize(("limit", "cursor"), [
    ("0", "-"), ("501", "-"), ("x", "-"), ("1x", "-"), (" 1", "-"), ("-1", "-"), ("9" * 30, "-"), ("5", "x"), ("5", "=" * 4), ("5", "A" * 400),
    ("5", base64.urlsafe_b64encode(b"1").decode()), ("5", base64.urlsafe_b64encode(b"1 x").decode()),
    ("5", base64.urlsafe_b64encode(b"99999999999999999 00000000-0000-4000-8000-000000000000").decode()),
    ("5", base64.urlsafe_b64encode(b"1\0 00000000-0000-4000-8000-000000000000").decode())])
def test_a_limit_or_a_cursor_that_is_none_is_named(call: Calls, limit: str, cursor: str) -> None:
    answer = call("list", limit, cursor)
    assert answer["status"] == "invalid" and len(answer["errors"]) == 1, answer


def test_a_cursor_of_any_time_is_good(call: Calls) -> None:
    for time in (b"0", b"-9999999999999999", b"9999999999999999"):
        cursor = base64.urlsafe_b64encode(time + b" 00000000-0000-4000-8000-000000000000").decode().rstrip("=")
        assert call("list", "5", cursor)["status"] == "ok"


# --- tokens

def test_a_token_is_found_by_its_id_and_must_match(served: Any, call: Calls) -> None:
    token = served.ctl("token", "create", "--scope", "write", "--expires", "1h").out.strip()
    matches, scope, revoked, left = call("find", token)
    assert (matches, scope, revoked) == (True, "write", "f") and 3500 < float(left) <= 3600
    assert call("find", token[:-1] + ("A" if token[-1] != "A" else "B"))[0] is False
    assert call("find", "pnt_" + "0" * 16 + token[20:]) == "absent"
    for other in ("", "x", token + "A", token[:-1], token.upper(), "pnt_" + token[4:20] + "-" + token[21:], token.replace("pnt", "pnx")):
        assert call("find", other) == "malformed"
    assert served.notifyctl("token", "revoke", token).code == 0
    assert call("find", token)[2] == "t"
    used, = served.database.query("SELECT last_used_at FROM notify.tokens")
    call("find", token)
    assert served.database.query("SELECT last_used_at FROM notify.tokens") == [used], "once a minute at most"
    forever = served.ctl("token", "create", "--scope", "read").out.strip()
    assert call("find", forever)[3] == ""

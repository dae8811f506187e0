"""notifyctl token: shown once, kept as a hash, listed, revoked."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

FORM = re.compile(r"pnt_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")


def row(served: Any, token: str) -> tuple:
    found, = served.database.query("SELECT workspace_id::text, scope, name, hash, extract(epoch FROM expires_at - created_at)::int,"
                                   " revoked_at IS NOT NULL FROM notify.tokens WHERE id = %s", (FORM.fullmatch(token)[1],))
    return (*found[:3], bytes(found[3]), *found[4:])


def test_a_token_is_shown_once_and_its_hash_is_kept(served: Any) -> None:
    answer = served.ctl("token", "create", "--scope", "write", "--expires", "90d", "--name", "CI déploiement")
    token = answer.out.strip()
    assert answer.code == 0 and FORM.fullmatch(token) and "not shown again" in answer.err and token not in answer.err, answer
    assert row(served, token) == (served.ours.id, "write", "CI déploiement", hashlib.sha256(token.encode()).digest(), 90 * 86400, False)
    secret = token[21:]
    for words in (("token", "list"), ("token", "list", "--json")):
        listed = served.ctl(*words)
        assert listed.code == 0 and token[4:20] in listed.out and secret not in listed.out, listed
    assert secret not in str(served.database.query("SELECT c::text FROM notify.changes c"))
    assert served.changes() == [("notifyctl", "token create", token[4:20], None)]


def test_a_token_as_an_object_has_all_that_is_known_of_it(served: Any) -> None:
    made = served.ctl("token", "create", "--scope=read", "--json").json()
    assert FORM.fullmatch(made["token"]) and made["id"] == made["token"][4:20]
    assert (made["workspace_id"], made["scope"], made["name"], made["expires_at"], made["revoked_at"]) == (
        served.ours.id, "read", "token", None, None)
    listed, = served.notifyctl("token", "list", "--json").json()
    assert listed == {name: value for name, value in made.items() if name != "token"}


def test_two_tokens_differ_and_lists_are_of_one_workspace_or_all(served: Any) -> None:
    ours, theirs = (served.ctl("token", "create", "--scope", "read", workspace=one).out.strip() for one in (served.ours, served.theirs))
    assert ours != theirs
    assert [one["id"] for one in served.ctl("token", "list", "--json").json()] == [ours[4:20]]
    assert {one["id"] for one in served.notifyctl("token", "list", "--json").json()} == {ours[4:20], theirs[4:20]}


@pytest.mark.parametrize("whole", [False, True])
def test_a_token_is_revoked_by_its_id_or_by_itself(served: Any, whole: bool) -> None:
    token = served.ctl("token", "create", "--scope", "write").out.strip()
    for _ in range(2):  # a second time is no error, and no second change
        answer = served.notifyctl("token", "revoke", token if whole else token[4:20])
        assert answer.code == 0 and answer.out == "revoked\n", answer
    assert row(served, token)[5] and [one[1:3] for one in served.changes()] == [("token create", token[4:20]), ("token revoke", token[4:20])]
    assert served.database.query("SELECT DISTINCT workspace_id::text FROM notify.changes") == [(served.ours.id,)]


def test_what_is_wrong_is_said(served: Any) -> None:
    for words, code, said in ((("create",), 2, "needs --scope"), (("create", "--scope", "admin"), 1, "scope must be read or write"),
                              (("create", "--scope", "read", "--expires", "soon"), 2, "--expires needs an age"),
                              (("create", "--scope", "read", "--name", "x" * 101), 1, "name must be 1 to 100")):
        answer = served.ctl("token", *words)
        assert answer.code == code and said in answer.err and not answer.out, answer
    answer = served.notifyctl("token", "create", "--scope", "read", "--workspace", "00000000-0000-4000-8000-000000000000")
    assert answer.code == 1 and "no such workspace" in answer.err, answer
    for word in ("0123456789abcdef", "x"):
        answer = served.notifyctl("token", "revoke", word)
        assert answer.code == 1 and "no token with this id" in answer.err, answer
    assert served.database.query("SELECT count(*) FROM notify.tokens") == [(0,)]

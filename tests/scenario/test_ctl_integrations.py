"""notifyctl integration: what is created, listed, changed and deleted, on our own tables and on the live product's."""

from __future__ import annotations

import json
import select
import time
import uuid
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sandbox import seed
from served import HOOK

NOBODY = "00000000-0000-4000-8000-000000000000"


def opened(served: Any, integration: str) -> dict[str, Any]:
    token = bytes.fromhex(served.row(integration)["config_encrypted"][2:])
    outer = json.loads(Fernet(served.key).decrypt(token))
    assert list(outer) == ["config"]
    return json.loads(outer["config"])


def test_an_integration_is_created_with_the_defaults_of_the_documents(served: Any) -> None:
    answer = served.create("--json", name="#sécurité", config={"webhook_url": HOOK, "hmac_secret": "s"})
    assert answer.code == 0 and "secret" not in answer.out + answer.err, answer
    made = answer.json()
    created_at = made.pop("created_at")
    assert made == {"id": made["id"], "kind": "webhook", "name": "#sécurité", "severity_filter": "high", "enabled": True,
                    "target_ids": None, "events": None, "target_kinds": None}
    assert time.strptime(created_at[:19], "%Y-%m-%dT%H:%M:%S") and created_at.endswith("Z")
    row = served.row(made["id"])
    assert row["org_id"] == served.ours.org_id and row["workspace_id"] == served.ours.id
    assert opened(served, made["id"]) == {"webhook_url": HOOK, "hmac_secret": "s"}


def test_every_field_can_be_given_and_changed_one_by_one(served: Any) -> None:
    made = served.create("--severity", "low", "--targets", ",".join(served.targets), "--events", "scan_failed,finding_new",
                         "--enabled", "false", "--json").json()
    assert (made["severity_filter"], made["enabled"], made["target_ids"], made["events"]) == (
        "low", False, served.targets, ["scan_failed", "finding_new"])
    served.database.execute("UPDATE public.integrations SET target_kinds = '[\"url\"]' WHERE id = %s", (made["id"],))
    expected = {**made, "target_kinds": ["url"]}
    before = opened(served, made["id"])
    for option, value, field, shown in (("--name", "renamed", "name", "renamed"), ("--severity", "critical", "severity_filter", "critical"),
                                        ("--enabled", "true", "enabled", True), ("--targets", served.targets[0], "target_ids", served.targets[:1]),
                                        ("--targets", "all", "target_ids", None), ("--events", "scan_done", "events", ["scan_done"]),
                                        ("--events", "all", "events", None)):
        answer = served.ctl("integration", "update", made["id"], option, value, "--json")
        expected[field] = shown
        assert answer.code == 0 and answer.json() == expected == served.shown(made["id"]), answer
        assert served.changes()[-1] == ("notifyctl", "update", made["id"], [field])
    assert opened(served, made["id"]) == before


def test_settings_are_replaced_as_a_whole(served: Any) -> None:
    made = served.add(config={"webhook_url": HOOK, "hmac_secret": "first"})
    answer = served.ctl("integration", "update", made, "--config-file", "-", stdin=json.dumps({"webhook_url": HOOK + "2"}))
    assert answer.code == 0 and answer.out == made + "\n", answer
    assert opened(served, made) == {"webhook_url": HOOK + "2"}
    assert served.changes()[-1][3] == ["config"]


def test_settings_come_from_a_file_and_are_judged_by_the_kind_of_the_row(served: Any, tmp_path: Any) -> None:
    made = served.add(kind="slack", config={"webhook_url": "https://hooks.slack.com/services/T/B/config-secret"})
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"routing_key": "R" * 32, "hmac_secret": "config-secret"}))
    before = served.row(made)
    answer = served.ctl("integration", "update", made, "--config-file", str(settings), "--name", "other")
    assert answer.code == 1 and "webhook_url is missing" in answer.err and "config-secret" not in answer.err, answer
    assert served.row(made) == before
    settings.write_text(json.dumps({"webhook_url": "https://hooks.slack.com/services/T/B/other"}))
    assert served.ctl("integration", "update", made, "--config-file", str(settings)).code == 0
    absent = served.ctl("integration", "update", made, "--config-file", str(tmp_path / "absent"))
    assert absent.code == 1 and "No such file" in absent.err, absent


@pytest.mark.parametrize(("words", "config", "said"), [
    ((), {}, ["webhook_url is missing"]),
    ((), {"webhook_url": "ftp://config-secret"}, ["webhook_url must start with https://"]),
    (("--severity", "hihg", "--events", "scan_don,scan_done,scan_done", "--targets", "x", "--enabled", "yes"), {"webhook_url": 5}, [
        "severity_filter must be one of info, low, medium, high, critical, not \"hihg\"", "entry 1 of events must be one of scan_started",
        "entry 3 of events stands there twice", "entry 1 of target_ids must be the id of a target, a UUID", "enabled must be true or false",
        "webhook_url must be a text"]),
    (("--name", ""), None, ["name is empty"]),
    (("--name", "é" * 201), None, ["name is longer than 200 characters"]),
    (("--kind", "carrier-pigeon"), None, ["kind must be one of webhook, slack"]),
    (("--targets", NOBODY), None, ["target_ids holds what is no target of this workspace: " + NOBODY]),
])
def test_what_is_wrong_is_said_all_at_once_and_nothing_is_created(served: Any, words: tuple[str, ...], config: Any, said: list[str]) -> None:
    answer = served.create(*words, config=config)
    assert answer.code == 1 and not answer.out and "config-secret" not in answer.err, answer
    for one in said:
        assert one in answer.err, answer
    assert served.database.query("SELECT count(*) FROM public.integrations") == [(0,)] and served.changes() == []


def test_a_name_may_have_200_characters_of_any_script(served: Any) -> None:
    name = "é" * 199 + "🚨"
    assert served.shown(served.add(name=name))["name"] == name


def test_targets_of_another_workspace_are_none(served: Any) -> None:
    answer = served.create("--targets", f"{served.targets[0]},{served.foreign}")
    assert answer.code == 1 and served.foreign in answer.err and served.targets[0] not in answer.err, answer
    made = served.add()
    answer = served.ctl("integration", "update", made, "--targets", served.foreign, "--name", "x")
    assert answer.code == 1 and "target_ids" in answer.err and served.shown(made)["name"] == "hook", answer


def test_another_workspaces_integration_is_not_there(served: Any) -> None:
    theirs = served.add(workspace=served.theirs)
    before = served.row(theirs)
    for words in (("update", theirs, "--name", "x"), ("delete", theirs)):
        answer = served.ctl("integration", *words)
        assert answer.code == 1 and answer.err == "notifyctl: there is no such integration in this workspace\n", answer
    assert served.ctl("integration", "list", "--json").json() == []
    assert served.row(theirs) == before and len(served.changes()) == 1


def test_what_is_there_no_more_and_what_is_no_id_is_not_found(served: Any) -> None:
    made = served.add()
    answer = served.ctl("integration", "delete", made)
    assert answer.code == 0 and answer.out == made + "\n", answer
    assert served.changes()[-1] == ("notifyctl", "delete", made, None)
    for word in (made, NOBODY, "x"):
        assert served.ctl("integration", "delete", word).code == 1
    assert served.ctl("integration", "update", made, "--enabled", "true").code == 1
    answer = served.create(workspace=type(served.ours)(str(uuid.uuid4()), ""))
    assert answer.code == 1 and "there is no such workspace" in answer.err, answer


def test_an_update_that_changes_nothing_leaves_no_trace(served: Any) -> None:
    made = served.add()
    answer = served.ctl("integration", "update", made, "--name", "hook", "--enabled", "true", "--json")
    assert answer.code == 0 and answer.json() == served.shown(made) and len(served.changes()) == 1, answer


def test_a_list_is_a_table_for_people_and_has_every_page(served: Any) -> None:
    assert served.ctl("integration", "list").out == "(none)\n" and served.ctl("integration", "list", "--json").json() == []
    served.database.execute(
        "INSERT INTO public.integrations (id, org_id, workspace_id, kind, name, enabled, severity_filter, events, created_at) SELECT"
        " gen_random_uuid(), %s, %s, 'slack', 'number ' || n, true, 'low', '{}', now() - n / 3 * interval '1 ms' FROM generate_series(1, 1203) n",
        (served.ours.org_id, served.ours.id))
    served.database.execute("UPDATE public.integrations SET created_at = 'infinity' WHERE name IN ('number 7', 'number 8')")
    rows = served.ctl("integration", "list", "--json").json()
    ids = [one for one, in served.database.query("SELECT id::text FROM public.integrations ORDER BY created_at, id")]
    assert [one["id"] for one in rows] == ids and {repr(one["events"]) for one in rows} == {"None"}
    lines = served.ctl("integration", "list").out.splitlines()
    assert lines[0].split() == ["id", "kind", "name", "severity", "enabled", "events", "targets"] and len(lines) == 1204
    assert lines[1].split()[:4] == [ids[0], "slack", *rows[0]["name"].split()]


def test_a_change_is_told_to_the_workers_at_once(served: Any) -> None:
    listener = served.database.connect()
    listener.cursor().execute("LISTEN notify_integrations")
    made = served.add()
    for words in (("update", made, "--enabled", "false"), ("delete", made)):
        assert served.ctl("integration", *words).code == 0
    deadline = time.monotonic() + 10
    while len(listener.notifies) < 3 and time.monotonic() < deadline:
        select.select([listener], [], [], 0.1)
        listener.poll()
    assert [one.payload for one in listener.notifies] == [served.ours.id] * 3
    listener.close()


def test_rows_that_the_product_wrote_are_shown_as_they_are(served: Any) -> None:
    made = seed.add_integration(served.connection, served.ours, "unheard-of", {}, served.key, severity_filter="HIGH",
                                target_ids=[], events=["new_event"], target_kinds=["url", "llm"])
    shown = served.shown(made.id)
    assert (shown["kind"], shown["severity_filter"], shown["target_ids"], shown["events"], shown["target_kinds"]) == (
        "unheard-of", "HIGH", None, ["new_event"], ["url", "llm"])
    assert served.ctl("integration", "update", made.id, "--name", "renamed").code == 0
    assert served.row(made.id)["target_kinds"] == ["url", "llm"] and served.row(made.id)["events"] == ["new_event"]
    answer = served.ctl("integration", "update", made.id, "--config-file", "-", stdin="{}")
    assert answer.code == 1 and "does not know the kind" in answer.err, answer


def test_wrong_use_and_a_missing_key_are_said(served: Any) -> None:
    for words, said in ((("integration", "list"), "needs --workspace UUID"), (("integration", "delete", "x"), "needs --workspace UUID"),
                        (("integration", "list", "--workspace", "x"), "--workspace needs a UUID"),
                        (("integration", "export"), "needs one of: list create update delete test, not 'export'")):
        answer = served.notifyctl(*words)
        assert answer.code == 2 and said in answer.err, answer
    made = served.add()
    answer = served.ctl("integration", "update", made, "--config-file", "-", stdin=json.dumps({"webhook_url": HOOK}), secrets=None)
    assert answer.code == 78 and "no Fernet key" in answer.err, answer
    assert served.ctl("integration", "update", made, "--name", "x", secrets=None).code == 0
    assert served.ctl("integration", "list", database={"url": "postgresql://127.0.0.1:1/d"}).code == 75
    assert served.ctl("integration", "list", api={"role": "absent"}).code == 78

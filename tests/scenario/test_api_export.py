"""Findings that somebody sends to one integration himself, past its filters."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from typing import Any

import pytest
from ctl import ROOT
from sandbox import seed
from sandbox.answers import Answer
from sandbox.vendors import jira
from test_api_ledger import Checked, pages, token  # noqa: F401
from test_api_send import DELIVERY, KINDS, PATHS, SECRETS, settings

FAST = {"sweep": {"interval": 0.1}}


@pytest.fixture
def api(notify_api):
    return Checked(notify_api({"delivery": DELIVERY, "api": {"rate": 10000.0}}))


class Exporter:
    def __init__(self, api: Any, token: Any, stage: Any) -> None:
        self.api, self.token, self.stage = api, token(), stage

    def ask(self, integration: Any, body: dict[str, Any], **headers: str) -> Any:
        path = f"/integrations/{getattr(integration, 'id', integration)}/export"
        return self.api.ask("POST", path, body, self.token, headers) if headers else self.api.ask("POST", path, body, self.token)

    def export(self, integration: Any, **body: Any) -> dict[str, Any]:
        answer = self.ask(integration, body)
        assert answer.status == 200, answer
        return answer.json()

    def deliveries(self, export: dict[str, Any]) -> list[dict[str, Any]]:
        return [d for page in pages(self.api, self.token, f"/deliveries?export_id={export['export_id']}&limit=200") for d in page]

    def wait(self, export: dict[str, Any], states: set[str] = {"delivered"}, timeout: float = 30) -> list[dict[str, Any]]:
        self.stage.wait(lambda: len(self.deliveries(export)) == export["count"] and {d["state"] for d in self.deliveries(export)} <= states,
                        timeout, lambda: [(d["state"], d["error"], d["detail"]) for d in self.deliveries(export)][:5])
        return self.deliveries(export)

    def count(self) -> tuple[int, int]:
        return self.stage.database.query("SELECT (SELECT count(*) FROM notify.events), (SELECT count(*) FROM notify.deliveries)")[0]


@pytest.fixture
def exporter(api, token, stage) -> Exporter:  # noqa: F811
    return Exporter(api, token, stage)


def find(stage: Any, severities: Any, **facts: Any) -> tuple[Any, list[Any]]:
    scan = seed.add_scan(stage.connection, stage.target)
    return scan, seed.add_findings(stage.connection, scan, severities, **facts)


def test_findings_of_a_scan_go_to_one_integration_whatever_its_filters_say(stage, notifyd, exporter, ctl):
    mine = stage.webhook(severity_filter="critical", events=["scan_failed"], target_ids=[seed.add_target(stage.connection, stage.workspace).id])
    other = stage.webhook("/other", severity_filter="info", name="other")
    scan, found = find(stage, ["low", "critical", "high", "info", "medium", "Unheard-of"])
    seed.add_findings(stage.connection, scan, ["critical"] * 2, suppressed=True)
    notifyd(FAST)
    export = exporter.export(mine, scan_id=scan.id, severity="medium")
    assert export["count"] == 3 and export["left_out"] == {"severity": 3, "suppressed": 2}
    assert [f["severity"] for f in export["findings"]] == ["critical", "high", "medium"], "worst first"
    assert [f["finding_id"] for f in export["findings"]] == [found[1].id, found[2].id, found[4].id]
    assert export["requests"] == [] and export["detail"] is None and export["integration_id"] == mine.id and export["kind"] == "webhook"
    done = exporter.wait(export)
    assert {(d["integration_id"], d["export_id"], d["event_type"], d["scan_id"]) for d in done} == {(mine.id, export["export_id"], "finding_new", scan.id)}
    bodies = [json.loads(r.body) for r in stage.receiver.requests("/hook")]
    assert sorted(b["id"] for b in bodies) == sorted(f["event_id"] for f in export["findings"])
    assert {b["event"] for b in bodies} == {"finding_new"} and stage.receiver.count("/other") == 0
    events = stage.database.query("SELECT export_id::text, state, considered, matched, queue FROM notify.events")
    assert events == [(export["export_id"], "done", 1, 1, None)] * 3, "marked in the ledger"
    assert stage.database.query("SELECT verb, object FROM notify.changes WHERE verb = 'export'") == [("export", f"{mine.id} {export['export_id']}")]
    # explain says that it was nobody's filters
    why = exporter.api.ask("GET", f"/explain?event_id={export['findings'][0]['event_id']}", None, exporter.token).json()[0]
    assert why["event"]["export_id"] == export["export_id"] and "export" in why["conclusion"], why["conclusion"]
    assert {i["integration_id"]: bool(i["delivery"]) for i in why["integrations"]} == {mine.id: True, other.id: False}
    assert "export" in ctl("explain", "--event", export["findings"][0]["event_id"]).out


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_shows_what_an_export_then_sends(kind, stage, notifyd, exporter):
    site = jira.Site()
    stage.receiver.script(PATHS[kind], *({"jira": [Answer(like=site)], "webhook": []}.get(kind, [Answer(like=kind)])))
    one = stage.integration(settings(stage.receiver.url)[kind], kind=kind, name=kind)
    _, found = find(stage, ["high"], description="It *is* <b>bad</b> & @here. " * 400, endpoint="https://shop.example/a?b=c")
    before = exporter.count()
    dry = exporter.export(one, finding_ids=[found[0].id], dry_run=True)
    assert dry["export_id"] is None and dry["count"] == 1 and dry["findings"][0]["event_id"] is None and len(dry["requests"]) == 1, dry
    assert exporter.count() == before and stage.receiver.count() == 0, "it makes nothing and sends nothing"
    assert not any(secret in json.dumps(dry) for secret in SECRETS)
    notifyd(FAST)
    real = exporter.export(one, finding_ids=[found[0].id])
    exporter.wait(real)
    shown = dry["requests"][0]
    sent = [r for r in stage.receiver.requests() if r.method == shown["method"] and similar(r.body.decode(), shown["body"])]
    assert len(sent) == 1, ([(r.method, r.path, r.body[:600]) for r in stage.receiver.requests()], shown)


def new_requests(stage: Any, work: Any) -> list[Any]:
    before = stage.receiver.count()
    work()
    return stage.receiver.requests()[before:]


@pytest.mark.parametrize("kind", ["discord", "pagerduty", "opsgenie", "github", "jira"])
def test_a_dry_run_knows_what_was_told_before(kind, stage, notifyd, exporter):
    """The same finding again, the same weakness in a later scan, worse by now, and then the old one, about which there is nothing to say any more."""
    site = jira.Site()
    stage.receiver.script(PATHS[kind], *([Answer(like=site)] if kind == "jira" else [Answer(like=kind)]))
    one = stage.integration(settings(stage.receiver.url)[kind], kind=kind, name=kind)
    weakness = {"category": "sqli", "endpoint": "https://shop.example/ä?b=c", "parameter": "id", "title": "Injection \"é\""}
    (_, (old,)), (_, (new,)) = find(stage, ["high"], **weakness), find(stage, ["critical"], **weakness)
    notifyd(FAST)
    compared = []
    for finding in (old, old, new, new, old):
        dry = exporter.export(one, finding_ids=[finding.id], dry_run=True)
        sent = new_requests(stage, lambda: exporter.wait(exporter.export(one, finding_ids=[finding.id]), {"delivered", "canceled", "dead"}))
        compared.append((finding is old, [r["method"] for r in dry["requests"]], [r.method for r in sent]))
        if dry["requests"]:
            shown, = dry["requests"]
            path = shown["url"].removeprefix(stage.receiver.url(""))
            assert sent and sent[0].method == shown["method"] and re.fullmatch(re.escape(path).replace(re.escape("***"), "[^/]+"), sent[0].path), (compared, shown)
            assert similar(sent[0].body.decode(), shown["body"] or ""), (compared, sent[0].body, shown)
        else:
            assert not sent and dry["detail"], (compared, dry)
    assert compared[0][1] and not compared[-1][1], compared


def test_a_dry_run_shows_the_look_for_what_nobody_knows_of(stage, notifyd, exporter):
    """A request that may have made an issue was not answered: before another is made, it is looked for."""
    stage.receiver.script(PATHS["github"], Answer(like="github"))
    one = stage.integration(settings(stage.receiver.url)["github"], kind="github", name="github")
    notifyd(FAST)
    exporter.wait(exporter.export(one, finding_ids=[stage.high]))
    stage.database.execute("UPDATE notify.external_refs SET state = 'none', key = NULL, unsure_since = now() - interval '1 hour'")
    shown, = exporter.export(one, finding_ids=[stage.high], dry_run=True)["requests"]
    sent = new_requests(stage, lambda: exporter.wait(exporter.export(one, finding_ids=[stage.high])))
    path = shown["url"].removeprefix(stage.receiver.url(""))
    assert shown["method"] == sent[0].method == "GET", (shown, sent)
    assert re.fullmatch(re.escape(path.split("?")[0]).replace(re.escape("***"), "[^/]+"), sent[0].path.split("?")[0]), (shown, sent)


def test_a_dry_run_tells_by_itself_what_a_room_was_told_before(stage, notifyd, exporter):
    stage.receiver.script(PATHS["discord"], Answer(like="discord"))
    room = stage.integration(settings(stage.receiver.url)["discord"], kind="discord", name="room")
    scan, found = find(stage, ["critical"] * 3 + ["low"] * 9)
    notifyd(FAST)
    for one in (found[1], found[5]):
        exporter.wait(exporter.export(room, finding_ids=[one.id]))
    stage.database.execute("UPDATE findings SET severity = 'medium' WHERE id = %s", (found[5].id,))
    dry = exporter.export(room, scan_id=scan.id, dry_run=True)
    sent = new_requests(stage, lambda: exporter.wait(exporter.export(room, scan_id=scan.id)))
    assert len(sent) == len(dry["requests"]), ([(r.method, r.path) for r in sent], dry)
    bodies = [shown["body"] or "" for shown in dry["requests"]]
    for request in sent:
        assert any(similar(request.body.decode(), body) for body in bodies), (request.body, bodies)


IDS = re.compile(r"export\.[0-9a-f-]{36}\.[0-9a-f-]{36}|\b[0-9a-f]{32,64}\b|\d{4}-\d\d-\d\dT[\d:.]+Z|\"time\":[\d.]+|\*{3,}|" + "|".join(map(re.escape, SECRETS)))


def similar(one: str, other: str) -> bool:
    """But for ids, times and secrets, which differ from one export to the next."""
    return IDS.sub("#", one) == IDS.sub("#", other)


def test_many_findings_for_a_chat_are_one_message_as_the_dry_run_says(stage, notifyd, exporter):
    stage.receiver.script(PATHS["slack"], Answer(like="slack"))
    room = stage.integration(settings(stage.receiver.url)["slack"], kind="slack", name="room")
    scan, _ = find(stage, ["critical"] * 3 + ["low"] * 9)
    ten = find(stage, ["low"] * 10)[0]
    assert len(exporter.export(room, scan_id=ten.id, dry_run=True)["requests"]) == 10
    dry = exporter.export(room, scan_id=scan.id, dry_run=True)
    assert len(dry["requests"]) == 1 and dry["count"] == 12
    notifyd(FAST)
    exporter.wait(exporter.export(room, scan_id=scan.id))
    sent, = stage.receiver.requests()
    assert sent.body.decode() == dry["requests"][0]["body"]


def test_an_export_that_is_asked_for_again_under_its_key_is_made_once(stage, exporter):
    hook = stage.webhook()
    scan, _ = find(stage, ["high", "low"])
    key = {"Idempotency-Key": "one"}
    first, again = exporter.ask(hook, {"scan_id": scan.id}, **key), exporter.ask(hook, {"scan_id": scan.id}, **key)
    assert (first.status, again.status) == (200, 200) and first.json() == again.json() and first.json()["count"] == 2
    assert again.headers["idempotent-replayed"] == "true" and exporter.count() == (2, 2)
    assert exporter.ask(hook, {"scan_id": scan.id, "severity": "high"}, **key).status == 409
    assert exporter.ask(stage.webhook("/2", name="2"), {"scan_id": scan.id}, **key).status == 409, "another integration is another request"
    assert exporter.ask(hook, {"scan_id": scan.id}, **{"Idempotency-Key": "two"}).json()["export_id"] != first.json()["export_id"]
    assert exporter.count() == (4, 4)
    disabled = stage.webhook("/3", name="3", enabled=False)
    keys = "SELECT count(*) FROM notify.kept_answers"
    assert exporter.stage.database.query(keys) == [(2,)]
    for integration, body in ((disabled, {"scan_id": scan.id}), (hook, {"scan_id": str(uuid.uuid4())}), (hook, {"finding_ids": [str(uuid.uuid4())]})):
        assert exporter.ask(integration, body, **{"Idempotency-Key": "three"}).status in (409, 422)
        assert exporter.stage.database.query(keys) == [(2,)]
    stage.database.execute("UPDATE integrations SET enabled = true WHERE id = %s", (disabled.id,))
    assert exporter.ask(disabled, {"scan_id": scan.id}, **{"Idempotency-Key": "three"}).json()["count"] == 2, "what was refused took no key"
    cancel_all(exporter)


def cancel_all(exporter: Exporter) -> int:
    found = exporter.stage.database.query("SELECT DISTINCT export_id::text FROM notify.events WHERE export_id IS NOT NULL")
    return sum(exporter.api.ask("POST", f"/exports/{id}/cancel", None, exporter.token).json()["canceled"] for id, in found)


def test_what_nobody_has_begun_can_be_canceled_and_is_never_sent(stage, notifyd, exporter, token):  # noqa: F811
    hook = stage.webhook()
    scan, _ = find(stage, ["high"] * 20)
    export, kept = exporter.export(hook, scan_id=scan.id), exporter.export(hook, finding_ids=[stage.high])
    path = f"/exports/{export['export_id']}/cancel"
    assert exporter.api.ask("POST", path, None, token("read")).status == 403
    assert exporter.api.ask("POST", path, None, token(workspace=seed.add_workspace(stage.connection).id)).status == 404
    assert exporter.api.ask("POST", f"/exports/{uuid.uuid4()}/cancel", None, exporter.token).status == 404
    assert exporter.api.ask("POST", path, None, exporter.token).json() == {"canceled": 20}
    assert exporter.api.ask("POST", path, None, exporter.token).json() == {"canceled": 0}
    notifyd(FAST)
    exporter.wait(kept)
    assert {d["state"] for d in exporter.deliveries(export)} == {"canceled"}
    time.sleep(0.5)
    assert list(stage.arrivals()) == [kept["findings"][0]["event_id"]]
    assert stage.database.query("SELECT verb, object FROM notify.changes WHERE verb = 'cancel'") == [("cancel", export["export_id"])]


def test_what_cannot_be_exported_is_said_and_changes_nothing(stage, exporter, token):  # noqa: F811
    hook, off = stage.webhook(), stage.webhook("/off", name="off", enabled=False)
    scan, found = find(stage, ["high"])
    theirs = seed.add_workspace(stage.connection)
    foreign_scan = seed.add_scan(stage.connection, seed.add_target(stage.connection, theirs))
    foreign, = seed.add_findings(stage.connection, foreign_scan, ["high"])
    elsewhere = stage.integration({"webhook_url": "https://x.example/"}, workspace=theirs)
    none = str(uuid.uuid4())
    both = {"scan_id": scan.id, "finding_ids": [found[0].id]}
    refused: list[tuple[Any, dict[str, Any], int, str]] = [
        (off, {"scan_id": scan.id}, 409, "disabled"), (elsewhere, {"scan_id": scan.id}, 404, "no such integration"),
        (none, {"scan_id": scan.id}, 404, "no such integration"), (hook, {}, 422, "either a scan"), (hook, both, 422, "either a scan"),
        (hook, {"scan_id": none}, 422, "no such scan"), (hook, {"scan_id": foreign_scan.id}, 422, "no such scan"),
        (hook, {"finding_ids": [found[0].id, foreign.id]}, 422, foreign.id), (hook, {"finding_ids": []}, 422, "1 to 500"),
        (hook, {"finding_ids": [none] * 2}, 422, "twice"), (hook, {"finding_ids": [str(uuid.uuid4()) for _ in range(501)]}, 422, "1 to 500"),
        (hook, {"finding_ids": ["x"]}, 422, "id of a finding"), (hook, {"scan_id": scan.id, "severity": "worst"}, 422, "must be one of"),
        (hook, {"scan_id": scan.id, "dry_run": "yes"}, 422, "true or false"), (hook, {"scan_id": scan.id, "kind": "slack"}, 422, "no field"),
    ]
    for dry in ({}, {"dry_run": True}):
        for integration, body, status, words in refused:
            answer = exporter.ask(integration, {**dry, **body})
            assert answer.status == status and words in json.dumps(answer.json()), (body, answer)
    assert exporter.api.ask("POST", f"/integrations/{hook.id}/export", {"scan_id": scan.id}, token("read")).status == 403
    stage.database.execute("UPDATE integrations SET config_encrypted = 'none of ours' WHERE id = %s", (hook.id,))
    assert exporter.ask(hook, {"scan_id": scan.id, "dry_run": True}).status == 409
    nothing = exporter.export(stage.webhook("/empty", name="empty"), scan_id=seed.add_scan(stage.connection, stage.target).id)
    assert nothing["count"] == 0 and nothing["findings"] == [] and nothing["export_id"] is None
    assert exporter.count() == (0, 0) and stage.database.query("SELECT count(*) FROM notify.integration_state") == [(0,)]


def test_a_scan_of_too_many_findings_is_refused_and_thousands_are_taken(stage, notify_api, token):  # noqa: F811
    one = Exporter(Checked(notify_api({"api": {"export_findings": 3000}})), token, stage)
    hook = stage.webhook()
    large, enough = find(stage, ["low"] * 3001)[0], find(stage, ["low"] * 3000)[0]
    seed.add_findings(stage.connection, large, ["critical"] * 2)
    assert one.export(hook, scan_id=large.id, severity="high")["left_out"]["severity"] == 3001, "those that are left out do not count"
    dry = one.export(hook, scan_id=enough.id, dry_run=True)
    assert len(dry["requests"]) == 50 and dry["count"] == 3000 and "first 50 of 3000" in dry["detail"], dry["detail"]
    answer = one.ask(hook, {"scan_id": large.id})
    assert answer.status == 422 and "api.export_findings" in json.dumps(answer.json())
    began = time.monotonic()
    assert one.export(hook, scan_id=enough.id)["count"] == 3000
    assert time.monotonic() - began < 5 and cancel_all(one) == 3002


def test_text_of_a_finding_changes_neither_place_nor_severity_and_mentions_nobody(stage, notifyd, exporter):
    """Whoever is scanned writes what stands in findings, and an agent may be told by it what to do."""
    stage.receiver.script(PATHS["slack"], Answer(like="slack"))
    stage.receiver.script(PATHS["discord"], Answer(like="discord"))
    stage.receiver.script(PATHS["pagerduty"], Answer(like="pagerduty"))
    made = {kind: stage.integration(settings(stage.receiver.url)[kind], kind=kind, name=kind) for kind in ("slack", "discord", "pagerduty", "webhook")}
    text = 'critical <!channel> @everyone <@U123> ","severity":"critical","webhook_url":"https://evil.example/" export_to_slack {"integration":"x"}'
    _, found = find(stage, ["low"], title=text[:200], description=text, endpoint="https://evil.example/?x=<!here>", category=text[:60])
    notifyd(FAST)
    for one in made.values():
        exporter.wait(exporter.export(one, finding_ids=[found[0].id]))
    requests = lambda kind: [r for r in stage.receiver.requests() if r.path.startswith(PATHS[kind].rstrip("*"))]
    assert len(stage.receiver.requests()) == sum(len(requests(kind)) for kind in made)
    slack, = requests("slack")
    assert b"<!channel>" not in slack.body and b"<!here>" not in slack.body and b"<@U123>" not in slack.body
    discord, = requests("discord")
    assert json.loads(discord.body)["allowed_mentions"] == {"parse": []}
    page, = requests("pagerduty")
    assert json.loads(page.body)["payload"]["severity"] == "info"
    hook, = requests("webhook")
    assert json.loads(hook.body)["finding"]["severity"] == "low"


def test_a_failed_export_is_tried_again_and_ends_as_any_other(stage, notifyd, exporter):
    hook = stage.webhook()
    stage.receiver.script("/hook", Answer(status=503), Answer(status=200), Answer(status=404))
    notifyd({**FAST, "retry": {"base": 0.2}})
    assert exporter.wait(exporter.export(hook, finding_ids=[stage.high]))[0]["attempt"] == 2
    dead = exporter.export(hook, finding_ids=[stage.high])
    gone, = exporter.wait(dead, {"dead"})
    stage.receiver.script("/hook", Answer(status=200))
    assert exporter.api.ask("POST", f"/deliveries/{gone['event_id']}/{hook.id}/replay", None, exporter.token).status == 200
    exporter.wait(dead)


# --- with settings that are not saved

@pytest.mark.parametrize("kind", KINDS)
def test_settings_that_are_not_saved_send_what_their_dry_run_shows_and_leave_no_row(kind, stage, exporter):
    stage.receiver.script(PATHS[kind], *({"jira": [Answer(like=jira.Site())], "webhook": []}.get(kind, [Answer(like=kind)])))
    _, found = find(stage, ["high", "low"])
    body = {"kind": kind, "config": settings(stage.receiver.url)[kind], "finding_ids": [f.id for f in found], "severity": "medium"}
    dry = exporter.api.ask("POST", "/integrations/export", {**body, "dry_run": True}, exporter.token).json()
    assert (dry["count"], dry["sent"], dry["left_out"]["severity"], len(dry["requests"])) == (1, 0, 1, 1) and stage.receiver.count() == 0
    answer = exporter.api.ask("POST", "/integrations/export", body, exporter.token)
    assert answer.status == 200, answer
    told, = answer.json()["findings"]
    assert (told["finding_id"], told["ok"], told["status"] // 100, answer.json()["sent"]) == (found[0].id, True, 2, 1), answer
    assert any(r.method == dry["requests"][0]["method"] and similar(r.body.decode(), dry["requests"][0]["body"]) for r in stage.receiver.requests())
    assert exporter.count() == (0, 0) and stage.database.query("SELECT verb, object FROM notify.changes WHERE verb = 'export' AND object LIKE 'unsaved %'")[0][0] == "export"
    written = [json.dumps(dry), answer.body.decode(), exporter.api.api.log_text()]
    assert not any(secret in text for secret in SECRETS for text in written)


def unsaved(exporter: Exporter, stage: Any, **body: Any) -> Any:
    return exporter.api.ask("POST", "/integrations/export", {"kind": "webhook", "config": {"webhook_url": stage.receiver.url("/hook")}, **body}, exporter.token)


def test_each_finding_is_answered_for_when_some_fail_and_when_time_is_over(stage, notify_api, token):  # noqa: F811
    one = Exporter(Checked(notify_api({"delivery": DELIVERY, "api": {"test_timeout": 2.0, "tests_burst": 4, "tests_pause": 60.0}})), token, stage)
    scan, _ = find(stage, ["high"] * 4)
    stage.receiver.script("/hook", Answer(), Answer(status=500), Answer(status=404), Answer(delay=60.0))
    answer = unsaved(one, stage, scan_id=scan.id)
    assert [(f["ok"], f["status"]) for f in answer.json()["findings"]] == [(True, 200), (False, 500), (False, 404), (False, None)], answer
    assert answer.json()["sent"] == 1 and all(f["detail"] for f in answer.json()["findings"][1:])
    logged = stage.database.query("SELECT count(*) FROM notify.changes")
    assert unsaved(one, stage, scan_id=scan.id).status == 429, "api.tests_burst holds for what is sent, too"
    assert stage.database.query("SELECT count(*) FROM notify.changes") == logged, "and what was not sent is not said to have been"
    assert unsaved(one, stage, scan_id=scan.id, dry_run=True).status == 200


def test_what_cannot_be_sent_with_settings_that_are_not_saved_is_said(stage, exporter):
    scan, _ = find(stage, ["high"] * 21)
    for body, field, words in (({"scan_id": scan.id}, "scan_id", "api.export_unsaved"), ({}, "scan_id", "either a scan"),
                               ({"scan_id": scan.id, "config": {"webhook_url": "ftp://x"}}, "config.webhook_url", ""),
                               ({"scan_id": scan.id, "config": {"webhook_url": "https://x.example/", "url": "x"}}, "config.url", ""),
                               ({"scan_id": scan.id, "kind": "fax"}, "kind", "must be one of")):
        answer = unsaved(exporter, stage, **body)
        assert answer.status == 422 and field in [e["field"] for e in answer.json()["errors"]] and words in json.dumps(answer.json()), answer
    assert stage.receiver.count() == 0
    assert unsaved(exporter, stage, scan_id=seed.add_scan(stage.connection, stage.target).id).json()["findings"] == []


def test_each_message_counts_as_a_test_and_a_destination_that_wants_a_pause_has_it(stage, notify_api, token):  # noqa: F811
    one = Exporter(Checked(notify_api({"delivery": DELIVERY, "api": {"tests_burst": 3, "tests_pause": 60.0}})), token, stage)
    scan, _ = find(stage, ["high"] * 5)
    answer = unsaved(one, stage, scan_id=scan.id).json()
    assert [f["ok"] for f in answer["findings"]] == [True] * 3 + [False] * 2 and "api.tests_burst" in answer["findings"][4]["detail"]
    assert stage.receiver.count() == 3
    other = Exporter(Checked(notify_api({"delivery": DELIVERY})), token, stage)
    stage.receiver.script("/hook", Answer(), Answer(status=429), Answer())
    answer = unsaved(other, stage, scan_id=scan.id).json()
    assert [f["ok"] for f in answer["findings"]] == [True] + [False] * 4 and "pause" in answer["findings"][4]["detail"] and stage.receiver.count() == 5


def test_only_findings_that_are_meant_count_for_settings_that_are_not_saved(stage, exporter):
    scan, _ = find(stage, ["info"] * 40 + ["critical"] * 2)
    seed.add_findings(stage.connection, scan, ["critical"] * 20, suppressed=True)
    assert unsaved(exporter, stage, scan_id=scan.id).status == 422
    answer = unsaved(exporter, stage, scan_id=scan.id, severity="critical").json()
    assert (answer["sent"], answer["left_out"]) == (2, {"severity": 40, "suppressed": 20})


def test_an_integration_that_goes_while_it_is_exported_to_leaves_nothing_that_waits_for_ever(stage, notifyd, exporter):
    hook = stage.webhook()
    answers = []
    stage.database.execute("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';"
                           " CREATE TRIGGER waits BEFORE INSERT ON notify.deliveries FOR EACH ROW EXECUTE FUNCTION wait()")  # the first statement takes its time
    client = threading.Thread(target=lambda: answers.append(exporter.export(hook, finding_ids=[stage.high])))
    client.start()
    stage.wait(lambda: stage.database.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    stage.database.execute("DELETE FROM integrations WHERE id = %s", (hook.id,))
    client.join()
    notifyd(FAST)
    assert exporter.wait(answers[0], {"canceled"})


def test_before_roles_are_given_anew_only_exports_are_missing(stage, notify_api, token):  # noqa: F811
    """As after an upgrade by who may not make functions for the product's owner."""
    made = (ROOT / "schema" / "0014_exports.sql").read_text()
    stubs = made[made.index("CREATE FUNCTION notify.api_export_sum"):made.index("CREATE OR REPLACE FUNCTION notify.make_api_views")]
    stage.database.execute("DROP FUNCTION notify.api_export_sum(uuid, uuid[], integer), notify.api_exportable(uuid, uuid[], integer, integer, integer);" + stubs)
    one = Exporter(Checked(notify_api()), token, stage)
    hook = stage.webhook()
    answer = one.ask(hook, {"finding_ids": [stage.high]})
    assert answer.status == 503 and "notifyctl check" in answer.json()["detail"], answer
    assert one.api.ask("GET", "/integrations", None, one.token).status == 200 and one.api.ask("GET", "/deliveries", None, one.token).status == 200
    assert stage.database.query("SELECT notify.make_api_views()") == [("made",)] and one.export(hook, finding_ids=[stage.high])["count"] == 1
    cancel_all(one)

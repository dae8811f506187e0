"""notifyctl explain: why an event reached an integration or not, told from the ledger and from the filters themselves."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from ctl import Notifyctl
from sandbox import seed
from sandbox.answers import Answer as Reply

from conftest import Stage

STAGES = ["disabled", "target", "event", "target_kind", "severity"]


def explained(ctl: Notifyctl, *words: str) -> dict[str, Any]:
    answer = ctl("explain", "--json", *words)
    assert answer.code == 0 and not answer.err, answer
    one, = answer.json()
    return one


def held(one: dict[str, Any], integration: Any) -> list[str]:
    """The filters that hold it back now."""
    row, = [row for row in one["integrations"] if row["integration_id"] == integration.id]
    assert [f["filter"] for f in row["filters"]] == STAGES
    failing = [f["filter"] for f in row["filters"] if not f["passes"]]
    assert row["fires"] == (not failing)
    return failing


def why(one: dict[str, Any], integration: Any) -> dict[str, str]:
    row, = [row for row in one["integrations"] if row["integration_id"] == integration.id]
    return {f["filter"]: f["why"] for f in row["filters"]}


def test_every_filter_that_holds_back_is_named_with_what_it_compared(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    elsewhere = str(uuid.uuid4())
    wanted = {
        "all": (stage.webhook(name="all", severity_filter="info"), []),
        "off": (stage.webhook(name="off", enabled=False, severity_filter="critical"), ["disabled", "severity"]),
        "other": (stage.webhook(name="other", target_ids=[elsewhere], events=["scan_done"], target_kinds=["repository"]),
                  ["target", "event", "target_kind"]),
        "this": (stage.webhook(name="this", target_ids=[elsewhere, stage.target.id], events=["scan_done", "finding_new"],
                               target_kinds=["url", "repository"], severity_filter="high"), []),
        "none": (stage.webhook(name="none", target_kinds=[], events=["nonsense"]), ["event", "target_kind"]),
    }
    notifyd()
    event = stage.publish("finding_new")
    stage.wait(lambda: [row["state"] for row in stage.events(event)] == ["done"])
    one = explained(ctl, "--event", event)
    assert {name: held(one, integration) for name, (integration, _) in wanted.items()} == {name: stages for name, (_, stages) in wanted.items()}

    # The filters agree with what the worker did and counted.
    delivered = {row["integration_id"] for row in stage.deliveries(event)}
    assert {row["integration_id"] for row in one["integrations"] if row["fires"]} == delivered and len(delivered) == 2
    first = [stages[0] for _, stages in wanted.values() if stages]
    assert {stage: one["event"][f"filtered_{stage}"] for stage in STAGES} == {stage: first.count(stage) for stage in STAGES}
    assert one["conclusion"] == ("2 of 5 integrations wanted it: delivered 2; held back by their filters then: disabled 1, target 1, event 1;"
                                 " as they are now, it would go to 2 of 5 integrations")

    other, off, none = (why(one, wanted[name][0]) for name in ("other", "off", "none"))
    assert other["target"] == f"the scan's target is {stage.target.id}, its target_ids are {elsewhere}"
    assert other["event"] == "the event is finding_new, its events are scan_done"
    assert other["target_kind"] == "the target's kind is url, its target_kinds are repository"
    assert off["severity"] == "the finding is high, its severity_filter is critical" and off["disabled"] == "disabled"
    assert none["event"] == "the event is finding_new, its events are none that we know" and none["target_kind"].endswith("its target_kinds are none")
    text = ctl("explain", "--event", event).out
    assert f"conclusion: {one['conclusion']}\n" in text and text.count("  HELD  ") == 7 and text.count("  pass  ") == 18, text
    assert text.count("  no delivery\n") == 3 and text.count("delivered (the destination accepted it)") == 2


def test_what_changed_since_then_is_told_apart(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    hook, gone = stage.webhook("/hook", name="hook"), stage.webhook("/gone", name="gone")
    notifyd()
    event = stage.publish("scan_done")
    stage.wait_settled(2)
    stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s; DELETE FROM integrations WHERE id = %s", (hook.id, gone.id))
    one = explained(ctl, "--event", event)
    assert held(one, hook) == ["disabled"]
    assert {row["integration_id"]: row["delivery"]["state"] for row in one["integrations"]} == {hook.id: "delivered", gone.id: "delivered"}
    assert one["conclusion"] == "2 of 2 integrations wanted it: delivered 2; as they are now, it would go to 0 of 1 integrations"
    assert f"integration {gone.id}, kind (deleted), name (deleted)" in ctl("explain", "--event", event).out
    stage.database.execute("DELETE FROM scans WHERE id = %s", (stage.scan.id,))
    one = explained(ctl, "--event", event)
    assert one["conclusion"].endswith("the filters cannot be asked now: its scan, or the scan's target, is not in the database now")


def test_the_story_of_a_delivery_is_told_with_its_attempts(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    slow, dead = stage.webhook("/slow", name="slow"), stage.webhook("/dead", name="dead")
    stage.receiver.script("/slow", Reply(status=503, body=b"later"))
    stage.receiver.script("/dead", Reply(status=404))
    notifyd({"retry": {"base": 300.0}})
    event = stage.publish("scan_done")
    stage.wait(lambda: {row["state"] for row in stage.deliveries(event)} == {"waiting", "dead"})
    stage.database.execute("UPDATE notify.deliveries SET maybe_duplicate = true WHERE state = 'dead'")
    one = explained(ctl, "--event", event)
    found = {row["integration_id"]: row["delivery"] for row in one["integrations"]}
    waiting = found[slow.id]
    assert (waiting["state"], waiting["attempt"], waiting["error"], waiting["status"]) == ("waiting", 1, "http_status", 503)
    assert waiting["due_at"] > waiting["updated_at"] and waiting["lease_until"] is None
    assert [(a["attempt"], a["status"], a["response"]) for a in waiting["attempts"]] == [(1, 503, "later")]
    assert (found[dead.id]["reason"], found[dead.id]["maybe_duplicate"]) == ("rejected", True)
    assert one["conclusion"].startswith("2 of 2 integrations wanted it: waiting 1, dead 1;")
    text = ctl("explain", "--event", event).out
    assert "rejected (the destination answered that it will never accept this request)" in text and "attempts that failed:" in text


def test_an_event_is_found_by_what_it_is_about(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    stage.webhook(severity_filter="low")
    notifyd()
    low = stage.publish("finding_new", finding_id=stage.findings["low"].id)
    high = [stage.publish("finding_new") for _ in range(2)]
    stage.wait_settled(3)
    by_type = ctl("explain", "--json", "--scan", stage.scan.id, "--type", "finding_new").json()
    assert {one["event"]["id"] for one in by_type} == {low, *high}
    assert explained(ctl, "--scan", stage.scan.id, "--type", "finding_new", "--finding", stage.findings["low"].id)["event"]["id"] == low
    assert len(ctl("explain", "--json", "--scan", stage.scan.id, "--type", "finding_new", "--finding", stage.high).json()) == 2
    assert ctl("explain", "--scan", stage.scan.id, "--type", "finding_new").out.count("conclusion: ") == 3


def test_without_an_event_it_says_what_one_would_do(stage: Stage, ctl: Notifyctl) -> None:
    picky = stage.webhook("/picky", name="picky", severity_filter="critical")
    stage.webhook("/open", name="open", severity_filter="info")
    seed.add_integration(stage.connection, stage.workspace, "carrier-pigeon", {}, stage.key, name="bird")
    scan, high = stage.scan.id, stage.high
    one = explained(ctl, "--scan", scan, "--type", "finding_new", "--finding", high)
    assert one["event"] is None and held(one, picky) == ["severity"] and all(row["delivery"] is None for row in one["integrations"])
    assert one["conclusion"] == "no event of that kind was ever received; it would go to 1 of 3 integrations"
    assert "this version does not know this kind: a delivery would be dead (unknown_kind)" in ctl("explain", "--scan", scan, "--type", "scan_done").out
    assert explained(ctl, "--scan", scan, "--type", "scan_done")["conclusion"].endswith("it would go to 2 of 3 integrations")
    for words, said in ((["--scan", str(uuid.uuid4()), "--type", "scan_done"], "its scan, or the scan's target, is not in the database now"),
                        (["--scan", scan, "--type", "finding_new"], "its finding is not in the database now"),
                        (["--scan", scan, "--type", "finding_new", "--finding", str(uuid.uuid4())], "its finding is not in the database now")):
        answer = ctl("explain", *words)
        assert answer.code == 1 and f"the filters cannot be asked now: {said}" in answer.out, answer
    other = seed.add_findings(stage.connection, seed.add_scan(stage.connection, stage.target), ["high"])[0]
    assert "its finding belongs to another scan" in ctl("explain", "--scan", scan, "--type", "finding_new", "--finding", other.id).out


@pytest.mark.parametrize(("columns", "said"), [
    ({"state": "dead", "reason": "not_found", "finished_at": "now"}, "it died before it reached any integration: not_found (the scan, its target or"),
    ({"state": "expired", "finished_at": "now"}, "its expiry time had passed before the first attempt, so nobody got it"),
    ({"state": "scheduled", "scheduled_for": "2999-01-01T00:00:00Z"}, "it waits for its time, 2999-01-01T00:00:00.000Z; no integration was asked"),
    ({"state": "open"}, "it is being handled: 0 deliveries so far"),
    ({"state": "done", "finished_at": "now"}, "its workspace had no integration when it was matched; as they are now, it would go to 1 of 1"),
    ({"state": "done", "finished_at": "now", "considered": 3, "filtered_target": 3},
     "none of the 3 integrations of its workspace wanted it; held back by their filters then: target 3"),
    ({"state": "expanded", "event_type": "notify_scan_findings", "published": 1}, "it is a task that became 1 events of their own"),
    ({"state": "dead", "event_type": "of a later version", "finished_at": "now"}, "(a word of another version)"),
])
@pytest.mark.unbalanced("the rows are made by hand, and their times and messages with them")
def test_each_state_of_an_event_has_its_conclusion(stage: Stage, ctl: Notifyctl, columns: dict[str, Any], said: str) -> None:
    stage.webhook()
    row = {"id": "x\x1b[31m", "content_hash": b"", "scan_id": stage.scan.id, "event_type": "scan_done", "first_seen": "now", **columns}
    stage.database.execute(f"INSERT INTO notify.events ({', '.join(row)}) VALUES ({', '.join('%s' for _ in row)})", tuple(row.values()))
    answer = ctl("explain", "--event", row["id"])
    assert answer.code == 0 and said in answer.out.split("conclusion: ")[1] and "\x1b" not in answer.out and "x?[31m" in answer.out, answer
    assert said in explained(ctl, "--event", row["id"])["conclusion"]


def test_an_event_that_nobody_knows_is_exit_1(stage: Stage, ctl: Notifyctl) -> None:
    answer = ctl("explain", "--event", "nothing")
    assert answer.code == 1 and "the ledger has no event with this id" in answer.err and not answer.out, answer
    assert ctl("explain", "--event", "nothing", "--json").json() == []
    answer = ctl("explain", "--event", "e", database={"url": "postgresql://127.0.0.1:1/d"})
    assert answer.code == 75 and "notifyctl: database: " in answer.err, answer


def test_nothing_of_an_integrations_settings_is_shown(stage: Stage, notifyd: Any, ctl: Notifyctl) -> None:
    stage.integration({"webhook_url": stage.receiver.url("/hidden-path"), "hmac_secret": "hidden-secret"}, name="name\x1b]0;x")
    token, = stage.database.query("SELECT encode(config_encrypted, 'escape') FROM integrations")[0]
    notifyd()
    event = stage.publish("scan_done")
    stage.wait_settled(1)
    for words in (["--event", event], ["--event", event, "--json"], ["--scan", stage.scan.id, "--type", "scan_failed"]):
        answer = ctl("explain", *words)
        assert answer.code == 0 and "hidden" not in answer.out and token[:20] not in answer.out and "\x1b" not in answer.out, answer

"""How deliveries end that are not delivered: without an attempt, and what is kept of the last one."""

from __future__ import annotations

import pytest
from sandbox.receiver import Answer

from stage import dead_letters

pytestmark = pytest.mark.usefixtures("counted")


def rows(stage) -> dict[str, tuple]:
    names = "state, reason, attempt, error, status, due_at IS NULL AND lease_until IS NULL"
    return {row[0]: row[1:] for row in stage.database.query(f"SELECT integration_id::text, {names} FROM notify.deliveries")}


def all_waiting(stage, count: int):
    return stage.wait(lambda: [d["state"] for d in stage.deliveries()] == ["waiting"] * count)


def test_an_integration_disabled_or_deleted_while_its_retry_waits_ends_as_canceled(stage, notifyd, rabbit, vhost):
    """The attempt that is not made does not count, and what the last one said stays."""
    disabled, deleted, kept = (stage.webhook(f"/{name}", name=name) for name in ("disabled", "deleted", "kept"))
    for name in ("disabled", "deleted", "kept"):
        stage.receiver.script(f"/{name}", Answer(status=503), Answer())
    notifyd({"retry": {"base": 2.0, "jitter": 0.0}})
    stage.publish()
    all_waiting(stage, 3)
    stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s", (disabled.id,))
    stage.database.execute("DELETE FROM integrations WHERE id = %s", (deleted.id,))
    stage.wait(lambda: {row[0] for row in rows(stage).values()} == {"canceled", "delivered"})
    ended = ("canceled", None, 1, "http_status", 503, True)
    assert rows(stage) == {disabled.id: ended, deleted.id: ended, kept.id: ("delivered", None, 2, None, 200, True)}
    assert [stage.receiver.count(f"/{name}") for name in ("disabled", "deleted", "kept")] == [1, 1, 2]
    assert rabbit.depth("notify.dead", vhost) == 0


def test_settings_that_become_unreadable_while_a_retry_waits_end_it_with_its_last_error(stage, notifyd):
    hook = stage.webhook()
    stage.receiver.script("/hook", Answer(status=503))
    one = notifyd({"retry": {"base": 2.0, "jitter": 0.0}})
    stage.publish()
    all_waiting(stage, 1)
    stage.database.execute("UPDATE integrations SET config_encrypted = 'x'")
    [(headers, _, _)] = dead_letters(stage.broker_url, 1)
    assert rows(stage) == {hook.id: ("dead", "config_unreadable", 1, "http_status", 503, True)}
    assert (headers["x-notify-reason"], headers["x-notify-attempt"], headers["x-notify-error"]) == ("config_unreadable", 1, "http_status")
    assert one.events("settings_unreadable")[0]["integration"] == hook.id


def test_settings_that_cannot_be_used_end_a_delivery_before_its_first_attempt(stage, notifyd):
    stage.integration({"webhook_url": 7})
    stage.integration({}, kind="carrier_pigeon", name="bird")
    notifyd()
    stage.publish()
    letters = dead_letters(stage.broker_url, 2)
    assert {(h["x-notify-reason"], h["x-notify-attempt"]) for h, _, _ in letters} == {("config_invalid", 0), ("unknown_kind", 0)}
    details = dict(stage.database.query("SELECT reason, detail FROM notify.deliveries"))
    assert "webhook_url" in details["config_invalid"] and '"carrier_pigeon"' in details["unknown_kind"]
    assert {row[2] for row in rows(stage).values()} == {0}
    assert stage.database.query("SELECT count(*) FROM notify.attempts") == [(0,)]


@pytest.mark.parametrize("status", [404, 503])
def test_what_a_receiver_answered_is_kept_without_the_secrets_that_it_repeats(stage, notifyd, status):
    path, key = "/hooks/T0KENT0KEN?key=S3CR3TS3CR3T", "Bearer K3YK3YK3YK3Y"
    stage.integration({"webhook_url": stage.receiver.url(path), "headers": {"Authorization": key}})
    stage.receiver.script(path, Answer(status=status, body=f"Cannot POST {path} with {key}: grün".encode()))
    one = notifyd({"log": {"level": "debug"}, "retry": {"base": 60.0}})
    stage.publish()
    stage.wait(lambda: [d["state"] for d in stage.deliveries()] in (["waiting"], ["dead"]))
    for table in ("deliveries", "attempts"):
        [(response,)] = stage.database.query(f"SELECT response FROM notify.{table}")
        assert bytes(response).decode() == "Cannot POST /hooks/**********?key=************ with Bearer ************: grün"
    text = one.log_text()
    assert not [secret for secret in ("T0KENT0KEN", "S3CR3TS3CR3T", "K3YK3YK3YK3Y") if secret in text]

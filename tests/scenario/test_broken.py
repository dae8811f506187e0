"""An integration whose destination says that it is gone is broken: nothing is sent to it but a probe now and then, until it changes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from sandbox import seed
from sandbox.receiver import Answer
from stage import dead_letters

GONE = Answer(status=410)
HOUR = {"gate": {"report": 0.2}}


def outcome(stage: Any, event_id: str) -> tuple[str, str | None, int]:
    """State, reason and attempts of the one delivery of an event."""
    return stage.wait(lambda: [(d["state"], d["reason"], d["attempt"]) for d in stage.deliveries(event_id)
                               if d["state"] in ("delivered", "dead")][0], 15, f"{event_id} is not settled")


def ledger(stage: Any, hook: Any) -> tuple[bool, bool]:
    """Broken since some time, and a probe is due at some time."""
    rows = stage.database.query("SELECT broken_since IS NOT NULL, probe_at IS NOT NULL FROM notify.integration_state"
                                " WHERE integration_id = %s", (hook.id,))
    return rows[0] if rows else (False, False)


def broken_hook(stage: Any, one: Any) -> Any:
    hook = stage.webhook(secret=None)
    stage.receiver.script("/hook", GONE)
    assert outcome(stage, stage.publish()) == ("dead", "gone", 1)
    one.wait_event("integration_broken")
    stage.wait(lambda: ledger(stage, hook) == (True, True))
    return hook


def test_what_is_for_a_destination_that_is_gone_is_dead_at_once_and_can_be_replayed(stage, notifyd, ctl):
    one = notifyd({"workers": 2, **HOUR})
    hook = broken_hook(stage, one)
    other = stage.webhook("/other", secret=None, name="other")
    ids = [stage.publish() for _ in range(6)]
    for id in ids:
        stage.wait(lambda: {(d["integration_id"], d["state"], d["reason"], d["attempt"]) for d in stage.deliveries(id)} == {
            (hook.id, "dead", "integration_broken", 0), (other.id, "delivered", None, 1)}, 15)
    assert stage.receiver.count("/hook") == 1 and stage.receiver.count("/other") == 6
    assert Counter(headers["x-notify-reason"] for headers, _, _ in dead_letters(stage.broker_url, 7)) == {"gone": 1, "integration_broken": 6}
    assert len(one.events("integration_broken")) == 1 and one.counter("integrations_broken") == 1
    stats = json.loads(ctl("stats", "--json").out)
    assert [row["integration_id"] for row in stats["integrations"] if row["broken_since"]] == [hook.id]

    stage.receiver.script("/hook", Answer())
    stage.database.execute(  # saved again, as it is: whoever does that wants it to be tried
        "UPDATE integrations SET config_encrypted = %s WHERE id = %s",
        (seed.encrypt_config({"webhook_url": stage.receiver.url("/hook")}, stage.key), hook.id))
    assert ctl("dead", "replay", "--integration", hook.id).code == 0
    stage.wait(lambda: all(d["state"] == "delivered" for d in stage.deliveries()), 15, "what was dead was not delivered")
    assert stage.receiver.count("/hook") == 1 + 7
    stage.wait(lambda: ledger(stage, hook) == (False, False), 10, "the ledger says that it is broken")
    assert [row for row in json.loads(ctl("stats", "--json").out)["integrations"] if row["broken_since"]] == []


@pytest.mark.parametrize("change", ["name = 'new name'", "severity_filter = 'low'", "target_kinds = '[\"url\"]'"])
def test_any_change_makes_it_usual_again(stage, notifyd, change):
    hook = broken_hook(stage, notifyd({"workers": 1, **HOUR}))
    assert outcome(stage, stage.publish()) == ("dead", "integration_broken", 0)
    stage.database.execute(f"UPDATE integrations SET {change} WHERE id = %s", (hook.id,))
    stage.receiver.script("/hook", GONE, Answer())

    def is_asked() -> bool:  # within a second of the change
        return outcome(stage, stage.publish())[1] == "gone"
    stage.wait(is_asked, 10)
    assert outcome(stage, stage.publish()) == ("dead", "integration_broken", 0), "it is broken again, as the row that it is now"


def test_a_probe_goes_now_and_then_and_what_it_finds_counts(stage, notifyd):
    """Of all that comes in the time between two, one is sent."""
    one = notifyd({"workers": 2, "gate": {"report": 0.2, "broken_probe": 3.0}})
    hook = broken_hook(stage, one)
    stage.receiver.script("/hook", GONE, GONE, Answer())
    ends: list[str | None] = []

    def is_delivered() -> bool:
        state, reason, _ = outcome(stage, stage.publish())
        ends.append(reason or state)
        return state == "delivered"
    stage.wait(is_delivered, 30, "it is broken for ever")
    probes = [r.at for r in stage.receiver.requests("/hook")]
    assert ends.count("gone") == 2 and ends.count("integration_broken") == len(ends) - 3 > 3
    assert all(later - first >= 2.9 for first, later in zip(probes, probes[1:])), "two probes in 3 s"
    assert outcome(stage, stage.publish()) == ("delivered", None, 1)
    one.wait_event("integration_works")
    stage.wait(lambda: ledger(stage, hook) == (False, False))


def test_a_probe_that_cannot_tell_changes_nothing(stage, notifyd):
    one = notifyd({"workers": 1, "retry": {"base": 1.0, "jitter": 0.0}, "gate": {"report": 0.2, "broken_probe": 2.0}})
    broken_hook(stage, one)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    stage.wait(lambda: stage.publish() and stage.receiver.count("/hook") > 1, 10)
    stage.wait(lambda: [d for d in stage.deliveries() if (d["reason"], d["attempt"]) == ("integration_broken", 1)], 10,
               "the probe's second attempt is due before the next probe")
    assert not one.events("integration_works")


def test_other_hosts_and_later_starts_know_of_it_and_hear_when_it_works(stage, notifyd):
    """What each of them would find out with a request of its own stands in the ledger."""
    first = notifyd({"workers": 1, **HOUR})
    hook = broken_hook(stage, first)
    first.terminate()
    assert first.wait() == 0
    patient = notifyd({"workers": 1, **HOUR})
    assert outcome(stage, stage.publish()) == ("dead", "integration_broken", 0)
    assert stage.receiver.count("/hook") == 1
    stage.receiver.script("/hook", Answer())
    stage.database.execute("UPDATE notify.integration_state SET probe_at = now() - interval '1 s' WHERE integration_id = %s", (hook.id,))
    second = notifyd({"workers": 1, **HOUR})  # it reads that a probe is due

    def works() -> bool:
        stage.publish()
        return ledger(stage, hook) == (False, False)
    stage.wait(works, 20)
    assert second.events("integration_works") and not patient.events("integration_works")
    for id in [stage.publish() for _ in range(20)]:  # of which each host has some
        assert outcome(stage, id) == ("delivered", None, 1)

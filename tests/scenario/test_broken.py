"""An integration whose destination says that it is gone is broken: nothing is sent to it but a probe now and then, until it changes."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest
from sandbox import seed
from sandbox.receiver import Answer
from stage import dead_letters

GONE = Answer(status=410)
HOUR = {"gate": {"report": 0.2, "broken_pause": 3600.0}}
BROKEN = ("dead", "integration_broken", 0)
DELIVERED = ("delivered", None, 1)


def outcome(stage: Any, event_id: str) -> tuple[str, str | None, int]:
    """State, reason and attempts of the one delivery of an event."""
    return stage.wait(lambda: [(d["state"], d["reason"], d["attempt"]) for d in stage.deliveries(event_id)
                               if d["state"] in ("delivered", "dead")][0], 15, f"{event_id} is not settled")


def is_broken(stage: Any, hook: Any) -> bool:
    """As the ledger says."""
    rows = stage.database.query("SELECT broken_row <> '', broken_since IS NOT NULL, probe_at IS NOT NULL FROM notify.integration_state"
                                " WHERE integration_id = %s", (hook.id,))
    assert not rows or rows[0] in ((True, True, True), (False, False, False), (None, False, False)), rows
    return bool(rows and rows[0][0])


def broken_hook(stage: Any, one: Any) -> Any:
    hook = stage.webhook(secret=None)
    stage.receiver.script("/hook", GONE)
    assert outcome(stage, stage.publish()) == ("dead", "gone", 1)
    one.wait_event("integration_broken")
    stage.wait(lambda: is_broken(stage, hook))
    return hook


def wait_delivered(stage: Any) -> list[str]:
    """Publishes until one is delivered; how all of them ended."""
    ends: list[str] = []

    def is_delivered() -> bool:
        state, reason, _ = outcome(stage, stage.publish())
        ends.append(reason or state)
        return state == "delivered"
    stage.wait(is_delivered, 30, "it is broken for ever")
    return ends


def test_what_is_for_a_destination_that_is_gone_is_dead_at_once_and_can_be_replayed(stage, notifyd, ctl):
    one = notifyd({"workers": 2, **HOUR})
    hook = broken_hook(stage, one)
    other = stage.webhook("/other", secret=None, name="other")
    for id in [stage.publish() for _ in range(6)]:
        stage.wait(lambda: {(d["integration_id"], d["state"], d["reason"], d["attempt"]) for d in stage.deliveries(id)} == {
            (hook.id, *BROKEN), (other.id, *DELIVERED)}, 15)
    assert stage.receiver.count("/hook") == 1 and stage.receiver.count("/other") == 6
    assert Counter(headers["x-notify-reason"] for headers, _, _ in dead_letters(stage.broker_url, 7)) == {"gone": 1, "integration_broken": 6}
    assert len(one.events("integration_broken")) == 1 and one.counter("integrations_broken") == 1
    stats = json.loads(ctl("stats", "--json").out)
    assert [row["integration_id"] for row in stats["integrations"] if row["broken_since"]] == [hook.id]

    stage.receiver.script("/hook", Answer())
    stage.database.execute(  # saved again, as it is: whoever does that wants it to be tried
        "UPDATE integrations SET config_encrypted = %s WHERE id = %s",
        (seed.encrypt_config({"webhook_url": stage.receiver.url("/hook")}, stage.key), hook.id))
    wait_delivered(stage)
    for reason in ("integration_broken", "gone"):
        assert ctl("dead", "replay", "--integration", hook.id, "--reason", reason).code == 0
    stage.wait(lambda: all(d["state"] == "delivered" for d in stage.deliveries()), 15, "what was dead was not delivered")
    stage.wait(lambda: not is_broken(stage, hook), 10, "the ledger says that it is broken")
    assert [row for row in json.loads(ctl("stats", "--json").out)["integrations"] if row["broken_since"]] == []


@pytest.mark.parametrize("change", ["name = 'new name'", "severity_filter = 'low'", "target_kinds = '[\"url\"]'"])
def test_any_change_makes_it_usual_again(stage, notifyd, change):
    hook = broken_hook(stage, notifyd({"workers": 1, **HOUR}))
    assert outcome(stage, stage.publish()) == BROKEN
    stage.database.execute(f"UPDATE integrations SET {change} WHERE id = %s", (hook.id,))
    stage.wait(lambda: outcome(stage, stage.publish())[1] == "gone", 10, "it is not asked")
    assert outcome(stage, stage.publish()) == BROKEN, "it is broken again, as the row that it is now"


def test_a_probe_goes_now_and_then_and_what_it_finds_counts(stage, notifyd):
    """Of all that comes in the time between two, one is sent."""
    one = notifyd({"workers": 2, "gate": {"report": 0.2, "broken_pause": 3.0, "broken_max": 3.0}})
    hook = broken_hook(stage, one)
    stage.receiver.script("/hook", GONE, GONE, Answer())
    ends = wait_delivered(stage)
    probes = [r.at for r in stage.receiver.requests("/hook")]
    assert ends.count("gone") == 2 and ends.count("integration_broken") == len(ends) - 3 > 3
    assert all(later - first >= 2.9 for first, later in zip(probes, probes[1:])), "two probes in 3 s"
    assert outcome(stage, stage.publish()) == DELIVERED
    one.wait_event("integration_works")
    stage.wait(lambda: not is_broken(stage, hook))


def test_a_probe_that_gets_any_other_answer_ends_it(stage, notifyd):
    """Who answers 503 is there: the probe is tried again like any other, and what comes meanwhile, too."""
    one = notifyd({"workers": 1, "retry": {"base": 1.0}, "gate": {"report": 0.2, "broken_pause": 2.0}})
    broken_hook(stage, one)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    stage.wait(lambda: stage.publish() and stage.receiver.count("/hook") > 1, 15)
    one.wait_event("integration_works")
    assert outcome(stage, stage.publish()) == DELIVERED
    stage.wait(lambda: [d for d in stage.deliveries() if (d["state"], d["attempt"]) == ("delivered", 2)], 15, "the probe was not tried again")


def test_later_starts_know_of_it_and_hear_when_another_host_finds_it_back(stage, notifyd):
    """What each of them would find out with a request of its own stands in the ledger."""
    first = notifyd({"workers": 1, **HOUR})
    hook = broken_hook(stage, first)
    first.terminate()
    assert first.wait() == 0
    patient = notifyd({"workers": 1, **HOUR})
    assert outcome(stage, stage.publish()) == BROKEN and stage.receiver.count("/hook") == 1
    stage.receiver.script("/hook", Answer())
    stage.database.execute("UPDATE notify.integration_state SET probe_at = now() - interval '1 s' WHERE integration_id = %s", (hook.id,))
    second = notifyd({"workers": 1, **HOUR})  # it reads that a probe is due

    wait_delivered(stage)
    stage.wait(lambda: not is_broken(stage, hook))
    assert second.events("integration_works") and not patient.events("integration_works")
    time.sleep(1.5)  # within a second the other host has heard it, too
    for id in [stage.publish() for _ in range(20)]:  # of which each host has some
        assert outcome(stage, id) == DELIVERED


def test_another_host_hears_that_it_is_gone(stage, notifyd):
    """One that knows the integration already, and would not read it again."""
    hook = stage.webhook(secret=None)
    both = [notifyd({"workers": 1, **HOUR}) for _ in range(2)]
    stage.wait(lambda: stage.publish() and all(one.counter("deliveries_delivered") for one in both), 20)
    stage.receiver.script("/hook", GONE)
    stage.wait(lambda: outcome(stage, stage.publish())[1] == "gone")
    stage.wait(lambda: is_broken(stage, hook))
    time.sleep(1.5)
    asked = stage.receiver.count("/hook")
    for id in [stage.publish() for _ in range(20)]:
        assert outcome(stage, id) == BROKEN
    assert stage.receiver.count("/hook") == asked and sum(len(one.events("integration_broken")) for one in both) <= 2


def test_what_waits_in_its_mailbox_is_dead_too(stage, notifyd, ctl):
    """It leaves the mailbox at the integration's rate, and is not sent."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(), Answer(), GONE)
    notifyd({"workers": 1, "gate": {**HOUR["gate"], "rate_webhook": 1.0, "patience": 0.5}})
    ids = [stage.publish() for _ in range(12)]
    ends = Counter(outcome(stage, id) for id in ids)
    assert ends == {DELIVERED: 2, ("dead", "gone", 1): 1, BROKEN: 9}
    assert stage.receiver.count("/hook") == 3 and ctl("audit").code == 0


def test_news_that_is_older_than_what_the_ledger_knows_does_not_replace_it(stage, notifyd):
    """Of two hosts that found out different things, the one that writes last need not be the one that asked last."""
    hook = stage.webhook(secret=None)
    one = notifyd({"workers": 1, **HOUR})
    stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, broken_row, broken_asked_at)"
                           " VALUES (%s, %s, '', now() + interval '1 h')", (hook.id, stage.workspace.id))
    stage.receiver.script("/hook", GONE)
    assert outcome(stage, stage.publish()) == ("dead", "gone", 1)
    one.wait_event("integration_broken")
    stage.wait(lambda: one.counter("database_requests", batch="health") >= 1)
    stage.wait(lambda: stage.database.query("SELECT last_success_at IS NOT NULL FROM notify.integration_state") == [(True,)])
    assert not is_broken(stage, hook)


@pytest.mark.parametrize("when", ["infinity", "-infinity"])
def test_times_that_somebody_wrote_by_hand_hold_up_nobody(stage, notifyd, when):
    hook = broken_hook(stage, notifyd({"workers": 1, **HOUR}))
    other = stage.webhook("/other", secret=None, name="other")
    stage.database.execute(f"UPDATE notify.integration_state SET probe_at = '{when}', broken_asked_at = '{when}'"
                           " WHERE integration_id = %s", (hook.id,))
    stage.database.execute("UPDATE integrations SET name = 'other name' WHERE id = %s", (other.id,))  # so all of them are read again
    time.sleep(1.2)
    id = stage.publish()
    stage.wait_arrivals([id], 15, "/other")

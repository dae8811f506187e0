"""The life of a finding at destinations that remember: whatever comes in whatever order, they end as the finding is."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from lives import QUICK, VENDORS, Vendor, Weakness, publish, settle, weaknesses
from sandbox.receiver import Answer

DEEDS = ("new", "suppressed", "unsuppressed", "resolved", "re-scan")


def lives(stage: Any, most: int) -> list[tuple[Weakness, tuple[str, ...]]]:
    """A weakness for every order of every one of the deeds, up to MOST of them."""
    orders = [order for count in range(1, most + 1) for order in itertools.permutations(DEEDS, count)]
    return list(zip(weaknesses(stage, len(orders)), orders))


def expect_as_they_are(vendor: Vendor, made: list[tuple[Weakness, tuple[str, ...]]]) -> None:
    for weakness, order in made:
        stands, is_open = vendor.stands(weakness.title), weakness.is_open()
        assert stands in ([True], ) if is_open else stands in ([False], []), (vendor.kind, order, is_open, stands)


class Unsteady:
    """A vendor that now and then answers no before it does anything, and now and then after it has done it, if LOSES."""

    def __init__(self, plays: Any, share: float, loses: bool) -> None:
        self.plays, self.share, self.loses, self.draw = plays, share, loses, random.Random(7)

    def answer(self, request: Any) -> Answer:
        if self.draw.random() < self.share:
            return Answer(status=503)
        answer = self.plays.answer(request)
        return Answer(status=502) if self.loses and self.draw.random() < self.share else answer


@pytest.mark.parametrize("kind", VENDORS)
def test_every_order_of_events_ends_as_the_finding_is(stage, notifyd, kind):
    """Each deed is told when it is done, to a vendor that fails a tenth of the requests, so retries overtake. What Discord has done
    and not answered is done again: its webhooks cannot be asked what there is."""
    vendor = VENDORS[kind](stage)
    made = lives(stage, 5)
    vendor.connect(stage, Answer(like=Unsteady(vendor.plays, 0.05, kind != "discord")))
    patience = 10.0 if kind == "discord" else 1.0  # a machine that is busy is not to make it a lost answer
    notifyd({**QUICK, "shutdown_grace": 20, "delivery": {**QUICK["delivery"], "look_after": 1.0, "timeout": patience, "connect_timeout": patience},
             "gate": {**QUICK["gate"], "digest_above": 500}})  # what a digest tells of has no message of its own
    told = 0
    for number in range(len(DEEDS)):
        events = [weakness.do(order[number]) for weakness, order in made if len(order) > number]
        publish(stage, events, random.Random(number))
        told += len(events)
    settle(stage, told, 240)
    expect_as_they_are(vendor, made)
    print(f"{len(made)} orders, {told} events, {len(vendor.plays.requests)} requests")


@pytest.mark.parametrize("kind", VENDORS)
def test_events_that_all_come_late_and_in_any_order_leave_what_is_so(stage, notifyd, kind):
    vendor = VENDORS[kind](stage)
    made = lives(stage, 3)
    vendor.connect(stage)
    events = [weakness.do(deed) for weakness, order in made for deed in order]
    publish(stage, events, random.Random(3))
    notifyd(QUICK)
    settle(stage, len(events), 120)
    expect_as_they_are(vendor, made)


# --- the reference

def references(stage: Any) -> list[tuple[Any, ...]]:
    return stage.database.query("SELECT state, key, severity, title, lease_until, unsure_since FROM notify.external_refs ORDER BY key")


def test_a_finding_that_is_renamed_and_rated_otherwise_keeps_its_alert(stage, notifyd):
    vendor = VENDORS["pagerduty"](stage)
    vendor.connect(stage)
    notifyd(QUICK)
    weakness = Weakness(stage, "Before")
    weakness.find()
    publish(stage, [weakness.do("new")])
    settle(stage, 1)
    (key, alert), = vendor.plays.alerts.items()
    assert references(stage) == [("open", key, "high", "Before", None, None)]
    stage.database.execute("UPDATE findings SET title = 'After', severity = 'critical' WHERE id = %s", (weakness.rows[0].id,))
    publish(stage, [weakness.tell("finding_changed", change_summary="severity: high → critical")])
    settle(stage, 2)
    assert list(vendor.plays.alerts) == [key] and "After" in alert["summary"]
    assert references(stage) == [("open", key, "critical", "After", None, None)]
    publish(stage, [weakness.tell("finding_changed", change_summary="recheck queued")])
    settle(stage, 3)
    assert len(vendor.plays.requests) == 2
    assert stage.database.query("SELECT detail FROM notify.deliveries WHERE status IS NULL")[0][0].startswith("nothing to do")


def test_the_command_line_says_which_issue_stands_for_a_finding(stage, notifyd, ctl):
    vendor = VENDORS["jira"](stage)
    vendor.connect(stage)
    notifyd(QUICK)
    weakness = Weakness(stage, "A weakness")
    weakness.find()
    told = weakness.do("new")
    publish(stage, [told])
    settle(stage, 1)
    row, = ctl("deliveries", "--event", told.id, "--json").json()
    assert (row["reference"], row["reference_state"], row["batch"]) == (vendor.plays.issues[0].key, "open", None)


def test_an_issue_that_somebody_deleted_is_made_anew_while_the_finding_is_open(stage, notifyd):
    vendor = VENDORS["jira"](stage)
    vendor.connect(stage)
    notifyd(QUICK)
    weakness = Weakness(stage, "A weakness")
    weakness.find()
    publish(stage, [weakness.do("new")])
    settle(stage, 1)
    vendor.plays.remove(vendor.plays.issues[0].key)
    publish(stage, [weakness.tell("finding_changed", change_summary="verified")])
    settle(stage, 2)
    assert vendor.stands("A weakness") == [True] and references(stage)[0][:2] == ("open", vendor.plays.issues[0].key)
    vendor.plays.remove(vendor.plays.issues[0].key)
    publish(stage, [weakness.do("resolved")])
    settle(stage, 3)
    assert vendor.stands("A weakness") == [] and references(stage)[0][:2] == ("none", None)


def test_a_later_scan_decides_and_what_is_told_of_an_earlier_one_changes_nothing(stage, notifyd):
    vendor = VENDORS["github"](stage)
    vendor.connect(stage)
    notifyd(QUICK)
    weakness = Weakness(stage, "A weakness")
    weakness.find()
    publish(stage, [weakness.do("new")])
    settle(stage, 1)
    earlier = weakness.rows[0]
    publish(stage, [weakness.do("re-scan")])
    settle(stage, 2)
    asked = len(vendor.plays.requests)
    stage.database.execute("UPDATE findings SET suppressed = true WHERE id = %s", (earlier.id,))
    publish(stage, [stage.event("finding_changed", finding_id=earlier.id, scan_id=earlier.scan.id, change_summary="suppressed")])
    settle(stage, 3)
    assert vendor.stands("A weakness") == [True] and len(vendor.plays.requests) == asked
    assert "a later scan has found it again" in stage.database.query("SELECT detail FROM notify.deliveries WHERE detail IS NOT NULL")[0][0]


def test_a_later_finding_that_could_not_be_told_does_not_silence_an_earlier_one(stage, notifyd):
    vendor = VENDORS["jira"](stage)
    vendor.connect(stage, Answer(status=401), Answer(like=vendor.plays))
    notifyd(QUICK)
    weakness = Weakness(stage, "A weakness")
    weakness.find()
    first = weakness.do("new")
    publish(stage, [weakness.do("re-scan")])
    stage.wait(lambda: stage.database.query("SELECT state FROM notify.deliveries") == [("dead",)])
    publish(stage, [first])
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'") == [(1,)])
    assert vendor.stands("A weakness") == [True]


def test_a_claim_that_somebody_holds_is_waited_for_without_an_attempt(stage, notifyd):
    vendor = VENDORS["opsgenie"](stage)
    integration = vendor.connect(stage)
    one = notifyd(QUICK)
    weakness = Weakness(stage, "A weakness")
    weakness.find()
    publish(stage, [weakness.do("new")])
    settle(stage, 1)
    stage.database.execute("UPDATE notify.external_refs SET lease_until = now() + interval '4 s', claim = gen_random_uuid(), claimed_at = now()"
                           " WHERE integration_id = %s", (integration.id,))
    publish(stage, [weakness.do("resolved")])
    stage.wait(lambda: stage.database.query("SELECT state, attempt FROM notify.deliveries WHERE state <> 'delivered'") == [("waiting", 0)])
    settle(stage, 2)
    assert vendor.stands("A weakness") == [False] and one.counter("deliveries_put_off") >= 2
    assert stage.database.query("SELECT max(attempt), (SELECT count(*) FROM notify.attempts) FROM notify.deliveries") == [(1, 0)]


def test_scans_go_to_issue_trackers_only_when_they_fail_or_are_asked_for_by_name(stage, notifyd):
    vendor = VENDORS["jira"](stage)
    vendor.connect(stage)
    stage.database.execute("UPDATE integrations SET events = NULL")
    named = stage.integration(vendor.settings(stage.receiver.url("")), kind="jira", name="named", events=["scan_done"])
    notifyd(QUICK)
    ids = {event_type: stage.publish(event_type) for event_type in ("scan_started", "scan_done", "scan_failed")}
    settle(stage, 2)
    stage.wait(lambda: len(stage.events()) == 3)
    assert {row["event_id"]: row["integration_id"] == named.id for row in stage.deliveries()} == {ids["scan_done"]: True, ids["scan_failed"]: False}
    assert stage.events(ids["scan_started"])[0]["filtered_event"] == 2

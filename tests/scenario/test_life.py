"""The life of a finding at destinations that remember: whatever comes in whatever order, they end as the finding is."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from lives import QUICK, VENDORS, Vendor, Weakness, publish, settle
from sandbox import seed
from sandbox.receiver import Answer

DEEDS = ("new", "suppressed", "unsuppressed", "resolved", "re-scan")


def lives(stage: Any, most: int) -> list[tuple[Weakness, tuple[str, ...]]]:
    """A weakness for every order of every one of the deeds, up to MOST of them."""
    orders = [order for count in range(1, most + 1) for order in itertools.permutations(DEEDS, count)]
    made = [(Weakness(stage, f"Weakness {number:03} of many"), order) for number, order in enumerate(orders)]
    rows = seed.add_findings(stage.connection, stage.scan, ["high"] * len(made))
    for (weakness, _), row in zip(made, rows):
        stage.database.execute("UPDATE findings SET title = %s WHERE id = %s", (weakness.title, row.id))
        weakness.rows.append(row)
    return made


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
    notifyd({**QUICK, "delivery": {**QUICK["delivery"], "look_after": 1.0}})
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

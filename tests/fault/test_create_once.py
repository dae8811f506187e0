"""One issue for a weakness, always: workers die at every step, answers are lost, scans find the same at the same time."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from lives import QUICK, VENDORS, Vendor, Weakness, a_github, a_jira, found_again, publish, settle, weaknesses
from sandbox.receiver import Answer

POINTS = ("claim", "take", "render", "response", "commit", "publish", "confirm", "ack")
LAG = 2.0  # seconds until a search shows what was made; a worker waits a second longer
MAKERS = {"jira": lambda stage: a_jira(stage, search_lag=LAG), "github": lambda stage: a_github(stage, list_lag=LAG, may_label=False)}


def settings(workers: int = 2, **delivery: float) -> dict[str, Any]:
    return {**QUICK, "workers": workers, "delivery": {**QUICK["delivery"], "look_after": LAG + 1, **delivery}}


def expect_one_each(vendor: Vendor, made: list[Weakness]) -> None:
    stands = Counter(tuple(vendor.stands(weakness.title)) for weakness in made)
    assert stands == {(True,): len(made)}, stands


def killed(daemons: list[Any]) -> int:
    return sum(event["how"] == "Killed" for daemon in daemons for event in daemon.events("child_ended"))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_leaves_one_issue(stage, notifyd, kind, point):
    vendor = MAKERS[kind](stage)
    vendor.connect(stage, *[Answer(status=503)] * 12, Answer(like=vendor.plays))
    made = weaknesses(stage, 24)
    one = notifyd(settings(), env={"NOTIFY_FAULT": f"{point}=3*4"})
    publish(stage, [weakness.do("new") for weakness in made])
    settle(stage, len(made))
    expect_one_each(vendor, made)
    assert killed([one]) == 4


@pytest.mark.parametrize("kind", MAKERS)
def test_answers_that_are_lost_make_no_second_issue(stage, notifyd, kind):
    """Whatever the vendor has done by then: nothing, or what was asked."""
    vendor = MAKERS[kind](stage)
    draw = random.Random(5)
    answers = [draw.choice((Answer(like=vendor.plays, instead="reset"), Answer(like=vendor.plays, instead="close"), Answer(instead="close"),
                            Answer(like=vendor.plays, instead="hang"), Answer(instead="hang"), Answer(like=vendor.plays), Answer(status=503)))
               for _ in range(60)]
    vendor.connect(stage, *answers, Answer(like=vendor.plays))
    made = weaknesses(stage, 24)
    notifyd(settings(timeout=0.5, connect_timeout=0.5))
    publish(stage, [weakness.do("new") for weakness in made])
    settle(stage, len(made), 120)
    expect_one_each(vendor, made)


@pytest.mark.parametrize("kind", VENDORS)
def test_fifty_weaknesses_that_two_scans_find_at_the_same_time_stand_once_each(stage, notifyd, kind):
    vendor = MAKERS[kind](stage) if kind in MAKERS else VENDORS[kind](stage)
    vendor.connect(stage, Answer(like=vendor.plays, delay=0.05))
    made = weaknesses(stage, 50)
    first = [weakness.do("new") for weakness in made]
    found_again(stage, made)
    events = [event for pair in zip(first, [weakness.do("new") for weakness in made]) for event in pair]
    [notifyd(settings()), notifyd(settings())]
    publish(stage, events)
    settle(stage, 100)
    expect_one_each(vendor, made)


@pytest.mark.alone
def test_discord_cannot_be_asked_what_there_is_so_only_a_lost_answer_repeats_a_message(stage, notifyd):
    """A worker that dies with a request under way posts again, and the delivery says so."""
    vendor = VENDORS["discord"](stage)
    vendor.connect(stage)
    made = weaknesses(stage, 24)
    daemons = [notifyd(settings(1), env={"NOTIFY_FAULT": f"{point}=2*2"}) for point in POINTS]
    publish(stage, [weakness.do("new") for weakness in made])
    settle(stage, len(made))
    stands = [len(vendor.stands(weakness.title)) for weakness in made]
    flagged, = stage.database.query("SELECT count(*) FILTER (WHERE maybe_duplicate) FROM notify.deliveries")[0]
    print(f"{killed(daemons)} kills, {sum(stands) - len(made)} messages twice, {flagged} deliveries flagged")
    assert min(stands) == 1 and killed(daemons) >= 12 and sum(stands) - len(made) <= flagged


@pytest.mark.long
@pytest.mark.parametrize("kind", ["jira", "github"])
def test_two_hundred_kills_and_a_search_that_is_two_minutes_behind(stage, notifyd, kind):
    """With the settings that ship, but for shorter leases."""
    vendor = a_jira(stage, search_lag=120.0) if kind == "jira" else a_github(stage, list_lag=20.0)
    vendor.connect(stage)
    made = weaknesses(stage, 480)
    daemons = [notifyd(settings(2, look_after=0.0), env={"NOTIFY_FAULT": f"{point}=2*30"}) for point in POINTS]
    publish(stage, [weakness.do("new") for weakness in made])
    settle(stage, len(made), 1800)
    expect_one_each(vendor, made)
    print(f"{killed(daemons)} kills, {len(vendor.plays.requests)} requests, {len(made)} issues")
    assert killed(daemons) >= 200


def test_a_finding_that_is_renamed_while_nobody_knows_of_its_issue_has_one(stage, notifyd):
    vendor = MAKERS["jira"](stage)
    vendor.connect(stage, Answer(like=vendor.plays, instead="close"), Answer(like=vendor.plays))
    weakness, = weaknesses(stage, 1)
    notifyd({**settings(), "retry": {**QUICK["retry"], "base": 3.0}})
    publish(stage, [weakness.do("new")])
    stage.wait(lambda: stage.database.query("SELECT FROM notify.deliveries WHERE state = 'waiting' AND attempt = 1"))
    stage.database.execute("UPDATE findings SET title = 'Another title' WHERE id = %s", (weakness.rows[0].id,))
    settle(stage, 1)
    publish(stage, [weakness.tell("finding_changed", change_summary="renamed")])
    settle(stage, 2)
    assert len(vendor.plays.issues) == 1


def test_a_claim_that_runs_out_before_the_first_request_makes_none(stage, notifyd):
    """Its row cannot be taken for so long that another delivery makes the issue meanwhile."""
    vendor = MAKERS["jira"](stage)
    vendor.connect(stage)
    weakness, = weaknesses(stage, 1)
    notifyd(settings())
    first = weakness.do("new")
    other = stage.database.connect()
    other.autocommit = False
    other.cursor().execute("INSERT INTO notify.events (id, content_hash, event_type, state, first_seen) VALUES (%s, 'x', 'finding_new', 'open', now())",
                           (first.id,))
    publish(stage, [first])
    stage.wait(lambda: stage.database.query("SELECT FROM notify.external_refs WHERE lease_until IS NOT NULL"))
    publish(stage, [weakness.do("re-scan")])
    stage.wait(lambda: len(vendor.plays.issues) == 1)
    other.rollback()
    other.close()
    settle(stage, 2)
    assert len(vendor.plays.issues) == 1


def test_an_issue_behind_eight_hundred_others_is_found(stage, notifyd):
    """It was looked for in vain until its delivery was dead. All of it was half an hour ago, for GitHub's search may be behind."""
    vendor = a_github(stage, search_lag=60)
    vendor.connect(stage, Answer(like=vendor.plays, instead="reset"), Answer(like=vendor.plays))
    made, missed = weaknesses(stage, 2)

    def half_an_hour_passes(others: int) -> None:
        stage.wait(lambda: stage.database.query("SELECT FROM notify.external_refs WHERE unsure_since > now() - interval '10 s'"), 10)
        stage.database.execute("UPDATE notify.external_refs SET unsure_since = unsure_since - interval '30 min'")
        for issue in vendor.plays.issues:
            issue.made_at -= 1800
        for number in range(others):
            vendor.plays.add_pull_request(f"Bump library {number}").made_at -= 1500

    notifyd({**settings(), "retry": {"base": 3.0, "factor": 1.0, "jitter": 0.0, "max_attempts": 100}})
    publish(stage, [made.do("new")])
    half_an_hour_passes(900)
    settle(stage, 1)
    assert vendor.stands(made.title) == [True]
    assert [request.path for request in vendor.plays.requests if "/search/issues?" in request.path]

    stage.receiver.script(vendor.path + "*", Answer(instead="close"), Answer(like=vendor.plays))  # this one was never made
    publish(stage, [missed.do("new")])
    half_an_hour_passes(900)
    settle(stage, 2)
    assert vendor.stands(missed.title) == [True] and len(vendor.plays.issues) == 2

"""A scan finds thousands: what waits for one destination goes together, worst first, and each finding is accounted for."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from expansion import task
from lives import QUICK, VENDORS as VENDORS_THAT_REMEMBER, Weakness, found_again, publish, settle
from sandbox import bulk, producer, seed
from sandbox.receiver import Answer
from sandbox.vendors import VENDORS, slack, splunk

HEC = "/services/collector/event"


class Limited:
    """A vendor that takes a request a second on average, a quarter of a second early at most, and answers the others: too many."""

    def __init__(self, kind: str, interval: float = 1.0) -> None:
        self.vendor, self.interval, self.next, self.statuses = VENDORS[kind], interval, 0.0, []

    def answer(self, request: Any) -> Answer:
        if request.at < self.next - self.interval / 4:
            self.statuses.append(429)
            return Answer(status=429, headers=(("Retry-After", "1"),), body=b"rate_limited")
        self.next = max(request.at, self.next) + self.interval
        answer = self.vendor.answer(request)
        self.statuses.append(answer.status)
        return answer


def chat(stage: Any, plays: Any, kind: str = "slack", path: str = "/services/T0/B0/many", **options: Any) -> Any:
    stage.receiver.script(path, Answer(like=plays) if not isinstance(plays, Answer) else plays)
    return stage.integration({"webhook_url": stage.receiver.url(path), **options}, kind=kind, name=kind, severity_filter="info", events=["finding_new"])


def collector(stage: Any, *answers: Answer, base: str = "") -> Any:
    stage.receiver.script(base + HEC, *(answers or (Answer(like="splunk"),)))
    return stage.integration({"hec_url": stage.receiver.url(base), "token": next(iter(splunk.TOKENS))}, kind="splunk", name="splunk",
                             severity_filter="info", events=["finding_new"])


def find(stage: Any, severities: list[str], **facts: Any) -> tuple[Any, str]:
    """A scan with these findings; and the task that tells of them."""
    scan = seed.add_scan(stage.connection, stage.target)
    seed.add_findings(stage.connection, scan, severities, **facts)
    return scan, producer.publish_event(stage.broker_url, task(scan.id))


def told(stage: Any, integration: Any, count: int, timeout: float = 90) -> None:
    sql = "SELECT count(*) FROM notify.deliveries WHERE integration_id = %s AND state = 'delivered'"
    stage.wait(lambda: stage.database.query(sql, (integration.id,))[0][0] == count, timeout, f"not {count} deliveries in time")


def batches(stage: Any, integration: Any) -> dict[str | None, int]:
    return dict(stage.database.query("SELECT batch::text, count(*) FROM notify.deliveries WHERE integration_id = %s GROUP BY 1", (integration.id,)))


def texts(stage: Any, path: str = "/services/T0/B0/many", accepted: bool = True) -> list[str]:
    return [json.loads(r.body)["text"] for r in stage.receiver.requests(path) if not accepted or r.answered == 200]


@pytest.mark.alone
def test_five_thousand_findings_are_few_posts_and_few_requests(stage, notifyd):
    """Two hosts with two workers each, a chat that takes a post a second, and a collector that takes what it gets."""
    limited = Limited("slack")
    room, hec = chat(stage, limited), collector(stage)
    [notifyd(), notifyd()]
    severities = ["low"] * 3000 + ["critical"] * 40 + ["high"] * 460 + ["medium"] * 1500
    began = time.monotonic()
    find(stage, severities)
    told(stage, room, 5000)
    told(stage, hec, 5000)
    took = time.monotonic() - began
    posts, requests = len(limited.statuses), stage.receiver.count(HEC)
    too_many = limited.statuses.count(429)
    said = texts(stage)
    counted = [sum(int(n) for n in re.findall(r"(\d+) (?:critical|high|medium|low|info)\b", text.split("\n")[0])) or 1 for text in said]
    print(f"{took:.1f} s; {posts} posts, {too_many} of them too many; {requests} requests to Splunk, the largest of "
          f"{max(len(r.body) for r in stage.receiver.requests(HEC)) // 1024} KiB")
    assert posts <= 30 and too_many < 0.05 * posts
    assert requests <= 60
    assert sum(counted) == 5000
    assert "critical" in said[0].lower() and sum("CRITICAL" in text or " critical" in text for text in said) <= 3
    indexed = [event["event"]["finding"]["id"] for r in stage.receiver.requests(HEC) for event in splunk.check(r)]
    assert len(indexed) == len(set(indexed)) == 5000
    assert max(batches(stage, room).values()) <= 500 and max(batches(stage, hec).values()) <= 500


def test_a_few_findings_are_told_one_by_one(stage, notifyd):
    """As many as digest_above says; one more, and they are one message."""
    plays = Limited("slack", 0)
    room = chat(stage, plays)
    notifyd({"gate": {"rate_slack": 0.0, "digest_above": 4}})
    find(stage, ["high", "low", "info", "high"])
    told(stage, room, 4)
    assert len(texts(stage)) == 4 and all(text.split()[1] in ("[HIGH]", "[LOW]", "[INFO]") for text in texts(stage))
    assert batches(stage, room) == {None: 4}
    find(stage, ["high", "low", "info", "high", "critical"])
    told(stage, room, 9)
    digest = texts(stage)[4:]
    assert len(digest) == 1 and digest[0].startswith("🚨 5 new findings — shop.example.com: 1 critical, 2 high, 1 low, 1 info\n🚨 [CRITICAL]")
    assert sorted(batches(stage, room).values()) == [4, 5]


@pytest.mark.parametrize("kind", ["teams", "google_chat", "slack", "discord"])
def test_every_chat_tells_many_in_one_message(stage, notifyd, kind):
    path = {"teams": "/workflows/a/triggers/manual/paths/invoke?sig=s", "google_chat": "/v1/spaces/A/messages?key=k&token=t",
            "discord": "/api/webhooks/123/token", "slack": "/services/T0/B0/x"}[kind]
    answered = "/api/webhooks/123/token?wait=true" if kind == "discord" else path
    stage.receiver.script(answered.split("?")[0] + "*", Answer(like=kind))
    room = stage.integration({"webhook_url": stage.receiver.url(path)}, kind=kind, name=kind, severity_filter="info", events=["finding_new"])
    notifyd()
    find(stage, ["high"] * 30)
    told(stage, room, 30)
    arrived = stage.receiver.requests()
    assert len(arrived) == 1 and "30 new findings" in arrived[0].body.decode() and "and 25 more" in arrived[0].body.decode()
    assert VENDORS[kind].live(VENDORS[kind].check(arrived[0])) == []


def test_a_digest_that_fails_goes_back_into_the_mailbox_with_all_its_rows(stage, notifyd):
    path = "/services/T0/B0/many"
    room = chat(stage, Answer())
    stage.receiver.script(path, Answer(status=503), Answer(status=500), Answer(like="slack"))
    notifyd({"gate": {"circuit_least": 0}, "retry": {"base": 1.0, "jitter": 0.0}})
    find(stage, ["high"] * 40)
    stage.receiver.wait_for(1, path)
    failed = lambda: stage.database.query("SELECT state, attempt, error, status, count(*) FROM notify.deliveries GROUP BY 1, 2, 3, 4")  # noqa: E731
    stage.wait(lambda: failed() == [("deferred", 1, "http_status", 503, 40)], 5, "not all rows are back in the mailbox")
    told(stage, room, 40)
    assert [r.answered for r in stage.receiver.requests(path)] == [503, 500, 200]
    assert {r.body for r in stage.receiver.requests(path)} == {stage.receiver.requests(path)[0].body}
    assert stage.database.query("SELECT attempt, count(*) FROM notify.deliveries GROUP BY 1") == [(3, 40)]
    assert stage.database.query("SELECT attempt, error, status, count(*) FROM notify.attempts GROUP BY 1, 2, 3 ORDER BY 1") == [
        (1, "http_status", 503, 40), (2, "http_status", 500, 40)]


def test_one_event_that_splunk_refuses_leaves_the_others_alone(stage, notifyd):
    class Strict:
        """Refuses the event about one finding, by its number in the request."""

        def answer(self, request: Any) -> Answer:
            events = splunk.check(request)
            for number, event in enumerate(events):
                if event["event"]["finding"]["title"] == "Finding 7":
                    body = {"text": "Invalid data format", "code": 6, "invalid-event-number": number}
                    return Answer(status=400, headers=(("Content-Type", "application/json"),), body=json.dumps(body).encode())
            return Answer(headers=(("Content-Type", "application/json"),), body=b'{"text":"Success","code":0}')

    hec = collector(stage, Answer(like=Strict()))
    notifyd()
    find(stage, ["high"] * 50)
    told(stage, hec, 49)
    stage.wait(lambda: stage.database.query("SELECT f.title FROM notify.deliveries d JOIN notify.events e ON e.id = d.event_id"
                                            " JOIN findings f ON f.id = e.finding_id WHERE d.state = 'dead'") == [("Finding 7",)])
    counts = [len(splunk.check(r)) for r in stage.receiver.requests(HEC)]
    assert len(counts) <= 4, counts


def test_what_is_told_of_other_events_is_not_put_together(stage, notifyd):
    """A mailbox with changes and new findings of several scans: only new findings of one scan make a digest."""
    path = "/services/T0/B0/many"
    room = stage.integration({"webhook_url": stage.receiver.url(path)}, kind="slack", name="room", severity_filter="info")
    stage.receiver.script(path, Answer(status=429, headers=(("Retry-After", "3"),)), Answer(like="slack"))
    notifyd({"gate": {"rate_slack": 0.0, "digest_above": 3}})
    stage.publish("scan_started")
    stage.receiver.wait_for(1, path)
    first, other = stage.scan, seed.add_scan(stage.connection, stage.target)
    rows = seed.add_findings(stage.connection, other, ["low"] * 5)
    for finding in stage.findings.values():
        stage.publish("finding_changed", finding_id=finding.id, change_summary="verified")
    for finding in list(stage.findings.values())[:3]:
        stage.publish("finding_new", finding_id=finding.id)
    for finding in rows:
        stage.publish("finding_new", scan_id=other.id, finding_id=finding.id)
    told(stage, room, 14)
    said = [text.split("\n")[0] for text in texts(stage, path)]
    assert sum(text.startswith("🔁") for text in said) == 5 and sum("new findings" in text for text in said) == 1, said
    assert "🟡 5 new findings — shop.example.com: 5 low" in said and len(said) == 1 + 5 + 3 + 1
    assert first.id != other.id


def test_what_waits_for_a_collector_goes_together_and_what_is_alone_waits_for_nobody(stage, notifyd):
    """Events as producers publish them, none of an expanded scan."""
    hec = collector(stage, Answer(like="splunk", delay=0.1))
    notifyd()
    alone = time.monotonic()
    stage.publish()
    stage.receiver.wait_for(1, HEC)
    assert time.monotonic() - alone < 1 and len(splunk.check(stage.receiver.requests(HEC)[0])) == 1
    rows = seed.add_findings(stage.connection, stage.scan, ["low"] * 1000)
    bulk.publish_many(stage.broker_url, "notify", (stage.event("finding_new", finding_id=row.id) for row in rows))
    told(stage, hec, 1001)
    indexed = [event["event"]["finding"]["id"] for r in stage.receiver.requests(HEC) for event in splunk.check(r)]
    print(f"{stage.receiver.count(HEC)} requests for {len(indexed)} events")
    assert len(indexed) == len(set(indexed)) == 1001 and stage.receiver.count(HEC) < 200
    assert sum(count for batch, count in batches(stage, hec).items() if batch) > 800


def test_a_request_that_fails_takes_all_its_events_along(stage, notifyd):
    hec = collector(stage, Answer(status=503, delay=0.5), Answer(like="splunk"))
    notifyd({"workers": 1, "delivery": {"per_integration": 1}, "gate": {"window": 1, "circuit_least": 0}})
    rows = seed.add_findings(stage.connection, stage.scan, ["low"] * 40)
    bulk.publish_many(stage.broker_url, "notify", (stage.event("finding_new", finding_id=row.id) for row in rows))
    told(stage, hec, 40)
    indexed = [event["event"]["finding"]["id"] for r in stage.receiver.requests(HEC)[1:] for event in splunk.check(r)]
    assert len(indexed) == len(set(indexed)) == 40 and stage.receiver.requests(HEC)[0].answered == 503


def test_of_findings_that_were_told_before_only_new_ones_are_in_a_digest(stage, notifyd):
    """Discord's messages are edited: each by itself, as fast as its rate allows; and one that is left alone is remembered."""
    vendor = VENDORS_THAT_REMEMBER["discord"](stage)
    vendor.connect(stage)
    made = [Weakness(stage, f"Weakness {number:03} of many") for number in range(30)]
    found_again(stage, made)
    notifyd({**QUICK, "gate": {**QUICK["gate"], "rate_discord": 10.0}})
    publish(stage, [weakness.do("new") for weakness in made[:29]])
    settle(stage, 29)
    producer.publish_event(stage.broker_url, task(found_again(stage, made).id))
    settle(stage, 59)
    publish(stage, [made[29].tell("finding_changed", change_summary="verified")])
    settle(stage, 60)
    assert [vendor.stands(weakness.title) for weakness in made] == [[True]] * 30
    assert sum(message["edits"] for message in vendor.plays.messages.values()) == 30


@pytest.mark.parametrize("kind", ["pagerduty", "webhook", "splunk"])
def test_a_kind_that_changes_while_a_mailbox_is_emptied_ends_no_worker(stage, notifyd, kind):
    path = "/services/T0/B0/many"
    stage.receiver.script("*", Answer())
    room = stage.integration({"webhook_url": stage.receiver.url(path), "routing_key": "R" * 32, "api_url": stage.receiver.url(""),
                              "hec_url": stage.receiver.url(""), "token": next(iter(splunk.TOKENS))}, kind="slack", name="room", severity_filter="info")
    one = notifyd({"workers": 1, "gate": {"rate_slack": 0.0, "circuit_least": 0}, "retry": {"max_attempts": 1}})
    rows = seed.add_findings(stage.connection, stage.scan, ["high"] * 20)
    stage.receiver.script(path, Answer(status=429, headers=(("Retry-After", "4"),)), Answer(like="slack"))
    stage.publish("scan_started")
    stage.receiver.wait_for(1, path)
    bulk.publish_many(stage.broker_url, "notify", (stage.event("finding_new", finding_id=row.id) for row in rows))
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'deferred'") == [(20,)])
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE targets")  # the look-ups wait: the mailbox was read as Slack's
    stage.wait(lambda: stage.database.query("SELECT FROM pg_locks WHERE NOT granted AND relation = 'targets'::regclass"))
    stage.database.execute("UPDATE integrations SET kind = %s WHERE id = %s", (kind, room.id))
    time.sleep(1.5)  # the rules have heard of it
    lock.rollback()
    lock.close()
    stage.wait(lambda: not stage.database.query("SELECT FROM notify.deliveries WHERE state IN ('deferred', 'sending', 'waiting')"))
    assert not one.events("child_ended") and not [r for r in stage.receiver.requests() if b"20 new findings" in r.body]


@pytest.mark.parametrize("kind", ["splunk", "slack"])
def test_an_event_that_ends_workers_is_found_among_those_it_goes_with(stage, notifyd, kind):
    """Whoever was first in the request was blamed, and those beside it were tried until they were dead."""
    path = "/services/T0/B0/many"
    if kind == "splunk":
        room = collector(stage, Answer(like="splunk", delay=0.2))
    else:
        room = chat(stage, Limited("slack", 0))
    rows = seed.add_findings(stage.connection, stage.scan, ["low"] * 40)
    events = [stage.event("finding_new", finding_id=row.id) for row in rows]
    bad = events[23].id
    one = notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0, "per_integration": 1},
                   "gate": {"window": 1, "circuit_least": 0, "rate_slack": 1.0}, "sweep": {"interval": 0.5, "grace": 2.0}, "retry": {"max_attempts": 5}},
                  env={"NOTIFY_FAULT": f"render=1/{bad}"})
    bulk.publish_many(stage.broker_url, "notify", iter(events))
    told(stage, room, 39)
    stage.wait(lambda: [(d["state"], d["reason"]) for d in stage.deliveries(bad)] == [("dead", "killed_worker")], 30)
    assert len([e for e in one.events("child_ended") if e["how"] == "Killed"]) == 3
    assert sum(count for batch, count in batches(stage, room).items() if batch) > 10
    assert kind == "splunk" or any("new findings" in text for text in texts(stage, path))


def test_a_mailbox_in_which_nothing_is_due_is_left_alone_until_something_comes(stage, notifyd):
    """It was looked at once a second."""
    plays = Limited("slack", 0)
    room = chat(stage, plays)
    stage.receiver.script("/services/T0/B0/many", Answer(status=503), Answer(like=plays))
    notifyd({"gate": {"circuit_least": 0, "rate_slack": 0.5}, "retry": {"base": 8.0, "jitter": 0.0}})
    find(stage, ["low"] * 30)
    stage.wait(lambda: stage.database.query("SELECT resting, wake_at > now() + interval '5 s' FROM notify.integration_state") == [(True, True)], 10)
    number = stage.database.query("SELECT wake_number FROM notify.integration_state")
    time.sleep(3)
    assert stage.database.query("SELECT wake_number FROM notify.integration_state") == number
    began = time.monotonic()
    find(stage, ["critical"] * 12)
    told(stage, room, 12, 4)
    assert time.monotonic() - began < 4
    told(stage, room, 42, 20)
    assert stage.receiver.count("/services/T0/B0/many") == 3


def test_what_is_too_old_ends_however_much_is_worse(stage, notifyd):
    """Only as many were looked at as may start; the others waited behind them."""
    path = "/services/T0/B0/many"
    room = stage.integration({"webhook_url": stage.receiver.url(path)}, kind="slack", name="room", severity_filter="info")
    stage.receiver.script(path, Answer(like="slack"))
    notifyd({"workers": 1, "gate": {"rate_slack": 0.5, "max_age": 5.0}})
    worse, other = (seed.add_findings(stage.connection, stage.scan, [severity] * 30) for severity in ("critical", "low"))
    bulk.publish_many(stage.broker_url, "notify", (stage.event("finding_changed", finding_id=row.id, change_summary="verified") for row in other + worse))
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'deferred'")[0][0] > 50, 10)
    stage.wait(lambda: not stage.database.query("SELECT FROM notify.deliveries WHERE integration_id = %s AND state NOT IN ('dead', 'delivered')", (room.id,)), 12)
    assert dict(stage.database.query("SELECT reason, count(*) FROM notify.deliveries WHERE state = 'dead' GROUP BY 1"))["too_old"] > 40


def test_what_failed_together_keeps_nobody_waiting_who_comes_later(stage, notifyd):
    """Two events in one request to a collector that asks for a minute; the mailbox was empty before, and had the minute for its time."""
    hec = collector(stage, Answer(like="splunk", delay=0.5), Answer(status=503, headers=(("Retry-After", "60"),)), Answer(like="splunk"))
    notifyd({"workers": 1, "delivery": {"per_integration": 1}, "gate": {"window": 1, "circuit_least": 0}})
    rows = seed.add_findings(stage.connection, stage.scan, ["low"] * 13)
    stage.publish("finding_new", finding_id=rows[0].id)
    stage.receiver.wait_for(1, HEC)
    bulk.publish_many(stage.broker_url, "notify", (stage.event("finding_new", finding_id=row.id) for row in rows[1:]))
    sql = "SELECT count(*) FROM notify.deliveries WHERE state = 'deferred' AND due_at > now() + interval '30 s'"
    stage.wait(lambda: stage.database.query(sql)[0][0] + stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'")[0][0] == 13, 10)
    late = stage.database.query(sql)[0][0]
    assert late > 1
    find(stage, ["critical"] * 20)  # of an expanded scan: by the mailbox
    told(stage, hec, 13 - late + 20, 8)
    assert stage.database.query(sql)[0][0] == late

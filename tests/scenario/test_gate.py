"""One bad destination slows nobody: windows, rates, circuits, and the mailbox for what cannot start soon."""

from __future__ import annotations

import json
import os
import signal
import time

import pika
import pytest
from sandbox import bulk, seed
from sandbox.receiver import Answer
from stage import dead_letters

pytestmark = pytest.mark.usefixtures("counted")

QUICK = {"circuit_pause": 1.0, "circuit_max": 2.0}


def publish(stage, count: int, severity: str = "high") -> list[str]:
    finding = stage.findings[severity].id
    return bulk.publish_many(stage.broker_url, "notify", (stage.event(finding_id=finding) for _ in range(count)))


def count(stage, state: str) -> int:
    return stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = %s", (state,))[0][0]


def idle(stage, rabbit, vhost) -> None:
    """The broker holds nothing but what waits on the ladder."""
    queues = ("notify", "notify.due", "notify.wake")
    stage.wait(lambda: all(rabbit.depth(name, vhost) == 0 for name in queues), 20, "the queues are not worked off")


def state_of(stage, integration) -> dict:
    names = ("wake_at", "circuit_until", "failing_since", "last_success_at", "last_failure_at", "last_error", "rate")
    rows = stage.database.query(f"SELECT {', '.join(names)} FROM notify.integration_state WHERE integration_id = %s", (integration.id,))
    return dict(zip(names, rows[0])) if rows else {}


# --- a rate

@pytest.mark.parametrize("number", [300, pytest.param(20000, marks=pytest.mark.long)])
def test_a_limited_integration_gets_its_rate_the_worst_first_and_others_all_at_once(stage, notifyd, rabbit, vhost, number):
    """The neighbours, each slower than the rate, notice nothing of it."""
    for other in range(10):
        stage.webhook(f"/other/{other}", events=["scan_started"])
    stage.webhook("/limited", events=["finding_new"], severity_filter="info")
    notifyd({"gate": {"rate_webhook": 50.0}})
    began = time.monotonic()
    low = set(publish(stage, number, "low"))
    stage.wait(lambda: count(stage, "deferred") > number / 6, 10 + number / 500, "nothing is in the mailbox")
    idle(stage, rabbit, vhost)
    critical = set(publish(stage, 40, "critical"))
    others = [stage.publish("scan_started") for _ in range(5)]
    for other in range(10):
        assert stage.wait_arrivals(others, 2, f"/other/{other}")
    seen = stage.wait_arrivals(low | critical, 30 + 1.2 * number / 50, "/limited")
    took = time.monotonic() - began
    print(f"{number + 40} arrived in {took:.1f} s")
    requests = stage.receiver.requests("/limited")
    assert set(seen.values()) == {1} and took >= (number + 40 - 20) / 50
    for first, later in zip(requests, requests[75:]):
        assert later.at - first.at > 1, "75 requests within a second: 50, and a burst of ten"
    order = [json.loads(r.body)["id"] in critical for r in requests]
    # On a busy machine the last of them may come seconds after the first; behind the others they would end at the very end.
    assert sum(order[:order.index(True) + 120]) == 40 and sum(order[-40:]) == 0, "the critical ones did not go before the others"
    stage.wait_settled(number + 40 + 50, 10)


def test_too_many_requests_halve_the_rate_and_hold_everything_for_as_long_as_it_says(stage, notifyd):
    hook = stage.webhook()
    stage.receiver.script("/hook", Answer(status=429, headers=(("Retry-After", "3"),)), Answer())
    notifyd({"workers": 1, "gate": {"report": 0.2}, "delivery": {"per_integration": 1}})
    ids = publish(stage, 20)
    stage.wait_settled(20, 30)
    requests = stage.receiver.requests("/hook")
    assert set(stage.arrivals()) == set(ids) and requests[1].at - requests[0].at >= 2.9, "one went out while the receiver wanted to be left alone"
    assert len(requests) == 21
    stage.wait(lambda: (state_of(stage, hook).get("last_failure_at") and state_of(stage, hook)["rate"] is not None), 5)


# --- a circuit

def test_a_receiver_that_fails_gets_few_requests_and_everything_when_it_works_again(stage, notifyd, rabbit, vhost):
    sick = stage.webhook("/sick", secret=None)
    stage.webhook("/well", secret=None)
    stage.receiver.script("/sick", Answer(status=503))
    one = notifyd({"gate": {**QUICK, "report": 0.2}, "retry": {"base": 3.0, "factor": 1.0}})
    ids = publish(stage, 400)
    assert set(stage.wait_arrivals(ids, 20, "/well").values()) == {1}
    stage.wait(lambda: count(stage, "deferred") + count(stage, "waiting") == 400, 20, "not all are put off")
    idle(stage, rabbit, vhost)
    asked = len(stage.receiver.requests("/sick"))
    assert asked < 60, "requests went on to one that fails"
    assert stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'deferred' AND attempt = 0")[0][0] > 300
    stage.wait(lambda: state_of(stage, sick).get("failing_since"), 5)
    assert state_of(stage, sick)["last_error"] == "http_status" and one.events("circuit_open")
    stage.receiver.script("/sick")
    seen = stage.wait_arrivals(ids, 30, "/sick")
    stage.wait_settled(800, 10)
    healed = [json.loads(r.body)["id"] for r in stage.receiver.requests("/sick") if r.answered == 200]
    assert len(healed) == len(set(healed)) == 400 and sum(seen.values()) < 500
    stage.wait(lambda: state_of(stage, sick)["failing_since"] is None and state_of(stage, sick)["wake_at"] is None, 5)


@pytest.mark.parametrize(("status", "earlier", "later"), [(503, "last_success_at", None), (200, "last_failure_at", "failing_since")],
                         ids=["a failure", "a success"])
def test_what_another_worker_saw_later_stays_what_is_known(stage, notifyd, status, earlier, later):
    """An integration stood there as failing although it worked: the report of a failure came after that of a later success."""
    hook = stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=status))
    columns = ", ".join(filter(None, [earlier, later]))
    stage.database.execute(f"INSERT INTO notify.integration_state (integration_id, workspace_id, {columns})"
                           f" VALUES (%s, %s{', now() + interval ' + repr('1 h') if later else ''}, now() + interval '1 h')",
                           (hook.id, stage.workspace.id))
    notifyd({"workers": 1, "gate": {"report": 0.1}})
    stage.publish()
    seen = "last_failure_at" if status == 503 else "last_success_at"
    stage.wait(lambda: state_of(stage, hook)[seen])
    assert (state_of(stage, hook)["failing_since"] is not None) == (status == 200)


def test_a_deferral_uses_no_attempt(stage, notifyd):
    stage.webhook("/hook", secret=None)
    stage.receiver.script("/hook", Answer(status=503))
    notifyd({"workers": 1, "gate": {**QUICK, "circuit_least": 2}, "retry": {"base": 1.0, "factor": 1.0, "max_attempts": 3}})
    ids = publish(stage, 5)
    stage.wait(lambda: count(stage, "dead") >= 1, 60, "none has come to its end")
    rows = stage.database.query("SELECT count(*), sum(attempt) FROM notify.deliveries")
    asked = len(stage.receiver.requests("/hook"))
    assert 0 <= asked - rows[0][1] <= 1 and rows[0][0] == 5, "an attempt without a request"
    stage.receiver.script("/hook")
    stage.wait(lambda: count(stage, "delivered") + count(stage, "dead") == 5, 30)
    assert set(stage.arrivals()) == set(ids) and max(stage.arrivals().values()) == 3


def test_a_worker_leaves_nothing_behind_when_its_last_notes_cannot_be_written(stage, notifyd):
    """A leak, in the build with sanitizers; nothing else waits for these notes."""
    stage.webhook("/hook", secret=None)
    one = notifyd({"workers": 1, "gate": {"report": 0.1}})
    connection = stage.database.connect()
    connection.autocommit = False
    connection.cursor().execute("LOCK TABLE notify.integration_state IN SHARE MODE")
    stage.publish()
    stage.wait_settled(1)
    stage.wait(lambda: one.counter("database_requests", batch="health") > 0, 5)
    one.terminate()
    assert one.wait() == 0
    connection.close()


# --- patience

def test_a_receiver_that_never_answers_holds_two_connections_and_nobody_up(stage, notifyd, rabbit, vhost):
    stage.webhook("/mute", events=["scan_started"])
    stage.webhook("/well", events=["scan_done"])
    stage.receiver.script("/mute", Answer(instead="hang"))
    notifyd({"workers": 1, "broker": {"prefetch": 32}, "shutdown_grace": 14, "delivery": {"timeout": 8.0}})
    mute = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_started") for _ in range(300)))
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(200)), rate=50)
    publisher.start()
    well = publisher.finish()
    seen = stage.wait_arrivals(well, 3, "/well")
    assert set(seen.values()) == {1} and len(stage.receiver.requests("/mute")) == 2
    stage.wait(lambda: count(stage, "deferred") == 298, 10, "what waits for it is not in the mailbox")
    idle(stage, rabbit, vhost)
    stage.receiver.script("/mute")
    assert len(stage.wait_arrivals(mute, 40, "/mute")) == 300
    stage.wait_settled(500, 15)


# --- the mailbox

def held_back(stage, notifyd, number: int, **gate):
    """NUMBER deliveries in the mailbox of an integration that gets one request in ten seconds."""
    hook = stage.webhook(severity_filter="info")
    one = notifyd({"workers": 1, "gate": {"rate_webhook": 0.1, **gate}, "sweep": {"grace": 2.0}})
    ids = publish(stage, number + 1)
    stage.wait(lambda: count(stage, "deferred") == number, 15, "they are not in the mailbox")
    return hook, one, ids


def test_what_waits_for_too_long_is_dead_and_says_so(stage, notifyd):
    hook, _, ids = held_back(stage, notifyd, 40, max_age=4.0)
    letters = dead_letters(stage.broker_url, 39, 30)
    assert {h["x-notify-reason"] for h, _, _ in letters} == {"too_old"} and {p.message_id for _, p, _ in letters} <= set(ids)
    stage.wait(lambda: count(stage, "dead") >= 39 and count(stage, "deferred") == 0, 15)
    assert {d["reason"] for d in stage.deliveries() if d["state"] == "dead"} == {"too_old"}
    stage.wait(lambda: state_of(stage, hook)["wake_at"] is None, 15)


def test_what_a_destination_asks_to_wait_makes_nothing_too_old(stage, notifyd):
    """Retry-After may be as long as the mailbox keeps things: a day, as delivered."""
    stage.webhook(severity_filter="info")
    stage.receiver.script("/hook", Answer(status=429, headers=(("Retry-After", "8"),)), Answer())
    notifyd({"workers": 1, "gate": {"max_age": 6.0}, "sweep": {"grace": 2.0}})
    ids = publish(stage, 10)
    assert len(stage.wait_arrivals(ids, 40)) == 10
    stage.wait_settled(10, 15)


def test_what_waits_for_a_disabled_integration_is_canceled(stage, notifyd):
    hook, _, _ = held_back(stage, notifyd, 20)
    stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s", (hook.id,))
    stage.wait(lambda: count(stage, "canceled") >= 19 and count(stage, "deferred") == 0, 60)


def test_a_wake_that_is_lost_comes_again_and_an_old_one_is_void(stage, notifyd, rabbit, vhost):
    hook, one, ids = held_back(stage, notifyd, 30)
    one.terminate()
    assert one.wait() == 0
    stage.database.execute("UPDATE notify.integration_state SET wake_at = now()")
    number = stage.database.query("SELECT wake_number FROM notify.integration_state")[0][0]
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    channel = connection.channel()
    channel.queue_purge("notify.wake")
    for old in (number - 1, number - 2):
        channel.basic_publish("notify.wake", "", b"{}", pika.BasicProperties(
            headers={"x-notify-wake": hook.id, "x-notify-wake-number": old}))
    for strange in ({"x-notify-wake": "nobody", "x-notify-wake-number": 1}, {"x-notify-wake": hook.id}, {}):
        channel.basic_publish("notify.wake", "", b"{}", pika.BasicProperties(headers=strange, content_type="application/json"))
    connection.close()
    notifyd({"gate": {"rate_webhook": 0.0}})
    assert set(stage.wait_arrivals(ids, 20).values()) == {1}
    assert len(dead_letters(stage.broker_url, 3)) == 3, "what is no wake is no event either, and is not lost"
    idle(stage, rabbit, vhost)
    stage.wait(lambda: state_of(stage, hook)["wake_at"] is None, 10)


def test_a_worker_that_dies_with_a_mailbox_in_hand_loses_nothing(stage, notifyd):
    hook, first, ids = held_back(stage, notifyd, 120)
    first.terminate()
    assert first.wait() == 0
    stage.receiver.script("/hook", Answer(delay=0.1))
    stage.database.execute("UPDATE notify.integration_state SET wake_at = now()")
    one = notifyd({"workers": 2, "gate": {"rate_webhook": 0.0}, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0},
                   "sweep": {"grace": 1.0}})
    for _ in range(3):
        before = len(stage.receiver.requests("/hook"))
        stage.wait(lambda: len(stage.receiver.requests("/hook")) > before + 10, 20)
        for pid in one.workers():
            os.kill(pid, signal.SIGKILL)
    seen = stage.wait_arrivals(ids, 60)
    stage.wait_settled(121, 30)
    again = sum(seen.values()) - 121
    print(f"{again} of 121 were sent twice over three times two workers")
    assert again <= 3 * 2 * 8 and state_of(stage, hook)


def in_mailboxes(stage, notifyd, paths: list[str], number: int) -> tuple[dict[str, str], set[str]]:
    """NUMBER events in the mailbox of each path, which is not looked at yet, and one has arrived: integrations, events."""
    hooks = {path: stage.webhook(path, secret=None).id for path in paths}
    first = notifyd({"workers": 1, "gate": {"rate_webhook": 0.01}})
    publish(stage, number + 1)
    stage.wait(lambda: count(stage, "deferred") == number * len(paths), 20, "they are not in the mailboxes")
    first.terminate()
    assert first.wait() == 0
    stage.database.execute("UPDATE notify.integration_state SET wake_at = now() + interval '1 h'")
    return hooks, {e["id"] for e in stage.events()}


def wake(stage, *hooks: str) -> None:
    stage.database.execute("UPDATE notify.integration_state SET wake_at = now() WHERE integration_id = ANY (%s::uuid[])", (list(hooks),))


def test_slow_mailboxes_leave_room_for_a_quick_one(stage, notifyd):
    slow = [f"/slow/{number}" for number in range(4)]
    hooks, ids = in_mailboxes(stage, notifyd, [*slow, "/quick"], 40)
    for path in slow:
        stage.receiver.script(path, Answer(delay=4.0))
    wake(stage, *(hooks[path] for path in slow))
    notifyd({"workers": 1, "gate": {"rate_webhook": 0.0}})
    for path in slow:
        stage.receiver.wait_for(2, path)
    wake(stage, hooks["/quick"])
    stage.wait_arrivals(ids, 6, "/quick")
    for path in slow:
        stage.receiver.script(path)
    stage.wait_settled(5 * 41, 30)


def test_probes_that_fail_one_after_the_other_let_go_of_the_mailbox(stage, notifyd):
    """With a pause between them that is no longer than the gate's patience, so that what waits is never held back."""
    hooks, ids = in_mailboxes(stage, notifyd, ["/sick", "/quick"], 20)
    stage.receiver.script("/sick", Answer(status=503))
    wake(stage, hooks["/sick"])
    notifyd({"workers": 1, "retry": {"base": 60.0},
             "gate": {"rate_webhook": 0.0, "wakes": 1, "circuit_least": 1, "circuit_pause": 1.0, "circuit_max": 1.0}})
    stage.receiver.wait_for(2, "/sick")
    wake(stage, hooks["/quick"])
    stage.wait_arrivals(ids, 8, "/quick")


def test_each_of_many_limited_integrations_gets_its_rate_from_its_mailbox(stage, notifyd):
    paths = [f"/limited/{number}" for number in range(20)]
    hooks, _ = in_mailboxes(stage, notifyd, paths, 11)
    wake(stage, *hooks.values())
    began = time.monotonic()
    notifyd({"workers": 1, "gate": {"rate_webhook": 1.0}})
    stage.wait_settled(20 * 12, 20)
    print(f"20 times 11 at one a second: {time.monotonic() - began:.1f} s")


@pytest.mark.unbalanced("deliveries without an event, which are made by hand")
def test_deliveries_whose_event_was_deleted_do_not_stand_before_the_others(stage, notifyd):
    hooks, ids = in_mailboxes(stage, notifyd, ["/hook"], 12)
    gone = {row[0] for row in stage.database.query(
        "SELECT event_id FROM notify.deliveries WHERE state = 'deferred' ORDER BY rank DESC, due_at LIMIT 3")}
    stage.database.execute("DELETE FROM notify.events WHERE id = ANY (%s)", (list(gone),))
    wake(stage, *hooks.values())
    notifyd({"workers": 1, "gate": {"rate_webhook": 1.0, "patience": 0.9}})
    stage.wait_arrivals(ids - gone, 20)
    stage.wait(lambda: stage.database.query("SELECT wake_at FROM notify.integration_state") == [(None,)], 10,
               "a mailbox in which nothing can be sent is looked at for ever")
    assert count(stage, "deferred") == 3


@pytest.mark.parametrize("change", ["other settings", "disabled"])
def test_a_change_of_the_integration_reaches_its_mailbox_while_it_is_held_for_long(stage, notifyd, change):
    """A 429 that wants an hour is about the old URL, and nobody waits for a disabled integration."""
    hook = stage.webhook("/old")
    stage.receiver.script("/old", Answer(status=429, headers=(("Retry-After", "3600"),)))
    notifyd({"workers": 1, "delivery": {"per_integration": 1}})
    publish(stage, 10)
    stage.wait(lambda: count(stage, "deferred") == 9, 10, "they are not in the mailbox")
    if change == "disabled":
        stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s", (hook.id,))
    else:
        stage.database.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s", (
            seed.encrypt_config({"webhook_url": stage.receiver.url("/new")}, stage.key), hook.id))
    time.sleep(0.5)
    wake(stage, hook.id)  # as it comes every five minutes
    stage.wait(lambda: count(stage, "canceled" if change == "disabled" else "delivered") == 9, 10, "they wait on")
    assert stage.receiver.count("/old") == 1


@pytest.mark.parametrize("why", ["its wake runs out", "the broker delivers its wake again"])
def test_a_mailbox_that_is_in_hand_is_not_taken_out_once_more(stage, notifyd, rabbit, why):
    """What is taken out a second time would join its copy in hand, be through at once, and be taken out again, and so on."""
    hook, first, ids = held_back(stage, notifyd, 12)
    first.terminate()
    assert first.wait() == 0
    stage.receiver.script("/hook", Answer(delay=0.8))
    stage.database.execute("UPDATE notify.integration_state SET wake_at = now()")
    lease = 1.0 if why == "its wake runs out" else 60.0
    one = notifyd({"workers": 1, "gate": {"rate_webhook": 0.0, "patience": 30.0}, "sweep": {"grace": lease},
                   "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "per_integration": 1}})
    stage.receiver.wait_for(4, "/hook")
    if why == "the broker delivers its wake again":
        rabbit.close_connections()
    assert set(stage.wait_arrivals(ids, 40).values()) == {1}
    stage.wait_settled(13)
    wakes = stage.database.query("SELECT wake_number FROM notify.integration_state")[0][0]
    assert one.counter("mailbox_deliveries") <= 40, f"12 deliveries, {wakes} wakes"


def test_a_drain_while_a_mailbox_is_emptied_repeats_nothing(stage, notifyd):
    _, first, ids = held_back(stage, notifyd, 100)
    first.terminate()
    assert first.wait() == 0
    stage.receiver.script("/hook", Answer(delay=0.2))
    one = notifyd({"workers": 1, "gate": {"rate_webhook": 0.0}})
    stage.wait(lambda: len(stage.receiver.requests("/hook")) > 10, 20)
    one.terminate()
    assert one.wait() == 0 and {e["handed_back"] for e in one.events("worker_leaves")} == {"0"}
    stage.receiver.script("/hook")
    notifyd()
    assert set(stage.wait_arrivals(ids, 20).values()) == {1}
    stage.wait_settled(101)


def test_a_wake_that_is_handed_back_leaves_its_room_to_those_that_wait(stage, notifyd):
    """The database keeps both waiting for held_max; then another host, played here, takes the one that had asked."""
    hooks, ids = in_mailboxes(stage, notifyd, ["/one", "/two"], 3)
    stage.database.execute("UPDATE notify.integration_state SET wake_number = 1")
    one = notifyd({"workers": 1, "held_max": 10, "gate": {"rate_webhook": 0.0, "wake_rows": 1}, "sweep": {"grace": 2.0}})
    connection, broker = stage.database.connect(), pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    connection.autocommit = False
    connection.cursor().execute("LOCK TABLE notify.integration_state")
    channel = broker.channel()
    for hook in hooks.values():
        channel.basic_publish("notify.wake", "", b"{}", pika.BasicProperties(
            headers={"x-notify-wake": hook, "x-notify-wake-number": 1}))
    stage.wait(lambda: one.counter("mailbox_wakes") == 2, 10)
    taken = []
    channel.basic_consume("notify.wake", lambda c, method, p, b: taken.append(p.headers["x-notify-wake"]), True, arguments={"x-priority": 9})
    stage.wait(lambda: broker.process_data_events(0.1) or taken, 60, "nothing is handed back")
    broker.close()
    connection.close()
    for path, hook in sorted(hooks.items(), key=lambda item: item[1] in taken):
        wake(stage, hook)
        stage.wait_arrivals(ids, 15, path)
    stage.wait_settled(8)


@pytest.mark.alone
def test_a_drain_begins_nothing_more_of_the_mailboxes(stage, notifyd):
    """However much was taken out: what was begun ends within the grace, and so nothing is sent twice."""
    paths = [f"/hook/{number}" for number in range(4)]
    hooks, ids = in_mailboxes(stage, notifyd, paths, 30)
    for path in paths:
        stage.receiver.script(path, Answer(delay=1.0))
    wake(stage, *hooks.values())
    one = notifyd({"workers": 1, "gate": {"rate_webhook": 0.0, "patience": 30.0, "wake_rows": 60}, "delivery": {"per_integration": 1}})
    stage.wait(lambda: sum(stage.receiver.count(path) > 1 for path in paths) >= 2, 10, "no mailbox is being emptied")
    began = time.monotonic()
    one.terminate()
    assert one.wait() == 0 and {e["handed_back"] for e in one.events("worker_leaves")} == {"0"}
    assert time.monotonic() - began < 6
    for path in paths:
        stage.receiver.script(path)
    notifyd()
    for path in paths:
        assert set(stage.wait_arrivals(ids, 20, path).values()) == {1}
    stage.wait_settled(4 * 31)


def test_two_hosts_empty_a_mailbox_together_and_send_each_once(stage, notifyd):
    _, first, ids = held_back(stage, notifyd, 300)
    first.terminate()
    assert first.wait() == 0
    settings = {"workers": 1, "gate": {"rate_webhook": 0.0, "wake_run": 0.2}}
    pair = [notifyd(settings), notifyd(settings)]
    assert set(stage.wait_arrivals(ids, 30).values()) == {1}
    stage.wait_settled(301)
    assert all(one.alive() for one in pair)


def test_replayed_deliveries_meet_the_gate_too(stage, notifyd):
    """An integration deleted from the product leaves no mailbox behind."""
    hook, _, ids = held_back(stage, notifyd, 10)
    stage.database.execute("DELETE FROM integrations WHERE id = %s", (hook.id,))
    stage.wait(lambda: count(stage, "canceled") >= 9 and count(stage, "deferred") == 0, 60)
    assert len(ids) == 11 and seed.SEVERITIES

"""Shadow mode: what would be sent is written down, each message goes on to the queue of the worker that delivers, and nothing else
happens."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pika
import pytest
from sandbox import producer, seed
from shadow_side import FORWARD, NIL, SHADOW, Queue, celery_queue, own, rows  # noqa: F401



def untouched(stage: Any) -> bool:
    """Nothing that a pool that delivers would take for its own."""
    tables = ("events", "deliveries", "attempts", "external_refs", "integration_state", "stats_hourly")
    return all(stage.database.query(f"SELECT count(*) FROM notify.{table}") == [(0,)] for table in tables)


pytestmark = pytest.mark.unbalanced  # its queues are not there: nothing is to be compared


def test_an_event_is_written_down_and_passed_on_and_nothing_is_sent(stage, notifyd, celery_queue):
    hook = stage.webhook()
    notifyd(SHADOW)
    event = stage.event()
    body, properties = producer.celery_message(event)
    producer.publish_raw(stage.broker_url, "notify", body, properties)
    passed, passed_body = celery_queue.take()[0]
    assert passed_body == body
    mark = passed.headers.pop("x-notify-shadow")
    assert mark.isdigit()
    assert {name: value for name, value in vars(passed).items() if value is not None} == {
        name: value for name, value in vars(properties).items() if value is not None}
    event_row, row = rows(stage)
    assert (event_row["verdict"], event_row["matched"], event_row["event_type"], event_row["queue"]) == ("matched", 1, "finding_new", "notify")
    assert (row["verdict"], row["integration_id"], row["kind"], row["integration_name"]) == ("would_send", str(hook.id), "webhook", "hook")
    assert (row["event_id"], str(row["scan_id"]), str(row["finding_id"])) == (event.id, stage.scan.id, stage.high)
    shown = bytes(row["body"])
    assert json.loads(shown)["id"] == event.id and len(shown) == row["body_size"]
    assert row["body_sha256"].tobytes() == hashlib.sha256(shown).digest()
    assert (row["method"], row["url"]) == ("POST", stage.receiver.url("/***"))
    stage.wait(lambda: celery_queue.length("notify") == 0)
    assert stage.receiver.count() == 0 and untouched(stage)
    assert celery_queue.length("notify.dead") == 0


def test_what_would_be_sent_is_what_is_sent_when_the_mode_changes(stage, notifyd, celery_queue):
    """Also: what was judged in shadow mode is not taken for seen."""
    stage.webhook()
    shadow = notifyd(SHADOW)
    event = stage.event()
    producer.publish_event(stage.broker_url, event)
    celery_queue.take()
    shown = json.loads(bytes(rows(stage, "verdict = 'would_send'")[0]["body"]))
    shadow.terminate()
    shadow.wait()
    assert stage.receiver.count() == 0
    notifyd({})
    producer.publish_event(stage.broker_url, event)
    sent = json.loads(stage.receiver.wait_for(1)[0].body)
    shown.pop("timestamp"), sent.pop("timestamp")
    assert sent == shown


# --- what is passed on

def test_a_message_is_passed_on_as_it_came_but_for_what_would_lead_it_elsewhere(stage, notifyd, celery_queue, rabbit, vhost):
    """CC makes the broker route copies, another's user_id closes the channel, x-death counts another queue's trips."""
    rabbit.evaluate(f'rabbit_auth_backend_internal:add_user(<<"other">>, <<"pw">>, <<"test">>), rabbit_auth_backend_internal:set_permissions('
                    f'<<"other">>, <<"{vhost}">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)')
    other = pika.URLParameters(stage.broker_url)
    notifyd({**SHADOW, "broker": {"url": f"amqp://other:pw@{other.host}:{other.port}/{vhost}"}})
    copies = Queue(stage.broker_url, "copies").make()
    kept = {"task": "x", "list": [1, None, {"deep": [True, "a"]}], "number": -3, "long": 2**40, "text": "grüße", "none": None,
            "yes": True, "price": Decimal("1.25"), "when": datetime(2026, 1, 2, 3, 4, 5), "table": {"a": {"b": [2]}}, "bytes": b"\x00\xff"}
    user = pika.URLParameters(stage.broker_url).credentials.username
    led = {"x-death": [{"count": 3, "queue": "notify", "reason": "rejected"}], "x-first-death-queue": "other", "x-last-death-reason": "expired",
           "x-delivery-count": 7}
    properties = pika.BasicProperties(
        content_type="application/x-python-serialize", content_encoding="binary", delivery_mode=1, priority=7, correlation_id="12",
        reply_to="amq.rabbitmq.reply-to.abc", message_id="m-1", timestamp=1700000000, type="t", user_id=user, app_id="a",
        headers={**kept, **led})
    body = bytes(range(256)) * 4
    copied = pika.BasicProperties(headers={"CC": ["copies"]}, message_id="cc", content_type="application/json")
    producer.publish_raw(stage.broker_url, "notify", body, properties)
    producer.publish_raw(stage.broker_url, "notify", b"{}", copied)
    assert [body for _, body in copies.take()] == [b"{}"]
    first, second = sorted(celery_queue.take(2), key=lambda message: len(message[1]), reverse=True)
    assert first[1] == body and second[1] == b"{}"
    assert first[0].headers.pop("x-notify-shadow") and first[0].headers == kept
    assert second[0].headers.keys() == {"x-notify-shadow"}
    for name in ("content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to", "message_id", "timestamp",
                 "type", "app_id"):
        assert getattr(first[0], name) == getattr(properties, name), name
    assert first[0].user_id is None
    time.sleep(0.3)
    assert copies.is_empty() and celery_queue.is_empty()


def test_what_is_left_of_a_life_is_passed_on(stage, notifyd, celery_queue):
    stage.webhook()
    notifyd(SHADOW)
    task = producer.celery_app(stage.broker_url).notify_event
    task.apply_async((stage.scan.id, "scan_done"), expires=60)
    (passed, _), = celery_queue.take()
    assert 0 < int(passed.expiration) <= 60_000 and passed.headers["expires"]
    producer.publish_plain(stage.broker_url, "notify", {"scan_id": stage.scan.id, "event_type": "scan_done"}, "plain", expiration="50000")
    assert celery_queue.take()[0][0].expiration == "50000", "nothing says how long it waited: it counts anew"
    late = producer.event(stage.scan.id, "scan_done")
    body, properties = producer.celery_message(late)
    properties.headers["expires"] = (datetime.now(timezone.utc) - timedelta(seconds=5)).isoformat()
    properties.expiration = "5000"
    producer.publish_raw(stage.broker_url, "notify", body, properties)
    (passed, _), = celery_queue.take()
    assert passed.expiration is None, "the worker that reads it sees that it has expired, and says so"
    assert own(stage, late.id)["verdict"] == "expired"
    assert len(rows(stage, "verdict = 'would_send'")) == 2


def test_messages_that_nobody_understands_are_passed_on_too_and_said(stage, notifyd, celery_queue):
    notifyd(SHADOW)
    sent = {
        "bad_content_type": (b"\x80\x04.", pika.BasicProperties(content_type="application/x-python-serialize", message_id="pickle")),
        "bad_body": (b"{", pika.BasicProperties(content_type="application/json", message_id="torn")),
        "unknown_task": (b"[[], {}, {}]", pika.BasicProperties(content_type="application/json", content_encoding="utf-8",
                                                              headers={"task": "a.other", "id": "other"})),
        "no_message_id": (b'{"scan_id": 1}', pika.BasicProperties(content_type="application/json")),
    }
    for body, properties in sent.values():
        producer.publish_raw(stage.broker_url, "notify", body, properties)
    assert sorted(body for _, body in celery_queue.take(len(sent))) == sorted(body for body, _ in sent.values())
    found = {row["reason"]: row for row in rows(stage)}
    assert found.keys() == sent.keys() and all(row["verdict"] == "rejected" and row["event_type"] is None for row in found.values())
    assert found["bad_body"]["event_id"] == "torn"
    assert found["no_message_id"]["event_id"] == "sha256:" + hashlib.sha256(sent["no_message_id"][0]).hexdigest()
    stage.wait(lambda: celery_queue.length("notify") == 0)
    assert celery_queue.length("notify.dead") == 0 and untouched(stage)


def test_headers_that_fill_a_frame_and_bodies_of_many_frames_are_passed_on(stage, notifyd, celery_queue):
    notifyd(SHADOW)
    frame = 131072
    for size in (frame - 8, 3 * (frame - 8), 1_000_000):
        producer.publish_raw(stage.broker_url, "notify", b"x" * size, pika.BasicProperties(message_id=f"b{size}"))
        (_, body), = celery_queue.take()
        assert body == b"x" * size
    for filling in (100_000, 130_600, 130_950):
        headers = {"a": "y" * filling}
        producer.publish_raw(stage.broker_url, "notify", b"z", pika.BasicProperties(headers=headers, message_id="h"))
        (passed, _), = celery_queue.take()
        passed.headers.pop("x-notify-shadow", None)
        assert passed.headers == headers
    assert len(rows(stage, "verdict = 'rejected'")) == 4


def test_a_message_that_is_too_large_stays_in_its_queue_and_others_pass(stage, notifyd, celery_queue):
    small = notifyd({**SHADOW, "workers": 1, "limits": {"message_bytes": 65536}, "shadow": {"message_bytes": 65536}})
    producer.publish_raw(stage.broker_url, "notify", b"x" * 70_000, pika.BasicProperties(message_id="large"))
    small.wait_event("shadow_held", id="large")
    event = stage.publish("scan_done")
    assert celery_queue.take()[0][0].headers["id"] == event
    small.terminate()
    assert small.wait() == 0
    assert celery_queue.length("notify") == 1
    notifyd({**SHADOW, "limits": {"message_bytes": 65536}})
    assert len(celery_queue.take()[0][1]) == 70_000


# --- the queue forward

def test_without_the_queue_nothing_is_acknowledged_and_all_of_it_waits(stage, notifyd, ctl):
    worker = notifyd({**SHADOW, "workers": 1, "broker": {"publish_patience": 1.0}})
    check = ctl("check", **SHADOW)
    assert check.code == 1 and any("celery (forward) does not exist" in line for line in check.lines("FAIL"))
    events = {stage.publish("scan_done") for _ in range(3)}
    returned = worker.wait_event("publish_returned", key=FORWARD)
    assert returned[0]["level"] in ("warn", "warning")
    look = Queue(stage.broker_url, "notify")
    time.sleep(3)  # longer than a message of ours would wait
    assert worker.counter("messages_settled") == 0 and worker.counter("publishes_given_up") == 0
    queue = Queue(stage.broker_url).make()
    assert {properties.headers["id"] for properties, _ in queue.take(3)} == events
    stage.wait(lambda: look.length() == 0)
    time.sleep(1.2)
    assert queue.is_empty(), "none was passed on twice"
    assert {row["times"] for row in rows(stage)} == {1}
    assert any("passed on to celery" in line or "nobody reads" in line for line in ctl("check", **SHADOW).out.splitlines())


def test_what_waits_for_the_queue_is_passed_on_once_though_connections_are_lost(stage, notifyd, rabbit):
    worker = notifyd({**SHADOW, "workers": 1})
    events = {stage.publish("scan_done") for _ in range(20)}
    worker.wait_event("publish_returned", key=FORWARD)
    for count in (2, 3):
        rabbit.close_connections()
        worker.wait_event("worker_ready", count=count)
    worker.wait_event("publish_returned", key=FORWARD, count=2)
    queue = Queue(stage.broker_url).make()
    assert {properties.headers["id"] for properties, _ in queue.take(20)} == events
    time.sleep(1.5)
    assert queue.is_empty(), "the broker delivered them again, and the copies that waited were dropped"
    stage.wait(lambda: queue.length("notify") == 0)


def test_a_worker_that_ends_while_the_queue_is_missing_hands_all_back(stage, notifyd):
    worker = notifyd(SHADOW)
    events = {stage.publish("scan_done") for _ in range(3)}
    worker.wait_event("publish_returned")
    worker.terminate()
    assert worker.wait() == 0
    look = Queue(stage.broker_url, "notify")
    assert look.length() == 3
    queue = Queue(stage.broker_url).make()
    notifyd(SHADOW)
    assert {properties.headers["id"] for properties, _ in queue.take(3)} == events


def test_a_message_that_comes_back_is_not_passed_on_again(stage, notifyd):
    """A queue whose messages expire into ours: a loop that no configuration shows."""
    queue = Queue(stage.broker_url).make({"x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "notify"})
    worker = notifyd(SHADOW)
    event = stage.event("scan_done")
    body, properties = producer.celery_message(event)
    producer.publish_raw(stage.broker_url, "notify", body, properties)
    worker.wait_event("shadow_loop", id=event.id)
    dead = Queue(stage.broker_url, "notify.dead")
    (letter, _), = dead.take()
    assert letter.headers["x-notify-reason"] == "shadow_loop" and letter.headers["x-notify-queue"] == "notify"
    time.sleep(0.5)
    assert queue.is_empty() and dead.is_empty() and queue.length("notify") == 0


def test_without_forward_messages_are_only_acknowledged(stage, notifyd, ctl):
    """For a queue that gets copies, while the other worker reads its own."""
    stage.webhook()
    notifyd({"mode": "shadow"})
    event = stage.publish("scan_done")
    look = Queue(stage.broker_url, "notify")
    stage.wait(lambda: rows(stage, "event_id = %s AND verdict = 'would_send'", event))
    stage.wait(lambda: look.length() == 0)
    assert stage.receiver.count() == 0 and untouched(stage)
    assert any("passed on to nobody" in line for line in ctl("check", mode="shadow").lines("note"))


def test_a_forward_that_leads_back_is_refused_by_the_check(ctl):
    for forward, words in {"notify": "is one of broker.queues", "notify.due": "not a queue that another worker reads",
                           "x" * 300: "at most 255 bytes"}.items():
        answer = ctl("check", mode="shadow", forward=forward)
        assert answer.code == 78 and words in answer.out + answer.err, forward


def test_queues_of_ours_are_left_to_a_pool_that_delivers(stage, notifyd, celery_queue):
    """Both on one vhost: the retries of one are not taken by the other."""
    due = Queue(stage.broker_url, "notify.due").make()
    producer.publish_raw(stage.broker_url, "elsewhere", b"", pika.BasicProperties())
    due.channel.basic_publish("", "notify.due", b"{}", pika.BasicProperties(message_id="theirs"))
    notifyd(SHADOW)
    stage.publish("scan_done")
    celery_queue.take()
    assert due.take()[0][0].message_id == "theirs"
    for name in ("notify.urgent", "notify.bulk", "notify.wake", "notify.delay.0"):
        with pytest.raises(pika.exceptions.ChannelClosedByBroker):
            Queue(stage.broker_url, name).length()


# --- what is judged

def test_a_scan_is_judged_finding_by_finding(stage, notifyd, celery_queue):
    hook = stage.webhook(severity_filter="medium")
    hidden = seed.add_finding(stage.connection, stage.scan, "critical", suppressed=True)
    notifyd(SHADOW)
    many = seed.add_findings(stage.connection, stage.scan, ["low"] * 300)
    task = producer.celery_app(stage.broker_url).notify_scan_findings.delay(stage.scan.id)
    celery_queue.take()
    assert own(stage, task.id)["verdict"] == "expanded"
    stage.wait(lambda: len(rows(stage, "verdict IN ('would_send', 'filtered')")) == 4 + 300 + 2)
    found = rows(stage, "verdict = 'would_send'")
    assert {(row["event_type"], str(row["finding_id"])) for row in found} == {
        ("scan_done", "None"), *(("finding_new", stage.findings[severity].id) for severity in ("medium", "high", "critical"))}
    assert {row["integration_id"] for row in found} == {str(hook.id)}
    assert len(rows(stage, "verdict = 'filtered' AND filtered_severity = 1")) == 300 + 2
    assert not rows(stage, "finding_id = %s", hidden.id) and len(many) == 300
    assert celery_queue.is_empty() and untouched(stage)


def test_what_is_not_there_yet_is_passed_on_at_once_and_looked_for_again(stage, notifyd, celery_queue):
    stage.webhook()
    notifyd({**SHADOW, "retry": {"not_found": [0.2, 0.3, 5.0]}})
    scan = str(uuid.uuid4())
    missing = stage.publish("scan_done", scan_id=scan)
    celery_queue.take()
    never = stage.publish("scan_done", scan_id=str(uuid.uuid4()))
    celery_queue.take()
    assert own(stage, missing)["verdict"] == own(stage, never)["verdict"] == "not_found"
    stage.database.execute("INSERT INTO scans SELECT (jsonb_populate_record(s, jsonb_build_object('id', %s::text))).* FROM scans s WHERE s.id = %s",
                           (scan, stage.scan.id))
    stage.wait(lambda: own(stage, missing)["verdict"] == "matched", timeout=15)
    assert own(stage, missing)["times"] == 1 and own(stage, never)["verdict"] == "not_found"
    assert len(rows(stage, "verdict = 'would_send'")) == 1


def test_what_could_not_be_sent_says_why(stage, notifyd, celery_queue):
    with_key = dict(severity_filter="info")
    names = {
        stage.webhook(url="http://10.0.0.1/x", **with_key).id: "address_refused",
        stage.webhook(url="http://2130706433:81/x", **with_key).id: None,
        stage.webhook(url="http://[fc00::1]/x", **with_key).id: "address_refused",
        stage.webhook(url="https://name.invalid/x", **with_key).id: None,
        stage.integration({"webhook_url": "nonsense"}, "slack", **with_key).id: "config_invalid",
        stage.integration({"x": 1}, "pager", **with_key).id: "unknown_kind",
    }
    unreadable = stage.webhook(**with_key)
    stage.database.execute("UPDATE integrations SET config_encrypted = 'x' WHERE id = %s", (unreadable.id,))
    names[unreadable.id] = "config_unreadable"
    notifyd(SHADOW)
    stage.publish()
    celery_queue.take()
    found = {row["integration_id"]: row for row in rows(stage, "integration_id <> %s", NIL)}
    assert {key: row["reason"] for key, row in found.items()} == {str(key): reason for key, reason in names.items()}
    assert all((row["verdict"] == "would_fail") == (row["reason"] is not None) for row in found.values())


def test_a_request_that_is_too_long_would_fail(stage, notifyd, celery_queue):
    stage.webhook()
    stage.database.execute("UPDATE findings SET description = repeat('x', 16000) WHERE id = %s", (stage.high,))
    notifyd({**SHADOW, "delivery": {"max_request": 4096}})
    stage.publish()
    celery_queue.take()
    assert [row["reason"] for row in rows(stage, "verdict = 'would_fail'")] == ["too_long"]


KINDS = {
    "slack": {"webhook_url": "https://hooks.slack.com/services/T00000000/B00000000/SECRETsecretSECRETsecret"},
    "teams": {"webhook_url": "https://prod-1.westus.logic.azure.com:443/workflows/SECRETsecret/triggers/manual/paths/invoke?sig=SECRETsecret"},
    "google_chat": {"webhook_url": "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=SECRETsecret&token=SECRETsecret"},
    "discord": {"webhook_url": "https://discord.com/api/webhooks/123456789012345678/SECRETsecretSECRETsecretSECRETsecretSECRETsecretSECRETsecretSECR"},
    "pagerduty": {"routing_key": "5EC12E75EC12E75EC12E75EC12E7abcd"},
    "opsgenie": {"api_key": "SECRETsecret-1234-1234-1234-123456789012"},
    "splunk": {"hec_url": "https://splunk.example:8088/services/collector", "token": "SECRETsecret-1234-1234-1234-123456789012"},
    "webhook": {"webhook_url": "https://soar.example/SECRETsecret/in?token=SECRETsecret", "hmac_secret": "SECRETsecret", "headers": {"X-Token": "SECRETsecret"}},
    "github": {"repo": "acme/shop", "token": "ghp_SECRETsecretSECRETsecretSECRETsecret12"},
    "jira": {"base_url": "https://acme.atlassian.net", "email": "who@acme.example", "api_token": "SECRETsecret", "project_key": "SEC"},
}


def test_of_no_kind_a_secret_is_written_down(stage, notifyd, celery_queue):
    for kind, config in KINDS.items():
        stage.integration(config, kind, name=kind, severity_filter="info")
    worker = notifyd({**SHADOW, "log": {"level": "debug"}})
    for event_type in producer.EVENT_TYPES:
        stage.publish(event_type)
    celery_queue.take(len(producer.EVENT_TYPES))
    found = rows(stage, "event_type = 'finding_new' AND integration_id <> %s", NIL)
    assert {row["kind"]: (row["verdict"], row["detail"]) for row in found} == {kind: ("would_send", None) for kind in KINDS}
    everything = json.dumps(rows(stage), default=lambda value: bytes(value).decode("latin-1") if isinstance(value, memoryview) else str(value))
    for text in (everything, worker.log_text()):
        assert "secret" not in text.lower().replace("secrets", "") and "5EC12E7" not in text, text
    assert stage.receiver.count() == 0 and untouched(stage)
    assert worker.counter("events_shadowed") == len(producer.EVENT_TYPES) and worker.counter("messages_forwarded") == len(producer.EVENT_TYPES)
    assert worker.counter("deliveries_shadowed") == len(rows(stage, "verdict = 'would_send'")) and stage.receiver.count() == 0


def test_only_the_first_bytes_of_a_body_are_kept(stage, notifyd, celery_queue):
    stage.webhook()
    notifyd({**SHADOW, "shadow": {"body_bytes": 100}})
    stage.publish()
    celery_queue.take()
    row, = rows(stage, "verdict = 'would_send'")
    assert len(row["body"]) == 100 < row["body_size"]


# --- when something dies

def test_a_worker_that_dies_before_it_acknowledges_leaves_two_and_loses_none(stage, notifyd, celery_queue):
    notifyd({**SHADOW, "workers": 1}, env={"NOTIFY_FAULT": "confirm=1*1"})
    event = stage.publish("scan_done")
    assert [properties.headers["id"] for properties, _ in celery_queue.take(2)] == [event, event]
    stage.wait(lambda: own(stage, event)["times"] == 2)
    assert celery_queue.is_empty()


def test_nothing_is_lost_while_workers_are_killed(stage, notifyd, celery_queue):
    stage.webhook()
    worker = notifyd({**SHADOW, "workers": 2}, env={"NOTIFY_FAULT": "publish=40*5"})
    events = {stage.publish("scan_done") for _ in range(400)}
    taken: list[str] = []
    deadline = time.monotonic() + 60
    while not events <= set(taken):
        assert time.monotonic() < deadline, f"{len(events - set(taken))} are missing"
        taken += [properties.headers["id"] for properties, _ in celery_queue.take()]
    assert len(taken) < 2 * len(events)
    stage.wait(lambda: celery_queue.length("notify") == 0)
    assert len(rows(stage, "verdict = 'would_send'")) == len(events) and stage.receiver.count() == 0
    assert worker.alive()


def test_a_message_that_kills_workers_is_passed_on_unread(stage, notifyd, celery_queue):
    worker = notifyd({**SHADOW, "workers": 1}, env={"NOTIFY_FAULT": "decode=1*3/poison"})
    worker.expected_exit = None
    producer.publish_raw(stage.broker_url, "notify", b"poison", pika.BasicProperties(message_id="p"))
    assert celery_queue.take(timeout=60)[0][1] == b"poison"
    assert [row["reason"] for row in rows(stage)] == ["killed_worker"]


# --- keeping and changing

def test_old_rows_go_and_nothing_else_does(stage, notifyd, celery_queue, ctl):
    stage.webhook()
    notifyd({**SHADOW, "retention": {"interval": 0.2}})
    stage.publish("scan_done")
    celery_queue.take()
    stage.database.execute("INSERT INTO notify.events (id, content_hash, scan_id, event_type, state, first_seen, accepted_at, finished_at)"
                           " SELECT 'old', '', scan_id, 'scan_done', 'done', t, t, t FROM notify.shadow, (SELECT now() - interval '90 days' AS t) x LIMIT 1")
    stage.database.execute("UPDATE notify.shadow SET created_at = now() - interval '31 days' WHERE integration_id = %s", (NIL,))
    stage.wait(lambda: not rows(stage, "integration_id = %s", NIL))
    assert len(rows(stage)) == 1
    assert stage.database.query("SELECT count(*) FROM notify.events") == [(1,)], "they belong to a pool that delivers"
    stage.database.execute("UPDATE notify.shadow SET created_at = now() - interval '31 days'")
    assert ctl("prune", "--json").json()["shadows"] in (0, 1)
    assert not rows(stage)


def test_a_running_pool_changes_its_mode_at_a_hup(stage, notifyd, celery_queue):
    import signal

    stage.webhook()
    worker = notifyd(SHADOW)
    stage.publish("scan_done")
    celery_queue.take()
    assert stage.receiver.count() == 0
    worker.write_conf({**worker.settings, "mode": "deliver"})
    worker.signal(signal.SIGHUP)
    worker.wait_event("worker_ready", count=4)
    stage.wait(lambda: len(worker.events("worker_leaves")) >= 2)
    event = stage.publish("scan_done")
    assert json.loads(stage.receiver.wait_for(1)[0].body)["id"] == event
    assert celery_queue.is_empty()

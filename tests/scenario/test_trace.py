"""A trace goes with an event: from the producer's headers, through retries, mailboxes, replays and a scan's findings, into every
line of the log and to the webhook."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Any

import pika
import pytest
from expansion import wait_expanded
from sandbox import producer
from sandbox.daemon import log_line
from sandbox.receiver import Answer
from stage import dead_letters

DEBUG = {"log": {"level": "debug"}}


def new_trace() -> tuple[str, str]:
    """A trace id, and a traceparent of it."""
    trace = secrets.token_hex(16)
    return trace, f"00-{trace}-{secrets.token_hex(8)}-01"


def made_trace(event_id: str) -> str:
    """Of an event that came without one."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:32]


def send(stage: Any, headers: dict[str, Any], **options: Any) -> str:
    """As OpenTelemetry's instrumentation of Celery does it: by a real Celery, in the message's headers."""
    event = stage.event()
    return producer.celery_app(stage.broker_url).notify_event.apply_async(event.args, event.kwargs, headers=headers, **options).id


def traces_of(one: Any, event_id: str) -> set[str]:
    """What the lines that name the event say of its trace."""
    lines = [line for line in one.events() if line.get("id") == event_id]
    assert len(lines) > 3
    return {line.get("trace", "nothing") for line in lines}


def sent_traces(stage: Any, path: str = "/hook") -> list[str | None]:
    return [r.header.get("traceparent") for r in stage.receiver.requests(path)]


def trace_column(stage: Any, event_id: str) -> str | None:
    return stage.database.query("SELECT trace FROM notify.events WHERE id = %s", (event_id,))[0][0]


def test_a_producers_trace_is_in_every_line_and_reaches_the_webhook_at_each_attempt(stage, notifyd, ctl):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=500), Answer(status=503), Answer())
    one = notifyd({**DEBUG, "workers": 2, "retry": {"base": 1.0, "factor": 1.0}})
    trace, parent = new_trace()
    event_id = send(stage, {"traceparent": parent, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"})
    stage.wait_settled(1)
    assert traces_of(one, event_id) == {trace}
    sent = sent_traces(stage)
    assert len(sent) == 3 and all(re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-01", text) for text in sent)
    assert len({*sent, parent}) == 4, "each attempt is a span of its own"
    assert {r.header["tracestate"] for r in stage.receiver.requests("/hook")} == {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}
    assert trace_column(stage, event_id) == f"{parent} rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
    assert [row["trace"] for row in ctl("deliveries", "--json").json()] == [trace]
    assert trace in ctl("dead", "show", event_id).out


def test_without_a_trace_the_log_has_one_that_follows_from_the_id_and_the_receiver_hears_of_none(stage, notifyd, ctl):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=500), Answer())
    one = notifyd(DEBUG)
    event_id = stage.publish()
    stage.wait_settled(1)
    assert traces_of(one, event_id) == {made_trace(event_id)}
    assert sent_traces(stage) == [None, None] and trace_column(stage, event_id) is None
    assert [row["trace"] for row in ctl("deliveries", "--json").json()] == [made_trace(event_id)]


@pytest.mark.parametrize("header", [
    "", "00", "ff-{trace}-00f067aa0ba902b7-01", "00-{zero}-00f067aa0ba902b7-01", "00-{trace}-0000000000000000-01",
    "00-{upper}-00f067aa0ba902b7-01", "00-{trace}-00f067aa0ba902b7-01\r\nX-Evil: 1", 7, None, ["00"], {"a": "b"}, "00-" * 5000],
    ids=lambda header: str(header)[:20])
def test_a_trace_that_does_not_read_is_as_none(stage, notifyd, header):
    stage.webhook()
    one = notifyd(DEBUG)
    trace, _ = new_trace()
    if isinstance(header, str):
        header = header.format(trace=trace, zero="0" * 32, upper=trace.upper().replace("0", "A"))
    event_id = send(stage, {"traceparent": header, "tracestate": "a=b"})
    stage.wait_settled(1)
    assert sent_traces(stage) == [None] and "tracestate" not in stage.receiver.requests("/hook")[0].header
    assert traces_of(one, event_id) == {made_trace(event_id)}


def test_a_dead_letter_says_its_trace_and_a_replay_keeps_it(stage, notifyd, ctl):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=400), Answer())
    one = notifyd({**DEBUG, "sweep": {"interval": 0.5}})
    trace, parent = new_trace()
    event_id = send(stage, {"traceparent": parent})
    (headers, _, _), = dead_letters(stage.broker_url, 1)
    assert headers["traceparent"] == parent
    assert ctl("dead", "replay", event_id).code == 0
    stage.wait_settled(1)
    assert traces_of(one, event_id) == {trace} and all(trace in text for text in sent_traces(stage))


def test_a_message_that_is_no_event_is_dead_with_its_trace(stage, notifyd):
    one = notifyd(DEBUG)
    trace, parent = new_trace()
    body, properties = producer.celery_message(stage.event())
    properties.headers["traceparent"] = parent
    producer.publish_raw(stage.broker_url, "notify", body[:-3], properties)
    (headers, _, _), = dead_letters(stage.broker_url, 1)
    assert headers["x-notify-reason"] == "bad_body" and headers["traceparent"] == parent
    assert one.wait_event("message_rejected")[0]["trace"] == trace


def test_a_scans_findings_keep_the_trace_of_their_task(stage, notifyd):
    stage.webhook(events=["finding_new", "scan_done"], severity_filter="info")
    one = notifyd(DEBUG)
    trace, parent = new_trace()
    app = producer.celery_app(stage.broker_url)
    task = app.notify_scan_findings.apply_async((str(stage.scan.id),), headers={"traceparent": parent}).id
    wait_expanded(stage, task)
    stage.wait_settled(6)
    assert len(sent_traces(stage)) == 6 and all(text and trace in text for text in sent_traces(stage))
    assert {line["trace"] for line in one.events() if line.get("id", "").startswith(task)} == {trace}
    stage.receiver.clear()
    task = app.notify_scan_findings.delay(str(stage.scan.id)).id
    wait_expanded(stage, task)
    stage.wait_settled(12)
    assert {line["trace"] for line in one.events() if line.get("id", "").startswith(task)} == {made_trace(task)}
    assert sent_traces(stage) == [None] * 6, "a receiver is told of no trace that nobody has recorded"


def test_what_waited_in_a_mailbox_keeps_its_trace(stage, notifyd):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=429, headers=(("Retry-After", "2"),)), Answer())
    one = notifyd({**DEBUG, "workers": 1, "gate": {"patience": 0.0}, "delivery": {"per_integration": 1}})
    sent = {}
    for _ in range(4):
        trace, parent = new_trace()
        sent[send(stage, {"traceparent": parent})] = trace
    stage.wait_settled(4)
    assert one.counter("deliveries_deferred") > 0
    for event_id, trace in sent.items():
        assert traces_of(one, event_id) == {trace}
    assert {text.split("-")[1] for text in sent_traces(stage)} == set(sent.values())


def test_a_message_and_a_row_of_an_older_version_go_on_without(stage, notifyd, ctl):
    """Its message has no trace, and the row has: the row's counts. Neither has one: the id gives it."""
    hook = stage.webhook()
    stage.receiver.script("/hook", Answer(status=500), Answer(), Answer(status=400), Answer())
    one = notifyd({**DEBUG, "retry": {"base": 600.0}, "sweep": {"interval": 0.5}})
    trace, parent = new_trace()
    event_id = send(stage, {"traceparent": parent})
    stage.wait(lambda: stage.deliveries(event_id)[0]["state"] == "waiting")
    stage.database.execute("UPDATE notify.deliveries SET due_at = now()")
    old = {"x-notify-attempt": 2, "x-notify-integration": str(hook.id), "x-notify-queue": "notify"}
    body = {"scan_id": str(stage.scan.id), "event_type": "finding_new", "finding_id": str(stage.high)}
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    connection.channel().basic_publish("", "notify.due", json.dumps(body).encode(), pika.BasicProperties(
        content_type="application/json", message_id=event_id, headers=old, delivery_mode=2))
    connection.close()
    stage.wait_settled(1)
    assert [text.split("-")[1] for text in sent_traces(stage)] == [trace, trace]

    other, parent = new_trace()
    event_id = send(stage, {"traceparent": parent})
    dead_letters(stage.broker_url, 1)
    stage.database.execute("UPDATE notify.events SET trace = NULL WHERE id = %s", (event_id,))
    assert ctl("dead", "replay", event_id).code == 0
    stage.wait_settled(2)
    assert sent_traces(stage)[3] is None and traces_of(one, event_id) == {other, made_trace(event_id)}


def test_a_request_of_the_api_is_logged_with_its_clients_trace(api):
    trace, parent = new_trace()
    api.ask("GET", "/openapi.json", headers={"traceparent": parent})
    api.ask("GET", "/openapi.json", headers={"traceparent": parent.upper()})
    said = [line["trace"] for line in map(log_line, api.log_text().splitlines()) if line and line["event"] == "request" and line["route"] == "/openapi.json"]
    assert said == [trace, "-"]

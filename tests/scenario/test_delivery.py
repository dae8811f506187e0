"""An event reaches a signed webhook, whoever published it and however."""

from __future__ import annotations

import json

import pytest
from sandbox import producer, seed
from sandbox.signatures import verify_signatures

pytestmark = pytest.mark.usefixtures("counted")


def test_an_event_that_celery_publishes_arrives_signed(stage, notifyd):
    stage.webhook(secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    notifyd()
    app = producer.celery_app(stage.broker_url)
    sent = app.notify_event.delay(stage.scan.id, "finding_new", finding_id=stage.high)
    request = stage.receiver.wait_for(1, "/hook")[0]
    verify_signatures(request.header, request.body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = json.loads(request.body)
    assert (body["tool"], body["event"], body["id"]) == ("pencheff", "finding_new", sent.id)
    assert body["finding"]["id"] == stage.high
    row = stage.wait(lambda: stage.deliveries(sent.id))[0]
    assert (row["state"], row["attempt"], row["status"]) == ("delivered", 1, 200)
    assert stage.events(sent.id)[0]["state"] == "done"


def test_protocol_1_and_plain_json_arrive(stage, notifyd):
    stage.webhook()
    notifyd()
    first = stage.publish("scan_done", protocol=1)
    stage.plain({"scan_id": stage.scan.id, "event_type": "scan_started"}, "my-own-id")
    requests = stage.receiver.wait_for(2, "/hook")
    assert {json.loads(r.body)["id"] for r in requests} == {first, "my-own-id"}


def test_the_same_message_published_twice_is_delivered_once(stage, notifyd):
    stage.webhook()
    notifyd()
    events = [stage.event() for _ in range(50)]
    for e in events:
        producer.publish_event(stage.broker_url, e)
        producer.publish_event(stage.broker_url, e)
    stage.receiver.wait_for(50, "/hook")
    stage.wait(lambda: len(stage.deliveries()) == 50)
    import time

    time.sleep(4)  # twins that met go round the ladder for two seconds
    assert stage.receiver.count("/hook") == 50
    producer.publish_event(stage.broker_url, events[0])
    time.sleep(1)
    assert stage.receiver.count("/hook") == 50

"""A broker that deletes, refuses, returns and times out: nothing confirmed is lost, and nothing goes round and round."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import contextmanager
from typing import Any, Iterator

import pika
import pytest
from ctl import on_stage
from sandbox import bulk, producer, seed
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import HELD, dead_letters
from test_growth import anonymous_kib

pytestmark = pytest.mark.calm

FRAME_MAX = 131072  # RabbitMQ's default, which notifyd asks for
QUICK = {"retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0}, "sweep": {"grace": 1.0}, **HELD}


@contextmanager
def channel_to(url: str) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def publish_raw(url: str, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
    with channel_to(url) as channel:
        producer.declare(channel, queue)
        channel.confirm_delivery()
        channel.basic_publish("", queue, body, properties, mandatory=True)


# --- sizes

def frame_size(body: bytes, properties: pika.BasicProperties) -> int:
    """Bytes of the frame that holds PROPERTIES, with its envelope."""
    return len(pika.frame.Header(1, len(body), properties).marshal())


def with_headers_of(stage: Any, size: int) -> tuple[str, bytes, pika.BasicProperties]:
    """An event whose header frame has SIZE bytes."""
    event = stage.event("scan_done")
    body, properties = producer.celery_message(event)
    properties.headers["padding"] = ""
    properties.headers["padding"] = "p" * (size - frame_size(body, properties))
    assert frame_size(body, properties) == size
    return event.id, body, properties


@pytest.mark.parametrize("size", [FRAME_MAX - 1, FRAME_MAX, FRAME_MAX + 1, FRAME_MAX + 8])
def test_headers_that_fill_a_frame_stop_nobody(stage, notifyd, size):
    """RabbitMQ takes frames that are eight bytes larger than agreed, and passes them on."""
    stage.webhook(secret=None)
    event, body, properties = with_headers_of(stage, size)
    publish_raw(stage.broker_url, "notify", body, properties)
    behind = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(20)))
    one = notifyd({"workers": 1, "broker": {"prefetch": 4}})
    assert set(stage.wait_arrivals([event, *behind], 10).values()) == {1}
    stage.wait_settled(21)
    assert not one.events("broker_link_down")


def test_headers_too_many_or_too_long_are_named_and_not_overlooked(stage, notifyd):
    """What stands behind those that are kept could be the time before which nothing may be sent."""
    stage.webhook(secret=None)
    later = "2100-01-01T00:00:00+00:00"
    bad, good = {}, []
    for count in (256, 257, 20_000):
        event = stage.event("scan_done")
        body, properties = producer.celery_message(event)
        eta = properties.headers.pop("eta")
        fillers = count - len(properties.headers) - 1
        properties.headers.update({f"{number:x}": None for number in range(fillers)})
        properties.headers["eta"] = eta if count == 256 else later
        assert len(properties.headers) == count
        publish_raw(stage.broker_url, "notify", body, properties)
        if count == 256:
            good.append(event.id)
        else:
            bad[event.id] = f"the message has {count} headers"
    one = notifyd({"workers": 1, "broker": {"prefetch": 4}})
    good += bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(20)))
    assert stage.wait_arrivals(good, 10) == Counter(good)
    letters = dead_letters(stage.broker_url, len(bad))
    assert {properties.message_id: headers["x-notify-detail"].split(",")[0] for headers, properties, _ in letters} == bad
    assert {headers["x-notify-reason"] for headers, _, _ in letters} == {"too_large"}
    assert stage.receiver.count("/hook") == len(good) and not one.events("broker_link_down")


def test_headers_that_grow_beyond_a_frame_on_their_way_stop_nobody(stage, notifyd):
    """A queue whose messages expire into ours: RabbitMQ writes into their headers where they were."""
    stage.webhook(secret=None)
    with channel_to(stage.broker_url) as channel:
        producer.declare(channel)
        channel.queue_declare("before", durable=True, arguments={
            "x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "notify"})
        event, body, properties = with_headers_of(stage, FRAME_MAX)
        channel.basic_publish("", "before", body, properties)
        wait_until(lambda: channel.queue_declare("notify", passive=True).method.message_count == 1, 5, "it has expired")
    behind = bulk.publish_many(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(20)))
    one = notifyd({"workers": 1, "broker": {"prefetch": 4}})
    assert set(stage.wait_arrivals([event, *behind], 10).values()) == {1}
    stage.wait_settled(21)
    assert not one.events("broker_link_down")

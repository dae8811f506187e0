"""Events as producers send them: with a real Celery application, in both protocols, and as plain JSON.

`celery_app()` is what a Pencheff process has after the two settings lines that it changes: the broker's URL and task_routes.
`celery_message()` builds the same bytes without Celery, for bulk.py, which must be faster than Celery is; a test compares
the two.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pika
from celery import Celery
from celery.app.task import Task
from celery.utils.saferepr import saferepr

QUEUE = "notify"
MODULE = "pencheff_api.tasks.integration_notify_task"
NOTIFY_EVENT = f"{MODULE}.notify_event"
NOTIFY_SCAN_FINDINGS = f"{MODULE}.notify_scan_findings"
EVENT_TYPES = ("scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed")
ROUTES = {"*.integration_notify_task.*": {"queue": QUEUE}}

_ORIGIN = f"gen{os.getpid()}@{socket.gethostname()}"
_REPLY_TO = str(uuid.uuid4())


class Producer(NamedTuple):
    app: Celery
    notify_event: Task
    notify_scan_findings: Task


def celery_app(url: str, *, protocol: int = 2, queue: str = QUEUE, **settings: object) -> Producer:
    """`celery_app(url).notify_event.delay(scan_id, "scan_done")`. SETTINGS: further Celery settings."""
    app = Celery("pencheff", broker=url, set_as_current=False)
    app.conf.update(
        task_routes={"*.integration_notify_task.*": {"queue": queue}}, task_serializer="json", result_serializer="json",
        accept_content=["json"], task_acks_late=True, task_protocol=protocol, broker_pool_limit=1, **settings)

    def notify_event(scan_id, event_type, finding_id=None, change_summary=None, error=None):
        raise NotImplementedError("only sent from here")

    def notify_scan_findings(scan_id):
        raise NotImplementedError("only sent from here")

    return Producer(app, app.task(name=NOTIFY_EVENT)(notify_event), app.task(name=NOTIFY_SCAN_FINDINGS)(notify_scan_findings))


@dataclass
class Event:
    """One task call. `id` is Celery's task id and becomes the event's id."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    task: str = NOTIFY_EVENT
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def event(scan_id: str, event_type: str, **kwargs: Any) -> Event:
    return Event((str(scan_id), event_type), {name: str(value) for name, value in kwargs.items()})


def celery_message(e: Event) -> tuple[bytes, pika.BasicProperties]:
    """Body and properties of protocol 2, as python3-celery 5.2 publishes `e`."""
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    headers = {
        "lang": "py", "task": e.task, "id": e.id, "shadow": None, "eta": None, "expires": None, "group": None,
        "group_index": None, "retries": 0, "timelimit": [None, None], "root_id": e.id, "parent_id": None,
        "argsrepr": saferepr(e.args, 1024), "kwargsrepr": saferepr(e.kwargs, 1024), "origin": _ORIGIN, "ignore_result": False,
    }
    properties = pika.BasicProperties(
        content_type="application/json", content_encoding="utf-8", headers=headers, delivery_mode=2, priority=0,
        correlation_id=e.id, reply_to=_REPLY_TO)
    return json.dumps((e.args, e.kwargs, embed)).encode(), properties


def celery_message_v1(e: Event) -> tuple[bytes, pika.BasicProperties]:
    """Body and properties of protocol 1: no headers, everything in one JSON object."""
    body = {
        "task": e.task, "id": e.id, "args": list(e.args), "kwargs": e.kwargs, "group": None, "group_index": None, "retries": 0,
        "eta": None, "expires": None, "utc": True, "callbacks": None, "errbacks": None, "timelimit": [None, None],
        "taskset": None, "chord": None,
    }
    properties = pika.BasicProperties(content_type="application/json", content_encoding="utf-8", headers={}, delivery_mode=2,
                                      priority=0, correlation_id=e.id, reply_to=_REPLY_TO)
    return json.dumps(body).encode(), properties


def declare(channel: Any, queue: str = QUEUE) -> None:
    """What a Celery producer declares before its first publish: a direct exchange and a queue of one name, no arguments."""
    channel.exchange_declare(queue, "direct", durable=True)
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, queue, routing_key=queue)


def publish_raw(url: str, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
    """Any bytes; returns when the broker has confirmed them, and raises when no queue took them."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        declare(channel, queue)
        channel.confirm_delivery()
        channel.basic_publish("", queue, body, properties, mandatory=True)
    finally:
        connection.close()


def publish_event(url: str, e: Event, *, queue: str = QUEUE, protocol: int = 2) -> str:
    """One event in Celery's bytes without Celery; the id can so be chosen, or be used twice."""
    body, properties = celery_message(e) if protocol == 2 else celery_message_v1(e)
    publish_raw(url, queue, body, properties)
    return e.id


def publish_plain(url: str, queue: str, obj: object, message_id: str | None = None,
                  headers: dict[str, Any] | None = None, **properties: Any) -> None:
    """A plain JSON message: `{"scan_id": …, "event_type": …}`. PROPERTIES: further AMQP properties."""
    values = {"content_type": "application/json", "delivery_mode": 2, "message_id": message_id, "headers": headers, **properties}
    publish_raw(url, queue, json.dumps(obj).encode(), pika.BasicProperties(**values))

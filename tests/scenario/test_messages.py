"""What may arrive on a producers' queue: everything that Python's Celery would take is taken, everything else is kept and named."""

from __future__ import annotations

import bz2
import datetime
import gzip
import hashlib
import json
import pickle
import struct
import time
import zlib
from typing import Any, Iterable, NamedTuple

import pika
import pytest
from stage import dead_letters
from sandbox import producer, seed
from sandbox.answers import Answer

LIMIT = 1 << 20  # limits.message_bytes
KEPT = 1 << 16  # bytes of an unreadable message that its dead letter holds
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


class Message(NamedTuple):
    body: bytes
    properties: pika.BasicProperties


def celery(args: Iterable[Any] = (), kwargs: Any = None, *, id: str | None = None, task: str = producer.NOTIFY_EVENT,
           body: bytes | None = None, headers: dict[str, Any] | None = None, drop: tuple[str, ...] = (),
           **properties: Any) -> Message:
    """A message of protocol 2. BODY replaces what the arguments make; DROP names headers to leave out."""
    e = producer.Event(tuple(args), kwargs or {}, task, id or seed.new_id())
    made, props = producer.celery_message(e)
    props.headers = {name: value for name, value in {**props.headers, **(headers or {})}.items() if name not in drop}
    for name, value in properties.items():
        setattr(props, name, value)
    return Message(made if body is None else body, props)


def plain(obj: Any, message_id: str | None, headers: dict[str, Any] | None = None, **properties: Any) -> Message:
    body = obj if isinstance(obj, bytes) else json.dumps(obj).encode()
    values = {"content_type": "application/json", "message_id": message_id, "headers": headers, **properties}
    return Message(body, pika.BasicProperties(**values))


def packed(message: Message, packing: Any = zlib.compress, name: str = "application/x-gzip") -> Message:
    message.properties.headers["compression"] = name
    return Message(packing(message.body), message.properties)


def publish(stage: Any, messages: Iterable[Message], queue: str = "notify") -> None:
    """All of them, confirmed, on one connection."""
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    channel = connection.channel()
    producer.declare(channel, queue)
    channel.confirm_delivery()
    for message in messages:
        channel.basic_publish("", queue, message.body, message.properties, mandatory=True)
    connection.close()


def held(stage: Any, queue: str) -> list[tuple[pika.BasicProperties, bytes]]:
    """Everything that is ready in QUEUE, taken off it."""
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    channel, found = connection.channel(), []
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            connection.close()
            return found
        found.append((properties, body))


def at(seconds: float, zone: datetime.timezone = datetime.timezone.utc) -> str:
    """A time from now as Celery writes it."""
    return (datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)).isoformat()


# --- what is refused

def unreadable(stage: Any) -> dict[str, tuple[str, Message]]:
    """By a name for people: the reason and the message."""
    scan, finding = stage.scan.id, stage.high
    good = (scan, "finding_new", finding)
    good_body = json.dumps([list(good), {}, EMBED]).encode()
    deep = b"[" * 100_000
    return {
        # bytes
        "broken JSON": ("bad_body", celery(body=b'[["' + scan.encode())),
        "invalid UTF-8": ("bad_body", celery(body=good_body.replace(b"finding_new", b"finding\xff\xfe"))),
        "a lone surrogate in UTF-8": ("bad_body", celery(body=good_body.replace(b"finding_new", b"\xed\xa0\x80"))),
        "an empty body": ("bad_body", celery(body=b"")),
        "nothing but null": ("bad_body", celery(body=b"null")),
        "trailing bytes": ("bad_body", celery(body=good_body + b"{}")),
        "single quotes": ("bad_body", celery(body=good_body.replace(b'"', b"'"))),
        "100,000 open brackets": ("bad_body", celery(body=deep)),
        "a task without a list": ("bad_body", celery(body=b'{"scan_id": "x"}')),
        "a list of one": ("bad_body", celery(body=b"[[]]")),
        "keyword arguments in a list": ("bad_body", celery(body=json.dumps([list(good), [], EMBED]).encode())),
        "a plain list": ("bad_body", plain([scan, "scan_done"], "plain-list")),
        "70,000 broken bytes": ("bad_body", celery(body=b"{" + b"\x00\xff" * 35_000)),
        # content type, encoding, compression
        "pickle": ("bad_content_type", celery(body=pickle.dumps([good, {}, EMBED]), content_encoding="binary",
                                              content_type="application/x-python-serialize")),
        "YAML": ("bad_content_type", celery(good, content_type="application/x-yaml")),
        "no content type": ("bad_content_type", celery(good, content_type=None)),
        "Latin 1": ("bad_content_type", celery(good, content_encoding="latin-1")),
        "bz2": ("bad_compression", packed(celery(good), bz2.compress, "application/x-bz2")),
        "zstd in name": ("bad_compression", celery(good, headers={"compression": "application/zstd"})),
        "compression by number": ("bad_compression", celery(good, headers={"compression": 1})),
        "a stream cut short": ("bad_compression", packed(celery(good), lambda body: zlib.compress(body)[:-6])),
        "a stream and more": ("bad_compression", packed(celery(good), lambda body: zlib.compress(body) + b"more")),
        "zlib in name only": ("bad_compression", celery(good, headers={"compression": "application/x-gzip"})),
        # size
        "2 MiB": ("too_large", celery(body=json.dumps([list(good), {"error": "x" * (2 << 20)}, EMBED]).encode())),
        "10 MB of noise": ("too_large", celery(body=b"\xff\x00" * 5_000_000)),
        "one byte more than allowed": ("too_large", celery(body=b" " * (LIMIT + 1))),
        "a bomb, 1 to 1000": ("too_large", packed(celery(body=b" " * 100_000_000))),
        "a bomb, 1 to 100": ("too_large", packed(celery(body=bytes(range(256)) * 40_000))),
        # the task and its arguments
        "another task": ("unknown_task", celery(good, task="proj.tasks.add")),
        "a task that ends like ours": ("unknown_task", celery(good, task="proj.my_notify_event")),
        "a task by number": ("unknown_task", celery(good, headers={"task": 7})),
        "a scan by number": ("bad_arguments", celery((4711, "scan_done"))),
        "a scan as None": ("bad_arguments", celery((None, "scan_done"))),
        "a finding as a list": ("bad_arguments", celery((scan, "finding_new", [finding]))),
        "a number as an error": ("bad_arguments", celery((scan, "scan_failed"), {"error": 5})),
        "a change as an object": ("bad_arguments", celery((scan, "finding_changed", finding, {"a": 1}))),
        "six arguments": ("bad_arguments", celery((*good, "changed", "error", "one more"))),
        "an unknown keyword": ("bad_arguments", celery(good, {"severity": "high"})),
        "an argument twice": ("bad_arguments", celery(good, {"scan_id": scan})),
        "one argument": ("bad_arguments", celery((scan,))),
        "no argument": ("bad_arguments", celery()),
        "plain without a scan": ("bad_arguments", plain({"event_type": "scan_done"}, "no-scan")),
        "an unknown event": ("unknown_event", celery((scan, "finding_fixed", finding))),
        "an event in capitals": ("unknown_event", celery((scan, "SCAN_DONE"))),
        "an event with a NUL": ("unknown_event", celery((scan, "scan_done\x00"))),
        "a new finding without finding": ("finding_missing", celery((scan, "finding_new"))),
        "a changed finding as None": ("finding_missing", celery((scan, "finding_changed", None, "verified"))),
        # ids
        "a scan that is no UUID": ("bad_id", celery(("4711", "scan_done"))),
        "a scan with a NUL": ("bad_id", celery((scan[:-1] + "\x00", "scan_done"))),
        "a finding that is no UUID": ("bad_id", celery((scan, "finding_new", finding.replace("-", "")))),
        "an id of 201 bytes": ("bad_id", celery(good, id="i" * 201)),
        "a message_id of 201 bytes": ("bad_id", plain({"scan_id": scan, "event_type": "scan_done"}, "ü" * 100 + "x")),
        "an id with a NUL": ("bad_id", celery(good, id="two\x00parts")),
        "an id by number": ("bad_id", celery(good, headers={"id": 4711})),
        "no id": ("no_message_id", celery(good, drop=("id",))),
        "an empty id": ("no_message_id", celery(good, headers={"id": ""})),
        "plain without message_id": ("no_message_id", plain({"scan_id": scan, "event_type": "scan_done"}, None)),
        "protocol 1 without id": ("no_message_id", plain({"task": "notify_event", "args": list(good), "kwargs": {}}, None)),
        # times
        "an eta that is no time": ("bad_time", celery(good, headers={"eta": "tomorrow"})),
        "an eta by number": ("bad_time", celery(good, headers={"eta": 1_900_000_000})),
        "an impossible expiry": ("bad_time", celery(good, headers={"expires": "2026-02-30T00:00:00+00:00"})),
    }


def unique(cases: dict[str, tuple[str, Message]]) -> dict[str, tuple[str, Message]]:
    """Each body one of its kind, so that a dead letter can be found by it: blanks at the end change no JSON."""
    seen: set[bytes] = set()
    made = {}
    for name, (reason, message) in cases.items():
        body = message.body
        while body in seen:
            body += b" "
        seen.add(body)
        made[name] = reason, Message(body, message.properties)
    return made


def check_dead_letter(reason: str, sent: Message, headers: dict[str, Any], properties: Any, body: bytes) -> str:
    """Empty when it is as it must be."""
    id_header = (sent.properties.headers or {}).get("id", sent.properties.message_id)
    readable = isinstance(id_header, str) and 0 < len(id_header.encode()) <= 200 and "\x00" not in id_header
    wanted = {
        "x-notify-reason": reason, "x-notify-size": len(sent.body), "x-notify-queue": "notify",
        "x-notify-sha256": hashlib.sha256(sent.body).hexdigest(),
    }
    wrong = {name: headers.get(name) for name, value in wanted.items() if headers.get(name) != value}
    if not headers.get("x-notify-detail"):
        wrong["x-notify-detail"] = headers.get("x-notify-detail")
    if abs(headers.get("x-notify-first-seen", 0) / 1000 - time.time()) > 120:
        wrong["x-notify-first-seen"] = headers.get("x-notify-first-seen")
    if body != sent.body[:KEPT]:
        wrong["body"] = body[:100]
    if properties.delivery_mode != 2:
        wrong["delivery_mode"] = properties.delivery_mode
    if properties.message_id != (id_header if readable else None):
        wrong["message_id"] = properties.message_id
    return str(wrong) if wrong else ""


def test_every_unreadable_message_is_kept_with_its_reason_and_its_bytes_and_harms_nobody(stage, notifyd):
    stage.webhook()
    daemon = notifyd()
    workers = daemon.workers()
    cases = unique(unreadable(stage))
    publish(stage, [message for _, message in cases.values()])
    by_hash = {hashlib.sha256(message.body).hexdigest(): name for name, (_, message) in cases.items()}
    assert len(by_hash) == len(cases)
    wrong, missing = {}, set(cases)
    for headers, properties, body in dead_letters(stage.broker_url, len(cases), timeout=30):
        name = by_hash[headers["x-notify-sha256"]]
        missing.discard(name)
        problem = check_dead_letter(cases[name][0], cases[name][1], headers, properties, body)
        if problem:
            wrong[name] = problem
    assert (wrong, missing) == ({}, set())
    after = stage.publish()
    stage.wait(lambda: stage.deliveries(after))
    assert daemon.workers() == workers, "a worker was lost"
    assert [e["id"] for e in stage.events()] == [after] and stage.receiver.count() == 1
    assert held(stage, "notify.dead") == [] and held(stage, "notify") == []


# --- what is taken

class Raw(bytes):
    """A header's value as its bytes on the wire: the type's letter, then the value."""


@pytest.fixture
def every_amqp_type(monkeypatch) -> dict[str, Raw]:
    """A header of each type that RabbitMQ knows; pika itself writes only some."""
    original = pika.data.encode_value

    def encode(pieces: list[bytes], value: Any) -> int:
        if not isinstance(value, Raw):
            return original(pieces, value)
        pieces.append(bytes(value))
        return len(value)

    monkeypatch.setattr(pika.data, "encode_value", encode)
    text = b"S\x00\x00\x00\x01x"
    table = b"\x01k" + text
    nested = table
    for _ in range(200):
        nested = b"\x01k" + b"F" + struct.pack(">I", len(nested)) + nested
    values = {
        "bool": b"t\x01", "i8": b"b\xff", "u8": b"B\xff", "i16": b"s\xff\xff", "u16": b"u\xff\xff", "i32": b"I" + b"\xff" * 4,
        "u32": b"i" + b"\xff" * 4, "i64": b"l" + b"\xff" * 8, "i64-too": b"L" + b"\xff" * 8, "float": b"f" + struct.pack(">f", 1.5),
        "double": b"d" + struct.pack(">d", 1.5), "decimal": b"D\x02" + struct.pack(">I", 150),
        "text": b"S" + struct.pack(">I", 5) + b"a\x00\xff\nz", "bytes": b"x" + struct.pack(">I", 3) + b"\x00\xff\x00",
        "array": b"A" + struct.pack(">I", len(text) * 2) + text * 2, "time": b"T" + struct.pack(">Q", 2**63),
        "table": b"F" + struct.pack(">I", len(table)) + table, "nested": b"F" + struct.pack(">I", len(nested)) + nested,
        "void": b"V",
    }
    return {f"x-type-{name}": Raw(value) for name, value in values.items()}


def accepted(stage: Any, every_type: dict[str, Raw]) -> dict[str, Message]:
    scan, finding = stage.scan.id, stage.high
    good = (scan, "finding_new", finding)
    v1 = {"task": "notify_event", "id": "v1-bare", "args": list(good)}
    wrapped = {"__type__": "uuid", "__value__": {"hex": scan.replace("-", "")}}
    return {
        "all five by position": celery((scan, "finding_changed", finding, "recheck queued", None)),
        "all five by keyword": celery((), {"scan_id": scan, "event_type": "finding_changed", "finding_id": finding,
                                           "change_summary": "unsuppressed", "error": None}),
        "one by position": celery((scan,), {"event_type": "finding_new", "finding_id": finding}),
        "three by position and the last": celery(good, {"error": "e"}),
        "None for what is left out": celery((scan, "scan_done", None, None), {"error": None}),
        "a finding with a scan's event": celery((scan, "scan_done", finding)),
        "the task under another module": celery(good, task="elsewhere.notify_event"),
        "the task's bare name": celery(good, task="notify_event"),
        "no embed": celery(body=json.dumps([list(good), {}]).encode()),
        "embed null": celery(body=json.dumps([list(good), {}, None]).encode()),
        "a UUID as kombu 5.3 writes it": celery((wrapped, "finding_new", finding)),
        "a UUID in capitals": celery((scan.upper(), "finding_new", finding.upper())),
        "escapes": celery(body=json.dumps([[scan, "finding_changed"], {"finding_id": finding, "change_summary": "a → b 😀"},
                                           EMBED]).encode()),
        "no escapes": celery(body=json.dumps([[scan, "finding_changed"], {"finding_id": finding, "change_summary": "a → b 😀"},
                                              EMBED], ensure_ascii=False).encode()),
        "zlib": packed(celery(good)),
        "a gzip member": packed(celery(good), gzip.compress),
        "zlib by its alias": packed(celery(good), zlib.compress, "zlib"),
        "zlib in binary": packed(celery(good, content_encoding="binary")),
        "compression null": celery(good, headers={"compression": None}),
        "ASCII": celery(good, content_encoding="us-ascii"),
        "a content type with a parameter": celery(good, content_type="Application/JSON; charset=utf-8"),
        "no encoding": celery(good, content_encoding=None),
        "an id of 200 bytes": celery(good, id="ü" * 100),
        "an id of signs": celery(good, id="""'"\\;-- <&> %s {} \u202e"""),
        "headers of every type": celery(good, headers=every_type),
        "900 KB of blanks": celery(body=json.dumps([list(good), {}, EMBED]).encode() + b" " * 900_000),
        "only task and id": celery(good, headers={}, drop=("lang", "shadow", "eta", "expires", "group", "group_index", "retries",
                                                           "timelimit", "root_id", "parent_id", "argsrepr", "kwargsrepr",
                                                           "origin", "ignore_result")),
        "a retry of Celery's": celery(good, headers={"retries": 3, "eta": at(-5)}),
        "protocol 1 without kwargs": plain(v1, None),
        "plain with more members": plain({"scan_id": scan, "event_type": "scan_done", "extra": [1, {}]}, "plain-more"),
        "plain with nulls": plain({"scan_id": scan, "event_type": "scan_failed", "finding_id": None, "error": "boom"}, "plain-null"),
    }


def event_id(message: Message) -> str:
    if message.properties.headers and "id" in message.properties.headers:
        return message.properties.headers["id"]
    return message.properties.message_id or json.loads(message.body)["id"]


def test_every_call_that_python_would_accept_is_delivered(stage, notifyd, every_amqp_type):
    stage.webhook()
    notifyd()
    cases = accepted(stage, every_amqp_type)
    publish(stage, cases.values())
    app = producer.celery_app(stage.broker_url)
    args, kwargs = (stage.scan.id, "finding_new"), {"finding_id": stage.high}
    for compression in ("gzip", "zlib"):
        cases[f"Celery's own {compression}"] = celery(id=app.notify_event.apply_async(args, kwargs, compression=compression).id)
    app.app.close()
    ids = {event_id(message): name for name, message in cases.items()}
    assert len(ids) == len(cases)
    stage.wait(lambda: len(stage.deliveries()) == len(cases) or held(stage, "notify.dead"), 20)
    assert {name for id, name in ids.items() if not stage.deliveries(id)} == set()
    assert {row["state"] for row in stage.deliveries()} == {"delivered"}
    bodies = {body["id"]: body for body in (json.loads(r.body) for r in stage.receiver.requests())}
    assert bodies.keys() == ids.keys()
    got = {name: bodies[id] for id, name in ids.items()}
    assert got["escapes"]["change_summary"] == got["no escapes"]["change_summary"] == "a → b 😀"
    assert got["a finding with a scan's event"]["finding"] is None
    assert got["plain with nulls"]["error"] == "boom"
    assert {body["finding"]["id"] for body in bodies.values() if body["event"].startswith("finding_")} == {stage.high}


def test_what_a_producer_writes_into_our_own_headers_is_ignored(stage, notifyd):
    hooks = [stage.webhook(f"/{n}") for n in (1, 2)]
    notifyd()
    forged = {"x-notify-attempt": 7, "x-notify-integration": hooks[0].id, "x-notify-first-seen": 1, "x-notify-queue": "elsewhere",
              "x-notify-eta": int(time.time() * 1000) + 3_600_000, "x-notify-expires": 1, "x-notify-reason": "gone"}
    good = celery((stage.scan.id, "scan_done"), headers=forged)
    nonsense = plain({"scan_id": stage.scan.id, "event_type": "scan_done"}, "plain", {name: "x" for name in forged})
    broken = celery((stage.scan.id, "scan_over"), headers=forged)
    publish(stage, [good, nonsense, broken])
    stage.wait(lambda: len(stage.deliveries()) == 4)
    assert {(row["state"], row["attempt"]) for row in stage.deliveries()} == {("delivered", 1)}
    assert {row["queue"] for row in stage.events()} == {"notify"}
    body = json.loads(stage.receiver.requests("/1")[0].body)
    assert abs(datetime.datetime.fromisoformat(body["timestamp"].replace("Z", "+00:00")).timestamp() - time.time()) < 60
    headers, _, _ = dead_letters(stage.broker_url, 1)[0]
    assert (headers["x-notify-reason"], headers["x-notify-queue"]) == ("unknown_event", "notify")
    assert headers["x-notify-attempt"] == 0 and "x-notify-integration" not in headers


def test_nothing_of_the_original_is_carried_into_what_we_publish(stage, rabbit, vhost, notifyd):
    stage.webhook("/down")
    stage.receiver.script("/down", Answer(503))
    notifyd({"retry": {"base": 200, "jitter": 0}})
    user = pika.URLParameters(stage.broker_url).credentials.username
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    connection.channel().queue_declare("copies", durable=True)
    connection.close()
    death = [{"queue": "notify.delay.3", "reason": "expired", "exchange": "notify.delay.3", "count": 1, "routing-keys": ["x"],
              "time": datetime.datetime(2026, 1, 1)}, {"queue": "notify", "reason": "expired", "exchange": "", "count": 9,
                                                       "routing-keys": ["notify"], "time": datetime.datetime(2026, 1, 1)}]
    baggage = {"headers": {"CC": ["copies"], "x-death": death, "x-first-death-queue": "notify", "secret-header": "s"},
               "user_id": user, "expiration": "60000", "priority": 9, "app_id": "theirs", "type": "theirs",
               "reply_to": "copies", "correlation_id": "theirs", "timestamp": 1}
    waits = celery((stage.scan.id, "scan_done"), id="waits", **baggage)
    dies = celery((stage.scan.id, "scan_over"), id="dies", **baggage)
    waits.properties.headers.update(task=producer.NOTIFY_EVENT, id="waits")
    dies.properties.headers.update(task=producer.NOTIFY_EVENT, id="dies")
    publish(stage, [waits, dies])
    dead_headers, dead, _ = dead_letters(stage.broker_url, 1)[0]
    stage.wait(lambda: rabbit.depth("notify.delay.7", vhost) == 1)  # 200 s are 208: 128 + 64 + 16
    (ladder, body), = held(stage, "notify.delay.7")
    assert json.loads(body) == {"scan_id": stage.scan.id, "event_type": "scan_done"}
    for properties, id in ((ladder, "waits"), (dead, "dies")):
        values = {name: value for name, value in vars(properties).items() if value is not None}
        headers = values.pop("headers")
        assert {name for name in headers if not name.startswith("x-notify-")} == (set() if id == "waits" else {"traceparent"})
        assert values.pop("message_id") == id and values.pop("delivery_mode") == 2
        assert values.pop("content_type") in ("application/json", "application/octet-stream")
        assert values.pop("correlation_id").isdigit(), "our own"
        assert values == {}
    assert dead_headers["traceparent"].split("-")[1] == hashlib.sha256(b"dies").hexdigest()[:32], "our own"
    assert ladder.headers["x-notify-attempt"] == 2 and dead_headers["x-notify-reason"] == "unknown_event"
    assert len(held(stage, "copies")) == 2, "the producers' own copies and none of ours"


def test_a_message_that_the_broker_delivers_again_is_taken_like_any_other(stage, notifyd):
    stage.webhook()
    messages = [celery((stage.scan.id, "scan_done")) for _ in range(5)]
    publish(stage, messages)
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    channel = connection.channel()
    tags = [channel.basic_get("notify")[0].delivery_tag for _ in messages]
    channel.basic_nack(tags[-1], multiple=True, requeue=True)
    assert channel.basic_get("notify")[0].redelivered
    connection.close()
    notifyd()
    stage.receiver.wait_for(5)
    stage.wait(lambda: len(stage.deliveries()) == 5)
    assert {row["event_id"] for row in stage.deliveries()} == {event_id(m) for m in messages}
    assert held(stage, "notify") == [] and stage.receiver.count() == 5


# --- times

def test_expiry_and_eta_are_obeyed(stage, notifyd):
    stage.webhook()
    notifyd()
    berlin = datetime.timezone(datetime.timedelta(hours=1))
    naive = (datetime.datetime.utcnow() + datetime.timedelta(seconds=3)).isoformat()
    args, kwargs = (stage.scan.id, "finding_new"), {"finding_id": stage.high}
    begun = time.time()
    publish(stage, [
        celery(args, kwargs, id="expired", headers={"expires": at(-1)}),
        celery(args, kwargs, id="expired-elsewhere", headers={"expires": at(-1, berlin)}),
        celery((seed.new_id(), "scan_done"), id="expired-and-unknown", headers={"expires": at(-1)}),
        celery(args, kwargs, id="not-expired", headers={"expires": at(60)}),
        celery(args, kwargs, id="past-eta", headers={"eta": at(-60)}),
        celery(args, kwargs, id="eta", headers={"eta": at(3)}),
        celery(args, kwargs, id="eta-elsewhere", headers={"eta": at(3, berlin)}),
        celery(args, kwargs, id="eta-naive", headers={"eta": naive}),
        celery(args, kwargs, id="eta-and-expires", headers={"eta": at(3), "expires": at(60)}),
        celery(args, kwargs, id="expires-before-eta", headers={"eta": at(3), "expires": at(1)}),
    ])
    app = producer.celery_app(stage.broker_url)
    countdown = app.notify_event.apply_async(args, kwargs, countdown=3, expires=60).id
    app.app.close()
    waiting = {"eta", "eta-elsewhere", "eta-naive", "eta-and-expires", "expires-before-eta", countdown}
    expired = {"expired", "expired-elsewhere", "expired-and-unknown"}
    at_once = {"not-expired", "past-eta"}
    states = lambda: {e["id"]: e["state"] for e in stage.events()}
    stage.wait(lambda: len(states()) == 11)
    assert states() == {**dict.fromkeys(waiting, "scheduled"), **dict.fromkeys(expired, "expired"), **dict.fromkeys(at_once, "done")}
    assert {row["event_id"] for row in stage.deliveries()} == at_once
    due = waiting - {"expires-before-eta"}
    stage.wait(lambda: "scheduled" not in states().values(), 15)
    assert states() == {**dict.fromkeys(due, "done"), **dict.fromkeys(expired | {"expires-before-eta"}, "expired"),
                        **dict.fromkeys(at_once, "done")}
    stage.receiver.wait_for(len(at_once | due))
    arrived = {json.loads(r.body)["id"]: r.wall - begun for r in stage.receiver.requests()}
    assert arrived.keys() == at_once | due
    assert {id: when for id, when in arrived.items() if not 2 <= when <= 6 and id in due} == {}
    assert held(stage, "notify.dead") == []


@pytest.mark.alone
def test_no_event_is_delivered_before_its_eta_and_none_much_later(stage, notifyd):
    """The ladder counts whole seconds and, above 15, in steps: the last trip is the one that rounds up."""
    stage.webhook()
    notifyd()
    etas = {f"{seconds}": time.time() + seconds for seconds in (0.3, 0.9, 1.6, 4.4, 8.95, 16.5, 17.0)}
    utc = datetime.timezone.utc
    publish(stage, [celery((stage.scan.id, "scan_done"), id=id, headers={"eta": datetime.datetime.fromtimestamp(eta, utc).isoformat()})
                    for id, eta in etas.items()])
    late = {}
    for request in stage.receiver.wait_for(len(etas), timeout=25):
        id = json.loads(request.body)["id"]
        late[id] = round(request.wall - etas[id], 3)
    assert late.keys() == etas.keys() and all(0 <= seconds <= 1.5 for seconds in late.values()), late


def test_the_way_to_an_eta_far_away_does_not_lead_past_it(stage, rabbit, vhost, notifyd):
    """A retry's pause is rounded up to four significant bits: an hour would be 64 minutes."""
    stage.webhook()
    notifyd()
    publish(stage, [celery((stage.scan.id, "scan_done"), headers={"eta": at(3600)})])
    stage.wait(lambda: rabbit.depth("notify.delay.11", vhost))
    connection = pika.BlockingConnection(pika.URLParameters(stage.broker_url))
    method, properties, _ = connection.channel().basic_get("notify.delay.11", auto_ack=True)
    connection.close()
    assert int(method.routing_key.replace(".", ""), 2) == 3584
    assert 3590_000 <= properties.headers["x-notify-eta"] - time.time() * 1000 <= 3600_000


# --- rows that come late or never, or belong elsewhere

def test_a_scan_that_is_committed_two_seconds_after_its_event_is_delivered(stage, notifyd):
    stage.webhook()
    notifyd({"retry": {"not_found": [1, 2, 3]}})
    late = stage.database.connect()
    late.autocommit = False
    scan = seed.add_scan(late, stage.target)
    finding = seed.add_finding(late, scan, "high")
    ids = [stage.publish("scan_done", scan_id=scan.id),
           producer.publish_event(stage.broker_url, producer.event(scan.id, "finding_new", finding_id=finding.id))]
    publish(stage, [celery((scan.id, "scan_done"), id="with-expiry", headers={"expires": at(60)})])
    time.sleep(2)
    assert {row["state"] for row in stage.events()} == {"open"} and stage.receiver.count() == 0
    late.commit()
    late.close()
    stage.receiver.wait_for(3, timeout=6)
    stage.wait(lambda: {row["event_id"]: (row["state"], row["attempt"]) for row in stage.deliveries()} == dict.fromkeys(
        [*ids, "with-expiry"], ("delivered", 1)))
    assert {row["queue"] for row in stage.events()} == {"notify"}


def test_a_scan_that_never_comes_and_a_finding_of_another_scan_end_dead(stage, notifyd):
    stage.webhook()
    other = seed.add_scan(stage.connection, stage.target)
    notifyd({"retry": {"not_found": [1, 2]}})
    begun = time.monotonic()
    producer.publish_event(stage.broker_url, producer.event(other.id, "finding_new", finding_id=stage.high))
    headers, properties, body = dead_letters(stage.broker_url, 1)[0]
    assert (headers["x-notify-reason"], headers["x-notify-queue"]) == ("finding_of_other_scan", "notify")
    assert json.loads(body) == {"scan_id": other.id, "event_type": "finding_new", "finding_id": stage.high}
    scan, finding = seed.new_id(), seed.new_id()
    publish(stage, [celery((scan, "scan_done"), {"error": "é"}, id="no-scan"),
                    celery((stage.scan.id, "finding_new", finding), id="no-finding")])
    letters = {p.message_id: (h, json.loads(b)) for h, p, b in dead_letters(stage.broker_url, 2, timeout=15)}
    assert time.monotonic() - begun >= 3
    assert {id: h["x-notify-reason"] for id, (h, _) in letters.items()} == {"no-scan": "not_found", "no-finding": "not_found"}
    assert letters["no-scan"][1] == {"scan_id": scan, "event_type": "scan_done", "error": "é"}
    assert {h["x-notify-attempt"] for h, _ in letters.values()} == {0}, "no attempt was made"
    rows = {e["id"]: (e["state"], e["reason"]) for e in stage.events()}
    assert rows == {"no-scan": ("dead", "not_found"), "no-finding": ("dead", "not_found"),
                    properties.message_id: ("dead", "finding_of_other_scan")}
    assert stage.receiver.count() == 0 and stage.deliveries() == []


def test_an_id_used_again_for_something_else_is_named_and_the_first_stays_unharmed(stage, notifyd):
    stage.webhook("/slow")
    stage.receiver.script("/slow", Answer(delay=1), Answer())
    notifyd()
    first = celery((stage.scan.id, "finding_changed", stage.high, "suppressed"), id="used-twice")
    publish(stage, [first])
    stage.receiver.wait_for(1)
    changed = [celery((stage.scan.id, "finding_changed", stage.high, other), id="used-twice") for other in ("unsuppressed", None)]
    publish(stage, changed[:1])  # while the first is in hand
    stage.wait(lambda: stage.deliveries("used-twice"))
    publish(stage, changed[1:])  # when it is over
    letters = dead_letters(stage.broker_url, 2, timeout=15)
    assert {h["x-notify-reason"] for h, _, _ in letters} == {"id_reused"}
    assert {json.loads(b).get("change_summary") for _, _, b in letters} == {"unsuppressed", None}
    publish(stage, [first])
    time.sleep(0.5)
    assert [(row["state"], row["attempt"]) for row in stage.deliveries()] == [("delivered", 1)]
    assert [e["state"] for e in stage.events()] == ["done"] and stage.receiver.count() == 1


# --- hostile texts

def test_hostile_texts_arrive_as_text(stage, notifyd):
    stage.webhook()
    notifyd()
    texts = {
        "nul": ("a\x00b", "a\ufffdb"), "bidi": ("\u202egnp.exe\u2066\u200f", "\u202egnp.exe\u2066\u200f"),
        "quotes": ("""'"\\</script>\r\n\t\x1b[31m\x7f""", """'"\\</script>\r\n\t\x1b[31m\x7f"""),
        "emoji": ("👩‍💻 →", "👩‍💻 →"), "empty": ("", ""),
        "braces": ("{}{0}%s%n${jndi:ldap://x}", "{}{0}%s%n${jndi:ldap://x}"),
    }
    messages = [celery((stage.scan.id, "finding_changed", stage.high, sent, sent), id=name) for name, (sent, _) in texts.items()]
    surrogates = {"lone-high": rb"a\ud800b", "lone-low": rb"a\udc00b", "at-the-end": rb"a\ud83d", "reversed": rb"\udc00\ud800"}
    body = b'[["%s","finding_changed","%s"],{"change_summary":"%s"},null]'
    for name, escapes in surrogates.items():
        messages.append(celery(id=name, body=body % (stage.scan.id.encode(), stage.high.encode(), escapes)))
    messages.append(celery((stage.scan.id, "finding_changed", stage.high, "é" * 10_000), id="long"))
    publish(stage, messages)
    stage.receiver.wait_for(len(messages))
    stage.wait(lambda: len(stage.deliveries()) == len(messages))
    got = {b["id"]: b for b in (json.loads(r.body) for r in stage.receiver.requests())}
    assert {name: (got[name]["change_summary"], got[name]["error"]) for name in texts} == {
        name: (wanted, wanted) for name, (_, wanted) in texts.items()}
    stored = dict(stage.database.query("SELECT id, change_summary FROM notify.events"))
    assert stored == {id: b["change_summary"] for id, b in got.items()}
    assert "\ufffd" in got["lone-high"]["change_summary"] and "\ufffd" in got["lone-low"]["change_summary"]
    assert got["long"]["change_summary"].endswith("éé…") and len(got["long"]["change_summary"].encode()) <= 4096

"""The benchmark's own tools: what publish.c puts into a queue is Celery's, and receiver.c behaves and counts as told."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

import pika
import pytest
from bench.figures import Bound, judged, medians
from bench.load import Publisher, Stencil, make_stencil, mark, words
from bench.meter import Snapshot, busy_workers, cpu_between, memory
from bench.receivers import Receiver
from sandbox import producer, seed
from sandbox.processes import Child

# --- publish.c


@pytest.fixture
def stencil(broker_url: str, tmp_path: Path) -> Stencil:
    return make_stencil(broker_url, tmp_path)


def publish(build: Path, folder: Path, stencil: Stencil, url: str, lines: list[str], count: int, **options: Any) -> dict:
    events = folder / "events"
    events.write_text("".join(f"{line}\n" for line in lines))
    return Publisher(build / "tests" / "bench" / "bench_publish", folder, stencil, url, events, count, **options).finish(30)


def fetch(url: str) -> list[tuple[pika.BasicProperties, bytes]]:
    connection, found = pika.BlockingConnection(pika.URLParameters(url)), []
    channel = connection.channel()
    while True:
        method, properties, body = channel.basic_get(producer.QUEUE, auto_ack=True)
        if method is None:
            connection.close()
            return found
        found.append((properties, body))


def shown(properties: pika.BasicProperties) -> dict:
    """All but what differs from one producer's process to the other."""
    headers = {name: value for name, value in properties.headers.items() if name != "origin"}
    return {**{name: value for name, value in vars(properties).items() if name != "reply_to"}, "headers": headers}


def test_what_the_publisher_publishes_is_byte_for_byte_what_celery_would(build, broker_url, stencil, tmp_path):
    scan, finding = seed.new_id(), seed.new_id()
    before = time.monotonic_ns()
    said = publish(build, tmp_path, stencil, broker_url, [f"{scan} {finding}"], 3)
    after = time.monotonic_ns()
    found = fetch(broker_url)
    assert said["published"] == len(found) == len({properties.correlation_id for properties, _ in found}) == 3
    for properties, body in found:
        summary = json.loads(body)[1]["change_summary"]
        assert summary.startswith(mark()) and before < int(summary.removeprefix(mark())) < after
        event = producer.Event((scan, "finding_changed"), {"finding_id": finding, "change_summary": summary},
                               id=properties.correlation_id)
        expected, expected_properties = producer.celery_message(event)[0], producer.celery_message(event)[1]
        assert body == expected and shown(properties) == shown(expected_properties)
        assert not any(word.encode() in body for word in words().values())


def test_events_are_published_as_often_as_they_weigh(build, broker_url, stencil, tmp_path):
    light, heavy = seed.new_id(), seed.new_id()
    publish(build, tmp_path, stencil, broker_url, [f"{light} {seed.new_id()} 1", f"{heavy} {seed.new_id()} 3"], 40)
    assert Counter(json.loads(body)[0][0] for _, body in fetch(broker_url)) == {light: 10, heavy: 30}


def test_a_rate_is_kept_from_the_first_message_to_the_last(build, broker_url, stencil, tmp_path):
    said = publish(build, tmp_path, stencil, broker_url, [f"{seed.new_id()} {seed.new_id()}"], 101, rate=100.0)
    times = [int(json.loads(body)[1]["change_summary"].removeprefix(mark())) for _, body in fetch(broker_url)]
    assert times == sorted(times) and times[-1] - times[0] >= 0.99e9 and said["seconds"] >= 0.99
    for number, at in enumerate(times):  # none earlier than its moment, however late the one before was
        assert at - times[0] > number * 10_000_000 - said["late_ms"]["max"] * 1_000_000 - 1_000_000


def test_a_message_without_a_place_for_the_scan_is_refused(build, broker_url, stencil, tmp_path):
    stencil.body.write_bytes(stencil.body.read_bytes().replace(words()["scan"].encode(), seed.new_id().encode()))
    with pytest.raises(RuntimeError, match="has no place in the body"):
        publish(build, tmp_path, stencil, broker_url, [f"{seed.new_id()} {seed.new_id()}"], 1)
    assert fetch(broker_url) == []


# --- receiver.c

@pytest.fixture
def counting(build: Path, tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(build / "tests" / "bench" / "bench_receiver", tmp_path / "receiver")
    yield made
    made.close()


def connect(receiver: Receiver, timeout: float = 10) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(receiver.url("")[len("http://"):], timeout=timeout)


def post(link: http.client.HTTPConnection, path: str, webhook_id: str | None = None, age_ms: float | None = None,
         event: str = "e") -> tuple[int, int]:
    """Status and size of the answer to an event published AGE_MS ago."""
    sent = "" if age_ms is None else f"{mark()}{time.monotonic_ns() - int(age_ms * 1e6):020d}"
    link.request("POST", path, json.dumps({"id": event, "change_summary": sent}, separators=(",", ":")),
                 {"webhook-id": webhook_id} if webhook_id else {})
    answer = link.getresponse()
    return answer.status, len(answer.read())


def test_the_receiver_counts_requests_by_path_and_second_and_repeats_by_id(counting):
    link = connect(counting)
    for webhook_id in ("a", "b", "a", "c", "a"):
        assert post(link, "/one", webhook_id) == (200, 0)
    assert post(link, "/two", event="d") == post(link, "/two", event="d") == (200, 0)  # no webhook-id: by the event's id
    figures = counting.figures()
    one, two = counting.path("/one", figures), counting.path("/two", figures)
    assert (one["requests"], one["delivered"], sum(one["per_second"]), two["requests"]) == (5, 5, 5, 2)
    assert figures["ids"] == {"distinct": 4, "repeated": 2, "most": 3, "without": 0, "lost": 0}
    assert one["latency_ms"]["samples"] == 0, "no event said when it was published"
    assert counting.reset()["ids"] == figures["ids"]
    assert counting.figures()["paths"] == {} and counting.path("/one")["requests"] == 0
    assert post(link, "/one", "a") == (200, 0) and counting.figures()["ids"]["repeated"] == 0


def test_the_receiver_knows_how_long_events_took_within_two_percent(counting):
    link = connect(counting)
    for age in (*([20.0] * 49), *([200.0] * 41), *([2000.0] * 8), 20_000.0, 20_000.0):
        post(link, "/late", "x", age)
    times = counting.path("/late")["latency_ms"]
    assert times["samples"] == 100
    # What comes on top is the time that a request takes.
    for name, expected in (("p50", 200), ("p90", 2000), ("p99", 20_000), ("max", 20_000)):
        assert expected * 0.98 < times[name] < expected * 1.02 + 50, (name, times)


def test_the_receiver_answers_as_it_is_told(counting):
    for path, how, ms in (("/fail", "fail", 0), ("/large", "large", 0), ("/after", "after", 300), ("/never", "never", 0)):
        counting.answer(path, how, ms)
    link = connect(counting)
    assert post(link, "/fail") == (503, 0) and post(link, "/large") == (200, 65536)
    begun = time.monotonic()
    assert post(link, "/after") == (200, 0) and 0.29 < time.monotonic() - begun
    with pytest.raises(TimeoutError):
        post(connect(counting, timeout=0.3), "/never")
    counting.answer("/fail", "ok")
    assert post(link, "/fail") == (200, 0)
    figures = counting.figures()
    fail, never = counting.path("/fail", figures), counting.path("/never", figures)
    assert (fail["requests"], fail["refused"], fail["delivered"]) == (2, 1, 1)
    assert (never["requests"], never["silent"], never["delivered"]) == (1, 1, 0)
    with pytest.raises(RuntimeError, match="refuses"):
        counting.answer("/fail", "perhaps")


def test_the_receiver_refuses_what_it_cannot_read_and_goes_on(counting):
    link = connect(counting)
    link.putrequest("POST", "/hook")
    link.putheader("Transfer-Encoding", "chunked")
    link.endheaders()  # it answers and closes now: the pieces would go nowhere
    assert link.getresponse().status == 400
    assert post(connect(counting), "/hook") == (200, 0) and counting.path("/hook")["requests"] == 1


# --- meter.py and figures.py

def test_the_time_of_a_process_tree_and_its_workers_are_found(tmp_path):
    # A shell that waits, a child that works, and a grandchild that has worked and is gone.
    work = "i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done"
    child = Child(["/bin/sh", "-c", f"sh -c '{work}'; sh -c '{work}; touch done; while :; do {work}; done'; :"],
                  log=tmp_path / "log", cwd=tmp_path)
    try:
        before = Snapshot()
        while not (tmp_path / "done").exists():
            assert child.exit_code() is None
            time.sleep(0.01)
        after = Snapshot()
        used = cpu_between(before, after, {"tree": [child.pid], "nobody": []})
        [worker] = busy_workers(before, after, [child.pid])
        now = memory(worker)
        assert used["nobody"] == 0 and worker != child.pid and worker in after.tree([child.pid])
        alone = after.entries[worker].own_us - (before.entries[worker].own_us if worker in before.entries else 0)
        assert 0 < alone < used["tree"], "the one that is gone has used some, too"
        assert now and 0 < now.anon_mb < now.rss_mb < 20
    finally:
        child.kill()
    assert memory(worker) is None


def test_medians_and_bounds() -> None:
    runs = [{"a": 3, "of": {"b": 1.0}}, {"a": 1, "of": {"b": 9.0}}, {"a": 2, "of": {"b": 2.0}}]
    assert medians(runs) == {"a": 2, "of": {"b": 2.0}}
    good = judged({"ratio": 1.3, "rate": 0.9}, Bound("ratio", most=1.3), Bound("rate", least=0.9))
    assert good["within"] and good["bounds"]["ratio"] == {"bound": {"at_most": 1.3}, "within": True}
    bad = judged({"ratio": 1.31, "rate": None}, Bound("ratio", most=1.3), Bound("rate", least=0.9))
    assert not bad["within"] and [verdict["within"] for verdict in bad["bounds"].values()] == [False, False]

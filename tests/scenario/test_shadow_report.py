"""`notifyctl shadow`: what would have been sent, and whether a native Celery worker, which reads the queue forward, sent the same."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from sandbox import producer
from test_pages import Desk, blocks
from test_shadow import FORWARD, SHADOW, Queue, celery_queue, rows  # noqa: F401 (a fixture)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "shadow.md"
CELERY = Path(__file__).resolve().parents[1] / "bench" / "celery" / "run"

pytestmark = pytest.mark.unbalanced


@pytest.fixture
def python_worker(stage: Any, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a Celery worker that reads the queue `celery` and delivers to webhooks, as the incumbent does."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        log = open(tmp_path / "celery.log", "a")
        one = subprocess.Popen(
            [sys.executable, CELERY], stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path,
            env={"AMQP_URL": stage.broker_url, "DATABASE_URL": stage.database.url, "FERNET_KEY": stage.key, "BENCH_QUEUE": FORWARD,
                 "BENCH_PREFETCH": "4", "BENCH_WORKERS": "1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
        started.append(one)
        assert one.stdout and one.stdout.readline() == "ready\n", (tmp_path / "celery.log").read_text()
        return one

    yield start
    for one in started:
        one.terminate()
        assert one.wait(30) == 0


def sent(stage: Any, integrations: dict[str, Any]) -> str:
    """What the receiver got, as JSON lines; INTEGRATIONS by path."""
    lines = []
    for request in stage.receiver.requests():
        body = json.loads(request.body)
        lines.append({"integration_id": str(integrations[request.path].id), "event_type": body["event"], "scan_id": body["scan"]["id"],
                      "finding_id": (body["finding"] or {}).get("id")})
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_the_report_agrees_with_what_a_celery_worker_sent_and_finds_what_differs(stage, notifyd, ctl, python_worker):
    hooks = {path: stage.webhook(path, name=path[1:], **options) for path, options in {
        "/all": {"severity_filter": "info"}, "/high": {}, "/scans": {"events": ["scan_done", "scan_failed"]},
        "/off": {"enabled": False}}.items()}
    first = python_worker()
    notifyd(SHADOW)
    app = producer.celery_app(stage.broker_url).notify_event
    for _ in range(2):
        for event_type in producer.EVENT_TYPES:
            about = [finding.id for finding in stage.findings.values()] if event_type.startswith("finding_") else [None]
            for finding in about:
                app.delay(stage.scan.id, event_type, **({"finding_id": finding, "change_summary": "recheck queued"} if finding else {}))
    count = 2 * (3 + 2 * 5 + 3 + 2 * 2 + 2)
    stage.receiver.wait_for(count, timeout=60)
    agreed = ctl("shadow", "--compare", "-", "--json", stdin=sent(stage, hooks))
    assert agreed.code == 0, agreed
    compare = agreed.json()["compare"]
    assert (compare["both"], compare["only_there"], compare["only_here"], compare["differences"]) == (count, 0, 0, [])

    # The integration is changed after shadow mode has judged, and before the Python worker does.
    first.terminate()
    assert first.wait(30) == 0
    event = app.delay(stage.scan.id, "finding_new", finding_id=stage.findings["high"].id).id
    stage.wait(lambda: len(rows(stage, "event_id = %s AND verdict = 'would_send'", event)) == 2)
    stage.database.execute("UPDATE integrations SET severity_filter = 'critical' WHERE id = %s", (hooks["/high"].id,))
    python_worker()
    stage.receiver.wait_for(count + 1, timeout=60)
    differs = ctl("shadow", "--compare", "-", "--json", stdin=sent(stage, hooks))
    assert differs.code == 1, differs
    compare = differs.json()["compare"]
    assert (compare["both"], compare["only_there"], compare["only_here"]) == (count + 1, 0, 1)
    difference, = compare["differences"]
    assert (difference["integration_id"], difference["name"], difference["finding_id"]) == (
        str(hooks["/high"].id), "high", stage.findings["high"].id)
    assert "only by the other worker 0, only here 1" in ctl("shadow", "--compare", "-", stdin=sent(stage, hooks)).out


def test_a_delivery_that_only_the_other_worker_made_says_what_stopped_it_here(stage, notifyd, ctl, celery_queue):
    quiet = stage.webhook("/quiet", severity_filter="critical")
    broken = stage.webhook("/broken", severity_filter="info")
    stage.database.execute("UPDATE integrations SET config_encrypted = 'x' WHERE id = %s", (broken.id,))
    notifyd(SHADOW)
    stage.publish()
    celery_queue.take()
    other = str(uuid.uuid4())
    lines = "".join(json.dumps({"integration_id": str(integration), "event_type": event_type, "scan_id": stage.scan.id, "finding_id": finding}) + "\n"
                    for integration, event_type, finding in ((quiet.id, "finding_new", stage.high), (broken.id, "finding_new", stage.high),
                                                             (other, "scan_failed", None)))
    answer = ctl("shadow", "--compare", "-", "--json", stdin=lines)
    assert answer.code == 1
    assert {row["integration_id"]: row["here"] for row in answer.json()["compare"]["differences"]} == {
        str(quiet.id): "held back by a filter", str(broken.id): "would_fail: config_unreadable", other: "the event did not come here"}


def test_the_report_counts_by_integration_and_can_be_cut(stage, notifyd, ctl, celery_queue):
    hook = stage.webhook(severity_filter="high")
    notifyd(SHADOW)
    stage.publish()
    stage.publish(finding_id=stage.findings["low"].id)
    producer.publish_raw(stage.broker_url, "notify", b"{", producer.pika.BasicProperties(message_id="torn", content_type="application/json"))
    celery_queue.take(3)
    stage.wait(lambda: len(rows(stage)) == 4)
    report = ctl("shadow", "--json").json()
    assert [(row["event_type"], row["verdict"], row["reason"], row["count"]) for row in report["events"]] == [
        ("(not understood)", "rejected", "bad_body", 1), ("finding_new", "filtered", None, 1), ("finding_new", "matched", None, 1)]
    assert report["filters"] == [{"event_type": "finding_new", "considered": 2, "matched": 1, "disabled": 0, "target": 0, "event": 0,
                                  "target_kind": 0, "severity": 1}]
    assert [(row["integration_id"], row["verdict"], row["count"]) for row in report["deliveries"]] == [(str(hook.id), "would_send", 1)]
    people = ctl("shadow").out
    assert "What would be sent" in people and "would_send" in people and "hook" in people
    assert ctl("shadow", "--scan", str(uuid.uuid4()), "--json").json()["deliveries"] == []
    stage.database.execute("UPDATE notify.shadow SET created_at = now() - interval '3 hours'")
    assert ctl("shadow", "--younger-than", "2h", "--json").json()["events"] == []
    old = {"integration_id": str(hook.id), "event_type": "finding_new", "scan_id": stage.scan.id, "finding_id": stage.high, "at": "2020-01-01T00:00:00Z"}
    answer = ctl("shadow", "--younger-than", "2h", "--compare", "-", "--json", stdin=json.dumps(old))
    assert answer.code == 0 and answer.json()["compare"]["older"] == 1


@pytest.mark.parametrize("line, words", [
    ("[]", "it is no JSON object"), ("{", "it is no JSON object"), ('{"event_type": "x"}', '"event_type" is none'),
    ('{"event_type": "scan_done"}', "must be UUIDs"), ('{"event_type": "scan_done", "at": 5}', "no ISO 8601 time"),
    ('{"event_type": "scan_done", "integration_id": "x", "scan_id": "x"}', "must be UUIDs"), ("\x00", "it is no JSON object"),
])
def test_a_line_that_cannot_be_compared_is_said_with_its_number(stage, ctl, line, words):
    answer = ctl("shadow", "--compare", "-", stdin="\n" + line + "\n")
    assert answer.code == 2 and "standard input:2: " in answer.err and words in answer.err, answer


def test_a_file_that_is_not_there_is_said(stage, ctl):
    answer = ctl("shadow", "--compare", "/nowhere/x")
    assert answer.code == 2 and "/nowhere/x cannot be read" in answer.err


def test_the_page_about_moving_over_can_be_followed(stage, notifyd, build, celery_queue, tmp_path):
    hook = stage.webhook()
    settings = {"broker": {"url": stage.broker_url}, "database": {"url": stage.database.url}, "secrets": {"fernet_keys": [stage.key]},
                "delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True}, **SHADOW}
    desk = Desk(tmp_path / "desk", build, settings, {"INTEGRATION": str(hook.id), "SCAN": stage.scan.id, "FINDING": stage.high})
    look, watch, compare = blocks(PAGE, "sh")
    assert f"nobody reads the queue {FORWARD} (forward)" in desk.run(look)
    notifyd(SHADOW)
    stage.publish()
    celery_queue.take()
    assert "would_send" in desk.run(watch)
    line, = blocks(PAGE, "json")
    for word, here in desk.stands_for.items():
        line = line.replace(word, here)
    (desk.folder / "sent.jsonl").write_text(json.dumps({**json.loads(line), "at": "2126-11-24T09:00:00Z"}))
    assert "By both 1, only by the other worker 0, only here 0" in desk.run(compare)

"""The log of a running pool: JSON that machines read, no storm of lines, and a level that changes while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from datetime import datetime
from typing import Any

import pytest
from ctl import ROOT
from sandbox import bulk, producer
from sandbox.receiver import Answer

FIRST = ["time", "level", "process", "pid", "event"]


def strict(line: str) -> dict[str, Any]:
    """One object: no key twice, no NaN, nothing behind it."""
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in found}) == len(found), line
        return dict(found)

    def constant(text: str) -> None:
        raise AssertionError(f"{text} is no JSON: {line}")

    value = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
    assert isinstance(value, dict), line
    return value


def check_lines(text: str) -> list[dict[str, Any]]:
    """Every line is one event with the keys that each has, and one that names an event of the ledger has its trace."""
    assert text.endswith("\n")
    lines = [strict(line) for line in text[:-1].split("\n")]
    for line in lines:
        assert list(line)[:5] == FIRST, line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line
        datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        assert line["level"] in ("debug", "info", "warn", "error") and isinstance(line["pid"], int) and line["process"], line
        assert re.fullmatch("[a-z_]+", line["event"]), line
        for name, value in line.items():
            assert isinstance(value, (str, int)) and not isinstance(value, bool), (name, line)
    return lines


# --- JSON

def test_every_line_of_a_life_with_retries_and_dead_letters_is_one_object_that_names_its_trace(stage, notifyd, ctl):
    stage.webhook()
    stage.webhook("/gone")
    stage.integration({"webhook_url": "no url"}, name="broken")
    stage.receiver.script("/hook", Answer(status=500), Answer())
    stage.receiver.script("/gone", Answer(status=400, body=b'{"a":"\\n\\"\xff"}'))
    one = notifyd({"log": {"level": "debug", "format": "json"}, "retry": {"max_attempts": 3, "not_found": [1.0]},
                   "sweep": {"interval": 0.5}})
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = producer.celery_app(stage.broker_url).notify_event.apply_async(
        (str(stage.scan.id), "finding_new", str(stage.high)), headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}).id
    odd = 'an "id"=\\ with\nall \u2028 that\tbreaks lines'
    stage.plain({"scan_id": str(stage.scan.id), "event_type": "finding_new", "finding_id": str(stage.high)}, odd)
    stage.plain({"scan_id": "11111111-2222-3333-4444-555555555555", "event_type": "scan_done"}, "not found")
    stage.plain({"scan_id": 7}, "no event")
    stage.plain("no object", None)
    celery = producer.celery_app(stage.broker_url)
    task = celery.notify_scan_findings.delay(str(stage.scan.id)).id
    stage.wait(lambda: len([row for row in stage.deliveries() if row["state"] in ("delivered", "dead")]) >= 6 + 3 and
               [row for row in stage.events("not found") if row["state"] == "dead"] and
               [row for row in stage.events(task) if row["state"] == "expanded"], 40)
    one.terminate()
    one.wait()
    lines = check_lines(one.log_text())
    words = {line["event"] for line in lines}
    assert {"started", "child_started", "worker_ready", "delivery", "event_dead", "message_rejected", "trip", "job", "expansion",
            "broker_link_up", "database_link_up", "worker_leaves", "child_ended", "ended"} <= words
    states = {line["state"] for line in lines if line["event"] == "delivery"}
    assert {"delivered", "waiting", "dead"} <= states
    children = 0
    for line in lines:
        if "id" not in line:
            continue
        want = trace if line["id"] == given else hashlib.sha256(line["id"].encode()).hexdigest()[:32]
        if line["id"].startswith(f"{task}."):
            children += 1
            want = hashlib.sha256(task.encode()).hexdigest()[:32]
        if line["id"] == "-":
            want = "-"
        assert line["trace"] == want, line
    assert children and {given, odd, "not found", "no event", task, "-"} <= {line.get("id") for line in lines}


def test_every_line_of_the_api_is_one_object(notify_api):
    one = notify_api({"log": {"level": "debug", "format": "json"}})
    for path in ("/openapi.json", "/integrations", "/nothing", "/%ff", "/healthz?\"=%22%0a"):
        one.ask("GET", path, headers={"X-Request-Id": "a" * 20})
    one.close()
    assert {"api_listening", "request", "api_draining"} <= {line["event"] for line in check_lines(one.log_text())}


def test_every_line_of_the_agents_server_is_one_object(build, notify_api, tmp_path):
    config = tmp_path / "mcp.conf"
    config.write_text(f'api = {{ url = "{notify_api({}).url}"; }}; log = {{ level = "debug"; format = "json"; }};\n')
    said = [{"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}},
            {"id": 2, "method": "tools/call", "params": {"name": "list_integrations"}}, {"id": 3, "method": "no\nsuch\"thing"}]
    lines = [json.dumps({"jsonrpc": "2.0", **one}) for one in said] + ["no JSON \u2028", "{}"]
    done = subprocess.run([build / "notify-mcp", "-c", config], input="\n".join(lines), text=True, capture_output=True, timeout=20,
                          env={"NOTIFY_TOKEN": "pnt_no-such-token"})
    assert done.returncode == 0
    assert {"mcp_serving", "initialized", "api_asked", "call_ended", "message_refused"} <= {line["event"] for line in check_lines(done.stderr)}


# --- repetition

def fail_many(stage: Any, count: int) -> None:
    bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count)))
    stage.wait(lambda: len(stage.deliveries()) == count and all(row["state"] == "dead" for row in stage.deliveries()), 60)


def deliveries_said(lines: list[dict[str, str]]) -> int:
    """How many lines of a failed delivery were written or counted."""
    own = [line for line in lines if line["event"] == "delivery"]
    rest = [line for line in lines if line["event"] == "log_limited" and line["of"] == "delivery"]
    return len(own) + sum(int(line.get("suppressed", 0)) for line in own + rest)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_storm_of_failures_is_a_few_lines_and_none_is_lost_for_ever(stage, notifyd, form):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=400))
    one = notifyd({"workers": 1, "log": {"burst": 5, "interval": 3.0, "format": form}, "gate": {"patience": 3600.0}})
    began = time.monotonic()
    fail_many(stage, 200)
    took = time.monotonic() - began
    stage.wait(lambda: deliveries_said(one.events()) == 200, 10, "what was left out was not said when it went quiet")
    own = [line for line in one.events("delivery")]
    assert 5 <= len(own) <= 5 * (took / 3 + 2), "more lines than the limit allows"
    assert len(one.events("child_started")) == 2 and one.events("started")


def test_what_is_left_out_is_said_at_the_end_at_the_latest(stage, notifyd):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=400))
    one = notifyd({"workers": 2, "log": {"burst": 2, "interval": 3600.0}, "gate": {"patience": 3600.0}})
    fail_many(stage, 100)
    assert deliveries_said(one.events()) < 100
    one.terminate()
    one.wait()
    assert deliveries_said(one.events()) == 100
    assert {line["event"] for line in one.events()} >= {"ended", "worker_leaves", "child_ended"}


def test_without_a_limit_every_line_is_written(stage, notifyd):
    stage.webhook()
    stage.receiver.script("/hook", Answer(status=400))
    one = notifyd({"workers": 1, "log": {"burst": 0}, "gate": {"patience": 3600.0}})
    fail_many(stage, 150)
    assert len(one.events("delivery")) == 150 and not any("suppressed" in line for line in one.events())


def test_what_is_never_left_out_is_something_that_is_logged() -> None:
    table = (ROOT / "common" / "base" / "log_limit.h").read_text()
    words = re.findall(r'^    X\("([a-z_]+)"', table, re.M)
    sources = "".join(path.read_text() for folder in ("common", "worker", "api") for path in (ROOT / folder).rglob("*.c"))
    assert len(words) > 10
    for word in words:
        assert re.search(rf'(LOG\([^;]*|write_line\([^;]*)"{word}"', sources), f"nothing logs {word}"


# --- levels

def levels(one: Any) -> list[tuple[str, str]]:
    return [(line["now"], line["level"]) for line in one.events("log_level")]


def step(one: Any, number: int) -> str:
    """A level more or less; returns the new one when it is said."""
    before = len(levels(one))
    os.kill(one.pid, number)
    return one.wait_event("log_level", 5, before + 1)[-1]["now"]


def wait_said(stage: Any, one: Any, said: bool) -> None:
    """Until deliveries of all workers are logged in debug lines, or are not any more."""
    deadline = time.monotonic() + 10
    while True:
        ids = [stage.publish() for _ in range(4)]
        stage.wait_arrivals(ids)
        stage.wait(lambda: all(row["state"] == "delivered" for row in stage.deliveries()))
        if all(any(line.get("id") == event_id for line in one.events("job")) == said for event_id in ids):
            return
        assert time.monotonic() < deadline, f"debug lines {'are missing' if said else 'go on'}"


def test_signals_change_the_level_of_all_processes_and_hup_brings_back_the_files(stage, notifyd):
    stage.webhook()
    one = notifyd({"log": {"level": "error"}}, ready=False)
    stage.wait(lambda: one.alive() and len(one.children()) == 3)
    time.sleep(1)  # nothing tells that workers consume, at this level
    assert [step(one, signal.SIGUSR1) for _ in range(4)] == ["warn", "info", "debug", "debug"]
    wait_said(stage, one, True)
    assert [step(one, signal.SIGUSR2) for _ in range(4)] == ["info", "warn", "error", "error"]
    wait_said(stage, one, False)
    assert {level for _, level in levels(one)} == {"info"}, "the line is there at any level"
    assert [step(one, signal.SIGUSR1) for _ in range(3)][-1] == "debug"
    wait_said(stage, one, True)
    one.write_conf({**one.settings, "log": {"level": "warn"}})
    os.kill(one.pid, signal.SIGHUP)
    wait_said(stage, one, False)
    assert step(one, signal.SIGUSR1) == "info", "a step from the level of the new file"


def test_a_worker_that_starts_later_has_the_level_of_the_others(stage, notifyd):
    stage.webhook()
    one = notifyd({"workers": 1})
    assert step(one, signal.SIGUSR1) == "debug"
    wait_said(stage, one, True)
    before = one.workers()
    os.kill(before[0], signal.SIGKILL)
    one.wait_event("worker_ready", 20, 2)
    wait_said(stage, one, True)
    assert one.workers() != before


def test_a_signal_to_the_whole_group_ends_nobody(stage, notifyd):
    stage.webhook()
    one = notifyd()
    children = {child.pid for child in one.children()}
    for pid in [*children, one.pid]:
        os.kill(pid, signal.SIGUSR1)
        os.kill(pid, signal.SIGUSR2)
    stage.wait(lambda: len(levels(one)) == 2)
    stage.wait_arrivals([stage.publish()])
    assert {child.pid for child in one.children()} == children and not one.events("child_ended")


def test_the_api_takes_the_same_signals(notify_api):
    one = notify_api({"log": {"level": "info"}})

    def said() -> int:
        one.ask("GET", "/openapi.json")
        time.sleep(0.2)
        return len([line for line in one.events("request") if line["route"] == "/openapi.json"])

    assert said() == 0 and step(one, signal.SIGUSR1) == "debug" and said() == 1
    assert [step(one, signal.SIGUSR2) for _ in range(3)] == ["info", "warn", "error"] and said() == 1

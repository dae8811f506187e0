"""What notifyd is compared with delivers what notifyd delivers: the same bodies and headers for the same events.

A request may differ in its time, in what follows from that (signatures, which are verified), and in what HTTP libraries add.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any, Iterator

import npm
import pytest
from sandbox import producer, seed
from sandbox.answers import Answer
from sandbox.processes import Child, tail, wait_until
from sandbox.signatures import verify_signatures

QUEUE = "events"  # not the one that is the default everywhere
BENCH = Path(__file__).resolve().parents[1] / "bench"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LIBRARY = {"host", "accept", "connection", "content-length", "user-agent"}
OF_THE_TIME = {"x-pencheff-timestamp", "x-pencheff-signature", "webhook-timestamp", "webhook-signature"}
BODY_TIME = re.compile(rb'("timestamp":)"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')

HOSTILE = {
    "title": "<script>alert('1')</script> & “quotes” 🚨 é \u2028 \\ \" \\b \\f /",
    "description": "# Überschrift\n\ttab \b backspace \f feed \x7f delete \x01 \r\n" + "界" * 20_000,
    "remediation": "", "endpoint": None, "parameter": "q[]=%00", "cvss_score": 7.0, "epss": 0.00043, "risk_score": 88.25,
    "kev": True, "suppressed": True, "suppress_reason": "accepted_risk", "resolved_at": "2026-03-01T23:30:00.123456+02:00",
}


@dataclasses.dataclass
class Case:
    """Events, and by path what the integrations are that some of them reach."""

    events: list[producer.Event]
    secrets: dict[str, str | None]
    requests: int


@pytest.fixture
def case(stage: Any) -> Case:
    connection, scan = stage.connection, stage.scan
    repository = seed.add_target(connection, stage.workspace, "repo", name="acme/shop “ü”", base_url="https://git.example.com/a")
    failed = seed.add_scan(connection, repository, status="failed", grade=None, score=None, error="no route\tto <host> \x7f",
                           summary={"high": 2, "low": 1.5, "info": 3.0, "note": "é", "none": None, "flag": True, "list": [1]})
    other_scan = seed.add_scan(connection, seed.add_target(connection, seed.add_workspace(connection), "llm"), summary={})
    hostile = seed.add_finding(connection, scan, "CRITICAL", **HOSTILE)
    unknown = seed.add_finding(connection, scan, "grave")
    stage.webhook("/whsec", secret=WHSEC, severity_filter="info")
    stage.integration({"webhook_url": stage.receiver.url("/plain?a=1&b=%20"), "webhook_secret": "s3cret é",
                       "headers": {"X-Team": "blue <1>", "authorization": "Bearer abc"}}, plain_form=True)
    stage.webhook("/unsigned", secret=None, severity_filter="Critical", events=["finding_new", "scan_failed", "scan_over"])
    stage.webhook("/repositories", target_kinds=["repo", "llm"], severity_filter="nonsense")
    stage.webhook("/one-target", target_ids=[seed.new_id(), repository.id], events=[])
    stage.webhook("/never", enabled=False)
    stage.webhook("/never", target_ids=[seed.new_id()])
    stage.webhook("/never", target_kinds=[])
    stage.webhook("/never", events=["scan_over"])
    stage.webhook("/elsewhere", workspace=other_scan.workspace, target_ids=[], secret=WHSEC)
    events = [
        producer.event(scan.id, "scan_started"),  # whsec, plain
        producer.event(scan.id, "scan_done", change_summary="none of its business"),  # whsec, plain
        producer.event(failed.id, "scan_failed"),  # whsec, plain, unsigned, repositories, one-target
        producer.event(failed.id, "scan_failed", error="<b>killed</b> \x08\u2029"),  # the same
        producer.event(scan.id, "finding_new", finding_id=hostile.id),  # whsec, plain, unsigned
        producer.event(scan.id, "finding_changed", finding_id=hostile.id, change_summary="open → “fixed”\n"),  # whsec, plain
        producer.event(scan.id, "finding_new", finding_id=unknown.id),  # whsec
        producer.event(scan.id, "finding_new", finding_id=stage.findings["low"].id),  # whsec
        producer.event(other_scan.id, "scan_done"),  # elsewhere
    ]
    secrets = {"/whsec": WHSEC, "/plain?a=1&b=%20": "s3cret é", "/unsigned": None, "/repositories": "s3cret",
               "/one-target": "s3cret", "/elsewhere": WHSEC}
    return Case(events, secrets, 2 + 2 + 5 + 5 + 3 + 2 + 1 + 1 + 1)


def delivered(stage: Any, case: Case, idle: Any) -> dict[tuple[str, str], Any]:
    """Publishes the events for whoever consumes; what it sent until all were acknowledged, by path and webhook-id."""
    stage.receiver.clear()
    for event in case.events:
        producer.publish_event(stage.broker_url, event, queue=QUEUE)
    stage.receiver.wait_for(case.requests)
    wait_until(idle, 30, "every message is acknowledged")
    requests = stage.receiver.requests()
    assert len(requests) == case.requests
    return {(r.path, r.header["webhook-id"]): r for r in requests}


def comparable(request: Any, secret: str | None) -> tuple:
    """What must be the same in every contender's request; its signatures are checked here."""
    signatures = OF_THE_TIME & request.header.keys()
    if secret:
        verify_signatures(request.header, request.body, secret)
    else:
        assert signatures == {"x-pencheff-timestamp", "webhook-timestamp"}
    json.loads(request.body)
    body, times = BODY_TIME.subn(rb"\1", request.body)
    assert times == 1
    names = sorted(name for name, _ in request.headers if name.lower() not in LIBRARY)
    values = {name: value for name, value in request.header.items() if name not in LIBRARY | OF_THE_TIME}
    return request.method, names, values, body


def require(name: str) -> None:
    """Skips what the packages of the group `bench` are missing for."""
    if name == "node":
        npm.environment(BENCH / "node")
    elif not importlib.util.find_spec("pycurl"):
        pytest.skip("deploy/packages bench")


@pytest.fixture(params=["celery", "node"])
def contender(request: pytest.FixtureRequest, stage: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that starts one; at the end it must stop by itself, and nothing may be left of it."""
    require(request.param)
    log = tmp_path / "contender.log"
    children: list[Child] = []

    def start() -> None:
        environment = {"AMQP_URL": stage.broker_url, "DATABASE_URL": stage.database.url, "FERNET_KEY": stage.key,
                       "BENCH_WORKERS": "2", "BENCH_PREFETCH": "4", "BENCH_QUEUE": QUEUE, "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        child = Child([BENCH / request.param / "run"], log=log, env=environment)
        children.append(child)
        wait_until(lambda: "ready" in tail(log).splitlines() or child.exit_code() is not None, 30, "it is ready")
        assert child.exit_code() is None, tail(log)

    yield start
    for child in children:
        child.process.signal(15)
        code = child.wait(10)
        left = child.family()
        child.kill()
        assert (code, left) == (0, []), tail(log)


def unacknowledged(rabbit: Any, vhost: str) -> int:
    """Those that nobody has taken yet included."""
    return sum(queue["messages"] for queue in rabbit.list_queues(vhost))


def test_a_contender_sends_what_notifyd_sends(stage, notifyd, case, contender, rabbit, vhost):
    def idle() -> bool:
        return unacknowledged(rabbit, vhost) == 0

    daemon = notifyd({"broker": {"queues": [QUEUE]}})
    expected = delivered(stage, case, idle)
    daemon.terminate()
    daemon.wait()
    contender()
    got = delivered(stage, case, idle)
    assert got.keys() == expected.keys()
    for key, request in got.items():
        secret = case.secrets[key[0]]
        assert comparable(request, secret) == comparable(expected[key], secret), key


@pytest.mark.parametrize("contender", ["node"], indirect=True)
def test_the_node_contender_acknowledges_what_is_done_behind_a_slow_receiver(stage, contender, rabbit, vhost):
    slow = seed.add_scan(stage.connection, seed.add_target(stage.connection, stage.workspace))
    stage.webhook("/slow", target_ids=[slow.target.id])
    stage.webhook("/hook", target_ids=[stage.target.id])
    stage.receiver.script("/slow", Answer(delay=6))
    contender()
    for _ in range(2):  # one for each process
        producer.publish_event(stage.broker_url, producer.event(slow.id, "scan_done"), queue=QUEUE)
    stage.receiver.wait_for(2, "/slow")
    for _ in range(20):
        producer.publish_event(stage.broker_url, stage.event("scan_done"), queue=QUEUE)
    stage.receiver.wait_for(20, "/hook", timeout=5)
    # Left are the slow ones, and one in each process that waits for company.
    wait_until(lambda: unacknowledged(rabbit, vhost) <= 4, 5, "those behind the slow ones are acknowledged")
    wait_until(lambda: unacknowledged(rabbit, vhost) == 0, 10, "all are acknowledged when the slow ones have answered")
    assert stage.receiver.count() == 22

"""What a worker holds is bounded by its settings: the figures of docs/performance.md, against receivers that keep it waiting."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from authority import Authority
from sandbox import bulk, seed
from sandbox.answers import Answer
from sandbox.receiver import Receiver
from sandbox.receiver_process import ReceiverProcess
from stage import HELD
from test_growth import anonymous_kib
from test_recovery import purge

MESSAGES, REQUESTS, ANSWER = 512, 256, 65536
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "performance.md").read_text()


def figure(name: str) -> int:
    """KiB, from the table on the page: | name | `n` KiB | ... |"""
    return int(re.search(rf"^\| {re.escape(name)} \| `(\d+)` KiB \|", PAGE, re.M)[1])


@pytest.fixture
def receiver():
    with ReceiverProcess(keep=False) as made:
        yield made


def held(stage, notifyd, answer: Answer, text: int, **delivery: str) -> int:
    """KiB of a worker with MESSAGES in hand, REQUESTS of them in requests that are stuck in ANSWER."""
    stage.receiver.script("*", answer)
    daemon = notifyd({"workers": 1, "broker": {"prefetch": 2 * MESSAGES}, "shutdown_grace": 60.0, **HELD,
                      "delivery": {"timeout": 50.0, "connections": REQUESTS, "max_response": ANSWER, **delivery}})
    events = []
    for number in range(REQUESTS // 2):  # a window begins with two
        workspace = seed.add_workspace(stage.connection)
        stage.webhook(f"/hook/{number}", workspace=workspace)
        scan = seed.add_scan(stage.connection, seed.add_target(stage.connection, workspace))
        finding = seed.add_finding(stage.connection, scan, description="d" * text)
        events += [stage.event(scan_id=scan.id, finding_id=finding.id) for _ in range(2 * MESSAGES // REQUESTS)]
    bulk.publish_many(stage.broker_url, "notify", events)
    stage.receiver.wait_for(REQUESTS, None, 30)
    stage.wait(lambda: daemon.counter("messages_received") >= MESSAGES, 20)
    time.sleep(1)  # for the answers
    assert stage.receiver.count(None) == REQUESTS
    value = anonymous_kib(daemon.workers()[0])
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait() == 0
    return value


@pytest.mark.parametrize(("answer", "text"), [
    (Answer(instead="hang"), 100), (Answer(instead="hang"), 16000), (Answer(body=b"x" * (ANSWER - 100), stall=True), 100)],
    ids=["no answer", "no answer to long texts", "answers of 64 KB"])
def test_what_a_worker_holds_is_what_the_page_says(stage, notifyd, sanitized, answer, text):
    bound = figure("a worker at rest") + MESSAGES * (figure("a message in hand") + 2 * text // 1024) + REQUESTS * figure("a request under way")
    if answer.stall:
        bound += REQUESTS * ANSWER * 5 // 4 // 1024
    value = held(stage, notifyd, answer, text)
    print(f"{value} KiB of at most {bound}")
    assert sanitized or bound / 2.5 < value <= bound, "the page's figures are too small, or say nothing"


@pytest.mark.alone
def test_what_a_request_over_tls_takes_beside_is_what_the_page_says(stage, notifyd, sanitized, tmp_path):
    hang = Answer(instead="hang")
    plain = held(stage, notifyd, hang, 100)
    authority = Authority(tmp_path / "authority")
    purge(stage.broker_url, "notify", "notify.due")
    with Receiver(tls=authority.context("127.0.0.1")) as stage.receiver:
        over_tls = held(stage, notifyd, hang, 100, ca_file=str(authority.file))
    each = (over_tls - plain) / REQUESTS
    print(f"{each:.1f} KiB for each request over TLS")
    assert sanitized or figure("a request over TLS") / 2.5 < each <= figure("a request over TLS")


def test_what_cached_integrations_take_is_what_the_page_says(stage, notifyd, sanitized):
    thousands, events = 8, []
    for _ in range(thousands):
        workspace = seed.add_workspace(stage.connection)
        stage.webhook(workspace=workspace)
        stage.database.execute(
            "INSERT INTO integrations (id, org_id, workspace_id, kind, name, config_encrypted, enabled, severity_filter, events)"
            " SELECT gen_random_uuid(), org_id, workspace_id, kind, name, config_encrypted, true, 'critical', '{finding_new}'"
            " FROM integrations, generate_series(1, 999) WHERE workspace_id = %s", (workspace.id,))
        scan = seed.add_scan(stage.connection, seed.add_target(stage.connection, workspace))
        events.append(stage.event(scan_id=scan.id, finding_id=seed.add_finding(stage.connection, scan).id))
    one = notifyd({"workers": 1})
    before = anonymous_kib(one.workers()[0])
    bulk.publish_many(stage.broker_url, "notify", events)
    stage.wait_settled(thousands)
    each = (anonymous_kib(one.workers()[0]) - before) / thousands
    print(f"{each:.0f} KiB for a thousand integrations")
    assert sanitized or figure("a thousand integrations in the cache") / 2.5 < each <= figure("a thousand integrations in the cache")

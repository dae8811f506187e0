"""Links to the broker that are slow, or cut without a word."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from authority import Authority
from far import link  # noqa: F401 (a fixture)
from sandbox.bulk import publish_many
from sandbox.receiver import Answer
from stage import HELD
from tls import TlsBroker


def tiny_buffers(folder: Path) -> dict[str, str]:
    """The environment in which no send buffer is larger than the kernel's minimum."""
    library = folder / "tiny_buffers.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("tiny_buffers.c")], check=True)
    return {"LD_PRELOAD": str(library)}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("buffers,hooks,events,good", [
    ("usual", 8, 60, 60), ("tiny", 1, 20, 700)])
def test_a_worker_whose_link_to_the_broker_is_cut_lives_on_and_goes_on_when_it_is_back(
        stage, notifyd, link, tmp_path, sanitized, rabbit, buffers, hooks, events, good, tls):
    """More retries and acknowledgements than the kernel takes while nothing arrives at the other end."""
    if buffers == "tiny" and sanitized:
        pytest.skip("a sanitizer's library must be the first")
    for i in range(hooks):
        stage.webhook(f"/hook-{i}", secret=None, name=f"hook {i}", events=["scan_failed"])
        stage.receiver.script(f"/hook-{i}", *[Answer(status=503, held=True)] * events, Answer())
    stage.webhook("/good", secret=None, name="good", events=["scan_done"])
    stage.receiver.script("/good", Answer(held=True))
    link.here(stage.database.server.port, stage.receiver.port)
    broker = {"url": link.beyond(stage.broker_url)}
    if tls:
        authority = Authority(tmp_path / "authority")
        port = TlsBroker(rabbit, authority).listen(authority.files(link.ADDRESS))
        broker = {"url": link.beyond(TlsBroker.url(stage.broker_url, port, "127.0.0.1")), "ca_file": str(authority.file)}
    one = notifyd({
        "workers": 1, "watchdog": 5.0, "shutdown_grace": 65,
        "broker": {**broker, "prefetch": 2000, "heartbeat": 6, "reconnect_max": 1.0},
        "delivery": {"per_integration": max(events, good), "connections": hooks * events + good, "timeout": 60.0, "connect_timeout": 60.0},
        "gate": {**HELD["gate"], "window": 1000},
    }, wrapper=link.wrapper, env=tiny_buffers(tmp_path) if buffers == "tiny" else {})
    pids = one.workers()
    publish_many(stage.broker_url, "notify", [
        *(stage.event("scan_failed", error="x" * 1000) for _ in range(events)), *(stage.event("scan_done") for _ in range(good))])
    stage.receiver.wait_for(hooks * events + good, timeout=45)
    link.cut()
    stage.receiver.release()
    try:
        done = Counter(waiting=hooks * events, delivered=good)
        stage.wait(lambda: Counter(d["state"] for d in stage.deliveries()) == done, 30)
        # All this is to be published and acknowledged now, and for longer than the watchdog waits nobody takes it.
        cut = time.monotonic()
        one.wait_event("broker_link_down", count=2, timeout=30)
        print(f"noticed {time.monotonic() - cut:.1f} s after the last was due to be sent")
    finally:
        link.heal()
    for i in range(hooks):
        stage.receiver.wait_for(2 * events, f"/hook-{i}", 30)
    stage.wait_settled(hooks * events + good, 30)
    assert one.workers() == pids and not one.events("child_hangs")
    assert {stage.receiver.count(f"/hook-{i}") for i in range(hooks)} == {2 * events}, "a retry was made twice"
    assert stage.receiver.count("/good") == good, "what could not be acknowledged was delivered twice"

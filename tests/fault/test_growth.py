"""Nothing grows with the number of events."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from proxy import Link, Proxy
from sandbox import bulk
from sandbox.receiver_process import ReceiverProcess


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def anonymous_kib(pid: int) -> int:
    """ProcessLookupError: it has ended, whether or not somebody has noticed."""
    found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    if not found:
        raise ProcessLookupError(pid)
    return int(found[1])


@pytest.fixture
def receiver():
    with ReceiverProcess(keep=False) as made:
        yield made


def run(stage, notifyd, sanitized: bool, count: int, steps: int) -> None:
    stage.webhook(secret="s3cret")
    one = notifyd({"workers": 1})
    pids = {"worker": one.workers()[0], "agent": next(p.pid for p in one.children() if p.pid not in one.workers()),
            "supervisor": one.pid}
    seen: dict[str, list[tuple[int, int]]] = {name: [] for name in pids}
    for step in range(1, steps + 1):
        bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(count // steps)))
        stage.receiver.wait_for(step * count // steps, "/hook", 300)
        stage.wait_settled(step * count // steps)
        for name, pid in pids.items():
            seen[name].append((descriptors(pid), anonymous_kib(pid)))
    for name, values in seen.items():
        print(f"{name}: descriptors {[d for d, _ in values]}, anonymous KiB {[a for _, a in values]}")
        warm, last = values[1], values[-1]
        assert last[0] <= warm[0] + 2, f"descriptors of the {name}"
        assert sanitized or last[1] <= warm[1] + 1024, f"memory of the {name}"  # a sanitizer keeps what was freed
    assert not one.events("child_ended")


def test_descriptors_and_memory_stay_over_20000_events(stage, notifyd, sanitized):
    run(stage, notifyd, sanitized, 2000 if sanitized else 20000, 5)


@pytest.mark.long
def test_descriptors_and_memory_stay_over_100000_events(stage, notifyd, sanitized):
    run(stage, notifyd, sanitized, 10000 if sanitized else 100000, 10)


class CutLinks(Proxy):
    """Cuts the next link of the name that something is to pass."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.doomed: bytes | None = None

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if self.doomed and self.doomed in link.head:
            self.doomed = None
            raise ConnectionResetError


def test_memory_stays_over_links_that_are_lost_again_and_again(stage, notifyd, rabbit, sanitized):
    """librabbitmq asks for pages as large as the largest frame it may take, 16 MiB each, and touches few of their bytes."""
    stage.webhook(secret=None)
    with CutLinks(rabbit.port) as proxy:
        one = notifyd({"workers": 1, "broker": {"url": stage.broker_url.replace(f":{rabbit.port}/", f":{proxy.port}/"), "heartbeat": 4, "reconnect_max": 1}})
        pid = one.workers()[0]
        seen = []
        for step in range(1, 9):
            proxy.doomed = (b"pencheff-notify consumer", b"pencheff-notify publisher")[step % 2]
            bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(100)))
            one.wait_event("broker_link_down", count=step)
            stage.wait_settled(step * 100)
            seen.append(anonymous_kib(pid))
    print(f"anonymous KiB {seen}")
    assert one.workers() == [pid]
    assert sanitized or max(seen) <= seen[0] + 2048  # a sanitizer keeps what was freed

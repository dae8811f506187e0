"""Nothing grows with the number of events."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sandbox import bulk
from sandbox.receiver_process import ReceiverProcess


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def anonymous_kib(pid: int) -> int:
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


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

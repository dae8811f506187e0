"""A broker of several nodes (broker.hosts): which of them is used, and what happens when it goes away. A real cluster: fault/test_cluster."""

from __future__ import annotations

import time
from collections import Counter
from typing import Iterator

import pytest
from ctl import on_stage
from proxy import Link, Proxy
from sandbox.bulk import BulkPublisher
from sandbox.processes import HeldPort


class Node(Proxy):
    """A node that can be taken away, with all connections to it."""

    def __init__(self, port: int) -> None:
        self.away = False
        self.links: set[Link] = set()
        super().__init__(port)

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if self.away:
            raise OSError("away")
        self.links.add(link)

    def go_away(self) -> None:
        self.away = True
        self.close()


@pytest.fixture
def closed() -> Iterator[str]:
    port = HeldPort()
    yield f"127.0.0.1:{port.number}"
    port.release()


def url_at(stage, host: str) -> str:
    head, tail = stage.broker_url.split("@")
    return f"{head}@{host}/{tail.split('/', 1)[1]}"


def test_nodes_that_are_away_cost_a_moment_each(stage, notifyd, rabbit, closed):
    """All but the last one of four are away, whichever of them is the first that is tried."""
    stage.webhook(secret=None)
    began = time.monotonic()
    one = notifyd({"broker": {"url": url_at(stage, closed), "hosts": [closed, closed, f"127.0.0.1:{rabbit.port}"]}})
    print(f"consuming after {time.monotonic() - began:.1f} s, {len(one.events('broker_link_down'))} nodes tried in vain")
    assert time.monotonic() - began < 3 * 0.32 + 3
    stage.wait_arrivals([stage.publish()])
    assert {e["port"] for e in one.events("broker_link_up")} == {str(rabbit.port)}


def test_a_node_goes_away_under_load_and_the_others_take_over(stage, notifyd, rabbit):
    stage.webhook(secret=None)
    with Node(rabbit.port) as first, Node(rabbit.port) as second:
        hosts = [f"127.0.0.1:{node.port}" for node in (first, second)]
        one = notifyd({"workers": 6, "broker": {"url": url_at(stage, hosts[0]), "hosts": hosts[1:], "heartbeat": 10}})
        pids = {p.pid for p in one.family()}
        shares = [sum(b"pencheff" in link.head for link in node.links) for node in (first, second)]
        assert sum(shares) >= 13 and min(shares) > 0, f"all on one node: {shares}"
        load = BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(1200)), rate=400)
        load.start()
        stage.receiver.wait_for(300, "/hook")
        first.go_away()
        one.wait_event("broker_link_down", count=shares[0], port=first.port)
        ids = load.finish()
        assert stage.wait_arrivals(ids, 20) == Counter(ids)
        stage.wait_settled(len(ids))
        at = [r.at for r in stage.receiver.requests("/hook")]
        print(f"{shares} connections; {max(b - a for a, b in zip(at, at[1:])):.2f} s at most without an arrival")
        assert stage.arrivals() == Counter(ids) and {p.pid for p in one.family()} == pids
        assert not [e for e in one.events("broker_link_down") if e["port"] == str(second.port)]


def test_notifyctl_asks_the_next_node_too(stage, build, tmp_path, rabbit, closed):
    ctl = on_stage(build, tmp_path, stage)
    answer = ctl("check", broker={"url": url_at(stage, closed), "hosts": [f"127.0.0.1:{rabbit.port}"]})
    assert "broker: reachable, login accepted" in answer.lines("ok"), answer
    answer = ctl("check", broker={"url": url_at(stage, closed), "hosts": [closed]})
    assert answer.code == 75 and any(line.startswith(f"broker: {closed}: ") for line in answer.lines("FAIL")), answer



"""A cluster of three RabbitMQ nodes with quorum queues, some of which are killed under load.

As docs/operate.md says how to run it: broker.hosts, broker.queue_type = "quorum", and a producers' queue that is one, too.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

import figures
import pytest
from sandbox.bulk import BulkPublisher
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.rabbit_cluster import RabbitCluster
from sandbox.receiver import Answer
from stage import HELD

pytestmark = pytest.mark.long

RATE = 200
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture(scope="module")
def cluster(server_folder: Path) -> Iterator[RabbitCluster]:
    with RabbitCluster(server_folder / "cluster") as made:
        yield made


@pytest.fixture(scope="module")
def rabbit(cluster: RabbitCluster) -> RabbitServer:
    """The node that is asked about the cluster, and up when a test begins and ends."""
    return cluster.nodes[0]


@pytest.fixture(autouse=True)
def _calm_client(caplog: pytest.LogCaptureFixture) -> None:
    """The publisher's library writes a page about each connection that a killed node has cut."""
    caplog.set_level(logging.CRITICAL, "pika")


class Load:
    """RATE events a second until the end to one webhook, a twentieth of them to another one that refuses the first REFUSED."""

    REFUSED, SECONDS = 300, 400  # at most

    def __init__(self, stage: Any, notifyd: Any, cluster: RabbitCluster, vhost: str) -> None:
        self.stage, self.cluster, self.vhost = stage, cluster, vhost
        stage.webhook(secret=None, events=["finding_new"])
        stage.webhook("/sick", secret=None, events=["scan_failed"], name="sick")
        stage.receiver.script("/sick", *[Answer(status=503)] * self.REFUSED, Answer())
        urls = [node.url_for(vhost) for node in cluster.nodes]
        events = (stage.event("scan_failed", error="x") if number % 20 == 0 else stage.event()
                  for number in range(RATE * self.SECONDS))
        self.publisher = BulkPublisher(urls, "notify", events, RATE, arguments=QUORUM)
        self.publisher.start()
        wait_until(lambda: self.publisher.confirmed, 20, "the queue is there")
        self.one = notifyd({
            "broker": {"url": urls[0], "hosts": cluster.hosts[1:], "queue_type": "quorum", "heartbeat": 10, "reconnect_max": 2.0},
            "retry": {"base": 2.0, "factor": 1.0, "jitter": 0.0}, "sweep": {"grace": 5.0}, **HELD})
        self.pids = {p.pid for p in self.one.family()}
        self.killed: list[float] = []
        stage.receiver.wait_for(RATE, "/hook", 20)

    def kill(self, node: RabbitServer) -> None:
        self.killed.append(time.monotonic())
        node.kill()

    def pauses(self) -> list[float]:
        """The longest time without an arrival within the ten seconds after each kill."""
        times = [r.at for r in self.stage.receiver.requests("/hook")]
        gaps = list(zip(times, times[1:]))
        return [max(b - a for a, b in gaps if b > at and a < at + 10) for at in self.killed]

    def end(self, what: str) -> None:
        time.sleep(10)
        assert self.publisher.is_alive(), "it went under load"
        self.publisher.stop()
        confirmed = self.publisher.finish()
        ended = time.monotonic()
        known = {d["event_id"] for d in self.stage.deliveries()}
        self.stage.wait(lambda: len(self.stage.arrivals()) + len(self.stage.arrivals("/sick")) >= len(confirmed), 60)
        hook, sick = self.stage.arrivals(), self.stage.arrivals("/sick")
        missing = set(confirmed) - hook.keys() - sick.keys()
        self.stage.wait_settled(len(hook.keys() | sick.keys()), 60)
        hook, sick = self.stage.arrivals(), self.stage.arrivals("/sick")
        attempts = {d["event_id"]: d["attempt"] for d in self.stage.deliveries()}
        last = [r.at for r in self.stage.receiver.requests("/hook") if ended - 5 <= r.at < ended]
        links = Counter(e["reason"].split(":")[0][:40] for e in self.one.events("broker_link_down"))
        print(f"{what}: {len(confirmed)} confirmed, {len(self.publisher.unknown)} of unknown fate; settled {time.monotonic() - ended:.1f} s"
              f" after the last; {sum(hook.values()) - len(hook)} requests repeated; pauses after the kills"
              f" {[f'{p:.1f}' for p in self.pauses()]} s; {len(last) / 5:.0f} a second in the end; {dict(links)}; {len(known)} rows")
        assert not missing, f"{len(missing)} lost"
        assert {p.pid for p in self.one.family()} == self.pids, "a process was replaced"
        assert hook + sick == Counter(attempts), "each attempt is one request"
        assert set(hook.values()) == {1}, "what was done is known, though the broker forgot that it was"
        assert len(last) / 5 > 0.8 * RATE, "the full rate is reached again"


def test_the_leader_of_the_queue_is_killed_again_and_again(stage, notifyd, cluster, vhost):
    load = Load(stage, notifyd, cluster, vhost)
    for _ in range(3):
        leader = cluster.leader("notify", vhost)
        load.kill(leader)
        time.sleep(6)
        leader.start()
        wait_until(lambda: len(cluster.running(leader)) == 3, 30, "it is back in the cluster")
        time.sleep(2)
    load.end("three leaders killed")
    figures.hold("longest pause after a queue's leader was killed", max(load.pauses()), 20, "s")


def test_two_of_three_nodes_are_killed_and_the_queues_stand_still(stage, notifyd, cluster, vhost):
    load = Load(stage, notifyd, cluster, vhost)
    for node in cluster.nodes[1:]:
        load.kill(node)
    time.sleep(10)
    at = stage.receiver.count("/hook")
    time.sleep(2)
    assert stage.receiver.count("/hook") - at < RATE, "without a majority nothing is given out"
    for node in cluster.nodes[1:]:
        node.start()
    load.end("two nodes killed")

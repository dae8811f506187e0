"""A broker that takes connections and says nothing: frozen, or a balancer without one behind it. librabbitmq waits for it; we must not."""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import Any

import figures
import pytest
from authority import Authority
from proxy import Link, Proxy
from sandbox.rabbit import RabbitServer
from sandbox.processes import wait_until
from tls import TlsBroker

HANDSHAKE = 3  # seconds that one waits at most
NO_ANSWER = "it takes connections and does not answer"


class Silent(Proxy):
    """Takes connections, and passes nothing on until it is told to."""

    def __init__(self, port: int) -> None:
        self.speaks = threading.Event()
        super().__init__(port)

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if not self.speaks.wait(120):
            raise OSError("silent for good")


def slowest_answer(url: str, seconds: float) -> float:
    slowest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        with urllib.request.urlopen(url, timeout=30) as answer:
            answer.read()
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)
    return slowest


@pytest.mark.alone
@pytest.mark.parametrize("how", ["plain", "tls"])
def test_a_broker_that_takes_connections_and_says_nothing_is_waited_for_once(stage, notifyd, rabbit, server_folder, how):
    stage.webhook(secret=None)
    broker: dict[str, Any] = {"reconnect_max": 1.0}
    made = None
    if how == "tls":
        authority = Authority(server_folder / "authority-silent")
        made = TlsBroker(rabbit, authority)
    with Silent(made.listen(authority.files("localhost")) if made else rabbit.port) as way:
        if made:
            broker.update(url=TlsBroker.url(stage.broker_url, way.port, "localhost"), ca_file=str(authority.file))
        else:
            broker.update(url=stage.broker_url.replace(f":{rabbit.port}", f":{way.port}"))
        one = notifyd({"broker": broker}, ready=False)
        for role in ("agent", "worker"):
            wait_until(lambda: [e for e in one.events("broker_link_down") if NO_ANSWER in e["reason"] and e["process"].startswith(role)],
                       5 * HANDSHAKE, f"the {role} knows")
        figures.hold("slowest answer of /healthz while the broker says nothing, s", slowest_answer(f"{one.agent_url}/healthz", 8), 0.5)
        assert not one.events("database_link_down"), "nothing else suffers"
        way.speaks.set()
        one.wait_event("worker_ready", count=2, timeout=10)
        stage.wait_arrivals([stage.publish()])
    if made:
        made.close()

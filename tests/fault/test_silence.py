"""Networks that swallow everything without a word, between notifyd and its database or a receiver. Its broker: test_broker_links."""

from __future__ import annotations

import time

import figures
from far import NETWORK, link  # noqa: F401 (a fixture)
from sandbox.bulk import BulkPublisher

RATE, SECONDS = 200, 6
CUT = 4.0  # seconds for which nothing arrives


def publisher(stage, word: str) -> BulkPublisher:
    made = BulkPublisher(stage.broker_url, "notify", (stage.event(word) for _ in range(RATE * SECONDS)), rate=RATE)
    made.start()
    return made


def port_of(stage) -> int:
    return int(stage.broker_url.split("@127.0.0.1:")[1].split("/")[0])


def test_a_database_behind_a_network_that_swallows_everything(stage, notifyd, link):
    stage.webhook(secret=None)
    link.here(port_of(stage), stage.receiver.port)
    one = notifyd({"database": {"url": link.beyond(stage.database.url), "timeout": 2.0, "reconnect_max": 1.0}}, wrapper=link.wrapper)
    pids = one.workers()
    load = publisher(stage, "scan_done")
    stage.receiver.wait_for(RATE)
    link.cut()
    cut = time.monotonic()
    try:
        one.wait_event("database_link_down", count=2, timeout=10)
        noticed = time.monotonic() - cut
        time.sleep(max(0.0, CUT - noticed))
    finally:
        link.heal()
    healed = time.monotonic()
    confirmed = load.finish()
    seen = stage.wait_arrivals(confirmed, 20)
    print(f"noticed after {noticed:.1f} s; all arrived {time.monotonic() - healed:.1f} s after the healing")
    stage.wait_settled(len(seen), 15)
    figures.hold("a database behind a dead link noticed (timeout 2 s, and until each link asks)", noticed, 2.5, "s")
    assert len(confirmed) == RATE * SECONDS
    assert one.workers() == pids and sum(seen.values()) == len(seen), "what could not be written was sent again"


def test_a_receiver_behind_a_network_that_swallows_everything(stage, notifyd, link):
    stage.webhook(url=link.beyond(stage.receiver.url("/far")), secret=None, events=["scan_done"])
    stage.webhook("/near", secret=None, events=["scan_started"])
    link.here(port_of(stage), stage.database.server.port, stage.receiver.port)
    one = notifyd({"delivery": {"timeout": 2.0, "connect_timeout": 1.0, "allow_networks": ["127.0.0.0/8", NETWORK]},
                   "gate": {"circuit_pause": 1.0, "circuit_max": 2.0}}, wrapper=link.wrapper)
    pids = one.workers()
    far = publisher(stage, "scan_done")
    stage.receiver.wait_for(RATE, "/far")
    link.cut()
    try:
        near = publisher(stage, "scan_started")
        time.sleep(CUT)
        asked = stage.receiver.count("/near")
        assert asked > 0.8 * RATE * CUT, f"only {asked} arrived at one that has no part in it"
    finally:
        link.heal()
    healed = time.monotonic()
    seen = stage.wait_arrivals(far.finish(), 30, "/far")
    print(f"all arrived {time.monotonic() - healed:.1f} s after the healing, {sum(seen.values()) - len(seen)} twice")
    assert set(stage.wait_arrivals(near.finish(), 10, "/near").values()) == {1}
    stage.wait_settled(2 * RATE * SECONDS, 20)
    assert one.workers() == pids and sum(seen.values()) - len(seen) <= 2 * 8, "more than were under way when it was cut"

"""The pace at which a backlog is delivered, with everything on one machine and the ledger on.

The bound is the one that is promised for two cores; with the sanitizers only that everything arrives is checked.
"""

from __future__ import annotations

import time

import pytest
from sandbox import bulk

pytestmark = pytest.mark.alone

EVENTS = 12_000


def test_a_backlog_is_delivered_at_3000_events_a_second(stage, notifyd, fast_receiver, sanitized, capsys):
    stage.webhook(url=fast_receiver.url)
    ids = bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(EVENTS)])
    assert len(ids) == EVENTS
    daemon = notifyd({"workers": 2, "log": {"level": "warn"}}, ready=False)

    def settled() -> int:
        return stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'")[0][0]

    stage.wait(lambda: settled() > 0, 30)
    begun, at_begin = time.monotonic(), settled()
    deadline = begun + 120
    while settled() < EVENTS:
        assert time.monotonic() < deadline, f"{settled()} of {EVENTS} delivered"
        time.sleep(0.1)
    rate = (EVENTS - at_begin) / (time.monotonic() - begun)
    with capsys.disabled():
        print(f"\nthroughput: {rate:.0f} events/s ({EVENTS} events, 2 workers)")
    assert daemon.pid
    if not sanitized:
        assert rate >= 3000

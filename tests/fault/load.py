"""Events at an even rate through a fault, and the comparison of what arrived with what was confirmed."""

from __future__ import annotations

import time

from sandbox import bulk

RATE = 500


class Load:
    """RATE events a second for some seconds, through whatever happens meanwhile, to one webhook, /hook."""

    def __init__(self, stage, notifyd, seconds: float, rate: int = RATE, **settings) -> None:
        stage.webhook(secret=None)
        self.stage = stage
        quick = {"broker": {"reconnect_max": 2.0}, "database": {"timeout": 3.0, "reconnect_max": 1.0}}
        self.one = notifyd({**quick, **settings})
        self.pids = {p.pid for p in self.one.family()}
        self.publisher = bulk.BulkPublisher(stage.broker_url, "notify",
                                            (stage.event() for _ in range(int(seconds * rate))), rate=rate)
        self.publisher.start()
        stage.receiver.wait_for(rate, "/hook")
        self.started = time.monotonic()

    def end(self, what: str, others: int = 0) -> int:
        """All that was confirmed has arrived, and the same processes are at work; returns how many requests were repeats.

        OTHERS: deliveries that the test has made beside these.
        """
        confirmed = self.publisher.finish(120)
        seen = self.stage.wait_arrivals(confirmed, 60)
        took = time.monotonic() - self.started
        repeats = sum(seen.values()) - len(seen)
        unknown = len(self.publisher.unknown)
        print(f"{what}: {len(confirmed)} confirmed, all delivered {took:.1f} s after it began; {repeats} requests repeated;"
              f" {unknown} events of unknown fate, {len(seen.keys() - set(confirmed))} of them delivered")
        assert {p.pid for p in self.one.family()} == self.pids, "a process was replaced"
        self.stage.wait_settled(len(seen) + others, 30)
        return repeats

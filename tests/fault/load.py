"""Events at an even rate through a fault, and the comparison of what arrived with what was confirmed."""

from __future__ import annotations

import time

import figures
from sandbox import bulk

RATE = 500
FULL_RATE = 5  # seconds after the servers are back (docs/guarantees.md)


class Load:
    """RATE events a second for some seconds, through whatever happens meanwhile, to one webhook, /hook."""

    def __init__(self, stage, notifyd, seconds: float, rate: int = RATE, **settings) -> None:
        stage.webhook(secret=None)
        self.stage, self.rate = stage, rate
        self.back: float | None = None
        quick = {"database": {"timeout": 3.0}}
        self.one = notifyd({**quick, **settings})
        self.pids = {p.pid for p in self.one.family()}
        self.publisher = bulk.BulkPublisher(stage.broker_url, "notify",
                                            (stage.event() for _ in range(int(seconds * rate))), rate=rate)
        self.publisher.start()
        stage.receiver.wait_for(rate, "/hook")
        self.started = time.monotonic()

    def is_back(self) -> None:
        """What the load needs is whole again, from now on."""
        self.back = time.monotonic()

    def _full_rate(self) -> float:
        """Seconds from then until the receiver got as many in a second as are published in one."""
        times = sorted(r.at for r in self.stage.receiver.requests("/hook") if r.at >= self.back)
        full = int(0.9 * self.rate)
        return next(first - self.back for first, last in zip(times, times[full - 1:]) if last - first <= 1)

    def end(self, what: str, others: int = 0) -> int:
        """All that was confirmed has arrived, and the same processes are at work; returns how many requests were repeats.

        OTHERS: deliveries that the test has made beside these. After `is_back` the rate has to be back in time, too.
        """
        confirmed = self.publisher.finish(120)
        seen = self.stage.wait_arrivals(confirmed, 60)
        took = time.monotonic() - self.started
        repeats = sum(seen.values()) - len(seen)
        unknown = len(self.publisher.unknown)
        print(f"{what}: {len(confirmed)} confirmed, all delivered {took:.1f} s after it began; {repeats} requests repeated;"
              f" {unknown} events of unknown fate, {len(seen.keys() - set(confirmed))} of them delivered")
        assert {p.pid for p in self.one.family()} == self.pids, "a process was replaced"
        if self.back is not None:
            figures.hold(f"full rate after {what}", self._full_rate(), FULL_RATE, "s")
        figures.hold(f"lost, {what}", len(set(confirmed) - seen.keys()), 0)
        self.stage.wait_settled(len(seen) + others, 30)
        return repeats

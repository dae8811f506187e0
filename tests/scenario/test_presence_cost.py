"""What it costs a worker that Celery's tools look: processor time per event, which other load on the machine changes little."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from celery_side import NODE
from sandbox import bulk

EVENTS, ROUNDS, RATE = 4000, 3, 1000


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.long
@pytest.mark.alone
def test_task_events_at_a_thousand_a_second_cost_a_worker_little(stage, notifyd, celery, monitor, fast_receiver):
    """The worker's processor time per event with events on is at most a quarter above that with events off, and few are lost."""
    stage.webhook(url=fast_receiver.url, secret=None)
    one = notifyd({"workers": 1, "celery": {"heartbeat": 0.5}, "delivery": {"per_integration": 64}, "gate": {"rate_webhook": 0.0}})
    one.wait_event("presence_shown")
    [pid] = one.workers()
    cost: dict[bool, list[float]] = {True: [], False: []}
    done = 0

    def run() -> float:
        nonlocal done
        before = cpu_seconds(pid)
        for _ in range(EVENTS // 200):
            began = time.monotonic()
            bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(200)])
            time.sleep(max(0, 200 / RATE - (time.monotonic() - began)))
        done += EVENTS
        stage.wait_settled(done, 120)
        return (cpu_seconds(pid) - before) / EVENTS * 1e6

    run()  # warm
    for _ in range(ROUNDS):
        for on in (False, True):
            celery.ask("enable_events" if on else "disable_events")
            cost[on].append(run())
    stage.wait(lambda: monitor.types().count("task-succeeded") >= EVENTS * ROUNDS * 0.99, 60)
    off, on = min(cost[False]), min(cost[True])
    lost = one.counter("task_events_lost")
    print(f"microseconds of a worker per event: {off:.0f} with events off, {on:.0f} with them on; {lost} of {EVENTS * ROUNDS * 3} lost")
    assert on < off * 1.25, (cost, lost)
    assert lost < EVENTS * ROUNDS * 3 * 0.01 and monitor.state.workers[NODE].alive

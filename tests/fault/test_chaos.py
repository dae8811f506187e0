"""Nothing that the broker confirmed is lost, whatever dies: every delivery that the filters ask for is made, or dead with a reason."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import evidence
import figures
import pytest
from chaos import INTEGRATIONS, SETTINGS, Chaos, Memory, Servers, Tally, World
from sandbox import bulk
from sandbox.receiver import Receiver
from test_memory import figure
from test_restarts import postgres, rabbit  # noqa: F401 (servers of their own, that go and come)


@pytest.fixture
def tally():
    return Tally()


@pytest.fixture
def receiver(tally):
    with Receiver(keep=False, on_request=tally) as made:
        yield made


def ledger(stage) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {(event, integration): (state, reason) for event, integration, state, reason in stage.database.query(
        "SELECT event_id, integration_id::text, state, reason FROM notify.deliveries")}


def open_rows(stage) -> int:
    return stage.database.query("SELECT (SELECT count(*) FROM notify.deliveries WHERE state IN ('sending', 'waiting', 'deferred'))"
                                " + (SELECT count(*) FROM notify.events WHERE state IN ('open', 'scheduled'))")[0][0]


def lost(world: World, confirmed: list[str], rows: dict, tally: Tally) -> list[str]:
    """What was asked for and neither arrived nor is dead with a reason."""
    missing = []
    for event in confirmed:
        for integration in world.wanted[event]:
            path = world.path[integration]
            state, reason = rows.get((event, integration), ("no row", None))
            arrived = path.startswith("/slack/") or tally.taken[path, event] > 0
            if not (state == "delivered" and arrived or state == "dead" and reason):
                missing.append(f"{event} to {path}: {state}, {'arrived' if arrived else 'not arrived'}")
    chats = {path: count for path, count in delivered_to(world, rows).items() if path.startswith("/slack/")}
    return missing + [f"{count - tally.taken[path, None]} of {count} to {path}: delivered, not arrived"
                      for path, count in chats.items() if tally.taken[path, None] < count]


def delivered_to(world: World, rows: dict) -> Counter[str]:
    """How many deliveries to each path the ledger calls delivered."""
    return Counter(world.path[integration] for (_, integration), (state, _) in rows.items() if state == "delivered")


def repeats(world: World, rows: dict, tally: Tally) -> int:
    """Requests that were answered with success and made again. Of chat messages all of a channel are counted together."""
    delivered = delivered_to(world, rows)
    chats = sum(max(0, count - delivered[path]) for (path, id), count in tally.taken.items() if id is None)
    return chats + sum(count - 1 for (_, id), count in tally.taken.items() if id is not None)


def test_chaos(chaos):
    chaos(1, 5000, 400)


@pytest.mark.long
def test_chaos_with_100000_events(chaos, long_seed):
    if evidence.known("chaos", long_seed):
        pytest.skip("docs/evidence.md has this seed at this commit")
    evidence.note("chaos", long_seed, chaos(long_seed, 100_000, 700))


@pytest.fixture
def chaos(stage, notifyd, rabbit, postgres, receiver, tally, sanitized):
    """A function of a seed, a number of events and a rate per second; it returns what came of it, in words."""
    servers = Servers(rabbit, postgres, receiver, lambda: notifyd(SETTINGS, ready=False))
    bounds = {} if sanitized else {"worker": worker_bound(), "agent": figure("the agent")}
    return lambda seed, count, rate: through_chaos(stage, servers, tally, bounds, seed, count, rate)


def worker_bound() -> int:
    """KiB, of one whose every place is taken: docs/performance.md. An event matches five integrations at most."""
    return (figure("a worker at rest") + (256 + 128) * INTEGRATIONS * figure("a message in hand")
            + 256 * figure("a request under way") + figure("messages on their way to the broker"))


def through_chaos(stage, servers: Servers, tally: Tally, bounds: dict[str, int], seed: int, count: int, rate: float) -> str:
    world = World(stage, random.Random(seed), servers.receiver)
    rabbit, servers.paths = servers.rabbit, sorted(world.path.values())
    servers.begin()
    servers.daemon.wait_ready()
    publisher = bulk.BulkPublisher(stage.broker_url, "notify", world.events(count), rate=rate)
    publisher.start()
    acts, memory = Chaos(servers, random.Random(f"acts of {seed}"), 0.4), Memory(servers)
    memory.start()
    acts.start()
    confirmed = publisher.finish(300 + count / rate * 10)
    acts.end()
    calm = time.monotonic()
    try:
        stage.wait(lambda: open_rows(stage) == 0 and idle(rabbit, stage), 120)
    except AssertionError:
        pytest.fail(f"seed {seed} does not come to rest: {dict(acts.done)}, {unfinished(stage, rabbit)}", pytrace=False)
    took = time.monotonic() - calm
    memory.end()
    for role, bound in bounds.items():
        figures.hold(f"chaos, memory of a process ({role})", memory.most[role] / 1024, bound / 1024, "MiB")
    return judge(seed, world, publisher, confirmed, acts, memory, ledger(stage), tally, took)


def unfinished(stage, rabbit) -> dict[str, Any]:
    """What stands in the way of rest."""
    vhost = stage.broker_url.rsplit("/", 1)[1]
    return {
        "events": stage.database.query("SELECT state, reason, count(*), min(id) FROM notify.events WHERE state IN ('open', 'scheduled') GROUP BY 1, 2"),
        "deliveries": stage.database.query("SELECT state, count(*), min(event_id), min(due_at - now())::text, max(due_at - now())::text,"
                                           " min(lease_until - now())::text FROM notify.deliveries"
                                           " WHERE state IN ('sending', 'waiting', 'deferred') GROUP BY 1"),
        "mailboxes": stage.database.query("SELECT integration_id::text, (wake_at - now())::text, (circuit_until - now())::text, rate, failing_since::text, last_error, last_success_at::text, (SELECT count(*) FROM notify.deliveries d WHERE d.integration_id = s.integration_id AND state = 'deferred') FROM notify.integration_state s WHERE wake_at IS NOT NULL"),
        "queues": {q["name"]: (q["messages_ready"], q["messages_unacknowledged"]) for q in rabbit.list_queues(vhost) if q["messages"]},
    }


def idle(rabbit, stage) -> bool:
    vhost = stage.broker_url.rsplit("/", 1)[1]
    return all(q["messages"] == 0 for q in rabbit.list_queues(vhost) if q["name"] != "notify.dead")


def judge(seed: int, world: World, publisher: Any, confirmed: list[str], acts: Chaos, memory: Memory, rows: dict,
          tally: Tally, took: float) -> str:
    begun, promised = set(confirmed) | set(publisher.unknown), set(confirmed)
    missing = lost(world, [id for id in world.wanted if id.split(".")[0] in promised], rows, tally)
    strange = [key for key in rows if key[0].split(".")[0] not in begun or key[1] not in world.wanted[key[0]]]
    again, at_stake = repeats(world, rows, tally), sum(
        int(e["unwritten"]) for daemon in acts.servers.daemons for e in daemon.events("child_ended") if e["how"] == "Killed")
    states = Counter(state if state != "dead" else f"dead: {reason}" for state, reason in rows.values())
    did = ", ".join(f"{name} {times}" for name, times in sorted(acts.done.items()))
    found = (f"{len(confirmed)} events confirmed, {len(publisher.unknown)} of unknown fate; {did}; deliveries: "
             + ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
             + f"; {tally.refused} requests refused; at rest {took:.1f} s after the last act; {again} requests repeated"
             f" of {at_stake} that were at stake; at most {memory.most['worker'] / 1024:.1f} MiB in a worker,"
             f" {memory.most['agent'] / 1024:.1f} in an agent; {len(missing)} lost")
    print(found)
    assert not missing, f"seed {seed}: {missing[:5]}"
    assert not strange, f"seed {seed}: nobody asked for these: {strange[:5]}"
    figures.hold("chaos, lost", len(missing), 0)
    figures.hold("chaos, repeated beyond what was at stake", max(0, again - at_stake), 0)
    return found

"""All kinds of bad receivers at once, for a while, under load: each fails for its own reason and within its time, nobody else notices,
and when they are mended all that was meant for them arrives.

What a single answer of theirs leads to is in scenario/test_egress.py (hang, drip, endless headers and bodies, bombs, redirects, wrong
lengths, resets, garbage, old and interim versions of HTTP, certificates, names, Retry-After), private addresses in scenario/test_ssrf.py, a
network that swallows everything in test_silence.py, and what many slow ones cost in scenario/test_gate.py. Only here: a full backlog
(SYN upon SYN is dropped), a name that takes ten seconds, `100 Continue` with nothing behind it, and all of them together.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any, Iterator

import figures
import pytest
from authority import Authority
from hostile import RawServer, Silent, endlessly, reset_after, slowly
from names import FAIL, NameServer
from sandbox.answers import Answer
from sandbox.bulk import BulkPublisher
from sandbox.receiver import Receiver
from test_growth import anonymous_kib

pytestmark = pytest.mark.usefixtures("counted")

RATE, SECONDS = 200, 8  # for the neighbour
EVENTS = 40  # for each of the others
TIMEOUT = 2.0
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def stays(connection: Any) -> None:
    time.sleep(2 * TIMEOUT)


def continues_for_ever(connection: Any) -> None:
    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    stays(connection)


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer({"slow.test": ["127.0.0.1"], "broken.test": FAIL}) as made:
        made.delay("slow.test", 10)
        yield made


@pytest.fixture
def kinds(stage: Any, names: NameServer, tmp_path: Any) -> Iterator[dict[str, tuple[str, str | None]]]:
    """A URL for each kind, and the error that its attempts end with; None: it is a success."""
    raw, backlog = RawServer(), Silent()
    authority = Authority(tmp_path / "authority")
    expired, alone, other = (Receiver(tls=context) for context in (
        authority.context("127.0.0.1", days=(-10, -1)), authority.context("127.0.0.1", own=True), authority.context("other.example")))
    stage.receiver.script("/hang", Answer(instead="hang"))
    stage.receiver.script("/endless", Answer(endless=True))
    stage.receiver.script("/bomb", Answer(body=bytes(20_000_000), gzip=True))
    stage.receiver.script("/loop", Answer(307, (("Location", stage.receiver.url("/loop")),)))
    stage.receiver.script("/year", Answer(503, (("Retry-After", "31536000"),)))
    stage.receiver.script("/garbage", Answer(503, (("Retry-After", "\x7f" * 300),)))
    yield {
        "backlog": (f"http://127.0.0.1:{backlog.port}/", "timeout"),
        "silence": (stage.receiver.url("/hang"), "timeout"),
        "drip": (raw.url("/drip", slowly(OK_HEAD * 9, 1.0)), "timeout"),
        "continue": (raw.url("/continue", continues_for_ever), "timeout"),
        "headers": (raw.url("/headers", endlessly(OK_HEAD, b"X-More: " + b"m" * 500 + b"\r\n")), "bad_answer"),
        "endless body": (stage.receiver.url("/endless"), None),
        "bomb": (stage.receiver.url("/bomb"), None),
        "redirects": (stage.receiver.url("/loop"), "redirect"),
        "too long": (raw.url("/long", OK_HEAD + b"Content-Length: 99\r\n\r\nshort"), "connection_lost"),
        "reset": (raw.url("/reset", reset_after(OK_HEAD + b"Content-Length: 99\r\n\r\n")), "connection_lost"),
        "garbage": (raw.url("/garbage", b"\0\xff" * 500), "bad_answer"),
        "expired": (expired.url("/"), "tls"), "self-signed": (alone.url("/"), "tls"), "other name": (other.url("/"), "tls"),
        "slow name": ("http://slow.test:9/", "timeout"), "no name": ("http://broken.test/", "dns"),
        "a year": (stage.receiver.url("/year"), "http_status"), "Retry-After of garbage": (stage.receiver.url("/garbage"), "http_status"),
    }
    for one in (expired, alone, other, raw):
        one.stop()
    backlog.close()


class Memory(threading.Thread):
    """The most that the workers held at a time, each."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__(daemon=True)
        self.pids, self.most, self.ended = pids, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, *map(anonymous_kib, self.pids))

    def end(self) -> int:
        self.ended.set()
        self.join()
        return self.most


def longest_gap(times: list[float]) -> float:
    return max(b - a for a, b in zip(times, times[1:]))


def test_all_bad_receivers_at_once_slow_no_neighbour_and_get_everything_when_they_are_mended(
        stage, notifyd, kinds, names, sanitized, tmp_path):
    stage.webhook("/good", secret=None, events=["scan_started"], name="good")
    hooks = {stage.webhook(url=url, secret=None, events=["scan_done"], name=name).id: name for name, (url, _) in kinds.items()}
    stage.webhook("/mended", secret=None, enabled=False, name="mended")
    one = notifyd({"delivery": {"timeout": TIMEOUT, "connect_timeout": 1.0}, "sweep": {"grace": 2.0},
                   "retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0, "max_attempts": 100, "max_retry_after": 5.0},
                   "gate": {"circuit_pause": 1.0, "circuit_max": 2.0}}, wrapper=names.wrapper(tmp_path / "names"))
    workers = one.workers()
    rest = max(map(anonymous_kib, workers))
    memory = Memory(workers)
    good = BulkPublisher(stage.broker_url, "notify", (stage.event("scan_started") for _ in range(RATE * SECONDS)), rate=RATE)
    good.start()
    stage.receiver.wait_for(RATE, "/good")
    bad = BulkPublisher(stage.broker_url, "notify", (stage.event("scan_done") for _ in range(EVENTS)), rate=EVENTS / 4)
    bad.start()
    ids = good.finish()
    published = time.monotonic()
    seen = stage.wait_arrivals(ids, path="/good")
    last, gap = stage.receiver.requests("/good")[-1].at, longest_gap([r.at for r in stage.receiver.requests("/good")])
    events = bad.finish()
    most = memory.end()
    stage.wait(lambda: len(stage.deliveries()) == len(ids) + EVENTS * len(kinds), 20, "each has its row")
    errors = {name: dict(stage.database.query("SELECT error, count(*) FROM notify.attempts JOIN integrations ON id = integration_id"
                                              " WHERE name = %s GROUP BY 1", (name,))) for name in kinds}
    slowest = stage.database.query("SELECT max(duration_ms) FROM notify.attempts")[0][0]

    stage.database.execute("UPDATE integrations SET config_encrypted = (SELECT config_encrypted FROM integrations WHERE name = 'mended')"
                           " WHERE name <> 'good'")
    mended = time.monotonic()
    stage.wait(lambda: all(d["state"] in ("delivered", "dead") for d in stage.deliveries()), 40, "something still waits")
    ends = Counter((hooks.get(d["integration_id"], "good"), d["state"], d["reason"] or None) for d in stage.deliveries())
    print(f"neighbour: the last one arrived {last - published:+.2f} s after its publish, {gap:.2f} s at most without one; workers hold"
          f" {rest} KiB at rest and {most} at most; the longest request took {slowest} ms; all settled {time.monotonic() - mended:.1f} s"
          f" after the mending; attempts {({name: sum(found.values()) for name, found in errors.items()})}")
    assert set(seen.values()) == {1} and last - published < 1
    figures.hold("longest gap for a neighbour of all bad receivers", gap, 1, "s")
    assert {name: set(found) for name, found in errors.items()} == {name: {error} - {None} for name, (_, error) in kinds.items()}
    assert slowest < (TIMEOUT + 0.5) * 1000
    assert one.workers() == workers and (sanitized or most - rest < 24 * 1024)
    redirected = ends.pop(("redirects", "dead", "rejected"))
    ends[("redirects", "delivered", None)] += redirected
    assert ends == {("good", "delivered", None): len(ids), **{(name, "delivered", None): EVENTS for name in kinds}}
    assert redirected > 0 and set(stage.arrivals("/mended").keys()) == set(events)

"""What receivers answer, and what becomes of it: the good, the slow, the broken and the hostile."""

from __future__ import annotations

import datetime
import email.utils
import gzip
import json
import os
import ssl
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from authority import Authority
from stage import dead_letters
from hostile import RawServer, endlessly, reset_after, slowly
from names import FAIL, SILENT, NameServer
from sandbox import producer
from sandbox.answers import Answer
from sandbox.processes import HeldPort
from sandbox.receiver import Receiver

# What an old server speaks is old by intention.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.fixture
def raw():
    server = RawServer()
    yield server
    server.stop()


class End(NamedTuple):
    """What a delivery's row says after its first attempt."""

    state: str
    reason: str | None
    error: str | None
    status: int | None


DELIVERED = End("delivered", None, None, 200)
REDIRECT = "dead", "rejected", "redirect"


def waiting(error: str, status: int | None = None) -> End:
    return End("waiting", None, error, status)


def hold_to_account(stage: Any, cases: dict[str, tuple[str, End]], timeout: float = 15) -> dict[str, Any]:
    """One webhook per case (a URL and how it ends), one event for all; returns the rows by the cases' names."""
    hooks = {stage.webhook(url=url, name=name).id: name for name, (url, _) in cases.items()}
    event = stage.publish()
    stage.wait(lambda: len(stage.deliveries(event)) == len(cases), timeout)
    rows = {hooks[row["integration_id"]]: row for row in stage.deliveries(event)}
    got = {name: End(*(row[key] or None for key in ("state", "reason", "error", "status"))) for name, row in rows.items()}
    wrong = [f"{name}: {got[name]}, not {wanted}" for name, (_, wanted) in cases.items() if got[name] != wanted]
    assert not wrong, "\n".join(wrong)
    assert {row["attempt"] for row in rows.values()} == {1}
    return rows


def peak_memory(pid: int) -> int:
    """The largest resident size so far, in MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


# A retry far away: what the first attempt left behind can be looked at in peace.
ONCE = {"retry": {"base": 300, "jitter": 0}, "delivery": {"timeout": 2.0, "connect_timeout": 1.0}}


# --- connections

def test_one_connection_serves_one_delivery_after_the_other(stage, notifyd):
    stage.webhook()
    notifyd({"workers": 1, "delivery": {"per_integration": 1}})
    events = [stage.event() for _ in range(40)]
    for e in events:
        producer.publish_event(stage.broker_url, e)
    stage.receiver.wait_for(40)
    stage.wait(lambda: len(stage.deliveries()) == 40)
    assert stage.receiver.connections == 1
    assert len({r.connection for r in stage.receiver.requests()}) == 1


def test_a_kept_connection_that_the_server_has_closed_costs_no_delivery(stage, notifyd):
    stage.webhook()
    notifyd({"workers": 1})
    for n in range(1, 4):
        stage.publish()
        stage.wait(lambda: len(stage.deliveries()) == n)
        stage.receiver.drop_connections()
        stage.wait(lambda: stage.receiver.open_connections() == 0)
    assert {(row["state"], row["attempt"]) for row in stage.deliveries()} == {("delivered", 1)}
    assert (stage.receiver.count(), stage.receiver.connections) == (3, 3)


def test_a_kept_connection_that_the_server_has_closed_does_not_keep_the_loop_busy(stage, notifyd, sanitized):
    """Its descriptor is readable from then on, and stays watched until somebody looks."""
    stage.webhook()
    worker, = notifyd({"workers": 1}).workers()
    stage.publish()
    stage.wait(lambda: stage.deliveries())
    stage.receiver.drop_connections()
    stage.wait(lambda: stage.receiver.open_connections() == 0)
    before = cpu_seconds(worker)
    time.sleep(1)
    assert cpu_seconds(worker) - before < (0.5 if sanitized else 0.1)
    stage.publish()
    stage.wait(lambda: len(stage.deliveries()) == 2)


def test_no_integration_gets_more_requests_at_a_time_than_its_window(stage, notifyd):
    """The answer comes 0.4 s after the request, so requests that arrive within less than that run side by side."""
    for path in ("/a", "/b"):
        stage.webhook(path)
        stage.receiver.script(path, Answer(delay=0.4))
    notifyd({"workers": 1, "delivery": {"per_integration": 3}})
    for _ in range(12):
        stage.publish()
    for path in ("/a", "/b"):
        times = sorted(r.at for r in stage.receiver.wait_for(12, path))
        beside = [sum(1 for t in times if at <= t < at + 0.39) for at in times]
        assert max(beside) == 3, beside
    stage.wait(lambda: len(stage.deliveries()) == 24)


def test_a_slow_destination_holds_nobody_up(stage, notifyd):
    stage.webhook("/slow")
    stage.webhook("/quick")
    stage.receiver.script("/slow", Answer(delay=3))
    notifyd({"workers": 1, "shutdown_grace": 12, "delivery": {"timeout": 6.0, "per_integration": 2}})
    begun = time.monotonic()
    for _ in range(20):
        stage.publish()
    quick = stage.receiver.wait_for(20, "/quick")
    assert max(r.at for r in quick) - begun < 2.5
    assert stage.receiver.count("/slow") == 2
    stage.wait(lambda: len(stage.deliveries()) >= 22)
    stage.receiver.script("/slow", Answer())  # so that the rest need not be waited for
    stage.receiver.drop_connections()


# --- one answer, one outcome

def test_every_answer_has_its_outcome(stage, raw, notifyd):
    receiver = stage.receiver
    elsewhere = Receiver()
    redirect = (("Location", elsewhere.url("/new")),)
    closed = HeldPort()
    made: dict[str, tuple[str, End]] = {
        "no listener": (f"http://127.0.0.1:{closed.number}/", waiting("connect")),
        "garbage": (raw.url("/garbage", b"SSH-2.0-OpenSSH_9.2\r\n"), waiting("bad_answer")),
        "HTTP/0.9": (raw.url("/old", b"<html>welcome</html>"), waiting("bad_answer")),
        "a version of the future": (raw.url("/future", b"HTTP/7.1 200 OK\r\nContent-Length: 0\r\n\r\n"), waiting("bad_answer")),
        "a status that is a word": (raw.url("/word", b"HTTP/1.1 two OK\r\nContent-Length: 0\r\n\r\n"), waiting("bad_answer")),
        "a version of two digits": (raw.url("/version", b"HTTP/20.1 503 x\r\nContent-Length: 0\r\n\r\n"), waiting("bad_answer")),
        "a status of four digits": (raw.url("/status", b"HTTP/25031 OK\r\nContent-Length: 0\r\n\r\n"), waiting("bad_answer")),
        "two lengths": (raw.url("/two", OK_HEAD + b"Content-Length: 5\r\nContent-Length: -7\r\n\r\n12345"), waiting("bad_answer")),
        "chunks that are none": (raw.url("/chunks", OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
                                 waiting("connection_lost")),
        "headers with a NUL": (raw.url("/nul", OK_HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"), waiting("bad_answer")),
        "half a status line": (raw.url("/half", b"HTTP/1.1 2"), waiting("connection_lost")),
        "headers without end": (raw.url("/headers", endlessly(OK_HEAD, b"X-More: " + b"m" * 500 + b"\r\n")), waiting("bad_answer")),
        "a header without end": (raw.url("/header", endlessly(OK_HEAD + b"X: ", b"m" * 4096)), waiting("bad_answer")),
        "interim answers without end": (raw.url("/interim", endlessly(b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")),
                                        waiting("bad_answer")),
        "trailers without end": (raw.url("/trailers", endlessly(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
                                                                b"X-Trailer: t\r\n")), waiting("bad_answer")),
        "a byte at a time": (raw.url("/drip", slowly(OK_HEAD * 10, 0.3)), waiting("timeout")),
        "a body by bytes": (raw.url("/body", slowly(OK_HEAD + b"Content-Length: 9000\r\n\r\n" + b"b" * 9000, 0.005)),
                            waiting("timeout")),
        "reset within the body": (raw.url("/reset-body", reset_after(OK_HEAD + b"Content-Length: 100\r\n\r\n12345")),
                                  waiting("connection_lost")),
        "reset within the headers": (raw.url("/reset-head", reset_after(OK_HEAD)), waiting("connection_lost")),
        "the end within a chunk": (raw.url("/cut", OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\nonly this"),
                                   waiting("connection_lost")),
        "no length and the end": (raw.url("/plain", OK_HEAD + b"\r\nall of it"), DELIVERED),
        "HTTP/1.0": (raw.url("/1.0", b"HTTP/1.0 200 OK\r\n\r\n"), DELIVERED),
        "an interim answer first": (raw.url("/hint", b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + OK_HEAD +
                                            b"Content-Length: 2\r\n\r\nok"), DELIVERED),
        "a change of protocols": (raw.url("/switch", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
                                  waiting("connection_lost")),
    }
    scripted: dict[str, tuple[Answer, End]] = {
        "an endless body": (Answer(endless=True), DELIVERED),
        "an endless body of an error": (Answer(500, endless=True), waiting("http_status", 500)),
        "a body of 20 MB": (Answer(body=b"x" * 20_000_000), DELIVERED),
        "a bomb in gzip": (Answer(body=bytes(50_000_000), gzip=True), DELIVERED),
        "an error in gzip": (Answer(500, body=b"readable", gzip=True), waiting("http_status", 500)),
        "no gzip though it says so": (Answer(headers=(("Content-Encoding", "gzip"),), body=b"plain"), DELIVERED),
        "1 MB of headers": (Answer(huge_headers=1_000_000), waiting("bad_answer")),
        "60 KB of headers": (Answer(huge_headers=60_000), DELIVERED),
        "silence": (Answer(instead="hang"), waiting("timeout")),
        "a reset": (Answer(instead="reset"), waiting("connection_lost")),
        "an end without an answer": (Answer(instead="close"), waiting("connection_lost")),
        "a length too long": (Answer(content_length=1000), waiting("connection_lost")),
        "a length too short": (Answer(content_length=1), DELIVERED),
        "200": (Answer(), DELIVERED), "204": (Answer(204), End("delivered", None, None, 204)),
        "201": (Answer(201), End("delivered", None, None, 201)), "299": (Answer(299), End("delivered", None, None, 299)),
        "301": (Answer(301, redirect), End(*REDIRECT, 301)), "302": (Answer(302, redirect), End(*REDIRECT, 302)),
        "303": (Answer(303, redirect), End(*REDIRECT, 303)), "307": (Answer(307, redirect), End(*REDIRECT, 307)),
        "308": (Answer(308, redirect), End(*REDIRECT, 308)), "300 without an address": (Answer(300), End(*REDIRECT, 300)),
        "410": (Answer(410), End("dead", "gone", "http_status", 410)),
        "999": (Answer(999), End("dead", "rejected", "http_status", 999)),
    }
    for status in (400, 401, 403, 404, 405, 409, 413, 418, 422, 451, 499):
        scripted[str(status)] = Answer(status), End("dead", "rejected", "http_status", status)
    for status in (408, 425, 429, 500, 501, 502, 503, 504, 520, 599):
        scripted[str(status)] = Answer(status), waiting("http_status", status)
    for number, (name, (answer, end)) in enumerate(scripted.items()):
        receiver.script(f"/{number}", answer)
        made[name] = receiver.url(f"/{number}"), end

    daemon = notifyd(ONCE)
    workers, before = daemon.workers(), max(map(peak_memory, daemon.workers()))
    hold_to_account(stage, made)
    assert elsewhere.connections == 0, "a redirect was followed"
    assert daemon.workers() == workers and max(map(peak_memory, workers)) - before < 24
    packed = stage.database.query("SELECT response FROM notify.deliveries WHERE get_byte(response, 0) = 31")
    assert [gzip.decompress(bytes(row[0])) for row in packed] == [b"readable"], "kept as it came"
    kept = stage.database.query("SELECT max(length(response)) FROM notify.deliveries")[0][0]
    assert kept == 1024
    assert held_back(stage) == len([1 for _, end in made.values() if end.state == "waiting"])
    elsewhere.stop()
    closed.release()


def held_back(stage: Any) -> int:
    """Rows that wait for a retry that has its time and whose attempt is on record."""
    return stage.database.query(
        "SELECT count(*) FROM notify.deliveries JOIN notify.attempts USING (event_id, integration_id, attempt)"
        " WHERE state = 'waiting' AND due_at > now()")[0][0]


def test_a_name_that_does_not_resolve_is_tried_again(stage, notifyd, tmp_path):
    with NameServer({"broken.test": FAIL, "mute.test": SILENT, "empty.test": []}) as names:
        stage.receiver.script("/quick", Answer())
        daemon = notifyd({**ONCE, "workers": 1}, wrapper=names.wrapper(tmp_path / "names"))
        begun = time.monotonic()
        hold_to_account(stage, {
            "no such name": ("http://nowhere.test/", waiting("dns")),
            "a failing server": ("http://broken.test/", waiting("dns")),
            "a name without addresses": ("http://empty.test/", waiting("dns")),
            "a silent server": ("http://mute.test/", waiting("timeout")),
            "an address beside them": (stage.receiver.url("/quick"), DELIVERED),
        })
        assert stage.receiver.requests("/quick")[0].at - begun < 1, "a name that is looked up holds up others"
        assert names.asked("nowhere.test") == 1 and len(daemon.workers()) == 1


# --- retries

def due_in(stage: Any, event: str) -> dict[str, float]:
    """Seconds from the last attempt to the next, by integration."""
    rows = stage.database.query("SELECT integration_id::text, extract(epoch FROM due_at - updated_at)::float8"
                                " FROM notify.deliveries WHERE event_id = %s AND state = 'waiting'", (event,))
    return dict(rows)


def test_a_failed_delivery_waits_on_the_ladder_and_arrives_at_its_second_attempt(stage, rabbit, vhost, notifyd):
    hook = stage.webhook("/again")
    stage.receiver.script("/again", Answer(503), Answer())
    notifyd({"retry": {"base": 3, "jitter": 0.2}})
    event = stage.publish(change_summary="ünïcode")
    stage.wait(lambda: stage.deliveries(event))
    row = stage.deliveries(event)[0]
    assert (row["state"], row["attempt"], row["error"], row["status"]) == ("waiting", 1, "http_status", 503)
    assert 3 <= due_in(stage, event)[hook.id] <= 4.1
    stage.wait(lambda: sum(rabbit.depth(f"notify.delay.{level}", vhost) for level in range(3)) == 1, 2)
    first, second = stage.receiver.wait_for(2, "/again")
    assert 3 <= second.at - first.at <= 5
    assert first.header["webhook-id"] == second.header["webhook-id"] and first.body == second.body
    assert first.header["webhook-signature"] != second.header["webhook-signature"], "the time is signed too"
    stage.wait(lambda: stage.deliveries(event)[0]["state"] == "delivered")
    row = stage.deliveries(event)[0]
    assert (row["attempt"], row["status"], row["error"], row["due_at"]) == (2, 200, None, None)
    assert stage.database.query("SELECT attempt, status, error FROM notify.attempts") == [(1, 503, "http_status")]


def test_pauses_grow_by_the_factor_and_end_with_the_last_attempt(stage, notifyd):
    stage.webhook("/down")
    stage.receiver.script("/down", Answer(500, body=b"\xff\x00 broken"))
    notifyd({"retry": {"base": 1, "factor": 2, "jitter": 0, "max_attempts": 3}})
    event = stage.publish()
    times = [r.at for r in stage.receiver.wait_for(3, "/down", timeout=15)]
    assert 0.9 <= times[1] - times[0] <= 2 and 1.9 <= times[2] - times[1] <= 3.2
    stage.wait(lambda: stage.deliveries(event)[0]["state"] == "dead")
    row = stage.deliveries(event)[0]
    assert (row["attempt"], row["reason"], row["error"], row["status"]) == (3, "attempts_exhausted", "http_status", 500)
    headers, properties, body = dead_letters(stage.broker_url, 1)[0]
    assert headers["x-notify-reason"] == "attempts_exhausted" and headers["x-notify-error"] == "http_status"
    assert headers["x-notify-attempt"] == 3 and headers["x-notify-integration"] == row["integration_id"]
    assert properties.message_id == event and json.loads(body)["finding_id"] == stage.high
    time.sleep(1)
    assert stage.receiver.count("/down") == 3


def test_retry_after_is_obeyed_in_both_forms_and_within_limits(stage, notifyd):
    date = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60), usegmt=True)
    past = "Sun, 06 Nov 1994 08:49:37 GMT"
    cases = {  # the header's value, the shortest and the longest pause that is right
        "seconds": ("30", 30, 30), "a date": (date, 45, 61), "less than the pause of our own": ("1", 10, 10),
        "a date in the past": (past, 10, 10), "nonsense": ("soon", 10, 10), "negative": ("-5", 10, 10),
        "a year": ("31536000", 120, 120), "more than any number": ("9" * 200, 120, 120), "none": (None, 10, 10),
    }
    hooks = {}
    for number, (name, (value, *_)) in enumerate(cases.items()):
        status = 429 if number % 2 == 0 else 503
        stage.receiver.script(f"/{number}", Answer(status, (("Retry-After", value),) if value else ()))
        hooks[stage.webhook(f"/{number}").id] = name
    notifyd({"retry": {"base": 10, "jitter": 0, "max_retry_after": 120}})
    event = stage.publish()
    stage.wait(lambda: len(due_in(stage, event)) == len(cases))
    pauses = {hooks[id]: pause for id, pause in due_in(stage, event).items()}
    wrong = {name: pauses[name] for name, (_, low, high) in cases.items() if not low - 0.5 <= pauses[name] <= high * 1.125 + 0.5}
    assert wrong == {}


# --- TLS

@pytest.fixture
def tls_cases(stage, tmp_path):
    """The authority, and receivers by what is wrong with them."""
    authority = Authority(tmp_path / "one")
    old = ssl.TLSVersion.TLSv1_1
    contexts = {
        "good": authority.context("127.0.0.1"), "signed by itself": authority.context("127.0.0.1", own=True),
        "another name": authority.context("other.example"), "another address": authority.context("127.0.0.2"),
        "expired": authority.context("127.0.0.1", days=(-10, -1)), "not valid yet": authority.context("127.0.0.1", days=(1, 10)),
        "TLS 1.1": authority.context("127.0.0.1", newest=old), "TLS 1.2": authority.context("127.0.0.1", newest=ssl.TLSVersion.TLSv1_2),
    }
    receivers = {name: Receiver(tls=context) for name, context in contexts.items()}
    yield authority, receivers
    for receiver in receivers.values():
        receiver.stop()


def test_only_a_certificate_that_the_listed_authority_signed_for_this_host_is_good(stage, raw, notifyd, tls_cases):
    authority, receivers = tls_cases
    notifyd({**ONCE, "delivery": {**ONCE["delivery"], "ca_file": str(authority.file), "allow_http": False}})
    cases = {name: (receiver.url("/hook"), DELIVERED if name in ("good", "TLS 1.2") else waiting("tls"))
             for name, receiver in receivers.items()}
    cases["plain HTTP on an https port"] = f"https://127.0.0.1:{raw.port}/", waiting("tls")
    hold_to_account(stage, cases)
    assert {name for name, receiver in receivers.items() if receiver.count()} == {"good", "TLS 1.2"}
    stage.database.execute("DELETE FROM integrations")
    # Handles that have carried requests are used again: what is said of those must not be believed of this one.
    refused = End("dead", "url_refused", "url", None)
    hold_to_account(stage, {f"http after https {n}": (stage.receiver.url("/"), refused) for n in range(20)})
    assert stage.receiver.connections == 0


def test_without_a_ca_file_only_the_systems_authorities_are_good(stage, notifyd, tls_cases):
    _, receivers = tls_cases
    notifyd(ONCE)
    hold_to_account(stage, {name: (receiver.url("/hook"), waiting("tls")) for name, receiver in receivers.items()})
    assert not any(receiver.count() for receiver in receivers.values())


def test_with_a_ca_file_the_systems_authorities_count_no_longer(stage, notifyd, tls_cases, tmp_path):
    """The authority stands among the system's (in the bundle and under its hashed name, as on Debian); another is listed."""
    authority, receivers = tls_cases
    system = tmp_path / "system"
    system.mkdir()
    for name in ("authority.pem", "ca-certificates.crt"):
        (system / name).write_bytes(authority.file.read_bytes())
    other = Authority(tmp_path / "other")
    wrapper = ("unshare", "-m", "sh", "-c",
               f"openssl rehash {system} && mount --bind {system} /etc/ssl/certs && exec \"$@\"", "sh")
    strict = notifyd({**ONCE, "delivery": {**ONCE["delivery"], "ca_file": str(other.file)}}, wrapper=wrapper)
    hold_to_account(stage, {"strict": (receivers["good"].url("/hook"), waiting("tls"))})
    strict.close()
    stage.database.execute("DELETE FROM integrations")
    notifyd(ONCE, wrapper=wrapper)
    hold_to_account(stage, {"the system's": (receivers["good"].url("/hook"), DELIVERED)})


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_systems_authorities_are_not_read_anew_for_each_connection(stage, notifyd, tls_cases, sanitized):
    """Each reading takes the loop some 50 to 100 ms of its time."""
    _, receivers = tls_cases
    daemon = notifyd({**ONCE, "workers": 1})
    worker, = daemon.workers()
    hold_to_account(stage, {"the first": (receivers["good"].url("/hook"), waiting("tls"))})
    before = cpu_seconds(worker)
    stage.database.execute("DELETE FROM integrations")
    hold_to_account(stage, {f"{n}": (receivers["good"].url("/hook"), waiting("tls")) for n in range(30)})
    spent = cpu_seconds(worker) - before
    assert sanitized or spent < 0.8, f"{spent:.2f} s for 30 handshakes"


# --- surroundings

def test_the_environments_proxies_are_ignored_and_the_configured_one_is_used(stage, notifyd):
    stage.webhook("/direct")
    with Receiver() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        environment = {name: address for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")}
        first = notifyd(env=environment)
        stage.publish()
        stage.receiver.wait_for(1, "/direct")
        assert proxy.connections == 0
        first.close()
        stage.database.execute("DELETE FROM integrations")
        stage.webhook(url="http://10.99.99.99/behind")
        notifyd({"delivery": {"proxy": address}}, env={"NO_PROXY": "*", "no_proxy": "*"})
        stage.publish()
        assert proxy.wait_for(1)[0].path == "http://10.99.99.99/behind"
        assert stage.receiver.count() == 1


def test_a_webhooks_own_headers_and_nothing_but_them_are_added(stage, notifyd):
    own = {"Authorization": "Bearer tok en", "X-Team": "blue;green, \"é\"", "Accept": "text/x"}
    stage.integration({"webhook_url": stage.receiver.url("/own"), "headers": own})
    stage.integration({"webhook_url": stage.receiver.url("/user").replace("http://", "http://us%40er:pa%3Ass@")})
    stage.integration({"webhook_url": stage.receiver.url("/bad"), "headers": {"X-Evil": "a\r\nHost: elsewhere"}})
    notifyd()
    event = stage.publish()
    stage.wait(lambda: len(stage.deliveries(event)) == 3)
    assert sorted((row["state"], row["reason"]) for row in stage.deliveries(event) if row["state"] == "dead") == [
        ("dead", "config_invalid")]
    request, = stage.receiver.requests("/own")
    assert request.header["authorization"] == "Bearer tok en" and request.header["accept"] == "text/x"
    assert request.header["x-team"].encode("latin-1").decode() == own["X-Team"]
    assert request.header["host"] == f"127.0.0.1:{stage.receiver.port}" and "expect" not in request.header
    assert set(request.header) == {"host", "authorization", "x-team", "accept", "content-type", "content-length", "user-agent",
                                   "x-pencheff-timestamp", "webhook-id", "webhook-timestamp"}
    assert stage.receiver.requests("/user")[0].header["authorization"].startswith("Basic ")
    assert stage.receiver.count("/bad") == 0

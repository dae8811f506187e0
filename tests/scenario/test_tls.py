"""TLS to the broker: events come and go over it, and a broker that is not the one that was meant gets nothing."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

import pytest
from authority import Authority
from ctl import on_stage
from proxy import Cuttable
from sandbox.bulk import BulkPublisher
from sandbox.daemon import conf_text
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer
from stage import dead_letters
from tls import Mute, TlsBroker

HOST = "localhost"


@pytest.fixture(scope="module")
def authority(server_folder: Path) -> Authority:
    return Authority(server_folder / "authority-broker")


@pytest.fixture(scope="module")
def rabbit(server_folder: Path) -> Iterator[RabbitServer]:
    """A node of the module's own: listeners stay until it ends."""
    server = RabbitServer(server_folder / "rabbit-tls")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="module")
def broker(rabbit: RabbitServer, authority: Authority) -> Iterator[TlsBroker]:
    made = TlsBroker(rabbit, authority)
    yield made
    made.close()


@pytest.fixture(scope="module")
def port(broker: TlsBroker, authority: Authority) -> int:
    """A listener in good order."""
    return broker.listen(authority.files(HOST))


def settings(stage: Any, authority: Authority, port: int, host: str = HOST, **more: Any) -> dict[str, Any]:
    return {"url": TlsBroker.url(stage.broker_url, port, host), "ca_file": str(authority.file), "heartbeat": 10, **more}


def password(stage: Any) -> str:
    return stage.broker_url.split("@")[0].rsplit(":", 1)[1]


def client_certificate(files: tuple[Path, Path]) -> dict[str, str]:
    return {"cert_file": str(files[0]), "key_file": str(files[1])}


def test_events_are_delivered_and_retried_over_tls(stage, notifyd, rabbit, broker, authority, port, vhost):
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    one = notifyd({"broker": settings(stage, authority, port)})
    stage.wait_arrivals([stage.publish()])
    stage.receiver.wait_for(2, "/hook")  # the retry went through the ladder
    stage.wait_settled(1)
    assert {c["tls"] for c in broker.connections(vhost)} == {"tlsv1.3"}, broker.connections(vhost)
    assert {e["tls"] for e in one.events("broker_link_up")} == {"TLSv1.3"}
    assert not one.events("broker_link_down")
    before = len(rabbit.log.read_text())
    one.terminate()
    assert one.wait(20) == 0
    assert "closed" not in rabbit.log.read_text()[before:], "a connection ended before the broker had read all of it"


def test_messages_of_many_records_come_and_go(stage, notifyd, authority, port):
    """More than a record (16 KiB) and than a frame (128 KiB) holds; what is kept of each in its dead letter takes several, too."""
    notifyd({"workers": 1, "broker": settings(stage, authority, port)})
    sizes = [16384, 40000, 131064, 131072, 500000]
    for size in sizes:
        stage.plain({"event_type": "x" * size}, f"long-{size}")
    found = dead_letters(stage.broker_url, len(sizes))
    assert sorted(len(body) for _, _, body in found) == sorted(
        min(65536, len('{"event_type": ""}') + size) for size in sizes)


def test_what_a_certificate_says_of_itself_does_no_harm(stage, build, tmp_path, broker, authority):
    at = broker.listen(authority.files("evil\x1b[31m\nlevel=error" + "x" * 500))
    answer = on_stage(build, tmp_path, stage)("check", broker=settings(stage, authority, at))
    line, = [line for line in answer.lines("FAIL") if line.startswith("broker: ")]
    assert "is not for localhost but for evil?[31m?level=errorxxx" in line and len(line) < 600, answer


CASES = {
    # name: (what the broker shows, notifyctl's exit code, words, and those when its reset overtakes its alert: with TLS 1.3 it
    # refuses a client only after the handshake)
    "another name": (dict(host="127.0.0.1"), 78, "the broker's certificate is not for 127.0.0.1 but for localhost"),
    "expired": (dict(days=(-10, -1)), 78, "the broker's certificate expired on 20"),
    "not valid yet": (dict(days=(1, 10)), 78, "the broker's certificate is not valid before 20"),
    "an unknown issuer": (dict(by="stranger"), 78, "is of an issuer that is not trusted: /CN=authority-stranger"),
    "signed by itself": (dict(own=True), 78, "is of an issuer that is not trusted: /CN=localhost"),
    "no TLS there": (dict(at="plain"), 78, "the broker speaks no TLS on that port; write the port of its TLS listener"),
    "nothing is said": (dict(at="mute"), 75, "the broker did not finish the TLS handshake in time"),
    "a certificate is demanded": (dict(clients="authority"), 78,
                                  "the broker demands a certificate of its clients; set broker.cert_file and broker.key_file",
                                  "it may demand a certificate of its clients (broker.cert_file)"),
    "another authority's clients": (dict(clients="authority", shows="stranger"), 78,
                                    "the broker does not know the authority of our certificate; have broker.cert_file",
                                    "it may have refused our certificate (broker.cert_file)"),
    "amqp to a port for TLS": (dict(scheme="amqp"), 75, "write amqps:// in broker.url"),
}


@pytest.mark.parametrize("case", CASES)
def test_whatever_is_wrong_with_tls_is_said_with_what_to_do(stage, notifyd, build, tmp_path, broker, authority, rabbit, port, case):
    """By notifyctl and in notifyd's log; and no password is in either."""
    what, code, *words = CASES[case]

    def says(text: str) -> bool:
        return any(one in text for one in words)

    authorities = {"authority": authority, "stranger": Authority(tmp_path / "stranger")}
    with Mute() as mute:
        certificate = authorities[what.get("by", "authority")].files(HOST, own=what.get("own", False), days=what.get("days", (-10, 10)))
        at = {"plain": rabbit.port, "mute": mute.port}.get(what.get("at", ""), 0) or \
            broker.listen(certificate, authorities.get(what.get("clients", "")))
        chosen = settings(stage, authority, at, what.get("host", HOST))
        if "shows" in what:
            chosen |= client_certificate(authorities[what["shows"]].files("notifyd"))
        if "scheme" in what:
            del chosen["ca_file"]
            chosen["url"] = chosen["url"].replace("amqps://", "amqp://")
        answer = on_stage(build, tmp_path, stage)("check", broker=chosen)
        line, = [line for line in answer.lines("FAIL") if line.startswith("broker: ")]
        assert answer.code in (code, 75 if len(words) > 1 else code) and says(line) and password(stage) not in answer.out + answer.err, answer
        one = notifyd({"workers": 1, "broker": chosen}, ready=False)
        event = one.wait_event("broker_link_down")[0]
        assert says(event["reason"]) and event["host"] == what.get("host", HOST), event
        assert password(stage) not in one.log_text() and not one.events("broker_link_up")


def test_a_certificate_that_is_renewed_is_taken_without_a_restart(stage, notifyd, broker, authority):
    """The broker's, which had expired, and ours, of which the broker wants one."""
    stage.webhook(secret=None)
    shown, mine = authority.files(HOST, days=(-10, -1)), Authority(authority.folder / "others").files("notifyd")
    one = notifyd({"workers": 1, "broker": settings(stage, authority, broker.listen(shown, authority), reconnect_max=1.0,
                                                    **client_certificate(mine))}, ready=False)
    assert "expired" in one.wait_event("broker_link_down")[0]["reason"]
    for old, new in zip(shown, authority.files(HOST)):
        old.write_bytes(new.read_bytes())
    broker.forget_files()
    wait_until(lambda: any("authority of our cert" in e["reason"] or "refused our cert" in e["reason"] for e in one.events("broker_link_down")), 20, "refused")
    for old, new in zip(mine, authority.files("notifyd")):
        old.write_bytes(new.read_bytes())
    one.wait_ready()
    stage.wait_arrivals([stage.publish()])


def test_connections_that_are_cut_under_load_lose_and_repeat_nothing(stage, notifyd, authority, port):
    stage.webhook(secret=None)
    with Cuttable(port) as proxy:
        one = notifyd({"broker": settings(stage, authority, proxy.port, reconnect_max=1.0)})
        pids = one.workers()
        load = BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(1500)), rate=300)
        load.start()
        for cut in range(3):
            stage.receiver.wait_for(200 + 400 * cut, "/hook")
            proxy.cut()
            one.wait_event("broker_link_down", count=5 * (cut + 1))
        ids = load.finish()
        stage.wait_arrivals(ids)
        stage.wait_settled(len(ids))
        assert stage.arrivals() == Counter(ids) and one.workers() == pids
        print(Counter(e["reason"] for e in one.events("broker_link_down")))


def test_a_certificate_that_soon_ends_is_said_at_each_connection_and_by_check(stage, notifyd, build, tmp_path, authority, broker):
    at = broker.listen(authority.files(HOST, days=(-10, 20)), authority)
    chosen = settings(stage, authority, at, **client_certificate(authority.files("notifyd", days=(-10, 5))))
    one = notifyd({"workers": 1, "broker": chosen})
    said = one.wait_event("broker_certificate_ends", count=4)
    assert {(e["whose"], e["level"], int(e["days"]) in days) for e in said for days in [{"broker": (19, 20), "ours": (4, 5)}[e["whose"]]]} \
        == {("broker", "warn", True), ("ours", "warn", True)}, said
    answer = on_stage(build, tmp_path, stage)("check", broker=chosen)
    assert any(re.fullmatch("broker TLS: TLSv1.3, the broker's certificate is good for (19|20) days", line) for line in answer.lines("ok")), answer
    notes = [line for line in answer.lines("note") if line.startswith("broker TLS")]
    assert re.fullmatch("broker TLS: the broker's certificate ends in (19|20) days; renew it\n"
                        "broker TLS: our certificate ends in [45] days; renew it", "\n".join(notes)), answer
    quiet = notifyd({"workers": 1, "broker": {**chosen, "cert_days": 3}})
    assert not quiet.events("broker_certificate_ends")


def test_the_broker_is_asked_for_by_its_name_and_offered_nothing_older_than_tls_1_2(stage, build, tmp_path, authority):
    asked: list[str | None] = []
    context = authority.context(HOST)
    context.sni_callback = lambda connection, name, _: asked.append(name)
    old = authority.context(HOST, newest=ssl.TLSVersion.TLSv1_1)
    ctl = on_stage(build, tmp_path, stage)
    for host, chosen in ((HOST, context), ("127.0.0.1", context), (HOST, old)):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve() -> None:
                while True:
                    try:
                        with chosen.wrap_socket(listener.accept()[0], server_side=True) as connection:
                            connection.recv(100)
                    except ssl.SSLError:
                        continue
                    except OSError:
                        return
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            answer = ctl("check", broker=settings(stage, authority, listener.getsockname()[1], host))
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
        assert answer.code in (75, 78), answer
    assert asked[0] == HOST and None in asked, asked
    assert any("speaks no TLS 1.2 and none newer" in line for line in answer.lines("FAIL")), answer


def test_files_that_cannot_be_used_are_refused_before_anything_starts(stage, build, tmp_path, authority, broker):
    mine, other = authority.files("notifyd"), authority.files("other")
    locked = authority.files("notifyd", password=b"secret")
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate\n")
    url = TlsBroker.url(stage.broker_url, 5671)

    def errors(**chosen: Any) -> str:
        path = tmp_path / "notify.conf"
        path.write_text(conf_text({"broker": {"url": url, **chosen}, "database": {"url": stage.database.url},
                                   "secrets": {"fernet_keys": [stage.key]}}))
        run = subprocess.run([build / "notifyd", "-t", "-c", path], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert run.returncode in (0, 78)
        return "" if run.returncode == 0 else run.stdout + run.stderr

    assert errors(**client_certificate(mine), ca_file=str(authority.file)) == "" and errors() == ""
    assert "broker.ca_file: cannot be read as certificates in PEM form: No such file" in errors(ca_file=str(tmp_path / "none"))
    assert "broker.ca_file: cannot be read as certificates in PEM form" in errors(ca_file=str(bad))
    assert "broker.cert_file: needs broker.key_file as well" in errors(cert_file=str(mine[0]))
    assert "broker.key_file: needs broker.cert_file as well" in errors(key_file=str(mine[1]))
    assert "broker.cert_file: cannot be read as a certificate in PEM form" in errors(**client_certificate((bad, mine[1])))
    assert "broker.key_file: is not the key of the certificate" in errors(**client_certificate((mine[0], other[1])))
    assert "broker.key_file: has a password" in errors(**client_certificate(locked))
    assert "broker.ca_file: is for TLS, but broker.url begins with amqp://" in errors(url=stage.broker_url, ca_file=str(authority.file))

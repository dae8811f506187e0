"""Tests of what the other tests stand on: processes, private servers, the receiver."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pika
import psycopg2
import pytest

from sandbox import producer
from sandbox.daemon import conf_text, log_line, merged
from sandbox.processes import Child, HeldPort, listening, marked, wait_until
from sandbox.receiver import Answer, Receiver
from sandbox.receiver_process import ReceiverProcess
from sandbox.servers import PostgresServer, RabbitServer

# --- processes


def test_a_child_dies_with_its_parent_also_when_that_is_killed(tmp_path: Path) -> None:
    program = ("import os, time\nfrom sandbox.processes import Child\n"
               "child = Child(['/bin/sh', '-c', 'sleep 600 & sleep 601'], log=2)\n"
               "print(child.pid, child.mark, flush=True)\ntime.sleep(600)\n")
    deploy = str(Path(sys.modules["sandbox"].__file__).parents[1])
    parent = subprocess.Popen(["/usr/bin/python3", "-c", program], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": deploy})
    pid, mark = parent.stdout.readline().split()
    wait_until(lambda: len(marked(mark)) >= 2, 5, "the shell has started its helpers")
    parent.kill()
    parent.communicate()
    wait_until(lambda: int(pid) not in [p.pid for p in marked(mark)], 5, "the child is gone")
    for orphan in marked(mark):  # a grandchild of a child that was killed is beyond what the kernel does for us
        orphan.signal(signal.SIGKILL)


def test_stopping_a_child_ends_all_it_started_even_what_left_the_tree(tmp_path: Path) -> None:
    child = Child(["/bin/sh", "-c", "setsid sh -c 'sleep 600 & sleep 601' & wait"], log=tmp_path / "log")
    wait_until(lambda: len(child.family()) >= 4, 5, "the shell has started its helpers")
    child.stop(timeout=2)
    assert child.family() == [] and marked(child.mark) == []


def test_a_held_port_is_given_to_nobody_but_the_server_that_names_it() -> None:
    held = HeldPort()
    given = []
    for _ in range(200):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            given.append(other.getsockname()[1])
    assert held.number not in given
    for _ in range(2):
        with socket.create_server(("127.0.0.1", held.number)):
            assert listening(held.number)
        assert not listening(held.number)
    held.release()


# --- servers


def put(url: str, queue: str, text: bytes) -> None:
    producer.publish_raw(url, queue, text, pika.BasicProperties(delivery_mode=2))


def take(url: str, queue: str) -> bytes | None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    _, _, body = connection.channel().basic_get(queue, auto_ack=True)
    connection.close()
    return body


def test_rabbitmq_keeps_messages_over_stop_and_kill_and_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    server = RabbitServer(tmp_path / "rabbit")
    ports = json.loads((tmp_path / "rabbit" / "server.json").read_text())["ports"].values()
    try:
        server.start()
        url, family = server.url, server._node.family() + server._names.epmd.family()
        assert {"beam.smp", "epmd"} <= {p.name for p in family}
        put(url, "kept", b"one")
        put(url, "kept", b"two")
        server.stop()
        assert not any(p.alive for p in family) and not any(map(listening, ports))
        server.start()
        assert server.url == url and server.depth("kept") == 2
        family = server._node.family() + server._names.epmd.family()
        server.kill()
        assert not any(p.alive for p in family) and not any(map(listening, ports))
        again = RabbitServer.__new__(RabbitServer)  # what another process does that opens the folder later
        for port in server._ports.values():
            port.release()
        again.__init__(tmp_path / "rabbit")
        server = again.start()
        assert server.url == url and take(url, "kept") == b"one"
        family = server._node.family() + server._names.epmd.family()
        server.freeze()
        probe = socket.create_connection(("127.0.0.1", server.port))
        probe.settimeout(0.5)
        probe.sendall(b"AMQP\0\0\x09\x01")
        with pytest.raises(TimeoutError):
            probe.recv(100)
        server.thaw()
        probe.settimeout(10)
        assert probe.recv(100)
        probe.close()
    finally:
        server.remove()
    assert not any(p.alive for p in family) and not any(map(listening, ports)) and not (tmp_path / "rabbit").exists()


def test_rabbitmq_answers_questions_about_queues_consumers_and_connections(rabbit: RabbitServer, vhost: str,
                                                                           broker_url: str) -> None:
    put(broker_url, "asked", b"x")
    put(broker_url, "asked", b"y")
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("asked", lambda *_: None, consumer_tag="me")
    connection.process_data_events(0.2)
    assert rabbit.list_queues(vhost) == [{"name": "asked", "messages": 2, "messages_ready": 1, "messages_unacknowledged": 1,
                                          "consumers": 1, "durable": True}]
    assert rabbit.list_consumers(vhost) == [{"queue": "asked", "consumer_tag": "me", "ack_required": True, "prefetch_count": 1}]
    assert [c["product"] for c in rabbit.list_connections(vhost)] == ["Pika Python Client Library"]
    assert rabbit.depth("asked", vhost) == 1 and rabbit.depth("none", vhost) == 0
    assert vhost in rabbit.ctl("list_vhosts").split()
    connection.close()


def test_rabbitmq_blocks_publishers_while_its_alarm_is_on(rabbit: RabbitServer, broker_url: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    seen: list[str] = []
    connection.add_on_connection_blocked_callback(lambda *_: seen.append("blocked"))
    connection.add_on_connection_unblocked_callback(lambda *_: seen.append("unblocked"))
    rabbit.alarm(True)
    try:
        connection.channel().basic_publish("", "nowhere", b"x")
        wait_until(lambda: connection.process_data_events(0.1) or seen == ["blocked"], 5, "connection.blocked")
    finally:
        rabbit.alarm(False)
    wait_until(lambda: connection.process_data_events(0.1) or seen[-1] == "unblocked", 5, "connection.unblocked")
    connection.close()


def test_postgresql_keeps_rows_over_stop_and_kill_and_leaves_no_process_and_no_port(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "kept")
    try:
        server.start()
        url, family = server.url, server._server.family()
        assert len(family) > 3
        server.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        server.stop()
        assert not any(p.alive for p in family) and not listening(server.port)
        server.start()
        assert server.url == url and server.query("SELECT n FROM kept") == [(1,)]
        server.execute("INSERT INTO kept VALUES (2)")
        family = server._server.family()
        server.kill()
        assert not any(p.alive for p in family) and not listening(server.port)
        server.start()
        assert server.query("SELECT n FROM kept ORDER BY n") == [(1,), (2,)]
        server.freeze()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(server.url, connect_timeout=2)
        server.thaw()
        assert server.query("SELECT count(*) FROM kept") == [(2,)]
        family, port = server._server.family(), server.port
    finally:
        server.remove()
    assert not any(p.alive for p in family) and not listening(port) and not server.data.exists()


def test_postgresql_counts_statements_per_database(postgres: PostgresServer, database) -> None:
    postgres.reset_statements(database.name)
    for _ in range(3):
        database.query("SELECT 41 + 1")
    assert ("SELECT $1 + $2", 3, 3) in postgres.statements(database.name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
def test_postgresql_keeps_its_data_elsewhere_when_its_account_cannot_reach_the_folder(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    server = PostgresServer(tmp_path / "closed" / "postgres")
    try:
        assert server.start().query("SELECT 1") == [(1,)]
        assert tmp_path not in server.data.parents
    finally:
        server.remove()
    assert not server.data.parent.exists()


def test_every_test_has_a_vhost_and_a_database_of_its_own(rabbit: RabbitServer, vhost: str, database) -> None:
    assert rabbit.list_queues(vhost) == []
    assert database.query("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(0,)]


# --- receiver


def post(receiver: Receiver | ReceiverProcess, path: str = "/hook", body: bytes = b"{}", timeout: float = 5,
         headers: dict[str, str] | None = None) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=timeout)
    try:
        connection.request("POST", path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_the_receiver_keeps_what_arrives_as_it_arrived(receiver: Receiver) -> None:
    before = time.monotonic()
    post(receiver, "/a?b=c", b"\x00body\xff", headers={"X-One": "1", "x-TWO": "zwei"})
    post(receiver, "/other", b"")
    (request,) = receiver.wait_for(1, "/a?b=c")
    assert before <= request.at <= time.monotonic() and abs(request.wall - time.time()) < 5
    assert (request.method, request.path, request.body, request.connection) == ("POST", "/a?b=c", b"\x00body\xff", 1)
    assert ("x-TWO", "zwei") in request.headers and request.header["x-one"] == "1" and request.peer[0] == "127.0.0.1"
    assert receiver.count() == 2 and receiver.connections == 2
    receiver.clear()
    assert receiver.requests() == []
    with pytest.raises(TimeoutError, match="0 of 1 requests at /a"):
        receiver.wait_for(1, "/a", timeout=0.05)


def test_the_receiver_answers_in_turn_and_repeats_the_last(receiver: Receiver) -> None:
    receiver.script("/hook", Answer(503), Answer(429, headers=(("Retry-After", "7"),)), Answer(204))
    answers = [post(receiver) for _ in range(4)]
    assert [status for status, _, _ in answers] == [503, 429, 204, 204] and answers[1][2]["Retry-After"] == "7"
    assert [request.answered for request in receiver.requests("/hook")] == [503, 429, 204, 204]
    receiver.script("/slack", Answer(like="slack"))
    assert post(receiver, "/slack")[0] == 400 == receiver.requests("/slack")[0].answered
    assert post(receiver, "/elsewhere")[:2] == (200, b"ok")
    receiver.script("*", Answer(500))
    assert post(receiver, "/elsewhere")[0] == 500


def test_the_receiver_understands_what_clients_really_send(receiver: Receiver) -> None:
    raw = socket.create_connection(("127.0.0.1", receiver.port))
    two = (b"POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
           b"POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    for start in range(0, len(two), 7):
        raw.sendall(two[start : start + 7])
    raw.sendall(b"POST /3 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    received = b""
    while b"100 Continue" not in received:
        received += raw.recv(4096)
    raw.sendall(b"end")
    assert [(r.path, r.body) for r in receiver.wait_for(3)] == [("/1", b"hi"), ("/2", b"abcde"), ("/3", b"end")]
    assert receiver.connections == 1
    raw.sendall(b"nonsense\r\n\r\n")
    wait_until(lambda: receiver.broken, 5, "the receiver notes what it cannot read")
    raw.close()


def test_the_receiver_is_slow_silent_rude_or_false_when_told_to(receiver: Receiver) -> None:
    receiver.script("/late", Answer(delay=0.3))
    started = time.monotonic()
    assert post(receiver, "/late")[0] == 200 and 0.3 <= time.monotonic() - started < 2
    receiver.script("/hang", Answer(instead="hang"))
    with pytest.raises(TimeoutError):
        post(receiver, "/hang", timeout=0.3)
    receiver.script("/reset", Answer(instead="reset"))
    with pytest.raises(ConnectionResetError):
        post(receiver, "/reset")
    receiver.script("/close", Answer(instead="close"))
    with pytest.raises(http.client.RemoteDisconnected):
        post(receiver, "/close")
    receiver.script("/short", Answer(body=b"abc", content_length=10))
    with pytest.raises(http.client.IncompleteRead):
        post(receiver, "/short")
    receiver.script("/drip", Answer(drip=0.5))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        post(receiver, "/drip", timeout=0.2)
    receiver.script("/bye", Answer(close=True))
    assert post(receiver, "/bye")[2]["Connection"] == "close"


def test_the_receiver_sends_too_much_when_told_to(receiver: Receiver) -> None:
    receiver.script("/endless", Answer(endless=True))
    raw = socket.create_connection(("127.0.0.1", receiver.port))
    raw.sendall(b"GET /endless HTTP/1.1\r\n\r\n")
    size = 0
    while size < 5_000_000:
        size += len(raw.recv(1 << 20))
    raw.close()
    receiver.script("/headers", Answer(huge_headers=50_000))
    status, _, headers = post(receiver, "/headers")
    assert status == 200 and sum(len(k) + len(v) for k, v in headers.items()) > 45_000
    receiver.script("/bomb", Answer(body=bytes(5_000_000), gzip=True))
    _, body, headers = post(receiver, "/bomb")
    assert headers["Content-Encoding"] == "gzip" and len(body) < 10_000 and gzip.decompress(body) == bytes(5_000_000)


def test_the_receiver_works_as_a_process_too() -> None:
    with ReceiverProcess() as remote:
        remote.script("/hook", Answer(503, body=b"\x00\xff"), Answer())
        assert [post(remote, body=b"\xfe")[:2] for _ in range(2)] == [(503, b"\x00\xff"), (200, b"ok")]
        requests = remote.wait_for(2, "/hook")
        assert [r.body for r in requests] == [b"\xfe"] * 2 and abs(requests[1].at - time.monotonic()) < 5
        assert [r.answered for r in requests] == [503, 200]
        remote.clear()
        assert remote.count() == 0
        pid = remote.pid
    assert not Path(f"/proc/{pid}").exists()


# --- notifyd's files


def test_a_configuration_is_written_in_libconfigs_syntax() -> None:
    text = conf_text({"workers": 2, "big": 2**31, "broker": {"url": 'a"b\\', "queues": ["x", "y"]}, "retry": {"base": 5.0},
                      "flag": True, "none": []})
    assert text == ('workers = 2;\nbig = 2147483648L;\nbroker = {\n    url = "a\\"b\\\\";\n    queues = ["x", "y"];\n};\n'
                    "retry = {\n    base = 5.0;\n};\nflag = true;\nnone = [];\n")
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "d": None}) == {"a": {"b": 1, "c": 4}}


def test_log_lines_are_read_in_both_formats() -> None:
    text = log_line('2026-11-22T02:00:00.000Z level=info process="worker 1" pid=7 event=worker_ready why="a=\\"b\\""')
    assert text == {"level": "info", "process": "worker 1", "pid": "7", "event": "worker_ready", "why": 'a="b"'}
    assert log_line('{"time":"x","event":"worker_ready","pid":7}') == {"time": "x", "event": "worker_ready", "pid": "7"}
    assert log_line("==1==ERROR: AddressSanitizer") is None

"""What went wrong once. Each test is named for it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest
from proxy import Link, Proxy
from sandbox import bulk, producer, seed
from sandbox.processes import wait_until
from sandbox.receiver import Answer

KEYS = "'e', '11111111-1111-1111-1111-111111111111'"


@pytest.mark.parametrize("point", ["response", "commit", "publish", "confirm", "ack"])
def test_a_worker_that_dies_in_the_second_attempt_left_the_delivery_behind(stage, notifyd, point):
    """The message of attempt 2 came again, found its row taken or further, and was acknowledged as stale."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer(status=503), Answer())
    event = stage.event()
    one = notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0},
                   "retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0}},
                  env={"NOTIFY_FAULT": f"{point}=2*1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    one.wait_event("child_ended", how="Killed", timeout=15)
    # Killed before its commit, the second attempt belongs to the dead until the lease ends: 2 x timeout + lease_slack.
    stage.wait(lambda: stage.deliveries(event.id)[0]["state"] == "delivered", 15)


def test_two_attempts_of_one_delivery_joined_and_the_later_one_was_lost(stage, notifyd):
    hook = stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    event = stage.event()
    notifyd({"workers": 1, "retry": {"base": 600.0}})
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "waiting"])
    stage.database.execute("UPDATE notify.deliveries SET attempt = 2, due_at = now()")
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE notify.deliveries")
    for attempt in (2, 3):
        stage.plain({"scan_id": stage.scan.id, "event_type": "finding_new", "finding_id": stage.high}, event.id, "notify.due",
                    headers={"x-notify-attempt": attempt, "x-notify-integration": hook.id})
    time.sleep(1)
    lock.rollback()
    lock.close()
    row = stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "delivered"], 20)[0]
    assert row["attempt"] == 3


@pytest.mark.unbalanced(reason="its row is made by hand, without an event")
def test_a_take_that_waited_for_its_row_found_nothing(stage, build):
    """The place of a row is good in one snapshot only: another change while it was waited for made the update miss it."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))
    from test_plans import prepare, settings, statements

    named = statements(build)
    first, second = stage.database.connect(), stage.database.connect()
    for connection in (first, second):
        connection.cursor().execute(settings())
        for name in ("lock", "take"):
            prepare(connection.cursor(), name, *named[name])
        connection.autocommit = False
    stage.database.execute("INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, owner,"
                           f" due_at) VALUES ({KEYS}, gen_random_uuid(), 'waiting', 1, 'x', now())")

    def take(connection) -> list[tuple]:
        cursor = connection.cursor()
        cursor.execute("EXECUTE p_lock(ARRAY['e'], ARRAY['11111111-1111-1111-1111-111111111111'::uuid])")
        cursor.execute("EXECUTE p_take(ARRAY[0], ARRAY['e'], ARRAY['11111111-1111-1111-1111-111111111111'::uuid], ARRAY[2],"
                       " ARRAY['me'], ARRAY[60::float8])")
        return cursor.fetchall()

    assert [row[0] for row in take(first)] == [0]
    found: list[list[int]] = []
    waiting = threading.Thread(target=lambda: found.append([row[0] for row in take(second)]))
    waiting.start()
    time.sleep(0.5)
    assert not found
    first.commit()
    waiting.join(10)
    second.rollback()
    assert found == [[0]]


def test_an_event_with_more_rows_than_64_kib_of_text_was_sent_again(stage, notifyd):
    count = 1400
    stage.webhook(secret=None)
    stage.database.execute("INSERT INTO public.integrations SELECT (jsonb_populate_record(i, jsonb_build_object('id',"
                           f" gen_random_uuid()))).* FROM public.integrations i, generate_series(1, {count - 1})")
    event = stage.event()
    daemon = notifyd({"workers": 1}, ready=False)
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [e for e in stage.events(event.id) if e["state"] == "done"], 60)
    # As a worker that died before the event was done would have left it.
    stage.database.execute("UPDATE notify.events SET state = 'open'")
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [e for e in stage.events(event.id) if e["state"] == "done"], 60)
    sent = Counter(request.header["webhook-id"] for request in stage.receiver.requests("/hook"))
    assert (len(sent), max(sent.values())) == (count, 1)
    assert stage.events(event.id)[0]["considered"] == stage.events(event.id)[0]["matched"] == count
    assert daemon.pid


def test_one_locked_row_stopped_all_acknowledgements_of_a_worker(stage, notifyd):
    stage.webhook(secret=None)
    notifyd({"workers": 1})
    event = stage.event()
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("INSERT INTO notify.events (id, content_hash, event_type, state, first_seen)"
                          " VALUES (%s, 'x', 'finding_new', 'open', now())", (event.id,))
    producer.publish_event(stage.broker_url, event)
    stage.receiver.wait_for(1, "/hook")
    others = bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(300)])
    stage.wait(lambda: len(stage.deliveries()) == len(others), 30, "the other events' rows were not written")
    lock.rollback()
    lock.close()
    stage.wait(lambda: stage.deliveries(event.id), 20)


def test_a_log_that_nobody_reads_ended_the_pool(stage, notifyd, build, fernet_key, tmp_path):
    stage.webhook(secret=None)
    conf = tmp_path / "notify.conf"
    conf.write_text(f"""
        workers = 1; broker = {{ url = "{stage.broker_url}"; }}; database = {{ url = "{stage.database.url}"; }};
        secrets = {{ fernet_keys = ["{fernet_key}"]; }}; agent = {{ listen = ""; }}; log = {{ level = "debug"; }};
        delivery = {{ allow_networks = ["127.0.0.0/8"]; allow_http = true; }};""")
    read_end, write_end = os.pipe()
    one = subprocess.Popen([build / "notifyd", "-c", conf], stderr=write_end)
    os.close(write_end)
    try:
        os.read(read_end, 100)
        os.close(read_end)
        stage.publish()
        stage.receiver.wait_for(1, "/hook")
        assert one.poll() is None
    finally:
        one.terminate()
        assert one.wait(20) == 0


class LateConfirms(Proxy):
    """Keeps what the broker says to publishers for some seconds, once it is told to."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.seconds = 0.0

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if not to_server and b"pencheff-notify publisher" in link.head:
            time.sleep(self.seconds)


def test_an_event_that_came_back_before_its_publish_was_confirmed_was_lost(stage, notifyd, rabbit):
    """It joined the message that had published it, and with the confirm both were acknowledged: nothing was left."""
    stage.webhook(secret=None)
    with LateConfirms(rabbit.port) as proxy:
        notifyd({"workers": 1, "retry": {"not_found": [1, 1, 8]},
                 "broker": {"url": stage.broker_url.replace(f":{rabbit.port}/", f":{proxy.port}/")}})
        proxy.seconds = 2.5
        late = stage.database.connect()
        late.autocommit = False
        scan = seed.add_scan(late, stage.target)
        event_id = stage.publish("scan_done", scan_id=scan.id)
        time.sleep(2)
        late.commit()
        late.close()
        stage.wait_arrivals([event_id], 20)


def test_copies_of_a_retry_made_more_copies_of_themselves(stage, notifyd, rabbit, vhost):
    """A copy that found its row further on published what followed again: each lived until the delivery was settled."""
    hook = stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=404))
    event = stage.event()
    one = notifyd({"workers": 1})
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "dead"])
    for _ in range(3):
        stage.plain({"scan_id": stage.scan.id, "event_type": "finding_new", "finding_id": stage.high}, event.id, "notify.due",
                    headers={"x-notify-attempt": 1, "x-notify-integration": hook.id})
        producer.publish_event(stage.broker_url, event)
    wait_until(lambda: rabbit.depth("notify.due", vhost) == 0 and rabbit.depth("notify", vhost) == 0, 5, "all are taken")
    time.sleep(1)
    assert rabbit.depth("notify.dead", vhost) == 1 and stage.receiver.count("/hook") == 1 and one.alive()


def test_what_a_dead_worker_owed_was_forgotten_while_it_was_still_noted_as_at_work(stage, notifyd):
    """Its message came again at once, was put off as the twin of one in hand, and came back as if nobody had died with it."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    event = stage.event()
    one = notifyd({"retry": {"base": 3.0, "jitter": 0.0}}, env={"NOTIFY_FAULT": f"commit=1*1/{event.id}"})
    os.kill(one.pid, signal.SIGSTOP)  # the supervisor: it notes the death late
    try:
        producer.publish_event(stage.broker_url, event)
        stage.receiver.wait_for(1, "/hook")
        time.sleep(1)
    finally:
        os.kill(one.pid, signal.SIGCONT)
    stage.wait(lambda: [d["state"] for d in stage.deliveries(event.id)] == ["delivered"], 12)
    assert stage.receiver.count("/hook") == 2


def test_a_delivery_whose_message_killed_three_workers_was_dead_in_the_queue_only(stage, notifyd):
    """Its row went on waiting, so that a sweep would have sent it round for ever."""
    stage.webhook(secret=None)
    event = stage.event()
    one = notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "lease_slack": 1.0}},
                  env={"NOTIFY_FAULT": f"render=1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [d for d in stage.deliveries(event.id) if (d["state"], d["reason"]) == ("dead", "killed_worker")], 30)
    other = stage.publish()
    stage.wait_arrivals([other])
    assert len([e for e in one.events("child_ended") if e["how"] == "Killed"]) == 3


@pytest.mark.long
def test_a_retry_whose_message_killed_three_workers_was_dead_in_the_queue_only(stage, notifyd):
    """Each death leaves the row to the dead worker until its lease ends: 2 x timeout + 30 s, three times."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    event = stage.event()
    settings = {"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0}, "retry": {"base": 3.0, "jitter": 0.0}}
    first = notifyd(settings)
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "waiting"])
    first.terminate()
    assert first.wait() == 0
    notifyd(settings, env={"NOTIFY_FAULT": f"render=1/{event.id}"})
    stage.wait(lambda: [d for d in stage.deliveries(event.id) if (d["state"], d["reason"]) == ("dead", "killed_worker")], 180)


def test_a_message_that_waited_for_integrations_was_never_handed_back(stage, notifyd):
    """Only those that waited for their look-up were; this one would have been held until the broker's consumer timeout."""
    stage.webhook(secret=None)
    one = notifyd({"workers": 1, "held_max": 10, "database": {"timeout": 1.0}})
    lock = stage.database.connect()
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE integrations")
    try:
        event_id = stage.publish()
        one.wait_event("messages_handed_back", timeout=30)
    finally:
        lock.rollback()
        lock.close()
    assert stage.wait_arrivals([event_id]) == {event_id: 1}


def test_a_core_of_a_worker_held_the_keys(stage, notifyd):
    limit = "ulimit -c unlimited 2>/dev/null; exec \"$@\""
    one = notifyd({"workers": 1}, wrapper=("sh", "-c", limit, "sh"))
    open_ = notifyd({"workers": 1, "core_dumps": True}, wrapper=("sh", "-c", limit, "sh"))

    def core_limit(pid: int) -> str:
        with open(f"/proc/{pid}/limits") as limits:
            return next(line.split()[4] for line in limits if line.startswith("Max core file size"))

    assert [core_limit(pid) for pid in (one.pid, *one.workers())] == ["0", "0"]
    assert core_limit(open_.workers()[0]) == core_limit(os.getpid()) or core_limit(open_.workers()[0]) == "unlimited"


@pytest.mark.parametrize("ours", [True, False], ids=["a pipe that may be opened again", "one that may not"])
def test_a_reader_of_the_log_that_does_not_read_stopped_the_workers(stage, notifyd, tmp_path, ours):
    """A full pipe, at which every line waited for ever."""
    stage.webhook(secret=None)
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    # A root without its capabilities may not open what another user keeps for himself.
    drop = () if ours else ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    os.chown(fifo, *((0, 0) if ours else (1, 1)))
    os.chmod(fifo, 0o600)
    wrapper = ("sh", "-c", 'log=$1; shift; exec "$@" 2>"$log"', "sh", fifo, *drop)
    notifyd({"log": {"level": "debug"}}, ready=False, wrapper=wrapper)
    try:
        ids = bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(1000)))
        stage.wait_arrivals(ids)
        stage.wait_settled(1000)
        text = b""
        for _ in range(2):  # what was written before, and what is written now that there is room
            while piece := read_now(reader):
                text += piece
            stage.wait_arrivals([stage.publish()])
        text += read_now(reader)
        assert b" log_lines_lost=" in text and b"child_hangs" not in text
    finally:
        os.close(reader)


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_a_request_was_made_twice_in_one_attempt_when_a_kept_connection_broke(stage, notifyd, kind):
    """curl did it by itself: the chat showed the message twice, and nothing told of it."""
    stage.integration({"webhook_url": stage.receiver.url("/hook")}, kind)
    stage.receiver.script("/hook", Answer(), Answer(instead="reset"), Answer())
    notifyd({"workers": 1, "gate": {"rate_slack": 0.0}})
    ids = [stage.publish()]
    stage.wait_settled(1)
    ids.append(stage.publish())
    stage.wait_settled(2)
    assert [stage.deliveries(id)[0]["attempt"] for id in ids] == [1, 2]
    assert stage.database.query("SELECT attempt, error FROM notify.attempts") == [(1, "connection_lost")]
    assert len({r.connection for r in stage.receiver.requests("/hook")[:2]}) == 1, "the connection was not kept"
    assert stage.receiver.count("/hook") == 3


def read_now(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""


class LateReader(Proxy):
    """Reads late what the consumer sends, and nothing more of a connection on which it could not send: so do Erlang's sockets."""

    HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.reads = threading.Event()
        self.reads.set()
        self.consumer: Link
        self.failed: OSError | None = None

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if to_server and b"pencheff-notify consumer" in link.head:
            self.consumer = link
            self.reads.wait()
            if self.failed:
                raise self.failed

    def beat(self) -> None:
        try:
            self.consumer.client.sendall(self.HEARTBEAT)
        except OSError as error:
            self.failed = error


def test_what_a_busy_broker_had_not_read_when_a_worker_left_was_lost(stage, notifyd, rabbit, vhost):
    """The socket was closed at once: whatever came for it then reset the connection, and acknowledgements went with it."""
    stage.webhook(secret=None)
    with LateReader(rabbit.port) as proxy:
        one = notifyd({"workers": 1, "broker": {"url": stage.broker_url.replace(f":{rabbit.port}/", f":{proxy.port}/")}})
        stage.publish()
        stage.wait_settled(1)
        proxy.reads.clear()
        for count in (2, 3, 4):  # of the acknowledgement of the first of these the proxy may have read something
            stage.publish()
            stage.wait_settled(count)
            time.sleep(0.1)
        one.terminate()
        one.wait_event("worker_leaves")
        for _ in range(2):  # the first to a closed socket is answered with a reset, the second fails
            time.sleep(0.1)
            proxy.beat()
        proxy.reads.set()
        assert one.wait() == 0
        time.sleep(1)
        assert rabbit.depth("notify", vhost) == 0, "the broker has them again"

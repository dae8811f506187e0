"""What went wrong once. Each test is named for it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter

import pytest
from sandbox import bulk, producer
from sandbox.receiver import Answer

pytestmark = pytest.mark.alone

KEYS = "'e', '11111111-1111-1111-1111-111111111111'"


@pytest.mark.parametrize("point", ["response", "commit", "publish", "confirm", "ack"])
def test_a_worker_that_dies_in_the_second_attempt_left_the_delivery_behind(stage, notifyd, point):
    """The message of attempt 2 came again, found its row taken or further, and was acknowledged as stale."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer(status=503), Answer())
    event = stage.event()
    one = notifyd({"workers": 1, "delivery": {"timeout": 1.0, "connect_timeout": 1.0},
                   "retry": {"base": 1.0, "factor": 1.0, "jitter": 0.0}},
                  env={"NOTIFY_FAULT": f"{point}=2*1/{event.id}"})
    producer.publish_event(stage.broker_url, event)
    one.wait_event("child_ended", how="Killed", timeout=15)
    # Killed before its commit, the second attempt belongs to the dead until the lease ends: 2 x timeout + 30 s.
    stage.wait(lambda: stage.deliveries(event.id)[0]["state"] == "delivered", 50 if point == "response" else 15)


def test_two_attempts_of_one_delivery_joined_and_the_later_one_was_lost(stage, notifyd):
    hook = stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(status=503), Answer())
    event = stage.event()
    notifyd({"workers": 1, "retry": {"base": 600.0}})
    producer.publish_event(stage.broker_url, event)
    stage.wait(lambda: [d for d in stage.deliveries(event.id) if d["state"] == "waiting"])
    stage.database.execute("UPDATE notify.deliveries SET attempt = 2")
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


def test_a_take_that_waited_for_its_row_found_nothing(stage):
    """The place of a row is good in one snapshot only: another change while it was waited for made the update miss it."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))
    from test_plans import settings, statements

    named = statements()
    first, second = stage.database.connect(), stage.database.connect()
    for connection in (first, second):
        connection.cursor().execute(settings())
        for name in ("lock", "take"):
            connection.cursor().execute(f"PREPARE {name} AS {named[name][0]}")
        connection.autocommit = False
    stage.database.execute("INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, owner)"
                           f" VALUES ({KEYS}, gen_random_uuid(), 'waiting', 1, 'x')")

    def take(connection) -> list[tuple]:
        cursor = connection.cursor()
        cursor.execute("EXECUTE lock(ARRAY['e'], ARRAY['11111111-1111-1111-1111-111111111111'::uuid])")
        cursor.execute("EXECUTE take(ARRAY[0], ARRAY['e'], ARRAY['11111111-1111-1111-1111-111111111111'::uuid], ARRAY[2],"
                       " ARRAY['me'], ARRAY[60::float8])")
        return cursor.fetchall()

    assert take(first) == [(0,)]
    found: list[list[tuple]] = []
    waiting = threading.Thread(target=lambda: found.append(take(second)))
    waiting.start()
    time.sleep(0.5)
    assert not found
    first.commit()
    waiting.join(10)
    second.rollback()
    assert found == [[(0,)]]


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


def read_now(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""

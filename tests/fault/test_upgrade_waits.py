"""Whom a reload waits for, and who is there meanwhile: the old generation is all there is until the new one does the work."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

import pytest
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until
from sandbox.receiver import Answer
from test_upgrade import figure_words, hup_and_wait, installed, refused, same_pool, steady  # noqa: F401  (two of them are fixtures)

DEAD_BROKER = "amqp://nobody:wrong@127.0.0.1:1"


@pytest.fixture(scope="module")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """To be stopped."""
    server = PostgresServer(server_folder / "postgres-upgrade-waits", fsync=False)
    try:
        yield server.start()
    finally:
        server.remove()


def changed(one: Any, section: str, **values: Any) -> dict[str, Any]:
    """The settings of ONE, with these."""
    return {**one.settings, section: {**one.settings[section], **values}}


def readyz(one: Any) -> int:
    try:
        with urllib.request.urlopen(f"{one.agent_url}/readyz", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_file_with_a_wrong_database_ends_nobody_who_has_the_right_one(stage, notifyd):
    """Its workers consume at once, and could do nothing with what they get."""
    stage.webhook(secret=None)
    one = notifyd({"watchdog": 5.0, "reload_patience": 1.0})
    before, good = set(one.workers()), one.settings
    one.write_conf(changed(one, "database", url="postgresql://nobody@127.0.0.1:1/none"))
    one.signal(signal.SIGHUP)
    one.wait_event("worker_ready", count=4)
    waits = one.wait_event("reload_waits", timeout=15)[0]
    assert waits["old_workers"] == "2" and before <= set(one.workers()) and readyz(one) == 200
    assert not one.events("worker_draining")
    one.write_conf(good)
    one.signal(signal.SIGHUP)
    one.wait_event("reload_superseded")
    wait_until(lambda: steady(one)() and not before & set(one.workers()), 20, "the mended file is used")
    ids = [stage.publish() for _ in range(20)]
    stage.wait_settled(20)
    assert stage.arrivals() == Counter(ids)


def test_a_database_that_is_away_for_all_holds_no_reload_up(stage, notifyd, postgres):
    stage.webhook(secret=None)
    one = notifyd()
    postgres.stop()
    one.wait_event("database_link_down", count=2)
    time.sleep(1)  # each worker has seen it
    hup_and_wait(one)
    postgres.start()
    stage.wait_arrivals([stage.publish()])


@pytest.mark.parametrize("option", ["sslrootcert", "sslcert", "sslkey"])
def test_a_file_for_the_database_that_cannot_be_read_refuses_the_reload(stage, notifyd, option):
    one = notifyd()
    pids = {p.pid for p in one.children()}
    url = one.settings["database"]["url"]
    one.write_conf(changed(one, "database", url=f"{url}{'&' if '?' in url else '?'}sslmode=verify-full&{option}=/nonexistent/file.pem"))
    one.signal(signal.SIGHUP)
    assert f"{option}: /nonexistent/file.pem cannot be read" in refused(one)
    assert one.events("reload_refused")[0]["program"].endswith("/notifyd")
    assert same_pool(one, pids)


def test_who_is_not_replaced_while_the_new_ones_do_not_work_is_said_and_nobody_is_recycled(stage, notifyd, installed):  # noqa: F811
    stage.webhook(secret=None)
    one = notifyd({"watchdog": 5.0, "reload_patience": 1.0, "recycle_events": 5}, program=installed.path)
    before, good = one.workers(), one.settings
    for number, program in enumerate(("this", "next"), 1):
        one.write_conf(changed(one, "broker", url=DEAD_BROKER))
        installed.install(program)
        one.signal(signal.SIGHUP)
        one.wait_event("reloading", count=number)
        one.wait_event("reload_waits", count=number, timeout=15)
        ids = [stage.publish() for _ in range(30)]
        stage.wait_arrivals(ids)
        stage.wait_settled(30 * number)
        time.sleep(1.2)  # two looks at what is to be recycled
        draining = {int(e["pid"]) for e in one.events("worker_draining")}
        assert set(before) <= set(one.workers()) - draining, "there is nobody to take their place"
    os.kill(before[0], signal.SIGKILL)
    one.wait_event("not_replaced")
    stage.wait_arrivals([stage.publish()])
    one.write_conf(good)
    installed.install("this")
    one.signal(signal.SIGHUP)
    wait_until(lambda: steady(one)() and not set(before) & set(one.workers()), 20, "the mended file is used")
    stage.wait_arrivals([stage.publish()])


def test_a_generation_that_found_nobody_alive_is_known_to_the_next(stage, notifyd, installed):  # noqa: F811
    """All children are dead, and a repair with another layout of the shared memory comes: whose are its children?"""
    stage.webhook(secret=None)
    one = notifyd(program=installed.path)
    stage.wait_arrivals([stage.publish()])
    stage.wait_settled(1)
    one.signal(signal.SIGSTOP)
    for child in one.children():
        os.kill(child.pid, signal.SIGKILL)
    installed.install("next")
    one.signal(signal.SIGHUP)
    one.signal(signal.SIGCONT)
    one.wait_event("reloading")
    assert one.events("reloading")[-1]["memory"] == "other layout"
    wait_until(steady(one), 20, "the repair works")
    for program in ("next", "this", "this"):
        installed.install(program)
        hup_and_wait(one)
    assert len(one.family()) == 4, "the supervisor, an agent and two workers, and nobody of whom it does not know"
    assert one.counter("messages_settled") == 1
    stage.wait_arrivals([stage.publish()])


def test_answers_that_are_read_slowly_are_finished_by_the_agent_that_leaves(stage, notifyd):
    """More of them than the kernel takes from it at once."""
    one, asked = notifyd(), 100
    host, port = one.settings["agent"]["listen"].split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * asked)
        got = client.recv(512)
        one.signal(signal.SIGHUP)
        wait_until(lambda: len(one.events("agent_listening")) == 2, 10, "the new agent works")
        time.sleep(0.5)  # the old one has been asked to leave
        client.settimeout(20)
        while piece := client.recv(1 << 16):
            got += piece
            if got.count(b"HTTP/1.1 200 OK") == asked and got.endswith(b"\n# EOF\n"):
                break
        one.wait_event("child_ended")
    whole = [len(answer.split(b"\r\n\r\n", 1)[1]) == int(re.search(rb"Content-Length: (\d+)", answer)[1])  # type: ignore[index]
             for answer in got.split(b"HTTP/1.1 200 OK")[1:]]
    assert whole == [True] * asked


def test_a_term_to_every_process_at_once_is_a_drain(stage, notifyd):
    """As a service manager sends it to a control group."""
    stage.webhook(secret=None)
    stage.receiver.script("/hook", Answer(delay=2.0))
    one = notifyd({"workers": 4})
    event = stage.publish()
    stage.receiver.wait_for(1, "/hook")
    for process in sorted([p.pid for p in one.children()] + [one.pid], reverse=True):
        os.kill(process, signal.SIGTERM)
    assert one.wait() == 0
    wait_until(lambda: not one.family(), 5, "nobody is left")
    stage.wait_settled(1)
    assert stage.receiver.count("/hook") == 1 and stage.arrivals() == {event: 1}


def test_the_log_keeps_its_format_while_the_file_cannot_be_read(stage, notifyd, installed, build):  # noqa: F811
    one = notifyd({"log": {"format": "json"}}, program=installed.path)
    good = one.conf.read_text()
    installed.write(f"#!/bin/sh\ncase $1 in -t) ;; *) echo 'workers = {{' >{one.conf} ;; esac\nexec {build}/notifyd \"$@\"\n")
    one.signal(signal.SIGHUP)
    one.wait_event("bad_configuration")
    os.kill(one.children()[0].pid, signal.SIGKILL)
    one.wait_event("child_ended")
    for line in Path(one.log).read_text().splitlines():
        assert json.loads(line)["process"] != "main", line
    one.conf.write_text(good)
    wait_until(lambda: one.metrics() and len(one.children()) == 3, 15, "it goes on")

"""notifyctl stats --watch: on a terminal, for a log, for a program; while servers come and go."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.parse
from typing import Any, Iterator

import pytest
from ctl import Notifyctl
from dead_rows import make_dead
from proxy import Proxy
from terminal import Terminal

from conftest import Stage


class Switch(Proxy):
    """A line that can be cut and mended."""

    cut = False

    def pass_on(self, link: Any, to_server: bool, data: bytes) -> None:
        if self.cut:
            raise OSError("cut")


def through(url: str, port: int) -> str:
    parts = urllib.parse.urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}").geturl()


class Lines:
    """The lines of a program, as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self.rest = process, b""

    def next(self, timeout: float = 20) -> str:
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.process.stdout], [], [], left)[0], "no line came"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, f"it ended: {self.process.communicate()}"
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()


@pytest.fixture
def watch(ctl: Notifyctl) -> Iterator[Any]:
    """watch(*words, **settings): the lines of a watch; ended afterwards as Ctrl-C does it, with exit 0."""
    running: list[Any] = []

    def start(*words: str, **settings: Any) -> Lines:
        running.append(ctl.start("stats", *words, **settings))
        return Lines(running[-1])

    yield start
    for process in running:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0 and not err, err


def test_a_program_gets_an_object_a_line_with_the_rates_of_what_happens(stage: Stage, notifyd: Any, watch: Any) -> None:
    stage.webhook("/hook")
    make_dead(stage, 3)
    often = {"gate": {"report": 0.1}}  # so that each turn has rates of its own
    notifyd(often)
    time.sleep(1.1)  # what came in the second before the first turn is of its rates
    lines = watch("--watch", "1", "--json", **often)
    first = json.loads(lines.next())
    assert first["rates"] is None and first["interval_s"] == 1 and first["ledger"]["dead"] == 3, first
    assert [(row["reason"], row["count"]) for row in first["dead"]] == [("rejected", 3)]
    assert {"name": "notify", "exists": True, "messages": 0} == {key: first["queues"][0][key] for key in ("name", "exists", "messages")}
    assert sum(queue["consumers"] for queue in first["queues"]) >= 1
    for _ in range(60):
        stage.publish("scan_done")
    events = deliveries = 0.0
    end = time.monotonic() + 25
    while time.monotonic() < end and (round(events), round(deliveries)) != (60, 120):
        rates = json.loads(lines.next())["rates"]
        events += rates["events"] * rates["over_s"]
        deliveries += rates["deliveries"] * rates["over_s"]
    assert (round(events), round(deliveries)) == (60, 120), "what the rates add up to is what happened, at two webhooks"


def test_a_log_gets_one_line_each_time_at_once(stage: Stage, watch: Any) -> None:
    make_dead(stage, 2)
    time.sleep(1.1)
    lines = watch("--watch=1")
    first, second = lines.next(), lines.next(3)
    assert re.fullmatch(r"20\d\d-\S+Z events/s=- deliveries/s=- failures/s=- dead/s=- sending=0 waiting=0 overdue=0 mailboxes=0 mailbox_age_s=0"
                        r" dead=2 failing=0 queued=0 consumers=0", first), first
    assert " events/s=0.0 deliveries/s=0.0 failures/s=0.0 dead/s=0.0 " in second, second


def test_what_is_late_waits_or_fails_is_in_the_figures(stage: Stage, watch: Any) -> None:
    hook = make_dead(stage, 6)
    stage.database.execute(
        "UPDATE notify.deliveries SET state = 'waiting', due_at = now() - interval '10 min', reason = NULL WHERE event_id = 'e1';"
        "UPDATE notify.deliveries SET state = 'waiting', due_at = now() + interval '10 min', reason = NULL WHERE event_id = 'e2';"
        "UPDATE notify.deliveries SET state = 'sending', lease_until = now() + interval '1 min', due_at = NULL, reason = NULL WHERE event_id = 'e3';"
        "UPDATE notify.deliveries SET state = 'deferred', rank = 2, due_at = now() - interval '90 s', reason = NULL WHERE event_id IN ('e4', 'e5')")
    stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, wake_at, failing_since, last_error, circuit_until)"
                           " VALUES (%s, %s, now(), now() - interval '2 min', 'timeout', now() + interval '1 min')", (hook, stage.workspace.id))
    seen = json.loads(watch("--watch", "--json").next())
    ledger = seen["ledger"]
    assert (ledger["sending"], ledger["waiting"], ledger["overdue"], ledger["deferred"], ledger["dead"], ledger["more"]) == (1, 2, 1, 2, 1, False)
    assert 600 <= ledger["overdue_s"] < 660 and 90 <= ledger["deferred_s"] < 150
    one, = seen["integrations"]
    assert (one["integration_id"], one["kind"], one["health"], one["last_error"], one["mailbox"]) == (hook, "webhook", "circuit_open", "timeout", 2), one
    assert 120 <= one["failing_for_s"] < 180 and 90 <= one["mailbox_age_s"] < 150


def test_servers_that_go_away_are_said_in_place_and_found_again(stage: Stage, ctl: Notifyctl, watch: Any, rabbit: Any, postgres: Any) -> None:
    dsn = urllib.parse.urlsplit(stage.database.url)
    with Switch(dsn.port or 5432) as database, Switch(rabbit.port) as broker:
        lines = watch("--watch", "1", "--json", database={"url": through(stage.database.url, database.port)},
                      broker={"url": through(stage.broker_url, broker.port)})
        whole = json.loads(lines.next())
        assert whole["ledger"]["dead"] == 0 and whole["queues"], whole
        database.cut = True
        seen = [json.loads(lines.next()) for _ in range(2)]
        assert "database_away" in seen[-1] and "ledger" not in seen[-1] and seen[-1]["rates"] is None and seen[-1]["queues"], seen
        assert "is the server up, and is database.url right?" in seen[-1]["database_away"]
        database.cut, broker.cut = False, True
        seen = [json.loads(lines.next()) for _ in range(2)]
        assert seen[-1]["ledger"]["dead"] == 0 and "queues" not in seen[-1] and "is it up, and is broker.url right?" in seen[-1]["broker_away"], seen
        broker.cut = False
        seen = [json.loads(lines.next()) for _ in range(2)]
        assert seen[-1]["ledger"]["dead"] == 0 and seen[-1]["queues"] and seen[-1]["rates"] is not None, seen


def words_of(ctl: Notifyctl, *words: str, **settings: Any) -> list[Any]:
    return [ctl.program, "-c", ctl.conf(**settings), "stats", "--watch", *words]


def test_a_terminal_is_drawn_over_in_its_size_and_given_back_as_it_was(stage: Stage, ctl: Notifyctl) -> None:
    hook = make_dead(stage, 2)
    stage.database.execute("UPDATE integrations SET name = %s WHERE id = %s", ("evil\x1b[31m\x07name", hook))
    stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, failing_since, last_error)"
                           " VALUES (%s, %s, now(), 'timeout')", (hook, stage.workspace.id))
    time.sleep(1.1)
    with Terminal(words_of(ctl, "1"), lines=30, columns=150) as terminal:
        frame = terminal.wait(r"^\x1b\[\?1049h\x1b\[\?25l.*?notifyctl stats.*?\x1b\[J")[0]
        assert "\x1b[1m" in frame and "rates from the next turn on" in frame and "evil?[31m?name" in frame and "rejected" in frame, frame
        assert terminal.settings() != terminal.before, "keys come one by one"
        frame = terminal.wait(r"\x1b\[H.*?\x1b\[J")[0]
        assert "events 0.0/s" in frame and frame.count("\r\n") < 30
        terminal.resize(8, 40)
        frame = terminal.wait(r"\x1b\[H[^J]*\.\.\.\x1b\[K\x1b\[J", timeout=5)[0]
        assert frame.count("\r\n") == 7
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame.rpartition("\x1b[H")[2])
        assert all(len(line.rstrip("\r")) <= 40 for line in plain.split("\n")), plain
        terminal.type("q")
        assert terminal.end() == 0 and terminal.shown.endswith("\x1b[0m\x1b[?25h\x1b[?1049l"), terminal.shown
        assert terminal.settings() == terminal.before


@pytest.mark.parametrize("how", ["\3", signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_way_to_leave_gives_the_terminal_back(stage: Stage, ctl: Notifyctl, how: Any) -> None:
    with Terminal(words_of(ctl, "60")) as terminal:
        terminal.wait(r"Dead.*?\x1b\[J")
        if isinstance(how, str):
            terminal.type(how)
        else:
            terminal.process.send_signal(how)
        assert terminal.end(5) == 0 and terminal.shown.endswith("\x1b[?1049l") and terminal.settings() == terminal.before


def test_who_cannot_wait_for_a_server_leaves_at_once_by_a_second_ctrl_c(stage: Stage, ctl: Notifyctl) -> None:
    """A database that takes connections and says nothing holds a turn for seconds."""
    import socket
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x"
        with Terminal(words_of(ctl, database={"url": url})) as terminal:
            terminal.wait(r"\x1b\[\?1049h")
            time.sleep(0.3)
            began = time.monotonic()
            terminal.type("\3")
            time.sleep(0.2)
            terminal.type("\3")
            assert terminal.end() == 0 and time.monotonic() - began < 2
            assert terminal.shown.endswith("\x1b[?1049l") and terminal.settings() == terminal.before


def test_stopped_and_continued_it_leaves_the_screen_and_comes_back(stage: Stage, ctl: Notifyctl) -> None:
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env={"PS1": "> "}) as shell:
        shell.wait("> ")
        shell.type(" ".join(str(word) for word in words_of(ctl, "60")) + "\n")
        shell.wait(r"Dead.*?\x1b\[J")
        shell.type("\x1a")
        shell.wait(r"\x1b\[\?1049l.*Stopped.*> ", 5)
        shell.type("fg\n")
        shell.wait(r"\x1b\[\?1049h.*notifyctl stats.*\x1b\[J", 5)
        shell.type("q")
        shell.wait(r"\x1b\[\?1049l.*> ", 5)
        shell.type("echo $?; exit\n")
        shell.wait(r"[\r\n]0\r", 5)


def test_colours_are_only_for_those_who_want_them(stage: Stage, ctl: Notifyctl) -> None:
    with Terminal(words_of(ctl, "1"), env={"NO_COLOR": "1"}) as terminal:
        frame = terminal.wait(r"Dead.*?\x1b\[J")[0]
        assert not re.search(r"\x1b\[\d+m", frame)
    with Terminal(words_of(ctl, "1"), env={"TERM": "dumb"}) as terminal:
        terminal.wait(r"events/s=0\.0")
        assert "\x1b" not in terminal.shown


@pytest.mark.parametrize("words", [["--watch", "0"], ["--watch", "soon"], ["--watch=-1"], ["--watch", "86401"]])
def test_a_turn_takes_a_second_to_a_day(ctl: Notifyctl, words: list[str]) -> None:
    answer = ctl("stats", *words)
    assert answer.code == 2 and "--watch needs a whole number from 1 to 86400" in answer.err, answer


def test_a_turn_costs_the_same_however_much_is_in_the_ledger(stage: Stage, watch: Any) -> None:
    """Of each kind ten thousand rows are counted at the most, from indexes that hold nothing else, and no table is read whole."""
    hook = make_dead(stage, 60000)
    stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, wake_at) VALUES (%s, %s, now())", (hook, stage.workspace.id))
    stage.database.execute("UPDATE notify.deliveries SET state = 'delivered', reason = NULL WHERE right(event_id, 1) IN ('1', '2', '3', '4');"
                           "UPDATE notify.deliveries SET state = 'waiting', reason = NULL, due_at = now() WHERE right(event_id, 1) IN ('5', '6');"
                           "UPDATE notify.deliveries SET state = 'deferred', reason = NULL, rank = 1, due_at = now() WHERE right(event_id, 1) IN ('7', '8')")
    for table in ("deliveries", "events", "integration_state", "stats_hourly"):
        stage.database.execute(f"VACUUM ANALYZE notify.{table}")

    def read_whole() -> dict[str, int]:
        stage.database.execute("SELECT pg_stat_clear_snapshot()")
        return dict(stage.database.query("SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname IN ('deliveries', 'events')"))

    time.sleep(1.5)  # statistics of the sessions before are there
    before = read_whole()
    lines = watch("--watch", "1", "--json")
    turns = [json.loads(lines.next()) for _ in range(3)]
    ledger = turns[-1]["ledger"]
    assert (ledger["waiting"], ledger["deferred"], ledger["dead"], ledger["more"]) == (10001, 10001, 10001, True), ledger
    lines.process.send_signal(signal.SIGINT)
    lines.process.wait(10)
    time.sleep(1.5)
    assert read_whole() == before

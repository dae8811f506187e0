"""notifyctl dead replay and drop in bulk: which, how fast, and how far when somebody stops it."""

from __future__ import annotations

import re
import signal
import time
import uuid
from typing import Any

import pytest
from ctl import Notifyctl
from dead_rows import make_dead
from terminal import Terminal

from conftest import Stage


def states(stage: Stage) -> dict[str, int]:
    return dict(stage.database.query("SELECT state, count(*) FROM notify.deliveries GROUP BY 1"))


def listed(ctl: Notifyctl, *words: str) -> set[str]:
    answer = ctl("dead", "list", "--json", *words)
    assert answer.code == 0, answer
    return {row["event_id"] for row in answer.json()}


def test_each_filter_meets_what_it_names_in_list_and_in_replay_alike(stage: Stage, ctl: Notifyctl) -> None:
    hook, chat = make_dead(stage, 1, prefix="hook"), stage.integration({"webhook_url": "https://chat.example/"}, kind="slack", name="chat").id
    make_dead(stage, 1, prefix="chat", integration=chat, reason="gone")
    make_dead(stage, 1, prefix="old", integration=hook, age=86400)
    scan = str(uuid.uuid4())
    stage.database.execute("UPDATE notify.deliveries SET error = 'timeout' WHERE event_id = 'hook1'; UPDATE notify.events SET scan_id = %s WHERE id = 'chat1';"
                           "UPDATE notify.events SET event_type = 'finding_new' WHERE id = 'old1';"
                           "UPDATE notify.events SET workspace_id = %s", (scan, stage.workspace.id))
    stage.database.execute("INSERT INTO notify.events (id, content_hash, event_type, state, reason, first_seen, finished_at, scan_id, workspace_id)"
                           " VALUES ('whole', '', 'scan_done', 'dead', 'not_found', now(), now(), %s, %s)", (scan, str(uuid.uuid4())))
    yesterday, = stage.database.query("SELECT to_char(now() - interval '12 hours', 'YYYY-MM-DD\"T\"HH24:MI')")[0]
    for words, met in (([], {"hook1", "chat1", "old1", "whole"}), (["--kind", "slack"], {"chat1"}), (["--kind", "webhook"], {"hook1", "old1"}),
                       (["--error", "timeout"], {"hook1"}), (["--scan", scan], {"chat1", "whole"}), (["--event-type", "finding_new"], {"old1"}),
                       (["--workspace", str(stage.workspace.id)], {"hook1", "chat1", "old1"}), (["--since", yesterday], {"hook1", "chat1", "whole"}),
                       (["--until", yesterday + ":00Z"], {"old1"}), (["--until", "2020-01-01"], set()), (["--since", "2020-01-01 00:00"], {"hook1", "chat1", "old1", "whole"}),
                       (["--scan", scan, "--kind", "slack"], {"chat1"}), (["--event-type", "scan_done", "--integration", hook], {"hook1"})):
        assert listed(ctl, *words) == met, words
        shown = ctl("dead", "replay", "--dry-run", "--all", "--json", *words)
        assert shown.code == 0 and sum(row["count"] for row in shown.json()) == len(met), (words, shown)
    assert ctl("dead", "replay", "--kind", "slack", "--scan", scan, "--json").json()["deliveries"] == 1
    assert stage.database.query("SELECT event_id FROM notify.deliveries WHERE state = 'waiting'") == [("chat1",)]
    assert ctl("dead", "drop", "--error", "timeout", "--json").json()["deliveries"] == 1
    assert states(stage) == {"waiting": 1, "dropped": 1, "dead": 1}


@pytest.mark.parametrize("words, said", [
    (["--kind", "fax"], "--kind needs one of: webhook slack"),
    (["--error", "tired"], "--error needs one of: http_status"),
    (["--event-type", "done"], "--event-type needs one of: scan_started"),
    (["--scan", "x"], "--scan needs a UUID"),
    (["--workspace", "x"], "--workspace needs a UUID"),
    (["--since", "yesterday"], "--since needs a time as in 2026-11-22, 2026-11-22T01:59"),
    (["--until", "2026-02-30"], "--until needs a time"),
    (["--until", "2026-02-03T25:00"], "--until needs a time"),
    (["--until", "T" * 500], "--until needs a time"),
    (["--all", "--rate", "-1"], "--rate needs a whole number from 0"),
    (["--all", "--rate", "fast"], "--rate needs a whole number from 0"),
    (["--dry-run"], "say --all"),
    (["--yes"], "say --all"),
])
def test_what_a_filter_or_rate_cannot_be_is_said(stage: Stage, ctl: Notifyctl, words: list[str], said: str) -> None:
    answer = ctl("dead", "replay", *words)
    assert answer.code == 2 and said in answer.err and not answer.out, answer


def test_an_unread_message_has_no_ledger_and_filters_of_it_are_refused(ctl: Notifyctl) -> None:
    for words in (["--kind", "slack"], ["--scan", str(uuid.uuid4())], ["--error", "timeout"], ["--event-type", "scan_done"], ["--rate", "5"]):
        answer = ctl("dead", "drop", "--unread", "--all", *words)
        assert answer.code == 2 and f"leave {words[0]} out" in answer.err, answer


def test_a_dry_run_says_what_would_become_of_what_and_changes_nothing(stage: Stage, ctl: Notifyctl) -> None:
    on, off = make_dead(stage, 3, prefix="on"), make_dead(stage, 2, prefix="off", reason="gone")
    stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s", (off,))
    rows = ctl("dead", "replay", "--all", "--dry-run", "--json").json()
    assert [(row["becomes"], row["reason"], row["kind"], row["integration_id"], row["name"], row["count"]) for row in rows] == [
        ("replayed", "rejected", "webhook", on, "made", 3), ("kept", "gone", "webhook", off, "made", 2)]
    table = ctl("dead", "drop", "--all", "--dry-run")
    assert table.code == 0 and re.search(r"^dropped +gone +webhook +\S+ +made +2$", table.out, re.M), table
    limited = ctl("dead", "replay", "--all", "--dry-run", "--json", "--limit", "2").json()
    assert [row["count"] for row in limited if row["becomes"] == "replayed"] == [2]
    assert states(stage) == {"dead": 5}
    assert ctl("dead", "replay", "--all", "--json").json() == {"deliveries": 3, "events": 0, "kept": 2, "busy": 0}


def test_a_replay_keeps_its_rate(stage: Stage, ctl: Notifyctl) -> None:
    """By default too: 50 a second, the first of them at once."""
    make_dead(stage, 220)
    process = ctl.start("dead", "replay", "--all", "--json")
    seen: list[tuple[float, int]] = []
    while process.poll() is None:
        seen.append((time.monotonic(), states(stage).get("waiting", 0)))
        time.sleep(0.02)
    answer = ctl.finish(process)
    assert answer.code == 0 and answer.json()["deliveries"] == 220, answer
    first = next(at for at, count in seen if count)
    for at, count in seen:
        assert count <= 50 * (at - first) + 50 + 5, (at - first, count, "faster than 50 a second")
    assert 3.0 < seen[-1][0] - first < 8
    updated, = stage.database.query("SELECT count(DISTINCT updated_at) FROM notify.deliveries")[0]
    assert updated == 5, "a transaction for each batch"


def test_as_fast_as_it_goes_is_a_rate_too_and_a_drop_s_own(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 3000)
    started = time.monotonic()
    assert ctl("dead", "replay", "--reason", "rejected", "--limit", "1500", "--rate", "0", "--json").json()["deliveries"] == 1500
    assert ctl("dead", "drop", "--all", "--json").json()["deliveries"] == 1500
    assert time.monotonic() - started < 15


def test_a_stop_ends_between_batches_says_how_far_it_came_and_the_same_command_goes_on(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 100)
    for number in (signal.SIGINT, signal.SIGTERM):
        done = states(stage).get("waiting", 0)
        process = ctl.start("dead", "replay", "--all", "--rate", "20", "--json")
        stage.wait(lambda: states(stage).get("waiting", 0) >= done + 20)
        process.send_signal(number)
        answer = ctl.finish(process, timeout=5)
        replayed = states(stage)["waiting"] - done
        assert answer.code == 1 and answer.json() == {"deliveries": replayed, "events": 0, "kept": 0, "busy": 0, "stopped": True}, answer
        assert "stopped; the same command goes on with what is still dead" in answer.err and 20 <= replayed < 60
    rest = states(stage)["dead"]
    assert ctl("dead", "replay", "--all", "--rate", "0", "--json").json()["deliveries"] == rest
    assert states(stage) == {"waiting": 100}


def test_a_person_is_asked_before_many_are_changed_and_nobody_else_is(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 101)
    words = [ctl.program, "-c", ctl.conf(), "dead", "drop", "--all", "--rate", "1000"]
    for typed in ("n\n", "\n", "maybe\n", "\4"):
        with Terminal(words) as terminal:
            terminal.wait(r"drop 101 at 1000 a second, which takes 0 s\? \[y/N\] ")
            terminal.type(typed)
            assert terminal.end() == 1 and "nothing was changed" in terminal.shown and states(stage) == {"dead": 101}
    with Terminal([*words, "--dry-run"]) as terminal:
        assert terminal.end() == 0 and "[y/N]" not in terminal.shown
    with Terminal([*words, "--limit", "100"]) as terminal:
        assert terminal.end() == 0 and "[y/N]" not in terminal.shown and "dropped 100 deliveries" in terminal.shown
    stage.database.execute("UPDATE notify.deliveries SET state = 'dead'")
    with Terminal([*words, "--yes"]) as terminal:
        assert terminal.end() == 0 and "[y/N]" not in terminal.shown
    stage.database.execute("UPDATE notify.deliveries SET state = 'dead'")
    with Terminal(words) as terminal:
        terminal.wait(r"\[y/N\] ")
        terminal.type("y\n")
        assert terminal.end() == 0 and "dropped 101 deliveries" in terminal.shown
    stage.database.execute("UPDATE notify.deliveries SET state = 'dead'")
    assert ctl("dead", "drop", "--all").out == "dropped 101 deliveries\n", "a script is not asked"


def test_progress_is_shown_in_one_line_of_a_terminal_and_ctrl_c_stops_there(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 90)
    with Terminal([ctl.program, "-c", ctl.conf(), "dead", "replay", "--all", "--rate", "15"]) as terminal:
        terminal.wait(r"\rnotifyctl: replayed 30 of 90; Ctrl-C stops it")
        terminal.type("\3")
        assert terminal.end() == 1
        assert re.search(r"\r\x1b\[Kreplayed (30|45) deliveries and 0 events.*stopped; the same command goes on", terminal.shown, re.S), terminal.shown


def test_what_was_done_before_the_database_went_away_is_said(stage: Stage, ctl: Notifyctl) -> None:
    make_dead(stage, 60)
    process = ctl.start("dead", "replay", "--all", "--rate", "20")
    stage.wait(lambda: states(stage).get("waiting", 0) >= 20)
    stage.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'notifyctl' AND datname = current_database()")
    answer = ctl.finish(process)
    assert answer.code == 75 and re.search(r"replayed (20|40) before this; the same command goes on with the rest", answer.err), answer

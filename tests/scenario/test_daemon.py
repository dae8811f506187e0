"""The handle on notifyd must see a bad end: otherwise every test that uses it could pass beside an orphan or a crash."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Callable

import pytest

from sandbox.daemon import Notifyd
from sandbox.processes import StartError, wait_until

# Stands in for notifyd where a test needs one that misbehaves: says what it is told to, has two children, ends as told.
PROGRAM = """#!/bin/sh
echo "$@" > arguments
for n in 1 2; do
    sh -c 'trap "" TERM; echo "t process=\\"worker '$n'\\" pid=$$ event=worker_ready"; while :; do sleep 0.1; done' >&2 &
    pids="$pids $!"
done
END='kill -9 $pids; exit 0'
. ./behaviour
trap "$END" TERM
while :; do sleep 0.05; done
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Notifyd]:
    def make(behaviour: str = "", ready: bool = True) -> Notifyd:
        program = tmp_path / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "behaviour").write_text(behaviour)
        one = Notifyd(program, tmp_path / "run", {"workers": 2, "shutdown_grace": 1, "delivery": {"timeout": -4.0}})
        return one.wait_ready(10) if ready else one
    return make


def test_a_good_end_is_seen_as_good(start: Callable[..., Notifyd]) -> None:
    one = start()
    assert len(one.workers()) == 2 and one.agent_url.startswith("http://127.0.0.1:")
    assert (one.folder / "arguments").read_text() == f"-c {one.conf}\n"
    assert one.close() == [] and not one.alive()


def test_a_bad_exit_code_is_seen(start: Callable[..., Notifyd]) -> None:
    assert "ended with 3, not 0" in start("END='kill -9 $pids; exit 3'").close()[0]


def test_an_orphan_is_seen_and_ended(start: Callable[..., Notifyd]) -> None:
    one = start("END='exit 0'")
    workers = one.workers()
    assert "no child of notifyd is left" in one.close()[0]
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in workers)


def test_an_orphan_of_a_killed_supervisor_is_seen(start: Callable[..., Notifyd]) -> None:
    one = start()
    one.kill()
    assert one.wait() == -signal.SIGKILL and len(one.family()) >= 2
    assert "no child of notifyd is left" in one.close()[0]


def test_a_supervisor_that_does_not_end_is_seen_and_ended(start: Callable[..., Notifyd]) -> None:
    one = start("END=':'")
    assert "timed out" in one.close()[0] and one.family() == []


def test_a_sanitizer_report_is_seen(start: Callable[..., Notifyd]) -> None:
    one = start("echo 'x.c:1:2: runtime error: signed integer overflow' >&2")
    assert "sanitizer report: x.c:1:2: runtime error" in one.close()[0]


def test_an_end_before_readiness_is_an_error_with_the_log(start: Callable[..., Notifyd]) -> None:
    one = start("echo 'no such setting' >&2; kill -9 $pids; exit 78", ready=False)
    wait_until(lambda: not one.alive(), 10, "it has ended")
    with pytest.raises(StartError, match="(?s)ended with 78.*no such setting"):
        one.wait_ready(10)


def test_the_environment_does_not_override_the_file(start: Callable[..., Notifyd], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URL", "amqp://elsewhere")
    one = start("env > seen")
    wait_until((one.folder / "seen").exists, 5, "the program has run")
    assert "AMQP_URL" not in (one.folder / "seen").read_text() and os.environ["AMQP_URL"]
    assert one.close() == []

"""deploy/demo: it succeeds again and beside itself, whatever ends it leaves nothing behind, and it can tell right from wrong."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from sandbox import seed
from sandbox.demo_case import Call, Hook
from sandbox.demo_check import Expectation, ledger_problems, missing_deliveries, read_receipt, receipt_problems
from sandbox.demo_rule import FIRES, STAGES, Filters
from sandbox.processes import Process, descendants, processes, wait_until
from sandbox.receiver import Request

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """One run of deploy/demo, watched from outside: which processes it has, which ports they listen on, what it says."""

    def __init__(self, *words: str, **options: Any) -> None:
        self.processes: dict[tuple[int, int], Process] = {}
        self.ports: set[int] = set()
        self.text = ""
        self._popen = subprocess.Popen([ROOT / "deploy" / "demo", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True, start_new_session=True, cwd="/", **options)
        self._first, self._last = now_in_ticks(), 1 << 62
        self._threads = [threading.Thread(target=step, daemon=True) for step in (self._read, self._watch)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def _read(self) -> None:
        assert self._popen.stdout
        for line in self._popen.stdout:
            self.text += line

    def _watch(self) -> None:
        while self._popen.poll() is None:
            for p in descendants(self.pid):
                self.processes[p.pid, p.start] = p
            self.ports |= listening_ports([self.pid, *(p.pid for p in self.processes.values() if p.alive)]).keys()
            time.sleep(0.1)

    def wait_for(self, text: str, timeout: float = 120) -> None:
        wait_until(lambda: text in self.text or self._popen.poll() is not None, timeout, f"{text!r} in:\n{self.text}")
        assert text in self.text, self.text

    def wait(self, timeout: float = 240) -> int:
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.terminate()
            raise AssertionError(f"the demo does not end; it says:\n{self.text}") from None
        self._last = now_in_ticks()
        for thread in self._threads:
            thread.join(10)
        return code

    @property
    def folder(self) -> Path:
        found = re.search(r"build/demo/\S+", self.text)
        assert found, self.text
        return ROOT / found[0]

    def leftovers(self) -> list[str]:
        """What still runs or listens. A port is ours no more when a process has it that lived before or began after us."""
        alive = [f"{p.name} ({p.pid})" for p in self.processes.values() if p.alive]
        ours = {pid for pid, p in processes().items() if self._first <= p.start <= self._last}
        held = [f"port {port} of {owner}" for port, owner in listening_ports(list(ours)).items() if port in self.ports]
        return alive + held + processes_that_name(self.folder)

    def saw_all(self) -> bool:
        """Whether the watcher saw the servers: without that, finding no leftovers would prove nothing."""
        names = {p.name for p in self.processes.values()}
        return {"epmd", "beam.smp", "postgres", "notifyd"} <= names and len(self.ports) >= 6


def now_in_ticks() -> int:
    """The clock of Process.start."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def listening_ports(pids: list[int]) -> dict[int, str]:
    """The TCP ports on which these processes listen, and the command line of the process."""
    inodes = {}
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                link = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes[link[8:-1]] = pid
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found[int(fields[1].rsplit(":", 1)[1], 16)] = command_line(inodes[fields[9]])
    return found


def command_line(pid: int) -> str:
    """The environment included: some servers name their folder only there."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace")


def processes_that_name(folder: Path) -> list[str]:
    """Whoever their parent is by now."""
    named = ((pid, command_line(pid)) for pid in processes() if pid != os.getpid())
    return [f"{pid}: {words}" for pid, words in named if str(folder) in words]


def assert_success(run: Run) -> None:
    code = run.wait()
    assert code == 0, run.text
    assert re.search(r"✓ \d\d deliveries, each exactly once, both signatures of each verified; the ledger agrees\.", run.text)
    assert "finding_new" in run.text and "held back 14 disabled" in run.text and "\x1b" not in run.text, run.text
    assert run.saw_all() and run.leftovers() == [] and not run.folder.exists()


def test_the_demo_succeeds_twice_in_a_row_and_leaves_nothing() -> None:
    first = Run("--once")
    assert_success(first)
    second = Run("--once")
    assert_success(second)
    assert first.folder != second.folder


def test_two_demos_side_by_side_succeed_and_leave_nothing() -> None:
    runs = [Run("--once"), Run("--once")]
    for run in runs:
        run.wait()
    for run in runs:
        assert_success(run)
    assert not runs[0].ports & runs[1].ports


def test_ctrl_c_ends_the_demo_that_goes_on_and_leaves_nothing() -> None:
    run = Run()
    run.wait_for("Another event every")
    before = run.text.count("signature verified")
    wait_until(lambda: run.text.count("signature verified") > before, 30, f"a further delivery in:\n{run.text}")
    found = "\n".join(run.leftovers())  # while it runs they are there to be found
    assert "epmd" in found and "port " in found and str(run.folder) in found, found
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    assert run.wait(60) == 0, run.text
    assert run.saw_all() and run.leftovers() == [] and not run.folder.exists()


def test_a_demo_whose_notifyd_dies_fails_says_why_and_keeps_its_data() -> None:
    run = Run()
    run.wait_for("notifyd runs: supervisor")
    os.kill(int(re.search(r"supervisor (\d+)", run.text)[1]), signal.SIGKILL)
    try:
        assert run.wait(120) == 1, run.text
        assert run.text.rstrip().splitlines()[-1].startswith("deploy/demo: failed: "), run.text
        assert "notifyd's log ends:" in run.text and f"the data is kept in {run.folder}" in run.text
        assert run.saw_all() and run.leftovers() == [] and (run.folder / "notifyd.log").exists()
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)


@pytest.mark.parametrize("said", ["building in", "starting a private"])
def test_a_demo_that_is_terminated_while_it_starts_leaves_nothing(said: str) -> None:
    run = Run("--once")
    run.wait_for(said)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(60) == 128 + signal.SIGTERM, run.text
    assert run.leftovers() == [] and not run.folder.exists()


def test_wrong_options_are_refused_and_help_is_given() -> None:
    call: Callable[..., Any] = lambda *words: subprocess.run(  # noqa: E731
        [ROOT / "deploy" / "demo", *words], capture_output=True, text=True, timeout=10)
    wrong = call("--onec")
    assert wrong.returncode == 2 and "--onec" in wrong.stderr and "--help" in wrong.stderr
    shown = call("--help")
    assert shown.returncode == 0 and "deploy/demo [--once]" in shown.stdout


# --- what the demo calls right and wrong

SECRET = "s3cret"
WORKSPACE = seed.Workspace("w", "o")
TARGET = seed.Target("t", WORKSPACE, "url", "shop")
SCAN = seed.Scan("s", TARGET)
FINDING = seed.Finding("f", SCAN, "low", "a title")
EVERYTHING = Hook("i1", "everything", "/1", SECRET)
CRITICAL = Hook("i2", "critical", "/2", SECRET)
FILTERS = [Filters("i1", "everything", True, "info", None, None, None), Filters("i2", "critical", True, "critical", None, None, None)]


def expectation() -> Expectation:
    expected = Expectation()
    expected.add("e1", Call(SCAN, "finding_new", FINDING), FILTERS)
    return expected


def request(path: str = "/1", secret: str = SECRET, key: bytes | None = None, message_id: str = "m1", **changes: Any) -> Request:
    body = json.dumps({
        "tool": "pencheff", "event": "finding_new", "id": "e1", "workspace_id": "w", "target": {"id": "t"}, "scan": {"id": "s"},
        "finding": {"id": "f", "severity": "low", "title": "a title"}, "change_summary": None, "error": None, **changes}).encode()
    digest = hmac.digest(key or secret.encode(), f"{message_id}.1700000000.".encode() + body, hashlib.sha256)
    headers = [("X-Pencheff-Signature", "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()),
               ("X-Pencheff-Timestamp", "1700000000"), ("webhook-id", message_id), ("webhook-timestamp", "1700000000"),
               ("webhook-signature", "v1," + base64.b64encode(digest).decode())]
    return Request("POST", path, headers, body, 1, ("127.0.0.1", 1))


def problems(*requests: Request) -> list[str]:
    return receipt_problems([read_receipt(r, [EVERYTHING, CRITICAL]) for r in requests], expectation())


def test_the_right_delivery_is_right() -> None:
    assert problems(request()) == []
    assert missing_deliveries([read_receipt(request(), [EVERYTHING])], expectation()) == set()
    assert missing_deliveries([], expectation()) == {("e1", "i1")}


@pytest.mark.parametrize(("wrong", "said"), [
    (request(secret="another"), "X-Pencheff-Signature does not match"),
    (request(key=b"another"), "webhook-signature does not match"),
    (request("/nowhere"), "/nowhere is no address"),
    (request("/2"), "delivered to critical, which it is not for"),
    (request(id="e2"), "event e2 was delivered to everything, which it is not for"),
    (request(event="finding_changed"), "event is 'finding_changed' instead of 'finding_new'"),
    (request(finding=None), "finding.id is None instead of 'f'"),
    (request(error="x"), "error is 'x' instead of None"),
])
def test_a_wrong_delivery_is_named(wrong: Request, said: str) -> None:
    assert any(said in text for text in problems(wrong)), problems(wrong)


def test_a_second_delivery_is_named() -> None:
    assert problems(request(), request()) == ["event e1 was delivered 2 times to everything"]


EVENT = {"state": "done", "considered": 2, "matched": 1, **{f"filtered_{stage}": 0 for stage in STAGES}, "filtered_severity": 1}
DELIVERY = {"event_id": "e1", "integration_id": "i1", "state": "delivered", "attempt": 1}


def test_a_ledger_that_agrees_is_right() -> None:
    assert ledger_problems({"e1": EVENT}, [DELIVERY], expectation()) == []


@pytest.mark.parametrize(("events", "deliveries", "said"), [
    ({}, [DELIVERY], "event e1 is not in the ledger"),
    ({"e1": EVENT, "e2": EVENT}, [DELIVERY], "an event e2 that nobody published"),
    ({"e1": {**EVENT, "state": "open"}}, [DELIVERY], "event e1 is open"),
    ({"e1": {**EVENT, "filtered_severity": 0, "filtered_event": 1}}, [DELIVERY],
     "filtered_event is 1 in the ledger and 0 by the rule"),
    ({"e1": EVENT}, [], "delivery e1 to i1 is not in the ledger"),
    ({"e1": EVENT}, [DELIVERY, {**DELIVERY, "integration_id": "i2"}], "delivery e1 to i2 is in the ledger"),
    ({"e1": EVENT}, [{**DELIVERY, "state": "waiting"}], "is waiting after attempt 1"),
    ({"e1": EVENT}, [{**DELIVERY, "attempt": 2}], "is delivered after attempt 2"),
])
def test_a_ledger_that_does_not_agree_is_named(events: dict, deliveries: list, said: str) -> None:
    found = ledger_problems(copy.deepcopy(events), deliveries, expectation())
    assert any(said in text for text in found), found


def test_the_names_of_those_who_held_back_follow_the_rule() -> None:
    expected = expectation()
    assert expected.stages["e1"] == {"i1": FIRES, "i2": "severity"} and expected.counts("e1")["filtered_severity"] == 1

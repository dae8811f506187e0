"""deploy/demo: it succeeds again and beside itself, and whatever ends it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable

import pytest
from leftovers import listening_ports, processes_that_name
from sandbox.processes import Process, descendants, processes, wait_until

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
            time.sleep(0.2)

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
        return {"epmd", "beam.smp", "postgres", "notifyd", "notify-api"} <= names and len(self.ports) >= 7


def now_in_ticks() -> int:
    """The clock of Process.start."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def assert_success(run: Run) -> None:
    code = run.wait()
    assert code == 0, run.text
    assert "✓ 23 events, 59 deliveries, each exactly once, and 1 dead as it must be; every signature" in run.text, run.text
    assert "held back 23 disabled" in run.text and "\x1b" not in run.text, run.text
    assert_story(run.text)
    assert run.saw_all() and run.leftovers() == [] and not run.folder.exists()


def assert_story(text: str) -> None:
    """What a reader is to see, in this order, and nothing that must not happen."""
    at = 0
    for said in ("→ #security              Slack takes it ✓", "attempt 1: 503, again in 1 s", "attempt 2: 503, again in 2 s",
                 "attempt 3: 200, signature verified ✓", "→ Moved away             attempt 1: 404, dead", "$ notifyctl dead list",
                 "404     rejected", "notifyctl dead replay", "notify_scan_findings.delay(scan) publishes",
                 "Stored XSS: <script> in a review", "What the filters held back", "$ notifyctl explain --event", "HELD  severity",
                 "conclusion: ", "$ notifyctl audit\n  balanced: ", "What the API says\n$ curl -H 'Authorization: Bearer pnt_", "the dashboard: http://127.0.0.1:"):
        at = text.find(said, at)
        assert at >= 0, f"{said!r} is not in its place in:\n{text}"
    assert text.count("Slack takes it ✓") == 12 and text.count("again in") == 2 and text.count("404, dead") == 1, text
    assert "not right:" not in text and "Default password" not in text, text


def send_a_test(text: str) -> None:
    token, url = re.search(r"Bearer (pnt_[\w-]+)", text)[1], re.search(r"the dashboard: (http://[\d.:]+)", text)[1]
    ask = lambda path, data=None: json.loads(urllib.request.urlopen(
        urllib.request.Request(url + path, data=data, headers={"Authorization": f"Bearer {token}"}), timeout=30).read())
    one = next(i for i in ask("/integrations") if i["kind"] == "webhook" and i["name"] == "Archive of everything")
    assert ask(f"/integrations/{one['id']}/test", b"")["ok"] is True


def test_a_demo_and_beside_it_one_that_goes_on_until_ctrl_c_succeed_and_leave_nothing() -> None:
    once, other = Run("--once"), Run()
    other.wait_for("Another event every")
    before = other.text.count("signature verified")
    wait_until(lambda: other.text.count("signature verified") > before, 30, f"a further delivery in:\n{other.text}")
    send_a_test(other.text)  # as whoever looks at the dashboard does
    wait_until(lambda: "beside the plan: " in other.text, 30, f"a remark in:\n{other.text}")
    before = other.text.count("signature verified")
    wait_until(lambda: other.text.count("signature verified") > before, 30, f"a delivery after it in:\n{other.text}")
    found = "\n".join(other.leftovers())  # while it runs they are there to be found
    assert "epmd" in found and "port " in found and str(other.folder) in found, found
    assert_success(once)
    os.killpg(other.pid, signal.SIGINT)  # as a terminal does
    assert other.wait(120) == 0, other.text
    assert other.saw_all() and other.leftovers() == [] and not other.folder.exists()
    assert once.folder != other.folder and not once.ports & other.ports


def test_a_demo_whose_notifyd_dies_fails_says_why_and_keeps_its_data() -> None:
    run = Run()
    run.wait_for("notifyd runs: supervisor")
    wait_until(run.saw_all, 20, "the watcher has seen the servers")
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

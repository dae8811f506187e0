"""tests/bench/run: its figures have the promised form and are possible, and whatever ends it leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree
from pathlib import Path

import pytest
from leftovers import processes_that_name
from sandbox.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {"events_per_s", "deliveries_per_s", "cpu_us_per_event", "rss_mb_per_worker", "anon_mb_per_worker", "latency_ms"}
SERVERS = ("epmd", "rabbit", "postgres", "nginx", "bench_receiver")  # words of what runs while it measures


class Run:
    def __init__(self, *words: str) -> None:
        self.text = ""
        self._popen = subprocess.Popen([ROOT / "tests" / "bench" / "run", *words], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd="/")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout
        for line in self._popen.stdout:
            self.text += line

    def wait_for(self, text: str, timeout: float = 180) -> None:
        wait_until(lambda: text in self.text or self._popen.poll() is not None, timeout, f"{text!r} in:\n{self.text}")
        assert text in self.text, self.text

    def terminate(self) -> None:
        self._popen.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 300) -> int:
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.terminate()
            raise AssertionError(f"the benchmark does not end; it says:\n{self.text}") from None
        self._reader.join(10)
        return code

    @property
    def folder(self) -> Path:
        found = re.search(r"build/bench/\S+", self.text)
        assert found, self.text
        return ROOT / found[0]

    def assert_running(self) -> None:
        """While it runs its processes are there to be found: without that, finding none later would prove nothing."""
        found = "\n".join(processes_that_name(self.folder))
        assert all(word in found for word in SERVERS), found

    def assert_gone(self) -> None:
        assert processes_that_name(self.folder) == [] and not self.folder.exists()


def test_the_benchmark_says_what_it_promises_and_leaves_nothing() -> None:
    begun = time.time()
    run = Run("--seconds", "1", "--rounds", "1", "--only", "notifyd", "--only", "floor")
    run.wait_for("round 1")
    run.assert_running()
    assert run.wait() == 0, run.text
    run.assert_gone()
    path = ROOT / "build" / "bench.json"
    assert path.stat().st_mtime >= begun
    report = json.loads(path.read_text())
    assert {"contenders", "scenarios", "ratios"} <= report.keys() and report["scenarios"] == {} == report["failed"], report
    assert report["contenders"].keys() == {"notifyd", "floor"}
    for figures in report["contenders"].values():
        assert_possible(figures)
    ours, least = report["contenders"]["notifyd"], report["contenders"]["floor"]
    assert least["cpu_us_per_event"] < ours["cpu_us_per_event"]
    assert ours["cpu_us_per_event_of"]["database"] > 5 > least["cpu_us_per_event_of"]["database"]
    assert_ratio(report, "cpu_us_per_event", ours["cpu_us_per_event"] / least["cpu_us_per_event"])
    assert_ratio(report, "latency_p50", ours["latency_ms"]["p50"] / least["latency_ms"]["p50"])
    assert_shown(report, run.text)


def assert_possible(figures: dict) -> None:
    """Far beyond what any machine does, whichever way."""
    assert FIGURES <= figures.keys() and figures["latency_ms"].keys() == {"p50", "p99"}, figures
    assert 50 < figures["events_per_s"] < 200_000
    assert figures["deliveries_per_s"] == figures["events_per_s"], "one match per event"
    assert 2 < figures["cpu_us_per_event"] < 5000
    assert 1 < figures["anon_mb_per_worker"] < figures["rss_mb_per_worker"] < 200
    assert 0.02 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"] < 10_000
    others = figures["cpu_us_per_event_of"]
    assert others.keys() == {"broker", "database", "receiver"} and others["broker"] > 5 and others["receiver"] > 1, others


def assert_ratio(report: dict, figure: str, expected: float) -> None:
    assert report["ratios"]["notifyd/floor"][figure] == pytest.approx(expected, rel=0.01)


def assert_shown(report: dict, text: str) -> None:
    """The table and the picture have the same figures."""
    for name, figures in report["contenders"].items():
        row = re.search(rf"^{name} +(\d+) ", text, re.MULTILINE)
        assert row and float(row[1]) == pytest.approx(figures["events_per_s"], rel=0.01), text
    picture = xml.etree.ElementTree.parse(ROOT / "build" / "bench.svg").getroot()
    words = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    rates = [float(word.replace(",", "")) for word in words if word and re.fullmatch(r"[\d,]+", word)]
    assert {"notifyd", "floor"} <= set(words)
    assert rates == pytest.approx([figures["events_per_s"] for figures in report["contenders"].values()], rel=0.01)


def test_a_benchmark_that_is_terminated_leaves_nothing() -> None:
    run = Run("--seconds", "2", "--only", "floor")
    run.wait_for("floor: about")
    run.assert_running()
    run.terminate()
    assert run.wait(60) == 128 + signal.SIGTERM, run.text
    run.assert_gone()

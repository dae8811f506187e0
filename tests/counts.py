"""Counts tests for the last line of tests/run, into the file that NOTIFY_TEST_COUNTS names.

A test that passed and then failed in its clean-up has failed. A file that cannot be collected counts as one failed test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_outcomes: dict[str, str] = {}
_WEIGHT = {"passed": 0, "skipped": 1, "failed": 2}


def _note(name: str, outcome: str) -> None:
    if _WEIGHT[outcome] >= _WEIGHT.get(_outcomes.get(name, "passed"), 0):
        _outcomes[name] = outcome


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _note(report.nodeid, report.outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome == "failed":
        _note(report.nodeid, "failed")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    path = os.environ.get("NOTIFY_TEST_COUNTS")
    if path and not hasattr(session.config, "workerinput"):  # where tests run in several processes, one hears of them all
        counts = [sum(1 for outcome in _outcomes.values() if outcome == word) for word in ("passed", "failed", "skipped")]
        Path(path).write_text(" ".join(map(str, counts)) + "\n")

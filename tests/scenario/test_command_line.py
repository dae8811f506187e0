"""The services take the same options, and say the same of others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("program", ["notifyd", "notify-api"])
def test_services_answer_alike_to_the_options_that_they_share(build: Path, program: str) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run([build / program, *words], capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run("-V") == run("--version") and run("-V")[1].split()[0] == program
    code, shown, wrong = run("--help")
    assert (code, wrong) == (0, "") and shown.startswith(program) and "(default /etc/pencheff-notify/notify.conf)" in shown
    for words in (("-x",), ("--nothing",), ("-c",), ("now",), ("-t", "now")):
        code, shown, wrong = run(*words)
        assert (code, shown) == (2, "") and wrong.endswith(f"{program} --help lists the options.\n"), (words, wrong)
    assert run("-t", "-c", "/nonexistent")[0] == 78
    assert run("--help-config")[0] == (0 if program == "notifyd" else 2)

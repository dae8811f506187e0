"""valgrind finds nothing in the unit tests."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess

import pytest


@pytest.mark.idle
@pytest.mark.ci
def test_the_unit_tests_are_clean_under_valgrind(build, sanitized):
    if sanitized:
        pytest.skip("the sanitizers' build does not run under valgrind; the plain build's run covers it")
    programs = sorted(path for path in (build / "tests" / "unit").glob("unit_*") if os.access(path, os.X_OK))
    assert programs

    def check(program):
        return program.name, subprocess.run(
            ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite,indirect",
             "--errors-for-leak-kinds=definite,indirect", "--child-silent-after-fork=yes", program, "--all"],
            capture_output=True, text=True, timeout=400, env={**os.environ, "UNIT_RARE": "1"})

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = {name: run.stdout[-300:] + run.stderr[-2000:] for name, run in pool.map(check, programs) if run.returncode}
    assert not found, "\n".join(f"{name}:\n{text}" for name, text in found.items())

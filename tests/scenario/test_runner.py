"""The runner must count right: a crash, a case without a result and a failing clean-up are failures, not silence."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import evidence
import pytest

TESTS = Path(__file__).resolve().parents[1]

PROGRAMS = {
    "unit_good": 'case $1 in --list) echo adds; echo subtracts;; *) echo "ok adds"; echo "ok subtracts";; esac',
    "unit_bad": 'case $1 in --list) echo one; echo two; echo three;; *) echo "ok one"; echo "not ok two: x.c:1: expected 1";'
                ' echo "Segmentation fault" >&2; exit 139;; esac',
    "unit_leaky": 'case $1 in --list) echo leaks;; *) echo "ok leaks"; echo "LeakSanitizer: 8 bytes" >&2; exit 99;; esac',
    "unit_broken": "exit 2",
}


def run(folder: Path, *options: str, names: tuple[str, ...] = tuple(PROGRAMS), tests: str = "unit") -> tuple[int, str, str]:
    """Exit code, counts and output of a run of pytest over TESTS, with the unit test programs in FOLDER."""
    programs = folder / "build" / "tests" / "unit"
    programs.mkdir(parents=True)
    for name in names:
        (programs / name).write_text(f"#!/bin/sh\n{PROGRAMS[name]}\n")
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={TESTS}", f"--build={folder}/build",
         f"--basetemp={folder}/tmp", *options, str(TESTS / tests)],
        capture_output=True, text=True, cwd=TESTS.parent, env={**os.environ, "NOTIFY_TEST_COUNTS": str(folder / "counts")})
    return done.returncode, (folder / "counts").read_text().strip(), done.stdout


def test_each_case_of_a_unit_program_is_a_test(tmp_path: Path) -> None:
    assert run(tmp_path, names=("unit_good",))[:2] == (0, "2 0 0")


def test_crashes_leaks_and_missing_results_are_failures_with_their_reason(tmp_path: Path) -> None:
    code, counts, output = run(tmp_path, "--continue-on-collection-errors")
    # good: 2 passed. bad: one passed, two failed, three never reported. leaky and broken failed.
    assert code != 0 and counts == "3 4 0"
    for why in ("x.c:1: expected 1", "Segmentation fault", "LeakSanitizer: 8 bytes", "--list: exit 2"):
        assert why in output


def test_words_select_by_name_and_no_match_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path / "a", "--word=SUBtract", names=("unit_good",))[:2] == (0, "1 0 0")
    assert run(tmp_path / "b", "--word=nothing", names=("unit_good",))[:2] == (5, "0 0 0")


def test_what_computes_for_minutes_runs_for_ci_or_when_asked_for(tmp_path: Path) -> None:
    """With --san the tests themselves say that they have no place there, so none of them runs here for long."""
    for n, (options, why) in enumerate([((), "for CI; use --ci"), (("--ci",), "does not run under valgrind"),
                                        (("--word=VALGRIND",), "does not run under valgrind")]):
        code, counts, output = run(tmp_path / str(n), *options, "--san", names=(), tests="scenario/test_valgrind.py")
        assert (code, counts) == (0, "0 0 1") and why in output, output


@pytest.mark.parametrize("script", ["tests/run", "deploy/packages", ".ci/run"])
def test_scripts_are_correct_shell(script: str) -> None:
    path = TESTS.parent / script
    shell = re.match(r"#!/bin/(\w+)\n", path.read_text()).group(1)
    assert os.access(path, os.X_OK) and subprocess.run([shell, "-n", path]).returncode == 0


def test_wrong_options_are_refused_with_a_hint() -> None:
    for script in ("tests/run", "deploy/packages"):
        done = subprocess.run([TESTS.parent / script, "--wrong"], capture_output=True, text=True)
        assert done.returncode == 2 and "--wrong" in done.stderr and "--help" in done.stderr


@pytest.mark.parametrize("words", [("--seeds", "x"), ("--seeds",), ("--seeds", "1-2-3"), ("--seeds", "-3"), ("--jobs", "0"), ("--jobs",),
                                   ("--seconds", "1.5"), ("--seconds", "0"), ("--seconds",)])
def test_wrong_values_of_options_are_refused_with_a_hint(words) -> None:
    done = subprocess.run([TESTS.parent / "tests/run", *words], capture_output=True, text=True)
    assert done.returncode == 2 and f"tests/run: {words[0]} " in done.stderr, done.stderr


def test_a_seed_is_known_at_its_commit_only(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(evidence, "PAGE", tmp_path / "evidence.md")
    monkeypatch.setattr(evidence, "commit", lambda: "abc")
    assert not evidence.known("chaos", 3)
    evidence.note("chaos", 3, "0 lost")
    evidence.note("chaos", 4, "0 lost")
    lines = (tmp_path / "evidence.md").read_text().splitlines()
    assert evidence.known("chaos", 3) and not evidence.known("chaos", 33) and not evidence.known("soak", 3)
    assert lines[-1].endswith("| abc | chaos | 4 | 0 lost |") and lines[0] == "# Evidence"
    monkeypatch.setattr(evidence, "commit", lambda: "abd")
    assert not evidence.known("chaos", 3)


def test_package_groups_are_listed_once_and_installed_here() -> None:
    packages = TESTS.parent / "deploy" / "packages"
    groups = ("build", "run", "test")
    names = subprocess.run([packages, "--list", *groups], capture_output=True, text=True, check=True).stdout.split()
    assert len(names) == len(set(names)) > 20
    dry = subprocess.run([packages, "--dry-run", *groups], capture_output=True, text=True, check=True)
    assert dry.stdout == ""
    assert subprocess.run([packages, "nonsense"], capture_output=True).returncode == 2


def test_the_packages_have_what_fuzz_targets_are_linked_with(tmp_path: Path) -> None:
    """clang alone has the compiler only."""
    source = tmp_path / "target.c"
    source.write_text("#include <stddef.h>\nint LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);\n"
                      "int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) { return data && size > 9 ? 0 : 0; }\n")
    subprocess.run(["clang", "-fsanitize=address,undefined", "-fsanitize=fuzzer", source, "-o", tmp_path / "target"], check=True)
    assert subprocess.run([tmp_path / "target", "-runs=10"], capture_output=True).returncode == 0

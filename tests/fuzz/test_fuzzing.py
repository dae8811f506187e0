"""Each parser is fuzzed for --seconds (30 if not said), from its corpus in the tree, and nothing is found.

What is new in a run stays in its folder (--basetemp). To keep what reaches further than the corpus does:

    build/fuzz/tests/fuzz/fuzz_NAME -merge=1 tests/fuzz/corpus/fuzz_NAME FOLDER
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import evidence
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in Path(__file__).parent.glob("fuzz_*.c"))
LENGTH = 4096  # bytes of an input, at most
ONE_INPUT_S = 120  # longer is an endless loop

pytestmark = [pytest.mark.long, pytest.mark.idle]


@pytest.fixture(scope="session")
def fuzzers(build) -> Path:
    """The folder of the targets, built with clang beside the usual build."""
    folder = build / "fuzz"
    if not shutil.which("clang"):
        pytest.skip("libFuzzer comes with clang, which is not here")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["-S", ROOT, "-B", folder, "-G", "Ninja", "-DFUZZ=ON", "-DCMAKE_C_COMPILER=clang"],
                      ["--build", folder, "--target", *NAMES]):
            done = subprocess.run(["cmake", *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "tests" / "fuzz"


def figures(log: str) -> str:
    """What libFuzzer counted, in words."""
    executions = re.findall(r"^stat::number_of_executed_units: (\d+)", log, re.M)
    edges = re.findall(r"\bcov: (\d+)", log)
    assert executions and edges, log[-2000:]
    return f"{executions[-1]} executions, {edges[-1]} edges, nothing found"


@pytest.mark.parametrize("name", NAMES)
def test_fuzzing_finds_nothing(fuzzers, name, long_seed, pytestconfig, tmp_path):
    seconds = pytestconfig.getoption("--seconds") or 30
    run = f"{name} {seconds} s"
    if evidence.known(run, long_seed):
        pytest.skip("docs/evidence.md has this run at this commit")
    grown, found = tmp_path / "corpus", tmp_path / "found"
    grown.mkdir()
    found.mkdir()
    done = subprocess.run(
        ["nice", "-n", "10", fuzzers / name, f"-seed={long_seed}", f"-max_total_time={seconds}", f"-max_len={LENGTH}",
         f"-timeout={ONE_INPUT_S}", "-print_final_stats=1", f"-artifact_prefix={found}/", grown, ROOT / "tests/fuzz/corpus" / name],
        capture_output=True, text=True, errors="replace", timeout=seconds + 600,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
    inputs = "\n".join(f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}" for path in sorted(found.iterdir()))
    assert done.returncode == 0, f"{inputs}\n{done.stderr[-4000:]}"
    evidence.note(run, long_seed, figures(done.stderr))

"""Every input that a fuzzer once kept, and a few thousand made from them, through every parser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
KINDS = FUZZ.parents[1] / "common" / "base" / "kind_table.h"


@pytest.mark.parametrize("name", sorted(path.stem for path in FUZZ.glob("fuzz_*.c")))
def test_the_corpus_of_a_parser_goes_through(build, name):
    corpus = FUZZ / "corpus" / name
    assert any(corpus.iterdir()), f"{corpus} is empty"
    done = subprocess.run([build / "tests" / "fuzz" / name, corpus], capture_output=True, text=True, timeout=120,
                          env={"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]


def test_every_destination_has_a_fuzz_target():
    kinds = re.findall(r"^ +ROW\(A, (\w+),", KINDS.read_text(), re.M)
    assert len(kinds) >= 2 and not [kind for kind in kinds if not (FUZZ / f"fuzz_{kind}.c").exists()]

"""What each destination sends is what its golden files say."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from golden import FOLDER, answers, cases, converse, events, kinds, variants

EVENT_TYPES = {"scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed"}
CASES = [(kind, name, case) for kind in kinds() for name, case in cases(kind)]


@pytest.mark.parametrize("kind,name,case", CASES, ids=[f"{kind}-{name}" for kind, name, _ in CASES])
def test_a_conversation_is_the_golden_one(build: Path, kind: str, name: str, case: dict) -> None:
    path = FOLDER / kind / name
    assert path.exists(), f"{path} is missing: run tests/golden/golden.py --write"
    said = converse(build, case)
    assert said == path.read_text(), f"see the change with: tests/golden/golden.py --write {build} && git diff {path}"
    for body in re.findall(r"^POST .*\n(?:.+\n)*\n(.*)\n\n", said, re.MULTILINE):
        json.loads(body)


@pytest.mark.parametrize("kind", kinds())
def test_a_kind_has_a_golden_file_for_every_event_and_none_that_nobody_reads(kind: str) -> None:
    wanted = dict(cases(kind))
    assert {case["event"]["type"] for case in wanted.values() if "event" in case} == EVENT_TYPES
    assert any("test" in case for case in wanted.values())
    assert {path.name for path in (FOLDER / kind).glob("*.txt")} == {*wanted, "answers.txt"}


def test_every_kind_is_covered_and_chats_in_both_styles() -> None:
    table = (FOLDER.parents[1] / "common" / "base" / "kind_table.h").read_text()
    assert kinds() == sorted(re.findall(r"^ +ROW\(A, (\w+),", table, re.MULTILINE)) and len(kinds()) >= 10
    for kind in ("slack", "teams", "google_chat", "discord"):
        whole = [options["settings"] for options in variants(kind).values() if "cases" not in options]
        assert {settings.get("style", "card") for settings in whole} >= {"card", "text"}, kind


@pytest.mark.parametrize("kind", kinds())
def test_what_follows_from_each_answer_is_the_golden_verdict(build: Path, kind: str) -> None:
    path = FOLDER / kind / "answers.txt"
    assert answers(build, kind) == path.read_text(), f"see the change with: tests/golden/golden.py --write {build} && git diff {path}"


def test_a_case_with_a_mistake_is_refused(build: Path) -> None:
    good = {"kind": "slack", "settings": {"webhook_url": "https://h/x"}, **events()["finding_new"]}
    assert "= delivered" in converse(build, good)
    for change in ({"kind": "carrier-pigeon"}, {"settings": {}}, {"event": {"type": "scan_eaten"}}, {"answers": []},
                   {"event": {"type": "scan_done", "titel": "x"}}, {"facts": {"finding": {"id": "no uuid"}}}):
        done = subprocess.run([build / "tests" / "unit" / "golden_tool"], input=json.dumps({**good, **change}), capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 1 and done.stderr, change

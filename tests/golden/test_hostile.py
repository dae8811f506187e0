"""Whatever a scanned system calls itself: every vendor takes the message, and nothing of it is more than text."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

import pytest
from golden import kinds, variants
from corpus import cases
from sandbox.vendors import VENDORS


def conversations(build: Path, wanted: list[dict[str, Any]]) -> list[str]:
    done = subprocess.run([build / "tests" / "unit" / "golden_tool", "--lines"], input="".join(json.dumps(case) + "\n" for case in wanted).encode(),
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode().split("\n\x1e\n")
    assert len(said) == len(wanted) + 1 and not said[-1].strip(), len(said)
    return said[:-1]


def requests(said: str) -> Iterator[SimpleNamespace]:
    """What golden_tool printed: a request line, headers, an empty line, the body on one line."""
    for method, path, headers, body in re.findall(r"^([A-Z]+) https?://[^/\s]+(\S*)(?: \(once\))?\n((?:[\w-]+: .*\n)+)\n(.*)\n\n", said, re.MULTILINE):
        header = {name.lower(): value for name, _, value in (line.partition(": ") for line in headers.splitlines())}
        yield SimpleNamespace(method=method, path=path, header=header, body=body.encode())


def is_over(case: dict[str, Any]) -> bool:
    """A kind that remembers tells nobody of a finding that is closed before anybody knows of it."""
    finding = case["facts"].get("finding", {})
    return bool(finding.get("resolved_at") or finding.get("suppressed"))


def expect_text(build: Path, kind: str, options: dict[str, Any], told: list[dict[str, Any]]) -> None:
    vendor = VENDORS[kind]
    wanted = [{"kind": kind, **{name: options[name] for name in ("settings", "answers", "reference") if name in options}, **case} for case in told]
    for case, said in zip(wanted, conversations(build, wanted), strict=True):
        made = list(requests(said))
        assert made or is_over(case), said[:1000]
        assert not made or re.search(r"\n= delivered(\nreference: .*)?\Z", said), said[-500:]
        for request in made:
            assert vendor.answer(request).status < 300, (case, said[:3000])
            assert vendor.live(vendor.check(request)) == [], (case, said[:3000])


@pytest.mark.parametrize("kind", kinds())
def test_the_vendor_takes_500_hostile_findings_and_shows_nothing_but_text(build: Path, kind: str) -> None:
    styles = [options for options in variants(kind).values() if "cases" not in options]
    assert styles
    for options in styles:
        expect_text(build, kind, options, list(cases()))


@pytest.mark.parametrize("kind", ["github"])
def test_the_vendor_takes_comments_of_hostile_findings_and_shows_nothing_but_text(build: Path, kind: str) -> None:
    findings = [case for case in cases() if "finding" in case["facts"]]
    expect_text(build, kind, variants(kind)["told"], [case for case in findings if not is_over(case)])
    expect_text(build, kind, variants(kind)["ends"], [case for case in findings if is_over(case)])

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


def outcome(said: str) -> str:
    return re.findall(r"^= ([^:\n]*)", said, re.MULTILINE)[-1]


def styles(kind: str) -> list[dict[str, Any]]:
    """The variants for every case, and those of an issue, alert or message that is there and takes what is told."""
    return [options for options in variants(kind).values() if "cases" not in options or (
        options.get("reference", {}).get("key") and all(one.get("status", 0) in range(200, 300) for one in options["answers"]))]


@pytest.mark.parametrize("kind", kinds())
def test_the_vendor_takes_500_hostile_findings_and_shows_nothing_but_text(build: Path, kind: str) -> None:
    vendor = VENDORS[kind]
    assert styles(kind)
    for options in styles(kind):
        told = {name: options[name] for name in ("answers", "reference") if name in options}
        wanted = [{"kind": kind, "settings": options["settings"], **told, **case} for case in cases()]
        outcomes = []
        for case, said in zip(wanted, conversations(build, wanted), strict=True):
            outcomes.append(outcome(said))
            assert outcomes[-1] in ("delivered", "nothing to do"), said[-500:]
            made = list(requests(said))
            assert made or outcomes[-1] == "nothing to do", said[:1000]
            for request in made:
                assert vendor.answer(request).status < 300, (case, said[:3000])
                assert vendor.live(vendor.check(request)) == [], (case, said[:3000])
        assert outcomes.count("nothing to do") < len(wanted) // 2, options

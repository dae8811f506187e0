"""Measured figures and the bounds they have to keep, in one table at the end of tests/run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def hold(what: str, value: float, bound: float, unit: str = "") -> None:
    """Note VALUE, in UNIT, and fail when it is more than BOUND."""
    path = os.environ.get("NOTIFY_TEST_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:  # one write: several tests run at once
            file.write(json.dumps([what, value, bound, unit]) + "\n")
    print(f"{what}: {value:.6g} {unit} (at most {bound:g})")
    assert value <= bound, f"{what}: {value:.6g} {unit}, at most {bound:g}"


def table(path: Path) -> str:
    rows: dict[str, tuple[float, float, str, int]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        what, value, bound, unit = json.loads(line)
        worst, _, _, times = rows.get(what, (value, 0, "", 0))
        rows[what] = (max(worst, value), bound, unit, times + 1)
    if not rows:
        return ""
    width = max(map(len, rows))
    return "\n".join([f"{'measured':{width}}     worst  at most", *(
        f"{what:{width}} {worst:9.4g} {bound:8.6g} {unit}{f', of {times}' if times > 1 else ''}"
        for what, (worst, bound, unit, times) in sorted(rows.items()))])


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))

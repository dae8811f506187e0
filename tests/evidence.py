"""What long runs found, kept in docs/evidence.md: one line for each, newest last."""

from __future__ import annotations

import datetime
import fcntl
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "evidence.md"
_HEAD = """# Evidence

What the long runs found (`tests/run --long --seeds 1-20 chaos`, `tests/run --long --seconds 600 fuzz`). Each line is one run: when, at
which commit, which seed, and what came of it. A + behind the commit: files differed from it. A run that failed is not here: it has to
be mended first, and its regression test is in `tests/fault`, or its input in `tests/fuzz/corpus`.

| day | commit | run | seed | found |
|---|---|---|---|---|
"""


def commit() -> str:
    """The commit that is checked out; with a + when files differ from it. Of this page's own lines nothing depends."""
    words = ["git", "-C", str(ROOT)]
    name = subprocess.run([*words, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*words, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/evidence.md"],
                             capture_output=True, text=True).stdout.strip()
    return (name or "unknown") + ("+" if changed else "")


def known(run: str, seed: int) -> bool:
    """This seed stands there for this commit."""
    return PAGE.exists() and any(f"| {commit()} | {run} | {seed} |" in line for line in PAGE.read_text().splitlines())


def note(run: str, seed: int, found: str) -> None:
    with open(PAGE, "a+") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        if page.tell() == 0:
            page.write(_HEAD)
        page.write(f"| {datetime.date.today()} | {commit()} | {run} | {seed} | {found} |\n")

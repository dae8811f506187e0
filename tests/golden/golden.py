#!/usr/bin/python3
"""Golden cases: what each destination sends for each event, to the byte.

    tests/golden/events/CASE.json          an event and its facts, the same cases for every destination
    tests/golden/KIND/variants.json        {VARIANT: {"settings": {...}, "answers"?: [...], "cases"?: [...]}}
    tests/golden/KIND/CASE.VARIANT.txt     the conversation: each request, then what became of the delivery

`answers` ([{"status", "body"?, "retry_after"?}]) are given to the requests one after the other, else each gets 200 `ok`;
`cases` leaves out the other cases. A new destination needs a folder with variants.json, and then

    tests/golden/golden.py --write [BUILD]

writes what the build makes of the cases. Read the difference before it is committed: people's filters hang on these words.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

FOLDER = Path(__file__).resolve().parent
EVENTS = FOLDER / "events"


def kinds() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/variants.json"))


def events() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}


def cases(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of the file, and what the tool is to read, for every event and variant of a kind."""
    for variant, options in json.loads((FOLDER / kind / "variants.json").read_text()).items():
        only = options.pop("cases", None)
        for name, case in events().items():
            if only is None or name in only:
                yield f"{name}.{variant}.txt", {"kind": kind, **options, **case}


def converse(build: Path, case: dict[str, Any]) -> str:
    done = subprocess.run([build / "tests" / "unit" / "golden_tool"], input=json.dumps(case), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(build: Path) -> None:
    for kind in kinds():
        wanted = dict(cases(kind))
        for name, case in wanted.items():
            (FOLDER / kind / name).write_text(converse(build, case))
        for path in (FOLDER / kind).glob("*.txt"):
            if path.name not in wanted:
                path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"] or len(sys.argv) > 3:
        sys.exit(__doc__)
    write(Path(sys.argv[2] if len(sys.argv) == 3 else FOLDER.parents[1] / "build").absolute())

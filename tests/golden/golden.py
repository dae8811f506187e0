#!/usr/bin/python3
"""Golden cases: what each destination sends for each event, to the byte.

    tests/golden/events/CASE.json          an event and its facts, or a test; the same cases for every destination
    tests/golden/KIND/variants.json        {VARIANT: {"settings": {...}, "answers"?: [...], "test_answers"?: [...], "cases"?: [...]}}
    tests/golden/KIND/CASE.VARIANT.txt     the conversation: each request, then what became of the delivery
    tests/golden/KIND/answers.json         {NAME: [answer...]}, every answer that the vendor is known to give; {NAME: {"variant"?, "case"?,
                                           "reference"?, "answers"}} to another variant's settings than the first one's, for another
                                           event than finding_new, or when something was told before
    tests/golden/KIND/answers.txt          what follows from each when a finding_new is sent with these settings

`answers` ([{"status" or "error", "sent"?, "body"?, "retry_after"?, "headers"?: {name in lower case: value}}]) are given to the requests one after the other, else each gets 200 `ok`;
`test_answers` are those of the case `test`; `cases` leaves out the other cases; `"hostile": false` says that the answers fit these cases only. A new destination needs a folder with
variants.json and answers.json, and then

    tests/golden/golden.py --write [BUILD]

writes what the build makes of the cases. Read the difference before it is committed: people's filters hang on these words.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

FOLDER = Path(__file__).resolve().parent
EVENTS = FOLDER / "events"
DIGESTS = ("discord", "google_chat", "slack", "teams")  # kinds that tell many findings in one message


def kinds() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/variants.json"))


def events() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}


def cases(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of the file, and what the tool is to read, for every event and variant of a kind."""
    for variant, options in variants(kind).items():
        only, of_test = options.pop("cases", None), options.pop("test_answers", options.get("answers"))
        for name, case in events().items():
            if "also" in case and kind not in DIGESTS:
                continue
            if only is None or name in only:
                yield f"{name}.{variant}.txt", {"kind": kind, **options, **case, **({"answers": of_test} if "test" in case and of_test else {})}


def variants(kind: str) -> dict[str, dict[str, Any]]:
    return json.loads((FOLDER / kind / "variants.json").read_text())


def answers(build: Path, kind: str) -> str:
    """What follows from each answer that the vendor is known to give: the requests' first lines and the verdict."""
    known = variants(kind)
    text = ""
    for name, given in json.loads((FOLDER / kind / "answers.json").read_text()).items():
        case = given if isinstance(given, dict) else {"answers": given}
        settings = known[case.get("variant", next(iter(known)))]["settings"]
        told = {"reference": case["reference"]} if "reference" in case else {}
        said = converse(build, {"kind": kind, "settings": settings, "answers": case["answers"], **told, **events()[case.get("case", "finding_new")]})
        requests = re.findall(r"^[A-Z]+ https?://\S*(?: \(once\))?(?=\n\S+: )", said, re.MULTILINE)
        text += f"{name}\n" + "".join(f"  {line}\n" for line in (*requests, *said[("\n" + said).rindex("\n= "):].splitlines())) + "\n"
    return text


def converse(build: Path, case: dict[str, Any]) -> str:
    done = subprocess.run([build / "tests" / "unit" / "golden_tool"], input=json.dumps(case), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(build: Path) -> None:
    for kind in kinds():
        wanted = dict(cases(kind))
        for name, case in wanted.items():
            (FOLDER / kind / name).write_text(converse(build, case))
        (FOLDER / kind / "answers.txt").write_text(answers(build, kind))
        for path in (FOLDER / kind).glob("*.txt"):
            if path.name not in {*wanted, "answers.txt"}:
                path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"] or len(sys.argv) > 3:
        sys.exit(__doc__)
    write(Path(sys.argv[2] if len(sys.argv) == 3 else FOLDER.parents[1] / "build").absolute())

"""What the pages about issues show works: their settings and commands lead to an issue, and the text that they show is the program's."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sandbox.answers import Answer
from sandbox.vendors import VENDORS

from test_pages import Desk, blocks, desk  # noqa: F401 (a fixture)

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "destinations"
CASES = [  # kind, the settings that lead to our receiver, where it is asked for an issue
    ("github", {"api_url": "/api/v3"}, "/api/v3/repos/octo/shop/issues"),
    ("jira", {"base_url": "/site"}, "/site/rest/api/3/issue"),
]


@pytest.mark.parametrize("kind,places,path", CASES, ids=[kind for kind, *_ in CASES])
def test_the_page_leads_to_an_issue(stage: Any, notifyd: Any, desk: Desk, kind: str, places: dict[str, str], path: str) -> None:  # noqa: F811
    page = PAGES / f"{kind}.md"
    settings = json.loads(blocks(page, "json")[0])
    (desk.folder / f"{kind}.json").write_text(json.dumps({**settings, **{key: stage.receiver.url(at) for key, at in places.items()}}))
    stage.receiver.script("/*", Answer(like=kind))
    insert, = blocks(page, "sh")
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", desk.run(insert)), "the row's id is shown"
    notifyd()
    stage.publish("scan_done")
    event = stage.publish()
    request, = stage.receiver.wait_for(1, path)
    assert VENDORS[kind].check(request)
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["delivered"])
    assert stage.receiver.count() == 1, "the page's row is for new findings only"


def test_the_issue_that_githubs_page_shows_is_the_golden_one() -> None:
    shown = re.search(r"^````markdown\n(.*?)\n````$", (PAGES / "github.md").read_text(), re.MULTILINE | re.DOTALL)
    body = next(line for line in (ROOT / "tests/golden/github/finding_new.issue.txt").read_text().splitlines() if line.startswith("{"))
    assert shown and shown[1] == json.loads(body)["body"]


def shown_and_golden(block: int, golden: str, member: str) -> tuple[list[str], list[str]]:
    """The lines of a block of text on Jira's page, and those of what a golden case sends last."""
    body = [line for line in (ROOT / f"tests/golden/jira/{golden}.txt").read_text().splitlines() if line.startswith("{")][-1]
    sent = json.loads(body)
    said = VENDORS["jira"].text({"description": sent["body"]} if member == "body" else sent[member])
    return [line.removeprefix("• ") for line in blocks(PAGES / "jira.md", "text")[block].splitlines() if line], [line for line in said.splitlines() if line]


def test_the_issue_that_jiras_page_shows_is_the_golden_one() -> None:
    shown, golden = shown_and_golden(1, "finding_new.cloud", "fields")
    assert shown == golden


def test_the_comment_that_jiras_page_shows_is_the_golden_one() -> None:
    shown, golden = shown_and_golden(2, "finding_over.closing", "body")
    assert shown == golden


def test_the_transitions_that_jiras_page_shows_are_settings_that_are_taken(build: Path) -> None:
    settings, transitions = (json.loads(block) for block in blocks(PAGES / "jira.md", "json"))
    case = {"kind": "jira", "settings": {**settings, "base_url": "https://acme.atlassian.net", **transitions}, "test": True, "answers": [{"status": 401}]}
    done = subprocess.run([build / "tests/unit/golden_tool"], input=json.dumps(case), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and transitions.keys() == {"close_transition", "reopen_transition"}, done.stderr

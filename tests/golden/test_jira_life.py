"""An issue over its finding's life, told to a Jira that remembers: what is asked for is what it takes, and leaves it as the finding is."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from golden import events
from sandbox.vendors import jira
from test_hostile import requests

SETTINGS = {
    "cloud": {"base_url": "https://acme.atlassian.net", "email": "bot@acme.example", "api_token": "t", "project_key": "SEC"},
    "center": {"base_url": "https://jira.example/jira", "auth": "bearer", "api_token": "t", "project_key": "SEC"},
}
MOVES = {"close_transition": "done", "reopen_transition": "Reopen"}
KNOWN = {"key": "SEC-1", "open": True}
UNSURE = {"key": None, "unsure": True}


class Teller:
    """Tells a site of events: the outcome and the reference, as golden_tool prints them."""

    def __init__(self, build: Path, place: str) -> None:
        self.tool, self.site, self.settings = build / "tests/unit/golden_tool", jira.Site(), {**SETTINGS[place], **MOVES}

    def tell(self, name: str = "finding_new", reference: dict[str, Any] | None = None, change: dict[str, Any] | None = None) -> tuple[str, str]:
        case = {"kind": "jira", "settings": self.settings, **copy.deepcopy(events()[name]), "answers": [], **({"reference": reference} if reference else {})}
        case["facts"].get("finding", {}).update(change or {})
        while True:
            done = subprocess.run([self.tool], input=json.dumps(case), capture_output=True, text=True, timeout=60)
            if done.returncode == 0:
                return re.findall(r"^= (.*)\nreference: (.*)$", done.stdout, re.MULTILINE)[-1]
            assert "more requests than answers" in done.stderr, done.stderr
            answer = self.site.answer(list(requests(done.stdout))[-1])
            case["answers"].append({"status": answer.status, "body": answer.body.decode()})

    def asked(self) -> list[str]:
        """What was asked since the last time: method and the end of the path."""
        made = [f"{method} {path.rpartition('/')[2]}" for method, path in self.site.requests]
        self.site.requests.clear()
        return made


@pytest.fixture(params=sorted(SETTINGS))
def teller(build: Path, request: Any) -> Teller:
    return Teller(build, request.param)


def words(comment: Any) -> str:
    return comment if isinstance(comment, str) else jira.text({"description": comment})


def test_an_issue_is_made_commented_closed_and_opened_again(teller: Teller) -> None:
    assert teller.tell() == ("delivered", "SEC-1, open")
    issue, = teller.site.issues
    assert teller.tell("finding_changed", KNOWN) == ("delivered", "SEC-1, open") and issue.status == "To Do"
    assert teller.tell("finding_over", KNOWN) == ("delivered", "SEC-1, closed") and issue.status == "Done"
    assert teller.tell("finding_over", {**KNOWN, "open": False}) == ("delivered", "SEC-1, closed") and issue.status == "Done"
    assert teller.tell("finding_new", {**KNOWN, "open": False}) == ("delivered", "SEC-1, open") and issue.status == "To Do"
    starts = [words(comment).strip().splitlines()[0].replace("&#58;", ":") for comment in issue.comments]
    assert starts == ["Updated", "Closed: resolved", "Updated", "Found again"]
    assert teller.site.issues == [issue]


def test_an_issue_that_was_made_is_found_and_not_made_again(teller: Teller) -> None:
    teller.tell()
    teller.asked()
    outcome, reference = teller.tell(reference=UNSURE)
    assert outcome.startswith("delivered: an earlier attempt") and reference == "SEC-1, open"
    assert teller.asked() in (["POST jql"], ["POST search"]) and not teller.site.issues[0].comments
    assert teller.tell("finding_changed", UNSURE) == ("delivered", "SEC-1, open"), "the issue says nothing of the change"
    assert teller.tell("finding_over", UNSURE) == ("delivered", "SEC-1, closed")
    issue, = teller.site.issues
    assert len(issue.comments) == 2 and issue.status == "Done"


def test_an_issue_that_was_not_made_is_made_once_the_search_does_not_show_it(teller: Teller) -> None:
    teller.tell("scan_failed"), teller.tell(change={"title": "Another one"})
    assert teller.tell(reference=UNSURE) == ("delivered", "SEC-3, open")
    assert teller.tell("scan_failed", UNSURE)[1] == "SEC-1, open" and len(teller.site.issues) == 3
    outcome, reference = teller.tell("finding_over", UNSURE, {"title": "A third one"})
    assert outcome.startswith("nothing to do") and reference == "none"


def test_a_deleted_issue_is_told_from_one_that_is_hidden(teller: Teller) -> None:
    teller.tell()
    teller.site.projects.clear()
    outcome, reference = teller.tell("finding_changed", KNOWN)
    assert "neither the issue nor its project" in outcome and reference == "SEC-1, open"
    teller.site.projects.add("SEC")
    teller.site.remove("SEC-1")
    outcome, reference = teller.tell("finding_changed", KNOWN)
    assert outcome.startswith("again") and reference == "none"
    outcome, reference = teller.tell("finding_over", KNOWN)
    assert outcome.startswith("nothing to do") and reference == "none"


def test_an_issue_that_moved_keeps_what_is_told_under_its_old_key(teller: Teller) -> None:
    teller.tell()
    teller.site.projects.add("OPS")
    teller.site.move("SEC-1", "OPS-7")
    assert teller.tell("finding_over", KNOWN) == ("delivered", "SEC-1, closed")
    issue, = teller.site.issues
    assert issue.key == "OPS-7" and issue.status == "Done" and len(issue.comments) == 1


def test_what_the_account_may_not_do_is_said(teller: Teller) -> None:
    teller.tell()
    teller.site.denied = {"comment"}
    assert "Add comments" in teller.tell("finding_changed", KNOWN)[0]
    outcome, reference = teller.tell("finding_over", KNOWN)
    assert outcome.startswith("delivered: the issue was moved, but") and reference == "SEC-1, closed"
    teller.site.denied = {"transition"}
    outcome, reference = teller.tell("finding_new", {**KNOWN, "open": False})
    assert "Transition issues" in outcome and reference == "SEC-1, open"
    issue, = teller.site.issues
    assert issue.status == "Done" and len(issue.comments) == 1


def test_a_transition_with_a_required_field_is_a_comment_that_is_delivered(teller: Teller) -> None:
    teller.site.transitions["To Do"] = (jira.Transition("31", "Done", "Done", required=("resolution",)),)
    teller.tell()
    outcome, reference = teller.tell("finding_over", KNOWN)
    assert outcome.startswith("delivered: the issue got a comment") and reference == "SEC-1, closed"
    assert teller.site.issues[0].status == "To Do" and len(teller.site.issues[0].comments) == 1


def test_the_search_of_the_sandbox_is_late_and_understands_few_words(monkeypatch: pytest.MonkeyPatch, build: Path) -> None:
    teller, now = Teller(build, "cloud"), [1000.0]
    monkeypatch.setattr(jira.time, "monotonic", lambda: now[0])
    teller.site.search_lag = 60
    teller.tell()
    assert teller.tell(reference=UNSURE)[1] == "SEC-2, open", "a search that is too early does not show it"
    now[0] += 60
    assert teller.tell(reference=UNSURE)[1] == "SEC-1, open", "the older one"
    for bad in ("", "order by created", "assignee = x", "project = SEC and", "project ~ SEC", "(project = SEC", "project = SEC order by key", "project = NO",
                "project = SEC description ~ x", 'description ~ "x', "project = and"):
        with pytest.raises(jira.Refused):
            jira.Jql(bad, {"SEC"}, str)
    issue = teller.site.issues[0]
    for good, matches in (("project=SEC", True), ("project = SEC AND labels = pencheff", True), ("labels = x OR labels = security", True),
                          ("labels = x OR labels = security AND labels = y", False), ('(labels = x OR labels = "security") and project = SEC', True),
                          ("description ~ penche", False), ('description ~ "Pencheff finding" ORDER BY created DESC', True)):
        assert jira.Jql(good, {"SEC"}, lambda document: jira.text({"description": document})).matches(issue) == matches, good

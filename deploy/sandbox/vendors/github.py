"""GitHub's REST API for issues, as its documentation describes it: what it refuses, what it drops, and what it answers.

The repository's name says how it is: `moved`, `hidden`, `archived`, `no-issues`, `forbidden`, `limited`; in `no-push` labels and assignees are
dropped without a word, and in every other an assignee named `nobody` is refused. A receiver answers like this with
`Answer(like="github")` for every path below an API address.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any, Iterator

from ..answers import Answer

PATH = re.compile(r"/repos/([\w.-]+)/([\w.-]+)(/issues)?")
# What GitHub makes more of than text where it is not code: mentions, references, commits, links, markup, HTML, entities, emoji, mathematics.
LIVE = re.compile(r"@\w|#\d|\bGH-\d|[a-z]+://|www\.|<|&#?\w+;|\]\(|\]\[|!\[|\b[0-9a-f]{7,}\b|:[\w+-]+:|\$|~~|__|\{\{|\\|\[[ x]\]|^ {0,3}(?:#|>|\||===|---|\*\*\*)",
                  re.MULTILINE | re.IGNORECASE)
# Where even code or a title is read: a mail that quotes it, a list of issues.
MENTION, TITLE = re.compile(r"@[A-Za-z0-9]|#\d"), re.compile(r"`|:[\w+-]+:|[\r\n]")
UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\u200c-\u200f\ufeff\U000e0000-\U000e0fff\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Refused(Exception):
    """What GitHub answers instead of taking the request."""

    def __init__(self, status: int, message: str, *errors: dict[str, str], headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.answer = _answer(status, {"message": message, **({"errors": list(errors)} if errors else {}), "status": str(status)}, *headers)


def _answer(status: int, body: Any, *headers: tuple[str, str]) -> Answer:
    return Answer(status=status, headers=(("Content-Type", "application/json; charset=utf-8"), ("X-RateLimit-Remaining", "4999"), *headers)
                  if not any(name == "X-RateLimit-Remaining" for name, _ in headers) else (("Content-Type", "application/json"), *headers),
                  body=json.dumps(body).encode())


def _error(field: str, code: str = "invalid", **more: str) -> dict[str, str]:
    return {"resource": "Issue", "field": field, "code": code, **more}


def _repository(request: Any) -> tuple[str, str, bool]:
    """Owner, name and whether it is about the issues; Refused as far as the repository and the headers decide."""
    if not request.header.get("user-agent"):
        raise Refused(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
    if not re.fullmatch(r"(?:Bearer|token) \S+", request.header.get("authorization", "")):
        raise Refused(401, "Bad credentials")
    if request.header.get("x-github-api-version", "2022-11-28") != "2022-11-28":
        raise Refused(400, "The version is not supported")
    found = PATH.search(request.path)
    if not found or found.end() != len(request.path) or found[2] == "hidden":
        raise Refused(404, "Not Found")
    if found[2] == "moved":
        raise Refused(301, "Moved Permanently", headers=(("Location", "https://api.github.com/repositories/1300192" + (found[3] or "")),))
    if found[2] == "limited":
        raise Refused(403, "API rate limit exceeded for user ID 1.", headers=(
            ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int(time.time()) + 4))))
    return found[1], found[2], bool(found[3])


def _texts(value: Any, field: str, most: int, longest: int) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Refused(422, "Invalid request.", _error(field))
    if len(value) > most or any(len(one) > longest for one in value):
        raise Refused(422, "Validation Failed", _error(field))


def check(request: Any) -> dict[str, Any]:
    """The issue, {} for a look at the repository; Refused when GitHub would not take it."""
    _, name, issues = _repository(request)
    if request.method == "GET" and not issues:
        return {}
    if request.method != "POST" or not issues:
        raise Refused(404, "Not Found")
    if name == "forbidden":
        raise Refused(403, "Resource not accessible by personal access token")
    if name == "archived":
        raise Refused(403, "Repository was archived so is read-only.")
    if name == "no-issues":
        raise Refused(410, "Issues are disabled for this repo")
    try:
        issue = json.loads(request.body)
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(issue, dict) or not isinstance(issue.get("title"), str):
        raise Refused(422, 'Invalid request.\n\n"title" wasn\'t supplied.')
    if not issue["title"].strip():
        raise Refused(422, "Validation Failed", _error("title", "missing_field"))
    for field, most in (("title", 256), ("body", 65536)):
        if not isinstance(issue.get(field, ""), str) or len(issue.get(field, "").encode("utf-16-le")) // 2 > most:
            raise Refused(422, "Validation Failed", _error(field, "custom", message=f"{field} is too long (maximum is {most} characters)"))
    _texts(issue.get("labels", []), "labels", 100, 50)
    _texts(issue.get("assignees", []), "assignees", 10, 64)
    if "nobody" in issue.get("assignees", []) and name != "no-push":
        raise Refused(422, "Validation Failed", _error("assignees", value="nobody"))
    if not set(issue) <= {"title", "body", "labels", "assignees", "milestone", "type"}:
        raise Refused(422, "Invalid request.")
    return issue


def answer(request: Any) -> Answer:
    try:
        issue = check(request)
    except Refused as refused:
        return refused.answer
    owner, name, _ = _repository(request)
    push = name != "no-push"
    if not issue:
        return _answer(200, {"full_name": f"{owner}/{name}", "archived": name == "archived", "has_issues": name != "no-issues",
                             "permissions": {"admin": False, "push": push, "triage": push, "pull": True}})
    labels = issue.get("labels", []) if push else []
    return _answer(201, {"number": 7, "html_url": f"https://github.com/{owner}/{name}/issues/7", "title": issue["title"], "body": issue.get("body"),
                         "labels": [{"id": n, "name": label, "color": "ededed"} for n, label in enumerate(labels)],
                         "assignees": [{"login": login} for login in (issue.get("assignees", []) if push else [])]})


def prose(markdown: str) -> Iterator[str]:
    """What of it is no code, by CommonMark's rules for fences (4.5) and spans (6.1): block by block."""
    fence, block = "", []
    for line in [*markdown.split("\n"), ""]:
        mark = re.match(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})", line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" " + fence[0]):
                fence = ""
            continue
        if mark or not line.strip() or line.startswith("- "):
            yield _without_spans("\n".join(block))
            block = []
        if mark:
            fence = mark[1]
        elif line.strip():
            block.append(line)
    if fence:
        yield "<a fence without an end>"
    yield _without_spans("\n".join(block))


def _without_spans(text: str) -> str:
    at, kept = 0, ""
    while run := re.compile("`+").search(text, at):
        end = re.compile(f"(?<!`){run[0]}(?!`)").search(text, run.end())
        kept += text[at:run.start()] + ("·" if end else run[0])
        at = end.end() if end else run.end()
    return kept + text[at:]


def live(issue: dict[str, Any]) -> list[str]:
    title, body = issue.get("title", ""), issue.get("body") or ""
    found = [block for block in prose(body) if LIVE.search(block)]
    found += [text for text in (title, body) if MENTION.search(text) or UNSEEN.search(text)]
    return found + ([title] if TITLE.search(title) else [])

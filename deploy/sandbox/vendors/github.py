"""GitHub's REST API for issues, as its documentation describes it: what it refuses, what it drops, and what it answers.

The repository's name says how it is: `moved`, `hidden`, `archived`, `no-issues`, `forbidden`, `limited`; in `no-push` labels and assignees are
dropped without a word, and in every other an assignee named `nobody` is refused. A receiver answers like this with
`Answer(like="github")` for every path below an API address; it remembers nothing, so every number is that of an issue.

`Repository` remembers: `Answer(like=Repository())` for every path of one repository.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Iterator
from urllib.parse import parse_qsl, urlsplit

from ..answers import Answer

SEARCH = re.compile(r"/search/issues\Z")
PATH = re.compile(r"/repos/([\w.-]+)/([\w.-]+)(/issues(?:/([1-9][0-9]*)(/comments)?)?)?\Z")
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


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    owner: str
    name: str
    what: str  # "repository", "issues", "issue", "comments" or "search"
    number: int = 0

    @property
    def path(self) -> str:
        return {"search": "", "repository": "", "issues": "/issues", "issue": f"/issues/{self.number}", "comments": f"/issues/{self.number}/comments"}[self.what]


def _target(request: Any) -> Target:
    """Refused as far as the headers decide."""
    if not request.header.get("user-agent"):
        raise Refused(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
    if not re.fullmatch(r"(?:Bearer|token) \S+", request.header.get("authorization", "")):
        raise Refused(401, "Bad credentials")
    if request.header.get("x-github-api-version", "2022-11-28") != "2022-11-28":
        raise Refused(400, "The version is not supported")
    path = urlsplit(request.path)
    if SEARCH.search(path.path) and request.method == "GET":
        owner, name = next((word[len("repo:"):] for word in dict(parse_qsl(path.query)).get("q", "").split() if word.startswith("repo:")), "/").split("/")
        return Target(owner, name, "search")
    found = PATH.search(path.path)
    if not found:
        raise Refused(404, "Not Found")
    what = "comments" if found[5] else "issue" if found[4] else "issues" if found[3] else "repository"
    if request.method not in {"repository": ("GET",), "issues": ("GET", "POST"), "issue": ("GET", "PATCH"), "comments": ("POST",)}[what]:
        raise Refused(404, "Not Found")
    return Target(found[1], found[2], what, int(found[4] or 0))


def _repository(request: Any) -> Target:
    """Refused as far as the headers and the repository's name decide."""
    at = _target(request)
    if at.name == "hidden":
        raise Refused(404, "Not Found")
    if at.name == "moved":
        raise Refused(301, "Moved Permanently", headers=(("Location", f"https://api.github.com/repositories/1300192{at.path}"),))
    if at.name == "limited":
        raise Refused(403, "API rate limit exceeded for user ID 1.", headers=(
            ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int(time.time()) + 4))))
    return at


def _object(request: Any) -> dict[str, Any]:
    try:
        value = json.loads(request.body)
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(value, dict):
        raise Refused(422, "Invalid request.")
    return value


def _texts(value: Any, field: str, most: int, longest: int) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Refused(422, "Invalid request.", _error(field))
    if len(value) > most or any(len(one) > longest for one in value):
        raise Refused(422, "Validation Failed", _error(field))


def _fits(value: Any, field: str, most: int) -> None:
    if not isinstance(value, str) or len(value.encode("utf-16-le")) // 2 > most:
        raise Refused(422, "Validation Failed", _error(field, "custom", message=f"{field} is too long (maximum is {most} characters)"))


def _new_issue(request: Any, may_label: bool) -> dict[str, Any]:
    issue = _object(request)
    if not isinstance(issue.get("title"), str):
        raise Refused(422, 'Invalid request.\n\n"title" wasn\'t supplied.')
    if not issue["title"].strip():
        raise Refused(422, "Validation Failed", _error("title", "missing_field"))
    _fits(issue["title"], "title", 256)
    _fits(issue.get("body", ""), "body", 65536)
    _texts(issue.get("labels", []), "labels", 100, 50)
    _texts(issue.get("assignees", []), "assignees", 10, 64)
    if "nobody" in issue.get("assignees", []) and may_label:
        raise Refused(422, "Validation Failed", _error("assignees", value="nobody"))
    if not set(issue) <= {"title", "body", "labels", "assignees", "milestone", "type"}:
        raise Refused(422, "Invalid request.")
    return issue


def _new_comment(request: Any) -> dict[str, Any]:
    comment = _object(request)
    if not isinstance(comment.get("body"), str) or set(comment) != {"body"}:
        raise Refused(422, 'Invalid request.\n\n"body" wasn\'t supplied.')
    if not comment["body"].strip():
        raise Refused(422, "Validation Failed", _error("body", "missing_field"))
    _fits(comment["body"], "body", 65536)
    return comment


REASONS: dict[str, tuple[str, ...]] = {"closed": ("completed", "not_planned", "duplicate"), "open": ("reopened",)}


def _new_state(request: Any) -> dict[str, Any]:
    """What notifyd may change of an issue: its state, with a reason that suits it."""
    change = _object(request)
    if not set(change) <= {"state", "state_reason"} or change.get("state") not in REASONS:
        raise Refused(422, "Invalid request.", _error("state"))
    if change.get("state_reason") not in (None, *REASONS[change["state"]]):
        raise Refused(422, "Invalid request.", _error("state_reason"))
    return change


def _read(request: Any, at: Target, may_label: bool) -> dict[str, Any]:
    """What a request that may be made brings along; {} for a look."""
    if request.method == "GET":
        return {}
    return {"issues": lambda: _new_issue(request, may_label), "issue": lambda: _new_state(request), "comments": lambda: _new_comment(request)}[at.what]()


def check(request: Any) -> dict[str, Any]:
    """The issue, the comment or the change, {} for a look at something; Refused when GitHub would not take it."""
    at = _repository(request)
    if at.what != "repository" and at.name == "no-issues":
        raise Refused(410, "Issues are disabled for this repo")
    if request.method != "GET" and at.name == "forbidden":
        raise Refused(403, "Resource not accessible by personal access token")
    if request.method != "GET" and at.name == "archived":
        raise Refused(403, "Repository was archived so is read-only.")
    return _read(request, at, may_label=at.name != "no-push")


def answer(request: Any) -> Answer:
    try:
        said = check(request)
    except Refused as refused:
        return refused.answer
    at = _repository(request)
    push = at.name != "no-push"
    if at.what == "repository":
        return _shown_repository(at, push, has_issues=at.name != "no-issues", archived=at.name == "archived")
    if at.what == "comments":
        return _answer(201, {"id": 1, "body": said["body"]})
    if at.what == "search":
        return _answer(200, {"total_count": 0, "incomplete_results": False, "items": []})
    if at.what == "issues" and request.method == "GET":
        return _answer(200, [])
    issue = Issue(at.number or 7, said.get("title", "t"), said.get("body", ""), said.get("labels", []) if push else [],
                  said.get("assignees", []) if push else [], state=said.get("state", "open"))
    return _answer(201 if request.method == "POST" else 200, issue.shown(at))


def _shown_repository(at: Target, push: bool, has_issues: bool, archived: bool = False) -> Answer:
    return _answer(200, {"full_name": f"{at.owner}/{at.name}", "archived": archived, "has_issues": has_issues,
                         "permissions": {"admin": False, "push": push, "triage": push, "pull": True}})


@dataclass(eq=False)
class Issue:
    """One issue, or a pull request, which has a number of the same row. Tests may change it as people do."""

    number: int
    title: str
    body: str
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    state: str = "open"
    state_reason: str | None = None
    comments: list[str] = field(default_factory=list)
    made_at: float = field(default_factory=time.time)
    locked: bool = False  # it takes no comments
    moved_to: str | None = None  # OWNER/NAME of the repository that it was transferred to
    deleted: bool = False
    is_pull_request: bool = False

    def shown(self, at: Target) -> dict[str, Any]:
        url = f"https://api.github.com/repos/{at.owner}/{at.name}/issues/{self.number}"
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.made_at))
        return {"id": 1000 + self.number, "url": url, "number": self.number, "html_url": f"https://github.com/{at.owner}/{at.name}/issues/{self.number}",
                "title": self.title, "body": self.body or None, "state": self.state, "state_reason": self.state_reason, "locked": self.locked,
                "labels": [{"id": n, "name": label, "color": "ededed"} for n, label in enumerate(self.labels)],
                "assignees": [{"login": login} for login in self.assignees], "comments": len(self.comments), "created_at": made, "updated_at": made,
                "user": {"login": "notify"}, **({"pull_request": {"url": url.replace("/issues/", "/pulls/")}} if self.is_pull_request else {})}


class Repository:
    """A repository with the issues that were made in it. One object for each, whatever its owner and name are in the path.

    `issues` are those that there are, in the order in which they were made, `requests` all that was asked. A pull request stands among the
    issues of each list, as it does at GitHub. An issue shows in lists `list_lag` seconds after it was made, and is found `search_lag` seconds after.
    With `may_label` the token's account has triage access; without, labels and assignees are dropped without a word.
    """

    def __init__(self, may_label: bool = True, has_issues: bool = True, list_lag: float = 0.0, search_lag: float = 60.0) -> None:
        self.may_label, self.has_issues, self.list_lag, self.search_lag = may_label, has_issues, list_lag, search_lag
        self.requests: list[Any] = []
        self._rows: list[Issue] = []
        self.add_pull_request("Bump a library")

    @property
    def issues(self) -> list[Issue]:
        return [row for row in self._rows if not row.is_pull_request and not row.deleted and not row.moved_to]

    def add_pull_request(self, title: str, body: str = "") -> Issue:
        return self._add(Issue(len(self._rows) + 1, title, body, is_pull_request=True))

    def _add(self, row: Issue) -> Issue:
        self._rows.append(row)
        return row

    def delete(self, number: int) -> None:
        self._rows[number - 1].deleted = True

    def transfer(self, number: int, to: str) -> None:
        self._rows[number - 1].moved_to = to

    def answer(self, request: Any) -> Answer:
        self.requests.append(request)
        try:
            at = _target(request)
            if at.what == "repository":
                return _shown_repository(at, self.may_label, self.has_issues)
            if at.what == "search":
                return self._search(request, at)
            if not self.has_issues:
                raise Refused(410, "Issues are disabled for this repo")
            if at.what == "issues":
                return self._list(request, at) if request.method == "GET" else self._make(request, at)
            return self._about(self._find(at), request, at)
        except Refused as refused:
            return refused.answer

    def _make(self, request: Any, at: Target) -> Answer:
        asked = _read(request, at, self.may_label)
        labels, assignees = (asked.get("labels", []), asked.get("assignees", [])) if self.may_label else ([], [])
        return _answer(201, self._add(Issue(len(self._rows) + 1, asked["title"], asked.get("body", ""), labels, assignees)).shown(at))

    def _find(self, at: Target) -> Issue:
        row = self._rows[at.number - 1] if at.number <= len(self._rows) else None
        if not row:
            raise Refused(404, "Not Found")
        if row.deleted:
            raise Refused(410, "This issue was deleted")
        if row.moved_to:
            raise Refused(301, "Moved Permanently", headers=(("Location", f"https://api.github.com/repositories/99/issues/{row.number}"),))
        return row

    def _about(self, row: Issue, request: Any, at: Target) -> Answer:
        asked = _read(request, at, self.may_label)
        if at.what == "comments":
            if row.locked:
                raise Refused(403, "Unable to create comment because issue is locked.")
            row.comments.append(asked["body"])
            return _answer(201, {"id": 10000 * row.number + len(row.comments), "body": asked["body"]})
        if asked.get("state", row.state) != row.state:  # else the reason counts for nothing
            row.state, row.state_reason = asked["state"], asked.get("state_reason")
        return _answer(200, row.shown(at))

    def _search(self, request: Any, at: Target) -> Answer:
        """Words of a body, as the index has them; qualifiers but repo, is:issue and in:body are not known here."""
        asked = {"q": "", "sort": "best", "order": "desc", "per_page": "30", **dict(parse_qsl(urlsplit(request.path).query))}
        words = asked["q"].split()
        plain = [word.strip('"').lower() for word in words if ":" not in word]
        if len(asked["q"]) > 256 or not plain or not {"is:issue", "in:body"} <= set(words) or asked["sort"] != "created" or asked["order"] != "asc":
            raise Refused(422, "Validation Failed", _error("q"))
        found = [row for row in self.issues if row.made_at + self.search_lag <= time.time()
                 and set(plain) <= set(re.findall(r"[a-z0-9]+", row.body.lower()))]
        found.sort(key=lambda row: row.made_at)
        return _answer(200, {"total_count": len(found), "incomplete_results": False,
                             "items": [row.shown(at) for row in found[: int(asked["per_page"])]]})

    def _list(self, request: Any, at: Target) -> Answer:
        asked = {"state": "open", "sort": "created", "direction": "desc", "per_page": "30", "page": "1", **dict(parse_qsl(urlsplit(request.path).query))}
        for name, allowed in {"state": "open|closed|all", "sort": "created|updated|comments", "direction": "asc|desc", "per_page": "[0-9]{1,9}",
                              "page": "[0-9]{1,9}"}.items():
            if not re.fullmatch(allowed, asked[name]):
                raise Refused(422, "Validation Failed", _error(name))
        shown = [row for row in self._rows if not row.deleted and not row.moved_to and asked["state"] in ("all", row.state)
                 and row.made_at + self.list_lag <= time.time()]
        shown.sort(key=lambda row: len(row.comments) if asked["sort"] == "comments" else row.number, reverse=asked["direction"] == "desc")
        size, page = min(max(int(asked["per_page"]), 1), 100), max(int(asked["page"]), 1)
        last = max(1, -(-len(shown) // size))
        pages = {"prev": page - 1, "first": 1} if page > 1 else {}
        pages |= {"next": page + 1, "last": last} if page < last else {}
        base = f"https://api.github.com/repositories/1300192/issues?per_page={size}"
        link = (("Link", ", ".join(f'<{base}&page={number}>; rel="{name}"' for name, number in pages.items())),) if pages else ()
        return _answer(200, [row.shown(at) for row in shown[(page - 1) * size : page * size]], *link)


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

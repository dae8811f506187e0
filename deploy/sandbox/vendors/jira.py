"""Jira's REST API for issues, as its documentation describes it: Cloud's v3 with documents, Data Center's v2 with wiki markup.

The project's key says how it is: in `BARE` priority and labels are not on the screen, in `KEEP` nobody may delete, `HIDE` does not
exist for the account, `WANT` requires a field of its own, `BUSY` has had enough. A receiver answers like this with
`Answer(like="jira")` for every path below Jira's address; `Site` remembers what it was asked for.
"""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping, NamedTuple

from ..answers import Answer
from .jira_query import Jql, Refused

PATH = re.compile(r"/rest/api/([23])/(?:(myself)|project/([A-Z][A-Z0-9_]*)|(search(?:/jql)?)|issue(?:/([A-Z][A-Z0-9_]*-\d+)(?:/(comment|transitions))?)?)(\?.*)?")
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest", "Blocker", "Critical", "Major", "Minor", "Trivial")  # new schemes and old
TYPES = ("Task", "Bug", "Story")
OFF_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e0fff\x00-\x09\x0b-\x1f\x7f-\x9f]")

# Wiki markup. What a backslash keeps as it is, and entities, which are kept too.
KEPT = re.compile(r"\\[!\[\]^~+?%{}()*_|@-]|&#\d+;|&(?:amp|lt|gt);")
OUR_MARKUP = re.compile(r"^\* \*[A-Z][A-Za-z ]*:\* |^h3\. (?:Description|Remediation)$|^Left out for length: [A-Za-z, ]+$", re.MULTILINE)
WIKI = re.compile(r"[\[\]{}|\\<>&#@~^!?*+_%()-]|:|;\)|^\s*(?:h[1-6]|bq)\.", re.MULTILINE)


def _account(request: Any, version: str) -> None:
    """Cloud wants Basic with an address, Data Center a Bearer."""
    scheme, _, value = request.header.get("authorization", "").partition(" ")
    try:
        pair = base64.b64decode(value, validate=True).decode() if scheme == "Basic" else ""
    except ValueError:
        pair = ""
    if not (version == "3" and "@" in pair.partition(":")[0] and pair.partition(":")[2]) and not (version == "2" and scheme == "Bearer" and value):
        raise Refused(401, "Client must be authenticated to access this resource.", (("X-Seraph-LoginReason", "AUTHENTICATED_FAILED"),))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _summary(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        return "You must specify a summary of the issue."
    if "\n" in text or "\r" in text:
        return "The summary is invalid because it contains newline characters."
    return "Summary must be less than 255 characters." if _units(text) >= 255 else ""


BLOCKS = {"paragraph", "heading", "bulletList", "orderedList", "codeBlock", "panel", "blockquote", "rule", "table", "expand"}
CHILDREN = {"doc": BLOCKS, "listItem": {"paragraph", "bulletList", "orderedList", "codeBlock"}, "bulletList": {"listItem"}, "orderedList": {"listItem"},
            "paragraph": {"text", "hardBreak", "mention", "emoji", "inlineCard", "status", "date"},
            "heading": {"text", "hardBreak", "mention", "emoji", "inlineCard", "status", "date"}, "codeBlock": {"text"}}


def _node(node: Any, allowed: set[str]) -> None:
    kind = node.get("type") if isinstance(node, dict) else None
    good = kind in allowed and set(node) <= {"type", "content", "text", "marks", "attrs", "version"}
    if good and kind == "text":
        marks = [mark.get("type") for mark in node.get("marks", [])]
        good = isinstance(node.get("text"), str) and node["text"] != "" and "\n" not in node["text"]
        good = good and set(marks) <= {"strong", "em", "code", "strike", "underline", "link"} and ("code" not in marks or len(marks) == 1)
    elif good and kind == "heading":
        good = node.get("attrs", {}).get("level") in range(1, 7)
    elif good and kind in ("bulletList", "orderedList", "listItem"):
        good = bool(node.get("content"))
    if not good:
        raise Refused(400, "INVALID_INPUT")
    for child in node.get("content", []):
        _node(child, CHILDREN.get(kind, set()))


def _description(value: Any, version: str) -> str:
    if version == "2":
        size = _units(value) if isinstance(value, str) else -1
    elif not isinstance(value, dict) or value.get("type") != "doc" or value.get("version") != 1:
        return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    else:
        _node(value, {"doc"})
        size = _units(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if size < 0:
        return "Operation value must be a string"
    return "The entered text is too long. It exceeds the allowed limit of 32,767 characters." if size > 32767 else ""


def _extras(fields: dict[str, Any], project: str) -> dict[str, str]:
    wrong = {name: OFF_SCREEN.format(name) for name in ("priority", "labels") if name in fields and project == "BARE"}
    if "priority" in fields and fields["priority"].get("name") not in PRIORITIES:
        wrong.setdefault("priority", "The priority selected is invalid.")
    for label in fields.get("labels", []):
        if not isinstance(label, str) or not label or " " in label or len(label) > 255:
            wrong.setdefault("labels", f"The label '{label}' contains spaces which is invalid.")
    return wrong


def _issue(fields: Any, version: str) -> None:
    if not isinstance(fields, dict):
        raise Refused(400, "INVALID_INPUT")
    project = fields.get("project", {}).get("key")
    if not isinstance(project, str) or project == "HIDE":
        raise Refused(400, project="valid project is required")
    kind = fields.get("issuetype", {})
    wrong = {"summary": _summary(fields.get("summary")), "description": _description(fields.get("description"), version),
             "issuetype": "" if kind.get("name") in TYPES or str(kind.get("id", "")).isdigit() else "The issue type selected is invalid.",
             "customfield_10010": "Team is required." if project == "WANT" else "", **_extras(fields, project)}
    wrong |= {name: OFF_SCREEN.format(name) for name in set(fields) - {"project", "issuetype", "summary", "description", "priority", "labels"}}
    if wrong := {name: text for name, text in wrong.items() if text}:
        raise Refused(400, **wrong)


def _comment(body: Any, version: str) -> dict[str, Any]:
    if not isinstance(body, dict) or set(body) - {"body", "visibility", "properties"}:
        raise Refused(400, "INVALID_INPUT")
    for prop in body.get("properties", []):
        if not isinstance(prop, dict) or set(prop) != {"key", "value"}:
            raise Refused(400, "INVALID_INPUT")
    if not body.get("body"):
        raise Refused(400, comment="Comment body can not be empty!")
    if wrong := _description(body["body"], version):
        raise Refused(400, comment=wrong)
    return {"comment": body["body"]}


def _transition(body: Any) -> str:
    """The number of the transition that is asked for."""
    wanted = body.get("transition") if isinstance(body, dict) else None
    if not isinstance(wanted, dict) or set(body) - {"transition", "fields", "update"}:
        raise Refused(400, "Missing 'transition' identifier")
    if not str(wanted.get("id", "")).isdigit():
        raise Refused(400, f"'transition' identifier must be an integer. Received: {wanted.get('id')}")
    return str(wanted["id"])


def _search(body: Any, version: str) -> dict[str, Any]:
    known = {"jql", "fields", "maxResults", *(("startAt", "validateQuery", "expand") if version == "2" else ("nextPageToken", "expand", "reconcileIssues"))}
    if not isinstance(body, dict) or set(body) - known or not isinstance(body.get("jql"), str):
        raise Refused(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    most, fields = body.get("maxResults", 50), body.get("fields", [])
    if not isinstance(most, int) or not 0 < most <= 5000 or not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        raise Refused(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    return body


def _json(request: Any) -> Any:
    if request.header.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused(415)
    try:
        return json.loads(request.body)
    except ValueError:
        raise Refused(400, "INVALID_INPUT") from None


class Asked(NamedTuple):
    """What a request wants, and what of it was checked: `what` is one of the keys of METHODS."""

    what: str
    method: str
    version: str
    key: str  # of the issue or the project
    body: Any


METHODS = {"myself": {"GET"}, "project": {"GET"}, "search": {"POST"}, "issues": {"POST"}, "issue": {"GET", "DELETE"},
           "comment": {"GET", "POST"}, "transitions": {"GET", "POST"}}


def _what(found: re.Match[str]) -> tuple[str, str]:
    _, myself, project, search, key, rest, _ = found.groups()
    return ("myself", "") if myself else ("project", project) if project else ("search", "") if search else (rest or "issue", key) if key else ("issues", "")


def asked(request: Any) -> Asked:
    """What is asked for; Refused when Jira would not even look at it."""
    found = PATH.search(request.path)
    if not found or found.end() != len(request.path):
        raise Refused(404, "null for uri")
    version, (what, key) = found[1], _what(found)
    _account(request, version)
    if what == "search" and (version == "3") != (found[4] == "search/jql"):
        raise Refused(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.") if version == "3" else Refused(404, "null for uri")
    if request.method not in METHODS[what]:
        raise Refused(405)
    body = _json(request) if request.method == "POST" else None
    if what == "issues":
        try:
            body = body["fields"]
        except (KeyError, TypeError):
            raise Refused(400, "INVALID_INPUT") from None
        if isinstance(body, dict) and body.get("project") == {"key": "BUSY"}:
            raise Refused(429, headers=(("X-RateLimit-Reset", time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + 60))),
                                        ("RateLimit-Reason", "jira-burst-based")))
        _issue(body, version)
    elif body is not None:
        body = _comment(body, version) if what == "comment" else _transition(body) if what == "transitions" else _search(body, version)
    return Asked(what, request.method, version, key, body)


def check(request: Any) -> dict[str, Any]:
    """The issue's fields, {"comment": ...} of a comment, {} for other requests; Refused when Jira would not take it."""
    what, method, _, key, body = asked(request)
    if method == "DELETE" and key.startswith("KEEP-"):
        raise Refused(403, "You do not have permission to delete issues in this project.")
    return body if what == "issues" or (what == "comment" and method == "POST") else {}


def _answer(status: int, body: Any = None) -> Answer:
    if body is None:
        return Answer(status=status, body=b"")
    return Answer(status=status, headers=(("Content-Type", "application/json"),), body=json.dumps(body).encode())


ACCOUNT = {"accountId": "5b10a2844c20165700ede21g", "name": "bot", "displayName": "Pencheff"}


def answer(request: Any) -> Answer:
    """Of a Jira that remembers nothing: every issue is there and is new."""
    try:
        fields = check(request)
        what, method, version, key, body = asked(request)
    except Refused as refused:
        return refused.answer
    if what == "issues":
        return _answer(201, {"id": "10042", "key": f"{fields['project']['key']}-12", "self": "https://acme.atlassian.net/rest/api/3/issue/10042"})
    if what in ("comment", "transitions") and method == "POST":
        return _answer(201, {"id": "20001"}) if what == "comment" else _answer(204)
    if method == "DELETE":
        return _answer(204)
    nothing = {"issues": [], **({"isLast": True} if version == "3" else {"startAt": 0, "maxResults": body["maxResults"], "total": 0})} if what == "search" else {}
    return _answer(200, {"myself": ACCOUNT, "project": {"id": "10000", "key": key}, "search": nothing, "issue": {"id": "10042", "key": key},
                         "comment": {"comments": [], "total": 0}, "transitions": {"transitions": []}}[what])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("content", []):
        yield from nodes(child)


def text(fields: dict[str, Any]) -> str:
    """What a person reads of a description that is a document."""
    return "".join({"text": node.get("text", ""), "hardBreak": "\n", "paragraph": "\n", "heading": "\n"}.get(node["type"], "")
                   for node in nodes(fields["description"]))


def live(fields: dict[str, Any]) -> list[str]:
    """Of what check() returns. A summary and the text of a document are plain; wiki markup is whatever is left when all that is kept is taken out."""
    description, summary = fields.get("description", fields.get("comment", "")), fields.get("summary", "")
    found = [summary] if UNSEEN.search(summary) else []
    if isinstance(description, str):
        rest = KEPT.sub("·", OUR_MARKUP.sub("", description))
        return found + [description[:200]] * bool(WIKI.search(rest.replace("·", "")) or UNSEEN.search(description))
    for node in nodes(description):
        plain = node["type"] in {"doc", "paragraph", "heading", "bulletList", "listItem", "text", "hardBreak"}
        if not plain or any(mark["type"] not in ("strong", "em", "code") for mark in node.get("marks", [])) or UNSEEN.search(node.get("text", "")):
            found.append(json.dumps(node))
    return found


# ---- a Jira that remembers ----


class Transition(NamedTuple):
    id: str
    name: str
    to: str  # the status to which it leads
    required: tuple[str, ...] = ()  # fields of its screen, without which it is refused


WORKFLOW = {"To Do": (Transition("31", "Done", "Done"),), "Done": (Transition("11", "Reopen", "To Do"),)}


@dataclass
class Issue:
    id: str
    key: str
    fields: dict[str, Any]
    status: str
    made_at: float  # time.monotonic()
    comments: list[Any] = field(default_factory=list)  # documents (Cloud) or wiki markup, the oldest first


def _plain(description: Any) -> str:
    return description if isinstance(description, str) else text({"description": description})


class Site:
    """
    A Jira of its own, for one address: hand it to the receiver as Answer(like=site), several sites with several paths.

        site.issues       those that there are, in the order in which they were made: key, fields, comments, status, made_at
        site.requests     (method, path) of all that was asked
        site.projects     those that the account sees; take one away, and its issues are not to be seen either
        site.denied       of "comment", "transition" and "delete", what the account may not do
        site.remove(key)  somebody deletes an issue; site.move(key, new) moves it to another project, under a new key

    TRANSITIONS are those of each status; the first status is that of a new issue. An issue is found by a search only SEARCH_LAG
    seconds after it was made.
    """

    def __init__(self, search_lag: float = 0.0, projects: Iterable[str] = ("SEC",),
                 transitions: Mapping[str, Iterable[Transition]] = WORKFLOW) -> None:
        self.search_lag, self.projects, self.transitions = search_lag, set(projects), {status: tuple(moves) for status, moves in transitions.items()}
        self.issues: list[Issue] = []
        self.requests: list[tuple[str, str]] = []
        self.denied: set[str] = set()
        self._moved: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def answer(self, request: Any) -> Answer:
        self.requests.append((request.method, request.path))
        try:
            check(request)
            wanted = asked(request)
            return getattr(self, f"_{wanted.method.lower()}_{wanted.what}")(wanted)
        except Refused as refused:
            return refused.answer

    def issue(self, key: str) -> Issue:
        key = self._moved.get(key, key)
        for issue in self.issues:
            if issue.key == key and key.rpartition("-")[0] in self.projects:
                return issue
        raise Refused(404, "Issue does not exist or you do not have permission to see it.")

    def remove(self, key: str) -> None:
        self.issues.remove(self.issue(key))

    def move(self, key: str, new: str) -> None:
        self.issue(key).key = new
        self._moved |= {old: new for old, now in self._moved.items() if now == key} | {key: new}

    # ---- what is asked ----

    def _get_myself(self, _: Asked) -> Answer:
        return _answer(200, ACCOUNT)

    def _get_project(self, wanted: Asked) -> Answer:
        if wanted.key not in self.projects:
            raise Refused(404, f"No project could be found with key '{wanted.key}'.")
        return _answer(200, {"id": "10000", "key": wanted.key, "name": wanted.key, "issueTypes": [{"name": name} for name in TYPES]})

    def _post_issues(self, wanted: Asked) -> Answer:
        project = wanted.body["project"]["key"]
        if project not in self.projects:
            raise Refused(400, project="valid project is required")
        number = self._last[project] = self._last.get(project, 0) + 1
        issue = Issue(id=str(10000 + len(self.requests)), key=f"{project}-{number}", fields=wanted.body, status=next(iter(self.transitions)),
                      made_at=time.monotonic())
        self.issues.append(issue)
        return _answer(201, {"id": issue.id, "key": issue.key, "self": f"https://acme.atlassian.net/rest/api/{wanted.version}/issue/{issue.id}"})

    def _get_issue(self, wanted: Asked) -> Answer:
        return _answer(200, self._shown(self.issue(wanted.key), None))

    def _delete_issue(self, wanted: Asked) -> Answer:
        issue = self.issue(wanted.key)
        self._permit("delete", "You do not have permission to delete issues in this project.")
        self.issues.remove(issue)
        return _answer(204)

    def _get_comment(self, wanted: Asked) -> Answer:
        comments = self.issue(wanted.key).comments
        return _answer(200, {"startAt": 0, "total": len(comments), "comments": [{"id": str(20000 + i), "body": body} for i, body in enumerate(comments)]})

    def _post_comment(self, wanted: Asked) -> Answer:
        issue = self.issue(wanted.key)
        self._permit("comment", "Pencheff, you do not have the permission to comment on this issue.")
        issue.comments.append(wanted.body["comment"])
        return _answer(201, {"id": str(20000 + len(issue.comments) - 1), "body": wanted.body["comment"]})

    def _moves(self, wanted: Asked) -> tuple[Transition, ...]:
        moves = self.transitions.get(self.issue(wanted.key).status, ())
        return () if "transition" in self.denied else moves

    def _get_transitions(self, wanted: Asked) -> Answer:
        return _answer(200, {"expand": "transitions", "transitions": [{"id": move.id, "name": move.name, "to": {"name": move.to}} for move in self._moves(wanted)]})

    def _post_transitions(self, wanted: Asked) -> Answer:
        for move in self._moves(wanted):
            if move.id == wanted.body and move.required:
                raise Refused(400, **{name: f"{name} is required." for name in move.required})
            if move.id == wanted.body:
                self.issue(wanted.key).status = move.to
                return _answer(204)
        raise Refused(400, "It seems that you have tried to perform a workflow operation that is not valid for the current state of this issue.")

    def _post_search(self, wanted: Asked) -> Answer:
        jql, start = Jql(wanted.body["jql"], self.projects, _plain), int(wanted.body.get("nextPageToken") or wanted.body.get("startAt") or 0)
        known = [issue for issue in self.issues if time.monotonic() - issue.made_at >= self.search_lag and issue.key.rpartition("-")[0] in self.projects]
        found = sorted(filter(jql.matches, known), key=lambda issue: issue.made_at, reverse=jql.newest_first)
        most = wanted.body.get("maxResults", 50)
        page = [self._shown(issue, wanted.body.get("fields", [] if wanted.version == "3" else None)) for issue in found[start:start + most]]
        if wanted.version == "2":
            return _answer(200, {"startAt": start, "maxResults": most, "total": len(found), "issues": page})
        more = start + most < len(found)
        return _answer(200, {"issues": page, "isLast": not more, **({"nextPageToken": str(start + most)} if more else {})})

    def _permit(self, what: str, message: str) -> None:
        if what in self.denied:
            raise Refused(403, message)

    def _shown(self, issue: Issue, names: list[str] | None) -> dict[str, Any]:
        """With the fields that were asked for; None: all of them."""
        fields = {**issue.fields, "status": {"name": issue.status}}
        return {"id": issue.id, "key": issue.key, "fields": {name: value for name, value in fields.items() if names is None or name in names or "*all" in names}}

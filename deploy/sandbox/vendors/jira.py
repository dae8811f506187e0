"""Jira's REST API for issues, as its documentation describes it: Cloud's v3 with documents, Data Center's v2 with wiki markup.

The project's key says how it is: in `BARE` priority and labels are not on the screen, in `KEEP` nobody may delete, `HIDE` does not
exist for the account, `WANT` requires a field of its own, `BUSY` has had enough. A receiver answers like this with
`Answer(like="jira")` for every path below Jira's address.
"""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any, Iterator

from ..answers import Answer

PATH = re.compile(r"/rest/api/([23])/(?:(myself)|issue(?:/([A-Z][A-Z0-9_]*)-(\d+))?)")
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest", "Blocker", "Critical", "Major", "Minor", "Trivial")  # new schemes and old
TYPES = ("Task", "Bug", "Story")
OFF_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e0fff\x00-\x09\x0b-\x1f\x7f-\x9f]")

# Wiki markup. What a backslash keeps as it is, and entities, which are kept too.
KEPT = re.compile(r"\\[!\[\]^~+?%{}()*_|@-]|&#\d+;|&(?:amp|lt|gt);")
OUR_MARKUP = re.compile(r"^\* \*[A-Z][A-Za-z ]*:\* |^h3\. (?:Description|Remediation)$|^Left out for length: [A-Za-z, ]+$", re.MULTILINE)
WIKI = re.compile(r"[\[\]{}|\\<>&#@~^!?*+_%()-]|:|;\)|^\s*(?:h[1-6]|bq)\.", re.MULTILINE)


class Refused(Exception):
    """What Jira answers instead of taking the request."""

    def __init__(self, status: int, message: str = "", headers: tuple[tuple[str, str], ...] = (), **errors: str) -> None:
        super().__init__(f"{status} {message} {errors}")
        body = json.dumps({"errorMessages": [message] if message else [], "errors": errors}).encode()
        self.answer = Answer(status=status, headers=(("Content-Type", "application/json"), *headers), body=body)


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


def check(request: Any) -> dict[str, Any]:
    """The issue's fields, {} for other requests; Refused when Jira would not take it."""
    found = PATH.search(request.path)
    if not found or found.end() != len(request.path):
        raise Refused(404, "null for uri")
    version, myself, project, _ = found.groups()
    _account(request, version)
    if myself and request.method == "GET":
        return {}
    if project and request.method == "DELETE":
        if project == "KEEP":
            raise Refused(403, "You do not have permission to delete issues in this project.")
        return {}
    if myself or project or request.method != "POST":
        raise Refused(405)
    if request.header.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused(415)
    try:
        fields = json.loads(request.body)["fields"]
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "INVALID_INPUT") from None
    if isinstance(fields, dict) and fields.get("project") == {"key": "BUSY"}:
        raise Refused(429, headers=(("X-RateLimit-Reset", time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + 60))),
                                    ("RateLimit-Reason", "jira-burst-based")))
    _issue(fields, version)
    return fields


def answer(request: Any) -> Answer:
    try:
        fields = check(request)
    except Refused as refused:
        return refused.answer
    if request.method == "DELETE":
        return Answer(status=204, body=b"")
    body = {"id": "10042", "key": f"{fields['project']['key']}-12", "self": "https://acme.atlassian.net/rest/api/3/issue/10042"} if fields else \
        {"accountId": "5b10a2844c20165700ede21g", "name": "bot", "displayName": "Pencheff"}
    return Answer(status=201 if fields else 200, headers=(("Content-Type", "application/json"),), body=json.dumps(body).encode())


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("content", []):
        yield from nodes(child)


def text(fields: dict[str, Any]) -> str:
    """What a person reads of a description that is a document."""
    return "".join({"text": node.get("text", ""), "hardBreak": "\n", "paragraph": "\n", "heading": "\n"}.get(node["type"], "")
                   for node in nodes(fields["description"]))


def live(fields: dict[str, Any]) -> list[str]:
    """A summary and the text of a document are plain; wiki markup is whatever is left when all that is kept is taken out."""
    description = fields["description"]
    found = [fields["summary"]] if UNSEEN.search(fields["summary"]) else []
    if isinstance(description, str):
        rest = KEPT.sub("·", OUR_MARKUP.sub("", description))
        return found + [description[:200]] * bool(WIKI.search(rest.replace("·", "")) or UNSEEN.search(description))
    for node in nodes(description):
        plain = node["type"] in {"doc", "paragraph", "heading", "bulletList", "listItem", "text", "hardBreak"}
        if not plain or any(mark["type"] not in ("strong", "em", "code") for mark in node.get("marks", [])) or UNSEEN.search(node.get("text", "")):
            found.append(json.dumps(node))
    return found

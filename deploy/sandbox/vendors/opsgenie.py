"""Opsgenie's Alert API v2, as its documentation describes it: what it refuses, what it answers, what it makes of requests.

JSM Operations speaks the same below another path. Lengths are counted in UTF-16 units, the largest way that Opsgenie could
count them. A receiver answers like this with `Answer(like="opsgenie")`, or with an `Account` in place of the word, which keeps
the alerts; `refusal`, `slow_down` and `outcome` are answers for its scripts. Accepted is not done: `alerts` says what is there once the requests that were accepted have been processed.
"""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any, Iterable, Iterator
from urllib.parse import parse_qs, unquote

from ..answers import Answer
from .slack import units

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PATH = re.compile(r"(?:/\w+)*?/v2/alerts(?:/(?P<requests>requests)/(?P<request>[^/]+)|/(?P<alert>[^/]+)/(?P<action>close|acknowledge|notes|priority))?")
# The longest text of each member.
LONGEST = {"message": 130, "alias": 512, "description": 15000, "entity": 512, "source": 100, "user": 100, "note": 25000}
MEMBERS = {"create": {"message", "alias", "description", "responders", "visibleTo", "actions", "tags", "details", "entity", "source", "priority", "user", "note"},
           "close": {"user", "source", "note"}, "acknowledge": {"user", "source", "note"}, "notes": {"user", "source", "note"}, "priority": {"priority"}}
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class Refused(Exception):
    """A status and what is wrong, in Opsgenie's words."""


def _need(good: Any, status: int, message: str) -> None:
    if not good:
        raise Refused(status, message)


def _members(body: Any, action: str) -> None:
    _need(isinstance(body, dict), 400, "Could not parse JSON")
    _need(set(body) <= MEMBERS[action], 400, f"Unrecognized property: {set(body) - MEMBERS[action]}")
    for name, most in LONGEST.items():
        text = body.get(name, "")
        _need(isinstance(text, str), 400, f"Could not parse JSON: {name}")
        _need(units(text) <= most, 422, f"{name} can not be longer than {most} characters.")


def _alert(body: dict[str, Any]) -> None:
    _need(body.get("message", "").strip(), 422, "Message can not be empty.")
    _need(body.get("priority", "P3") in PRIORITIES, 422, "Priority is not valid.")
    tags, details = body.get("tags", []), body.get("details", {})
    _need(isinstance(tags, list) and all(isinstance(tag, str) for tag in tags), 400, "Could not parse JSON: tags")
    _need(len(tags) <= 20 and all(1 <= units(tag) <= 50 for tag in tags), 422, "Tags are too many or too long.")
    _need(isinstance(details, dict) and all(isinstance(value, str) for value in details.values()), 400, "Could not parse JSON: details")
    _need(sum(units(key) + units(value) for key, value in details.items()) <= 8000, 422, "Details are too long.")


def read(request: Any) -> tuple[str, str, dict[str, Any]]:
    """What is to be done ("create", "close", "notes", "priority", "outcome"), to which alert or of which request, and the body."""
    path, _, query = request.path.partition("?")
    found = PATH.fullmatch(path)
    _need(found, 404, "Not Found")
    key = re.fullmatch(r"GenieKey (\S+)", request.header.get("authorization", ""))
    _need(key, 401, "Could not authenticate")
    _need(re.fullmatch(UUID, key[1]), 422, "Key format is not valid!")
    if found["requests"]:
        _need(request.method == "GET", 405, "Method Not Allowed")
        return "outcome", unquote(found["request"]), {}
    _need(request.method == ("PUT" if found["action"] == "priority" else "POST"), 405, "Method Not Allowed")
    _need(request.header.get("content-type", "").partition(";")[0] == "application/json", 415, "Unsupported Media Type")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "Could not parse JSON") from None
    action = found["action"] or "create"
    _members(body, action)
    if action == "create":
        _alert(body)
        return action, body.get("alias", ""), body
    _need(action != "notes" or body.get("note"), 422, "Note can not be empty.")
    _need(action != "priority" or body.get("priority") in PRIORITIES, 422, "Priority is not valid.")
    by = parse_qs(query).get("identifierType", ["id"])[0]
    return action, unquote(found["alert"]) if by == "alias" else f"the alert of the id {found['alert']}", body


def check(request: Any) -> dict[str, Any]:
    """The body; Refused when Opsgenie would not take it."""
    return read(request)[2]


def _said(status: int, body: dict[str, Any], **headers: str) -> Answer:
    return Answer(status=status, headers=(("Content-Type", "application/json"), *((name.replace("_", "-"), value) for name, value in headers.items())),
                  body=json.dumps({**body, "took": 0.007}).encode())


def refusal(status: int, message: str) -> Answer:
    return _said(status, {"message": message, "requestId": ""})


def slow_down(seconds: int) -> Answer:
    return _said(429, {"message": "You are making too many requests!", "requestId": ""},
                 X_RateLimit_State="THROTTLED", X_RateLimit_Reason="ACCOUNT", X_RateLimit_Period_In_Sec=str(seconds))


def outcome(success: bool, status: str) -> Answer:
    return _said(200, {"data": {"success": success, "isSuccess": success, "action": "Create", "status": status, "alertId": "", "alias": ""}, "requestId": "r"})


def answer(request: Any) -> Answer:
    """Whatever can be read is accepted, alerts that do not exist included."""
    try:
        action, *_ = read(request)
    except Refused as refused:
        return refusal(*refused.args)
    return outcome(True, "Created alert") if action == "outcome" else _accepted(request)


def _accepted(request: Any) -> Answer:
    digest = hashlib.sha256(request.body).hexdigest()
    return _said(202, {"result": "Request will be processed", "requestId": "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))},
                 X_RateLimit_State="OK")


def alerts(requests: Iterable[Any]) -> list[dict[str, Any]]:
    """What is there, oldest first: {"alias", "open", "count", "notes", "alert"}; what is said to no open alert is lost."""
    shown: list[dict[str, Any]] = []
    for request in requests:
        action, alias, body = read(request)
        alert = next((one for one in shown if one["alias"] == alias and one["open"]), None)
        if action == "create" and alert is None:
            shown.append({"alias": alias, "open": True, "count": 1, "notes": [], "alert": body})
        elif action == "create":
            alert["count"] += 1  # and nothing of it changes
        elif action == "priority":
            if alert is not None:
                alert["alert"] = {**alert["alert"], "priority": body["priority"]}
        elif alert is not None:
            alert["notes"] += [body["note"]] if body.get("note") else []
            alert["open"] = alert["open"] and action != "close"
    return shown


class Account:
    """The alerts of an account, which remembers. `keys`: the API keys that it takes; None: any. Without HAS_PRIORITY no alert can get
    another priority, as it may be in JSM Operations.

    `alerts` has the last alert of each alias: {"state" ("open" or "closed"), "count", "priority", "notes", "message", "alert" (as it
    was created), "opened"}, where `opened` says how many there were of this alias. `requests` has all requests, refused ones included;
    `lost` what was accepted and came to nothing: (action, alias).
    """

    def __init__(self, keys: set[str] | None = None, *, has_priority: bool = True) -> None:
        self.keys, self.has_priority = keys, has_priority
        self.alerts: dict[str, dict[str, Any]] = {}
        self.requests: list[Any] = []
        self.lost: list[tuple[str, str]] = []
        self._outcomes: dict[str, bool] = {}

    def answer(self, request: Any) -> Answer:
        self.requests.append(request)
        try:
            action, alias, body = read(request)
            _need(self.keys is None or request.header["authorization"].partition(" ")[2] in self.keys, 401, "Could not authenticate")
            _need(action != "priority" or self.has_priority, 404, "Not Found")
            if action == "outcome":
                _need(alias in self._outcomes, 404, "Request not found. It might not be processed, yet.")
                return outcome(self._outcomes[alias], "Created alert" if self._outcomes[alias] else "Alert does not exist")
        except Refused as refused:
            return refusal(*refused.args)
        said = _accepted(request)
        done = self._process(action, alias, body)
        self.lost += [] if done else [(action, alias)]
        self._outcomes[json.loads(said.body)["requestId"]] = done
        return said

    def _process(self, action: str, alias: str, body: dict[str, Any]) -> bool:
        """Whether anything came of it."""
        alert = self.alerts.get(alias)
        if action == "create":
            self._create(alias, body)
            return True
        if alert is None:
            return False
        if action == "priority":
            alert["priority"] = body["priority"]
            return True
        if action == "close" and alert["state"] == "closed":
            return False
        alert["state"] = "closed" if action == "close" else alert["state"]
        alert["notes"] += [body["note"]] if body.get("note") else []
        return True

    def _create(self, alias: str, body: dict[str, Any]) -> None:
        """An open alert counts, and nothing else of it changes; a closed one stays, and there is another."""
        alert = self.alerts.get(alias)
        if alert is not None and alert["state"] == "open":
            alert["count"] += 1
            return
        self.alerts[alias] = {"state": "open", "count": 1, "priority": body.get("priority", "P3"), "notes": [], "message": body["message"],
                              "alert": body, "opened": alert["opened"] + 1 if alert else 1}


class _Markup(HTMLParser):
    """The tags, comments and declarations in a text, and the entities but for those of an ampersand and brackets."""

    def __init__(self, text: str, only_tags: bool) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self.only_tags = only_tags
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!-- {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def handle_charref(self, name: str) -> None:
        self.found += [] if self.only_tags else [f"&#{name};"]

    def handle_entityref(self, name: str) -> None:
        self.found += [] if self.only_tags or name in ("amp", "lt", "gt") else [f"&{name};"]


def _texts(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"details {key}", text) for key, text in value.items())


def live(body: dict[str, Any]) -> list[str]:
    """Tags anywhere; in descriptions and notes entities too; what breaks a line that is read aloud; and what decides who is woken."""
    found = [f"{name}: {text!r}" for name, text in _texts(body) if UNSEEN.search(text if name in ("description", "note") else text.replace("\n", "\0"))]
    for name, text in _texts(body):
        found += [f"{name}: {tag}" for tag in _Markup(text, only_tags=name not in ("description", "note")).found]
    found += [name for name in ("responders", "visibleTo", "actions") if name in body]
    found += ["alias"] if not re.fullmatch(r"pencheff-([0-9a-f]{64}|test)", body.get("alias", "pencheff-test")) else []
    return found + [f"tag: {tag}" for tag in body.get("tags", []) if not re.fullmatch(r"security|pencheff|owasp-[a-z]+\d+|cwe-\d+", tag)]

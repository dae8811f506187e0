"""A receiver of signed webhooks that takes nothing on trust: both signatures, the types of all members, no name that it does not know.

A receiver answers like this with `Answer(like="webhook")`. Texts are passed on as they are: whoever shows them escapes them, so what
may not happen is that one ends and becomes something else.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..answers import Answer
from ..signatures import BadSignature, verify_signatures

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENTS = {"scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed"}
TEXT, NUMBER, FLAG = (str, type(None)), (int, float, type(None)), (bool,)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHAPE: dict[str, Any] = {
    "tool": TEXT, "version": TEXT, "event": TEXT, "id": TEXT, "timestamp": TEXT, "workspace_id": TEXT, "change_summary": TEXT, "error": TEXT,
    "target": {"id": TEXT, "name": TEXT, "url": TEXT, "kind": TEXT},
    "scan": {"id": TEXT, "profile": TEXT, "status": TEXT, "grade": TEXT, "score": NUMBER,
             "summary": (dict, type(None))},  # whatever Pencheff has counted
    "finding": {
        **{name: TEXT for name in (
            "id", "pencheff_finding_id", "title", "severity", "category", "owasp_category", "cwe_id", "cvss_vector", "endpoint", "parameter", "description",
            "remediation", "verification_status", "suppress_reason", "reachability", "resolved_at", "created_at")},
        **{name: NUMBER for name in ("cvss_score", "epss", "risk_score")}, "suppressed": FLAG, "kev": FLAG},
}


class Refused(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused("a name stands twice in an object")
    return dict(pairs)


def _no_constant(word: str) -> None:
    raise Refused(f"{word} is no JSON")


def _strays(shape: Any, value: Any, at: str) -> list[str]:
    """What is not of the shape."""
    if isinstance(shape, tuple):
        return [] if isinstance(value, shape) and (bool in shape or not isinstance(value, bool)) else [f"{at} is {value!r:.60}"]
    if value is None and at == ".finding":
        return []
    if not isinstance(value, dict):
        return [f"{at} is {value!r:.60}"]
    return [f"{at}.{name} is unknown" for name in value.keys() - shape.keys()] + [
        stray for name in value.keys() & shape.keys() for stray in _strays(shape[name], value[name], f"{at}.{name}")]


def check(request: Any) -> dict[str, Any]:
    """The document; Refused when a careful receiver would not take it."""
    if request.method != "POST" or request.header.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused("not a POST of JSON")
    try:
        verify_signatures(request.header, request.body, SECRET)
        message = json.loads(request.body.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (BadSignature, ValueError) as error:
        raise Refused(str(error)) from None
    if not isinstance(message, dict) or message.get("event") not in EVENTS or not UUID.fullmatch(message["scan"]["id"] or ""):
        raise Refused("not an event")
    if SHAPE.keys() - message.keys() or (message["finding"] is None) == message["event"].startswith("finding"):
        raise Refused("something is missing")
    return message


def answer(request: Any) -> Answer:
    try:
        check(request)
    except Refused as refused:
        return Answer(status=400, body=str(refused).encode())
    return Answer()


def live(message: Any) -> list[str]:
    return _strays(SHAPE, message, "")

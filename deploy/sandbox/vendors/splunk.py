"""Splunk's HTTP Event Collector, as its documentation and its answers describe it: what it refuses, what it answers, what it indexes.

A body is any number of JSON objects one after the other. They are taken in order; the first that cannot be is named in the
answer, and those behind it are not looked at. An object with a member that the collector does not know ends a body in silence:
it and what is behind it are lost, and the answer is a success. Splunk cuts what it indexes at 10,000 bytes. A receiver
answers like this with `Answer(like="splunk")`; `refusal` gives answers for its scripts, `indexed` what has become of requests.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterable, Iterator

from ..answers import Answer

TOKENS = {"B5A79AAD-D822-46CC-80D1-819F80D7BFB0"}
INDEXES = {"main", "security"}
PATHS = {f"/services/collector{end}" for end in ("", "/event", "/event/1.0")}
ENVELOPE = {"event", "time", "host", "source", "sourcetype", "index", "fields"}
CUT_AT = 10000  # bytes: TRUNCATE in props.conf, where nobody has set it
CODES = {0: (200, "Success"), 1: (403, "Token disabled"), 2: (401, "Token is required"), 3: (401, "Invalid authorization"), 4: (403, "Invalid token"),
         5: (400, "No data"), 6: (400, "Invalid data format"), 7: (400, "Incorrect index"), 8: (500, "Internal server error"), 9: (503, "Server is busy"),
         10: (400, "Data channel is missing"), 12: (400, "Event field is required"), 13: (400, "Event field cannot be blank"),
         15: (400, "Error in handling indexed fields"), 18: (503, "HEC is unhealthy, queues are full"), 23: (503, "Server is shutting down"),
         24: (200, "Success. Queue approaching capacity"), 26: (429, "Queue at capacity"), 404: (404, "The requested URL was not found on this server.")}
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
LINES = ("description", "remediation", "error")


class Refused(Exception):
    """A code, the number of an event or None, and the events that were taken before."""


def _time(value: str) -> bool:
    return re.fullmatch(r"\d{1,11}(\.\d{1,9})?", value) is not None


def _flat(fields: Any) -> bool:
    return isinstance(fields, dict) and all(isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
                                            for value in fields.values())


def _fault(one: Any) -> int:
    """The code of what is wrong with one object; 0: nothing."""
    if not isinstance(one, dict):
        return 6
    if "event" not in one:
        return 12
    if one["event"] in ("", None):
        return 13
    if not _time(one.get("time", "0")) or not _flat(one.get("fields", {})):
        return 15
    if not all(isinstance(one.get(name, ""), str) for name in ("host", "source", "sourcetype", "index")):
        return 6
    return 0 if one.get("index", "main") in INDEXES else 7


def _objects(body: str) -> Iterator[tuple[Any, str]]:
    """Each object, with its `time` as it is spelled, and the spelling of the whole; None for what is no JSON."""
    decoder, at = json.JSONDecoder(parse_float=_Spelled, parse_int=_Spelled), 0
    while at < len(body):
        try:
            one, end = decoder.raw_decode(body, at)
        except ValueError:
            yield None, ""
            return
        yield one, body[at:end]
        at = end + len(body[end:]) - len(body[end:].lstrip())


class _Spelled(str):
    """A number as it stands in the body."""


def read(request: Any) -> list[dict[str, Any]]:
    """What is taken of a request, each with `raw`, the bytes of its event; Refused where the answer is no success."""
    path, _, query = request.path.partition("?")
    path = path[path.find("/services/"):] if "/services/" in path else path
    if path not in PATHS or request.method != "POST":
        raise Refused(404, None, [])
    kind, _, token = request.header.get("authorization", "").partition(" ")
    if not kind:
        raise Refused(16 if "token=" in query else 2, None, [])
    if kind != "Splunk":
        raise Refused(3, None, [])
    if token not in TOKENS:
        raise Refused(4, None, [])
    try:
        body = request.body.decode()
    except UnicodeDecodeError:
        raise Refused(6, 0, []) from None
    return _take(body.lstrip())


def _take(body: str) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = []
    for number, (one, spelled) in enumerate(_objects(body)):
        code = _fault(one)
        if code:
            raise Refused(code, number + (code == 7), taken)
        if set(one) - ENVELOPE:
            break
        taken.append({**json.loads(spelled), "raw": _spelling_of_event(spelled)})
    if not taken:
        raise Refused(5, None, [])
    return taken


def _spelling_of_event(spelled: str) -> bytes:
    """The member `event` as it is written; json has no way to ask, so the longest end of the object that reads as the same."""
    event = json.loads(spelled)["event"]
    for found in re.finditer(r'"event"\s*:\s*', spelled):
        try:
            value, end = json.JSONDecoder().raw_decode(spelled, found.end())
        except ValueError:
            continue
        if value == event:
            return spelled[found.end():end].encode()
    raise AssertionError(spelled)


def check(request: Any) -> list[dict[str, Any]]:
    """The events; Refused when one is not taken, lost in silence, or cut."""
    taken = read(request)
    if len(taken) != sum(1 for _ in _objects(request.body.decode().lstrip())):
        raise Refused(0, len(taken), taken)
    for one in taken:
        if len(one["raw"]) > CUT_AT:
            raise Refused(0, None, taken)
    return taken


def refusal(code: int, number: int | None = None, retry_after: int | None = None) -> Answer:
    status, text = CODES[code]
    body = {"text": text, "code": code, **({} if number is None else {"invalid-event-number": number})}
    wait = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return Answer(status=status, headers=(("Content-Type", "application/json; charset=UTF-8"), *wait), body=json.dumps(body, separators=(",", ":")).encode())


def answer(request: Any) -> Answer:
    try:
        read(request)
    except Refused as refused:
        return refusal(*refused.args[:2])
    return refusal(0)


def indexed(requests: Iterable[Any]) -> list[dict[str, Any]]:
    """What a search finds, oldest first, repeats included: {"host", "source", "sourcetype", "index", "event"}; an event that was cut is a text."""
    found = []
    for request in requests:
        try:
            taken = read(request)
        except Refused as refused:
            taken = refused.args[2]
        for one in taken:
            raw = one["raw"][:CUT_AT]
            found.append({"index": "main", **one, "event": one["event"] if raw == one["raw"] else raw.decode(errors="replace")})
    return found


def _members(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _members(member, f"{path}.{name}" if path else name)
    else:
        yield path, value


def live(taken: list[dict[str, Any]]) -> list[str]:
    """What decides more than what is read: where an event is filed, which fields there are, what a line is; and words for nothing."""
    found = []
    for one in taken:
        found += [f"{name}: {one[name]!r}" for name in ("host", "source", "index") if not re.fullmatch(r"[\w.-]+", one.get(name, "main"))]
        if not re.fullmatch(r"pencheff:(scan_started|scan_done|scan_failed|finding|test)", one.get("sourcetype", "")):
            found.append(f"sourcetype: {one.get('sourcetype')!r}")
        found += ["fields"] if "fields" in one else []
        for path, value in _members(one["event"]):
            found += [f"the name {path!r}"] if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", path) else []
            found += [f"{path}: {value!r}"] if value in (None, "") or isinstance(value, list) else []
            if isinstance(value, str):
                found += [f"{path}: {value!r}"] if UNSEEN.search(value) or ("\n" in value and path.rpartition(".")[2] not in LINES) else []
    return found

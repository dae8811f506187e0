"""PagerDuty's Events API v2, as its documentation describes it: what it refuses, what it answers, what it makes of events.

Lengths are counted in UTF-16 units, the largest way that PagerDuty could count them. A receiver answers like this with
`Answer(like="pagerduty")`, or with a `Service` in place of the word, which keeps the alerts; `refusal` and `slow_down` are
answers for its scripts. `alerts` says what a service shows of the requests that were accepted.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Iterable

from ..answers import Answer
from .slack import units

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
# The one place that is read aloud, sent as a short message and stands in the subject of a mail: what would break out of it.
LIVE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
MULTILINE = ("Description", "Remediation", "Change", "Error")


class Refused(Exception):
    """A status and what is wrong, in PagerDuty's words."""


def _need(good: Any, error: str, status: int = 400) -> None:
    if not good:
        raise Refused(status, error)


def _blank(value: Any) -> bool:
    return not isinstance(value, str) or not value.strip()


def _payload(payload: Any) -> None:
    _need(isinstance(payload, dict), "'payload' is missing or blank")
    for key in ("summary", "source", "severity"):
        _need(not _blank(payload.get(key)), f"'payload.{key}' is missing or blank")
    _need(units(payload["summary"]) <= 1024, "'summary' is too long (maximum is 1024 characters)")
    _need(payload["severity"] in SEVERITIES, "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")
    for key in ("component", "group", "class"):
        _need(not _blank(payload.get(key, "x")), f"'payload.{key}' is invalid")
    _need(isinstance(payload.get("custom_details", {}), dict), "'payload.custom_details' is invalid")
    try:
        datetime.fromisoformat(payload.get("timestamp", "2026-01-01T00:00:00Z").replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        _need(False, "'payload.timestamp' is invalid")


def check(request: Any) -> dict[str, Any]:
    """The event; Refused when PagerDuty would not take it."""
    _need(request.path == "/v2/enqueue", "Not Found", 404)
    _need(request.method == "POST", "Method Not Allowed", 405)
    _need(len(request.body) <= 512_000, "Payload Too Large", 413)
    try:
        event = json.loads(request.body)
    except ValueError:
        raise Refused(400, "JSON is invalid") from None
    _need(isinstance(event, dict), "Event object is invalid")
    key = event.get("routing_key")
    _need(isinstance(key, str) and len(key) == 32, "Length of 'routing_key' is incorrect (should be 32 characters)")
    _need(re.fullmatch(r"[0-9A-Za-z]+", key), "'routing_key' cannot contain non-alphanumeric characters.")
    _need(event.get("event_action") in ACTIONS, "'event_action' is missing or invalid")
    if "dedup_key" in event or event["event_action"] != "trigger":
        dedup = event.get("dedup_key")
        _need(not _blank(dedup) and units(dedup) <= 255, "Length of 'dedup_key' is incorrect (should be between 1 and 255 characters)")
    if event["event_action"] == "trigger" or "payload" in event:
        _payload(event.get("payload"))
    for links in ("links", "images"):
        _need(isinstance(event.get(links, []), list), f"'{links}' is invalid")
    return event


def refusal(*errors: str, status: int = 400) -> Answer:
    return Answer(status=status, headers=(("Content-Type", "application/json"),),
                  body=json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": errors}).encode())


def slow_down(seconds: int | None = None) -> Answer:
    """Too many; PagerDuty's pages name no header that would say for how long."""
    said = {"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly.  Please retry later."}
    return Answer(status=429, headers=(("Content-Type", "application/json"), *([("Retry-After", str(seconds))] if seconds is not None else [])),
                  body=json.dumps(said).encode())


def _accepted(key: str) -> Answer:
    return Answer(status=202, headers=(("Content-Type", "application/json"),), body=json.dumps(
        {"status": "success", "message": "Event processed", "dedup_key": key}).encode())


def answer(request: Any) -> Answer:
    """Accepted is not processed: what is dropped later is answered alike."""
    try:
        event = check(request)
    except Refused as refused:
        status, error = refused.args
        return refusal(error, status=status)
    return _accepted(event.get("dedup_key", "0" * 32))


def alerts(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a service shows, oldest first: {"key", "open", "summary", "severity", "log"}; an end without an open alert is dropped."""
    shown: list[dict[str, Any]] = []
    for number, event in enumerate(events):
        key = event.get("dedup_key", f"generated {number}")
        alert = next((one for one in shown if one["key"] == key and one["open"]), None)
        if event["event_action"] == "trigger" and alert is None:
            shown.append({"key": key, "open": True, "summary": event["payload"]["summary"], "severity": event["payload"]["severity"], "log": []})
            alert = shown[-1]
        if alert is not None:
            alert["log"].append(event["event_action"])
            alert["open"] = event["event_action"] != "resolve"
    return shown


class Service:
    """A service with its alerts, which remembers. `keys`: the routing keys that it takes; None: any.

    `alerts` has the last alert of each dedup_key: {"state" ("triggered" or "resolved"), "summary", "severity", "log", "opened"}.
    Summary and severity are those of the last trigger; `log` has what was done, oldest first, of all alerts of this key, and
    `opened` says how many there were. `requests` has all requests, refused ones included; `dropped` the events that were accepted
    and came to nothing.
    """

    def __init__(self, keys: set[str] | None = None) -> None:
        self.keys = keys
        self.alerts: dict[str, dict[str, Any]] = {}
        self.requests: list[Any] = []
        self.dropped: list[dict[str, Any]] = []

    def answer(self, request: Any) -> Answer:
        self.requests.append(request)
        try:
            event = check(request)
            _need(self.keys is None or event["routing_key"] in self.keys, "Invalid routing key")
        except Refused as refused:
            return refusal(refused.args[1], status=refused.args[0])
        event.setdefault("dedup_key", f"{len(self.requests):032x}")
        self._process(event)
        return _accepted(event["dedup_key"])

    def _process(self, event: dict[str, Any]) -> None:
        alert = self.alerts.get(event["dedup_key"])
        if event["event_action"] == "trigger":
            alert = self.alerts.setdefault(event["dedup_key"], {"state": "", "log": [], "opened": 0})
            alert["opened"] += alert["state"] != "triggered"
            alert.update(state="triggered", summary=event["payload"]["summary"], severity=event["payload"]["severity"])
        elif alert is None or alert["state"] != "triggered":
            self.dropped.append(event)
            return
        elif event["event_action"] == "resolve":
            alert["state"] = "resolved"
        alert["log"].append(event["event_action"])


def live(event: dict[str, Any]) -> list[str]:
    """PagerDuty reads no markup; links, pictures and what decides who is woken must not come from a text."""
    found = [key for key in ("links", "images", "client_url") if key in event]
    found += ["dedup_key"] if not re.fullmatch(r"pencheff-([0-9a-f]{64}|test)", event["dedup_key"]) else []
    payload = event.get("payload", {})
    details = payload.get("custom_details", {})
    found += [f"{key}: {text!r}" for key, text in (*payload.items(), *details.items())
              if isinstance(text, str) and LIVE.search(text.replace("\n", "") if key in MULTILINE and key in details else text)]
    found += [f"{key}: {type(value).__name__}" for key, value in details.items() if not isinstance(value, str)]
    return found

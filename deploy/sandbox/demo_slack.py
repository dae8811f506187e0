"""What a channel must be told about an event, said once more from docs/destinations/slack.md.

A message to Slack names neither our event nor an id of the delivery, so this is also how the demo knows which event it is
about: by the line, and by the small print, which has the ids of the finding and the scan.
"""

from __future__ import annotations

import html
from typing import Any

from .vendors import slack
from .demo_case import Call

_SIGNS = {"critical": "🚨", "high": "🔴", "medium": "🟠", "low": "🟡", "info": "🔵"}


def fallback(message: dict[str, Any]) -> str:
    """The line that people see in a notification, as Slack shows it."""
    return html.unescape(str(message.get("text", "")).split("\n")[0])


def tells(message: dict[str, Any], call: Call) -> bool:
    """Whether MESSAGE is what the channel must be told about CALL."""
    start, end = _line(call)
    line = fallback(message)
    shown = [text for kind, text in slack.texts(message) if kind == "plain_text"]
    return line.startswith(start) and line.endswith(end) and _small_print(call) in shown


def _line(call: Call) -> tuple[str, str]:
    """How the line begins and ends; between them may stand a score, a profile or counts."""
    if call.finding and call.event_type == "finding_new":
        severity = call.finding.severity
        return f"{_SIGNS[severity]} [{severity.upper()}] ", f" — {call.subject}"
    return {
        "scan_started": f"🚀 Scan started — {call.subject}", "scan_done": f"✅ Scan done — {call.subject}",
        "scan_failed": f"❌ Scan failed — {call.subject}: {call.keywords.get('error')}",
        "finding_changed": f"🔁 Finding updated — {call.subject}: {call.keywords.get('change_summary')}",
    }[call.event_type], ""


def _small_print(call: Call) -> str:
    return f"Pencheff · {f'finding {call.finding.id} · ' if call.finding else ''}scan {call.scan.id}"

"""The body and the headers of a webhook's request, as docs/destinations/webhook.md has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from datetime import datetime

from facts import Facts
from integrations import Settings

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_LINES = ["Content-Type: application/json", "User-Agent: pencheff-notify-bench/celery", "Expect:"]

# Three characters that notifyd escapes in another way than Python, and the escapes that must not be taken for them.
_ESCAPES = {"\x7f": "\\u007f", "\\b": "\\u0008", "\\f": "\\u000c"}
_find_odd = re.compile(r"\x7f|\\[bf]").search
_ODD = re.compile(r"\x7f|\\.")


def build_body(event_id: str, event_type: str, facts: Facts, change_summary: str | None, error: str | None) -> bytes:
    """The same for all integrations of an event."""
    if error is None and event_type == "scan_failed":
        error = facts.scan_error
    text = _encode({
        "tool": "pencheff", "version": "1", "event": event_type, "id": event_id,
        "timestamp": datetime.utcnow().isoformat(timespec="milliseconds") + "Z", "workspace_id": facts.workspace_id,
        "target": facts.target, "scan": facts.scan, "finding": facts.finding, "change_summary": change_summary, "error": error})
    if _find_odd(text):
        text = _ODD.sub(lambda match: _ESCAPES.get(match[0], match[0]), text)
    return text.encode()


def headers(settings: Settings, event_id: str, integration_id: str, body: bytes) -> list[str]:
    webhook_id = hashlib.sha256((event_id + integration_id).encode()).hexdigest()[:32]
    now = str(int(time.time()))
    lines = [*_LINES, f"X-Pencheff-Timestamp: {now}", f"webhook-id: {webhook_id}", f"webhook-timestamp: {now}"]
    if settings.secret:
        signed = f"{webhook_id}.{now}.".encode() + body
        lines += [f"X-Pencheff-Signature: sha256={hmac.digest(settings.secret, body, 'sha256').hex()}",
                  f"webhook-signature: v1,{base64.b64encode(hmac.digest(settings.key, signed, 'sha256')).decode()}"]
    return lines + settings.headers

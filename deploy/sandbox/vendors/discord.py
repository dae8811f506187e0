"""Discord's webhooks, as their documentation describes them: what they refuse, what they show, and what they answer.

Lengths are counted in UTF-16 units, the largest way that Discord could count them, of what is left when white space at the ends
is gone. A receiver answers like this with `Answer(like="discord")`; `refusal` and `slow_down` are answers for its scripts.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Iterator

from ..answers import Answer
from .slack import units

PLACE = re.compile(r"/api(?:/v(?:[6-9]|1[0-9]))?/webhooks/\d+/[\w-]+")
TYPES = {"title": str, "description": str, "url": str, "color": int, "timestamp": str, "footer": dict, "fields": list, "author": dict}

# What becomes something else than itself (support.discord.com, Markdown Text 101; discord-api-docs reference, Message Formatting),
# looked for in a text from which everything that a backslash guards is gone.
LIVE = {
    "bold": r"\*\*.+?\*\*", "italics": r"\*\S[^*]*\*|_[^_]+_", "underline": r"__.+?__", "strikethrough": r"~~.+?~~",
    "spoiler": r"\|\|.+?\|\|", "code": r"`+.+?`+", "code block": r"```.+?```", "heading": r"(?m)^\s*#{1,3}\s", "small print": r"(?m)^\s*-#\s",
    "quote": r"(?m)^\s*>(>>)?\s", "list": r"(?m)^\s*(?:[-*]|\d+\.)\s", "masked link": r"\[[^\]]*\]\([^)]*\)", "link": r"(?i)\b(?:https?|steam|discord)://\S",
    "link in brackets": r"<[^: >]+:[^ >]+>", "mention": r"<(?:@[!&]?|#)\d+>", "everybody": r"@(?:everyone|here)", "time": r"<t:-?\d+(?::\w)?>",
    "command": r"</[^>]+:\d+>", "place": r"<id:\w+>", "emoji": r"<a?:\w+:\d+>", "emoji by name": r":\w+:",
}
# Invitations are looked for before any Markdown is.
INVITATION = re.compile(r"(?i)discord(?:\.gg|(?:app)?\.com/invite)/[\w-]+")


class Refused(Exception):
    """A status, a code and Discord's words for it."""


def _need(good: Any, status: int = 400, code: int = 50035, message: str = "Invalid Form Body") -> None:
    if not good:
        raise Refused(status, code, message)


def _text(value: Any, most: int) -> int:
    """Its length; empty ones are refused."""
    _need(isinstance(value, str))
    length = units(value.strip())
    _need(1 <= length <= most)
    return length


def _embed(embed: Any) -> int:
    """The length of all of its texts together."""
    _need(isinstance(embed, dict) and all(isinstance(embed.get(key, kind()), kind) for key, kind in TYPES.items()))
    length = sum(_text(embed[key], most) for key, most in (("title", 256), ("description", 4096)) if key in embed)
    fields = embed.get("fields", [])
    _need(len(fields) <= 25 and 0 <= embed.get("color", 0) <= 0xFFFFFF)
    for field in fields:
        _need(isinstance(field, dict) and isinstance(field.get("inline", False), bool))
        length += _text(field.get("name"), 256) + _text(field.get("value"), 1024)
    if "timestamp" in embed:
        try:
            datetime.fromisoformat(embed["timestamp"].replace("Z", "+00:00"))
        except ValueError:
            _need(False)
    if "footer" in embed:
        length += _text(embed["footer"].get("text"), 2048)
    if "author" in embed:
        length += _text(embed["author"].get("name"), 256)
    return length


def _mentions(allowed: Any) -> None:
    _need(isinstance(allowed, dict) and set(allowed) <= {"parse", "roles", "users", "replied_user"})
    parse = allowed.get("parse", [])
    _need(isinstance(parse, list) and set(parse) <= {"roles", "users", "everyone"})
    for kind in ("roles", "users"):
        _need(len(allowed.get(kind, [])) <= 100 and not (kind in parse and allowed.get(kind)))


def check(request: Any) -> dict[str, Any]:
    """The message; Refused when Discord would not take it."""
    path, _, _ = request.path.partition("?")
    _need(PLACE.fullmatch(path), 404, 10015, "Unknown Webhook")
    _need(request.method == "POST", 405, 0, "405: Method Not Allowed")
    _need(re.match(r"DiscordBot \(.+, .+\)", request.header.get("user-agent", "")), 403, 40333, "internal network error")
    _need(request.header.get("content-type", "").partition(";")[0] == "application/json")
    try:
        message = json.loads(request.body)
    except ValueError:
        raise Refused(400, 50109, "The request body contains invalid JSON.") from None
    _need(isinstance(message, dict))
    _need(message.get("content") or message.get("embeds"), 400, 50006, "Cannot send an empty message")
    if message.get("content"):
        _text(message["content"], 2000)
    embeds = message.get("embeds", [])
    _need(isinstance(embeds, list) and len(embeds) <= 10)
    _need(sum(_embed(embed) for embed in embeds) <= 6000)
    _mentions(message.get("allowed_mentions", {}))
    _need(isinstance(message.get("flags", 0), int) and message.get("flags", 0) & ~(1 << 2 | 1 << 12 | 1 << 15) == 0)
    return message


def refusal(status: int, code: int, message: str) -> Answer:
    return Answer(status=status, headers=(("Content-Type", "application/json"),), body=json.dumps({"message": message, "code": code}).encode())


def slow_down(seconds: float, *, of_all: bool = False) -> Answer:
    """The rate limit of a webhook, or that of everything from one address."""
    headers = [("Content-Type", "application/json"), ("Retry-After", str(-int(-seconds // 1))), ("X-RateLimit-Scope", "global" if of_all else "user")]
    headers += [("X-RateLimit-Global", "true")] if of_all else [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", f"{seconds:.3f}")]
    return Answer(status=429, headers=tuple(headers),
                  body=json.dumps({"message": "You are being rate limited.", "retry_after": seconds, "global": of_all}).encode())


def answer(request: Any) -> Answer:
    """Without wait=true nobody learns whether the message was stored."""
    try:
        message = check(request)
    except Refused as refused:
        return refusal(*refused.args)
    if "wait=true" not in request.path.partition("?")[2].split("&"):
        return Answer(status=204, body=b"")
    stored = {"type": 0, "content": "", "embeds": [], **message, "id": "1300000000000000000", "channel_id": "2", "webhook_id": "1"}
    return Answer(headers=(("Content-Type", "application/json"), ("X-RateLimit-Remaining", "4")), body=json.dumps(stored).encode())


def texts(message: dict[str, Any]) -> Iterator[str]:
    """Everything in which Markdown is read."""
    if message.get("content"):
        yield message["content"]
    for embed in message.get("embeds", []):
        yield from (embed[key] for key in ("title", "description") if key in embed)
        for field in embed.get("fields", []):
            yield from (field["name"], field["value"])


def shown(text: str) -> str:
    """What a reader sees of a text in which nothing is live."""
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text)


def live(message: dict[str, Any]) -> list[str]:
    found = [] if message.get("allowed_mentions") == {"parse": []} else ["mentions are allowed"]
    for embed in message.get("embeds", []):
        found += [key for key in ("url", "image", "thumbnail", "video", "author") if key in embed]
    for text in texts(message):
        guarded = re.sub(r"\\[^A-Za-z0-9\s]", "\ue000", text)
        found += [f"{what} in {text!r}" for what, rule in LIVE.items() if re.search(rule, guarded, re.S)]
        found += [f"invitation in {text!r}"] if INVITATION.search(text) else []
    return found

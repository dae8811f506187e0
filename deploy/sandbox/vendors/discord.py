"""Discord's webhooks, as their documentation describes them: what they refuse, what they show, and what they answer.

Lengths are counted in UTF-16 units, the largest way that Discord could count them, of what is left when white space at the ends
is gone. A receiver answers like this with `Answer(like="discord")`, or with a `Channel` in place of the word, which keeps
the messages; `refusal` and `slow_down` are answers for its scripts.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Iterator
from urllib.parse import parse_qs

from ..answers import Answer
from .slack import units

PLACE = re.compile(r"(?P<webhook>/api(?:/v(?:[6-9]|1[0-9]))?/webhooks/\d+/[\w-]+)(?:/messages/(?P<message>\d{1,20}))?")
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


def _place(request: Any) -> str | None:
    """The id of the message that is to be edited, None for a new one; Refused at any other place."""
    place = PLACE.fullmatch(request.path.partition("?")[0])
    _need(place, 404, 10015, "Unknown Webhook")
    _need(request.method == ("PATCH" if place["message"] else "POST"), 405, 0, "405: Method Not Allowed")
    return place["message"]


def check(request: Any) -> dict[str, Any]:
    """The message, or what an edit says of one; Refused when Discord would not take it."""
    edited = _place(request)
    _need(re.match(r"DiscordBot \(.+, .+\)", request.header.get("user-agent", "")), 403, 40333, "internal network error")
    _need(request.header.get("content-type", "").partition(";")[0] == "application/json")
    try:
        message = json.loads(request.body)
    except ValueError:
        raise Refused(400, 50109, "The request body contains invalid JSON.") from None
    _need(isinstance(message, dict))
    if edited:  # all of its members may be left out, and null takes away
        message = {name: value for name, value in message.items() if value is not None}
        _need(message.get("content") or message.get("embeds") or not {"content", "embeds"} <= set(message), 400, 50006, "Cannot send an empty message")
    else:
        _need(message.get("content") or message.get("embeds"), 400, 50006, "Cannot send an empty message")
    if message.get("content"):
        _text(message["content"], 2000)
    embeds = message.get("embeds", [])
    _need(isinstance(embeds, list) and len(embeds) <= 10)
    _need(sum(_embed(embed) for embed in embeds) <= 6000)
    _mentions(message.get("allowed_mentions", {}))
    _need(isinstance(message.get("flags", 0), int) and message.get("flags", 0) & ~(1 << 2 | 1 << 15 | (0 if edited else 1 << 12)) == 0)
    return message


def refusal(status: int, code: int, message: str) -> Answer:
    return Answer(status=status, headers=(("Content-Type", "application/json"),), body=json.dumps({"message": message, "code": code}).encode())


def slow_down(seconds: float, *, of_all: bool = False) -> Answer:
    """The rate limit of a webhook, or that of everything from one address."""
    headers = [("Content-Type", "application/json"), ("Retry-After", str(-int(-seconds // 1))), ("X-RateLimit-Scope", "global" if of_all else "user")]
    headers += [("X-RateLimit-Global", "true")] if of_all else [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", f"{seconds:.3f}")]
    return Answer(status=429, headers=tuple(headers),
                  body=json.dumps({"message": "You are being rate limited.", "retry_after": seconds, "global": of_all}).encode())


def _stored(message: dict[str, Any]) -> Answer:
    return Answer(headers=(("Content-Type", "application/json"), ("X-RateLimit-Remaining", "4")), body=json.dumps(message).encode())


def _query(request: Any) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(request.path.partition("?")[2]).items()}


def answer(request: Any) -> Answer:
    """Without wait=true nobody learns whether the message was stored. Every message that is edited is there."""
    try:
        message = check(request)
    except Refused as refused:
        return refusal(*refused.args)
    edited = _place(request)
    if not edited and _query(request).get("wait") != "true":
        return Answer(status=204, body=b"")
    return _stored({"type": 0, "content": "", "embeds": [], **message, "id": edited or "1300000000000000000", "channel_id": "2", "webhook_id": "1"})


class Channel:
    """A channel and its webhooks, which remembers: what is posted stays until somebody deletes it, and can be edited by its webhook.

    `messages` has what is there by id, oldest first: {"id", "content", "embeds", "flags", "thread", "webhook", "edits"}, where
    `thread` is the id of a thread or None and `edits` counts. `requests` has all requests, refused ones included.
    """

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.requests: list[Any] = []
        self.gone = False  # set it to delete the webhook
        self.archived: set[str] = set()  # threads; a new message opens one again
        self._posted = 0

    def delete(self, message: str) -> None:
        """As a person would."""
        del self.messages[message]

    def answer(self, request: Any) -> Answer:
        self.requests.append(request)
        try:
            _need(not self.gone, 404, 10015, "Unknown Webhook")
            said, edited = check(request), _place(request)
            return self._edit(edited, request, said) if edited else self._post(request, said)
        except Refused as refused:
            return refusal(*refused.args)

    def _post(self, request: Any, said: dict[str, Any]) -> Answer:
        query = _query(request)
        self._posted += 1
        one = {"id": str(1300000000000000000 + self._posted), "content": said.get("content", ""), "embeds": said.get("embeds", []),
               "flags": said.get("flags", 0), "thread": query.get("thread_id"), "webhook": _webhook(request), "edits": 0}
        self.messages[one["id"]] = one
        self.archived.discard(one["thread"] or "")
        return _stored(one) if query.get("wait") == "true" else Answer(status=204, body=b"")

    def _edit(self, edited: str, request: Any, said: dict[str, Any]) -> Answer:
        """What is not named stays as it is. A message in a thread is found there only."""
        one = self.messages.get(edited)
        _need(one and one["thread"] == _query(request).get("thread_id") and one["webhook"] == _webhook(request), 404, 10008, "Unknown Message")
        _need(one["thread"] not in self.archived, 400, 50083, "Tried to perform an operation on an archived thread")
        named = json.loads(request.body)
        after = {name: (said.get(name, empty) if name in named else one[name]) for name, empty in (("content", ""), ("embeds", []), ("flags", 0))}
        _need(after["content"] or after["embeds"], 400, 50006, "Cannot send an empty message")
        one.update(after, edits=one["edits"] + 1)
        return _stored(one)


def _webhook(request: Any) -> str:
    return PLACE.fullmatch(request.path.partition("?")[0])["webhook"].rpartition("/webhooks/")[2]


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

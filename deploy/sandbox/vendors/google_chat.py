"""Google Chat's incoming webhooks, as their documentation describes them: what they refuse, and what they answer.

The URL's `key` and `token` are looked for on paths like the real ones (/v1/spaces/…), so that a test may use any other. A receiver answers like
this with `Answer(like="google_chat")`.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any, Iterator
from urllib.parse import parse_qs, urlsplit

from ..answers import Answer

LARGEST = 32000  # bytes of a message with its cards
WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
TAGS = re.compile(r"<(/?(?:b|i|u|s|strike)|/?font|font color=\"#[0-9A-Fa-f]{6}\"|br)>")

# The markup of a message's text: bold, italics, strikethrough, code, lists, quotes, mentions and links in angle brackets, bare addresses; and that
# of Markdown, for apps that have it on: links and headings.
MARKUP = re.compile(r"[*~`<>@]|(?<![A-Za-z0-9])_|^[-+#=]|https?://|\bwww\.|\]\(|\]:", re.MULTILINE | re.ASCII | re.IGNORECASE)


class Refused(Exception):
    """The HTTP status, and the message of the error."""


def _need(good: bool, text: str, status: int = 400) -> None:
    if not good:
        raise Refused(status, text)


def _widget(widget: Any) -> None:
    _need(isinstance(widget, dict) and len(widget) == 1, "a widget has one kind")
    (kind, inside), = widget.items()
    known = {"textParagraph": {"text", "maxLines", "textSyntax"}, "decoratedText": {"topLabel", "text", "bottomLabel", "wrapText", "startIcon"}, "divider": set()}
    _need(kind in known, f'Unknown name "{kind}"')
    _need(isinstance(inside, dict) and set(inside) <= known[kind], f'Unknown name in "{kind}"')
    if kind != "divider":
        _need(isinstance(inside.get("text"), str) and bool(inside["text"]), f"{kind} without text")
    _need(isinstance(inside.get("wrapText", True), bool) and isinstance(inside.get("topLabel", ""), str), kind)


def _card(card: Any) -> None:
    _need(isinstance(card, dict) and set(card) <= {"header", "sections", "name"}, "Unknown name in card")
    if "header" in card:
        _need(bool(card["header"].get("title")), "a header without title")
    _need(isinstance(card.get("sections"), list) and bool(card["sections"]), "a card without sections")
    for section in card["sections"]:
        _need(isinstance(section.get("widgets"), list) and bool(section["widgets"]), "a section without widgets")
        _need(set(section) <= {"header", "widgets", "collapsible", "uncollapsibleWidgetsCount"}, "Unknown name in section")
        for widget in section["widgets"]:
            _widget(widget)
    _need(sum(len(section["widgets"]) for section in card["sections"]) <= 100, "further widgets are ignored")


def check(request: Any) -> dict[str, Any]:
    """The message; Refused when Google Chat would not take it, or would leave out something of it."""
    url = urlsplit(request.path)
    if url.path.startswith("/v1/"):
        query = parse_qs(url.query)
        _need(re.fullmatch(r"/v1/spaces/[\w-]+/messages", url.path) is not None, "Not found", 404)
        _need(bool(query.get("key")), "Method doesn't allow unregistered callers", 403)
        _need(bool(query.get("token")), "The API is called without a valid token", 403)
    _need(request.method == "POST" and request.header.get("content-type", "").partition(";")[0] == "application/json", "Invalid JSON payload received.")
    try:
        message = json.loads(request.body)
    except ValueError:
        raise Refused(400, "Invalid JSON payload received.") from None
    _need(isinstance(message, dict) and set(message) <= {"text", "cardsV2", "fallbackText", "thread", "markupSyntax"}, "Unknown name")
    _need(len(request.body) <= LARGEST, "Message is longer than 32000 bytes")
    _need(bool(message.get("text") or message.get("cardsV2")), "Message cannot be empty.")
    replies = parse_qs(url.query).get("messageReplyOption", [])
    _need(set(replies) <= {"REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", "REPLY_MESSAGE_OR_FAIL"} and len(replies) < 2, "Invalid value")
    _need(("thread" in message) == bool(replies), "Thread and messageReplyOption go together")  # a thread alone would be ignored
    if "thread" in message:
        _need(0 < len(message["thread"].get("threadKey", "")) <= 4000, "Invalid thread key")
    for name in ("text", "fallbackText"):
        _need(isinstance(message.get(name, ""), str) and len(message.get(name, "").encode("utf-16-le")) // 2 <= 4096, "Message is longer than 4096 characters")
    cards = message.get("cardsV2", [])
    _need(isinstance(cards, list) and all(isinstance(one, dict) and one.get("cardId") for one in cards), "a card without cardId")
    for one in cards:
        _card(one.get("card"))
    return message


def threads(requests: list[Any]) -> dict[str, list[str]]:
    """The lines of the messages in each thread, by its key; those without one are in a thread of their own."""
    found: dict[str, list[str]] = {}
    for number, request in enumerate(requests):
        message = check(request)
        key = message["thread"]["threadKey"] if "thread" in message else f"#{number}"
        found.setdefault(key, []).append((message.get("text") or message["fallbackText"]).partition("\n")[0])
    return found


def failed(status: int, text: str = "", **detail: Any) -> Answer:
    """An error as Google's interfaces tell it."""
    error = {"code": status, "message": text, "status": WORDS[status], **({"details": [detail]} if detail else {})}
    return Answer(status=status, headers=(("Content-Type", "application/json; charset=UTF-8"),), body=json.dumps({"error": error}, indent=2).encode())


def answer(request: Any) -> Answer:
    try:
        check(request)
    except Refused as refused:
        return failed(*refused.args)
    return Answer(headers=(("Content-Type", "application/json; charset=UTF-8"),),
                  body=json.dumps({"name": "spaces/S/messages/M.M", "thread": {"name": "spaces/S/threads/M"}}, indent=2).encode())


def live(message: Any) -> list[str]:
    """In HTML, tags other than our own frame around a text: the bold headline in its colour, a label in bold and its line break, small print."""
    found = [message[name] for name in ("text", "fallbackText") if MARKUP.search(message.get(name, ""))]
    for text in texts(message):
        inside = re.sub(r"^<font color=\"#[0-9A-F]{6}\">(?:<b>(.*)</b>|(.*))</font>$|^<i>(.*)</i>$|^<b>[A-Z]\w+</b><br>", lambda m: "".join(filter(None, m.groups())), text)
        if re.search(r"[<>]", inside.replace("<br>", "")) or re.search(r"&(?!(?:amp|lt|gt|quot|#39);)", inside) or re.search("[\"']", inside.replace("<br>", "")):
            found.append(text)
    return found


def texts(part: Any) -> Iterator[str]:
    """The HTML of every widget."""
    if isinstance(part, list):
        for one in part:
            yield from texts(one)
    elif isinstance(part, dict):
        for name, one in part.items():
            if name in ("textParagraph", "decoratedText"):
                yield one["text"]
            else:
                yield from texts(one)


def shown(message: Any) -> list[str]:
    """What a person reads, from top to bottom."""
    if "text" in message:
        return [message["text"]]
    return [html.unescape(TAGS.sub(lambda tag: "\n" if tag[1] == "br" else "", text)) for text in texts(message)]

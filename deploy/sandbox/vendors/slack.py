"""Slack's incoming webhooks, as their documentation describes them: what they refuse, and what they answer.

Lengths are counted in UTF-16 units, the largest way that Slack could count them. A receiver answers like this with
`Answer(like="slack")`.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterator

from ..answers import Answer

# What would ping somebody or be a link; entities are what is left of it when it was escaped.
LIVE = re.compile(r"<[^>]*>")


class Refused(Exception):
    """Its text is the error word."""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _need(good: bool, word: str) -> None:
    if not good:
        raise Refused(word)


def _plain(text: Any, most: int) -> None:
    _need(isinstance(text, dict) and text.get("type") in ("plain_text", "mrkdwn"), "invalid_blocks")
    _need(set(text) <= {"type", "text", "emoji", "verbatim"} and isinstance(text.get("text"), str), "invalid_blocks")
    _need(1 <= units(text["text"]) <= most, "invalid_blocks")


def _texts(texts: Any, most: int, each: int) -> None:
    _need(isinstance(texts, list) and 1 <= len(texts) <= most, "invalid_blocks")
    for text in texts:
        _plain(text, each)


def _block(block: Any) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "header":
        _plain(block.get("text"), 150)
        _need(block["text"]["type"] == "plain_text", "invalid_blocks")
    elif kind == "section":
        _need("text" in block or "fields" in block, "invalid_blocks")
        if "text" in block:
            _plain(block["text"], 3000)
        if "fields" in block:
            _texts(block["fields"], 10, 2000)
    elif kind == "context":
        _texts(block.get("elements"), 10, 3000)
    else:
        _need(kind == "divider", "invalid_blocks")
    _need(set(block) <= {"type", "text", "fields", "elements", "block_id"}, "invalid_blocks")


def _blocks(blocks: Any) -> None:
    _need(isinstance(blocks, list) and 1 <= len(blocks) <= 50, "invalid_blocks")
    for block in blocks:
        _block(block)


def check(request: Any) -> dict[str, Any]:
    """The message; Refused when Slack would not take it."""
    _need(request.method == "POST" and request.header.get("content-type", "").partition(";")[0] == "application/json",
          "invalid_payload")
    try:
        message = json.loads(request.body)
    except ValueError:
        raise Refused("invalid_payload") from None
    _need(isinstance(message, dict), "invalid_payload")
    _need(any(message.get(key) for key in ("text", "blocks", "attachments")), "no_text")
    _need(isinstance(message.get("text", ""), str) and units(message.get("text", "")) <= 40000, "msg_too_long")
    if "blocks" in message:
        _blocks(message["blocks"])
    attachments = message.get("attachments", [])
    _need(isinstance(attachments, list) and len(attachments) <= 100, "too_many_attachments")
    for one in attachments:
        _need(isinstance(one, dict) and re.fullmatch("#[0-9A-F]{6}", one.get("color", "#000000")) is not None, "invalid_attachments")
        if "blocks" in one:
            _blocks(one["blocks"])
    return message


def answer(request: Any) -> Answer:
    try:
        check(request)
    except Refused as refused:
        return Answer(status=400, body=str(refused).encode())
    return Answer()


def live(message: Any) -> list[str]:
    return [text for kind, text in texts(message) if kind not in ("plain_text", "fallback") or LIVE.search(text)]


def texts(message: Any) -> Iterator[tuple[str, str]]:
    """Everything in a message that a person gets to see, with its type; the fallback is of type "fallback"."""
    if isinstance(message, list):
        for part in message:
            yield from texts(part)
    elif isinstance(message, dict):
        if isinstance(message.get("text"), str):
            yield message.get("type", "fallback"), message["text"]
        for part in message.values():
            yield from texts(part)

"""Microsoft Teams: the trigger of a workflow that posts Adaptive Cards, and connectors, which took MessageCards.

Which of the two is asked is told by the message. `answer` plays the workflow of the template "Post to a channel when a webhook request is
received", which says 202 to whatever is JSON and loses what is no card, and a connector, which says 1. A receiver answers like this with
`Answer(like="teams")`.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterator

from ..answers import Answer

LARGEST = 28 * 1000  # bytes; "approximately 28 KB"
FAILED = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} with ContextId tcid=0,server=S,cv=c.."

# Elements of Adaptive Cards 1.4, and the properties that the schema explorer lists for each.
COMMON = {"type", "id", "spacing", "separator", "isVisible", "height"}
ELEMENTS = {
    "TextBlock": {"text", "color", "fontType", "horizontalAlignment", "isSubtle", "maxLines", "size", "weight", "wrap", "style"},
    "RichTextBlock": {"inlines", "horizontalAlignment"},
    "Container": {"items", "style", "bleed", "minHeight", "verticalContentAlignment"},
    "ColumnSet": {"columns", "style", "bleed", "minHeight", "horizontalAlignment"},
    "Column": {"items", "width", "style", "bleed", "minHeight", "verticalContentAlignment"},
    "FactSet": {"facts"},
}
RUN = {"type", "text", "color", "fontType", "highlight", "isSubtle", "italic", "size", "strikethrough", "underline", "weight"}
WORDS = {"style": {"default", "emphasis", "good", "attention", "warning", "accent"}, "weight": {"Default", "Lighter", "Bolder"},
         "size": {"Default", "Small", "Medium", "Large", "ExtraLarge"}, "spacing": {"Default", "None", "Small", "Medium", "Large", "ExtraLarge", "Padding"},
         "color": {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}}
INSIDE = {"RichTextBlock": "inlines", "Container": "items", "Column": "items", "ColumnSet": "columns"}

# What is expanded in every text of a card, and what Markdown and HTML make of a MessageCard's: emphasis, code, links (also bare ones), headings
# and lists, tags, entities of characters by number, mentions.
FUNCTION = re.compile(r"\{\{(DATE|TIME)|\$\{")
MARKUP = re.compile(r"[*~`<>]|\b_|(?<![A-Za-z0-9])_|\]\(|\]:|^[#+=-]|https?://|mailto:\S+@|\bwww\.|\S@\S|&#", re.MULTILINE | re.ASCII | re.IGNORECASE)


class Refused(Exception):
    """Its text is the failure; its second argument the status."""


def _need(good: bool, text: str, status: int = 400) -> None:
    if not good:
        raise Refused(text, status)


def _element(element: Any) -> None:
    kind = element.get("type") if isinstance(element, dict) else None
    _need(kind in ELEMENTS, f"no such element: {kind}")
    _need(set(element) <= COMMON | ELEMENTS[kind], f"{kind} has no {set(element) - COMMON - ELEMENTS[kind]}")
    for name, words in WORDS.items():
        _need(element.get(name, next(iter(words))) in words, f"{name} of {kind}: {element.get(name)}")
    if kind == "Column":
        _need(re.fullmatch(r"auto|stretch|\d+px", str(element.get("width", "auto"))) is not None, "width of a Column")
    if kind == "RichTextBlock":
        _need(isinstance(element.get("inlines"), list) and bool(element["inlines"]), "a RichTextBlock without inlines")
        for run in element["inlines"]:
            _need(isinstance(run, dict) and run.get("type") == "TextRun" and set(run) <= RUN and isinstance(run.get("text"), str), "no TextRun")
            _need(bool(run["text"]), "a TextRun without text")
            for name in ("weight", "size", "color"):
                _need(run.get(name, "Default") in WORDS[name], f"{name} of a TextRun")
    elif kind in INSIDE:
        _need(isinstance(element.get(INSIDE[kind]), list) and bool(element[INSIDE[kind]]), f"an empty {kind}")
        for inner in element[INSIDE[kind]]:
            _need((inner.get("type") == "Column") == (kind == "ColumnSet"), f"{inner.get('type')} in a {kind}")
            _element(inner)


def _card(message: dict[str, Any]) -> None:
    """Raises what the run history of the workflow would say."""
    attachments = message.get("attachments")
    _need(message.get("type") == "message" and isinstance(attachments, list) and len(attachments) == 1, "no attachments")
    one = attachments[0]
    _need(one.get("contentType") == "application/vnd.microsoft.card.adaptive" and set(one) <= {"contentType", "contentUrl", "content"}, "no card")
    card = one.get("content")
    _need(isinstance(card, dict) and card.get("type") == "AdaptiveCard", "Property 'type' must be 'AdaptiveCard'")
    _need(card.get("version") in ("1.2", "1.3", "1.4"), "this card cannot be displayed")
    _need(set(card) <= {"$schema", "type", "version", "msteams", "body", "actions", "fallbackText"}, "no such property of a card")
    _need(isinstance(card.get("body"), list) and bool(card["body"]), "a card without a body")
    for element in card["body"]:
        _element(element)


def _message_card(message: dict[str, Any]) -> None:
    _need(bool(message.get("summary") or message.get("text")), "Summary or Text is required.")
    _need(message.get("@context", "").rstrip("/") in ("http://schema.org/extensions", "https://schema.org/extensions"), "Bad payload received by generic incoming webhook.")
    _need(re.fullmatch("[0-9A-F]{6}", message.get("themeColor", "000000")) is not None, "themeColor")
    _need(set(message) <= {"@type", "@context", "summary", "title", "text", "themeColor", "sections", "potentialAction"}, "no such property")
    for section in message.get("sections", []):
        _need(set(section) <= {"title", "text", "facts", "markdown", "startGroup", "activityTitle", "activitySubtitle", "activityText"}, "section")
        _need(isinstance(section.get("markdown", True), bool) and len(section) > 1, "an empty section")
        for fact in section.get("facts", []):
            _need(set(fact) == {"name", "value"} and all(isinstance(text, str) and text for text in fact.values()), "fact")


def check(request: Any) -> dict[str, Any]:
    """The message; Refused when Teams would not post it, also when the sender would never hear of that."""
    message = _read(request)
    if message.get("@type") == "MessageCard":
        _message_card(message)
    else:
        _card(message)
    return message


def _read(request: Any) -> dict[str, Any]:
    _need(request.method == "POST" and request.header.get("content-type", "").partition(";")[0] == "application/json", "InvalidRequestContent")
    try:
        message = json.loads(request.body)
    except ValueError:
        raise Refused("InvalidRequestContent", 400) from None
    _need(isinstance(message, dict), "InvalidRequestContent")
    _need(len(request.body) <= LARGEST, "Request Entity too large", 413)
    return message


def answer(request: Any) -> Answer:
    try:
        message = _read(request)
    except Refused as refused:
        text, status = refused.args
        return Answer(status=status, headers=(("Content-Type", "application/json; charset=utf-8"),), body=json.dumps({"error": {"code": text, "message": text}}).encode())
    if message.get("@type") != "MessageCard":
        return Answer(status=202, body=b"")  # whether it is a card, only the run history says
    try:
        _message_card(message)
    except Refused as refused:
        return Answer(status=400, body=refused.args[0].encode())
    return Answer(body=b"1")


def live(message: Any) -> list[str]:
    if message.get("@type") == "MessageCard":
        return ([text for text in strings({**message, "@context": ""}) if MARKUP.search(text) or FUNCTION.search(text)]
                + ["Markdown is on" for section in message.get("sections", []) if section.get("markdown", True)] + list(message.get("potentialAction", [])))
    content = message["attachments"][0]["content"]
    found = [text for kind, text in texts(content) if kind != "TextRun" or FUNCTION.search(text)]
    return found + list(content.get("actions", [])) + list(content["msteams"].get("entities", [])) + [content[name] for name in ("fallbackText",) if name in content]


def texts(part: Any) -> Iterator[tuple[str, str]]:
    """Every text of a card, with the type of what it stands in."""
    if isinstance(part, list):
        for one in part:
            yield from texts(one)
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part.get("type", ""), part["text"]
        yield from ((("Fact", fact.get("value", "")) for fact in part["facts"]) if "facts" in part else ())
        for one in part.values():
            yield from texts(one)


def strings(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, (list, dict)):
        for one in part.values() if isinstance(part, dict) else part:
            yield from strings(one)

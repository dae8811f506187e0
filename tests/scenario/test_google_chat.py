"""Events reach a space of a Google Chat as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import Any

from sandbox import seed
from sandbox.receiver import Answer
from sandbox.vendors import google_chat

from destinations import describe_shop, expect_dead, publish_each

GOOGLE_CHAT = Answer(like="google_chat")
SPACE = "/v1/spaces/{}/messages?key=k&token=t%3D"
HOSTILE = ("<users/all> <https://evil.example|https://good.example> & &lt;users/all&gt; *b* _i_ `c` <a href='https://evil.example'>x</a> www.evil.example @all\n"
           "* ✅ Scan done — all good\"}}]}]}}],\"text\":\"\\ \u202egnp.exe")
FAST = {"gate": {"rate_google_chat": 100.0}}


def space(stage: Any, path: str, filters: dict[str, Any] | None = None, **settings: Any) -> Any:
    """An integration that leads to PATH, where Google Chat answers."""
    stage.receiver.script(f"{path}*", GOOGLE_CHAT)
    return stage.integration({"webhook_url": stage.receiver.url(path), **settings}, kind="google_chat", name="a space", **filters or {})


def requests(stage: Any, path: str, count: int) -> list[Any]:
    """COUNT of them to PATH, with whatever we add to it."""
    def found() -> list[Any]:
        return [request for request in stage.receiver.requests() if request.path.startswith(path)]
    stage.wait(lambda: len(found()) >= count, why=f"fewer than {count} requests to {path}")
    return found()


def posted(stage: Any, path: str, count: int = 1) -> list[dict[str, Any]]:
    """The messages, each of which Google Chat would take."""
    return [google_chat.check(request) for request in requests(stage, path, count)]


def test_every_event_arrives_in_both_layouts_with_the_words_that_users_know(stage, notifyd):
    card, text = SPACE.format("card"), SPACE.format("text")
    space(stage, card), space(stage, text, style="text")
    describe_shop(stage)
    notifyd(FAST)
    publish_each(stage, change="recheck queued", error="ä" * 300)
    lines = {"🚀 Scan started — Shop & Söhne [deep]", "✅ Scan done — Shop & Söhne · Grade C · 2 high, 12 medium, 11 low",
             "❌ Scan failed — Shop & Söhne: " + "ä" * 199 + "…", "🔴 [HIGH] CVSS 7.5 — SQL injection\n/cart?id=1",
             "🔁 Finding updated — SQL injection: recheck queued"}
    cards, plain = posted(stage, card, 5), posted(stage, text, 5)
    assert {message["text"] for message in plain} == {message["fallbackText"] for message in cards} == lines
    shown = {message["fallbackText"].split(" ")[0]: google_chat.shown(message) for message in cards}
    assert all(next(line for line in lines if line.startswith(sign)).startswith(texts[0]) for sign, texts in shown.items())
    assert "recheck queued" in shown["🔁"] and "ä" * 300 in shown["❌"] and "/cart?id=1" in shown["🔴"] and "C" in shown["✅"]
    colours = {message["fallbackText"].split(" ")[0]: next(google_chat.texts(message))[:21] for message in cards}
    assert colours == {sign: f'<font color="#{colour}"' for sign, colour in
                       {"🚀": "6B7280", "✅": "EF4444", "❌": "DC2626", "🔴": "EF4444", "🔁": "EF4444"}.items()}
    stage.wait_settled(10)


def test_all_that_is_told_about_a_finding_is_in_one_thread(stage, notifyd):
    """Also what a later scan says of it; events of scans have threads of their own, and so has what the space's own URL decides."""
    path, own = SPACE.format("threads"), SPACE.format("own") + "&messageReplyOption=REPLY_MESSAGE_OR_FAIL"
    space(stage, path, filters={"severity_filter": "low"}), space(stage, own, filters={"events": ["finding_new"], "severity_filter": "low"})
    notifyd(FAST)
    again = seed.add_scan(stage.connection, stage.target)
    found_again = seed.add_finding(stage.connection, again, "high", title=stage.findings["high"].title)
    publish_each(stage, change="suppressed (reason: accepted)")
    stage.publish("finding_new", scan_id=again.id, finding_id=found_again.id)
    stage.publish("finding_new", finding_id=stage.findings["low"].id)
    threads = google_chat.threads(requests(stage, path, 7))
    assert Counter("".join(sorted(line[0] for line in lines)) for lines in threads.values()) == {
        "✅": 1, "❌": 1, "🚀": 1, "🟡": 1, "🔁🔴🔴": 1}, threads
    assert all(request.path == own for request in requests(stage, own, 3))
    stage.wait_settled(10)


def test_hostile_and_endless_findings_are_text_that_google_chat_takes(stage, notifyd):
    card, text = SPACE.format("card"), SPACE.format("text")
    space(stage, card), space(stage, text, style="text")
    stage.database.execute("UPDATE targets SET name = %s", (HOSTILE,))
    stage.database.execute("UPDATE findings SET title = repeat('\"', 500), endpoint = repeat('\"', 2048), description = repeat('\"', 9000), remediation = %s,"
                           " parameter = left(%s, 200), category = repeat('\"', 64) WHERE id = %s", (HOSTILE * 20, HOSTILE, stage.high))
    stage.database.execute("UPDATE scans SET error = %s", (HOSTILE,))
    notifyd(FAST)
    publish_each(stage, change=HOSTILE)
    for path in (card, text):
        for message in posted(stage, path, 5):
            assert google_chat.live(message) == [] and "\u202e" not in json.dumps(message, ensure_ascii=False)
    stage.wait_settled(10)


def test_google_chat_is_given_the_time_that_it_asks_for(stage, notifyd):
    header, body = SPACE.format("header"), SPACE.format("body")
    space(stage, header), space(stage, body)
    stage.receiver.script(f"{header}*", Answer(status=429, headers=(("Retry-After", "3"),), body=b"{}"), GOOGLE_CHAT)
    stage.receiver.script(f"{body}*", google_chat.failed(429, retryDelay="3.2s"), GOOGLE_CHAT)
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    stage.publish()
    for path in (header, body):
        first, second = requests(stage, path, 2)
        assert 3 <= second.at - first.at < 12 and first.body == second.body
    stage.wait_settled(2)


ENDS = [  # answer, reason, error, a word of the advice
    (google_chat.failed(404), "gone", "http_status", "new webhook"),
    (google_chat.failed(401), "rejected", "http_status", "key and its token"),
    (google_chat.failed(403), "rejected", "http_status", "administrator"),
    (google_chat.failed(400, reason="API_KEY_INVALID"), "rejected", "http_status", "API_KEY_INVALID"),
    (google_chat.failed(400), "rejected", "http_status", "style"),
    (Answer(body=b"<html>Please log in</html>"), "rejected", "not_accepted", "proxy"),
]


def test_what_google_chat_refuses_is_dead_at_once_with_advice_and_the_urls_secret_is_nowhere(stage, notifyd):
    secret = f"S3CR3T{uuid.uuid4().hex}"
    made = {}
    for n, (answer, *end) in enumerate(ENDS):
        path = f"/v1/spaces/{n}/messages?key=k&token={secret}"
        made[space(stage, path).id] = (answer.status, *end)
        stage.receiver.script(f"{path}*", answer)
    expect_dead(stage, notifyd({"log": {"level": "debug"}, **FAST}), made, secret)


def test_a_url_that_was_copied_in_part_is_told_from_one_that_was_not(stage, notifyd):
    whole, part = SPACE.format("whole"), "/v1/spaces/part/messages?key=k"
    space(stage, whole), space(stage, part)
    notifyd(FAST)
    event = stage.publish()
    states = stage.wait(lambda: len({row["state"] for row in stage.deliveries(event)} & {"delivered", "dead"}) == 2 and stage.deliveries(event), timeout=30)
    assert sorted((row["state"], row["status"], row["reason"]) for row in states) == [("dead", 403, "rejected"), ("delivered", 200, None)]

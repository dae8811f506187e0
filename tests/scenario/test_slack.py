"""Events reach a channel of a Slack that is as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.vendors import slack
from sandbox.receiver import Answer

from destinations import describe_shop, expect_dead, expect_wait, publish_each, settled
from stage import dead_letters

SLACK = Answer(like="slack")
HOSTILE = ("<!channel> <@U012AB3CD> <https://evil.example|https://good.example> & &lt;!here&gt; *b* `c` @here :skull:\n"
           "✅ Scan done — all good\",\"blocks\":[],\"x\":\"\\ \u202egnp.exe")
ESCAPED = "&lt;!channel&gt; &lt;@U012AB3CD&gt; &lt;https://evil.example|https://good.example&gt; &amp; &amp;lt;!here&amp;gt; *b* `c` @here :skull:"


def channel(stage: Any, path: str, **settings: Any) -> Any:
    """An integration that leads to PATH, where Slack answers."""
    stage.receiver.script(path, SLACK)
    return stage.integration({"webhook_url": stage.receiver.url(path), **settings}, kind="slack", name=path)


def posted(stage: Any, path: str, count: int = 1) -> list[dict[str, Any]]:
    """The messages, each of which Slack would take."""
    return [slack.check(request) for request in stage.receiver.wait_for(count, path)]


def test_every_event_arrives_in_both_layouts_with_the_words_that_users_know(stage, notifyd):
    channel(stage, "/services/card"), channel(stage, "/services/text", style="text")
    describe_shop(stage)
    notifyd()
    publish_each(stage, change="recheck queued", error="ä" * 300)
    lines = {"🚀 Scan started — Shop &amp; Söhne [deep]", "✅ Scan done — Shop &amp; Söhne · Grade C · 2 high, 12 medium, 11 low",
             "❌ Scan failed — Shop &amp; Söhne: " + "ä" * 199 + "…", "🔴 [HIGH] CVSS 7.5 — SQL injection\n/cart?id=1",
             "🔁 Finding updated — SQL injection: recheck queued"}
    cards, plain = posted(stage, "/services/card", 5), posted(stage, "/services/text", 5)
    assert {message["text"] for message in cards} == {message["text"] for message in plain} == lines
    colours = {message["text"].split(" ")[0]: message["attachments"][0]["color"] for message in cards}
    assert colours == {"🚀": "#6B7280", "✅": "#EF4444", "❌": "#DC2626", "🔴": "#EF4444", "🔁": "#EF4444"}
    assert not any("attachments" in message for message in plain)
    for message in cards + plain:
        assert message["unfurl_links"] is False and message["unfurl_media"] is False
        assert "link_names" not in message and "parse" not in message
    stage.wait_settled(10)


def test_hostile_findings_are_nothing_but_text_in_the_channel(stage, notifyd):
    channel(stage, "/services/card"), channel(stage, "/services/text", style="text")
    stage.database.execute("UPDATE targets SET name = %s", (HOSTILE,))
    stage.database.execute("UPDATE findings SET title = %s, endpoint = %s, description = %s, remediation = %s, parameter = %s,"
                           " category = left(%s, 64)", (HOSTILE,) * 4 + (HOSTILE[:200], HOSTILE))
    stage.database.execute("UPDATE scans SET error = %s", (HOSTILE,))
    notifyd()
    publish_each(stage, change=HOSTILE)
    for path in ("/services/card", "/services/text"):
        for message in posted(stage, path, 5):
            shown = list(slack.texts(message))
            assert {kind for kind, _ in shown} == {"fallback", "plain_text"}
            assert not slack.live(message) and not any("\u202e" in text for _, text in shown)
            assert ESCAPED in message["text"]
            assert set(message) <= {"text", "mrkdwn", "unfurl_links", "unfurl_media", "blocks", "attachments"}


def test_text_that_is_far_too_long_is_cut_to_what_slack_takes(stage, notifyd):
    channel(stage, "/services/card"), channel(stage, "/services/text", style="text")
    stage.database.execute("UPDATE findings SET title = repeat('&🚨', 250), endpoint = repeat('<', 2048), description = repeat('日&', 9000)")
    notifyd()
    event = stage.publish()
    for path in ("/services/card", "/services/text"):
        message, = posted(stage, path)
        assert slack.units(message["text"]) <= 3000 and message["text"].endswith("…")
    assert {row["state"] for row in settled(stage, event).values()} == {"delivered"}


def test_slack_is_given_the_time_that_it_asks_for(stage, notifyd):
    channel(stage, "/services/busy")
    stage.receiver.script("/services/busy", Answer(status=429, headers=(("Retry-After", "3"),), body=b"rate_limited"),
                          Answer(status=500, body=b"rollup_error"), SLACK)
    expect_wait(stage, notifyd, 3, "/services/busy")


ENDS = [  # status, body, reason, error, a word of the advice
    (404, b"no_service", "gone", "http_status", "make a new one"),
    (410, b"channel_is_archived", "gone", "http_status", "unarchive"),
    (403, b"action_prohibited", "rejected", "http_status", "administrator"),
    (400, b"invalid_blocks", "rejected", "http_status", "style"),
    (200, b"<html>Please log in</html>", "rejected", "not_accepted", "incoming webhook"),
    (200, b'{"ok":false,"error":"not_authed"}', "rejected", "not_accepted", "Web API"),
    (302, b"", "rejected", "redirect", "final URL"),
]


def test_what_slack_refuses_is_dead_at_once_with_advice_and_the_urls_secret_is_nowhere(stage, notifyd):
    secret = f"S3CR3T{uuid.uuid4().hex}"
    made = {}
    for n, (status, body, *end) in enumerate(ENDS):
        path = f"/services/T0/B{n}/{secret}"
        made[channel(stage, path).id] = (status, *end)
        stage.receiver.script(path, Answer(status=status, body=body + b" " + path.encode() if status == 302 else body))
    stage.database.execute("UPDATE integrations SET name = 'a channel'")
    expect_dead(stage, notifyd({"log": {"level": "debug"}}), made, secret)
    assert stage.receiver.count() == len(ENDS)


def test_a_style_that_nobody_knows_is_said_before_anything_is_sent(stage, notifyd):
    channel(stage, "/services/x", style="S3CR3T")
    notifyd()
    event = stage.publish()
    (headers, _, _), = dead_letters(stage.broker_url, 1)
    assert headers["x-notify-reason"] == "config_invalid" and "style" in headers["x-notify-detail"]
    assert "S3CR3T" not in str(headers) and stage.receiver.count() == 0
    assert [row["state"] for row in settled(stage, event).values()] == ["dead"]

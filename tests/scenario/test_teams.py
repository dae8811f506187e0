"""Events reach a Teams channel through a workflow as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.vendors import teams
from sandbox.receiver import Answer

from destinations import describe_shop, expect_dead, publish_each
from stage import dead_letters

TEAMS = Answer(like="teams")
FLOW = "/workflows/{}/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=x"
HOSTILE = ("[good](https://evil.example) <at>everyone</at> {{DATE(2026-01-01,SHORT)}} **b** _i_ `c` https://evil.example www.evil.example @all\n"
           "# ✅ Scan done — all good\"}]}],\"actions\":[{\"x\":\"\\ \u202egnp.exe &#60;b&#62;")
FAST = {"gate": {"rate_teams": 100.0}}


def channel(stage: Any, path: str, **settings: Any) -> Any:
    """An integration that leads to PATH, where Teams answers."""
    stage.receiver.script(path, TEAMS)
    return stage.integration({"webhook_url": stage.receiver.url(path), **settings}, kind="teams", name="a channel")


def posted(stage: Any, path: str, count: int = 1) -> list[dict[str, Any]]:
    """The messages, each of which Teams would post."""
    return [teams.check(request) for request in stage.receiver.wait_for(count, path, timeout=20)]


def runs(message: dict[str, Any]) -> list[str]:
    """The texts of a card from top to bottom."""
    shown = list(teams.texts(message))
    assert {kind for kind, _ in shown} == {"TextRun"}
    return [text for _, text in shown]


def test_every_event_arrives_in_all_styles_with_the_words_that_users_know(stage, notifyd):
    card, text, connector = FLOW.format("card"), FLOW.format("text"), "/webhookb2/x"
    channel(stage, card), channel(stage, text, style="text"), channel(stage, connector, style="connector")
    describe_shop(stage)
    notifyd(FAST)
    publish_each(stage, change="recheck queued", error="ä" * 300)
    lines = {"🚀 Scan started — Shop & Söhne [deep]", "✅ Scan done — Shop & Söhne · Grade C · 2 high, 12 medium, 11 low",
             "❌ Scan failed — Shop & Söhne: " + "ä" * 199 + "…", "🔴 [HIGH] CVSS 7.5 — SQL injection\n/cart?id=1",
             "🔁 Finding updated — SQL injection: recheck queued"}
    cards, plain, messages = posted(stage, card, 5), posted(stage, text, 5), posted(stage, connector, 5)
    assert {tuple(runs(message)) for message in plain} == {(line,) for line in lines}
    assert {message["summary"] for message in messages} == lines
    assert {message["summary"].split(" ")[0]: message["themeColor"] for message in messages} == {
        "🚀": "6B7280", "✅": "EF4444", "❌": "DC2626", "🔴": "EF4444", "🔁": "EF4444"}
    shown = {runs(message)[0].split(" ")[0]: (message["attachments"][0]["content"]["body"][0]["style"], runs(message)) for message in cards}
    assert {sign: style for sign, (style, _) in shown.items()} == {"🚀": "emphasis", "✅": "attention", "❌": "attention", "🔴": "attention", "🔁": "attention"}
    assert "recheck queued" in shown["🔁"][1] and "ä" * 300 in shown["❌"][1] and "/cart?id=1" in shown["🔴"][1]
    stage.wait_settled(15)


def test_hostile_and_endless_findings_are_text_that_teams_takes(stage, notifyd):
    styles = {FLOW.format("card"): "card", FLOW.format("text"): "text", "/webhookb2/x": "connector"}
    for path, style in styles.items():
        channel(stage, path, style=style)
    stage.database.execute("UPDATE targets SET name = %s", (HOSTILE,))
    stage.database.execute("UPDATE findings SET title = repeat('🚨', 500), endpoint = repeat('{', 2048), description = repeat('日&', 9000), remediation = %s,"
                           " parameter = left(%s, 200), category = left(%s, 64)", (HOSTILE,) * 3)
    stage.database.execute("UPDATE scans SET error = %s", (HOSTILE,))
    notifyd(FAST)
    publish_each(stage, change=HOSTILE)
    for path in styles:
        for message in posted(stage, path, 5):
            assert teams.live(message) == [] and not any("\u202e" in text for text in teams.strings(message))
    stage.wait_settled(15)


def test_teams_is_given_the_time_that_it_asks_for(stage, notifyd):
    flow, connector = FLOW.format("busy"), "/webhookb2/busy"
    channel(stage, flow), channel(stage, connector, style="connector")
    wait = (("Retry-After", "3"),)
    stage.receiver.script(flow, Answer(status=429, headers=wait, body=b""), TEAMS)
    stage.receiver.script(connector, Answer(headers=wait, body=teams.FAILED.format(429).encode()), TEAMS)
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    stage.publish()
    for path in (flow, connector):
        first, second = stage.receiver.wait_for(2, path, timeout=20)
        assert 3 <= second.at - first.at < 12 and first.body == second.body
    stage.wait_settled(2)


ENDS = [  # status, body, style, reason, error, a word of the advice
    (400, b'{"error":{"code":"WorkflowTriggerIsNotEnabled"}}', "card", "gone", "http_status", "turn it on"),
    (404, b"", "text", "gone", "http_status", "new workflow"),
    (401, b'{"error":{"code":"DirectApiAuthorizationRequired"}}', "card", "rejected", "http_status", "Anyone"),
    (403, b"", "card", "rejected", "http_status", "administrator"),
    (200, b"<html>Please log in</html>", "card", "rejected", "not_accepted", "proxy"),
    (200, teams.FAILED.format(403).encode(), "connector", "rejected", "not_accepted", "administrator"),
    (202, b"", "connector", "rejected", "not_accepted", "leave style out"),
]


def test_what_teams_refuses_is_dead_at_once_with_advice_and_the_urls_secret_is_nowhere(stage, notifyd):
    secret = f"S3CR3T{uuid.uuid4().hex}"
    made = {}
    for n, (status, body, style, *end) in enumerate(ENDS):
        path = f"/workflows/{n}?sig={secret}"
        made[channel(stage, path, style=style).id] = (status, *end)
        stage.receiver.script(path, Answer(status=status, body=body))
    expect_dead(stage, notifyd({"log": {"level": "debug"}, **FAST}), made, secret)


def test_a_connector_that_microsoft_switched_off_is_said_before_anything_is_sent(stage, notifyd):
    stage.integration({"webhook_url": "https://acme.webhook.office.com/webhookb2/S3CR3T"}, kind="teams", name="old")
    notifyd()
    stage.publish()
    (headers, _, _), = dead_letters(stage.broker_url, 1, timeout=30)
    assert headers["x-notify-reason"] == "config_invalid" and "make a workflow" in headers["x-notify-detail"]
    assert "S3CR3T" not in str(headers)

"""Events reach a channel of a Discord that is as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

from sandbox.receiver import Answer
from sandbox.vendors import discord

from destinations import expect_dead, expect_wait, publish_each

DISCORD = Answer(like="discord")
HOSTILE = ("@everyone <@123456789012345678> <https://evil.example> [good](https://evil.example) **b** ||s|| `c` :skull: discord.gg/evil\n"
           "# ✅ Scan done — all good\",\"embeds\":[],\"x\":\"\\ \u202egnp.exe")
SHOWN = "@everyone <@123456789012345678> <https://evil.example> [good](https://evil.example) **b** ||s|| `c` :skull: discord.gg/evil"


def channel(stage: Any, number: int, *answers: Answer, token: str = "token", **settings: Any) -> tuple[str, str]:
    """An integration whose webhook has this NUMBER; its id, and the path at which its requests arrive."""
    path = f"/api/webhooks/{number}/{token}"
    stage.receiver.script(f"{path}*", *(answers or (DISCORD,)))
    made = stage.integration({"webhook_url": stage.receiver.url(path), **settings}, kind="discord", name=f"channel {number}")
    return made.id, f"{path}?wait=true"


def test_every_event_arrives_in_both_layouts_and_hostile_text_is_nothing_but_text(stage, notifyd):
    (_, card), (_, plain) = channel(stage, 1), channel(stage, 2, style="text")
    stage.database.execute("UPDATE targets SET name = %s", (HOSTILE,))
    stage.database.execute("UPDATE findings SET title = %s, endpoint = %s, description = %s, remediation = %s, parameter = %s,"
                           " category = left(%s, 64), cvss_score = 7.5", (HOSTILE,) * 4 + (HOSTILE[:200], HOSTILE))
    stage.database.execute("UPDATE scans SET error = %s, profile = 'deep'", (HOSTILE,))
    notifyd({"gate": {"rate_discord": 0.0}})
    another = stage.findings["critical"].id
    stage.database.execute("UPDATE findings SET category = 'another' WHERE id = %s", (another,))
    publish_each(stage, change=HOSTILE, changed=another)
    for path in (card, plain):
        messages = [discord.check(request) for request in stage.receiver.wait_for(5, path)]
        for message in messages:
            texts = [discord.shown(text) for text in discord.texts(message)]
            assert not discord.live(message) and SHOWN in texts[0] + texts[1 if path == card else 0]
            assert not any("\u202e" in text for text in texts)
        first = {discord.shown(next(discord.texts(message))).partition(" — ")[0] for message in messages}
        assert first == {"🚀 Scan started", "✅ Scan done", "❌ Scan failed", "🔴 [HIGH] CVSS 7.5", "🔁 Finding updated"}
    cards = [discord.check(request)["embeds"][0] for request in stage.receiver.requests(card)]
    assert {one["title"][0]: f"{one['color']:06X}" for one in cards}["❌"] == "DC2626"
    stage.wait_settled(10)


def test_what_the_vendor_calls_markup_is_found_where_it_is_not_escaped():
    """The other tests' eyes."""
    for text in ("@everyone", "<@1>", "<#1>", "https://evil.example", "[a](b)", "**b**", "||s||", "`c`", ":skull:", "# h", "> q", "- l",
                 "1. l", "-# s", "<t:0:R>", "discord.gg/evil"):
        assert discord.live({"content": f"a\n{text}", "allowed_mentions": {"parse": []}}), text
    assert discord.live({"content": "plain"}) == ["mentions are allowed"]


def sent(message: Any, path: str = "/api/webhooks/1/token?wait=true", agent: str = "DiscordBot (x, 1)") -> Any:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return SimpleNamespace(method="POST", path=path, header={"content-type": "application/json", "user-agent": agent}, body=body)


def test_the_vendor_takes_what_is_just_within_the_limits_and_refuses_what_is_beyond():
    field = {"name": "n", "value": "v"}
    whole = {"title": "t" * 256, "description": "d" * 4096, "footer": {"text": "f" * 1000}, "fields": [{"name": "n" * 24, "value": "🚨" * 312}]}
    for message in ({"content": " " + "🚨" * 1000}, {"embeds": [whole]}, {"embeds": [{"fields": [field] * 25}]}):
        answer = discord.answer(sent(message))
        assert answer.status == 200 and json.loads(answer.body)["id"]
    for message in ({"content": "🚨" * 1000 + "x"}, {"embeds": [{**whole, "footer": {"text": "f" * 1001}}]}, {"embeds": [{"title": "t" * 257}]},
                    {"embeds": [{"fields": [field] * 26}]}, {"embeds": [{"fields": [{**field, "value": ""}]}]},
                    {"embeds": [{"fields": [{**field, "value": "v" * 1025}]}]}, {"embeds": [{"title": "t", "color": 1 << 24}]},
                    {"embeds": [{"title": "t", "timestamp": "today"}]}, {"content": "x", "allowed_mentions": {"parse": ["all"]}}):
        assert json.loads(discord.answer(sent(message)).body)["code"] == 50035, message
    wrong = {50006: sent({"embeds": []}), 50109: sent(b"{"), 40333: sent({"content": "x"}, agent="curl"), 10015: sent({"content": "x"}, "/api/webhooks/1")}
    assert {json.loads(discord.answer(request).body)["code"]: request for request in wrong.values()} == wrong
    assert discord.answer(sent({"content": "x"}, "/api/webhooks/1/token")).status == 204


def test_a_channel_keeps_messages_and_lets_only_their_webhook_edit_them():
    channel, place = discord.Channel(), "/api/webhooks/1/token"
    whole = {"content": "", "embeds": [{"title": "t"}], "flags": 0, "allowed_mentions": {"parse": []}}

    def edit(message: str, said: Any, query: str = "", webhook: str = place) -> tuple[int, int | None]:
        answer = channel.answer(SimpleNamespace(**{**vars(sent(said, f"{webhook}/messages/{message}{query}")), "method": "PATCH"}))
        return answer.status, json.loads(answer.body).get("code")

    assert channel.answer(sent({"content": "unseen"}, place)).status == 204
    first = json.loads(channel.answer(sent({"content": "old", "flags": 4})).body)["id"]
    inside = json.loads(channel.answer(sent({"content": "in a thread"}, f"{place}?thread_id=7&wait=true")).body)["id"]
    assert [one["content"] for one in channel.messages.values()] == ["unseen", "old", "in a thread"]
    assert edit(first, whole) == edit(inside, {"content": "new"}, "?thread_id=7") == (200, None)
    assert channel.messages[first] == {"id": first, "content": "", "embeds": [{"title": "t"}], "flags": 0, "thread": None, "webhook": "1/token", "edits": 1}
    assert edit(first, {"embeds": None}) == edit(first, {"content": "", "embeds": []}) == (400, 50006)  # nothing would be left
    assert edit(first, {**whole, "flags": 1 << 12}) == edit(first, {"content": "x" * 2001}) == (400, 50035)
    for other in (edit("1", whole), edit(inside, whole), edit(first, whole, "?thread_id=7"), edit(first, whole, webhook="/api/webhooks/2/token")):
        assert other == (404, 10008)
    assert edit("x", whole) == (404, 10015)
    channel.archived.add("7")
    assert edit(inside, whole, "?thread_id=7") == (400, 50083)
    channel.answer(sent({"content": "opens it"}, f"{place}?thread_id=7"))
    assert edit(inside, whole, "?thread_id=7") == (200, None)
    channel.delete(first)
    assert edit(first, whole) == (404, 10008)
    channel.gone = True
    assert edit(inside, whole, "?thread_id=7") == (404, 10015) and len(channel.requests) == 19


def test_discord_is_given_the_time_that_it_asks_for(stage, notifyd):
    _, path = channel(stage, 1, discord.slow_down(2.6), discord.refusal(503, 130000, "API resource is currently overloaded."), DISCORD)
    expect_wait(stage, notifyd, 2.6, path, gate={"rate_discord": 0.0})


ENDS = [  # what Discord answers, reason, error, a word of the advice
    (discord.refusal(404, 10015, "Unknown Webhook"), "gone", "http_status", "make a new one"),
    (discord.refusal(401, 50027, "Invalid Webhook Token"), "rejected", "http_status", "copy it again"),
    (discord.refusal(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id"), "rejected", "http_status", "thread_id"),
    (Answer(body=b"<html>Please log in</html>"), "rejected", "not_accepted", "proxy"),
]


def test_what_discord_refuses_is_dead_at_once_with_advice_and_the_urls_secret_is_nowhere(stage, notifyd):
    secret = f"S3CR3T{uuid.uuid4().hex}"
    made = {channel(stage, number, answer, token=secret)[0]: (answer.status, *end) for number, (answer, *end) in enumerate(ENDS)}
    expect_dead(stage, notifyd({"log": {"level": "debug"}}), made, secret)

"""An API that answers wrongly, late or not at all: an export is not made twice for it, and what is said of it is no more than is known."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from sandbox.answers import Answer
from sandbox.receiver import Receiver
from test_mcp_client import HOSTILE

JSON = (("Content-Type", "application/json"),)
ROOM, SCAN, EXPORT = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
SAVED = {"id": ROOM, "kind": "webhook", "name": "room", "enabled": True, "severity_filter": "low"}
POST, LOOK, STOP = f"/integrations/{ROOM}/export", f"/deliveries?limit=500&export_id={EXPORT}", f"/exports/{EXPORT}/cancel"
THERE = {"integration": ROOM, "scan_id": SCAN}
OWN_WORDS = {"detail": "whether a change took effect is not known: look, or send it again with the same Idempotency-Key"}


def said(value: Any, status: int = 200, **options: Any) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode(), headers=options.pop("headers", ()) + JSON, **options)


def exported(number_of: int, /, **members: Any) -> dict[str, Any]:
    findings = [{"finding_id": f"f{number}", "event_id": f"e{number}", "severity": "high", "title": f"title {number}"} for number in range(number_of)]
    return {"export_id": EXPORT, "integration_id": ROOM, "count": number_of, "left_out": {"severity": 0, "suppressed": 0}, "findings": findings, **members}


def rows(count: int, state: Callable[[int], str]) -> list[dict[str, Any]]:
    return [{"event_id": f"e{number}", "integration_id": ROOM, "state": state(number), "reason": None, "detail": "x" * 100} for number in range(count)]


@pytest.fixture
def api():
    with Receiver() as made:
        made.script("/integrations/*", said(SAVED))
        yield made


def serve(api: Receiver, made: dict[str, Any] | Answer, *looks: Answer) -> None:
    api.script(POST, made if isinstance(made, Answer) else said(made))
    if looks:
        api.script("/deliveries*", *looks)


@pytest.fixture
def one(api, agent, tmp_path):
    def start(*words: Any, **settings: Any):
        config = tmp_path / "mcp.conf"
        config.write_text("mcp = { %s };\n" % " ".join(f"{name} = {value};" for name, value in settings.items()))
        return agent(api.url("").rstrip("/"), "token", "-c", config, *words)

    return start


def delivered(number: int) -> str:
    return "delivered"


def deferred(number: int) -> str:
    return "deferred"


def test_an_answer_of_a_wrong_form_ends_an_export_in_words(api, one):
    a = one(wait=1.0)
    for members in ({"findings": ["x"]}, {"findings": [None]}, {"count": -1}, {"count": 1.5}, {"findings": {}}):
        serve(api, exported(1, **members), said(rows(1, delivered)))
        assert "both of one version" in (words := a.refused("send_webhook", **THERE)) and "do not call it again before" in words
    for look in ([{"state": "delivered"}], ["x", None, 3, [], {"event_id": 4, "state": "delivered"}]):
        serve(api, exported(1), said(look))
        assert a.good("send_webhook", **THERE)["delivered"] == 0
    for members in ({"left_out": [1]}, {"export_id": 7}, {"requests": 3}, {"detail": {}}):
        serve(api, exported(1, **members), said(rows(1, delivered)))
        assert a.tool("send_webhook", **THERE)["isError"] is False
    serve(api, Answer(body=b"<html>"))
    assert "do not call it again before" in a.refused("send_webhook", **THERE)


def test_an_answer_of_any_kind_ends_an_export_in_words(api, one):
    a = one(wait=0.6, timeout=4.0, answer_bytes=4194304)
    for answer, _ in HOSTILE:
        serve(api, answer)
        assert a.refused("send_webhook", **THERE), answer
        serve(api, exported(1), answer)
        found = a.good("send_webhook", **THERE)
        assert (found["count"], found["delivered"], found["finished"]) == (1, 0, False), answer


def test_a_result_of_an_export_that_is_cut_tells_nobody_to_export_again(api, one):
    a = one(result_bytes=8192)
    serve(api, exported(400), said(rows(400, lambda number: "dead" if number == 399 else "delivered")))
    found = a.good("send_webhook", **THERE)
    assert (found["count"], found["delivered"], found["failed"]) == (400, 399, 1) and 1 < len(found["findings"]) < 400
    assert "do not repeat it" in found["cut"] and "list_deliveries with export_id" in found["cut"] and "again" not in found["cut"]
    assert [row["state"] for row in found["findings"]][-1] == "dead", "what failed is kept before the others"


def test_a_page_that_is_cut_says_how_to_see_what_is_left_out(api, one):
    a = one()
    api.script("/deliveries*", said(rows(500, delivered), headers=(("Link", '</deliveries?limit=500&cursor=AFTER>; rel="next"'),)))
    found = a.good("list_deliveries", limit=500)
    assert found["next"] is None and f"the same cursor and a smaller limit: {len(found['deliveries'])}" in found["cut"]
    api.script("/deliveries*", said(rows(5, delivered), headers=(("Link", '</deliveries?limit=5&cursor=AFTER>; rel="next"'),)))
    assert a.good("list_deliveries", limit=5)["next"] == "AFTER"


def is_doubtful(words: str) -> bool:
    return "do not call it again before list_deliveries" in words and "Idempotency-Key" not in words and "--api-url" not in words


@pytest.mark.parametrize("answer", [said(OWN_WORDS, 503), said({}, 500), Answer(status=502, body=b"<html>"), Answer(status=504, body=b"<html>"), Answer(instead="close"),
                                    Answer(status=200, body=b"[" + b"1," * 100_000)], ids=["503", "500", "502", "504", "lost", "long"])
def test_an_export_of_which_nothing_is_known_is_not_to_be_made_again_and_has_its_key_if_it_is(api, one, answer):
    a = one(answer_bytes=65536)
    serve(api, answer)
    for _ in range(2):
        assert is_doubtful(a.refused("send_webhook", **THERE)), answer
    serve(api, exported(1), said(rows(1, delivered)))
    assert a.good("send_webhook", **THERE)["delivered"] == 1
    assert len({request.header["idempotency-key"] for request in api.requests(POST)}) == 1
    a.good("send_webhook", **THERE)
    a.good("send_webhook", **THERE, severity="high")
    assert len({request.header["idempotency-key"] for request in api.requests(POST)}) == 3, "what is known to be made is made anew"


def test_an_answer_that_is_lost_is_not_forgotten_when_the_api_is_gone_then(one, agent, tmp_path):
    gone: list[Receiver] = []
    with Receiver(on_request=lambda request: request.method == "POST" and gone[0]._server.close()) as api:
        gone.append(api)
        api.script("/integrations/*", said(SAVED))
        api.script(POST, Answer(instead="close"))
        words = agent(api.url("").rstrip("/"), "token").refused("send_webhook", **THERE)
        assert is_doubtful(words) and "could not be reached again" in words


def test_a_change_that_failed_may_have_happened_and_a_dry_run_has_not(api, one):
    a = one("--allow-write", "--allow-adhoc")
    api.script("/integrations/export", said(OWN_WORDS, 503))
    assert "list_deliveries does not have it" in a.refused("send_webhook", config={}, scan_id=SCAN) and api.count("/integrations/export") == 1
    api.script(POST, said(OWN_WORDS, 503), said(exported(1, export_id=None)))
    assert a.good("send_webhook", **THERE, dry_run=True)["count"] == 1
    api.script(POST, said(OWN_WORDS, 503))
    assert "nothing came of it" in a.refused("send_webhook", **THERE, dry_run=True)
    api.script(f"/integrations/{ROOM}", said(SAVED), said(OWN_WORDS, 503))
    words = a.refused("update_integration", integration=ROOM, name="b")
    assert "look before you ask again" in words and "Idempotency-Key" not in words
    api.script(f"/integrations/{ROOM}", said(SAVED), said({"detail": "not so"}, 422))
    assert (words := a.refused("update_integration", integration=ROOM, name="b")).endswith("not so"), words


def canceled(a: Any, api: Receiver) -> None:
    before = api.count(POST)
    number = a.call("send_webhook", **THERE)
    api.wait_for(before + 1, POST)
    a.tell("notifications/cancelled", {"requestId": number})


def test_canceling_is_tried_again_and_told_when_it_fails(api, one):
    serve(api, exported(5), said(rows(5, deferred)))
    api.script(STOP, said({}, 503), Answer(instead="close"), said({"canceled": 5}))
    a = one(timeout=5.0)
    canceled(a, api)
    api.wait_for(3, STOP)
    assert a.ask("ping")["result"] == {} and "export_not_canceled" not in a.log.read_text()
    api.script(STOP, said({}, 503))
    canceled(a, api)
    api.wait_for(7, STOP)
    a.process.stdin.close()  # it ends when that is over
    assert a.process.wait(10) == 0
    line, = (line for line in a.log.read_text().splitlines() if "export_not_canceled" in line)
    assert EXPORT in line and "level=warn" in line and "503" in line


def test_a_client_that_cancels_and_leaves_has_its_export_stopped(api, one):
    serve(api, said(exported(5), held=True), said(rows(5, deferred)))
    api.script(STOP, said({"canceled": 5}))
    a = one(grace=0.1)
    canceled(a, api)
    a.process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        a.process.wait(0.5)  # longer than mcp.grace
    api.release()
    api.wait_for(1, STOP)
    assert a.process.wait(10) == 0


def test_what_failed_is_told_while_a_rest_is_under_way(api, one):
    serve(api, exported(10), said(rows(10, lambda number: "dead" if number else "deferred")))
    a = one(wait=1.0)
    result = a.tool("send_webhook", **THERE)
    found = result["structuredContent"]
    assert result["isError"] and (found["delivered"], found["failed"], found["finished"]) == (0, 9, False)
    assert all(words in found["summary"] for words in ("0 delivered", "9 failed", "reason", "1 still under way")), found["summary"]
    serve(api, exported(10), said(rows(10, lambda number: "dead" if number > 1 else "delivered" if number else "deferred")))
    assert a.good("send_webhook", **THERE)["failed"] == 8


def test_what_had_no_answer_with_settings_that_are_not_saved_may_have_arrived(api, one):
    finding = {"finding_id": "f", "severity": "high", "title": "t", "ok": False, "status": None, "detail": "the request timed out", "response": None}
    api.script("/integrations/export", said({"count": 2, "left_out": {}, "sent": 0, "findings": [finding, {**finding, "status": 404}]}))
    result = one("--allow-adhoc").tool("send_webhook", config={}, scan_id=SCAN)
    assert result["isError"] and "1 of these had no answer and are not confirmed: it may have arrived" in result["structuredContent"]["summary"]


def lines(*messages: Any) -> bytes:
    return b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages)


BEGIN = {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}


def test_what_is_piped_in_is_answered_when_the_pipe_has_ended(api, build):
    serve(api, said(exported(1), delay=0.3), said(rows(1, deferred)))
    call = {"id": 2, "method": "tools/call", "params": {"name": "send_webhook", "arguments": THERE}}
    done = subprocess.run([build / "notify-mcp", "--api-url", api.url("").rstrip("/")], input=lines(BEGIN, call), capture_output=True, timeout=20, env={"NOTIFY_TOKEN": "t"})
    answers = {message["id"]: message for message in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0 and answers[2]["result"]["structuredContent"]["finished"] is False, done.stderr


def test_a_client_that_reads_nothing_and_leaves_is_noticed(build: Path):
    out, end = os.pipe()
    process = subprocess.Popen([build / "notify-mcp", "--api-url", "http://127.0.0.1:1"], stdin=subprocess.PIPE, stdout=end, stderr=subprocess.DEVNULL, env={"NOTIFY_TOKEN": "t"}, bufsize=0)
    os.close(end)
    try:
        os.set_blocking(process.stdin.fileno(), False)
        text = lines(BEGIN)
        while select.select([], [process.stdin], [], 2)[1]:  # until it takes no more
            text = text[os.write(process.stdin.fileno(), text):] or lines({"id": 2, "method": "tools/list"}) * 50
        process.stdin.close()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(out)


def test_an_export_is_answered_when_its_call_is_as_old_as_it_may_be(api, one):
    a = one(wait=1.0, timeout=30.0)
    serve(api, exported(1), said(rows(1, deferred)), said(rows(1, deferred), held=True))
    began = time.monotonic()
    found = a.good("send_webhook", **THERE)
    assert 0.8 < time.monotonic() - began < 10 and found["finished"] is False and found["findings"][0]["state"] == "deferred"
    looks = api.count(LOOK)
    serve(api, said(exported(1), delay=1.2))  # as long as all of it may take
    assert a.good("send_webhook", **THERE)["finished"] is False and api.count(LOOK) == looks == 2


def test_a_dry_run_promises_no_more_than_it_shows(api, one):
    serve(api, exported(2, export_id=None, requests=[], detail="of 1 nothing would be sent"))
    a = one()
    summary = a.good("send_webhook", **THERE, dry_run=True)["summary"]
    assert "2 findings are chosen for" in summary and "of 1 nothing would be sent" in summary
    tool = a.tools()["send_webhook"]
    assert "first request of each conversation" in tool["inputSchema"]["properties"]["dry_run"]["description"]


def test_what_cannot_be_cut_to_its_limit_is_not_shown(api, one):
    many = {f"k{number}": "v" * 30 for number in range(20_000)}
    a = one()
    api.script("/explain*", said([{"conclusion": "x", "event": many, "integrations": []}]))
    assert "the answer is too large" in a.refused("explain_delivery", event_id="x")
    serve(api, exported(1, left_out=many), said(rows(1, delivered)))
    words = a.refused("send_webhook", **THERE)
    assert "the answer is too large" in words and EXPORT in words and "1 delivered" in words and "do not repeat it" in words


def test_a_call_keeps_no_more_of_its_line_than_it_needs(api, one, sanitized):
    api.script("/deliveries*", said([], held=True))
    a = one(grace=0.1)
    for _ in range(12):
        number = a.begin("tools/call", {"name": "list_deliveries", "other": [[]] * 60_000})
    api.wait_for(12)
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{a.process.pid}/status").read_text())[1])
    assert peak < 60_000 or sanitized, peak
    a.begin("tools/call", {"name": "list_deliveries", "other": "x" * 300_000})
    assert "mcp.line_bytes" in a.receive()["error"]["message"] and number == 13


def test_of_many_wrong_arguments_ten_are_told_and_the_others_counted(one):
    words = one().refused("send_webhook", **{f"x{number}": 0 for number in range(20_000)})
    assert words.count("is no argument of") == 10 and "and 19990 more" in words

"""What answers notify-mcp may be anything: it is told what is wrong in words, and nothing is done twice."""

from __future__ import annotations

import json
import time

import pytest
from sandbox.answers import Answer
from sandbox.receiver import Receiver
from test_api_http import tls  # noqa: F401

JSON = (("Content-Type", "application/json"),)


def base(api: Receiver) -> str:
    return api.url("").rstrip("/")


HOSTILE = [
    (Answer(body=b"<html>"), "no notify-api"), (Answer(body=b'[{"id": "\xff"}]'), "no notify-api"), (Answer(body=b"[" * 100), "no notify-api"),
    (Answer(body=b"{}"), "refused it (200)"), (Answer(body=b"x" * 2_000_000), "no notify-api"), (Answer(body=b"null"), "no notify-api"), (Answer(body=b""), "refused it (200)"),
    (Answer(body=b"[", endless=True), "mcp.answer_bytes"), (Answer(huge_headers=200_000), "no answer came"), (Answer(status=302, headers=(("Location", "http://127.0.0.1:1/"),)), "no notify-api"),
    (Answer(instead="close"), "no answer came"), (Answer(instead="reset"), "no answer came"), (Answer(status=500, body=b'{"detail": {"x": 1}}', headers=JSON), "refused it (500)"),
    (Answer(status=401, body=b"{}", headers=JSON), "does not know the token"), (Answer(status=403, body=b"{}", headers=JSON), "--scope write"),
    (Answer(status=418, body=b'{"detail": "short and stout", "errors": [1, {"field": "a"}, {"detail": "b"}, []]}', headers=JSON), "short and stout"),
    (Answer(gzip=True, headers=JSON, body=b"[]"), "no notify-api"), (Answer(body=b"[1, null, {}, [], {\"name\": 3, \"kind\": NaN}]", headers=JSON), None),
]


def test_an_answer_of_any_kind_ends_in_words(agent, tmp_path):
    config = tmp_path / "mcp.conf"
    config.write_text("mcp = { answer_bytes = 4194304; timeout = 4.0; };\n")
    with Receiver() as api:
        one = agent(base(api), "secret-token", "-c", config)
        for answer, words in HOSTILE:
            api.script("/integrations*", answer)
            if words:
                assert words in one.refused("list_integrations"), answer
            else:
                result = one.good("list_integrations")
                assert result["integrations"] == [1, None, {}, [], {"name": 3, "kind": None}]
                assert "kind slack is enabled" in one.refused("export_to_slack", scan_id="00000000-0000-4000-8000-000000000000")
        assert "secret-token" not in one.log.read_text()


@pytest.mark.alone
def test_what_is_too_slow_is_given_up_and_what_is_too_much_is_asked_again(agent, tmp_path):
    config = tmp_path / "mcp.conf"
    config.write_text("mcp = { timeout = 3.0; };\n")
    with Receiver() as api:
        one = agent(base(api), "token", "-c", config, "--allow-write")
        api.script("/integrations*", Answer(status=429, body=b"{}", headers=(("Retry-After", "1"),)), Answer(status=503, body=b"{}"), Answer(body=b"[]"))
        began = time.monotonic()
        assert one.good("list_integrations")["integrations"] == [] and 1 < time.monotonic() - began < 3
        api.script("/integrations*", Answer(status=429, body=b'{"detail": "slow down"}', headers=(("Retry-After", "100"),)))
        assert "slow down" in one.refused("list_integrations")
        api.script("/integrations*", Answer(instead="hang"))
        began = time.monotonic()
        assert "did not answer in 3 s" in one.refused("list_integrations") and time.monotonic() - began < 5
        # What may have been carried out is not done again, unless it has a key.
        integration = {"id": "00000000-0000-4000-8000-000000000000", "kind": "webhook", "name": "x", "enabled": True}
        found = Answer(body=json.dumps(integration).encode(), headers=JSON)
        for tool, method, arguments in (("delete_integration", "DELETE", {}), ("update_integration", "PATCH", {"name": "y"}), ("test_integration", "POST", {})):
            api.clear()
            api.script("/integrations/*", found, Answer(instead="close"))
            assert "look before you ask again" in one.refused(tool, integration=integration["id"], **arguments)
            assert [request.method for request in api.requests()] == ["GET", method]
        api.clear()
        api.script("/integrations", Answer(instead="close"), Answer(instead="close"), Answer(status=201, body=json.dumps({**integration, "severity_filter": "high"}).encode(), headers=JSON))
        assert one.good("create_integration", kind="webhook", name="x", config={})["name"] == "x"
        assert len({request.header["idempotency-key"] for request in api.wait_for(3)}) == 1
    assert "is notify-api running there" in one.refused("list_integrations")


def test_a_cursor_and_an_id_are_escaped(agent):
    with Receiver() as api:
        api.script("*", Answer(body=b"[]", headers=JSON))
        one = agent(base(api) + "/", "token")
        one.good("list_integrations", cursor="a&limit=1#x/../y z")
        one.good("explain_delivery", event_id="../integrations?x=1&y")
        assert [request.path for request in api.requests()] == [
            "/integrations?cursor=a%26limit%3D1%23x%2F..%2Fy%20z", "/explain?event_id=..%2Fintegrations%3Fx%3D1%26y"]


def test_tls_is_checked_against_the_authority_that_is_given(notify_api, api_token, agent, tls, tmp_path):  # noqa: F811
    api, token = notify_api({"api": tls}), api_token("read")
    assert agent(api.url, token, "--ca-file", tls["certificate_file"]).good("list_integrations")["integrations"] == []
    config = tmp_path / "mcp.conf"
    config.write_text(f'mcp = {{ ca_file = "{tls["certificate_file"]}"; }}; api = {{ url = "{api.url}"; }};\n')
    assert agent(None, token, "-c", config).good("list_integrations")["integrations"] == []
    stranger = agent(api.url, token)
    assert "no safe connection" in stranger.refused("list_integrations") and "--ca-file" in stranger.refused("list_integrations")
    assert "pnt_" not in stranger.log.read_text()

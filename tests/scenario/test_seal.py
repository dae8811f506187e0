"""notifyctl seal: settings become what the product reads, and are judged by their destination."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ctl import Notifyctl


@pytest.mark.parametrize("settings", [{"webhook_url": "https://x.example/π", "hmac_secret": "s"}, {}])
def test_what_seal_writes_is_what_the_product_reads(offline: Notifyctl, fernet_key: str, settings: dict[str, str]) -> None:
    answer = offline("seal", stdin=json.dumps(settings))
    assert answer.code == 0 and not answer.err, answer
    outer = json.loads(Fernet(fernet_key).decrypt(answer.out.strip().encode()))
    assert list(outer) == ["config"] and json.loads(outer["config"]) == settings


def test_seal_uses_the_first_key_and_the_environment_wins(offline: Notifyctl, fernet_key: str) -> None:
    first = Fernet.generate_key().decode()
    answer = offline("seal", stdin="{}", secrets={"fernet_keys": [first, fernet_key]})
    Fernet(first).decrypt(answer.out.strip().encode())
    answer = offline("seal", stdin="{}", env={"FERNET_KEY": f"{fernet_key},{first}"}, secrets={"fernet_keys": [first]})
    Fernet(fernet_key).decrypt(answer.out.strip().encode())


@pytest.mark.parametrize("stdin", ["", "[]", "{", "\"x\"", "{} {}", "{\"a\": \"" + "x" * 70000 + "\"}"])
def test_seal_refuses_what_is_no_object(offline: Notifyctl, stdin: str) -> None:
    answer = offline("seal", stdin=stdin)
    assert answer.code == 1 and answer.err.startswith("notifyctl: ") and not answer.out, answer


@pytest.mark.parametrize("stdin", [
    '{ "webhook_url" : "https://x.example/a b",\n  "n": [1.0, 12345678901234567890123] }\n',
    json.dumps({"config": '{"webhook_url": "https://x.example/a b", "n": [1.0, 12345678901234567890123]}'}),
])
def test_seal_writes_compact_settings_and_wraps_them_once(offline: Notifyctl, fernet_key: str, stdin: str) -> None:
    answer = offline("seal", stdin=stdin)
    assert answer.code == 0, answer
    plain = Fernet(fernet_key).decrypt(answer.out.strip().encode()).decode()
    assert plain == r'{"config":"{\"webhook_url\":\"https://x.example/a b\",\"n\":[1.0,12345678901234567890123]}"}'


@pytest.mark.parametrize(("settings", "said"), [
    ({"webhook_url": "ftp://x"}, "webhook: webhook_url must start with https://"), ({}, "webhook: webhook_url is missing"),
    ({"webhook_url": "https://x", "headers": {"Host": "y"}}, "webhook: "), ({"webhook_url": "https://x", "hmac_secret": "s"}, None),
])
def test_seal_asks_the_destination_when_its_kind_is_named(offline: Notifyctl, settings: dict[str, Any], said: str | None) -> None:
    for text in (json.dumps(settings), json.dumps({"config": json.dumps(settings)})):
        answer = offline("seal", "--kind", "webhook", stdin=text)
        assert answer.code == (1 if said else 0) and bool(answer.out) == (not said) and (said or "") in answer.err, answer
    assert offline("seal", stdin=json.dumps(settings)).code == 0


@pytest.mark.parametrize(("url", "noted"), [
    ("https://hooks.slack.com/services/T0/B0/x", False), ("https://HOOKS.slack-gov.com/services/T0/B0/x", False),
    ("https://chat.example/hooks/x", True), ("https://hooks.slack.com.evil.example/services/T0/B0/x", True)])
def test_seal_notes_a_host_that_is_not_the_vendors_and_takes_it(offline: Notifyctl, url: str, noted: bool) -> None:
    answer = offline("seal", "--kind", "slack", stdin=json.dumps({"webhook_url": url}))
    assert answer.code == 0 and answer.out and ("slack: note: webhook_url does not lead to Slack" in answer.err) == noted, answer
    assert url not in answer.err


def test_seal_knows_the_kinds(offline: Notifyctl) -> None:
    answer = offline("seal", "--kind=carrier-pigeon", stdin="{}")
    assert answer.code == 2 and "--kind needs one of: webhook, slack" in answer.err and "not 'carrier-pigeon'" in answer.err, answer
    assert "without it nothing is checked" in offline("seal", "--help").out


def test_seal_without_a_key_is_bad_configuration(offline: Notifyctl) -> None:
    answer = offline("seal", stdin="{}", secrets=None)
    assert answer.code == 78 and "there is no key" in answer.err, answer

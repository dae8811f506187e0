"""No secret comes out of the API: all that is answered, logged and shown of the process in one run is searched for all that went in."""

from __future__ import annotations

import base64
import json
import re
import socket
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

MARK = "sEcReT"


def mark(name: str) -> str:
    return f"{MARK}{name}{uuid.uuid4().hex}"


def settings() -> dict[str, dict[str, Any]]:
    """Of each kind, with secrets wherever there may be one."""
    return {
        "webhook": {"webhook_url": f"https://{mark('host')}.example.com/{mark('path')}?k={mark('query')}", "hmac_secret": mark("hmac"), "headers": {"X-Key": mark("header")}},
        "slack": {"webhook_url": f"https://hooks.slack.com/services/T0/B0/{mark('slack')}"},
        "teams": {"webhook_url": f"https://x.logic.azure.com/workflows/0/triggers/manual/paths/invoke?sig={mark('teams')}"},
        "google_chat": {"webhook_url": f"https://chat.googleapis.com/v1/spaces/S/messages?key=k&token={mark('google')}"},
        "discord": {"webhook_url": f"https://discord.com/api/webhooks/1/{mark('discord')}"},
        "pagerduty": {"routing_key": uuid.uuid4().hex},
        "opsgenie": {"api_key": str(uuid.uuid4())},
        "splunk": {"hec_url": "https://splunk.example.com:8088", "token": str(uuid.uuid4())},
        "github": {"repo": "octo/shop", "token": mark("github")},
        "jira": {"base_url": "https://acme.atlassian.net", "email": "bot@acme.example", "api_token": mark("jira"), "project_key": "SEC"},
    }


def texts(value: Any) -> list[str]:
    """What is long enough to be a secret, in settings."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    return [part for part in str(value).replace("?", "/").replace("=", "/").replace(".", "/").split("/") if MARK in part or len(part) >= 32]


@pytest.fixture
def token(ctl, stage):
    def make(scope: str) -> str:
        words = ("token", "create", "--workspace", stage.workspace.id, "--scope", scope, "--json")
        return ctl(*words, database={"role": None}).json()["token"]

    return make


def test_nothing_that_is_printed_in_a_run_of_the_api_has_a_secret_in_it(stage, notify_api, token, ctl, fernet_key):
    api = notify_api({"api": {"rate": 100000.0}, "log": {"level": "debug", "format": "json"}})
    writes, reads, revoked = token("write"), token("read"), token("write")
    assert ctl("token", "revoke", revoked.split("_")[1], database={"role": None}).code == 0
    secrets = {fernet_key, writes, reads, revoked, *(one.split("_", 2)[2] for one in (writes, reads, revoked))}
    said: list[bytes] = []

    def ask(method: str, path: str, body: Any = None, by: str | None = writes, **headers: str) -> Any:
        answer = api.ask(method, path, body, by, headers)
        said.append(answer.body + json.dumps(answer.headers).encode())
        return answer

    made = {}
    for kind, config in settings().items():
        secrets |= set(texts(config))
        sent = {"kind": kind, "name": kind, "config": config}
        answer = ask("POST", "/integrations", sent, **{"Idempotency-Key": f"k-{kind}"})
        assert answer.status == 201, (kind, answer)
        made[kind] = answer.json()["id"]
        ask("POST", "/integrations", sent, **{"Idempotency-Key": f"k-{kind}"})
        other = settings()[kind]
        secrets |= set(texts(other))
        ask("POST", "/integrations", {**sent, "config": other}, **{"Idempotency-Key": f"k-{kind}"})
        ask("PATCH", f"/integrations/{made[kind]}", {"config": other})
        shown = json.loads(re.sub(f"{MARK}host[0-9a-f]+", "receiver", json.dumps(other)))  # a preview shows which host it would go to
        for event in ("scan_done", "finding_new", "finding_changed"):
            assert ask("POST", "/integrations/preview", {"kind": kind, "config": shown, "event_type": event}).status == 200
        assert ask("POST", f"/integrations/{made[kind]}/duplicate", {"name": f"copy of {kind}"}).status == 201
        for wrong in ({**other, mark("unknown"): "x"}, {name: [text] for name, text in other.items()}, {name: f"{text}\n" for name, text in other.items()},
                      {**other, "webhook_url": f"http://{mark('clear')}@127.0.0.1/{mark('clear')}"}, {**other, "style": mark("style")}, mark("text"), [mark("list")]):
            secrets |= {text for text in texts(wrong) if MARK in text} if isinstance(wrong, dict) else set()
            ask("PATCH", f"/integrations/{made[kind]}", {"config": wrong})
            ask("POST", "/integrations", {**sent, "config": wrong})
    ask("POST", "/integrations", b'{"kind": "slack", "config": {"webhook_url": "' + writes.encode())
    ask("GET", "/integrations")
    ask("GET", f"/integrations/{made['jira']}")
    for place in ("/stats", "/kinds", "/deliveries", "/targets", f"/explain?scan_id={stage.scan.id}&event_type=scan_done"):
        assert ask("GET", place).status == 200, place
    for by in (None, reads, revoked, writes[:-1], writes + "x", "Basic " + base64.b64encode(writes.encode()).decode()):
        for method in ("GET", "POST", "DELETE"):
            ask(method, "/integrations/" + str(uuid.uuid4()) if method == "DELETE" else "/integrations", {} if method == "POST" else None, by)
    for place in (f"/integrations/{quote(writes)}", f"/integrations?cursor={writes}", f"/integrations?token={writes}", f"/{writes}"):
        api.ask("GET", place, None, writes)  # a client that puts its token there sees it again: only the log may not have it
    with socket.create_connection(("127.0.0.1", api.port)) as one:
        one.sendall(f"GET / HTTP/1.1\r\nAuthorization: Bearer {writes}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".encode())
        said.append(one.recv(100000))
    stage.database.execute("ALTER TABLE integrations ADD CONSTRAINT refuses CHECK (name <> 'refused')")
    refused = ask("POST", "/integrations", {"kind": "slack", "name": "refused", "config": settings()["slack"]})
    assert refused.status == 500, refused
    stage.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pencheff-notify%'")
    ask("GET", "/integrations")
    for path in ("/metrics", "/openapi.json", "/healthz", "/readyz"):
        ask("GET", path, None, None)
    printed = [api.log_text().encode(), Path(f"/proc/{api.pid}/cmdline").read_bytes(), Path(f"/proc/{api.pid}/comm").read_bytes()]
    for words in (("integration", "list", "--workspace", stage.workspace.id), ("token", "list", "--workspace", stage.workspace.id, "--json"), ("check",)):
        answer = ctl(*words, database={"role": None})
        printed.append((answer.out + answer.err).encode())
    printed += [json.dumps(stage.database.query(f"SELECT t::text FROM notify.{table} t")).encode() for table in ("changes", "kept_answers", "tokens")]
    assert b'"event": "request"' in printed[0] or b'"event":"request"' in printed[0]
    found = sorted({secret for secret in secrets for text in (*said, *printed) if secret.encode() in text})
    assert not found, found
    assert len(secrets) > 60 and MARK.encode() not in printed[0]
    assert api.alive()

"""What really sends: tests of integrations through the API and notifyctl, and beside them previews and copies."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import time
import uuid
from typing import Any, Callable 

import pytest
from hostile import Silent
from sandbox import seed
from sandbox.answers import Answer
from sandbox.signatures import verify_signatures
from sandbox.vendors import jira, splunk, webhook

EVENTS = ("scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed")
ROUTING_KEY, API_KEY, TOKEN = "0123456789abcdef0123456789abcdef", "12345678-90ab-4cde-8f01-234567890abc", "s3cr3t-api-token-of-the-test"
CHAT = "s3cr3t-piece-of-a-path"
SECRETS = (ROUTING_KEY, API_KEY, TOKEN, CHAT, webhook.SECRET, next(iter(splunk.TOKENS)))


def settings(url: Any) -> dict[str, dict[str, Any]]:
    """As whoever sets it up would write them, our receiver in the vendor's place."""
    return {
        "webhook": {"webhook_url": url(f"/hooks/{CHAT}"), "hmac_secret": webhook.SECRET},
        "slack": {"webhook_url": url(f"/services/T0/B0/{CHAT}")},
        "teams": {"webhook_url": url(f"/workflows/0/triggers/manual/paths/invoke?sig={CHAT}")},
        "google_chat": {"webhook_url": url(f"/v1/spaces/S/messages?key=k&token={CHAT}")},
        "discord": {"webhook_url": url(f"/api/webhooks/1/{CHAT}")},
        "pagerduty": {"routing_key": ROUTING_KEY, "api_url": url("")},
        "opsgenie": {"api_key": API_KEY, "api_url": url("")},
        "splunk": {"hec_url": url(""), "token": next(iter(splunk.TOKENS))},
        "github": {"repo": "octo/shop", "token": TOKEN, "api_url": url("/api/v3")},
        "jira": {"base_url": url(""), "email": "bot@acme.example", "api_token": TOKEN, "project_key": "SEC"},
    }


KINDS = tuple(settings(str))
# Where the vendors of all kinds are, on one receiver.
PATHS = {"webhook": "/hooks/*", "slack": "/services/T0*", "teams": "/workflows/*", "google_chat": "/v1/spaces/*", "discord": "/api/webhooks/*",
         "pagerduty": "/v2/enqueue*", "opsgenie": "/v2/alerts*", "splunk": "/services/collector*", "github": "/api/v3/*", "jira": "/rest/api/*"}


@pytest.fixture
def token(ctl, stage) -> Callable[..., str]:
    def make(scope: str = "write", workspace: str | None = None) -> str:
        return ctl("token", "create", "--workspace", workspace or stage.workspace.id, "--scope", scope, "--json", database={"role": None}).json()["token"]

    return make


class Sender:
    """notify-api that may send to the receiver, and a token for it."""

    def __init__(self, api: Any, token: str, stage: Any) -> None:
        self.api, self.token, self.stage = api, token, stage

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.api.ask("POST", path, body, options.pop("token", self.token), **options)

    def add(self, config: dict[str, Any], kind: str = "webhook", **options: Any) -> str:
        return self.stage.integration(config, kind=kind, **options).id

    def test(self, config: dict[str, Any], kind: str = "webhook") -> dict[str, Any]:
        """The answer for settings that are not saved, and for the same ones saved: they say the same."""
        unsaved, saved = self.post("/integrations/test", {"kind": kind, "config": config}), self.post(f"/integrations/{self.add(config, kind)}/test")
        assert (unsaved.status, saved.status) == (200, 200), (unsaved, saved)
        one, other = unsaved.json(), saved.json()
        for answer in (one, other):
            assert {"ok", "status", "response", "detail", "error", "duration_ms"} <= set(answer) and answer["detail"], answer
            assert isinstance(answer["ok"], bool) and answer["duration_ms"] >= 0
            assert len(answer["response"].encode()) <= 1024 and not (answer["ok"] and answer["error"])
        assert [one[name] for name in ("ok", "status", "error")] == [other[name] for name in ("ok", "status", "error")]
        return other


DELIVERY = {"timeout": 2.0, "connect_timeout": 1.0, "allow_networks": ["127.0.0.0/8"], "allow_http": True}


@pytest.fixture
def sender(notify_api, token, stage) -> Callable[..., Sender]:
    def start(**settings: Any) -> Sender:
        delivery = {**DELIVERY, **settings.pop("delivery", {})}
        # How often one may test is another matter, and has its own test.
        api = {"tests_burst": 1000, **settings.pop("api", {})}
        return Sender(notify_api({"delivery": delivery, "api": api, **settings}), token(), stage)

    return start


def nowhere(sender: Sender, *texts: Any) -> None:
    """No secret in what was answered, nor in the log."""
    written = [sender.api.log_text(), *(text if isinstance(text, str) else json.dumps(text) for text in texts)]
    basic = base64.b64encode(f"bot@acme.example:{TOKEN}".encode()).decode()
    for secret in (*SECRETS, basic):
        assert not any(secret in text for text in written), (secret, [text[:300] for text in written if secret in text][:1])


# --- every kind

@pytest.mark.parametrize("kind", KINDS)
def test_a_test_of_every_kind_is_taken_by_its_vendor(kind, stage, sender):
    one, site = sender(), jira.Site()
    stage.receiver.script(PATHS[kind], *({"jira": [Answer(like=site)], "webhook": []}.get(kind, [Answer(like=kind)])))
    answer = one.test(settings(stage.receiver.url)[kind], kind)
    assert answer["ok"] is True and answer["error"] is None, answer
    assert answer["status"] // 100 == (4 if kind == "github" else 2)  # GitHub's test is an issue that cannot be made
    if kind == "webhook":
        for request in stage.receiver.requests():
            verify_signatures(request.header, request.body, webhook.SECRET)
            assert b"Pencheff integration test" in request.body
    assert stage.receiver.count() >= 2
    nowhere(one, answer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status, word", [(401, "http_status"), (404, "http_status"), (410, "http_status"), (503, "http_status"), (302, "redirect")])
def test_a_refusal_of_every_kind_is_told_and_repeats_no_secret(kind, status, word, stage, sender):
    """The receiver says again all that it was sent, as many do."""
    one = sender()
    config = settings(stage.receiver.url)[kind]
    said = f"cannot {CHAT} {TOKEN} {ROUTING_KEY} {API_KEY} {next(iter(splunk.TOKENS))} {base64.b64encode(f'bot@acme.example:{TOKEN}'.encode()).decode()}"
    mine = {"jira": said.split()[-1], "github": TOKEN, "pagerduty": ROUTING_KEY, "opsgenie": API_KEY, "splunk": next(iter(splunk.TOKENS))}.get(kind, CHAT)
    stage.receiver.script("*", Answer(status=status, body=f"you sent {mine}!".encode(), headers=(("Location", stage.receiver.url("/elsewhere")),)))
    answer = one.test(config, kind)
    assert (answer["ok"], answer["status"], answer["error"]) == (False, status, word), answer
    assert answer["response"] == f"you sent {'*' * len(mine)}!" and stage.receiver.count("/elsewhere") == 0
    assert "issue" not in answer or status == 503
    nowhere(one, answer)


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_a_vendor_that_repeat_a_secret_do_not_get_into_the_advice(kind, stage, sender):
    one = sender()
    mine = {"jira": TOKEN, "github": TOKEN, "pagerduty": ROUTING_KEY, "opsgenie": API_KEY, "splunk": next(iter(splunk.TOKENS))}.get(kind, CHAT)
    said = {"message": mine, "error": {"message": mine, "code": mine, "status": mine}, "errorMessages": [mine], "errors": {"priority": mine, mine: mine}, "text": mine, "code": 6,
            "description": mine, "status": mine, "requestId": mine, "key": mine, "full_name": mine, "documentation_url": mine, "name": mine, "accountId": mine}
    for status in (200, 201, 202, 400, 401, 403, 404, 422, 429, 500):
        for body in (said, {**said, "errors": [{"message": mine, "field": mine, "code": mine, "resource": mine}]}):
            stage.receiver.script("*", Answer(status=status, body=json.dumps(body).encode(), headers=(("Content-Type", "application/json"),)))
            reply = one.post("/integrations/test", {"kind": kind, "config": settings(stage.receiver.url)[kind]})
            assert reply.status == 200 and mine not in reply.body.decode(), reply
    nowhere(one)


def test_a_password_that_is_said_in_clear_becomes_stars(stage, sender):
    one = sender()
    stage.receiver.script("*", Answer(status=401, body=f"bot@acme.example has not the password {TOKEN}".encode()))
    answer = one.test(settings(stage.receiver.url)["jira"], "jira")
    assert answer["response"] == f"bot@acme.example has not the password {'*' * len(TOKEN)}"
    nowhere(one, answer)


def test_credentials_in_an_address_are_refused_and_where_they_are_they_become_stars(stage, sender):
    one = sender()
    config = {"webhook_url": stage.receiver.url("/hook").replace("http://", f"http://somebody:{TOKEN}@")}
    saved = one.add(config)  # as a row of old
    requests = [("POST", "/integrations", {"kind": "webhook", "name": "x", "config": config}), ("PATCH", f"/integrations/{saved}", {"config": config}),
                ("POST", "/integrations/test", {"kind": "webhook", "config": config}),
                ("POST", "/integrations/preview", {"kind": "webhook", "event_type": "scan_done", "config": config})]
    for method, path, body in requests:
        answer = one.api.ask(method, path, body, one.token)
        assert answer.status == 422 and TOKEN not in answer.body.decode(), (path, answer)
        error, = answer.json()["errors"]
        assert error["field"] == "config.webhook_url" and "headers" in error["detail"]
    basic = base64.b64encode(f"somebody:{TOKEN}".encode()).decode()
    stage.receiver.script("*", Answer(status=401, body=f"Basic {basic} is somebody:{TOKEN}".encode()))
    answer = one.post(f"/integrations/{saved}/test").json()
    sent, = stage.receiver.requests()
    assert sent.header["authorization"] == f"Basic {basic}"
    assert answer["response"] == f"Basic {'*' * len(basic)} is ********:{'*' * len(TOKEN)}"
    nowhere(one, answer)
    assert basic not in one.api.log_text()


def test_jira_makes_an_issue_and_deletes_it(stage, sender):
    one, site = sender(), jira.Site()
    stage.receiver.script("/rest/api/*", Answer(like=site))
    answer = one.test(settings(stage.receiver.url)["jira"], "jira")
    assert answer["ok"] and site.issues == [] and answer["issue"] == {"key": "SEC-2", "made": True, "deleted": True}, answer
    assert [method for method, _ in site.requests] == ["GET", "POST", "DELETE"] * 2
    site.denied.add("delete")
    kept = one.test(settings(stage.receiver.url)["jira"], "jira")
    assert kept["ok"] and kept["issue"] == {"key": "SEC-4", "made": True, "deleted": False} and "by hand" in kept["detail"], kept
    assert [issue.key for issue in site.issues] == ["SEC-3", "SEC-4"]
    assert all("Pencheff integration test" in json.dumps(issue.fields) for issue in site.issues)


def test_an_issue_that_may_be_there_is_told(stage, sender):
    """Jira takes the issue and never answers; or what deletes it is never answered."""
    one, site = sender(api={"test_timeout": 1.5}), jira.Site()
    config = settings(stage.receiver.url)["jira"]
    stage.receiver.script("/rest/api/*", Answer(like=site))
    stage.receiver.script("/rest/api/3/issue", Answer(instead="hang"))
    answer = one.post("/integrations/test", {"kind": "jira", "config": config}).json()
    assert (answer["ok"], answer["error"], answer["issue"]) == (False, "timeout", {"key": None, "made": None, "deleted": False}), answer
    assert "may have been made" in answer["detail"] and answer["status"] == 200
    stage.receiver.script("/rest/api/3/issue", Answer(like=site))
    stage.receiver.script("/rest/api/3/issue/SEC-1", Answer(instead="hang"))
    answer = one.post("/integrations/test", {"kind": "jira", "config": config}).json()
    assert (answer["ok"], answer["issue"]) == (False, {"key": "SEC-1", "made": True, "deleted": False}) and "look for it" in answer["detail"], answer


def test_opsgenie_says_whether_the_alert_was_made(stage, sender):
    one = sender()
    config = settings(stage.receiver.url)["opsgenie"]
    stage.receiver.script("/v2/alerts*", Answer(like="opsgenie"))
    assert one.test(config, "opsgenie")["alert"]["made"] is True
    for said, key in (("70413a06-38d6-4c85-92b8-5ebc900d42e2", "70413a06-38d6-4c85-92b8-5ebc900d42e2"), (API_KEY, None), (API_KEY + "-1", None), (7, None)):
        made = {"data": {"success": True, "isSuccess": True, "alertId": said}, "requestId": "r"}
        stage.receiver.script("/v2/alerts/requests/*", Answer(body=json.dumps(made).encode()))
        assert one.test(config, "opsgenie")["alert"] == {"key": key, "made": True}
    refused = {"data": {"success": False, "isSuccess": False, "alertId": ""}, "requestId": "r"}
    stage.receiver.script("/v2/alerts/requests/*", Answer(body=json.dumps(refused).encode()))
    answer = one.test(config, "opsgenie")
    assert (answer["ok"], answer["error"], answer["alert"]) == (False, "not_accepted", {"key": None, "made": False}), answer
    stage.receiver.clear()
    stage.receiver.script("/v2/alerts/requests/*", Answer(status=404, body=b"{}"))
    late = one.post("/integrations/test", {"kind": "opsgenie", "config": config}).json()
    assert late["ok"] and late["alert"] == {"key": None, "made": None}, late
    asked = [request.at for request in stage.receiver.requests() if request.method == "GET"]
    assert len(asked) == 5 and [round((b - a) / 0.2) for a, b in zip(asked, asked[1:])] == [2, 4, 8, 16], asked


def test_a_pause_within_a_test_ends_with_its_deadline(stage, sender):
    one = sender(api={"test_timeout": 1.0})
    stage.receiver.script("/v2/alerts*", Answer(like="opsgenie", delay=0.4))  # so the pause of a second ends behind the deadline
    stage.receiver.script("/v2/alerts/requests/*", Answer(status=404, body=b"{}"))
    answer = one.post("/integrations/test", {"kind": "opsgenie", "config": settings(stage.receiver.url)["opsgenie"]}).json()
    assert (answer["ok"], answer["error"], answer["alert"]) == (False, "timeout", {"key": None, "made": None}) and "look for it" in answer["detail"], answer
    assert answer["duration_ms"] < 1500


# --- what is hostile

def test_addresses_and_schemes_are_refused_as_for_deliveries(stage, notify_api, token):
    strict = Sender(notify_api({"delivery": {"timeout": 2.0}}), token(), stage)
    for url, word in ((stage.receiver.url("/"), "url"), (f"https://127.0.0.1:{stage.receiver.port}/", "address_refused"), ("https://169.254.169.254/latest", "address_refused"),
                      ("https://[::1]/", "address_refused"), ("https://localhost/", "address_refused")):
        answer = strict.test({"webhook_url": url})
        assert (answer["ok"], answer["status"], answer["error"], answer["response"]) == (False, None, word, ""), (url, answer)
    assert stage.receiver.count() == 0


def test_what_answers_badly_is_told_within_the_limits(stage, sender):
    one = sender(delivery={"max_response": 4096})
    for number, (said, expected) in enumerate((
            (Answer(endless=True, body=b"x" * 100), (True, 200, None)),
            (Answer(status=500, endless=True, body=b"x" * 100), (False, 500, "http_status")),
            (Answer(instead="hang"), (False, None, "timeout")),
            (Answer(instead="reset"), (False, None, "connection_lost")),
            (Answer(huge_headers=200_000), (False, None, "bad_answer")),
            (Answer(stall=True), (False, None, "timeout")))):
        stage.receiver.script(f"/{number}", said)
        answer = one.test({"webhook_url": stage.receiver.url(f"/{number}")})
        assert (answer["ok"], answer["status"], answer["error"]) == expected, (said, answer)
    with Silent() as silent:
        answer = one.test({"webhook_url": f"http://127.0.0.1:{silent.port}/"})
        assert (answer["ok"], answer["error"]) == (False, "timeout") or answer["error"] == "connect", answer


@pytest.mark.parametrize("body", [b"\xff\xfe caf\xe9 \xf0\x9f", b"\0\1\2", "é".encode() * 800, b"a" + "\U0001f600".encode() * 400, b'"}\n\r\t\\'])
def test_an_answer_of_any_bytes_is_valid_utf_8_of_1024_bytes_at_most(body, stage, sender):
    stage.receiver.script("/hook", Answer(status=400, body=body))
    answer = sender().test({"webhook_url": stage.receiver.url("/hook")})
    assert answer["response"] and len(answer["response"].encode()) <= 1024
    if len(body) < 300 and body.isascii() and b"\0" not in body:
        assert answer["response"] == body.decode()


@pytest.mark.alone
def test_a_byte_a_second_ends_at_the_deadline_and_others_are_served_meanwhile(stage, sender):
    """A test makes several requests, each within delivery.timeout; all of them together end at api.test_timeout."""
    one = sender(delivery={"timeout": 60.0}, api={"test_timeout": 2.0})
    stage.receiver.script("*", Answer(drip=1.0))
    integration = one.add(settings(stage.receiver.url)["jira"], "jira")
    answers: list[Any] = []
    began = time.monotonic()
    thread = threading.Thread(target=lambda: answers.append(one.post(f"/integrations/{integration}/test")))
    thread.start()
    stage.receiver.wait_for(1)
    took = []
    while thread.is_alive() and time.monotonic() - began < 1.5:
        at = time.monotonic()
        assert one.api.ask("GET", "/integrations?limit=1", None, one.token).status == 200
        took.append(time.monotonic() - at)
        time.sleep(0.02)
    thread.join(10)
    assert 1.8 < time.monotonic() - began < 3.5 and len(took) > 10 and max(took) < 0.5, (time.monotonic() - began, max(took))
    answer = answers[0].json()
    assert (answers[0].status, answer["ok"], answer["status"], answer["error"]) == (200, False, None, "timeout"), answer
    assert "api.test_timeout" in answer["detail"] and 1500 < answer["duration_ms"] < 3000


# --- who may, and how often

def test_others_may_not(stage, sender, token):
    one = sender()
    integration = one.add({"webhook_url": stage.receiver.url("/hook")})
    reads, other = token("read"), token("write", seed.add_workspace(stage.connection).id)
    body = {"kind": "slack", "config": {"webhook_url": stage.receiver.url("/hook")}}
    for path, sent in ((f"/integrations/{integration}/test", None), ("/integrations/test", body), (f"/integrations/{integration}/duplicate", None)):
        assert one.post(path, sent, token=reads).status == 403 and one.api.ask("POST", path, sent).status == 401
    for verb in ("test", "duplicate"):
        for strange in (integration, str(uuid.uuid4()), "x", "%2e%2e", integration.upper() + "0"):
            assert one.post(f"/integrations/{strange}/{verb}", token=other).status == 404, (strange, verb)
    assert stage.receiver.count() == 0 and stage.database.query("SELECT count(*) FROM integrations") == [(1,)]
    assert one.post("/integrations/preview", {"kind": "slack", "event_type": "scan_done"}, token=reads).status == 200
    assert one.post(f"/integrations/{integration.upper()}/test").status == 200


def hanging(one: Sender, path: str, body: Any = None) -> socket.socket:
    """A request whose answer nobody reads yet."""
    sent = b"" if body is None else json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", one.api.port), timeout=20)
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {one.token}\r\nContent-Type: application/json\r\n"
                       f"Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
    return connection


def test_one_test_of_an_integration_at_a_time_and_few_of_a_workspace(stage, sender, token):
    one = sender(api={"tests_at_once": 8}, delivery={"timeout": 20.0})
    stage.receiver.script("*", Answer(held=True))
    integration = one.add({"webhook_url": stage.receiver.url("/hook")})
    first = hanging(one, f"/integrations/{integration}/test")
    stage.receiver.wait_for(1)
    for text in (integration, integration.upper()):
        again = one.post(f"/integrations/{text}/test")
        assert again.status == 409 and "under way" in again.json()["detail"] and int(again.headers["retry-after"]) >= 1
    body = {"kind": "webhook", "config": {"webhook_url": stage.receiver.url("/other")}}
    second = hanging(one, "/integrations/test", body)
    stage.receiver.wait_for(2)
    full = one.post("/integrations/test", body)
    assert full.status == 429 and int(full.headers["retry-after"]) >= 1 and "api.tests_at_once" in full.json()["detail"]
    others = [hanging(Sender(one.api, token("write", seed.add_workspace(stage.connection).id), stage), "/integrations/test", body) for _ in range(6)]
    stage.receiver.wait_for(8)
    last = token("write", seed.add_workspace(stage.connection).id)
    assert one.post("/integrations/test", body, token=last).status == 429
    stage.receiver.release()
    for connection in (first, second, *others):
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        connection.close()
    stage.wait(lambda: one.post(f"/integrations/{integration}/test").status == 200)
    assert stage.receiver.count() == 9


def test_a_workspace_that_tests_too_often_waits_and_others_do_not(stage, notify_api, token):
    one = Sender(notify_api({"delivery": DELIVERY}), token(), stage)
    integration = one.add({"webhook_url": stage.receiver.url("/hook")})
    body = {"kind": "webhook", "config": {"webhook_url": stage.receiver.url("/other")}}
    begun = time.monotonic()
    answers = [one.post("/integrations/test", body, token=token()) if n % 2 else one.post(f"/integrations/{integration}/test") for n in range(20)]
    took = time.monotonic() - begun
    taken = [answer for answer in answers if answer.status == 200]
    assert 10 <= len(taken) <= 11 + took / 3 and [answer.status for answer in answers[:10]] == [200] * 10
    for answer in answers:
        if answer.status != 200:
            assert answer.status == 429 and 1 <= int(answer.headers["retry-after"]) <= 3 and "api.tests_burst" in answer.json()["detail"], answer
    assert stage.receiver.count() == len(taken)
    other = token("write", seed.add_workspace(stage.connection).id)
    assert one.post("/integrations/test", body, token=other).status == 200
    last = next(answer for answer in reversed(answers) if answer.status != 200)
    time.sleep(int(last.headers["retry-after"]))
    assert one.post("/integrations/test", body).status == 200


def test_a_client_that_goes_away_leaves_no_issue_behind(stage, sender):
    one, site = sender(), jira.Site()
    stage.receiver.script("/rest/api/*", Answer(like=site))
    stage.receiver.script("/rest/api/3/myself", Answer(like=site, held=True))
    connection = hanging(one, f"/integrations/{one.add(settings(stage.receiver.url)['jira'], 'jira')}/test")
    stage.receiver.wait_for(1)
    connection.close()
    stage.receiver.release()
    stage.receiver.wait_for(3)
    stage.wait(lambda: one.api.events("integration_tested"))
    assert [method for method, _ in site.requests] == ["GET", "POST", "DELETE"] and site.issues == []
    assert one.api.ask("GET", "/healthz").status == 200


def test_a_test_under_way_is_answered_before_the_server_ends(stage, sender):
    one = sender(delivery={"timeout": 20.0})
    stage.receiver.script("*", Answer(held=True))
    connection = hanging(one, "/integrations/test", {"kind": "webhook", "config": {"webhook_url": stage.receiver.url("/hook")}})
    stage.receiver.wait_for(1)
    one.api.terminate()
    stage.wait(lambda: one.api.events("api_draining"))
    stage.receiver.release()
    assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_server_that_is_told_to_end_at_once_breaks_tests_off(stage, sender):
    one = sender(delivery={"timeout": 20.0})
    stage.receiver.script("*", Answer(held=True))
    connections = [hanging(one, "/integrations/test", {"kind": "webhook", "config": {"webhook_url": stage.receiver.url("/hook")}}) for _ in range(3)]
    stage.receiver.wait_for(3)
    one.api.terminate()
    stage.wait(lambda: one.api.events("api_draining"))
    one.api.terminate()
    stage.wait(lambda: not one.api.alive())
    for connection in connections:
        connection.close()


# --- settings that cannot be used

def test_a_disabled_integration_can_be_tested(stage, sender):
    one = sender()
    integration = one.add({"webhook_url": stage.receiver.url("/hook")}, enabled=False)
    assert one.post(f"/integrations/{integration}/test").json()["ok"] is True and stage.receiver.count("/hook") == 1


def test_saved_settings_that_cannot_be_used_are_409_with_advice(stage, sender):
    one = sender()
    cases = [("UPDATE integrations SET config_encrypted = 'nonsense' WHERE id = %s", "PATCH"), ("UPDATE integrations SET config_encrypted = '\\xff00' WHERE id = %s", "PATCH"),
             ("UPDATE integrations SET config_encrypted = NULL WHERE id = %s", "PATCH"), ("UPDATE integrations SET kind = 'carrier-pigeon' WHERE id = %s", "version")]
    for sql, advice in cases:
        integration = one.add({"webhook_url": stage.receiver.url("/hook")})
        try:
            stage.database.execute(sql, (integration,))
        except Exception as error:  # a column that may not be null
            assert "null value" in str(error)
            continue
        answer = one.post(f"/integrations/{integration}/test")
        assert answer.status == 409 and advice in answer.json()["detail"], (sql, answer)
    lacks = one.add({"routing_key": "short"}, kind="pagerduty")
    answer = one.post(f"/integrations/{lacks}/test")
    assert answer.status == 409 and "routing_key" in answer.json()["detail"] and b"short" not in answer.body.replace(b"shorter", b""), answer
    assert stage.receiver.count() == 0


def test_settings_of_a_request_are_422_by_field(sender):
    one = sender()
    for body, fields in (({}, {"kind", "config"}), ({"kind": "slack", "config": {}}, {"config.webhook_url"}), ({"kind": "x", "config": {"a": 1}}, {"kind"}),
                         ({"kind": "slack", "config": {"webhook_url": f"ftp://{CHAT}"}}, {"config.webhook_url"}), ({"kind": "slack", "config": {}, "colour": 1}, {"config.webhook_url", "colour"}),
                         ({"kind": "jira", "config": {"base_url": "https://a.example"}, "name": ""}, {"config.email", "name"})):
        answer = one.post("/integrations/test", body)
        assert answer.status == 422 and {error["field"] for error in answer.json()["errors"]} == fields, (body, answer)
        assert CHAT.encode() not in answer.body
    assert [one.post("/integrations/test", body).status for body in (b"", b"[]", b"{", b'{"kind": "slack"')] == [400] * 4


# --- previews

def test_a_preview_shows_what_is_sent_of_each_event_for_each_kind(stage, sender):
    one = sender(api={"rate": 1000.0})
    for kind, config in settings(stage.receiver.url).items():
        for event in EVENTS:
            for given in ({}, {"config": config}):
                answer = one.post("/integrations/preview", {"kind": kind, "event_type": event, "severity": "critical", **given})
                assert answer.status == 200, (kind, event, answer)
                request, = answer.json()["requests"]
                assert request["method"] == "POST" and request["url"].startswith("http") and request["headers"]["User-Agent"]
                json.loads(request["body"])
                assert "sample" in request["body"].lower(), (kind, event, request)
                assert not any(secret in answer.body.decode() for secret in SECRETS), (kind, event, request)
                assert "PLACEHOLDER" not in request["url"]
    assert stage.receiver.count() == 0


def test_a_preview_hides_what_belongs_to_the_settings_and_nothing_else(sender):
    one = sender()
    config = {"webhook_url": f"https://chat.example/v1/spaces/S/messages?key=k&token={CHAT}"}
    request, = one.post("/integrations/preview", {"kind": "google_chat", "event_type": "finding_new", "config": config}).json()["requests"]
    assert request["url"].startswith("https://chat.example/***/***/***/***?***=***&***=***")
    signed = {"webhook_url": "https://a.example/hook", "hmac_secret": webhook.SECRET, "headers": {"X-Mine": TOKEN}}
    headers = one.post("/integrations/preview", {"kind": "webhook", "event_type": "finding_new", "config": signed}).json()["requests"][0]["headers"]
    assert headers["X-Mine"] == headers["X-Pencheff-Signature"] == "***" and headers["Content-Type"] == "application/json" and re.fullmatch("[0-9a-f]{32}", headers["webhook-id"])
    config = {"base_url": "https://jira.example", "email": "bot@acme.example", "api_token": TOKEN, "project_key": "SEC"}
    request, = one.post("/integrations/preview", {"kind": "jira", "event_type": "finding_new", "severity": "low", "config": config}).json()["requests"]
    assert request["url"] == "https://jira.example/rest/api/3/issue" and request["headers"]["Authorization"] == "***"
    assert json.loads(request["body"])["fields"]["priority"]["name"] == "Low"


def test_a_preview_of_nonsense_is_refused_by_field(sender):
    one = sender()
    for body, fields in (({}, {"kind", "event_type"}), ({"kind": "slack", "event_type": "scan_lost"}, {"event_type"}),
                         ({"kind": "slack", "event_type": "scan_done", "severity": "huge"}, {"severity"}), ({"kind": "slack", "event_type": "scan_done", "config": {}}, {"config.webhook_url"}),
                         ({"kind": "slack", "event_typ": "scan_done"}, {"event_type", "event_typ"})):
        answer = one.post("/integrations/preview", body)
        assert answer.status == 422 and {error["field"] for error in answer.json()["errors"]} == fields, (body, answer)


# --- copies

def test_a_copy_has_the_same_sealed_settings_and_is_disabled(stage, sender):
    one = sender()
    original = one.add({"webhook_url": stage.receiver.url("/hook")}, target_ids=[stage.target.id], events=["scan_done"], severity_filter="low", name="n" * 200)
    stage.database.execute("UPDATE integrations SET target_kinds = '[\"url\"]' WHERE id = %s", (original,))
    made = one.post(f"/integrations/{original}/duplicate")
    copy = made.json()
    assert made.status == 201 and made.headers["location"] == f"/integrations/{copy['id']}" and copy["id"] != original
    assert (copy["name"], copy["enabled"], copy["target_ids"], copy["events"], copy["severity_filter"], copy["target_kinds"]) == (
        "n" * 193 + " (copy)", False, [stage.target.id], ["scan_done"], "low", ["url"])
    got = one.api.ask("GET", f"/integrations/{copy['id']}", None, one.token)
    assert got.json() == copy and got.headers["etag"] == made.headers["etag"]
    assert stage.database.query("SELECT count(DISTINCT config_encrypted), count(*) FROM integrations") == [(1, 2)]
    assert stage.database.query("SELECT verb, object FROM notify.changes WHERE verb NOT LIKE 'token%%'") == [("create", copy["id"])]
    assert one.post(f"/integrations/{copy['id']}/test").json()["ok"] is True
    named = one.post(f"/integrations/{original}/duplicate", {"name": "another"})
    assert named.status == 201 and named.json()["name"] == "another"
    assert one.post(f"/integrations/{original}/duplicate", {"name": ""}).status == 422 and one.post(f"/integrations/{original}/duplicate", {"kind": "slack"}).status == 422
    stage.database.execute("UPDATE integrations SET config_encrypted = 'no key opens this' WHERE id = %s", (original,))
    assert one.post(f"/integrations/{original}/duplicate").status == 201


def test_a_copy_that_is_asked_for_again_is_made_once(stage, sender):
    one, key = sender(), {"Idempotency-Key": "copy-1"}
    original = one.add({"webhook_url": stage.receiver.url("/hook")})
    first, again = (one.post(f"/integrations/{original}/duplicate", headers=key) for _ in range(2))
    assert (first.status, again.status) == (201, 201) and first.json() == again.json() and again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == f"/integrations/{first.json()['id']}"
    assert one.post(f"/integrations/{original}/duplicate", {"name": "other"}, headers=key).status == 409
    assert one.post(f"/integrations/{uuid.uuid4()}/duplicate", headers={"Idempotency-Key": "copy-2"}).status == 404
    assert stage.database.query("SELECT count(*) FROM notify.kept_answers") == [(1,)], "what is refused leaves nothing"
    assert one.post(f"/integrations/{original}/duplicate", headers={"Idempotency-Key": "copy-2"}).status == 201
    assert stage.database.query("SELECT count(*) FROM integrations") == [(3,)]
    assert one.api.ask("DELETE", f"/integrations/{original}", None, one.token).status == 204
    assert one.post(f"/integrations/{original}/duplicate", headers=key).json() == first.json(), "also when the original is gone"


# --- notifyctl

def test_notifyctl_tests_an_integration(stage, ctl):
    good, bad = stage.webhook(f"/hooks/{CHAT}").id, stage.integration(settings(stage.receiver.url)["pagerduty"], kind="pagerduty").id
    stage.receiver.script("/v2/enqueue", Answer(status=429, body=f"slow down, {ROUTING_KEY}".encode()))
    words = ("--workspace", stage.workspace.id)
    answer = ctl("integration", "test", good, *words, delivery=DELIVERY)
    assert answer.code == 0 and answer.out.startswith("ok\n") and stage.receiver.count(f"/hooks/{CHAT}") == 1, answer
    answer = ctl("integration", "test", bad, *words, "--json", delivery=DELIVERY)
    assert answer.code == 1 and (answer.json()["ok"], answer.json()["status"], answer.json()["error"]) == (False, 429, "http_status"), answer
    assert ROUTING_KEY not in answer.out + answer.err and CHAT not in answer.out + answer.err
    refused = ctl("integration", "test", good, *words)
    assert refused.code == 1 and "error: url" in refused.out and stage.receiver.count(f"/hooks/{CHAT}") == 1, refused
    assert ctl("integration", "test", str(uuid.uuid4()), *words).code == 1 and ctl("integration", "test", good).code == 2
    other = seed.add_workspace(stage.connection).id
    assert ctl("integration", "test", good, "--workspace", other).code == 1


def test_what_a_destination_says_cannot_drive_the_terminal(stage, ctl):
    hostile = b"\x1b]0;title\x07 \x1b[2J\r\n\xc2\x9b31m \\ \x7f\xff end"
    stage.receiver.script("*", Answer(status=500, body=hostile))
    answer = ctl("integration", "test", stage.webhook("/hook").id, "--workspace", stage.workspace.id, delivery=DELIVERY)
    assert answer.code == 1 and "end" in answer.out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", answer.out + answer.err), answer
    assert "response: \\x1b]0;title\\x07" in answer.out, answer
    # Nor what somebody has called an integration or a token.
    name = "\x1b[2Jname\x9b31m\x7f"
    stage.webhook("/hook", name=name)
    ctl("token", "create", "--workspace", stage.workspace.id, "--scope", "read", "--name", name)
    for words in (("integration", "list"), ("token", "list")):
        answer = ctl(*words, "--workspace", stage.workspace.id)
        assert answer.code == 0 and "?[2Jname?31m?" in answer.out, answer

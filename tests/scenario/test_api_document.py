"""The API describes itself: what GET /openapi.json and GET /kinds say is what is asked for, and every route, field, default, enum and
error of the product's own pages is answered as they say."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any, Callable, Iterator

import openapi
import pytest
from ctl import ROOT
from sandbox.api import NotifyApi
from served import LOGIN

URL = "https://127.0.0.1:1/config-secret"
# The kinds of the product's page with the keys of config that it names for each; ? marks those that may be left out.
PAGE = {
    "slack": "webhook_url", "teams": "webhook_url", "google_chat": "webhook_url", "discord": "webhook_url", "pagerduty": "routing_key",
    "opsgenie": "api_key", "splunk": "hec_url token", "webhook": "webhook_url hmac_secret?", "jira": "base_url email api_token project_key issue_type?",
    "github": "repo token",
}
GOOD = {"webhook_url": URL, "routing_key": "R" * 32, "api_key": "key-1", "hec_url": URL, "token": "t0ken", "hmac_secret": "s", "base_url": "https://acme.atlassian.net",
        "email": "a@b.example", "api_token": "x", "project_key": "SEC", "issue_type": "Bug", "repo": "acme/shop"}
SEVERITIES = ["info", "low", "medium", "high", "critical"]
EVENTS = ["scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed"]


@pytest.fixture
def alone(build: Any, tmp_path: Any, fernet_key: str) -> Iterator[NotifyApi]:
    """A notify-api whose database is away: it describes itself all the same."""
    api = NotifyApi(build / "notify-api", tmp_path / "alone", {
        "broker": {"url": "amqp://127.0.0.1:1/%2F"}, "database": {"url": "postgresql://nobody@127.0.0.1:1/none", "timeout": 1.0},
        "secrets": {"fernet_keys": [fernet_key]}})
    yield api.wait_listening()
    wrong = api.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def document(alone: NotifyApi) -> openapi.Document:
    return openapi.load(alone.ask("GET", "/openapi.json"))


class Client:
    """Asks, and sees to it that each answer is one of the document's."""

    def __init__(self, api: NotifyApi, served: Any) -> None:
        self.api, self.served = api, served
        self.tokens = {scope: served.ctl("token", "create", "--scope", scope, "--json").json()["token"] for scope in ("read", "write")}
        self.document = openapi.load(api.ask("GET", "/openapi.json"))

    def __call__(self, method: str, path: str, body: Any = None, *, expect: int, scope: str | None = "write", words: tuple[str, ...] = (),
                 query: str = "", headers: dict[str, str] | None = None) -> Any:
        operation = self.document.operation(method, path)
        for name, word in zip(operation.words, words):
            path = path.replace(f"{{{name}}}", word)
        reply = self.api.ask(method, path + query, body, self.tokens.get(scope or "", scope), headers)
        assert reply.status == expect, f"{operation}: {reply}"
        self.document.check(operation, reply)
        assert b"config-secret" not in reply.body
        return reply

    def create(self, **fields: Any) -> dict[str, Any]:
        return self("POST", "/integrations", {"kind": "slack", "name": "n", "config": {"webhook_url": URL}, **fields}, expect=201).json()

    def refuse(self, method: str, path: str, body: Any, *fields: str, **options: Any) -> None:
        """422, and its errors are about these fields."""
        reply = self(method, path, body, expect=422, **options)
        assert {error["field"] for error in reply.json()["errors"]} == set(fields), reply


@pytest.fixture
def ask(served: Any, build: Any, tmp_path: Any) -> Iterator[Client]:
    api = NotifyApi(build / "notify-api", tmp_path / "api", {
        "broker": {"url": "amqp://127.0.0.1:1/%2F"}, "database": {"url": served.database.dsn(LOGIN)}, "secrets": {"fernet_keys": [served.key]},
        "api": {"rate": 100000.0, "role": "notify_api"}}).wait_ready()
    yield Client(api, served)
    wrong = api.close()
    assert not wrong, "\n".join(wrong)


# --- the document

def test_the_document_keeps_the_rules_of_openapi(document: openapi.Document) -> None:
    assert openapi.broken_rules(document.whole) == []


def test_broken_rules_are_found(document: openapi.Document) -> None:
    """The rules are worth something: what breaks one is told."""
    def broken(change: Callable[[Any], Any]) -> list[str]:
        whole = json.loads(json.dumps(document.whole))
        change(whole)
        return openapi.broken_rules(whole)

    one = ["paths", "/integrations/{id}", "get"]
    def at(whole: Any) -> Any:
        return whole[one[0]][one[1]][one[2]]

    assert broken(lambda whole: at(whole)["parameters"].clear())
    assert broken(lambda whole: at(whole)["parameters"][0].pop("required"))
    assert broken(lambda whole: at(whole)["responses"].update({"99": {"description": "x"}}))
    assert broken(lambda whole: at(whole).update(operationId="get_integrations"))
    assert broken(lambda whole: at(whole).update(parametres=[]))
    assert broken(lambda whole: at(whole)["security"].append({"nobody": []}))
    assert broken(lambda whole: whole["components"]["schemas"]["Problem"].update(type="nothing"))
    assert broken(lambda whole: whole["components"]["schemas"].pop("FieldError"))
    assert broken(lambda whole: whole.pop("info"))


def test_the_document_has_every_route_of_the_table_and_no_other(build: Any, document: openapi.Document) -> None:
    printed = subprocess.run([build / "tests/unit/routes_tool"], capture_output=True, text=True, check=True).stdout
    table = {}
    for line in printed.splitlines():
        method, path, scope, statuses = line.split("\t")
        assert (method, path) not in table, f"{method} {path} stands there twice"
        table[method, path] = (None if scope == "open" else scope, set(statuses.split()))
    described = {(one.method, one.path): (one.scope, set(one.row["responses"]) - {"304"}) for one in document.operations()}
    assert described == table


def test_every_path_takes_the_methods_of_the_document_and_refuses_others(alone: NotifyApi, document: openapi.Document) -> None:
    for path in document.whole["paths"]:
        methods = {one.method for one in document.operations() if one.path == path}
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - allowed:
            refused = alone.ask(method, path.replace("{", "").replace("}", ""))
            assert refused.status == 405 and set(refused.headers["allow"].split(", ")) == allowed | {"OPTIONS"}, (method, path, refused)
            assert method == "HEAD" or not document.faults(document.schema("Problem"), refused.json())


def test_what_needs_no_token_is_answered_without_one_and_nothing_else_is(alone: NotifyApi, document: openapi.Document) -> None:
    assert {one.path for one in document.operations() if not one.scope} <= {
        "/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/web/css/{file}", "/web/js/{file}"}
    for one in document.operations():
        reply = alone.ask(one.method, one.path.replace("{", "").replace("}", ""), {} if one.body else None)
        assert (reply.status == 401) == bool(one.scope), (one, reply)
        document.check(one, reply)


def test_the_document_is_asked_for_again_for_nothing(alone: NotifyApi) -> None:
    first = alone.ask("GET", "/openapi.json", headers={"Accept": "text/html"})
    assert first.status == 200 and first.headers["content-type"] == "application/json" and first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = alone.ask("GET", "/openapi.json", headers={"If-None-Match": sent})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag), sent
    assert alone.ask("GET", "/openapi.json", headers={"If-None-Match": '"other"'}).body == first.body


# --- kinds

def test_kinds_are_those_of_the_product_and_their_settings_those_of_its_pages(ask: Client) -> None:
    kinds = ask("GET", "/kinds", scope="read", expect=200).json()
    assert {one["kind"] for one in kinds} == set(PAGE)
    for one in kinds:
        settings = {setting["key"]: setting for setting in one["settings"]}
        for word in PAGE[one["kind"]].split():
            assert settings[word.rstrip("?")]["required"] == (not word.endswith("?")), (one["kind"], word)
        page = (ROOT / one["docs"]).read_text()
        missing = [key for key in settings if f"`{key}`" not in page]
        assert not missing, f"{one['docs']} does not name {missing}"
        for key, setting in settings.items():
            assert not ask.document.faults(setting["schema"], setting["example"]), (one["kind"], setting)
            assert setting["default"] is None or not ask.document.faults(setting["schema"], setting["default"]), (one["kind"], setting)
            assert setting["old"] or f"| `{key}` | {'yes' if setting['required'] and 'unless' not in setting else 'no'} |" in page or key == "email", (one["kind"], key)


def test_every_kind_is_created_with_all_settings_that_it_has(ask: Client) -> None:
    for one in ask("GET", "/kinds", expect=200).json():
        config = {setting["key"]: setting["example"] for setting in one["settings"]}
        assert not ask.document.faults(ask.document.schema(f"Config.{one['kind']}"), config)
        ask.create(kind=one["kind"], config=config)


def test_a_setting_that_a_kind_does_not_have_is_refused_with_a_hint(ask: Client) -> None:
    def refused(config: Any, kind: str = "slack") -> dict[str, str]:
        reply = ask("POST", "/integrations", {"kind": kind, "name": "n", "config": config}, expect=422)
        return {error["field"]: error["detail"] for error in reply.json()["errors"]}

    typo = refused({"webhok_url": URL})
    assert typo["config.webhok_url"] == "config.webhok_url is no setting of slack; did you mean webhook_url?" and "config.webhook_url" in typo
    assert refused({"webhook_url": URL, "styel": "text"}) == {"config.styel": "config.styel is no setting of slack; did you mean style?"}
    assert "webhook_url, style" in refused({"webhook_url": URL, "routing_key": "R" * 32})["config.routing_key"]
    secret = "ghp_" + "S" * 36
    told = refused({"webhook_url": URL, secret: "x", "a b": 1})
    assert set(told) == {"config"} and secret not in json.dumps(told)
    one = ask.create()
    ask.refuse("PATCH", "/integrations/{id}", {"config": {"webhook_url": URL, "styel": "text"}}, "config.styel", words=(one["id"],))
    old = ask.create(kind="webhook", config={"webhook_url": URL, "webhook_secret": "config-secret"})
    assert old["kind"] == "webhook"
    unread = {"webhook_url": URL, "hmac_secret": "s", "webhook_secret": []}  # nobody looks at it, and it is wrong all the same
    assert refused(unread, "webhook") == {"config.webhook_secret": "webhook_secret must be a text"}


# --- the product's pages

def test_integrations_have_the_fields_and_defaults_of_the_page(ask: Client) -> None:
    for kind, keys in PAGE.items():
        for all_of_them in (False, True):
            config = {key.rstrip("?"): GOOD[key.rstrip("?")] for key in keys.split() if all_of_them or not key.endswith("?")}
            one = ask.create(kind=kind, name=f"{kind} é", config=config)
            assert (one["kind"], one["name"], one["severity_filter"], one["enabled"], one["target_ids"], one["events"]) == (
                kind, f"{kind} é", "high", True, None, None)
            assert "config" not in one
    listed = ask("GET", "/integrations", scope="read", expect=200).json()
    assert [(one["kind"], "config" in one) for one in listed] == [(kind, False) for kind in PAGE for _ in range(2)]
    for severity in SEVERITIES:
        assert ask.create(severity_filter=severity)["severity_filter"] == severity
    for event in EVENTS:
        assert ask.create(events=[event])["events"] == [event]
    assert ask.create(events=EVENTS)["events"] == EVENTS
    assert ask.create(target_ids=ask.served.targets)["target_ids"] == ask.served.targets  # a URL and a repository
    for empty in ([], None):
        one = ask.create(target_ids=empty, events=empty, enabled=False)
        assert (one["target_ids"], one["events"], one["enabled"]) == (None, None, False)
    example = {"kind": "slack", "name": "#security", "severity_filter": "high", "enabled": True, "config": {"webhook_url": "https://hooks.slack.com/services/T/B/x"},
               "target_ids": ask.served.targets, "events": ["scan_done", "finding_new", "finding_changed"]}
    made = ask("POST", "/integrations", example, expect=201).json()
    assert {name: made[name] for name in example if name != "config"} == {name: value for name, value in example.items() if name != "config"}


def test_a_change_changes_what_is_sent_and_nothing_else(ask: Client) -> None:
    one = ask.create(target_ids=ask.served.targets, events=["scan_done"], severity_filter="low", enabled=False)
    word = (one["id"],)
    for change in ({"name": "other"}, {"enabled": True}, {"severity_filter": "critical"}, {"target_ids": ask.served.targets[:1]}, {"events": EVENTS[:2]},
                   {"config": {"webhook_url": URL + "2"}}, {"kind": "slack"}, {"target_ids": []}, {"events": []}, {"target_ids": None, "events": None}, {}):
        before = ask.served.row(one["id"])
        shown = ask("PATCH", "/integrations/{id}", change, words=word, expect=200).json()
        emptied = {name: None if value == [] else value for name, value in change.items() if name != "config"}
        assert shown == {**one, **emptied}, change
        assert (ask.served.row(one["id"])["config_encrypted"] != before["config_encrypted"]) == ("config" in change)
        one = shown
        assert ask("GET", "/integrations/{id}", words=word, expect=200, scope="read").json() == one
    assert ask("DELETE", "/integrations/{id}", words=word, expect=204).body == b""
    ask("GET", "/integrations/{id}", words=word, expect=404)


def test_every_error_is_answered_as_the_document_has_it(ask: Client) -> None:
    good = {"kind": "slack", "name": "n", "config": {"webhook_url": URL}}
    one = ask.create()
    word, path = (one["id"],), "/integrations/{id}"
    before = ask.served.database.query("SELECT i::text FROM public.integrations i ORDER BY 1")
    for body in (b"", b"{", b"[]", b"\xff", json.dumps(good).encode() + b"x"):
        ask("POST", "/integrations", body, expect=400)
        ask("PATCH", path, body, words=word, expect=400)
    for method, query in (("GET", "?page=2"), ("GET", "?limit=1&limit=1"), ("GET", "?limit=%ff"), ("POST", "?limit=1")):
        ask(method, "/integrations", good if method == "POST" else None, query=query, expect=400)
    ask("GET", path, {}, words=word, expect=400)
    ask("DELETE", path, {}, words=word, expect=400)
    for method, where, body in (("GET", path, None), ("PATCH", path, {}), ("DELETE", path, None), ("POST", "/integrations", good), ("GET", "/integrations", None), ("GET", "/kinds", None)):
        for wrong in (None, "pnt_x", ask.tokens["write"][:-3] + "AAA"):
            ask(method, where, body, words=word, scope=wrong, expect=401)
        if method not in ("GET", "HEAD"):
            ask(method, where, body, words=word, scope="read", expect=403)
    for absent in (str(uuid.uuid4()), "x", "%27", ask.served.add(workspace=ask.served.theirs)):
        for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
            ask(method, path, body, words=(absent,), expect=404)
    key = {"Idempotency-Key": "once"}
    first = ask("POST", "/integrations", good, headers=key, expect=201)
    assert ask("POST", "/integrations", good, headers=key, expect=201).headers["idempotent-replayed"] == "true" and first.headers["location"]
    ask("POST", "/integrations", {**good, "name": "other"}, headers=key, expect=409)
    ask("PATCH", path, {"name": "x"}, words=word, headers={"If-Match": '"other"'}, expect=412)
    ask("PATCH", path, {"name": "x"}, words=word, headers={"If-Match": "\u00ff"}, expect=412)
    ask("POST", "/integrations", {**good, "name": "x" * 70000}, expect=413)
    for kind in ("text/plain", "application/jsonx", "application/x-json", "json", "application/x-www-form-urlencoded", "text/json+x"):
        ask("POST", "/integrations", good, headers={"Content-Type": kind}, expect=415)
        ask("PATCH", path, {}, words=word, headers={"Content-Type": kind}, expect=415)
    for kind in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"):
        ask("PATCH", path, {}, words=word, headers={"Content-Type": kind, "Accept": "image/png"}, expect=200)
    ask("GET", "/integrations", query="?limit=0", expect=422)
    left = ask.served.database.query("SELECT i::text FROM public.integrations i WHERE workspace_id = %s ORDER BY 1", (ask.served.ours.id,))
    assert [row for row in left if first.json()["id"] not in row[0]] == before


def test_a_copy_of_nothing_leaves_no_key(ask: Client) -> None:
    """What is refused changes nothing, not even which keys were used."""
    for absent in (str(uuid.uuid4()), ask.served.add(workspace=ask.served.theirs)):
        ask("POST", "/integrations/{id}/duplicate", {}, words=(absent,), headers={"Idempotency-Key": "once"}, expect=404)
    assert ask.served.database.query("SELECT key FROM notify.kept_answers") == []


def test_every_field_says_what_is_wrong_with_it(ask: Client) -> None:
    good = {"kind": "slack", "name": "n", "config": {"webhook_url": URL}}
    one = ask.create()
    wrong = {
        "kind": ["Slack", "email", "", 1, None, []], "name": ["", "x" * 201, 1, None, "a\x00b"], "severity_filter": ["High", "none", "", 3, None],
        "enabled": ["true", 1, None], "config": [[], "x", None, 1], "target_ids": ["x", {}, 1], "events": ["scan_done", {}, True],
    }
    for field, values in wrong.items():
        for value in values:
            ask.refuse("POST", "/integrations", {**good, field: value}, field)
            ask.refuse("PATCH", "/integrations/{id}", {field: value}, field, words=(one["id"],))
    for field in ("kind", "name", "config"):
        ask.refuse("POST", "/integrations", {name: value for name, value in good.items() if name != field}, field)
    for field, value in (("target_ids", "x"), ("target_ids", 1), ("events", "scan_over"), ("events", None)):
        ask.refuse("POST", "/integrations", {**good, field: [value]}, f"{field}[0]")
    for field in ("id", "created_at", "target_kinds", "workspace_id", "sevirity_filter"):
        ask.refuse("POST", "/integrations", {**good, field: one.get(field)}, field)
        ask.refuse("PATCH", "/integrations/{id}", {field: one.get(field)}, field, words=(one["id"],))
    ask.refuse("POST", "/integrations", {**good, "target_ids": [ask.served.foreign]}, "target_ids")
    ask.refuse("PATCH", "/integrations/{id}", {"kind": "jira"}, "kind", words=(one["id"],))
    ask.refuse("POST", "/integrations", good, "Idempotency-Key", headers={"Idempotency-Key": "x" * 256})
    for query, field in (("?limit=0", "limit"), ("?limit=501", "limit"), ("?limit=x", "limit"), ("?limit=", "limit"), ("?cursor=x", "cursor")):
        ask.refuse("GET", "/integrations", None, field, query=query)
    assert ask("GET", "/integrations/{id}", words=(one["id"],), expect=200).json() == one


def test_a_token_that_asks_too_often_is_answered_as_the_document_has_it(served: Any, build: Any, tmp_path: Any) -> None:
    api = NotifyApi(build / "notify-api", tmp_path / "api", {
        "broker": {"url": "amqp://127.0.0.1:1/%2F"}, "database": {"url": served.database.dsn(LOGIN)}, "secrets": {"fernet_keys": [served.key]},
        "api": {"rate": 1.0, "role": "notify_api"}}).wait_ready()
    try:
        ask = Client(api, served)
        replies = [api.ask("GET", "/kinds", None, ask.tokens["read"]) for _ in range(5)]
        for reply in replies:
            ask.document.check(ask.document.operation("GET", "/kinds"), reply)
        assert {reply.status for reply in replies} == {200, 429} and all(reply.headers.get("retry-after") for reply in replies if reply.status == 429)
    finally:
        wrong = api.close()
    assert not wrong, "\n".join(wrong)


def test_a_database_that_is_away_is_answered_as_the_document_has_it(alone: NotifyApi, document: openapi.Document) -> None:
    token = f"pnt_{'0' * 16}_{'A' * 43}"
    for one in document.operations():
        reply = alone.ask(one.method, one.path.replace("{", "").replace("}", ""), {} if one.body else None, token)
        document.check(one, reply)
        assert reply.status == 503 or one.path in ("/healthz", "/openapi.json", "/metrics", "/") or one.path.startswith("/web/"), (one, reply)

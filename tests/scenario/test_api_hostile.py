"""Requests of every kind for every route, drawn from the document's schemas: none brings the server to a fault, learns a secret, or
changes anything when it is refused; and every answer is as the document says. On our own tables and on the live product's."""

from __future__ import annotations

import json
import time
from typing import Any, Iterator
from urllib.parse import quote

import hypothesis
import openapi
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sandbox.api import NotifyApi
from served import HOOK, LOGIN
from values import Values

USUAL, LONG = 200, 2000  # requests for each route
SHOWN = 24  # bytes: a key as long as this may be said again, so a shorter text is no secret


class Door:
    """A notify-api before the database, who may ask it, and what must stay hidden."""

    def __init__(self, api: NotifyApi, served: Any) -> None:
        self.api, self.served = api, served
        self.tokens = {scope: served.ctl("token", "create", "--scope", scope, "--json").json()["token"] for scope in ("write", "read")}
        self.tokens["theirs"] = served.ctl("token", "create", "--scope", "write", "--json", workspace=served.theirs).json()["token"]
        self.tokens["wrong"] = self.tokens["write"][:-3] + "AAA"
        self.own = [served.add(name=f"own {number}") for number in range(3)]
        self.theirs = [served.add(workspace=served.theirs)]
        self.document = openapi.load(api.ask("GET", "/openapi.json"))
        self.secrets = {served.key, "config-secret", *(token[21:] for token in self.tokens.values())}
        self.words = json.dumps(self.document.whole, ensure_ascii=False)  # what the document has in it is no secret
        self.checked: set[tuple[Any, ...]] = set()  # answers that were found good: those of some routes are always the same
        self.etag = api.ask("GET", f"/integrations/{self.own[0]}", None, self.tokens["read"]).headers["etag"]
        self._cursor = served.connection.cursor()
        self._last = ""
        self._tables = [f"{schema}.{table}" for schema, table in served.database.query(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'notify') ORDER BY 1, 2")]

    def checksum(self) -> str:
        """Of all rows of all tables, but for when a token was last used."""
        one = "(SELECT coalesce(md5(string_agg((to_jsonb(t) - 'last_used_at')::text, ' ' ORDER BY to_jsonb(t)::text)), '') FROM {} t)"
        self._cursor.execute("SELECT " + " || ' ' || ".join(one.format(table) for table in self._tables))
        self._last = self._cursor.fetchone()[0]
        return self._last

    def last_checksum(self) -> str:
        """The same, as it was the last time: nobody but the API has changed anything since."""
        return self._last or self.checksum()

    def check(self, operation: openapi.Operation, reply: Any) -> None:
        answer = (operation.method, operation.path, reply.status, reply.body)
        if answer not in self.checked:
            self.document.check(operation, reply)
            self.checked.add(answer)

    def keep_some(self) -> None:
        """There is always an integration of our own, and there are never many."""
        self._cursor.execute("DELETE FROM public.integrations WHERE id <> ALL (%s::uuid[])", (self.own + self.theirs,))
        deleted = self._cursor.rowcount
        self._cursor.execute("SELECT array_agg(id::text) FROM public.integrations WHERE id = ANY (%s::uuid[])", (self.own,))
        left = self._cursor.fetchone()[0]
        self.own = left or [self.served.add()]
        if deleted or not left:
            self._last = ""

    def known(self, text: str) -> str:
        """What a text that begins with @ stands for."""
        for mark, value in (("@own", self.own[0]), ("@theirs", self.theirs[0]), ("@target", self.served.targets[0]), ("@foreign", self.served.foreign),
                            ("@etag", self.etag.strip('"'))):
            text = text.replace(mark, value)
        return text

    def put(self, value: Any) -> Any:
        """VALUE with all such texts replaced."""
        if isinstance(value, str):
            return self.known(value)
        if isinstance(value, list):
            return [self.put(one) for one in value]
        return {self.put(name): self.put(one) for name, one in value.items()} if isinstance(value, dict) else value

    def ask(self, operation: openapi.Operation, drawn: dict[str, Any]) -> Any:
        path = operation.path
        for name, word in zip(operation.words, drawn["words"]):
            path = path.replace(f"{{{name}}}", _escaped(self.known(word).replace("/", "-") or "-"))
        query = "&".join(f"{_escaped(name)}={_escaped(self.known(value))}" for name, value in drawn["query"])
        headers = {name: self.known(value).encode("latin-1", "replace").decode("latin-1") for name, value in drawn["headers"].items()}
        body = drawn["body"]
        if isinstance(body, tuple):
            body = json.dumps(self.put(body[0])).encode()
        return self.api.ask(operation.method, path + ("?" + query if query else ""), body, self.tokens.get(drawn["token"]), headers)


def _escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(inner)


def settings_texts(drawn: dict[str, Any], known: str) -> set[str]:
    """Texts that stand in the settings of a request and nowhere else in it, and are no words of ours."""
    body = drawn["body"][0] if isinstance(drawn["body"], tuple) else None
    if not isinstance(body, dict) or "config" not in body:
        return set()
    rest = json.dumps([{name: value for name, value in body.items() if name != "config"}, drawn["words"], drawn["query"], drawn["headers"]], ensure_ascii=False)
    return {text for text in leaves(body["config"]) if len(text) > SHOWN and "@" not in text and text not in rest and text not in known}


@pytest.fixture
def door(served: Any, build: Any, tmp_path: Any) -> Iterator[Door]:
    api = NotifyApi(build / "notify-api", tmp_path / "api", {
        "broker": {"url": "amqp://127.0.0.1:1/%2F"}, "database": {"url": served.database.dsn(LOGIN)}, "secrets": {"fernet_keys": [served.key]},
        "api": {"rate": 100000.0, "role": "notify_api", "tests_burst": 1000, "tests_pause": 0.001}, "log": {"level": "debug"},
        # Settings that are good may lead to a vendor: nothing leaves this machine.
        "delivery": {"timeout": 1.0, "connect_timeout": 1.0, "proxy": "http://127.0.0.1:1"}}).wait_ready()
    yield Door(api, served)
    wrong = api.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def requests(request: pytest.FixtureRequest, tmp_path: Any) -> settings:
    """How many requests there are for a route, and how they are drawn: the same ones each time, but with --long."""
    hypothesis.configuration.set_hypothesis_home_dir(str(tmp_path / "hypothesis"))
    long = request.config.getoption("--long")
    return settings(max_examples=LONG if long else USUAL, deadline=None, database=None, derandomize=not long, print_blob=True,
                    phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck))


def judge(door: Door, operation: openapi.Operation, drawn: dict[str, Any], seen: dict[int, int]) -> None:
    before = door.last_checksum()
    reply = door.ask(operation, drawn)
    seen[reply.status] = seen.get(reply.status, 0) + 1
    assert reply.status < 500, (operation, drawn, reply)
    door.check(operation, reply)
    said = json.dumps(reply.json(), ensure_ascii=False) if reply.body and "json" in reply.headers["content-type"] else reply.body.decode()
    hidden = door.secrets | settings_texts(drawn, door.words)
    assert not [secret for secret in hidden if secret in said], (operation, drawn, reply)
    if reply.status >= 400 or operation.method == "GET":
        assert door.checksum() == before, f"{operation} was answered {reply.status}, and the database is another: {drawn}"
    elif operation.body and isinstance(drawn["body"], tuple):
        faults = door.document.faults(operation.body, door.put(drawn["body"][0]))
        assert not faults, f"{operation} takes what its schema does not: {drawn['body'][0]}: {faults}"
    if reply.status < 400 and operation.method != "GET":
        door.checksum()
    if reply.status == 201 and len(door.own) < 20:
        door.own.append(reply.json()["id"])


def test_no_request_brings_a_fault_a_secret_or_half_a_change(door: Door, requests: settings, request: pytest.FixtureRequest) -> None:
    values = Values(door.document)
    told, answered = [], {}
    for operation in door.document.operations():
        seen: dict[int, int] = {}
        began = time.monotonic()

        @requests
        @given(values.request(operation))
        def run(drawn: dict[str, Any]) -> None:
            door.keep_some()
            judge(door, operation, drawn, seen)

        run()
        answered[f"{operation}"] = seen
        told.append(f"{operation}: {dict(sorted(seen.items()))} {time.monotonic() - began:.0f} s")
        assert sum(seen.values()) >= requests.max_examples, f"{operation} was asked {sum(seen.values())} times only"
    print("\n".join(told))
    for sends in ("POST /integrations/test", "POST /integrations/preview"):
        assert answered[sends].get(200, 0) > 5, f"{sends} was asked with no good settings: {answered[sends]}"
    log = door.api.log.read_text(errors="replace")
    assert not [secret for secret in door.secrets if secret in log], "a secret is in the log"
    assert HOOK not in log

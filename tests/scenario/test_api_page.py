"""The page that notify-api serves to anybody, and what a token is told of itself."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sandbox.api import NotifyApi

WEB = Path(__file__).resolve().parents[2] / "api" / "web"
POLICY = {"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
          "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"}
FILES = {"/": ("text/html", WEB / "index.html"), **{f"/web/{kind}/{path.name}": (type, path) for kind, type in (("css", "text/css"), ("js", "text/javascript"))
                                                   for path in sorted((WEB / kind).glob(f"*.{kind}"))}}


@pytest.fixture
def alone(build: Any, tmp_path: Any, fernet_key: str) -> Any:
    """A notify-api whose database is away: it has its page all the same."""
    api = NotifyApi(build / "notify-api", tmp_path / "alone", {
        "broker": {"url": "amqp://127.0.0.1:1/%2F"}, "database": {"url": "postgresql://nobody@127.0.0.1:1/none", "timeout": 1.0}, "secrets": {"fernet_keys": [fernet_key]}})
    yield api.wait_listening()
    wrong = api.close()
    assert not wrong, "\n".join(wrong)


def test_every_file_is_served_as_it_is_with_its_type_and_a_policy_without_exceptions(alone: NotifyApi) -> None:
    for path, (type, file) in FILES.items():
        plain = alone.ask("GET", path)
        assert (plain.status, plain.body) == (200, file.read_bytes()), path
        assert plain.headers["content-type"] == f"{type}; charset=utf-8" and "content-encoding" not in plain.headers
        assert set(plain.headers["content-security-policy"].split("; ")) == POLICY and plain.headers["x-content-type-options"] == "nosniff"
        packed = alone.ask("GET", path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body and packed.headers["vary"] == "Accept-Encoding"
        assert packed.headers["etag"] != plain.headers["etag"]
        for sent, answer in (({}, plain), ({"Accept-Encoding": "gzip"}, packed)):
            again = alone.ask("GET", path, headers={**sent, "If-None-Match": answer.headers["etag"]})
            assert (again.status, again.body) == (304, b""), path


def test_gzip_is_sent_only_to_those_who_take_it(alone: NotifyApi) -> None:
    for accept, packed in (("gzip", True), ("GZIP", True), ("deflate,gzip", True), ("gzip;q=1.0, *;q=0", True), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False),
                           ("x-gzip", False), ("gzipped", False), ("", False), ("br;q=1.0", False), (",,;=,", False)):
        assert ("content-encoding" in alone.ask("GET", "/", headers={"Accept-Encoding": accept}).headers) == packed, accept


def test_no_other_file_is_there(alone: NotifyApi) -> None:
    for path in ("/web/js/index.html", "/web/css/main.js", "/web/js/nothing.js", "/web/js/..%2Findex.html", "/web/js/%2Fetc%2Fpasswd", "/web/", "/web/js/", "/index.html", "/web/js/main.js/"):
        answer = alone.ask("GET", path)
        assert answer.status == 404 and answer.headers["content-type"] == "application/problem+json", path


def test_the_page_has_the_words_of_the_product_from_the_server(alone: NotifyApi, build: Path) -> None:
    script = alone.ask("GET", "/web/js/lists.js")
    assert script.headers["content-type"].startswith("text/javascript")
    lists = json.loads(re.fullmatch("export default (.*);\n", script.body.decode(), re.DOTALL)[1])
    for name in ("events", "severities", "states", "reasons", "errors", "filters", "event-states"):
        printed = subprocess.run([build / "notifyctl", "--list", name], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 1) for line in printed.splitlines()]
        if name == "reasons":  # with the states behind them
            rows = [(word, help.split(None, 1)[1]) for word, help in rows if help.startswith("reasons ")]
        assert dict(rows) == lists[name], name
    schemas = json.loads(alone.ask("GET", "/openapi.json").body)["components"]["schemas"]
    assert lists["kinds"] == {name.removeprefix("Config."): schema["title"] for name, schema in schemas.items() if name.startswith("Config.")}


def test_the_sources_have_no_markup_made_of_texts_and_no_address_of_another_server() -> None:
    for path in WEB.rglob("*.*"):
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\.style\b.*=|createPolicy|srcdoc", text), path
        addresses = set(re.findall(r"https?://[^\s'\"`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, (path, addresses)
    page = (WEB / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page)


def test_the_sources_are_small_enough_to_read() -> None:
    for path in WEB.rglob("*.*"):
        assert len(path.read_text().splitlines()) < 400, path


def test_a_token_is_told_what_it_is(stage: Any, api: NotifyApi, ctl: Any) -> None:
    def made(*words: str) -> dict[str, Any]:
        return ctl("token", "create", "--workspace", stage.workspace.id, *words, "--json", database={"role": None}).json()

    for words, expires in ((("--scope", "read", "--name", "a \"quoted\" ü"), False), (("--scope", "write", "--name", "w", "--expires", "3600"), True)):
        one = made(*words)
        answer = api.ask("GET", "/token", None, one["token"])
        assert answer.status == 200 and one["token"].split("_")[2] not in answer.body.decode()
        assert answer.json() == {"id": one["token"].split("_")[1], "name": words[3], "scope": words[1], "workspace_id": stage.workspace.id, "expires_at": one["expires_at"]}
        assert (one["expires_at"] is not None) == expires
    assert api.ask("GET", "/token").status == 401


def test_how_each_integration_fares_is_left_out_when_it_is_not_asked_for(stage: Any, api: NotifyApi, ctl: Any) -> None:
    token = ctl("token", "create", "--workspace", stage.workspace.id, "--scope", "read", "--name", "r", "--json", database={"role": None}).json()["token"]
    stage.webhook()
    whole = api.ask("GET", "/stats", None, token).json()
    assert len(whole["integrations"]) == 1 and api.ask("GET", "/stats?integrations=true", None, token).json() == whole
    assert api.ask("GET", "/stats?integrations=false", None, token).json() == {"deliveries": whole["deliveries"]}
    assert api.ask("GET", "/stats?integrations=x", None, token).status == 422

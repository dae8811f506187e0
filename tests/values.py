"""Values drawn from the schemas of the API's document: good ones, nearly good ones, and those of somebody who means harm.

A text that begins with "@" stands for something that is known only when the request is made: see test_api_hostile.
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from hypothesis import strategies as st
from openapi import Document, Operation

ADDRESSES = ["https://127.0.0.1:1/hook", "http://127.0.0.1:1/", "https://[::1]:1/a?b=c", "https://user@127.0.0.1:1/x", "HTTPS://127.0.0.1:1"]
NASTY = [
    "", " ", "\x00", "a\x00b", "\ud800", "'; DROP TABLE integrations; --", "\" OR \"\"=\"", "$1", "%s%n%x", "../../etc/passwd", "<script>alert(1)</script>",
    "{{7*7}}", "\u202e\u200b", "\U0001f600" * 50, "null", "NaN", "-1", "9" * 40, "1e400", "{}", "{a,b}", "a,b", "\\x00", "\\", "\r\nX-Evil: 1", "é" * 200,
    "@own", "@theirs", "@target", "@foreign", "00000000-0000-0000-0000-000000000000", "*", "\"", "W/\"x\"", "x" * 5000,
]
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2**70, 2**70), st.floats(allow_nan=True), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)), max_leaves=8)


class Values:
    def __init__(self, document: Document) -> None:
        self.document = document

    # --- good ones

    def good(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        schema = self.document.resolved(schema)
        if "oneOf" in schema:
            return st.one_of([self.good(one) for one in schema["oneOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "type" not in schema:
            return anything
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return st.one_of([getattr(self, f"_{kind}")(schema) for kind in kinds])

    def _null(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.none()

    def _boolean(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.just(False) if schema.get("not") == {"const": True} else st.booleans()

    def _integer(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.integers(schema.get("minimum", -2**31), schema.get("maximum", 2**31 - 1))

    def _number(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)

    def _string(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 300)
        if schema.get("format") == "uri":
            return st.sampled_from(ADDRESSES)
        if schema.get("format") == "uuid":
            return st.one_of(st.sampled_from(["@own", "@target", "@foreign", "@theirs"]), st.uuids().map(str))
        if schema.get("format") == "date-time":
            return st.sampled_from(["2026-11-23T13:00:00Z", "1999-01-01T00:00:00.123456+02:00"])
        if "pattern" in schema:
            return st.from_regex(re.compile(schema["pattern"], re.ASCII), fullmatch=True).filter(lambda text: least <= len(text) <= most)
        letters = st.characters(blacklist_categories=("Cs", "Cc"))
        usual = st.text(letters, min_size=least, max_size=min(most, 40))
        return st.one_of(usual, usual, st.just("x" * most), st.just("é" * most)) if most <= 3000 else usual

    def _array(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        unique = repr if schema.get("uniqueItems") else None
        return st.lists(self.good(schema["items"]), max_size=min(schema.get("maxItems", 5), 5), unique_by=unique)

    def _object(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        if "allOf" in schema:  # one of the branches "if this member is this word, then"
            plain = {name: value for name, value in schema.items() if name != "allOf"}
            return st.one_of([self._object(self._branch(plain, one["if"], one["then"])) for one in schema["allOf"]])
        if "if" in schema:
            plain = {name: value for name, value in schema.items() if name not in ("if", "then", "else")}
            return st.one_of(self._object(self._branch(plain, schema["if"], schema.get("then", {}))),
                             self._object(self._branch(plain, {}, schema.get("else", {}))))
        properties = schema.get("properties", {})
        if not properties:
            inner = schema.get("additionalProperties", True)
            return st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), self.good(inner) if isinstance(inner, Mapping) else anything, max_size=3)
        required = set(schema.get("required", ()))
        made = {name: self.good(one) for name, one in properties.items()}
        return st.fixed_dictionaries({name: made[name] for name in made if name in required},
                                     optional={name: made[name] for name in made if name not in required})

    @staticmethod
    def _branch(schema: Mapping[str, Any], *parts: Mapping[str, Any]) -> dict[str, Any]:
        """SCHEMA with the properties and the required members of PARTS."""
        properties, required = dict(schema.get("properties", {})), list(schema.get("required", ()))
        for part in parts:
            for name, one in part.get("properties", {}).items():
                properties[name] = {"enum": [one["const"]]} if "const" in one else {**properties.get(name, {}), **one}
            required += part.get("required", ())
        return {**schema, "properties": properties, "required": required}

    # --- others

    def nearly(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        """A good object with one member taken away, added, or put in the place of another value."""
        names = [*self.document.resolved(schema).get("properties", {}), "config.x", "x", ""]

        def spoil(value: Any, name: str, how: str, bad: Any, deep: bool) -> Any:
            if not isinstance(value, dict):
                return bad
            value = dict(value)
            if deep and isinstance(value.get("config"), dict) and value["config"]:
                inner = sorted(value["config"])[len(name) % len(value["config"])]
                value["config"] = spoil(value["config"], inner if how != "add" else inner[:-1], how, bad, False)
            elif how == "take":
                value.pop(name, None)
            else:
                value[name] = bad
            return value

        return st.builds(spoil, self.good(schema), st.sampled_from(names), st.sampled_from(["take", "add", "replace"]), anything, st.booleans())

    def body(self, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        good, nearly = self.good(schema), self.nearly(schema)
        return st.one_of(good, good, good, nearly, nearly, anything, raw_bodies)

    def parameter(self, row: Mapping[str, Any]) -> st.SearchStrategy[str]:
        good = self.good(row["schema"]).map(lambda value: str(value).lower() if isinstance(value, bool) else str(value))
        return st.one_of(good, good, texts)

    def request(self, operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
        """words, query (pairs), headers, body (bytes: as they are; a tuple of one: JSON), token."""
        rows = operation.parameters("query")
        pairs = [st.tuples(st.just(row["name"]), self.parameter(row)) for row in rows]
        known = st.lists(st.one_of(pairs), max_size=len(rows), unique_by=lambda pair: pair[0]) if pairs else st.just([])
        query = st.one_of(known, known, known, known, st.lists(st.one_of(*pairs, st.tuples(texts, texts)), max_size=len(rows) + 1))
        required = st.tuples(*(st.tuples(st.just(row["name"]), self.parameter(row)) for row in rows if row.get("required")))
        bodies = self.body(operation.body).map(lambda body: body if isinstance(body, bytes) else (body,)) if operation.body else (
            st.sampled_from([None] * 9 + [b"{}"]))
        return st.fixed_dictionaries({
            "words": st.tuples(*(st.one_of(st.just("@own"), st.just("@own"), self.parameter(row)) for row in operation.parameters("path"))),
            "query": st.builds(lambda needed, more: [*needed, *(pair for pair in more if pair[0] not in dict(needed))], required, query),
            "headers": st.fixed_dictionaries({}, optional={
                **{row["name"]: header_values for row in operation.parameters("header")},
                "Accept": st.sampled_from(["*/*", "text/html", "application/xml;q=1", "", "nonsense"]), "X-Request-Id": header_values,
                "Content-Type": st.sampled_from(
                    ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] * 4
                    + ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"])}),
            "body": bodies,
            "token": st.sampled_from(["write"] * 16 + ["read", "theirs", "none", "wrong"])})


raw_bodies = st.one_of(st.binary(max_size=60), st.sampled_from([
    b"", b"null", b"[]", b"{", b"{}{}", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"[" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200, b'{"kind":"slack","kind":"jira"}',
    b'{"name":"\xed\xa0\x80"}', b'{"config":{"webhook_url":"\\u0000"}}', b"{'kind': 'slack'}", b'{"enabled": 1e999}', b'{"name": "x", }', b" " * 70000]))
header_values = st.one_of(st.sampled_from(["*", "@etag", '"x"', 'W/"@etag"', "key-1", "key-2", "\xff\xfe", "'", '"a", "b"', "", "x" * 300, "\u00e9"]),
                          st.text(st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f"), max_size=30))

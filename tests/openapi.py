"""The document of the API as tests use it: the rules of OpenAPI 3.1 that it keeps, its operations, and whether an answer is as it says."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from typing import Any, Iterator, Mapping

from jsonschema import Draft202012Validator, FormatChecker, RefResolver

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def _object(required: str, /, **properties: Any) -> dict[str, Any]:
    """An object with these members, and extensions."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False,
            "patternProperties": {"^x-": True}}


def _or_reference(schema: dict[str, Any]) -> dict[str, Any]:
    reference = {"type": "object", "properties": {"$ref": {"type": "string"}, "summary": True, "description": True}, "additionalProperties": False}
    return {"if": {"required": ["$ref"]}, "then": reference, "else": schema}


def _map(schema: dict[str, Any], names: str = "") -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema, "propertyNames": {"pattern": names}}


TEXT = {"type": "string", "minLength": 1}
SCHEMA: dict[str, Any] = {"type": ["object", "boolean"]}  # each is checked by the rules of JSON Schema
MEDIA = _map(_object("schema", schema=SCHEMA, example=True, examples=True), r"^[a-z]+/[a-z0-9.+-]+$")
HEADER = _object("schema", description=TEXT, required={"type": "boolean"}, deprecated={"type": "boolean"}, schema=SCHEMA)
RESPONSE = _or_reference(_object("description", description=TEXT, headers=_map(_or_reference(HEADER)), content=MEDIA))
PARAMETER = _or_reference({
    **_object("name in schema", **{"name": TEXT, "in": {"enum": ["query", "header", "path", "cookie"]}, "description": TEXT,
                                   "required": {"type": "boolean"}, "deprecated": {"type": "boolean"}, "schema": SCHEMA}),
    "if": {"properties": {"in": {"const": "path"}}}, "then": {"properties": {"required": {"const": True}}, "required": ["required"]}})
SECURITY = {"type": "array", "items": _map({"type": "array", "items": TEXT})}
OPERATION = _object(
    "operationId summary responses", operationId=TEXT, summary=TEXT, description=TEXT, deprecated={"type": "boolean"},
    tags={"type": "array", "items": TEXT}, security=SECURITY, parameters={"type": "array", "items": PARAMETER},
    requestBody=_or_reference(_object("content", description=TEXT, required={"type": "boolean"}, content=MEDIA)),
    responses={**_map(RESPONSE, "^([1-5]([0-9][0-9]|XX)|default)$"), "minProperties": 1})
SCHEME = {"oneOf": [_object("type scheme", type={"const": "http"}, scheme=TEXT, bearerFormat=TEXT, description=TEXT),
                    _object("type name in", **{"type": {"const": "apiKey"}, "name": TEXT, "in": {"enum": ["query", "header", "cookie"]}, "description": TEXT})]}
NAMES = "^[a-zA-Z0-9._-]+$"
RULES = _object(
    "openapi info paths", openapi={"pattern": r"^3\.1\.\d+$"},
    info=_object("title version", title=TEXT, version=TEXT, description=TEXT, summary=TEXT),
    servers={"type": "array", "items": _object("url", url=TEXT, description=TEXT)}, security=SECURITY,
    tags={"type": "array", "items": _object("name", name=TEXT, description=TEXT)},
    paths=_map(_object("", parameters={"type": "array", "items": PARAMETER}, summary=TEXT, description=TEXT, **dict.fromkeys(METHODS, OPERATION)), "^/"),
    components=_object("", schemas=_map(SCHEMA, NAMES), responses=_map(RESPONSE, NAMES), parameters=_map(PARAMETER, NAMES),
                       securitySchemes=_map(SCHEME, NAMES), headers=_map(_or_reference(HEADER), NAMES)))


def _is_uuid(value: Any) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value.lower()


def _is_time(value: Any) -> bool:
    """RFC 3339; also a time that somebody has written as infinity is none."""
    return not isinstance(value, str) or bool(datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo)


FORMATS = FormatChecker(formats=())
FORMATS.checks("uuid", raises=ValueError)(_is_uuid)
FORMATS.checks("date-time", raises=ValueError)(_is_time)


class Operation:
    """method, path, row (the document's)."""

    def __init__(self, method: str, path: str, row: Mapping[str, Any]) -> None:
        self.method, self.path, self.row = method.upper(), path, row
        self.words = re.findall(r"{(\w+)}", path)

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [one for one in self.row["parameters"] if one["in"] == place]

    @property
    def scope(self) -> str | None:
        """read or write; None: no token is needed."""
        return self.row["security"][0]["token"][0] if self.row["security"] else None

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of what it takes."""
        return self.row["requestBody"]["content"]["application/json"]["schema"] if "requestBody" in self.row else None


class Document:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.whole = document
        self._resolver = RefResolver("", document)

    def operations(self) -> list[Operation]:
        return [Operation(method, path, row) for path, item in self.whole["paths"].items() for method, row in item.items()]

    def operation(self, method: str, path: str) -> Operation:
        return Operation(method, path, self.whole["paths"][path][method.lower()])

    def resolved(self, row: Any) -> Any:
        return self._resolver.resolve(row["$ref"])[1] if isinstance(row, Mapping) and "$ref" in row else row

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """What of VALUE is not as SCHEMA says."""
        found = Draft202012Validator(schema, resolver=self._resolver, format_checker=FORMATS).iter_errors(value)
        return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in found]

    def schema(self, name: str) -> dict[str, str]:
        return {"$ref": f"#/components/schemas/{name}"}

    # --- answers

    def check(self, operation: Operation, reply: Any) -> None:
        """REPLY (sandbox.api.Reply) is one of those that the document has for the operation."""
        assert str(reply.status) in operation.row["responses"], f"{operation} answers {reply}, which its row does not have"
        assert reply.headers["x-request-id"], reply
        row = self.resolved(operation.row["responses"][str(reply.status)])
        self._check_body(operation, row, reply)
        if reply.status >= 400 and "application/problem+json" in row["content"]:
            problem = reply.json()
            assert problem["status"] == reply.status and problem["request_id"] == reply.headers["x-request-id"], reply
        missing = [name for name, header in row.get("headers", {}).items() if header.get("required") and name.lower() not in reply.headers]
        assert not missing, f"{operation}: {reply} has no {missing}"
        for name in ("etag", "location", "link"):
            known = {header.lower() for header in row.get("headers", {})}
            assert name not in reply.headers or name in known or reply.status == 304, f"{operation} has a header {name} that its row does not have"

    def _check_body(self, operation: Operation, row: Mapping[str, Any], reply: Any) -> None:
        if "content" not in row:
            assert reply.body == b"" and "content-type" not in reply.headers, f"{operation}: {reply}"
            return
        (kind, media), = row["content"].items()
        assert reply.headers["content-type"].split(";")[0] == kind, f"{operation}: {reply}"
        value = reply.json() if kind.endswith("json") else reply.body.decode()
        faults = self.faults(media["schema"], value)
        assert not faults, f"{operation} answers {reply}, but {faults}"


def nodes(value: Any, place: str = "#") -> Iterator[tuple[str, Any]]:
    """Every object and list in VALUE, with its place."""
    yield place, value
    for name, inner in value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ():
        yield from nodes(inner, f"{place}/{name}")


def schemas(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The roots of all JSON Schemas in the document, with their places."""
    for name, schema in document["components"]["schemas"].items():
        yield f"#/components/schemas/{name}", schema
    for place, node in nodes({"paths": document["paths"], "responses": document["components"]["responses"]}):
        if isinstance(node, Mapping) and "schema" in node and "/properties/" not in place:
            yield f"{place}/schema", node["schema"]


def broken_rules(document: Mapping[str, Any]) -> list[str]:
    """What in the document OpenAPI 3.1 does not allow."""
    wrong = [f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in Draft202012Validator(RULES).iter_errors(document)]
    for place, schema in schemas(document):
        wrong += [f"{place}: {error.message[:200]}" for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema)]
    used = set()
    for place, node in nodes(document):
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if isinstance(reference, str):
            used.add(reference)
            try:
                RefResolver("", document).resolve(reference)
            except Exception as error:  # whatever a resolver raises, the reference leads nowhere
                wrong.append(f"{place}: {reference} leads nowhere: {error}")
    wrong += [f"nothing refers to the schema {name}" for name in document["components"]["schemas"] if f"#/components/schemas/{name}" not in used]
    whole = Document(document)
    ids = [operation.row["operationId"] for operation in whole.operations()]
    wrong += [f"{name} is the id of two operations" for name in ids if ids.count(name) > 1]
    for operation in whole.operations():
        named = [(one["in"], one["name"]) for one in operation.row["parameters"]]
        wrong += [f"{operation} has {one} twice" for one in named if named.count(one) > 1]
        if sorted(operation.words) != sorted(name for place, name in named if place == "path"):
            wrong.append(f"{operation} does not describe the words of its path")
        schemes = {name for need in operation.row["security"] for name in need}
        wrong += [f"{operation} needs {name}, which is no scheme" for name in schemes - set(document["components"]["securitySchemes"])]
    return wrong


def load(reply: Any) -> Document:
    return Document(json.loads(reply.body))

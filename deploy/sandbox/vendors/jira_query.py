"""What Jira says when it refuses a request, and its query language, as much of it as a client of ours needs: the rest is refused."""

from __future__ import annotations

import json
import re
from typing import Any, Callable

from ..answers import Answer


class Refused(Exception):
    """What Jira answers instead of taking the request."""

    def __init__(self, status: int, message: str = "", headers: tuple[tuple[str, str], ...] = (), **errors: str) -> None:
        super().__init__(f"{status} {message} {errors}")
        body = json.dumps({"errorMessages": [message] if message else [], "errors": errors}).encode()
        self.answer = Answer(status=status, headers=(("Content-Type", "application/json"), *headers), body=body)


JQL = re.compile(r"""\s*(?:"((?:[^"\\]|\\["\\])*)"|([()=~])|([\w.-]+))""")


class Jql:
    """(project = X | labels = X | description ~ X), joined by AND and OR, perhaps in parentheses, and ORDER BY created."""

    def __init__(self, text: str, projects: set[str], plain: Callable[[Any], str]) -> None:
        self.tokens: list[tuple[str, bool]] = []  # the second says that it was quoted
        self.projects, self.plain = projects, plain
        at = 0
        while text[at:].strip():
            found = JQL.match(text, at)
            if not found:
                raise Refused(400, f"Error in the JQL Query at character {at}.")
            self.tokens.append((re.sub(r"\\(.)", r"\1", found[1]), True) if found[1] is not None else (found[2] or found[3], False))
            at = found.end()
        if self._is("order"):
            raise Refused(400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
        self.matches = self._either()
        self.newest_first = self._order()
        if self.tokens:
            raise Refused(400, f"Error in the JQL Query: Expecting operator but got '{self.tokens[0][0]}'.")

    def _is(self, word: str) -> bool:
        return bool(self.tokens) and not self.tokens[0][1] and self.tokens[0][0].lower() == word

    def _take(self, *words: str) -> str:
        if not self.tokens or (words and not any(self._is(word) for word in words)):
            raise Refused(400, "Error in the JQL Query: " + (f"'{self.tokens[0][0]}' is not expected." if self.tokens else "it ends too early."))
        return self.tokens.pop(0)[0]

    def _either(self) -> Callable[[Any], bool]:
        parts = [self._both()]
        while self._is("or"):
            self._take()
            parts.append(self._both())
        return lambda issue: any(part(issue) for part in parts)

    def _both(self) -> Callable[[Any], bool]:
        parts = [self._clause()]
        while self._is("and"):
            self._take()
            parts.append(self._clause())
        return lambda issue: all(part(issue) for part in parts)

    def _clause(self) -> Callable[[Any], bool]:
        if self._is("("):
            self._take()
            inside = self._either()
            self._take(")")
            return inside
        name = self._take("project", "labels", "description").lower()
        self._take("~" if name == "description" else "=")
        if self.tokens and not self.tokens[0][1] and self.tokens[0][0].lower() in ("and", "or", "order", "(", ")", "=", "~"):
            raise Refused(400, "Error in the JQL Query: a value is missing, or is a reserved word.")
        value = self._take()
        if name == "project" and value not in self.projects:
            raise Refused(400, f"The value '{value}' does not exist for the field 'project'.")
        if name == "project":
            return lambda issue: issue.key.rpartition("-")[0] == value
        if name == "labels":
            return lambda issue: value in issue.fields.get("labels", [])
        return lambda issue: _words(value) <= _words(self.plain(issue.fields.get("description", "")))

    def _order(self) -> bool:
        if not self.tokens:
            return True
        self._take("order"), self._take("by"), self._take("created")
        return bool(self.tokens) and self._take("asc", "desc").lower() == "desc"


def _words(plain: str) -> set[str]:
    return set(re.findall(r"\w+", plain.lower()))

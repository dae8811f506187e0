"""What the demo's receivers got, as they understand it: which delivery a request belongs to, and whether to believe it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Sequence

from . import demo_slack
from .vendors import slack
from .demo_case import Hook
from .demo_expect import Expectation
from .demo_rule import DEAD, DELIVERED, WAITING, Retry, ending
from .receiver import Request
from .signatures import BadSignature, verify_signatures


@dataclass
class Receipt:
    """A request and what it was answered. WRONG is empty when it can be trusted."""

    hook: Hook | None
    at: float
    wall: float
    status: int
    message_id: str = ""  # header webhook-id; Slack gets none
    event_id: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    pause: float = 0.0  # seconds until the next attempt, if it is to be tried again
    wrong: str = ""

    @property
    def state(self) -> str:
        return ending(self.status)[0]

    @property
    def delivery(self) -> tuple[str, str]:
        """Event and integration."""
        return self.event_id, self.hook.id if self.hook else ""


class Inbox:
    """All receipts in the order of their arrival."""

    def __init__(self, hooks: Sequence[Hook], expected: Expectation, retry: Retry) -> None:
        self.receipts: list[Receipt] = []
        self._hooks, self._expected, self._retry = {hook.path: hook for hook in hooks}, expected, retry
        self._read = {"webhook": self._read_webhook, "slack": self._read_slack}

    def add(self, request: Request) -> Receipt:
        hook = self._hooks.get(request.path)
        r = Receipt(hook, request.at, request.wall, request.answered, request.header.get("webhook-id", ""))
        if hook is None or request.method != "POST":
            r.wrong = f"{request.method} {request.path} is no address of an integration"
        else:
            self._read[hook.kind](r, hook, request)
        if not r.wrong:
            r.attempt = 1 + sum(earlier.delivery == r.delivery for earlier in self.good())
            r.pause = self._retry.pause(r.attempt) if r.state == WAITING else 0.0
        self.receipts.append(r)
        return r

    def good(self) -> list[Receipt]:
        return [r for r in self.receipts if not r.wrong]

    def by_delivery(self) -> dict[tuple[str, str], list[Receipt]]:
        found: dict[tuple[str, str], list[Receipt]] = {}
        for r in self.good():
            found.setdefault(r.delivery, []).append(r)
        return found

    def ended(self, state: str) -> set[tuple[str, str]]:
        """The deliveries whose last answer leaves them in STATE."""
        return {delivery for delivery, attempts in self.by_delivery().items() if attempts[-1].state == state}

    def unfinished(self) -> set[tuple[str, str]]:
        """The expected deliveries that are neither delivered nor dead yet."""
        return self._expected.deliveries() - self.ended(DELIVERED) - self.ended(DEAD)

    def _read_webhook(self, r: Receipt, hook: Hook, request: Request) -> None:
        try:
            verify_signatures(request.header, request.body, hook.secret)
            r.body = json.loads(request.body)
            r.event_id = str(r.body.get("id", ""))
        except BadSignature as error:
            r.wrong = str(error)
        except ValueError as error:
            r.wrong = f"the body is no JSON: {error}"

    def _read_slack(self, r: Receipt, hook: Hook, request: Request) -> None:
        try:
            r.body = slack.check(request)
        except slack.Refused as refused:
            r.wrong = f"Slack would refuse the message with {refused}"
            return
        ended = self.ended(DELIVERED) | self.ended(DEAD)
        told = [event for event, call in self._expected.calls.items()
                if self._expected.fires(event, hook.id) and demo_slack.tells(r.body, call)]
        told.sort(key=lambda event: (event, hook.id) in ended)  # two events may read alike: the one that is still to come
        if told:
            r.event_id = told[0]
        else:
            r.wrong = f"{hook.name} was told \"{demo_slack.fallback(r.body)}\", and no event for it reads like that"

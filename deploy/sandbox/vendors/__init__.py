"""Vendors that the receiver can play, each as strict as its documentation.

Each module says in words of its own what its vendor's documents say, and knows nothing of how notifyd makes a request:

    check(request)    the message in it; Refused when the vendor would not take it
    answer(request)   what the vendor answers
    live(message)     what in it would be more than text to whoever sees it: mentions, links, markup; must be none

A request is anything with `method`, `path` (with its query), `header` (by lower-cased name) and `body`.
"""

from __future__ import annotations

from types import ModuleType

from . import google_chat, slack, teams

VENDORS: dict[str, ModuleType] = {"slack": slack, "teams": teams, "google_chat": google_chat}

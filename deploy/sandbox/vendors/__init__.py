"""Vendors that the receiver can play, each as strict as its documentation.

Each module says in words of its own what its vendor's documents say, and knows nothing of how notifyd makes a request:

    check(request)    the message in it; Refused when the vendor would not take it
    answer(request)   what the vendor answers
    live(message)     what in it would be more than text to whoever sees it: mentions, links, markup; must be none

A request is anything with `method`, `path` (with its query), `header` (by lower-cased name) and `body`.
"""

from __future__ import annotations

from types import ModuleType

from . import discord, github, google_chat, jira, opsgenie, pagerduty, slack, splunk, teams, webhook

VENDORS: dict[str, ModuleType] = {
    "discord": discord, "github": github, "google_chat": google_chat, "jira": jira, "opsgenie": opsgenie, "pagerduty": pagerduty,
    "slack": slack, "splunk": splunk, "teams": teams, "webhook": webhook}

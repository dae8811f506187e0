"""Vendors that the receiver can play: what each answers depends on the request."""

from __future__ import annotations

from typing import Callable

from . import slack
from .answers import Answer

# method, headers by lower-cased name, body
VENDORS: dict[str, Callable[[str, dict[str, str], bytes], Answer]] = {"slack": slack.answer}

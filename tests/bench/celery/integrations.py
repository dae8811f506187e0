"""The integrations of a workspace, read at most once a second, their filters, and their settings, decrypted once."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, NamedTuple

from cryptography.fernet import Fernet, MultiFernet

from facts import SEVERITIES, Database, Facts

_LIFE = 1.0  # seconds that a workspace's rows are believed
_SELECT = """
    SELECT id, enabled, target_ids::text[], events, target_kinds, severity_filter, config_encrypted
      FROM public.integrations WHERE workspace_id = %s AND kind = 'webhook' ORDER BY id"""


class Integration(NamedTuple):
    id: str
    enabled: bool
    target_ids: list[str] | None
    events: list[str] | None
    target_kinds: Any
    severity_filter: str
    sealed: bytes

    def passes(self, event_type: str, facts: Facts) -> bool:
        """In the order of docs/destinations/webhook.md: empty lists are all targets and all events, but no kind."""
        if not self.enabled:
            return False
        if self.target_ids and facts.target["id"] not in self.target_ids:
            return False
        if self.events and event_type not in self.events:
            return False
        kinds = self.target_kinds
        if kinds is not None and not (isinstance(kinds, list) and facts.target["kind"] in kinds):
            return False
        least = SEVERITIES.get(self.severity_filter.lower(), SEVERITIES["high"])
        return facts.finding is None or facts.severity >= least


class Settings(NamedTuple):
    url: str
    headers: list[str]  # as lines
    secret: bytes | None
    key: bytes | None  # the secret as Standard Webhooks means it


class Integrations:
    def __init__(self, database: Database, keys: list[str]) -> None:
        self._database, self._fernet = database, MultiFernet([Fernet(key) for key in keys])
        self._rows: dict[str, tuple[float, list[Integration]]] = {}
        self._settings: dict[bytes, Settings] = {}

    def of(self, workspace_id: str) -> list[Integration]:
        read_at, rows = self._rows.get(workspace_id, (0.0, []))
        now = time.monotonic()
        if not read_at or now - read_at > _LIFE:
            rows = [Integration(*row[:-1], bytes(row[-1] or b"")) for row in self._database.execute(_SELECT, (workspace_id,))]
            self._rows[workspace_id] = (now, rows)
        return rows

    def settings(self, integration: Integration) -> Settings:
        settings = self._settings.get(integration.sealed)
        if settings is None:
            settings = self._settings[integration.sealed] = self._open(integration.sealed)
        return settings

    def _open(self, sealed: bytes) -> Settings:
        config = json.loads(self._fernet.decrypt(sealed))
        if list(config) == ["config"] and isinstance(config["config"], str):
            config = json.loads(config["config"])
        secret = config.get("hmac_secret") or config.get("webhook_secret")
        key = secret and secret.encode()
        if secret and secret.startswith("whsec_"):
            text = secret.removeprefix("whsec_")
            key = base64.b64decode(text + "=" * (-len(text) % 4))
        further = [f"{name}: {value}" for name, value in config.get("headers", {}).items()]
        return Settings(config["webhook_url"], further, secret.encode() if secret else None, key or None)

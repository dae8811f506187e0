"""What scenarios import by name, and what several of them ask for; most fixtures are in tests/stage.py."""

from pathlib import Path

import pytest

from ctl import Notifyctl
from stage import Stage, balance, dead_letters, migrate

__all__ = ["Stage", "balance", "dead_letters", "migrate"]


@pytest.fixture
def offline(build: Path, tmp_path: Path, fernet_key: str) -> Notifyctl:
    """A notifyctl whose servers are not there."""
    return Notifyctl(build / "notifyctl", tmp_path, {
        "broker": {"url": "amqp://u:broker-secret@127.0.0.1:1"}, "database": {"url": "postgresql://u:database-secret@127.0.0.1:1/d"},
        "secrets": {"fernet_keys": [fernet_key]}})

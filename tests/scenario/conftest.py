"""What scenarios import by name; the fixtures themselves are in tests/stage.py."""

from stage import Stage, balance, dead_letters, migrate

__all__ = ["Stage", "balance", "dead_letters", "migrate"]

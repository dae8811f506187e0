"""What scenarios import by name; the fixtures themselves are in tests/stage.py."""

from stage import Stage, dead_letters, migrate

__all__ = ["Stage", "dead_letters", "migrate"]

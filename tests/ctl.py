"""notifyctl as a test calls it: its configuration file, a call, its answer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Mapping

import pytest
from sandbox.daemon import conf_text, merged

ROOT = Path(__file__).resolve().parent.parent
Database = Any  # conftest's; importing it from there would name two modules at once

_OVERRIDES = ("AMQP_URL", "DATABASE_URL", "FERNET_KEY")


class Answer:
    """code, out, err; lines of `check` by their first word."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- standard output\n{self.out}--- standard error\n{self.err}"

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self, verdict: str) -> list[str]:
        """What `check` says is "ok", "FAIL" or "note", without that word."""
        return [line[5:] for line in self.out.splitlines() if line[:5].rstrip() == verdict]


class Notifyctl:
    """ctl("check", database={"role": "x"}) runs `notifyctl -c FILE check` with that setting over the defaults."""

    def __init__(self, program: Path, folder: Path, settings: Mapping[str, Any]) -> None:
        self.program, self.folder, self.settings = program, folder, settings
        self._files = 0

    def conf(self, **changes: Any) -> Path:
        self._files += 1
        path = self.folder / f"ctl-{self._files}.conf"
        path.write_text(conf_text(merged(self.settings, changes)))
        return path

    def start(self, *words: str, env: Mapping[str, str] | None = None, **changes: Any) -> subprocess.Popen[str]:
        outside = {name: value for name, value in os.environ.items() if name not in _OVERRIDES}
        return subprocess.Popen([self.program, "-c", self.conf(**changes), *words], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                env={**outside, **(env or {})})

    @staticmethod
    def finish(process: subprocess.Popen[str], stdin: str = "", timeout: float = 60) -> Answer:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"notifyctl did not end within {timeout} s: {out}{err}") from None
        return Answer(process.returncode, out, err)

    def __call__(self, *words: str, stdin: str = "", timeout: float = 60, **options: Any) -> Answer:
        return self.finish(self.start(*words, **options), stdin, timeout)


def make_ctl(build: Path, folder: Path, broker_url: str, dsn: str, key: str) -> Notifyctl:
    """Under the workers' role; see run_roles."""
    return Notifyctl(build / "notifyctl", folder, {
        "broker": {"url": broker_url}, "database": {"url": dsn, "role": "notify_worker"}, "secrets": {"fernet_keys": [key]}})


def run_roles(database: Database) -> None:
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(ROOT / "schema" / "roles.sql"), database.url], check=True)


def on_stage(build: Path, folder: Path, stage: Any) -> Notifyctl:
    """A notifyctl on the stage's servers, with the rights of the workers."""
    run_roles(stage.database)
    return make_ctl(build, folder, stage.broker_url, stage.database.url, stage.key)


@pytest.fixture
def ctl(build: Path, tmp_path: Path, stage: Any) -> Notifyctl:
    return on_stage(build, tmp_path, stage)

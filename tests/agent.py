"""notify-mcp as an agent's program starts it, and what a test says to it: lines of JSON-RPC over its standard input and output."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from sandbox.api import NotifyApi

NEWEST = "2025-11-25"
LOCAL = {"delivery": {"timeout": 5.0, "allow_networks": ["127.0.0.0/8"], "allow_http": True}}


class Agent:
    """A notify-mcp under way: ask() is answered, tell() is not, tool() is the result of a call."""

    def __init__(self, program: Path, words: list[Any], log: Path, env: dict[str, str]) -> None:
        self.log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFY_")}
        with open(log, "wb") as err:
            self.process = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, env={**inherited, **env})
        self.expected_exit: int | None = 0
        self.told: list[dict[str, Any]] = []  # notifications that came while something else was waited for
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._next_id = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def send(self, line: bytes | str) -> None:
        self.process.stdin.write(line if isinstance(line, bytes) else line.encode())
        self.process.stdin.flush()

    def receive(self, timeout: float = 30) -> Any:
        """The next message; None: it has closed its end."""
        line = self._lines.get(timeout=timeout)
        if line is None:
            return None
        assert line.endswith(b"\n") and json.loads(line)["jsonrpc" if line.startswith(b"{") else 0], line
        return json.loads(line)

    def begin(self, method: str, params: Any = None) -> int:
        self._next_id += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self._next_id, "method": method, **({} if params is None else {"params": params})}) + "\n")
        return self._next_id

    def answer(self, number: Any, timeout: float = 30) -> dict[str, Any]:
        while True:
            message = self.receive(timeout)
            assert message is not None, self.log.read_text()
            if message.get("id") == number and "method" not in message:
                return message
            self.told.append(message)

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        return self.answer(self.begin(method, params))

    def tell(self, method: str, params: Any = None) -> None:
        self.send(json.dumps({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})}) + "\n")

    def initialize(self, version: str = NEWEST) -> dict[str, Any]:
        said = self.ask("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}})
        self.tell("notifications/initialized")
        return said["result"]

    def tools(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.ask("tools/list")["result"]["tools"]}

    def call(self, name: str, /, **arguments: Any) -> int:
        return self.begin("tools/call", {"name": name, "arguments": arguments})

    def tool(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        said = self.answer(self.call(name, **arguments))
        assert "result" in said, said
        return said["result"]

    def good(self, name: str, /, **arguments: Any) -> Any:
        """What it found: the same as structure and as text."""
        result = self.tool(name, **arguments)
        assert result["isError"] is False, result
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def refused(self, name: str, /, **arguments: Any) -> str:
        result = self.tool(name, **arguments)
        assert result["isError"] is True and len(result["content"]) == 1, result
        return result["content"][0]["text"]

    def close(self, timeout: float = 10) -> int:
        """As a client that leaves; the exit status."""
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        return self.process.wait(timeout)

    def end(self) -> list[str]:
        """What is wrong with how it ended."""
        try:
            code = self.close()
        except subprocess.TimeoutExpired:
            self.process.kill()
            return [f"it did not end when its client left: {self.log.read_text()[-2000:]}"]
        self._reader.join(10)
        said = self.log.read_text(errors="replace")
        wrong = [f"it ended with {code}: {said[-2000:]}"] if self.expected_exit not in (None, code) else []
        return wrong + [f"a sanitizer spoke: {said[-4000:]}" for word in ("Sanitizer", "runtime error") if word in said]


@pytest.fixture
def api_token(ctl: Any, stage: Any) -> Callable[..., str]:
    """api_token(scope) makes one for the stage's workspace."""
    def make(scope: str = "write", workspace: str | None = None) -> str:
        return ctl("token", "create", "--workspace", workspace or stage.workspace.id, "--scope", scope, "--json",
                   database={"role": None}).json()["token"]

    return make


@pytest.fixture
def local_api(notify_api: Callable[..., NotifyApi]) -> NotifyApi:
    """One that may send to the receiver."""
    return notify_api(LOCAL)


@pytest.fixture
def agent(build: Path, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """agent(url, token, *words) starts one and initializes it; version=None: it does not."""
    started: list[Agent] = []

    def start(url: str | None, token: str | None, *words: Any, version: str | None = NEWEST, env: dict[str, str] | None = None) -> Agent:
        one = Agent(build / "notify-mcp", [*(["--api-url", url] if url else []), *words], tmp_path / f"mcp-{len(started)}.log",
                    {**({"NOTIFY_TOKEN": token} if token is not None else {}), **(env or {})})
        started.append(one)
        if version:
            one.initialize(version)
        return one

    yield start
    wrong = [line for one in started for line in one.end()]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def wait_ended(agent: Agent, timeout: float = 10) -> int:
    deadline = time.monotonic() + timeout
    while agent.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return agent.process.returncode

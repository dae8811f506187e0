"""notify-api as a child, and a client of it."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any, Mapping

from .daemon import Notifyd, merged
from .processes import StartError, tail, wait_until


class Reply:
    """status, headers (names in lower case), body; json() of it."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self) -> str:
        return f"{self.status} {self.headers} {self.body!r}"

    def json(self) -> Any:
        return json.loads(self.body)


class NotifyApi(Notifyd):
    """Started by the constructor on a port of the kernel's."""

    def __init__(self, program: str | Path, folder: str | Path, settings: Mapping[str, Any], **options: Any) -> None:
        super().__init__(program, folder, merged({"api": {"listen": "127.0.0.1:0"}}, settings), **options)
        self.port = 0
        self.tls: ssl.SSLContext | None = None  # what its clients trust; None: it speaks HTTP
        if settings.get("api", {}).get("certificate_file"):
            self.tls = ssl.create_default_context(cafile=settings["api"]["certificate_file"])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def wait_ready(self, timeout: float = 20, count: int | None = None) -> "NotifyApi":
        deadline = time.monotonic() + timeout
        while True:
            said = self.events("api_listening")
            if said:
                self.port = int(said[0]["port"])
                if self.ask("GET", "/readyz").status == 200:
                    return self
            if not self.alive():
                raise StartError(f"notify-api ended with {self._child.exit_code()}; its log ends:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise StartError(f"notify-api is not ready in {timeout:g} s; its log ends:\n{tail(self.log)}")
            time.sleep(0.02)

    def wait_listening(self, timeout: float = 20) -> "NotifyApi":
        """It answers, ready or not."""
        wait_until(lambda: self.events("api_listening") or not self.alive(), timeout, "notify-api does not listen")
        if not self.alive():
            raise StartError(f"notify-api ended with {self._child.exit_code()}; its log ends:\n{tail(self.log)}")
        self.port = int(self.events("api_listening")[0]["port"])
        return self

    def connect(self, timeout: float = 20) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, headers: Mapping[str, str] | None = None,
            timeout: float = 20) -> Reply:
        """BODY as JSON, or bytes as they are."""
        sent = dict(headers or {})
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

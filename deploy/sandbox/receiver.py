"""An HTTP/1.1 receiver for deliveries: keeps what arrives, answers what it is told to.

`Receiver` runs in a thread of this process, which suits tests; `ReceiverProcess` is the same thing in a process of its own
with the same methods, for measurements and for the demo. Answers are scripted per path, a list in turn whose last one repeats:

    receiver.script("/hook", Answer(status=503), Answer(status=429, headers=(("Retry-After", "2"),)), Answer())

A path that ends in * stands for all that begin like it and have no script of their own; "*" is there from the start. The parser knows what HTTP clients really send
(Content-Length, chunked, Expect: 100-continue, pipelining) and is small because it must keep up with thousands a second.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from dataclasses import replace
from typing import Callable

from .answers import OK, Answer
from .signatures import BadSignature, verify_signatures
from .vendors import VENDORS

__all__ = ["Answer", "BadSignature", "Receiver", "Request", "verify_signatures"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request:
    """One request as it arrived. `headers` keeps order and case, `header` is a dict by lower-cased name (last one wins).

    `answered` is the status that the receiver decided on, 0 when it is to send none.
    """

    __slots__ = ("at", "wall", "method", "path", "headers", "body", "connection", "peer", "answered", "_header")

    def __init__(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes, connection: int,
                 peer: tuple, at: float | None = None, wall: float | None = None, answered: int = 0) -> None:
        self.at = time.monotonic() if at is None else at
        self.wall = time.time() if wall is None else wall
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.connection, self.peer, self.answered = connection, peer, answered
        self._header: dict[str, str] | None = None

    @property
    def header(self) -> dict[str, str]:
        if self._header is None:
            self._header = {name.lower(): value for name, value in self.headers}
        return self._header

    def __repr__(self) -> str:
        return f"<{self.method} {self.path} {len(self.body)} bytes on connection {self.connection}>"


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: "Receiver") -> None:
        self.receiver = receiver
        self.buffer = bytearray()
        self.answering: asyncio.Task | None = None
        self.continued = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.peer = transport.get_extra_info("peername")
        self.receiver.connections += 1
        self.number = self.receiver.connections
        self.receiver._open.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.receiver._open.discard(self)
        if self.answering:
            self.answering.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.advance()

    def advance(self) -> None:
        while self.answering is None and self.buffer:
            try:
                request = self._parse()
            except (ValueError, IndexError) as error:
                self.receiver.broken.append(f"{error!r}: {bytes(self.buffer[:200])!r}")
                self.transport.write(Answer(400, close=True, body=b"bad request").wire())
                self.transport.close()
                self.buffer.clear()
                return
            if request is None:
                return
            answer = self.receiver._arrived(request)
            if answer.delay or answer.held or answer.instead or answer.drip or answer.endless or answer.stall:
                self.answering = asyncio.ensure_future(self._answer_slowly(answer))
                return
            self.transport.write(answer.wire())
            if answer.closes:
                self.transport.close()
                return

    def _parse(self) -> Request | None:
        """Takes one whole request off the buffer, or None when there is none yet."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        length, chunked, expects = 0, False, False
        for name, value in headers:
            name = name.lower()
            if name == "content-length":
                length = int(value)
            elif name == "transfer-encoding":
                chunked = value.lower() == "chunked"
            elif name == "expect":
                expects = True
        start = end + 4
        if chunked:
            whole = _take_chunks(self.buffer, start)
        else:
            whole = (bytes(self.buffer[start : start + length]), start + length) if len(self.buffer) >= start + length else None
        if whole is None:
            if expects and not self.continued:
                self.continued = True
                self.transport.write(_CONTINUE)
            return None
        self.continued = False
        del self.buffer[: whole[1]]
        return Request(method, path, headers, whole[0], self.number, self.peer)

    async def _answer_slowly(self, answer: Answer) -> None:
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.held:
            await self.receiver._released.wait()
        if answer.instead == "hang":
            await asyncio.Event().wait()
        elif answer.instead == "reset":
            _reset(self.transport)
            return
        elif answer.instead == "close":
            self.transport.close()
            return
        if answer.drip:
            for byte in answer.wire():
                self.transport.write(bytes((byte,)))
                await asyncio.sleep(answer.drip)
        else:
            self.transport.write(answer.wire())
        if answer.stall:
            await asyncio.Event().wait()
        while answer.endless and not self.transport.is_closing():
            if self.transport.get_write_buffer_size() < 1 << 20:
                self.transport.write(b"x" * 65536)
            await asyncio.sleep(answer.drip or 0)
        if answer.closes:
            self.transport.close()
            return
        self.answering = None
        self.advance()


def _take_chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while True:
        line = buffer.find(b"\r\n", start)
        if line < 0:
            return None
        size = int(bytes(buffer[start:line]).split(b";")[0], 16)
        start = line + 2 + size + 2
        if len(buffer) < start:
            return None
        if size == 0:
            return bytes(body), start
        body += buffer[line + 2 : line + 2 + size]


def _reset(transport: asyncio.Transport) -> None:
    """Ends the connection with a TCP reset: a close with linger 0."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Receiver:
    """Listens from the constructor on, until stop()."""

    def __init__(self, *, keep: bool = True, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0,
                 on_request: Callable[[Request], None] | None = None) -> None:
        """Without KEEP requests are only counted. ON_REQUEST is called in the receiver's thread and must be quick."""
        self.connections = 0
        self.broken: list[str] = []  # what could not be parsed
        self._keep, self._on_request, self._tls = keep, on_request, tls
        self._scripts: dict[str, list[Answer]] = {"*": [OK]}
        self._all: list[Request] = []
        self._counts: dict[str, int] = {}
        self._open: set[_Connection] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self), host, port, ssl=tls, backlog=1024))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"receiver:{self.port}", daemon=True)
        self._thread.start()

    def url(self, path: str = "/") -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    def script(self, path: str, *answers: Answer) -> None:
        """Replaces the script of PATH ("*": of every path without one). No answers: back to the default."""
        with self._changed:
            if answers:
                self._scripts[path] = list(answers)
            elif path == "*":
                self._scripts["*"] = [OK]
            else:
                self._scripts.pop(path, None)

    def requests(self, path: str | None = None) -> list[Request]:
        with self._changed:
            return [r for r in self._all if path is None or r.path == path]

    def count(self, path: str | None = None) -> int:
        with self._changed:
            return self._count(path)

    def wait_for(self, count: int, path: str | None = None, timeout: float = 30) -> list[Request]:
        """Returns as soon as COUNT requests (or more) are there; TimeoutError says how many came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._count(path) >= count, timeout):
                raise TimeoutError(f"{self._count(path)} of {count} requests at {path or 'any path'} in {timeout:g} s"
                                   f" (all paths: {self._counts}; unreadable: {self.broken[:3]})")
        return self.requests(path)

    def clear(self) -> None:
        """Forgets the requests; scripts and connections stay."""
        with self._changed:
            self._all.clear()
            self._counts.clear()
            self.broken.clear()

    def release(self) -> None:
        """Lets the answers go that are held, and those that would be."""
        self._loop.call_soon_threadsafe(self._released.set)

    def drop_connections(self) -> None:
        """Closes every open connection, as a restarting server would."""
        def close_all() -> None:
            for connection in list(self._open):
                connection.transport.abort()
        self._loop.call_soon_threadsafe(close_all)

    def open_connections(self) -> int:
        return len(self._open)

    def stop(self) -> None:
        if not self._thread.is_alive():
            return

        def end() -> None:
            self._server.close()
            for connection in list(self._open):
                connection.transport.abort()
            self._loop.call_later(0.01, self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- inside

    def _count(self, path: str | None) -> int:
        return sum(self._counts.values()) if path is None else self._counts.get(path, 0)

    def _script_of(self, path: str) -> list[Answer]:
        """The path's own; else that of the longest of its beginnings that has one ("/rest/*"); "*" is every path's."""
        return self._scripts.get(path) or self._scripts[
            max((name for name in self._scripts if name.endswith("*") and path.startswith(name[:-1])), key=len)]

    def _arrived(self, request: Request) -> Answer:
        with self._changed:
            script = self._script_of(request.path)
            answer = script.pop(0) if len(script) > 1 else script[0]
            if answer.like:
                vendor = VENDORS[answer.like] if isinstance(answer.like, str) else answer.like
                answer = replace(vendor.answer(request), delay=answer.delay, held=answer.held, instead=answer.instead)
            request.answered = 0 if answer.instead else answer.status
            if self._keep:
                self._all.append(request)
            self._counts[request.path] = self._counts.get(request.path, 0) + 1
            self._changed.notify_all()
        if self._on_request:
            self._on_request(request)
        return answer

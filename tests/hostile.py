"""Servers that misbehave on the wire: what one cannot tell sandbox.receiver to do."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Callable


class Silent:
    """An address whose port takes no more connections and refuses none: its backlog is full."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = socket.socket()
        self._listener.bind((address, port))
        self.port = self._listener.getsockname()[1]
        self._listener.listen(0)
        self._fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, self.port))
            self._fillers.append(filler)

    def close(self) -> None:
        for one in (*self._fillers, self._listener):
            one.close()

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RawServer:
    """Takes connections, reads one request from each and then lets a function write what it likes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._ways: dict[str, Callable[[socket.socket], None]] = {}
        threading.Thread(target=self._accept, name="raw-server", daemon=True).start()

    def url(self, path: str, way: Callable[[socket.socket], None] | bytes) -> str:
        """A URL at which WAY happens; bytes are written before the connection is closed."""
        self._ways[path] = way if callable(way) else lambda s: s.sendall(way)
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                data = connection.recv(65536)
                if data.startswith(b"\x16\x03"):  # TLS: answered as an HTTP server does
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length:" in line)
                while len(body) < length:
                    body += connection.recv(65536)
                self._ways[head.split(b" ")[1].decode()](connection)
            except OSError:
                pass  # the other side had enough


def endlessly(start: bytes, again: bytes) -> Callable[[socket.socket], None]:
    def way(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(again)
    return way


def slowly(text: bytes, pause: float) -> Callable[[socket.socket], None]:
    def way(connection: socket.socket) -> None:
        for byte in text:
            connection.sendall(bytes((byte,)))
            time.sleep(pause)
    return way


def reset_after(text: bytes) -> Callable[[socket.socket], None]:
    def way(connection: socket.socket) -> None:
        connection.sendall(text)
        time.sleep(0.1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return way

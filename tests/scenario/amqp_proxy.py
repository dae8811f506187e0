"""A proxy before RabbitMQ that sees frames: it can make the way long, count who waits for whom, and change what passes.

    with AmqpProxy(rabbit.port, delay=0.03) as proxy:
        daemon = notifyd({"broker": {"url": proxy.url(stage.broker_url)}})
        proxy.links[0].turns       # how often that client had to wait for an answer before it went on
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from typing import Callable, Iterator

METHOD, HEADER, BODY = 1, 2, 3
Change = Callable[["Link", bool, bytes], bytes]


class Link:
    """One client's connection."""

    def __init__(self) -> None:
        self.opened = time.monotonic()
        self.turns = 0
        self.talks = "server"  # who spoke last, as the client sees it


class AmqpProxy:
    def __init__(self, port: int, delay: float = 0.0, change: Change | None = None) -> None:
        """DELAY in seconds for each direction. CHANGE(link, to_server, frame) returns what is passed on instead."""
        self.links: list[Link] = []
        self._server, self._delay, self._change = port, delay, change or (lambda link, to_server, frame: frame)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        return url.replace(f":{self._server}/", f":{self.port}/")

    def close(self) -> None:
        for one in (self._listener, *self._sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def __enter__(self) -> "AmqpProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self._sockets += [client, server]
                link = Link()
                self.links.append(link)
                for to_server, source, sink in ((True, client, server), (False, server, client)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    due: queue.Queue = queue.Queue()
                    threading.Thread(target=self._read, args=(link, to_server, source, due), daemon=True).start()
                    threading.Thread(target=self._write, args=(link, to_server, sink, due), daemon=True).start()
        except OSError:
            pass  # closed

    def _read(self, link: Link, to_server: bool, source: socket.socket, due: queue.Queue) -> None:
        try:
            for frame in frames(source, 8 if to_server else 0):
                if to_server and link.talks == "server":
                    link.turns, link.talks = link.turns + 1, "client"
                due.put((time.monotonic() + self._delay, self._change(link, to_server, frame)))
        except OSError:
            pass
        due.put((time.monotonic() + self._delay, None))

    def _write(self, link: Link, to_server: bool, sink: socket.socket, due: queue.Queue) -> None:
        try:
            while True:
                at, frame = due.get()
                time.sleep(max(0.0, at - time.monotonic()))
                if frame is None:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if not to_server:
                    link.talks = "server"
                sink.sendall(frame)
        except OSError:
            pass


def frames(source: socket.socket, greeting: int) -> Iterator[bytes]:
    """Whole frames as they come, after GREETING bytes of the protocol's header."""
    data, wanted = b"", greeting
    while True:
        while wanted and len(data) >= wanted:
            yield data[:wanted]
            data, wanted = data[wanted:], 0
        if not wanted and len(data) >= 7:
            wanted = 8 + struct.unpack_from(">I", data, 3)[0]
            continue
        piece = source.recv(65536)
        if not piece:
            return
        data += piece

"""A TCP proxy in front of a server, for tests that need a network with a will of its own."""

from __future__ import annotations

import socket
import threading


class Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.head = b""  # the first bytes from the client, where protocols say who they are


class Proxy:
    """Passes everything on. A subclass overrides `pass_on`, which may wait, and may raise OSError to cut the line."""

    HEAD = 4096

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        """Called with each piece before it is sent, in a thread per direction."""

    def close(self) -> None:
        self._listener.close()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                link = Link(client)
                for source, sink, to_server in ((client, server, True), (server, client, False)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pump, args=(source, sink, link, to_server), daemon=True).start()
        except OSError:
            pass  # closed

    def _pump(self, source: socket.socket, sink: socket.socket, link: Link, to_server: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if to_server and len(link.head) < self.HEAD:
                    link.head += data
                self.pass_on(link, to_server, data)
                sink.sendall(data)
        except OSError:
            pass  # cut, or the other side closed
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already


class Cuttable(Proxy):
    """A way that can be cut: each connection ends in the middle of what it carries; new ones are taken."""

    def __init__(self, port: int) -> None:
        self._links: set[Link] = set()
        super().__init__(port)

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        self._links.add(link)

    def cut(self) -> None:
        for link in self._links:
            try:
                link.client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was cut before
        self._links = set()

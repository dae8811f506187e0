"""A link with the MTU of Ethernet, which can be cut without a word, between notifyd and any of its servers or receivers.

    with far.Link() as link:
        url = link.beyond(stage.broker_url)             # the broker, at the other end
        link.here(database.server.port, receiver.port)  # loopback ports that notifyd needs
        daemon = notifyd({"broker": {"url": url}}, wrapper=link.wrapper)
        link.cut()
        link.heal()

Two network namespaces with a pair of interfaces between them; neither this machine's interfaces nor its addresses are touched,
and both namespaces go with the processes that hold them. Reno is the only congestion control that every kernel has; under it, as
under Linux's usual one, a send buffer stays as small as it began while little is sent. Sockets belong to the namespace in which they were made, so that
threads of this process carry bytes between the namespaces and the machine's own loopback.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from sandbox.processes import Child, wait_until

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_ADDRESSES = ("192.0.2.1", "192.0.2.2")  # of notifyd's end and of the other
NETWORK = "192.0.2.0/24"


def trouble() -> str | None:
    """Why this machine does not let us make such a link; None when it does."""
    made = subprocess.run(["unshare", "-n", "ip", "link", "add", "here", "type", "veth", "peer", "name", "there"],
                          capture_output=True, text=True)
    return made.stderr.strip() if made.returncode else None


class Link:
    ADDRESS = _ADDRESSES[1]  # of the other end

    def __init__(self, folder: Path) -> None:
        self._ends = [Child(["unshare", "-n", "sleep", "infinity"], log=folder / f"namespace-{i}.log") for i in (1, 2)]
        self._sockets: list[socket.socket] = []
        for end in self._ends:
            wait_until(lambda e=end: os.readlink(f"/proc/{e.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 5,
                       "a network namespace")
        self._ip(0, "link", "add", "far", "type", "veth", "peer", "name", "far", "netns", str(self._ends[1].pid))
        for i, address in enumerate(_ADDRESSES):
            self._ip(i, "link", "set", "lo", "up")
            self._ip(i, "addr", "add", f"{address}/30", "dev", "far")
            self._ip(i, "link", "set", "far", "mtu", "1500", "up")
            self._run(i, "sh", "-c", "echo reno >/proc/sys/net/ipv4/tcp_congestion_control")
        self.wrapper = ("nsenter", "-t", str(self._ends[0].pid), "-n")

    def beyond(self, url: str) -> str:
        """What URL leads to on this machine's loopback, as it is called from notifyd's end."""
        port = int(re.search(r"127\.0\.0\.1:(\d+)/", url)[1])  # type: ignore[index]
        self._carry(1, (_ADDRESSES[1], port), port)
        return url.replace("127.0.0.1:", f"{_ADDRESSES[1]}:")

    def here(self, *ports: int) -> None:
        for port in ports:
            self._carry(0, ("127.0.0.1", port), port)

    def cut(self) -> None:
        """From now on nothing arrives, in either direction, and nobody is told."""
        self._ip(1, "link", "set", "far", "down")

    def heal(self) -> None:
        self._ip(1, "link", "set", "far", "up")

    def close(self) -> None:
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
        for end in self._ends:
            end.kill()

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside

    def _run(self, end: int, *words: str) -> None:
        subprocess.run(["nsenter", "-t", str(self._ends[end].pid), "-n", *words], check=True)

    def _ip(self, end: int, *words: str) -> None:
        self._run(end, "ip", *words)

    def _within(self, end: int, make: Callable[[], socket.socket]) -> socket.socket:
        """What MAKE makes in the namespace of END: a thread may go there alone, and this one never comes back."""
        made: list[Any] = []

        def run() -> None:
            handle = os.open(f"/proc/{self._ends[end].pid}/ns/net", os.O_RDONLY)
            try:
                if _libc.setns(handle, _CLONE_NEWNET) != 0:
                    made.append(OSError(ctypes.get_errno(), "setns"))
                else:
                    made.append(make())
            finally:
                os.close(handle)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]

    def _carry(self, end: int, address: tuple[str, int], port: int) -> None:
        listener = self._within(end, lambda: socket.create_server(address, backlog=1024))
        self._sockets.append(listener)
        threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        try:
            while True:
                near, _ = listener.accept()
                own = socket.create_connection(("127.0.0.1", port))
                self._sockets += [near, own]
                for one in (near, own):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink in ((near, own), (own, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()
        except OSError:
            pass  # closed

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    why = trouble()
    if why:
        pytest.skip(f"no network namespace with a pair of interfaces: {why}")
    with Link(tmp_path) as made:
        yield made

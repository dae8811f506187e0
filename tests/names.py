"""A name server of the test's own, and a place where notifyd asks no other one.

    with NameServer({"hook.test": ["127.0.0.1"]}) as names:
        daemon = notifyd(settings, wrapper=names.wrapper(tmp_path, hosts="127.0.0.9 listed.test"))
        names.answer("hook.test", ["10.0.0.1"])      # from now on
        names.asked("hook.test")                     # how often its addresses were asked for

The wrapper gives notifyd a mount namespace with its own /etc/resolv.conf and /etc/hosts; nothing of it is seen outside. A
name without an entry does not exist; FAIL and SILENT are what a broken server says.
"""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import struct
import threading
from pathlib import Path

A, AAAA = 1, 28
FAIL, SILENT = "fail", "silent"
_NXDOMAIN, _SERVFAIL = 3, 2


class NameServer:
    def __init__(self, names: dict[str, list[str] | str] | None = None) -> None:
        self._names = dict(names or {})
        self._late: dict[str, float] = {}
        self._asked: list[tuple[str, int]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = self._bind()
        self._ended = False
        self._thread = threading.Thread(target=self._serve, name="names", daemon=True)
        self._thread.start()

    def _bind(self) -> str:
        """Resolvers only ask port 53; loopback has addresses enough for every test that runs on this machine."""
        for _ in range(50):
            address = f"127.53.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
            try:
                self._socket.bind((address, 53))
                return address
            except OSError:
                continue
        raise RuntimeError("no loopback address with a free port 53")

    def answer(self, name: str, addresses: list[str] | str) -> None:
        """From now on NAME has ADDRESSES (of both families, in this order), or is FAIL or SILENT."""
        self._names[name] = addresses

    def delay(self, name: str, seconds: float) -> None:
        """From now on whoever asks for NAME waits for so long."""
        self._late[name] = seconds

    def asked(self, name: str) -> int:
        """Questions for the IPv4 addresses of NAME so far."""
        return self._asked.count((name, A))

    def wrapper(self, folder: Path, hosts: str = "") -> tuple[str, ...]:
        folder.mkdir(parents=True, exist_ok=True)
        files = {"/etc/resolv.conf": f"nameserver {self.address}\noptions timeout:1 attempts:1\n",
                 "/etc/hosts": f"127.0.0.1 localhost\n{hosts}\n", "/etc/nsswitch.conf": "hosts: files dns\n"}
        mounts = []
        for path, text in files.items():
            ours = folder / path.rsplit("/", 1)[1]
            ours.write_text(text)
            mounts.append(f"mount --bind '{ours}' {os.path.realpath(path)}")
        return ("unshare", "-m", "sh", "-c", " && ".join(mounts) + ' && exec "$@"', "sh")

    def stop(self) -> None:
        self._ended = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nudge:
            nudge.sendto(b"", (self.address, 53))
        self._thread.join(5)
        self._socket.close()

    def __enter__(self) -> "NameServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- inside

    def _serve(self) -> None:
        while True:
            question, peer = self._socket.recvfrom(4096)
            if self._ended:
                return
            reply, late = self._reply(question)
            if reply and late:
                threading.Timer(late, self._send, (reply, peer)).start()
            elif reply:
                self._send(reply, peer)

    def _send(self, reply: bytes, peer: tuple[str, int]) -> None:
        try:
            self._socket.sendto(reply, peer)
        except OSError:
            pass  # closed meanwhile

    def _reply(self, question: bytes) -> tuple[bytes | None, float]:
        """And how many seconds later it is to be sent."""
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind, = struct.unpack_from(">H", question, at + 1)
        name = ".".join(labels).lower()
        self._asked.append((name, kind))
        addresses = self._names.get(name)
        late = self._late.get(name, 0.0)
        if addresses == SILENT:
            return None, late
        code = _SERVFAIL if addresses == FAIL else 0 if addresses is not None else _NXDOMAIN
        records = b""
        count = 0
        for address in addresses if code == 0 else ():
            packed = ipaddress.ip_address(address).packed
            if {4: A, 16: AAAA}[len(packed)] == kind:
                records += struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed
                count += 1
        head = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, count, 0, 0)
        return head + question[12 : at + 5] + records, late

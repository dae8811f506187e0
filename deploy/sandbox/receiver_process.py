"""The receiver in a process of its own, so that a busy test or benchmark does not slow it down.

`ReceiverProcess` is used like `Receiver`. The two talk over a socket pair: one JSON object per line each way. By itself:

    PYTHONPATH=deploy /usr/bin/python3 -m sandbox.receiver_process --fd N
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import json
import os
import socket
import sys
import time
from pathlib import Path

from .answers import Answer
from .processes import Child
from .receiver import Receiver, Request


def _pack_request(r: Request) -> dict:
    return {"method": r.method, "path": r.path, "headers": r.headers, "body": base64.b64encode(r.body).decode(),
            "connection": r.connection, "peer": r.peer, "at": r.at, "wall": r.wall, "answered": r.answered}


def _unpack_request(packed: dict) -> Request:
    return Request(packed["method"], packed["path"], [tuple(pair) for pair in packed["headers"]],
                   base64.b64decode(packed["body"]), packed["connection"], tuple(packed["peer"]), packed["at"], packed["wall"],
                   packed["answered"])


def _pack_answer(answer: Answer) -> dict:
    packed = {f.name: getattr(answer, f.name) for f in dataclasses.fields(answer) if f.init}
    return {**packed, "body": base64.b64encode(answer.body).decode()}


def _unpack_answer(packed: dict) -> Answer:
    return Answer(**{**packed, "body": base64.b64decode(packed["body"]),
                     "headers": tuple(tuple(pair) for pair in packed["headers"])})


class ReceiverProcess:
    """Like Receiver; the monotonic times of its requests compare with ours (one clock for the whole machine)."""

    def __init__(self, *, keep: bool = True, log: Path | int = 2) -> None:
        ours, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        root = Path(__file__).resolve().parent.parent
        words = ["/usr/bin/python3", "-m", "sandbox.receiver_process", "--fd", str(theirs.fileno()),
                 *([] if keep else ["--count-only"])]
        self._child = Child(words, log=log, env={**os.environ, "PYTHONPATH": str(root)}, keep_fds=(theirs.fileno(),))
        theirs.close()
        self.pid = self._child.pid
        self._lines = ours.makefile("rwb")
        ours.close()
        self.port: int = self._ask("port")

    def _ask(self, order: str, **values: object) -> object:
        self._lines.write(json.dumps({"order": order, **values}).encode() + b"\n")
        self._lines.flush()
        line = self._lines.readline()
        if not line:
            raise RuntimeError("the receiver process ended")
        return json.loads(line)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def script(self, path: str, *answers: Answer) -> None:
        self._ask("script", path=path, answers=[_pack_answer(answer) for answer in answers])

    def count(self, path: str | None = None) -> int:
        return self._ask("count", path=path)  # type: ignore[return-value]

    def requests(self, path: str | None = None) -> list[Request]:
        return [_unpack_request(packed) for packed in self._ask("requests", path=path)]  # type: ignore[union-attr]

    def wait_for(self, count: int, path: str | None = None, timeout: float = 30) -> list[Request]:
        deadline = time.monotonic() + timeout
        while self.count(path) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.count(path)} of {count} requests at {path or 'any path'} in {timeout:g} s")
            time.sleep(0.01)
        return self.requests(path)

    def clear(self) -> None:
        self._ask("clear")

    def stop(self) -> None:
        self._lines.close()
        self._child.stop(timeout=5)

    def __enter__(self) -> "ReceiverProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _serve(receiver: Receiver, lines: object) -> None:
    for line in lines:  # type: ignore[attr-defined]
        order = json.loads(line)
        name, path = order["order"], order.get("path")
        reply: object = None
        if name == "port":
            reply = receiver.port
        elif name == "count":
            reply = receiver.count(path)
        elif name == "requests":
            reply = [_pack_request(request) for request in receiver.requests(path)]
        elif name == "script":
            receiver.script(path, *map(_unpack_answer, order["answers"]))
        elif name == "clear":
            receiver.clear()
        lines.write(json.dumps(reply).encode() + b"\n")  # type: ignore[attr-defined]
        lines.flush()  # type: ignore[attr-defined]


def main() -> int:
    options = argparse.ArgumentParser(description="a receiver for deliveries, ordered about over a socket")
    options.add_argument("--fd", type=int, required=True, help="the socket on which orders come; its end is our end")
    options.add_argument("--count-only", action="store_true", help="count requests without keeping them")
    chosen = options.parse_args()
    with socket.socket(fileno=chosen.fd) as orders, Receiver(keep=not chosen.count_only) as receiver:
        _serve(receiver, orders.makefile("rwb"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

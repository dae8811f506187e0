"""What the receiver can be told to answer: the good, the slow and the hostile."""

from __future__ import annotations

import gzip as _gzip
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer. The defaults are a plain, immediate 200 on a connection that is kept."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    delay: float = 0.0  # seconds before the first byte
    held: bool = False  # not before release() of the receiver
    close: bool = False  # close the connection after the answer
    instead: str = ""  # "close", "reset" or "hang": do that and send nothing
    drip: float = 0.0  # seconds between single bytes of the whole answer
    endless: bool = False  # after the body, more of it until the peer goes away
    stall: bool = False  # the last byte never comes, and the connection stays open
    huge_headers: int = 0  # bytes of further header lines
    content_length: int | None = None  # a claim that may be false; when it is, the connection closes after the body
    # Answer as this vendor (vendors/) answers the request: its name, or what has its own answer(request) and remembers what it was asked
    # before. Of the other fields, only those that say when and whether the answer is sent are then of use.
    like: Any = ""
    gzip: bool = False  # the body is sent compressed; a bomb is `Answer(body=bytes(50_000_000), gzip=True)`
    _wire: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def wire(self) -> bytes:
        """The bytes of the answer; made once, as tests send the same one thousands of times."""
        if not self._wire:
            self._wire.append(self._encode())
        return self._wire[0]

    def _encode(self) -> bytes:
        body = _gzip.compress(self.body, 6) if self.gzip else self.body
        names = {name.lower() for name, _ in self.headers}
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if "content-type" not in names:
            lines.append("Content-Type: text/plain")
        if self.gzip:
            lines.append("Content-Encoding: gzip")
        if not self.endless and "content-length" not in names and self.status != 204:
            lines.append(f"Content-Length: {len(body) + self.stall if self.content_length is None else self.content_length}")
        if self.closes:
            lines.append("Connection: close")
        while self.huge_headers > sum(len(line) + 2 for line in lines):
            lines.append(f"X-Filler-{len(lines)}: {'f' * 900}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if self.status == 204 else body)

    @property
    def closes(self) -> bool:
        return self.close or self.endless or self.content_length is not None


OK = Answer()

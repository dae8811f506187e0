"""A program on a terminal of its own, as a person sits before it: what it shows, what is typed, what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from typing import Any, Mapping, Sequence


class Terminal:
    """Terminal(["prog", "word"]) starts it; `shown` is everything that came so far."""

    def __init__(self, words: Sequence[Any], *, lines: int = 40, columns: int = 120, env: Mapping[str, str] | None = None, cwd: Any = None) -> None:
        self.ours, theirs = pty.openpty()
        self.resize(lines, columns)
        self.shown = ""
        self.before = termios.tcgetattr(theirs)
        self._theirs = os.dup(theirs)  # so that its settings can be read when the program has left
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "AMQP_URL", "DATABASE_URL", "FERNET_KEY")}
        self.process = subprocess.Popen([str(word) for word in words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd,
                                        start_new_session=True, env={**plain, "TERM": "xterm-256color", **(env or {})},
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds: float) -> None:
        """Take what comes within SECONDS."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.ours], [], [], left)[0]:
                return
            try:
                self.shown += os.read(self.ours, 65536).decode(errors="replace")
            except OSError:
                return

    def wait(self, pattern: str, timeout: float = 20) -> "re.Match[str]":
        """Until PATTERN has been shown since the last call; what stands up to its end is then taken off `shown`."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.shown, re.S)):
            assert time.monotonic() < end, f"{pattern!r} was not shown: {self.shown!r}"
            self.read(0.05)
        self.shown = self.shown[found.end():]
        return found

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def end(self, timeout: float = 20) -> int:
        """Wait for its end, reading on; its exit status."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it did not end: {self.shown!r}"
            self.read(0.02)
        self.read(0.05)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

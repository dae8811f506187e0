"""Children that cannot outlive us, and ports that nobody can take from us.

Three promises that the servers in this package are built on:
- a child dies with this Python process, also when that is killed with -9 (PR_SET_PDEATHSIG);
- stopping a child ends everything it started as well, and nothing else: a process is known by pid *and* start time, so a
  reused pid is never signalled;
- a port chosen here stays ours while the server on it is down (HeldPort).
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Callable, Iterable, NamedTuple

MARKER = "NOTIFY_SANDBOX_ID"  # an environment variable by which children are found after their parent is gone
_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: nothing may be imported between fork and exec
_PR_SET_PDEATHSIG = 1


class StartError(RuntimeError):
    """A server did not come up; the text ends with the last lines of its log."""


class Process(NamedTuple):
    pid: int
    start: int  # clock ticks after boot: with the pid it names one process for ever
    parent: int
    state: str
    name: str

    @property
    def alive(self) -> bool:
        now = process(self.pid)
        return now is not None and now.start == self.start and now.state not in "ZX"

    def signal(self, number: int) -> None:
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


def process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return Process(pid, int(fields[19]), int(fields[1]), fields[0], name)


def processes() -> dict[int, Process]:
    found = (process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return {p.pid: p for p in found if p is not None and p.state not in "ZX"}


def descendants(pid: int) -> list[Process]:
    """Children, their children and so on; PID itself is not in the list."""
    everything = processes()
    found: list[Process] = []
    parents = {pid}
    while parents:
        children = [p for p in everything.values() if p.parent in parents and p not in found]
        found += children
        parents = {p.pid for p in children}
    return found


def marked(mark: str) -> list[Process]:
    """Every process whose environment carries MARK, wherever in the tree it hangs by now."""
    wanted = f"{MARKER}={mark}".encode()
    found = []
    for p in processes().values():
        try:
            if wanted in Path(f"/proc/{p.pid}/environ").read_bytes().split(b"\0"):
                found.append(p)
        except OSError:
            pass
    return found


def wait_until(condition: Callable[[], object], timeout: float, what: str, every: float = 0.02) -> object:
    """Polls CONDITION until it is true and returns its value; TimeoutError names WHAT did not happen."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(every)


def tail(path: Path, lines: int = 30) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(no log: {error})"


class HeldPort:
    """A loopback port that stays reserved while nothing listens on it.

    A socket that is bound with SO_REUSEADDR but does not listen keeps the kernel from handing the port to anybody who asks
    for "any port", and still lets a server that names the port (and sets SO_REUSEADDR, as all servers do) listen on it.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        self._socket.close()


def listening(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


# PR_SET_PDEATHSIG fires when the *thread* that forked ends, so all children come from one thread that lives as long as we do.
_spawner = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="spawner")
_spawner_lock = threading.Lock()


class Child:
    """One process we started, with everything that it starts."""

    def __init__(self, argv: Iterable[str | Path], *, log: Path | int, env: dict[str, str] | None = None,
                 cwd: str | Path | None = None, user: str | None = None, keep_fds: tuple[int, ...] = ()) -> None:
        """LOG gets standard output and error. USER needs root. KEEP_FDS stay open in the child."""
        self.argv = [str(word) for word in argv]
        self.mark = uuid.uuid4().hex
        self._known: dict[tuple[int, int], Process] = {}
        account = pwd.getpwnam(user) if user else None
        parent = os.getpid()

        def before_exec() -> None:
            if account:
                os.setgroups([])
                os.setgid(account.pw_gid)
                os.setuid(account.pw_uid)  # clears the death signal, therefore before prctl
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        def spawn() -> subprocess.Popen:
            sink = log if isinstance(log, int) else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                return subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd, preexec_fn=before_exec,
                    env={**(os.environ if env is None else env), MARKER: self.mark}, start_new_session=True,
                    pass_fds=keep_fds)
            finally:
                if not isinstance(log, int):
                    os.close(sink)

        with _spawner_lock:
            self.popen = _spawner.submit(spawn).result()
        self.pid = self.popen.pid
        self.process = process(self.pid) or Process(self.pid, 0, parent, "?", "")

    def exit_code(self) -> int | None:
        """None while it runs; negative: ended by that signal."""
        return self.popen.poll()

    def family(self) -> list[Process]:
        """The process and all it started that are alive now, also those that lost their parent since."""
        for p in [self.process, *descendants(self.pid), *marked(self.mark)] if self.exit_code() is None else marked(self.mark):
            self._known[p.pid, p.start] = p
        self._known = {key: p for key, p in self._known.items() if p.alive}
        return list(self._known.values())

    def wait(self, timeout: float) -> int:
        """Waits for the process itself; subprocess.TimeoutExpired when it takes longer."""
        return self.popen.wait(timeout)

    def stop(self, signals: Iterable[int] = (signal.SIGTERM,), timeout: float = 30) -> int:
        """Sends the signals in turn, TIMEOUT seconds each, then SIGKILL; returns when the whole family is gone."""
        self.family()
        for number in signals:
            self.process.signal(number)
            try:
                self.wait(timeout)
                break
            except subprocess.TimeoutExpired:
                self.family()
        try:
            wait_until(lambda: not self.family(), 1, "helpers end by themselves")
        except TimeoutError:
            pass
        return self.kill()

    def kill(self) -> int:
        """SIGKILL for the whole family; returns when it is gone, with the exit code of the first process."""
        deadline = time.monotonic() + 10
        while True:
            family = self.family()
            for p in family:
                p.signal(signal.SIGKILL)
            self.exit_code()
            if not family:
                return self.wait(1)
            if time.monotonic() > deadline:
                raise RuntimeError(f"could not kill {family}")
            time.sleep(0.01)

    def freeze(self) -> None:
        """SIGSTOP for the whole family, the first process before the others so that none is born meanwhile."""
        self.process.signal(signal.SIGSTOP)
        for p in self.family():
            p.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        for p in reversed(self.family()):
            p.signal(signal.SIGCONT)

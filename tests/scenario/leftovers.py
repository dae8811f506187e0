"""What a run that should have left nothing has left: processes, and the ports on which they listen."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.processes import processes


def listening_ports(pids: list[int]) -> dict[int, str]:
    """The TCP ports on which these processes listen, and the command line of the process."""
    inodes = {}
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                link = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes[link[8:-1]] = pid
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found[int(fields[1].rsplit(":", 1)[1], 16)] = command_line(inodes[fields[9]])
    return found


def command_line(pid: int) -> str:
    """The environment included: some servers name their folder only there."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace")


def processes_that_name(folder: Path) -> list[str]:
    """Whoever their parent is by now."""
    named = ((pid, command_line(pid)) for pid in processes() if pid != os.getpid())
    return [f"{pid}: {words}" for pid, words in named if str(folder) in words]

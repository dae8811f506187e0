"""Our programs for a run of their own: built in the checkout's build folder, then copied away from it.

The build folder belongs to whoever works on this checkout: they may have configured it with another generator or build type,
and tests/run or a second demo may be building at this moment. So its configuration is kept, building is done under the lock
that tests/run uses too, and what we run is a copy that no later build replaces.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from pathlib import Path
from typing import Callable, Mapping

from .processes import Child, StartError, tail

PROGRAMS = {name: name for name in ("notifyd", "notify-api", "notifyctl")}  # targets, and where below the build folder they are


def build_programs(root: Path, into: Path, pause: Callable[[float], None], programs: Mapping[str, str] = PROGRAMS) -> Path:
    """Builds, and copies the programs to the folder INTO; returns it. PAUSE sleeps, and raises when we are to stop."""
    build, log = root / "build", into.with_suffix(".log")
    build.mkdir(exist_ok=True)
    into.mkdir()
    with open(build / ".lock", "w") as lock:
        _take_turn(lock.fileno(), pause)
        _drop_foreign_cache(build, root)
        if not (build / "build.ninja").exists() and not (build / "Makefile").exists():
            generator = [] if (build / "CMakeCache.txt").exists() else ["-G", "Ninja"]
            _run(["cmake", "-S", root, "-B", build, *generator], log, pause)
        _run(["cmake", "--build", build, "--parallel", str(os.cpu_count() or 1), "--target", *programs], log, pause)
        for name, path in programs.items():
            shutil.copy2(build / path, into / name)
    return into


def _take_turn(descriptor: int, pause: Callable[[float], None]) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pause(0.1)


def _drop_foreign_cache(build: Path, root: Path) -> None:
    """A cache that belongs to another folder (the checkout was moved or copied) cannot be built in."""
    cache = build / "CMakeCache.txt"
    home = f"CMAKE_HOME_DIRECTORY:INTERNAL={root}"
    if cache.exists() and not re.search(f"^{re.escape(home)}$", cache.read_text(errors="replace"), re.MULTILINE):
        for name in ("CMakeCache.txt", "build.ninja", "Makefile"):
            (build / name).unlink(missing_ok=True)
        shutil.rmtree(build / "CMakeFiles", ignore_errors=True)


def _run(words: list[str | Path], log: Path, pause: Callable[[float], None]) -> None:
    child = Child(words, log=log)
    try:
        while child.exit_code() is None:
            pause(0.05)
    finally:
        code = child.exit_code()
        child.stop(timeout=10)
    if code != 0:
        raise StartError(f"{' '.join(map(str, words[:3]))} ended with {code}; it said:\n{tail(log, 40)}")

"""The formatters and the linter argue about layout and habits, so that people need not.

They look at every C file and every JavaScript module of the project, committed or not. clang-tidy is slow, so a file that was found clean is remembered
under the build folder by the hash of all that its result can depend on, and a repeat is a matter of a second. Its slowest part,
the static analyzer, looks less far into long functions unless it is given time with --long.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

import npm

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("common", "worker", "api", "tests")


@functools.lru_cache
def sources(suffixes: tuple[str, ...] = (".c", ".h")) -> list[Path]:
    listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-coz", "--exclude-standard", "--", *PARTS],
                             capture_output=True, text=True) if (ROOT / ".git").exists() else None
    if listing and listing.returncode == 0:
        found = {ROOT / name for name in listing.stdout.split("\0") if name}
    else:  # an unpacked archive, or a checkout that git refuses to read for this user
        found = {path for part in PARTS for path in (ROOT / part).rglob("*")}
    return sorted(path for path in found if path.suffix in suffixes and path.is_file())


def test_every_c_file_is_formatted() -> None:
    files = sources()
    assert files, "no C files found"
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True, cwd=ROOT)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line})
    assert done.returncode == 0, f"run clang-format -i on: {' '.join(wrong) or done.stderr}"


@pytest.mark.ci
def test_every_javascript_module_is_formatted() -> None:
    files = sources((".js", ".mjs"))
    assert files, "no JavaScript found"
    prettier = Path(npm.environment(ROOT / "tests" / "node" / "format")["NODE_PATH"]) / "prettier" / "bin" / "prettier.cjs"
    done = subprocess.run(["node", prettier, "--check", *files], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"run it with --write for:\n{done.stderr}"


def _commands(build: Path) -> dict[str, str]:
    """What each file is compiled with; a file that is not part of the build is checked with the plain flags."""
    path = build / "compile_commands.json"
    assert path.exists(), f"{path} is missing: configure with -DCMAKE_EXPORT_COMPILE_COMMANDS=ON"
    return {entry["file"]: entry.get("command") or " ".join(entry["arguments"]) for entry in json.loads(path.read_text())}


def _hash(*pieces: str | bytes) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        data = piece.encode() if isinstance(piece, str) else piece
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _tidy(path: Path, build: Path, command: str | None, options: list[str]) -> str:
    """What clang-tidy has to say; nothing when the file is clean."""
    words = ["clang-tidy", "--quiet", "--warnings-as-errors=*", "--extra-arg=-Wno-unknown-warning-option", *options, str(path)]
    words += ["-p", str(build)] if command else ["--", "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT}"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}"


@pytest.mark.idle
@pytest.mark.ci
def test_the_linter_has_nothing_to_say(build: Path, pytestconfig: pytest.Config) -> None:
    commands = _commands(build)
    files = [path for path in sources((".c",))]
    assert files, "no C files found"
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    settings = b"".join(path.read_bytes() for path in [ROOT / ".clang-tidy"] if path.exists())
    everywhere = _hash(version, settings, *(path.read_bytes() for path in sources((".h",))))
    memory = build / "lint"
    memory.mkdir(exist_ok=True)

    # Nodes of a function's graph that are looked at: by default 225,000, which takes four times as long.
    most = "--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=40000"
    options = [] if pytestconfig.getoption("--long") else most.split()

    def check(path: Path) -> str:
        command = commands.get(str(path))
        note = memory / _hash(everywhere, path.read_bytes(), str(path), command or "", *options)
        if note.exists():
            note.touch()
            return ""
        complaint = _tidy(path, build, command, options)
        if not complaint:
            note.touch()
        return complaint

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(check, files) if text]
    _forget_old(memory, keep=20 * len(files))
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


def _forget_old(memory: Path, keep: int) -> None:
    def age(note: Path) -> float:
        try:
            return note.stat().st_mtime
        except FileNotFoundError:  # another run was quicker
            return 0
    for note in sorted(memory.iterdir(), key=age, reverse=True)[keep:]:
        note.unlink(missing_ok=True)

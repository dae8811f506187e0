"""What README.md tells people to type works: each line of its shell blocks is run here, or is known to be run elsewhere.

Lines are those of blocks marked sh, shell, bash or console; in a block with `$ ` in front of some lines, only those. They
run in a folder that looks like the checkout, beside a running notifyd. AMQP_URL, DATABASE_URL and FERNET_KEY in the
environment override whatever file a line names; a file that is not there is replaced by one that is.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
from sandbox.daemon import conf_text

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(?:sh|shell|bash|console)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)

HARMLESS = ("build/notifyd", "build/notifyctl", "notifyd", "notifyctl", "deploy/packages", "echo", "printf", "cat", "psql")
# Not run here: the two commands have their own tests or are the test run itself, and that has built with cmake just now.
ELSEWHERE = ("deploy/demo", "tests/run", "cmake", "git", "cd")
SEPARATORS = {"|", "||", "&&", ";", "&"}


def shell_lines(text: str) -> list[str]:
    """The command lines that TEXT, a page in Markdown, shows."""
    found = []
    for block in BLOCK.findall(text):
        lines = re.sub(r"\s*\\\n\s*", " ", block).splitlines()
        marked = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
        plain = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        found += marked or plain
    return found


def simple_commands(line: str) -> list[list[str]]:
    """The words of each program that LINE starts; assignments in front of it are left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "{}%@:,^+"
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word in SEPARATORS:
            commands.append([])
        elif commands[-1] or not re.match(r"\w+=", word):
            commands[-1].append(word)
    return [words for words in commands if words]


class Shell:
    """Runs lines as a reader of the README would, in a folder of their own."""

    def __init__(self, folder: Path, build: Path, environment: dict[str, str], conf: str) -> None:
        folder.mkdir()
        for entry in ROOT.iterdir():
            if entry.name != "build":
                (folder / entry.name).symlink_to(entry)
        (folder / "build").symlink_to(build)
        self.folder, self.environment = folder, environment
        self.conf = folder / "of-the-test.conf"
        self.conf.write_text(conf)

    def complaint(self, line: str) -> str:
        """Empty when LINE is right."""
        for words in simple_commands(line):
            if words[0] in ("deploy/demo", "tests/run"):
                options = [word for word in words[1:] if word.startswith("-")]
                shown = self._run(f"{words[0]} --help").stdout
                unknown = [option for option in options if option not in shown]
                if unknown:
                    return f"{words[0]} has no {' '.join(unknown)}"
            elif words[0] not in HARMLESS + ELSEWHERE:
                return f"{words[0]}: no test knows whether this works"
        if any(words[0] in ELSEWHERE for words in simple_commands(line)):
            return ""
        done = self._run(self._adapted(line))
        return "" if done.returncode == 0 else f"exit {done.returncode}: {done.stdout}{done.stderr}"

    def _adapted(self, line: str) -> str:
        """Names a configuration that is there, and the programs of the build; a notifyd that would stay only checks it."""
        def with_file(match: re.Match[str]) -> str:
            program, rest = f"build/{match[1]}", match[2]
            named = re.search(r"(?<!\S)(?:-c|--config)[ =](\S+)", rest)
            if named and not (self.folder / named[1]).exists():
                rest = rest.replace(named[1], str(self.conf))
            elif not named:
                program += f" -c {self.conf}"
            if match[1] == "notifyd" and not re.search(r"(?<!\S)(-t|-h|-V|--\w)", rest):
                program += " -t"
            return program + rest
        return re.sub(r"(?<!\S)(?:build/)?(notifyd|notifyctl)(?=\s|$)([^|;&]*)", with_file, line)

    def _run(self, line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, cwd=self.folder,
                              stdin=subprocess.DEVNULL, env={**os.environ, **self.environment})


@pytest.fixture
def shell(stage: Any, notifyd: Callable[..., Any], build: Path, tmp_path: Path, fernet_key: str) -> Shell:
    running = notifyd()
    environment = {"AMQP_URL": stage.broker_url, "DATABASE_URL": stage.database.url, "FERNET_KEY": fernet_key}
    return Shell(tmp_path / "checkout", build, environment, conf_text(running.settings))


def test_every_command_of_the_readme_works(shell: Shell) -> None:
    assert README.exists(), "there is no README.md"
    lines = shell_lines(README.read_text())
    programs = {words[0] for line in lines for words in simple_commands(line)}
    assert {"deploy/demo", "tests/run"} <= programs, f"the README shows {programs}"
    complaints = [f"{line}\n    {why}" for line in lines for why in [shell.complaint(line)] if why]
    assert not complaints, "\n".join(complaints)


PAGE = """
```sh
deploy/demo            # as it is
# a remark
build/notifyctl -c /etc/pencheff-notify/notify.conf \\
    deliveries --limit 3
```
```
not a command
```
```console
$ echo '{"webhook_url": "https://example.com/x"}' | build/notifyctl seal > sealed
gAAAA
$ build/notifyd --help-config | cat
```
"""


def test_lines_are_found_and_taken_apart() -> None:
    lines = shell_lines(PAGE)
    assert lines == [
        "deploy/demo            # as it is", "build/notifyctl -c /etc/pencheff-notify/notify.conf deliveries --limit 3",
        "echo '{\"webhook_url\": \"https://example.com/x\"}' | build/notifyctl seal > sealed", "build/notifyd --help-config | cat"]
    assert simple_commands(lines[0]) == [["deploy/demo"]]
    assert [words[0] for words in simple_commands(lines[2])] == ["echo", "build/notifyctl"]
    assert simple_commands("A=b build/notifyd -t") == [["build/notifyd", "-t"]]


def test_right_lines_pass_and_wrong_ones_do_not(shell: Shell) -> None:
    for line in shell_lines(PAGE):
        assert shell.complaint(line) == "", line
    assert (shell.folder / "sealed").read_text().startswith("gAAAA")
    for line in ("build/notifyd", "notifyd -c /etc/x.conf", "build/notifyd -t -c deploy/notify.conf.sample", "build/notifyctl check",
                 "deploy/demo --once", "tests/run --long webhook"):
        assert shell.complaint(line) == "", line
    for line, why in (("build/notifyctl chekc", "exit 2"), ("deploy/demo --twice", "has no --twice"), ("rm -rf x", "no test knows"),
                      ("build/notifyctl deliveries --state gone", "exit 2"), ("tests/run --fast", "has no --fast")):
        assert why in shell.complaint(line), line

"""notifyctl completion: real shells complete commands, options and words, and evaluate nothing of what is typed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
from terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]

# Each is typed up to the Tab; then these are the arguments that notifyctl is given.
COMPLETED = [
    ("notifyctl migr\t", ["migrate"]),
    ("notifyctl dead rep\t", ["dead", "replay"]),
    ("notifyctl -c x.conf dead rep\t", ["-c", "x.conf", "dead", "replay"]),
    ("notifyctl --config x.conf integ\tcre\t", ["--config", "x.conf", "integration", "create"]),
    ("notifyctl deliveries --sta\tdeliv\t", ["deliveries", "--state", "delivered"]),
    ("notifyctl deliveries --json --state dro\t", ["deliveries", "--json", "--state", "dropped"]),
    ("notifyctl dead replay x --reason attempts_\t", ["dead", "replay", "x", "--reason", "attempts_exhausted"]),
    ("notifyctl seal --kind page\t", ["seal", "--kind", "pagerduty"]),
    ("notifyctl explain --type scan_f\t", ["explain", "--type", "scan_failed"]),
    ("notifyctl token create --scope wr\t", ["token", "create", "--scope", "write"]),
    ("notifyctl completion fi\t", ["completion", "fish"]),
    ("notifyctl --vers\t", ["--version"]),
    ("notifyctl dead --he\t", ["dead", "--help"]),
    ("notifyctl --list rea\t", ["--list", "reasons"]),
    ("notifyctl -c only_\t", ["-c", "only_one.conf"]),
    ("notifyctl integration create --config-file only_\t", ["integration", "create", "--config-file", "only_one.conf"]),
]
HOSTILE = ["$(touch owned)", "`touch owned`", "';touch owned;'", "a[$(touch owned)]", "\"$(touch owned)", "$((a[$(touch owned)]))", "*", "--config=$(touch owned)",
           "${x:-$(touch owned)}", "(touch owned)", "x;touch owned"]


@pytest.fixture
def scripts(build: Path, tmp_path: Path) -> Path:
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run([build / "notifyctl", "completion", shell], capture_output=True, text=True, check=True)
        assert not done.stderr
        (tmp_path / f"script.{shell}").write_text(done.stdout)
    (tmp_path / "only_one.conf").touch()
    return tmp_path


class Shell:
    """An interactive shell in which notifyctl is a function that prints its arguments."""

    def __init__(self, name: str, folder: Path, source: str, **env: str) -> None:
        start = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"], "fish": ["fish", "--no-config", "-i"]}[name]
        self.name, self.folder = name, folder
        self.terminal = Terminal(start, cwd=folder, columns=200, env={"TERM": "dumb" if name != "fish" else "xterm", "HOME": str(folder), "PS1": "> ", **env})
        # zsh's own Tab expands words before it completes them.
        ready = {"bash": "{source}; notifyctl() {{ printf '<%s>' \"$@\"; echo '<''end>'; }}",
                 "zsh": "autoload -Uz compinit; compinit -D; bindkey '^I' complete-word; {source}; notifyctl() {{ printf '<%s>' \"$@\"; echo '<''end>' }}",
                 "fish": "{source}; function notifyctl; printf '<%s>' $argv; echo '<''end>'; end"}[name]
        self.terminal.read(1.5)
        self.terminal.type(ready.format(source=source) + "; echo rea''dy\n")
        self.terminal.wait(r"ready\r?\n")

    def arguments(self, line: str) -> list[str]:
        """Type LINE, a pause after each Tab, and Enter; what notifyctl was given."""
        for piece in re.split(r"(?<=\t)", line):
            self.terminal.type(piece)
            self.terminal.read(0.4)
        self.terminal.type("\n")
        found = self.terminal.wait(r"((?:<[^<>]*>)*)<end>")
        return re.findall(r"<([^<>]*)>", found[1])

    def tab(self, line: str) -> None:
        """Type LINE and Tab twice, then throw it away. fish is asked what it would show."""
        if self.name == "fish":
            done = subprocess.run(["fish", "--no-config", "-c", "source ./script.fish; complete -C $argv[1]", line], cwd=self.folder, capture_output=True, timeout=60)
            assert done.returncode == 0, done
            return
        self.terminal.shown = ""
        self.terminal.type(line + "\t")
        self.terminal.read(0.25)
        self.terminal.type("\t")
        self.terminal.read(0.15)
        self.terminal.type("\x05\x15")  # to its end, and away with it
        self.terminal.read(0.1)


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, scripts: Path) -> Iterator[Shell]:
    one = Shell(request.param, scripts, f"source ./script.{request.param}")
    yield one
    one.terminal.close()


def test_commands_options_words_and_files_are_completed(shell: Shell) -> None:
    wrong = {line: got for line, given in COMPLETED if (got := shell.arguments(line)) != given}
    assert not wrong


@pytest.mark.parametrize("shell", ["bash", "zsh"], indirect=True)  # fish completes whole words
def test_words_of_a_list_are_completed_one_after_the_other(shell: Shell) -> None:
    for option in ("--events ", "--events="):
        given = " ".join(shell.arguments(f"notifyctl integration update x {option}scan_done,finding_n\t"))
        assert given == f"integration update x {option}scan_done,finding_new"
    assert shell.arguments("notifyctl deliveries --state=dro\t") == ["deliveries", "--state=dropped"]


def test_nothing_that_is_typed_is_evaluated(shell: Shell) -> None:
    for word in HOSTILE:
        for before in ("", "deliveries --state=", "-c ", "dead list --", "integration update x --events a,"):
            shell.tab(f"notifyctl {before}{word}")
        shell.tab(f"notifyctl {word} list ")
        assert not (shell.folder / "owned").exists(), word
    assert shell.arguments("notifyctl dead rep\t") == ["dead", "replay"], "and it works as before"


def test_bash_loads_it_by_itself_from_where_it_is_installed(build: Path, scripts: Path) -> None:
    """With the package bash-completion, which looks in the places of the data folders."""
    folder = scripts / "share" / "bash-completion" / "completions"
    folder.mkdir(parents=True)
    (folder / "notifyctl").write_text((scripts / "script.bash").read_text())
    shell = Shell("bash", scripts, "source /usr/share/bash-completion/bash_completion", XDG_DATA_DIRS=str(scripts / "share"))
    assert shell.arguments("notifyctl dead rep\t") == ["dead", "replay"]
    assert shell.arguments("notifyctl deliveries --state=dro\t") == ["deliveries", "--state=dropped"]
    shell.terminal.close()


def test_every_command_and_option_of_the_help_is_in_every_script(build: Path, scripts: Path) -> None:
    shown = subprocess.run([build / "notifyctl", "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^([a-z][a-z-]*(?: [a-z]+)?)(?: [A-Z\[].*)?\n    \S", shown, re.M)
    options = set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", shown, re.M))
    assert len(commands) > 20 and len(options) > 30
    for shell in ("bash", "zsh", "fish"):
        script = (scripts / f"script.{shell}").read_text()
        for command in commands:
            for word in command.split():
                assert re.search(rf"\b{word}\b", script), (shell, command)
        for option in options:
            assert re.search(rf"(--| -l ){option}\b", script), (shell, option)


def test_a_shell_that_is_none_is_wrong_use(build: Path) -> None:
    for words in (["completion"], ["completion", "ksh"], ["completion", "bash", "zsh"]):
        done = subprocess.run([build / "notifyctl", *words], capture_output=True, text=True)
        assert done.returncode == 2 and not done.stdout and done.stderr, done

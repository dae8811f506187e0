"""The manual: well formed, installed where man looks, and about the programs as they are."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"notifyd": "notifyd.8", "notify-api": "notify-api.8", "notify-mcp": "notify-mcp.1", "notifyctl": "notifyctl.1"}
ALL = [*PAGES.values(), "notify.conf.5"]


def run(*words: Any, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, **options)


def shown(build: Path, page: str) -> str:
    """The page as text, as a reader sees it, on a wide screen."""
    done = run("mandoc", "-Tascii", "-Owidth=999", build / "man" / page)
    assert done.returncode == 0, done
    return re.sub(r".\x08", "", done.stdout)


def options_of(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", text))


@pytest.mark.parametrize("page", ALL)
def test_a_page_is_clean(build: Path, page: str) -> None:
    lint = run("mandoc", "-Tlint", "-Wwarning", build / "man" / page)
    assert lint.returncode == 0 and not lint.stdout + lint.stderr, lint
    man = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", build / "man" / page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
    assert man.returncode == 0 and not man.stderr, man.stderr
    source = (build / "man" / page).read_text()
    assert source.isascii() and "@" not in re.sub(r"\S+://\S+|\S+@\S+", "", source), "everything is filled in"


@pytest.mark.parametrize("page", ALL)
def test_what_is_typed_can_be_copied_from_a_page(build: Path, page: str) -> None:
    """A hyphen that a reader copies to a command line is a minus, in UTF-8 too."""
    text = run("man", "-E", "UTF-8", "-l", "-Tutf8", build / "man" / page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "400", "GROFF_NO_SGR": "1"}).stdout
    text = re.sub(r".\x08", "", text)
    assert not re.search(r"[\u2010\u2212][\u2010\u2212-]?[a-z]{2,}[ =]|notify[\u2010\u2212]", text), re.findall(r".*[\u2010\u2212].*", text)[:5]


@pytest.mark.parametrize("program", PAGES)
def test_options_of_the_help_and_of_the_page_are_the_same(build: Path, program: str) -> None:
    page, help_text = shown(build, PAGES[program]), run(build / program, "--help").stdout
    assert options_of(help_text) - options_of(page) == set(), "in the help alone"
    others = {"notifyctl": {"-t"}, "notifyd": set(), "notify-api": set(), "notify-mcp": set()}[program]
    assert options_of(page) - options_of(help_text) - others == set(), "in the page alone"


def test_the_page_of_notifyctl_has_every_command_with_its_words(build: Path) -> None:
    page, help_text = shown(build, "notifyctl.1"), run(build / "notifyctl", "--help").stdout
    commands = re.findall(r"^([a-z][a-z-]*(?: [a-z]+)?(?: [A-Z\[].*)?)\n    (\S.*)", help_text, re.M)
    assert len(commands) > 20
    for name, text in commands:
        assert re.search(rf"^ +{re.escape(name)}(\s|$)", page, re.M), name
        assert re.sub(r"\s+", " ", text[1:]) in re.sub(r"\s+", " ", page), (name, text)
    for list_name in re.findall(r"^([a-z-]+):$", run(build / "notifyctl", "--list").stdout, re.M):
        assert re.search(rf"^ +{list_name}$", page, re.M), list_name


def test_the_page_of_the_configuration_has_every_setting(build: Path) -> None:
    page = re.sub(r"\s+", " ", shown(build, "notify.conf.5"))
    settings = re.findall(r"^([a-z_.]+)\n    (.*)\n    (.*)", run(build / "notifyd", "--help-config").stdout, re.M)
    assert len(settings) > 100
    for path, kind, text in settings:
        assert f" {path} {kind}. " in page and re.sub(r"\s+", " ", text[1:].rstrip(".")) in page, path


@pytest.mark.parametrize("program", ["notifyd", "notify-api"])
def test_signals_of_the_help_and_of_the_page_are_the_same(build: Path, program: str) -> None:
    line = re.search(r"^signals: (.*)", run(build / program, "--help").stdout, re.M | re.S)
    assert line
    in_help = set(re.findall(r"\b(TERM|INT|QUIT|HUP|TTIN|TTOU|USR1|USR2|WINCH)\b", line[1]))
    section = shown(build, PAGES[program]).split("\nSIGNALS")[1].split("\nENVIRONMENT")[0]
    assert in_help == set(re.findall(r"\bSIG([A-Z0-9]+)\b", section))


def test_exit_codes_are_those_of_the_help_and_of_the_sources(build: Path) -> None:
    in_help = set(re.findall(r"(\d+) [a-z]", run(build / "notifyctl", "--help").stdout.split("Exit:")[1]))
    for program, page in PAGES.items():
        section = shown(build, page).split("\nEXIT STATUS")[1].split("\nEXAMPLES")[0]
        codes = set(re.findall(r"^ +(\d+) ", section, re.M))
        assert codes == (in_help if program == "notifyctl" else ({"0", "2", "70", "71", "78"} if program == "notifyd" else {"0", "2", "71", "78"})), program


def test_every_variable_of_the_environment_that_is_read_is_in_a_page(build: Path) -> None:
    pages = "".join(shown(build, page) for page in ALL)
    sources = "".join(path.read_text() for folder in ("common", "worker", "api") for path in (ROOT / folder).rglob("*.c"))
    names = set(re.findall(r'getenv\("(\w+)"\)', sources)) | {"AMQP_URL", "DATABASE_URL", "FERNET_KEY"}
    internal = {"NOTIFY_FAULT", "NOTIFY_HANDOVER"}  # for tests; from a supervisor to the one in its place
    assert "NO_COLOR" in names and {name for name in names - internal if name not in pages} == set()


def test_an_installation_has_the_manual_and_the_completion_where_they_are_looked_for(build: Path, tmp_path: Path) -> None:
    done = run("cmake", "--install", build, "--prefix", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("bash-completion/completions/notifyctl", "zsh/site-functions/_notifyctl", "fish/vendor_completions.d/notifyctl.fish"):
        assert (tmp_path / "share" / name).stat().st_size > 1000, name
    for page in ALL:
        name, section = page.rsplit(".", 1)
        found = run("man", "-M", tmp_path / "share" / "man", "-w", section, name)
        assert found.returncode == 0 and found.stdout.strip() == str(tmp_path / "share" / "man" / f"man{section}" / page), found
        for other, number in re.findall(r"^\.Xr (\S+) (\d)", (build / "man" / page).read_text(), re.M):
            assert f"{other}.{number}".replace("\\-", "-") in ALL, (page, other)

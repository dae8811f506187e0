"""What README.md tells people to type works: each line of its shell blocks is run here, or is known to be run elsewhere.

Lines are those of blocks marked sh, shell, bash or console; in a block with `$ ` in front of some lines, only those. They
run in order, as root on a host would have it: in a folder that looks like the checkout, with an /etc of their own, beside a
running notifyd, a RabbitMQ, and a PostgreSQL with the live product's tables. Words in capitals are replaced by what they
stand for, and what a reader has to write into files by hand is written before the next line.

Until a configuration is in that /etc, AMQP_URL, DATABASE_URL and FERNET_KEY in the environment override whatever file a line
names, and a file that is not there is replaced by one that is.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pika
import pytest
from sandbox import producer
from sandbox.answers import Answer
from sandbox.daemon import conf_text
from sandbox.processes import wait_until

from conftest import Stage, balance, migrate

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(?:sh|shell|bash|console)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Harmless because /etc, the broker and the database are the test's own.
HARMLESS = ("build/notifyd", "build/notifyctl", "notifyd", "notifyctl", "notify-api", "curl", "deploy/packages", "echo", "printf", "cat", "psql",
            "rabbitmqctl", "useradd", "install")
# Not run here: the two commands have their own tests or are the test run itself, that has built with cmake just now, and
# there is no systemd; test_docs.py installs, test_shipped.py looks at the unit.
ELSEWHERE = ("deploy/demo", "tests/run", "cmake", "git", "cd", "systemctl")
SEPARATORS = {"|", "||", "&&", ";", "&"}
OWNER, LOGIN, PASSWORD = "product", "notify", "PASSWORD"


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


def private_etc(folder: Path) -> Path:
    """A copy of /etc without what is secret in it, and without this product, should it be installed here."""
    etc = folder / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore=shutil.ignore_patterns("*shadow*", "private", "ssh", "sudoers*", "pencheff-notify"))
    for name in ("passwd", "group"):
        lines = (etc / name).read_text().splitlines(keepends=True)
        (etc / name).write_text("".join(line for line in lines if not line.startswith("pencheff-notify:")))
    return etc


class Shell:
    """Runs lines as a reader of the README would, in a folder and with an /etc of their own."""

    def __init__(self, folder: Path, build: Path, environment: dict[str, str], conf: str) -> None:
        folder.mkdir()
        for entry in ROOT.iterdir():
            if entry.name != "build":
                (folder / entry.name).symlink_to(entry)
        (folder / "build").symlink_to(build)
        self.folder, self.environment = folder, environment
        self.etc = private_etc(folder.parent)
        self.programs = folder.parent / "bin"
        self.programs.mkdir()
        self.conf = folder / "of-the-test.conf"
        self.conf.write_text(conf)
        self.stands_for: dict[str, str] = {}  # a text of the README: what it is here
        self.urls: dict[str, str] = {}  # what a reader writes into the file, by scheme
        self.running: Any = None  # the notifyd beside
        self.before: dict[str, Callable[[], None]] = {}  # what a reader does before the line that begins so

    def complaint(self, line: str) -> str:
        """Empty when LINE is right."""
        for start, act in self.before.items():
            if line.startswith(start):
                act()
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
        self._write_by_hand()
        done = self._run(self._adapted(line))
        return "" if done.returncode == 0 else f"exit {done.returncode}: {done.stdout}{done.stderr}"

    def said(self, line: str) -> str:
        """What LINE prints."""
        return self._run(self._adapted(line)).stdout

    @property
    def installed_conf(self) -> Path:
        return self.etc / "pencheff-notify" / "notify.conf"

    def _write_by_hand(self) -> None:
        """Between the lines, a reader is told to write the key and the two URLs into the files that were just made."""
        key = self.installed_conf.with_name("fernet.key")
        if key.exists() and not key.read_text():
            key.write_text(self.environment["FERNET_KEY"] + "\n")
        if self.installed_conf.exists():
            text = self.installed_conf.read_text()
            for scheme, url in self.urls.items():
                text = re.sub(rf'^(\s*url = )"{scheme}://[^"]*"', rf'\1"{url}"', text, flags=re.MULTILINE)
            self.installed_conf.write_text(text.replace('# role = "notify_worker"', 'role = "notify_worker"'))

    def _adapted(self, line: str) -> str:
        """Names a configuration that is there, and the programs of the build; a notifyd that would stay only checks it."""
        for text, here in self.stands_for.items():
            line = line.replace(text, here)

        def with_file(match: re.Match[str]) -> str:
            program, rest = f"build/{match[1]}", match[2]
            named = re.search(r"(?<!\S)(?:-c|--config)[ =](\S+)", rest)
            if named and not self._exists(named[1]):
                rest = rest.replace(named[1], str(self.conf))
            elif not named and not self.installed_conf.exists():
                program += f" -c {self.conf}"
            if match[1] in ("notifyd", "notify-api") and not re.search(r"(?<!\S)(-t|-h|-V|--\w)", rest):
                program += " -t"
            return program + rest
        return re.sub(r"(?<!\S)(?:build/)?(notifyd|notify-api|notifyctl)(?=\s|$)([^|;&]*)", with_file, line)

    def _exists(self, path: str) -> bool:
        return (self.etc / path.removeprefix("/etc/") if path.startswith("/etc/") else self.folder / path).exists()

    def _run(self, line: str) -> "subprocess.CompletedProcess[str]":
        own = {} if self.installed_conf.exists() else self.environment
        path = f"{self.programs}:{os.environ['PATH']}:/usr/sbin"
        within = 'mount --bind "$1" /etc && exec /bin/sh -c "$2"'
        return subprocess.run(["unshare", "-m", "/bin/sh", "-c", within, "sh", self.etc, line], capture_output=True, text=True,
                              timeout=60, cwd=self.folder, input=f"{PASSWORD}\n", env={**os.environ, "PATH": path, **own})


@pytest.fixture
def postgres(own_postgres: Any) -> Any:
    """Roles belong to the whole server, and the README makes some."""
    return own_postgres


@pytest.fixture
def stage(build: Path, incumbent: Any, fernet_key: str, receiver: Any, broker_url: str) -> Iterator[Stage]:
    """The live product's database before `notifyctl migrate`."""
    incumbent.execute(f"ALTER ROLE incumbent RENAME TO {OWNER}; ALTER ROLE {OWNER} CREATEROLE;"
                      f"ALTER DATABASE {incumbent.name} OWNER TO {OWNER}")
    made = Stage(incumbent, fernet_key, receiver, broker_url)
    yield made
    made.close()
    balance(build, made)


@pytest.fixture
def shell(stage: Any, notifyd: Callable[..., Any], build: Path, tmp_path: Path, fernet_key: str) -> Shell:
    running = notifyd()
    environment = {"AMQP_URL": stage.broker_url, "DATABASE_URL": stage.database.url, "FERNET_KEY": fernet_key}
    made = Shell(tmp_path / "checkout", build, environment, conf_text(running.settings))
    made.running = running
    return made


@pytest.fixture
def reader(shell: Shell, stage: Any, rabbit: Any, vhost: str, notify_api: Callable[..., Any]) -> Iterator[Shell]:
    """The shell with all that the README's set-up needs."""
    rabbit.write_ctl(shell.programs / "rabbitmqctl")
    shell.urls = {"amqp": re.sub("//[^@]*@", f"//{LOGIN}:{PASSWORD}@", stage.broker_url), "postgresql": stage.database.dsn(LOGIN)}
    shell.stands_for = {"postgresql://OWNER@HOST/pencheff": stage.database.dsn(OWNER), "VHOST": vhost}
    shell.stands_for["WORKSPACE"] = stage.workspace.id

    def set_role() -> None:
        conf = shell.installed_conf
        conf.write_text(conf.read_text().replace('# role = "notify_api"', 'role = "notify_api"'))

    def start_api() -> None:
        api = notify_api({"database": {"url": shell.urls["postgresql"]}, "api": {"role": "notify_api"}})
        shell.stands_for["http://127.0.0.1:8080"] = f"http://127.0.0.1:{api.port}"

    shell.before = {"notify-api -t": set_role, "systemctl enable --now pencheff-notify-api": start_api}
    yield shell
    if f"\n{LOGIN}\t" in rabbit.ctl("list_users"):
        rabbit.ctl("delete_user", LOGIN)


def test_every_command_of_the_readme_works_and_what_they_set_up_delivers(reader: Shell, stage: Any, notifyd: Callable[..., Any],
                                                                         rabbit: Any, vhost: str) -> None:
    assert README.exists(), "there is no README.md"
    lines = shell_lines(README.read_text())
    programs = {words[0] for line in lines for words in simple_commands(line)}
    assert {"deploy/demo", "tests/run", "useradd", "rabbitmqctl", "psql"} <= programs, f"the README shows {programs}"
    complaints = [f"{line}\n    {why}" for line in lines for why in [reader.complaint(line)] if why]
    assert not complaints, "\n".join(complaints)

    assert stage.database.query("SELECT kind, name FROM integrations") == [("webhook", "hook")], "made with curl"
    assert '"name":"hook"' in reader.said(next(line for line in reversed(lines) if line.startswith("curl")))
    stage.database.execute("DELETE FROM integrations")

    # With the rights that the README gives at both servers, and no others.
    reader.running.terminate()
    assert reader.running.wait() == 0
    ours = {"broker": {"url": reader.urls["amqp"]}, "database": {"url": reader.urls["postgresql"], "role": "notify_worker"}}
    one = notifyd(ours)
    stage.webhook("/hook")
    stage.webhook("/gone")
    stage.receiver.script("/hook", Answer(status=503), Answer())
    stage.receiver.script("/gone", Answer(status=410))
    again = stage.publish("scan_done")
    stage.receiver.wait_for(2, "/hook")
    stage.wait(lambda: {row["state"] for row in stage.deliveries(again)} == {"delivered", "dead"})
    assert rabbit.depth("notify.dead", vhost) == 1

    # A retry that is overdue, because the worker that owed its message died, takes another way than the ladder.
    stage.receiver.script("/hook", Answer(status=503), Answer())
    message = stage.event("scan_started")
    producer.publish_event(stage.broker_url, message)
    stage.wait(lambda: "waiting" in {row["state"] for row in stage.deliveries(message.id)})
    one.terminate()
    assert one.wait() == 0
    purge(stage.broker_url, [f"notify.delay.{level}" for level in range(17)])
    stage.database.execute("UPDATE notify.deliveries SET due_at = now() WHERE state = 'waiting'")
    producer.publish_event(stage.broker_url, message)
    redeliver(stage.broker_url, "notify")
    notifyd(ours)
    stage.wait(lambda: {row["state"] for row in stage.deliveries(message.id)} == {"delivered", "dead"},
               why="the overdue retry was not made; may the broker's user publish it?")


def redeliver(url: str, queue: str) -> None:
    """The message in QUEUE is as if a worker that had it died."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    method, _, _ = wait_until(lambda: (got := channel.basic_get(queue))[0] and got, 5, f"a message in {queue}")
    channel.basic_nack(method.delivery_tag, requeue=True)
    connection.close()


def purge(url: str, queues: list[str]) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    for queue in queues:
        connection.channel().queue_purge(queue)
    connection.close()


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


def test_right_lines_pass_and_wrong_ones_do_not(shell: Shell, stage: Any, build: Path) -> None:
    migrate(build, stage.database.url)
    for line in shell_lines(PAGE):
        assert shell.complaint(line) == "", line
    assert (shell.folder / "sealed").read_text().startswith("gAAAA")
    for line in ("build/notifyd", "notifyd -c /etc/x.conf", "build/notifyd -t -c deploy/notify.conf.sample", "build/notifyctl check",
                 "deploy/demo --once", "tests/run --long webhook"):
        assert shell.complaint(line) == "", line
    for line, why in (("build/notifyctl chekc", "exit 2"), ("deploy/demo --twice", "has no --twice"), ("rm -rf x", "no test knows"),
                      ("build/notifyctl deliveries --state gone", "exit 2"), ("tests/run --fast", "has no --fast")):
        assert why in shell.complaint(line), line

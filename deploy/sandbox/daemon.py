"""notifyd as a child: its configuration file, its process and its workers, its log."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any, Mapping

from .processes import Child, HeldPort, Process, StartError, descendants, tail, wait_until

# What the environment of the caller must not decide: contract section 3 lets these override the file.
_OVERRIDES = ("AMQP_URL", "DATABASE_URL", "FERNET_KEY")
_FIELD = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)')
SANITIZER_REPORT = re.compile(
    r"(ERROR|WARNING): (Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|: runtime error: |SUMMARY: \w+Sanitizer")


def conf_text(settings: Mapping[str, Any], indent: str = "") -> str:
    """libconfig syntax: a mapping is a group, a list an array."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines.append(f"{indent}{name} = {{\n{conf_text(value, indent + '    ')}{indent}}};\n")
        else:
            lines.append(f"{indent}{name} = {_literal(value)};\n")
    return "".join(lines)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L" if abs(value) > 0x7FFFFFFF else str(value)  # without the L libconfig reads 0
    if isinstance(value, float):
        return repr(value) if "." in repr(value) else f"{value:f}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{text}"'


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """CHANGES over BASE, group by group; None takes a setting out."""
    result = dict(base)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result


def log_line(line: str) -> dict[str, str] | None:
    """One line of notifyd's log, in either format, as a dict of texts; None for a line that is not an event, or is torn."""
    try:
        if line.startswith("{"):
            return {key: str(value) for key, value in json.loads(line).items()}
        fields = {key: json.loads(value) if value.startswith('"') else value for key, value in _FIELD.findall(line)}
    except ValueError:
        return None
    return fields if "event" in fields else None


class Notifyd:
    """Started by the constructor; stop it with terminate() and wait(), or close()."""

    def __init__(self, program: str | Path, folder: str | Path, settings: Mapping[str, Any], *, args: tuple[str, ...] = (),
                 env: Mapping[str, str] | None = None, wrapper: tuple[str | Path, ...] = ()) -> None:
        """SETTINGS is the whole configuration; agent.listen gets a free port unless it is set. WRAPPER: e.g. valgrind."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._port: HeldPort | None = None
        if "listen" not in settings.get("agent", {}):
            self._port = HeldPort()
            settings = merged(settings, {"agent": {"listen": f"127.0.0.1:{self._port.number}"}})
        self.settings = dict(settings)
        self.conf = self.folder / "notify.conf"
        self.write_conf(self.settings)
        self.log = self.folder / "notifyd.log"
        environment = {name: value for name, value in os.environ.items() if name not in _OVERRIDES}
        self._child = Child([*wrapper, program, "-c", self.conf, *args], log=self.log, env={**environment, **(env or {})},
                            cwd=self.folder)
        self.expected_exit: int | None = 0  # what close() insists on; None: anything
        self.scrapes: list[str] = []  # what its metrics said first, and the last ten times

    def write_conf(self, settings: Mapping[str, Any]) -> None:
        """A new configuration file; the running notifyd reads it on HUP."""
        self.settings = dict(settings)
        fresh = self.conf.with_suffix(".new")
        fresh.touch(0o600)
        fresh.write_text(conf_text(settings))
        os.replace(fresh, self.conf)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def agent_url(self) -> str:
        return f"http://{self.settings['agent']['listen']}"

    def metrics(self, timeout: float = 5) -> str:
        """What /metrics says now."""
        with urllib.request.urlopen(f"{self.agent_url}/metrics", timeout=timeout) as answer:
            self.scrapes.append(answer.read().decode())
        del self.scrapes[1:-10]
        return self.scrapes[-1]

    def counter(self, name: str, **labels: str) -> int:
        """`notify_NAME_total`, summed over what has these labels: of all its processes, those that ended too."""
        found = re.findall(rf"^notify_{name}_total(?:\{{(.*)\}})? (\d+)$", self.metrics(), re.M)
        assert found, f"no metric notify_{name}_total"
        return sum(int(value) for said, value in found
                   if labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', said)).items())

    @property
    def grace(self) -> float:
        """Seconds that a drain may take by contract."""
        timeout = float(self.settings.get("delivery", {}).get("timeout", 15))
        return max(float(self.settings.get("shutdown_grace", 30)), timeout + 5)

    def children(self) -> list[Process]:
        return [p for p in descendants(self.pid) if p.parent == self.pid]

    def workers(self) -> list[int]:
        """Pids of the children that have said worker_ready (the agent is a child too and says something else)."""
        ready = {int(e["pid"]) for e in self.events("worker_ready")}
        return sorted(p.pid for p in self.children() if p.pid in ready)

    def alive(self) -> bool:
        return self._child.exit_code() is None

    # --- its log

    def log_text(self) -> str:
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def events(self, name: str | None = None) -> list[dict[str, str]]:
        """The log's lines as dicts, of one event or all."""
        parsed = (log_line(line) for line in self.log_text().splitlines() if name is None or name in line)
        return [e for e in parsed if e is not None and name in (None, e["event"])]

    def wait_event(self, name: str, timeout: float = 30, count: int = 1, **fields: str) -> list[dict[str, str]]:
        """Waits until COUNT lines with that event and those fields are in the log."""
        def matching() -> list[dict[str, str]]:
            found = [e for e in self.events(name) if all(e.get(key) == str(value) for key, value in fields.items())]
            return found if len(found) >= count else []
        try:
            return wait_until(matching, timeout, f"event {name} {fields or ''} in the log")  # type: ignore[return-value]
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the log ends:\n{tail(self.log)}") from None

    def wait_ready(self, timeout: float = 20, count: int | None = None) -> "Notifyd":
        """Returns when COUNT workers (as many as configured) consume; StartError when notifyd ends instead."""
        wanted = count or int(self.settings.get("workers", 0)) or (os.cpu_count() or 1)
        deadline = time.monotonic() + timeout
        while len(self.workers()) < wanted:
            if not self.alive():
                raise StartError(f"notifyd ended with {self._child.exit_code()}; its log ends:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                ready = f"{len(self.workers())} of {wanted} workers ready"
                raise StartError(f"{ready} in {timeout:g} s; the log ends:\n{tail(self.log)}")
            time.sleep(0.02)
        return self

    # --- its end

    def signal(self, number: int) -> None:
        self._child.family()  # remembered, so that orphans are found later
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL for the supervisor alone: what becomes of its children is what a test wants to see."""
        self.expected_exit = -signal.SIGKILL
        self.signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; by default after at most the grace and some seconds for a slow machine."""
        return self._child.wait(self.grace + 5 if timeout is None else timeout)

    def family(self) -> list[Process]:
        """Everything that it started and that still lives, itself included, whoever is its parent by now."""
        return self._child.family()

    def end_at_once(self) -> None:
        """Kills all that is left without a question."""
        self._child.kill()
        if self._port:
            self._port.release()

    def close(self) -> list[str]:
        """Ends it as a service manager would; returns what was wrong with that, an empty list when nothing was."""
        wrong: list[str] = []
        try:
            if self.alive():
                self.terminate()
            code = self.wait()
            if self.expected_exit is not None and code != self.expected_exit:
                wrong.append(f"notifyd ended with {code}, not {self.expected_exit}")
            patience = self.grace + 2 if code < 0 else 1
            wait_until(lambda: not self.family(), patience, "no child of notifyd is left")
        except Exception as error:  # a timeout of either wait
            wrong.append(f"{error} (alive: {[(p.pid, p.name) for p in self.family()]})")
        finally:
            self.end_at_once()
        wrong += [f"sanitizer report: {line}" for line in self.log_text().splitlines() if SANITIZER_REPORT.search(line)]
        if wrong:
            wrong.append(f"the log ends:\n{tail(self.log, 60)}")
        return wrong

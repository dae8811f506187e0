"""Makes every case of every C unit test program (build/tests/unit/unit_*) a test of its own.

A program is asked once for its cases (`--list`) and run once (`--all`), which prints `ok NAME` or `not ok NAME: why` for each.
A case that prints nothing (the program crashed in it) has failed, with what the program wrote to standard error.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

_LINE = re.compile(r"^(ok|not ok) ([^:\n]+?)(?:: (.*))?$", re.M)
_TIMEOUT = 300


class CaseFailed(Exception):
    pass


class Program(pytest.Collector):
    """One unit test program."""

    def __init__(self, *, program: Path, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.program = program
        self._results: dict[str, tuple[str, str]] | None = None
        self._rest = ""
        self._count = 0

    def collect(self) -> Iterator[pytest.Item]:
        listed = subprocess.run([self.program, "--list"], capture_output=True, text=True, timeout=_TIMEOUT)
        names = listed.stdout.split("\n")[:-1]
        if listed.returncode != 0 or not names or len(set(names)) != len(names):
            raise self.CollectError(f"{self.program} --list: exit {listed.returncode}, cases {names}\n{listed.stderr}")
        self._count = len(names)
        for name in names:
            case = Case.from_parent(self, name=name)
            case.add_marker(pytest.mark.xdist_group(self.name))  # the cases share one run of the program
            yield case

    def result(self, name: str, selected: list[str]) -> tuple[str, str]:
        """Runs the selected cases at the first question, in one process."""
        if self._results is None:
            everything = len(selected) == self._count
            try:
                ran = subprocess.run([self.program, *(["--all"] if everything else selected)], capture_output=True, text=True,
                                     errors="replace", timeout=_TIMEOUT, stdin=subprocess.DEVNULL)
                output, errors, ending = ran.stdout, ran.stderr, f"the program ended with {ran.returncode}"
            except subprocess.TimeoutExpired as stuck:
                output = (stuck.stdout or b"").decode(errors="replace")
                errors, ending = (stuck.stderr or b"").decode(errors="replace"), f"not finished in {_TIMEOUT} s"
            self._results = {case: (word, why) for word, case, why in _LINE.findall(output)}
            self._rest = f"{ending}\n{errors[-8000:]}"
        return self._results.get(name, ("missing", f"no result was printed: {self._rest}"))

    def unexplained(self) -> str:
        """What went wrong besides failed cases: a crash at exit, a sanitizer report."""
        assert self._results is not None
        failed = any(word != "ok" for word, _ in self._results.values())
        return "" if failed or self._rest.startswith("the program ended with 0\n") else self._rest


class Case(pytest.Item):
    def runtest(self) -> None:
        program = self.parent
        assert isinstance(program, Program)
        siblings = [item.name for item in self.session.items if item.parent is program]
        word, why = program.result(self.name, siblings)
        if word == "ok" and self.name == siblings[-1] and program.unexplained():
            word, why = "not ok", f"every case passed, but {program.unexplained()}"
        if word != "ok":
            raise CaseFailed(why or "no reason was printed")

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: object = None) -> str:  # type: ignore[override]
        if isinstance(excinfo.value, CaseFailed):
            return f"{self.parent.name} {self.name}: {excinfo.value}"  # type: ignore[union-attr]
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.parent.name} {self.name}"  # type: ignore[union-attr]


class UnitFolder(pytest.File):
    """tests/unit/unit.h stands for the programs in the build folder, which lies outside of what pytest collects."""

    def collect(self) -> Iterator[pytest.Collector]:
        folder = Path(self.config.getoption("--build")) / "tests" / "unit"
        for program in sorted(folder.glob("unit_*")):
            if program.is_file() and program.stat().st_mode & 0o111:
                yield Program.from_parent(self, name=program.name, program=program)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name == "unit.h" and file_path.parent.name == "unit":
        return UnitFolder.from_parent(parent, path=file_path)
    return None

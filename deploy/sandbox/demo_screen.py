"""What the demo prints, and how it hears that it is to stop.

Colour only on a terminal that wants it; every line is out at once also into a pipe. Nobody reading any more (a closed pipe)
is a wish to stop as Ctrl-C is. Signals only set a flag: a server is never left half started.
"""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from typing import Iterable, Sequence

from .demo_case import Call
from .demo_check import Receipt
from .demo_rule import FIRES, STAGES, Filters, why

_CODES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "critical": "1;31", "high": "31", "medium": "33", "low": "34",
          "info": "2"}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody wants us to end."""


class Stop:
    """The flag. check() and pause() raise Stopped once it is set."""

    def __init__(self) -> None:
        self.number = 0
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        self.number = self.number or number

    def check(self) -> None:
        if self.number:
            raise Stopped

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)
        self.check()

    @staticmethod
    def ignore() -> None:
        """While we clean up nothing interrupts us: it does not take long."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


class Screen:
    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        sys.stdout.reconfigure(errors="replace", line_buffering=True)  # type: ignore[union-attr]
        self._colour = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
        self._started = time.monotonic()

    def paint(self, text: str, *styles: str) -> str:
        codes = ";".join(_CODES[style] for style in styles if style in _CODES)
        return f"\x1b[{codes}m{text}\x1b[0m" if codes and self._colour else text

    def say(self, text: str = "") -> None:
        try:
            print(text)
        except (BrokenPipeError, OSError):  # the latter when the terminal itself is gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            self._stop.number = self._stop.number or signal.SIGHUP

    def head(self, text: str) -> None:
        self.say(f"\n{self.paint(text, 'bold')}")

    def step(self, text: str) -> None:
        self.say(f"{self.paint(f'{time.monotonic() - self._started:5.1f} s', 'dim')}  {text}")

    def command(self, words: Sequence[str], output: str) -> None:
        self.say(self.paint(f"$ {' '.join(words)}", "bold"))
        for line in output.splitlines():
            self.say(f"  {plain(line)}")

    def delivery(self, r: Receipt) -> None:
        if r.wrong or r.hook is None:
            self.say(self.paint(f"{_clock(r.wall)}  not right: {plain(r.wrong)}", "red"))
            return
        finding, target = r.body.get("finding") or {}, r.body.get("target") or {}
        severity = str(finding.get("severity") or "")
        title = str(finding.get("title") or target.get("name") or "")
        self.say(f"{self.paint(_clock(r.wall), 'dim')}  {str(r.body.get('event')):<15}  {self.paint(f'{severity:<8}', severity)}"
                 f"  {_cut(plain(title), 40):<40}  → {r.hook.name:<21}  {self.paint('signature verified ✓', 'green')}")

    def held_back(self, calls: dict[str, Call], stages: dict[str, dict[str, str]], filters: Iterable[Filters]) -> None:
        """By integration and stage, which events its filters held back."""
        for f in filters:
            by_stage: dict[str, list[Call]] = {}
            for event_id, call in calls.items():
                by_stage.setdefault(stages[event_id][f.id], []).append(call)
            by_stage.pop(FIRES, None)
            if not by_stage:
                continue
            self.say(f"  {self.paint(f.name, 'bold')}")
            for stage in (s for s in STAGES if s in by_stage):
                held = by_stage[stage]
                self.say(f"    {len(held):2} by {self.paint(stage, 'bold')}: {why(stage, f)}")
                self._paragraph("every event" if len(held) == len(calls) else _names(held))

    def held_back_of_one(self, stages: dict[str, str], filters: Iterable[Filters]) -> None:
        """One line for one event."""
        held = [f"{f.name} ({stages[f.id]})" for f in filters if stages[f.id] != FIRES]
        if held:
            self.say(self.paint(f"{'':14}held back: {', '.join(held)}", "dim"))

    def _paragraph(self, text: str) -> None:
        for line in textwrap.wrap(plain(text), 104):
            self.say(f"{'':7}{self.paint(line, 'dim')}")


def fail(reason: str, details: str = "") -> None:
    """The reason in one line, the last one; what helps to understand it before."""
    try:
        if details:
            print(details, file=sys.stderr)
        print(f"deploy/demo: failed: {' '.join(plain(reason).split())}", file=sys.stderr, flush=True)
    except OSError:
        pass


def plain(text: str) -> str:
    """Without control characters: titles come from scanned systems, and this goes to a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def _clock(wall: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall * 1000) % 1000:03}"


def _names(calls: Sequence[Call]) -> str:
    """`finding_new: one title (low), another (info); scan_done: a target`"""
    by_type: dict[str, list[str]] = {}
    for call in calls:
        severity = f" ({call.finding.severity})" if call.finding else ""
        by_type.setdefault(call.event_type, []).append(f"{_cut(call.subject, 36)}{severity}")
    return "; ".join(f"{event_type}: {', '.join(subjects)}" for event_type, subjects in by_type.items())

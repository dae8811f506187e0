"""What the demo prints, and how it hears that it is to stop.

Colour only on a terminal that wants it; every line is out at once also into a pipe. Nobody reading any more (a closed pipe)
is a wish to stop as Ctrl-C is. Signals only set a flag: a server is never left half started.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import unicodedata
from collections import Counter
from typing import Sequence

from . import demo_slack
from .demo_expect import Expectation
from .demo_receipt import Receipt
from .demo_rule import DEAD, DELIVERED, FIRES, STAGES, WAITING

_CODES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "critical": "1;31", "high": "31", "medium": "33", "low": "34",
          "info": "2"}
_WIDTH = 67  # columns for what a delivery is about
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

    def head(self, text: str, words: str = "") -> None:
        self.say(f"\n{self.paint(text, 'bold')}")
        if words:
            self.say(words)

    def step(self, text: str) -> None:
        self.say(f"{self.paint(f'{time.monotonic() - self._started:5.1f} s', 'dim')}  {text}")

    def command(self, words: Sequence[str], output: str, grep: str = "") -> None:
        """GREP: a regular expression; other lines are left out."""
        filtered = f" | grep -E '{grep}'" if grep else ""
        self.say(self.paint(f"$ {' '.join(words)}{filtered}", "bold"))
        for line in output.splitlines():
            if re.search(grep, line):
                self.say(f"  {plain(line)}")

    def delivery(self, r: Receipt) -> None:
        if r.wrong or r.hook is None:
            self.say(self.paint(f"{_clock(r.wall)}  not right: {plain(r.wrong)}", "red"))
            return
        what = self._webhook(r) if r.hook.kind == "webhook" else _fit(demo_slack.fallback(r.body), _WIDTH)
        self.say(f"{self.paint(_clock(r.wall), 'dim')}  {what}  → {r.hook.name:<21}  {self._answer(r)}")

    def _webhook(self, r: Receipt) -> str:
        finding, target = r.body.get("finding") or {}, r.body.get("target") or {}
        severity = str(finding.get("severity") or "")
        title = str(finding.get("title") or target.get("name") or "")
        return f"{str(r.body.get('event')):<15}  {self.paint(f'{severity:<8}', severity)}  {_fit(title, _WIDTH - 27)}"

    def _answer(self, r: Receipt) -> str:
        good = "signature verified ✓" if r.hook and r.hook.kind == "webhook" else "Slack takes it ✓"
        text, style = {
            DELIVERED: (good if r.attempt == 1 else f"attempt {r.attempt}: {r.status}, {good}", "green"),
            WAITING: (f"attempt {r.attempt}: {r.status}, again in {r.pause:g} s", "medium"),
            DEAD: (f"attempt {r.attempt}: {r.status}, dead", "red"),
        }[r.state]
        return self.paint(text, style)

    def held_back(self, expected: Expectation) -> None:
        """By integration, how many events each stage held back."""
        for f in expected.filters:
            stages = Counter(by_integration[f.id] for by_integration in expected.stages.values())
            held = [f"{stages[stage]} by {stage}" for stage in STAGES if stages[stage]]
            self.say(f"  {f.name:<21}  {stages[FIRES]:2} sent{', held back ' if held else ''}{', '.join(held)}")

    def held_back_of_one(self, event_id: str, expected: Expectation) -> None:
        """One line for one event."""
        stages = expected.stages[event_id]
        held = [f"{f.name} ({stages[f.id]})" for f in expected.filters if stages[f.id] != FIRES]
        if held:
            self.say(self.paint(f"{'':14}held back: {', '.join(held)}", "dim"))


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


def _fit(text: str, size: int) -> str:
    """Cut or filled to so many columns of a terminal."""
    text = plain(text)
    if _columns(text) > size:
        while _columns(text) > size - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (size - _columns(text))


def _columns(text: str) -> int:
    """Many signs take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clock(wall: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall * 1000) % 1000:03}"

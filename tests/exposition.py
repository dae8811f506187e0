"""What notifyd's /metrics may say, read as strictly as Prometheus and promtool read it, and more strictly where we promise more."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Iterable

from sandbox.daemon import Notifyd

Series = tuple[str, frozenset[tuple[str, str]]]

NAME = re.compile(r"notify_[a-z0-9_]+")
SAMPLE = re.compile(r'(notify_[a-z0-9_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)+)\})? (\d+(?:\.\d+)?(?:e[+-]?\d+)?)')
LABEL = re.compile(r'([a-z]+)="([^"]*)"')
ROOT = Path(__file__).resolve().parent.parent


def listed(page: str) -> tuple[dict[str, tuple[str, set[str]]], dict[str, set[str]]]:
    """Of `notifyd --help-metrics=markdown`: each metric's type and labels, and each label's words (none: they stand elsewhere)."""
    metrics: dict[str, tuple[str, set[str]]] = {}
    words: dict[str, set[str]] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].startswith("`notify_"):
            metrics[cells[0].strip("`")] = (cells[1], set(re.findall(r"`(\w+)`", cells[2])))
        elif len(cells) == 3 and cells[0].startswith("`"):
            words.setdefault(cells[0].strip("`"), set()).update(re.findall(r"`([\w.]+)`", cells[1]))
    return metrics, words


def _check_histogram(name: str, labels: frozenset[tuple[str, str]], buckets: list[tuple[str, float]], found: dict[Series, float]) -> None:
    bounds = [float("inf") if bound == "+Inf" else float(bound) for bound, _ in buckets]
    values = [value for _, value in buckets]
    assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), (name, bounds)
    assert values == sorted(values), (name, "buckets are not cumulative", values)
    assert found[f"{name}_count", labels] == values[-1], (name, labels)
    assert found[f"{name}_sum", labels] >= 0


def parse(text: str) -> dict[Series, float]:
    """Each series with its value. Fails at what breaks the format, a family's order, a histogram, or our own rules for names."""
    found: dict[Series, float] = {}
    seen: set[str] = set()
    buckets: dict[Series, list[tuple[str, float]]] = {}
    family = kind = helped = ""
    assert text.endswith("\n") and "\n\n" not in text
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped, _, words = line[7:].partition(" ")
            assert NAME.fullmatch(helped) and words.strip() == words != "" and "\\" not in words, line
            continue
        if line.startswith("# TYPE "):
            family, kind = line[7:].split(" ")
            assert family == helped and family not in seen and kind in ("counter", "gauge", "histogram"), line
            assert family.endswith("_total") == (kind == "counter"), line
            seen.add(family)
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"not of the format: {line}"
        name, said, value = match[1], LABEL.findall(match[2] or ""), float(match[3])
        assert len(dict(said)) == len(said), line
        suffix = name.removeprefix(family)
        assert name.startswith(family) and suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)), line
        assert ("le" in dict(said)) == (suffix == "_bucket"), line
        key = (name, frozenset(said))
        assert key not in found, f"twice: {line}"
        found[key] = value
        if suffix == "_bucket":
            rest = frozenset(pair for pair in said if pair[0] != "le")
            buckets.setdefault((family, rest), []).append((dict(said)["le"], value))
    for (name, labels), them in buckets.items():
        _check_histogram(name, labels, them, found)
    return found


def value(found: dict[Series, float], name: str, **labels: str) -> float:
    """The sum over what has these labels."""
    return sum(v for (n, said), v in found.items() if n == f"notify_{name}" and labels.items() <= dict(said).items())


def _known(found: Iterable[Series], metrics: dict[str, tuple[str, set[str]]], words: dict[str, set[str]]) -> None:
    for name, labels in found:
        family = name if name in metrics else re.sub("_(bucket|sum|count)$", "", name)
        assert family in metrics, f"{name} is not in the list"
        said = dict(labels)
        assert set(said) - {"le"} == metrics[family][1], (name, said)
        for label, word in said.items():
            assert label in ("le", "version", "reason") or word in words[label], f"{name} has {label}={word}"


def _may_only_grow(name: str) -> bool:
    return name.endswith(("_total", "_bucket", "_count", "_sum"))


def check_scrapes(one: Notifyd, page: str, reasons: set[str], ask_promtool: bool) -> dict[Series, float]:
    """All that ONE's metrics said is good, in the list, and no counter ever fell. Asks once more, if it still answers."""
    before: dict[Series, float] = {}
    try:
        one.metrics(timeout=1)
    except (OSError, ValueError):
        pass  # it has ended, hangs, or listens nowhere
    metrics, words = listed(page)
    for text in one.scrapes:
        found = parse(text)
        _known(found, metrics, words)
        assert {dict(labels)["reason"] for _, labels in found if "reason" in dict(labels)} <= reasons
        for key, was in before.items():
            assert not _may_only_grow(key[0]) or found.get(key, 0) >= was, f"{key} fell from {was} to {found.get(key)}"
        before = found
    if ask_promtool and one.scrapes:
        promtool(one.scrapes[-1])
    return before


def promtool(text: str) -> None:
    """`promtool check metrics` has nothing at all to say, its rules of style included."""
    run = subprocess.run(["/usr/bin/promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", ""), run.stdout + run.stderr


def wrong_scrapes(started: list[Notifyd], context: Any) -> list[str]:
    """For the end of a test: what was wrong with what the metrics of STARTED said."""
    wrong = []
    for one in started:
        try:
            check_scrapes(one, *context)
        except AssertionError as error:
            wrong.append(f"metrics: {error}")
    return wrong

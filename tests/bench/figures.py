"""What is made of many runs: medians, ratios, and whether a figure is within its bound."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any, Mapping, Sequence


def medians(runs: Sequence[Any]) -> Any:
    """Of values of one shape: numbers become their median, mappings are gone through key by key."""
    first = runs[0]
    if isinstance(first, Mapping):
        return {key: medians([run[key] for run in runs]) for key in first}
    return statistics.median(runs)


def ratio(one: float, other: float) -> float | None:
    """None when there is nothing to compare with."""
    return one / other if other else None


@dataclass(frozen=True)
class Bound:
    """FIGURE is to be at most `most` and at least `least`."""

    figure: str
    most: float | None = None
    least: float | None = None

    def judge(self, value: float | None) -> dict[str, Any]:
        good = value is not None and (self.most is None or value <= self.most) and (self.least is None or value >= self.least)
        limits = {"at_least": self.least, "at_most": self.most}
        return {"bound": {word: limit for word, limit in limits.items() if limit is not None}, "within": good}


def judged(figures: dict[str, Any], *bounds: Bound) -> dict[str, Any]:
    """FIGURES with their bounds beside them, and whether all of these are kept."""
    verdicts = {bound.figure: bound.judge(figures[bound.figure]) for bound in bounds}
    return {**figures, "bounds": verdicts, "within": all(verdict["within"] for verdict in verdicts.values())}


def rounded(value: Any) -> Any:
    """To four significant digits, which is more than any of these figures has."""
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value

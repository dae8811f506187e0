"""The contenders as a picture: build/bench.svg, one group of bars for each figure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Callable, Mapping

_WIDTH, _LABEL, _VALUE = 820, 90, 150  # columns, in pixels: all, for the names, for the numbers
_BAR, _GAP, _HEAD, _BETWEEN, _TOP = 24, 8, 34, 26, 52
_COLOURS = {"notifyd": "#0f766e", "celery": "#64748b", "node": "#94a3b8", "floor": "#cbd5e1"}


@dataclass(frozen=True)
class Group:
    title: str
    value: Callable[[Mapping[str, Any]], float]
    text: Callable[[float], str]


GROUPS = (
    Group("Events per second (more is better)", lambda c: c["events_per_s"], lambda v: f"{v:,.0f}"),
    Group("CPU microseconds per event (less is better)", lambda c: c["cpu_us_per_event"], lambda v: f"{v:,.0f} µs"),
    Group("Latency from publish to receipt, 99th percentile (less is better)", lambda c: c["latency_ms"]["p99"],
          lambda v: f"{v:.1f} ms"),
    Group("Peak memory of a worker, RssAnon (less is better)", lambda c: c["anon_mb_per_worker"], lambda v: f"{v:.1f} MB"),
)


def _group(group: Group, contenders: Mapping[str, Any], top: int) -> list[str]:
    values = {name: group.value(figures) for name, figures in contenders.items()}
    room, most = _WIDTH - _LABEL - _VALUE, max(values.values()) or 1
    lines = [f'<text class="head" x="20" y="{top + 18}">{escape(group.title)}</text>']
    for number, (name, value) in enumerate(values.items()):
        y, length = top + _HEAD + number * (_BAR + _GAP), max(2.0, room * value / most)
        middle = y + _BAR * 0.7
        lines += [
            f'<text x="{_LABEL - 8}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="3" fill="{_COLOURS.get(name, "#64748b")}"/>',
            f'<text class="value" x="{_LABEL + length + 8:.1f}" y="{middle:.0f}">{escape(group.text(value))}</text>',
        ]
    return lines


def draw(report: Mapping[str, Any]) -> str:
    """An SVG document; the report must have contenders."""
    contenders = report["contenders"]
    step = _HEAD + len(contenders) * (_BAR + _GAP) + _BETWEEN
    height = _TOP + len(GROUPS) * step
    about = report["machine"]
    under = (f"{about['processors']} processors, RabbitMQ, PostgreSQL and receiver on the same machine; median of three runs;"
             f" latency at {report['latency_rate_per_s']:.0f} events/s")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        "<style>text{font:14px system-ui,sans-serif;fill:#1e293b}.title{font-size:17px;font-weight:600}.head{font-weight:600}"
        ".small{font-size:12px;fill:#475569}.value{font-variant-numeric:tabular-nums}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text class="title" x="20" y="26">notifyd beside other workers that deliver the same events</text>',
        f'<text class="small" x="20" y="44">{escape(under)}</text>',
    ]
    for number, group in enumerate(GROUPS):
        lines += _group(group, contenders, _TOP + 8 + number * step)
    return "\n".join([*lines, "</svg>", ""])


def write(report: Mapping[str, Any], path: Path) -> None:
    path.write_text(draw(report), encoding="utf-8")

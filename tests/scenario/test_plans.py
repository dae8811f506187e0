"""The worker's statements go to their rows by key, also when they were planned while the tables were empty.

A plan is kept for the life of a connection. One that reads a whole table is cheap as long as the table is empty, and then
grows with it: with 20,000 rows it took 20 times as long as the delivery itself.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2]


def statements(build: Path) -> dict[str, tuple[list[int], str]]:
    """Of each statement in worker/statements.c: name, OIDs of its parameters' types, SQL."""
    printed = subprocess.run([build / "tests" / "unit" / "statements_tool"], capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in printed.splitlines()]
    return {name: ([int(oid) for oid in oids.split(",")], sql) for name, oids, sql in rows}


def settings() -> str:
    """What a worker sets after connecting, as far as it concerns plans."""
    return "; ".join(re.findall(r"SET (?:enable_\w+|plan_cache_mode|jit) = \w+", (SOURCE / "common" / "db" / "pg_dial.c").read_text()))


def prepare(cursor: Any, name: str, oids: list[int], sql: str) -> None:
    """As a worker does, with the types of the parameters."""
    cursor.execute("SELECT array_agg(format_type(o, NULL) ORDER BY n) FROM unnest(%s) WITH ORDINALITY AS x(o, n)", (oids,))
    cursor.execute(f"PREPARE p_{name} ({', '.join(cursor.fetchone()[0])}) AS {sql}")


def test_no_statement_reads_a_whole_table_even_when_planned_on_empty_ones(migrated, build):
    with migrated.connect() as connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(settings())
        named = statements(build)
        assert {"lookup", "rules", "new_events", "events", "lock", "take", "outcomes", "ends", "attempts", "owe",
                "sweep_deliveries", "sweep_events", "swept", "expand_lock", "expand_place", "expand_read", "wakes",
                "wake_lock", "wake_read", "wake_end", "sweep_wakes", "health", "hours", "hours_may", "retire_hours", "retire_may", "retire_may_kept", "retire_deliveries",
                "retire_events", "retire_shadow", "retire_may_shadow", "shadow", "shadow_findings", "retire_refs", "retire_passing_refs", "retire_answers", "retire_changes", "retire_tokens",
                "ref_make", "ref_claim", "ref_read", "ref_release"} == set(named)
        for name, (oids, sql) in named.items():
            prepare(cursor, name, oids, sql)
            cursor.execute(f"EXPLAIN EXECUTE p_{name}({', '.join(['NULL'] * len(oids))})")
            plan = [row[0] for row in cursor.fetchall()]
            for number, line in enumerate(plan):
                assert "Seq Scan" not in line, "\n".join(plan)
                # Good for people; of a mailbox with 600,000 deliveries, a TAKE of 200 read them all, for 18 seconds.
                assert "deliveries_integration" not in line, f"{name} reads all deliveries of an integration:\n" + "\n".join(plan)
                if "_owed on" in line:
                    continue  # all of that index is what is asked for
                if re.search(r"Index (Only )?Scan using", line) and not re.search(r"Index Cond", " ".join(plan[number + 1 : number + 2])):
                    raise AssertionError(f"{name} reads a whole index:\n" + "\n".join(plan))


def test_every_parameter_of_a_statement_has_a_name_and_a_type(build):
    """A column too few or too many would move all that follow it."""
    for name, (oids, sql) in statements(build).items():
        used = [int(number) for number in re.findall(r"\$(\d+)", sql)]
        assert used == list(range(1, len(oids) + 1)), name
        aliases = re.findall(r"AS x\((.*?)\)", sql)
        assert not aliases or sum(alias.count(",") + 1 for alias in aliases) == len(oids), name

"""The worker's statements go to their rows by key, also when they were planned while the tables were empty.

A plan is kept for the life of a connection. One that reads a whole table is cheap as long as the table is empty, and then
grows with it: with 20,000 rows it took 20 times as long as the delivery itself.
"""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "worker"


def statements() -> dict[str, tuple[str, int]]:
    """Name, SQL and number of parameters of each statement in worker/statements.c."""
    text = re.sub(r"/\*.*?\*/", "", (SOURCE / "statements.c").read_text(), flags=re.S)
    iso = re.search(r'#define UTC_ISO\s+"((?:[^"\\]|\\.)*)"', text)
    assert iso
    text = text.replace("UTC_ISO", f'"{iso.group(1)}"')
    found = {}
    for entry in text.split("[STATEMENT_")[2:]:  # the first is the array's size
        pieces = [piece.encode().decode("unicode_escape") for piece in re.findall(r'"((?:[^"\\]|\\.)*)"', entry)]
        sql = "".join(pieces[1:])
        found[pieces[0]] = (sql, max(map(int, re.findall(r"\$(\d+)", sql))))
    return found


def settings() -> str:
    """What a worker sets after connecting, as far as it concerns plans."""
    return "; ".join(re.findall(r"SET (?:enable_\w+|plan_cache_mode|jit) = \w+", (SOURCE / "pg_dial.c").read_text()))


def test_no_statement_reads_a_whole_table_even_when_planned_on_empty_ones(migrated):
    with migrated.connect() as connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(settings())
        named = statements()
        assert {"lookup", "rules", "events", "lock", "take", "outcomes", "ends", "attempts"} == set(named)
        for name, (sql, count) in named.items():
            cursor.execute(f"PREPARE p_{name} AS {sql}")
            cursor.execute(f"EXPLAIN EXECUTE p_{name}({', '.join(['NULL'] * count)})")
            plan = [row[0] for row in cursor.fetchall()]
            for number, line in enumerate(plan):
                assert "Seq Scan" not in line, "\n".join(plan)
                if re.search(r"Index (Only )?Scan using", line) and not re.search(r"Index Cond", " ".join(plan[number + 1 : number + 2])):
                    raise AssertionError(f"{name} reads a whole index:\n" + "\n".join(plan))

"""A database of its own with workspaces, and the events that can be about them.

Made from a migrated, empty template, so each world costs a fraction of a second. The ledger is emptied before every run: no
run pays for the rows of the one before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Sequence

from psycopg2.extras import Json
from sandbox import seed
from sandbox.postgres import PostgresServer

TEMPLATE = "bench_template"
_LEDGER = ("attempts", "deliveries", "events", "integration_state")
_BATCH = 1000


class World:
    def __init__(self, postgres: PostgresServer, name: str, folder: Path, key: str) -> None:
        self._postgres, self.name, self._folder, self._key = postgres, name, folder, key
        self.url = postgres.create_database(name, template=TEMPLATE)
        self._connection = postgres.connect(name)
        self._lists = 0

    def close(self) -> None:
        self._connection.close()
        self._postgres.drop_database(self.name)

    # --- rows

    def add_workspaces(self, count: int, url: str, *, findings: int = 20, integrations: int = 1) -> list[str]:
        """Each with a target, a scan and INTEGRATIONS webhooks at URL that let everything pass; returns lines for events()."""
        lines = []
        self._connection.autocommit = False
        for _ in range(count):
            workspace = seed.add_workspace(self._connection)
            scan = seed.add_scan(self._connection, seed.add_target(self._connection, workspace))
            for number in range(integrations):
                seed.add_integration(self._connection, workspace, "webhook", self._settings(url), self._key,
                                     name=f"hook {number}", severity_filter="info")
            made = seed.add_findings(self._connection, scan, ["high"] * findings)
            lines += [f"{scan.id} {finding.id}" for finding in made]
        self._finish()
        return lines

    def add_bystanders(self, line: str, count: int, url: str) -> None:
        """COUNT more integrations for the workspace of LINE, none of which fires: a quarter is held back by each filter."""
        held_back: Sequence[dict[str, Any]] = (
            {"enabled": False}, {"target_ids": [seed.new_id()]}, {"events": ["scan_failed"]}, {"target_kinds": Json(["llm"])})
        [(workspace, org)] = self.query("SELECT workspace_id::text, org_id::text FROM scans WHERE id = %s", (line.split()[0],))
        sealed = seed.encrypt_config(self._settings(url), self._key)
        self._connection.autocommit = False
        with self._connection.cursor() as cursor:
            for number in range(count):
                row = {"enabled": True, "target_ids": None, "events": None, "target_kinds": None, **held_back[number % 4]}
                cursor.execute(
                    "INSERT INTO integrations (id, org_id, workspace_id, kind, name, config_encrypted, enabled, severity_filter,"
                    " target_ids, events, target_kinds) VALUES (%s, %s, %s, 'webhook', %s, %s, %s, 'info', %s::uuid[], %s, %s)",
                    (seed.new_id(), org, workspace, f"bystander {number}", sealed, row["enabled"], row["target_ids"],
                     row["events"], row["target_kinds"]))
        self._finish()

    def _settings(self, url: str) -> dict[str, str]:
        return {"webhook_url": url, "hmac_secret": "whsec_YmVuY2htYXJrIHNlY3JldCBvZiAyNCBi"}

    def _finish(self) -> None:
        self._connection.commit()
        self._connection.autocommit = True
        self._run("ANALYZE")

    # --- what happens to them

    def events(self, lines: Iterable[str], weight: int = 1) -> Path:
        """A file of events for the publisher, each standing WEIGHT times in a round; see joined()."""
        return self.joined((lines, weight))

    def joined(self, *parts: tuple[Iterable[str], int]) -> Path:
        """A file of several lists of lines, each line of a list with the weight of that list."""
        self._lists += 1
        path = self._folder / f"{self.name}-{self._lists}.events"
        path.write_text("".join(f"{line} {weight}\n" for lines, weight in parts for line in lines))
        return path

    def empty_ledger(self) -> None:
        """And what the run before has left for the disk is written now."""
        self._run(f"TRUNCATE {', '.join(f'notify.{table}' for table in _LEDGER)}")
        self._run("CHECKPOINT")

    def states(self) -> dict[str, int]:
        """Deliveries in the ledger by state."""
        return dict(self.query("SELECT state, count(*) FROM notify.deliveries GROUP BY 1"))

    def query(self, sql: str, params: object = None) -> list[tuple]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()

    def _run(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)


def describe(postgres: PostgresServer) -> dict[str, str]:
    """The settings that a reader wants to know."""
    names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
    return {name: postgres.query(f"SHOW {name}")[0][0] for name in names}

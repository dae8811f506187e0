"""A database that the API serves, as tests of the service layer and of the API use it: on our own tables and on the live product's.

Whoever works for a workspace logs in as a role that has nothing but what schema/roles.sql gives to notify_api.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ctl import ROOT, Answer, Notifyctl, run_roles
from sandbox import seed
from stage import migrate

LOGIN, OWNER, ADMIN = "api_login", "incumbent", "notify_admin"
HOOK = "https://receiver.example/config-secret"


class Served:
    """Two workspaces, `ours` with two targets and `theirs` with one, and a notifyctl under the API's role."""

    def __init__(self, build: Path, folder: Path, database: Any, key: str) -> None:
        self.build, self.database, self.key = build, database, key
        self.connection = database.connect()
        self.ours, self.theirs = seed.add_workspace(self.connection), seed.add_workspace(self.connection)
        self.targets = [seed.add_target(self.connection, self.ours).id, seed.add_target(self.connection, self.ours, "repo").id]
        self.foreign = seed.add_target(self.connection, self.theirs).id
        database.server.create_role(LOGIN)
        database.execute(f"GRANT notify_api TO {LOGIN}")
        self.notifyctl = Notifyctl(build / "notifyctl", folder, {
            "broker": {"url": "amqp://127.0.0.1:1"}, "database": {"url": database.dsn(LOGIN)}, "api": {"role": "notify_api"},
            "secrets": {"fernet_keys": [key]}})

    def ctl(self, *words: str, workspace: Any = None, **options: Any) -> Answer:
        """With --workspace of ours, or of WORKSPACE."""
        return self.notifyctl(*words, "--workspace", (workspace or self.ours).id, **options)

    def create(self, *words: str, config: Any = None, workspace: Any = None, kind: str = "webhook", name: str = "hook") -> Answer:
        return self.ctl("integration", "create", "--kind", kind, "--name", name, "--config-file", "-", *words, workspace=workspace,
                        stdin=json.dumps({"webhook_url": HOOK} if config is None else config))

    def add(self, **options: Any) -> str:
        answer = self.create(**options)
        assert answer.code == 0, answer
        return answer.out.strip()

    def row(self, integration: str) -> dict[str, Any]:
        (row,), = self.database.query("SELECT row_to_json(i) FROM public.integrations i WHERE id = %s", (integration,))
        return row

    def shown(self, integration: str, workspace: Any = None) -> dict[str, Any]:
        found = [one for one in self.ctl("integration", "list", "--json", workspace=workspace).json() if one["id"] == integration]
        return found[0]

    def changes(self) -> list[tuple]:
        return self.database.query("SELECT actor, verb, object, fields FROM notify.changes ORDER BY id")


@pytest.fixture(params=["own", "incumbent"])
def served(request: pytest.FixtureRequest, build: Path, tmp_path: Path, database: Any, fernet_key: str) -> Any:
    """Migrated as the documents say: on the live product's database by a role that may do nothing but make a schema."""
    if request.param == "own":
        migrate(build, database.url)
    else:
        request.getfixturevalue("incumbent")
        database.server.create_role(ADMIN)
        database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {ADMIN}; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        migrate(build, database.dsn(ADMIN))
        database.execute((ROOT / "schema" / "integration_triggers.sql").read_text(), user=OWNER)
    run_roles(database)
    made = Served(build, tmp_path, database, fernet_key)
    yield made
    made.connection.close()

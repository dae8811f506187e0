"""Whatever dies in the middle of a creation, an integration is there wholly or not at all, and its key makes no second."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
from typing import Any, Callable

import psycopg2
import pytest
from sandbox.api import NotifyApi, Reply
from sandbox.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group("api kills")  # all with the same server, which goes and comes
CLIENTS = 6


@pytest.fixture(scope="module")
def postgres(server_folder):
    """With fsync: here the power is cut."""
    server = PostgresServer(server_folder / "postgres-api-kills")
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def token(ctl, stage):
    words = ("token", "create", "--workspace", stage.workspace.id, "--scope", "write", "--json")
    return ctl(*words, database={"role": None}).json()["token"]


def body(key: str) -> dict[str, Any]:
    return {"kind": "slack", "name": key, "config": {"webhook_url": "https://hooks.slack.com/services/T0/B0/x"}, "events": ["scan_done"]}


def create(api: NotifyApi, token: str, key: str) -> Reply | None:
    """None: nobody knows."""
    try:
        answer = api.ask("POST", "/integrations", body(key), token, {"Idempotency-Key": key}, timeout=15)
    except (OSError, http.client.HTTPException):
        return None
    assert answer.status in (201, 503), answer
    return answer if answer.status == 201 else None


class Creations:
    """CLIENTS that create one integration after the other, each with a key of its own."""

    def __init__(self, api: NotifyApi, token: str, numbers: Any) -> None:
        self.api, self.token, self._numbers = api, token, numbers
        self.answered: dict[str, str] = {}  # key: id
        self.unknown: list[str] = []
        self.wrong: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for one in self._threads:
            one.start()

    def _run(self) -> None:
        while not self._over.is_set():
            key = f"key-{next(self._numbers)}"
            try:
                answer = create(self.api, self.token, key)
            except AssertionError as error:
                self.wrong.append(str(error))
                return
            if answer is None:
                self.unknown.append(key)
                return
            self.answered[key] = answer.json()["id"]

    def end(self) -> None:
        self._over.set()
        for one in self._threads:
            one.join()
        assert not self.wrong, self.wrong


def repeat_all(api: NotifyApi, token: str, load: Creations, patience: float = 30) -> int:
    """Sends again what was not answered, and some that was; how many of the former had been made."""
    made = 0
    end = time.monotonic() + patience
    for key in load.unknown:
        while (answer := create(api, token, key)) is None:
            assert time.monotonic() < end, "it does not come back"
            time.sleep(0.05)
        load.answered[key] = answer.json()["id"]
        made += answer.headers.get("idempotent-replayed") == "true"
    for key, made_id in list(load.answered.items())[-20:]:
        again = create(api, token, key)
        assert again and again.headers["idempotent-replayed"] == "true" and again.json()["id"] == made_id
    return made


def is_whole(stage: Any, answered: dict[str, str]) -> None:
    """What was answered is there, once, and nothing else; so is what tells of it."""
    query = stage.database.query
    rows = query("SELECT name, id::text FROM integrations")
    assert len(rows) == len(answered) and dict(rows) == answered
    assert query("SELECT count(*) FROM integrations WHERE config_encrypted IS NULL OR events IS NULL") == [(0,)]
    told = query("SELECT object FROM notify.changes WHERE verb = 'create'")
    assert sorted(id for id, in told) == sorted(answered.values())
    kept = query("SELECT key, integration_id::text FROM notify.kept_answers WHERE answer IS NOT NULL")
    assert dict(kept) == answered and len(kept) == len(answered)


def test_a_server_that_is_killed_at_any_moment_has_made_each_integration_wholly_or_not_at_all(stage, notify_api, token):
    numbers, answered, chance = itertools.count(), {}, random.Random(8)
    cut = made = 0
    for _ in range(12):
        api = notify_api({"api": {"rate": 100000.0}})
        load = Creations(api, token, numbers)
        time.sleep(chance.uniform(0.02, 0.3))
        api.kill()
        load.end()
        after = notify_api({"api": {"rate": 100000.0}})
        cut += len(load.unknown)
        made += repeat_all(after, token, load)
        answered.update(load.answered)
    print(f"{len(answered)} made; of {cut} that nobody heard of, {made} had been made")
    assert cut > 12
    is_whole(stage, answered)


def test_a_database_that_is_killed_at_any_moment_has_made_each_integration_wholly_or_not_at_all(stage, notify_api, token, postgres):
    numbers, answered, chance = itertools.count(), {}, random.Random(9)
    api = notify_api({"api": {"rate": 100000.0}, "database": {"timeout": 2.0}})
    made = 0
    for _ in range(6):
        load = Creations(api, token, numbers)
        time.sleep(chance.uniform(0.02, 0.3))
        postgres.kill()
        load.end()
        postgres.start()
        made += repeat_all(api, token, load)
        answered.update(load.answered)
    print(f"{len(answered)} made, {made} of them in a creation that failed")
    is_whole(stage, answered)


def held(stage: Any, api: NotifyApi, token: str, key: str) -> tuple[Any, threading.Thread]:
    """A creation that waits in the middle of its transaction, for a lock that the returned connection has."""
    lock = psycopg2.connect(stage.database.url)
    lock.cursor().execute("LOCK TABLE integrations IN SHARE MODE")
    client = threading.Thread(target=create, args=(api, token, key))
    client.start()
    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%api_integrations%'"
    stage.wait(lambda: stage.database.query(waits))
    return lock, client


def test_a_creation_whose_server_dies_before_the_answer_is_answered_to_who_repeats_it(stage, notify_api, token):
    api, after = notify_api(), notify_api()
    lock, client = held(stage, api, token, "one")
    api.kill()
    client.join()
    lock.close()
    answer = create(after, token, "one")
    assert answer is not None
    is_whole(stage, {"one": answer.json()["id"]})


def test_a_creation_whose_database_dies_before_its_end_was_none(stage, notify_api, token, postgres):
    api = notify_api({"database": {"timeout": 3.0}})
    lock, client = held(stage, api, token, "one")
    postgres.kill()
    postgres.start()
    client.join()
    lock.close()
    answer = stage.wait(lambda: create(api, token, "one"))
    is_whole(stage, {"one": answer.json()["id"]})


def export(api: NotifyApi, token: str, integration: str, finding: str, key: str) -> Reply | None:
    """None: nobody knows."""
    try:
        answer = api.ask("POST", f"/integrations/{integration}/export", {"finding_ids": [finding]}, token, {"Idempotency-Key": key}, timeout=15)
    except (OSError, http.client.HTTPException):
        return None
    assert answer.status in (200, 503), answer
    return answer if answer.status == 200 else None


@pytest.mark.parametrize("dies", ["server", "database"])
def test_an_export_that_is_asked_for_until_it_is_answered_is_delivered_once(dies, stage, notify_api, notifyd, token, postgres):
    hook, settings = stage.webhook(), {"api": {"rate": 100000.0}, "database": {"timeout": 2.0}}
    api, numbers, chance, made = notify_api(settings), itertools.count(), random.Random(10), {}
    for _ in range(5):
        keys, over = {}, threading.Event()

        def client() -> None:
            while not over.is_set():
                key = f"export-{next(numbers)}"
                keys[key] = export(api, token, hook.id, stage.high, key)
                if keys[key] is None:
                    return

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for one in threads:
            one.start()
        time.sleep(chance.uniform(0.02, 0.3))
        (api if dies == "server" else postgres).kill()
        for one in threads:
            one.join()
        if dies == "server":
            api = notify_api(settings)
        else:
            postgres.start()
        for key, answer in keys.items():
            again = stage.wait(lambda: export(api, token, hook.id, stage.high, key))
            assert answer is None or again.json() == answer.json()
            made[key] = again.json()["findings"][0]["event_id"]
    assert sorted(id for id, in stage.database.query("SELECT id FROM notify.events")) == sorted(made.values()) and len(set(made.values())) == len(made)
    notifyd()
    stage.wait_arrivals(made.values(), 60)
    assert set(stage.arrivals().values()) == {1}


def test_what_one_server_changes_the_other_and_the_workers_know_at_once(stage, notify_api, notifyd, token):
    settings = {"api": {"rate": 100000.0}, "delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True}}
    first, second = notify_api(settings), notify_api(settings)
    notifyd({"workers": 1})
    made = first.ask("POST", "/integrations", {"kind": "webhook", "name": "hook", "config": {"webhook_url": stage.receiver.url("/a")}}, token)
    assert made.status == 201
    path = f"/integrations/{made.json()['id']}"
    assert second.ask("GET", path, None, token).json() == made.json()
    stage.publish("scan_done")
    stage.receiver.wait_for(1, "/a")

    changes: list[tuple[Callable[[], Reply], str]] = [
        (lambda: second.ask("PATCH", path, {"config": {"webhook_url": stage.receiver.url("/b")}}, token), "/b"),
        (lambda: first.ask("PATCH", path, {"config": {"webhook_url": stage.receiver.url("/c")}}, token), "/c")]
    for change, there in changes:
        assert change().status == 200
        for one in (first, second):
            assert one.ask("GET", path, None, token).status == 200
        time.sleep(1)
        stage.publish("scan_done")
        stage.receiver.wait_for(1, there)
    assert first.ask("PATCH", path, {"enabled": False}, token).status == 200
    assert second.ask("GET", path, None, token).json()["enabled"] is False
    time.sleep(1)
    event = stage.publish("scan_done")
    stage.wait(lambda: stage.events(event)[0]["state"] != "open")
    assert stage.events(event)[0]["filtered_disabled"] == 1
    assert second.ask("DELETE", path, None, token).status == 204 and first.ask("GET", path, None, token).status == 404
    assert [stage.receiver.count(p) for p in ("/a", "/b", "/c")] == [1, 1, 1]

"""notifyctl rotate-keys: every row under the first key, while everything runs."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import psycopg2
import pytest
from cryptography.fernet import Fernet, InvalidToken
from sandbox import bulk, seed

OWNER = {"role": None}


@pytest.fixture
def new_key() -> str:
    return Fernet.generate_key().decode()


def keys(*all: str) -> dict[str, Any]:
    return {"secrets": {"fernet_keys": list(all)}, "database": OWNER}


def copies(stage: Any, one: Any, count: int) -> None:
    """COUNT more rows like ONE, disabled."""
    stage.database.execute("INSERT INTO integrations SELECT (jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(), 'name', 'copy ' || n, 'enabled', false))).*"
                           " FROM integrations i, generate_series(1, %s) n WHERE i.id = %s", (count, one.id))


def opened(stage: Any, key: str) -> dict[str, bytes | None]:
    """What KEY opens of each row; None: it does not."""
    def read(token: Any) -> bytes | None:
        try:
            return Fernet(key).decrypt(bytes(token))
        except InvalidToken:
            return None

    return {id: read(token) for id, token in stage.database.query("SELECT id::text, config_encrypted FROM integrations WHERE config_encrypted IS NOT NULL")}


def test_all_rows_open_with_the_first_key_alone_and_hold_what_they_held(stage, ctl, new_key):
    one = stage.webhook()
    copies(stage, one, 250)
    stage.integration({"webhook_url": "https://plain.example/é"}, plain_form=True)
    seed.add_integration(stage.connection, seed.add_workspace(stage.connection), "slack", {"webhook_url": "https://x.example/"}, stage.key)
    seed.add_integration(stage.connection, stage.workspace, "slack", {"webhook_url": "https://new.example/"}, new_key)
    stage.database.execute("UPDATE integrations SET config_encrypted = NULL WHERE name = 'copy 7'")
    before = opened(stage, stage.key)
    look = ctl("rotate-keys", "--dry-run", "--json", **keys(new_key, stage.key))
    assert look.code == 1 and look.json() == {"rotated": 0, "current": 2, "older": 252, "unreadable": 0, "only_first_key_is_used": False}, look
    assert opened(stage, stage.key) == before, "a look changes nothing"
    done = ctl("rotate-keys", **keys(new_key, stage.key))
    assert done.code == 0 and "252 integrations were sealed again" in done.out and "no row needs another one" in done.out, done
    after = opened(stage, new_key)
    assert {id: plain for id, plain in after.items() if before[id]} == {id: plain for id, plain in before.items() if plain}
    assert all(after.values()) and not any(opened(stage, stage.key).values())
    assert ctl("rotate-keys", "--json", **keys(new_key)).json() == {"rotated": 0, "current": 254, "older": 0, "unreadable": 0, "only_first_key_is_used": True}
    assert ctl("rotate-keys", **keys(stage.key)).code == 1, "the old key opens nothing any more"


def test_what_no_key_opens_is_named_and_the_others_are_done(stage, ctl, new_key):
    good, bad, odd = stage.webhook(), stage.webhook("/2", name="bad"), stage.webhook("/3", name="odd")
    stage.database.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s", (Fernet(Fernet.generate_key()).encrypt(b"{}"), bad.id))
    stage.database.execute("UPDATE integrations SET config_encrypted = '\\x00ff'::bytea WHERE id = %s", (odd.id,))
    done = ctl("rotate-keys", "--json", **keys(new_key, stage.key))
    assert done.code == 1 and done.json()["unreadable"] == 2 and done.json()["rotated"] == 1, done
    assert bad.id in done.err and odd.id in done.err and good.id not in done.err
    assert opened(stage, new_key)[good.id] and stage.key not in done.err + done.out and new_key not in done.err + done.out


def test_a_row_that_somebody_holds_is_waited_for_and_nobody_waits_for_us(stage, ctl, new_key):
    one = stage.webhook()
    copies(stage, one, 20)
    with psycopg2.connect(stage.database.url) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM integrations WHERE id = %s FOR UPDATE", (one.id,))
        running = ctl.start("rotate-keys", "--json", **keys(new_key, stage.key))
        stage.wait(lambda: sum(map(bool, opened(stage, new_key).values())) == 20)
        time.sleep(1.5)
        assert running.poll() is None
    assert ctl.finish(running).json()["rotated"] == 21 and all(opened(stage, new_key).values())
    # For ever is too long.
    with psycopg2.connect(stage.database.url) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM integrations WHERE id = %s FOR UPDATE", (one.id,))
        left = ctl("rotate-keys", "--json", **keys(stage.key, new_key))
    assert left.code == 1 and left.json()["older"] == 1 and "run it again" in left.err, left


def test_a_change_that_somebody_makes_meanwhile_is_never_undone(stage, ctl, new_key):
    """The client counts in the settings; whatever stands there at the end is the last that it wrote."""
    one = stage.webhook()
    copies(stage, one, 300)
    ids = [id for id, in stage.database.query("SELECT id::text FROM integrations ORDER BY id")]
    wrote: dict[str, int] = {}
    stop = threading.Event()

    def change() -> None:
        with psycopg2.connect(stage.database.url) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not stop.is_set():
                for id in ids[::3]:
                    number = wrote.get(id, 0) + 1
                    token = seed.encrypt_config({"webhook_url": "https://x.example/", "number": number}, stage.key if number < 3 else new_key)
                    cursor.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s", (token, id))
                    wrote[id] = number

    client = threading.Thread(target=change)
    client.start()
    try:
        done = ctl("rotate-keys", "--batch", "7", **keys(new_key, stage.key))
        stage.wait(lambda: min(wrote.get(id, 0) for id in ids[::3]) >= 3)
    finally:
        stop.set()
        client.join()
    again = ctl("rotate-keys", **keys(new_key, stage.key))
    assert again.code == 0, (done, again)
    after = opened(stage, new_key)
    for id, number in wrote.items():
        assert f'\\"number\\":{number}' in after[id].decode(), (id, number, after[id])


def test_it_is_killed_and_goes_on_where_it_was(stage, ctl, new_key):
    one = stage.webhook()
    copies(stage, one, 600)
    for _ in range(3):
        running = ctl.start("rotate-keys", "--batch", "1", **keys(new_key, stage.key))
        began = sum(map(bool, opened(stage, new_key).values()))
        stage.wait(lambda: sum(map(bool, opened(stage, new_key).values())) > began + 20)
        running.send_signal(signal.SIGKILL)
        ctl.finish(running)
    found = opened(stage, new_key)
    assert {id for id, plain in found.items() if plain} | {id for id, plain in opened(stage, stage.key).items() if plain} == set(found), "each row opens with one of the two"
    done = ctl("rotate-keys", "--json", **keys(new_key, stage.key))
    assert done.code == 0 and done.json()["rotated"] == sum(plain is None for plain in found.values()) and all(opened(stage, new_key).values())


def test_rows_that_a_policy_hides_do_not_pass_for_done(stage, ctl, new_key):
    stage.webhook()
    stage.database.execute("CREATE ROLE half LOGIN; GRANT SELECT, UPDATE ON integrations TO half; ALTER TABLE integrations ENABLE ROW LEVEL SECURITY")
    try:
        answer = ctl("rotate-keys", secrets={"fernet_keys": [new_key, stage.key]}, database={"role": None, "url": stage.database.dsn(user="half")})
        assert answer.code == 1 and "row-level security" in answer.err, answer
    finally:
        stage.database.execute("ALTER TABLE integrations DISABLE ROW LEVEL SECURITY; REVOKE ALL ON integrations FROM half; DROP ROLE half")


def test_wrong_use_and_missing_keys_are_said(stage, ctl):
    assert ctl("rotate-keys", "--batch", "0", database=OWNER).code == 2 and ctl("rotate-keys", "--batch", "1001", database=OWNER).code == 2
    none = ctl("rotate-keys", secrets={"fernet_keys": []}, database=OWNER)
    assert none.code == 78 and "FERNET_KEY" in none.err, none
    away = ctl("rotate-keys", database={"role": None, "url": "postgresql://127.0.0.1:1/d"})
    assert away.code == 75, away


@pytest.mark.alone
def test_ten_thousand_rows_are_rotated_under_load_and_no_delivery_fails(stage, notifyd, ctl, new_key):
    """Both keys stand in the workers' file, as the page says; each delivery goes through settings that may just be changing."""
    hooks = [stage.webhook(f"/{n}", name=f"hook {n}") for n in range(10)]
    copies(stage, hooks[0], 9990)
    one = notifyd({"secrets": {"fernet_keys": [stage.key, new_key]}})
    other = notifyd({"secrets": {"fernet_keys": [new_key, stage.key]}})
    stop, sent = threading.Event(), [0]

    def load() -> None:
        while not stop.is_set():
            bulk.publish_many(stage.broker_url, "notify", (stage.event() for _ in range(50)))
            sent[0] += 50
            time.sleep(0.1)

    producer = threading.Thread(target=load)
    producer.start()
    try:
        stage.wait(lambda: sent[0] >= 200)
        began = time.monotonic()
        done = ctl("rotate-keys", "--json", timeout=120, **keys(new_key, stage.key))
        took = time.monotonic() - began
    finally:
        stop.set()
        producer.join()
    assert done.code == 0 and done.json()["rotated"] == 10000, done
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'") == [(10 * sent[0],)], 120,
               lambda: stage.database.query("SELECT state, reason, error, count(*) FROM notify.deliveries GROUP BY 1, 2, 3"))
    assert stage.database.query("SELECT count(*) FROM notify.deliveries WHERE attempt > 1 OR error IS NOT NULL") == [(0,)], "none failed, not even once"
    assert not one.events("config_unreadable") and not other.events("config_unreadable")
    print(f"{sent[0]} events beside it; 10,000 rows in {took:.1f} s")

"""TLS to the database, as database.url asks for it: notifyd, notify-api and notifyctl, and a server that is not the one that was meant."""

from __future__ import annotations

import os
import pwd
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

import pytest
from authority import Authority
from ctl import on_stage
from proxy import Cuttable
from sandbox.bulk import BulkPublisher
from sandbox.postgres import PostgresServer
from sandbox.processes import HeldPort

HOST = "localhost"


@pytest.fixture(scope="module")
def authority(server_folder: Path) -> Authority:
    return Authority(server_folder / "authority-database")


def put(files: tuple[Path, Path], folder: Path) -> None:
    """Where the server looks for its certificate and its key, which must be its own."""
    for file, name in zip(files, ("server.crt", "server.key")):
        target = folder / name
        shutil.copy(file, target)
        target.chmod(0o600)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(target, account.pw_uid, account.pw_gid)


@pytest.fixture(scope="module")
def postgres(server_folder: Path, authority: Authority) -> Iterator[PostgresServer]:
    server = PostgresServer(server_folder / "postgres-tls", fsync=False, settings={
        "ssl": "on", "ssl_cert_file": "../server.crt", "ssl_key_file": "../server.key"})
    put(authority.files(HOST), server.data.parent)
    try:
        yield server.start()
    finally:
        server.remove()


def verified(url: str, authority: Authority, host: str = HOST, port: int | None = None, **more: str) -> str:
    head, tail = url.split("@")
    place, name = tail.split("/", 1)
    options = {"sslmode": "verify-full", "sslrootcert": str(authority.file), **more}
    return f"{head}@{host}:{port or place.split(':')[1]}/{name}?" + "&".join(f"{key}={value}" for key, value in options.items())


def sessions(stage: Any, names: tuple[str, ...]) -> list[tuple]:
    """Of these programs: (name, over TLS?, how many)."""
    return stage.database.query(
        "SELECT a.application_name, s.ssl, count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.datname ="
        " current_database() AND a.backend_type = 'client backend' AND a.application_name LIKE ANY (%s) GROUP BY 1, 2", (list(names),))


def test_all_programs_work_over_verified_tls(stage, notifyd, notify_api, build, tmp_path, authority):
    url = verified(stage.database.url, authority)
    stage.webhook(secret=None)
    notifyd({"database": {"url": url}})
    notify_api({"database": {"url": url}})
    stage.wait_arrivals([stage.publish()])
    stage.wait_settled(1)
    rows = sessions(stage, ("pencheff-notify%", "notify-api%"))
    assert len(rows) >= 2 and all(ssl for _, ssl, _ in rows), rows
    answer = on_stage(build, tmp_path, stage)("check", database={"url": url})
    assert "database TLS: TLSv1.3, the server's certificate is verified" in answer.lines("ok"), answer


CASES = {
    "another name": (dict(host="127.0.0.1"), 'does not match host name "127.0.0.1"; write '
                                             "the name that the certificate is for as host"),
    "an unknown issuer": (dict(by="stranger"), "certificate verify failed; name the PEM file of its authority as sslrootcert"),
    "no authority": (dict(sslrootcert="/nonexistent/root.pem"), 'root certificate file "/nonexistent/root.pem" does not exist; '
                                                                 "name the PEM file of the server's authority"),
    "no TLS there": (dict(at="plain"), "server does not support SSL, but SSL was required; turn it on at the server"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_server_that_is_not_the_one_that_was_meant_gets_nothing(
        stage, notifyd, notify_api, build, tmp_path, authority, own_postgres, case):
    """Neither from notifyd nor from notify-api nor from notifyctl, which say what to do."""
    what, words = CASES[case]
    chosen = Authority(tmp_path / "stranger") if what.get("by") else authority
    url = verified(stage.database.url.replace("postgres@", "postgres:top-secret@"), chosen, what.get("host", HOST),
                   own_postgres.port if what.get("at") else None, **{k: v for k, v in what.items() if k == "sslrootcert"})
    answer = on_stage(build, tmp_path, stage)("check", database={"url": url})
    assert answer.code == 78 and words in " ".join(answer.lines("FAIL")) and "top-secret" not in answer.out, answer
    answer = on_stage(build, tmp_path, stage)("stats", database={"url": url})
    assert answer.code == 78 and words in answer.err, answer
    one = notifyd({"workers": 1, "database": {"url": url}}, ready=False)
    if what.get("sslrootcert"):  # seen without asking anybody
        said = one.wait_event("bad_configuration")[0]
        one.expected_exit = 78
        assert f"sslrootcert: {what['sslrootcert']} cannot be read" in said["error"]
    else:
        said = one.wait_event("database_unreachable")[0]
        reason, advice = words.split("; ")
        assert reason in said["reason"] and advice in said["advice"], said
    assert "top-secret" not in one.log_text()
    api = notify_api({"database": {"url": url}}, wait=False)
    assert api.ask("GET", "/readyz").status == 503
    assert not sessions(stage, ("pencheff-notify%", "notify-api%"))


def test_links_that_are_cut_come_back_and_nothing_is_lost_or_repeated(stage, notifyd, authority):
    stage.webhook(secret=None)
    with Cuttable(stage.database.server.port) as proxy:
        one = notifyd({"database": {"url": verified(stage.database.url, authority, port=proxy.port), "reconnect_max": 1.0}})
        load = BulkPublisher(stage.broker_url, "notify", (stage.event() for _ in range(900)), rate=300)
        load.start()
        for cut in range(2):
            stage.receiver.wait_for(200 + 300 * cut, "/hook")
            down = len(one.events("database_link_down"))
            proxy.cut()
            one.wait_event("database_link_down", count=down + 2)
        ids = load.finish()
        stage.wait_arrivals(ids)
        stage.wait_settled(len(ids), 60)
        assert stage.arrivals() == Counter(ids)
        rows = sessions(stage, ("pencheff-notify%",))
        assert rows and all(ssl for _, ssl, _ in rows), rows


def test_of_several_hosts_each_must_show_its_own_name(stage, notifyd, authority):
    """libpq goes on to the next when nobody is at one; each is verified by the name that it has in the list."""
    closed = HeldPort()
    port, url = stage.database.server.port, verified(stage.database.url, authority)
    head, tail = url.split("@")
    name = tail.split("/", 1)[1]
    stage.webhook(secret=None)
    notifyd({"workers": 1, "database": {"url": f"{head}@127.0.0.1:{closed.number},{HOST}:{port}/{name}"}})
    stage.wait_arrivals([stage.publish()])
    stage.wait_settled(1)
    rows = sessions(stage, ("pencheff-notify%",))
    assert rows and all(ssl for _, ssl, _ in rows), rows
    wrong = notifyd({"workers": 1, "database": {"url": f"{head}@{HOST}:{closed.number},127.0.0.1:{port}/{name}"}}, ready=False)
    closed.release()
    assert "write the name that the certificate is for as host" in wrong.wait_event("database_unreachable")[0]["advice"]


def test_a_certificate_that_is_renewed_needs_no_restart(stage, notifyd, authority, postgres):
    """One of an authority that is not known until the file of authorities names it."""
    other = Authority(authority.folder / "next")
    both = authority.folder / "both.pem"
    both.write_bytes(authority.file.read_bytes())
    one = notifyd({"workers": 1, "database": {"url": verified(stage.database.url, authority, sslrootcert=str(both)), "reconnect_max": 1.0}})
    stage.webhook(secret=None)
    try:
        put(other.files(HOST), postgres.data.parent)
        stage.database.execute("SELECT pg_reload_conf()")
        stage.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pencheff-notify%'")
        said = one.wait_event("database_unreachable")[0]
        assert "certificate verify failed" in said["reason"] and "sslrootcert" in said["advice"], said
        both.write_bytes(authority.file.read_bytes() + other.file.read_bytes())
        stage.wait_arrivals([stage.publish()])
    finally:
        put(authority.files(HOST), postgres.data.parent)
        stage.database.execute("SELECT pg_reload_conf()")


def test_the_login_can_be_bound_to_the_channel(stage, build, tmp_path, authority, postgres):
    """channel_binding=require: whoever is between cannot pass a login on, even with a certificate that is taken for good."""
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    postgres.create_role("bound", "LOGIN PASSWORD 'top-secret'")
    try:
        rules.write_text("hostssl all bound 127.0.0.1/32 scram-sha-256\n" + before)
        stage.database.execute("SELECT pg_reload_conf()")
        ctl = on_stage(build, tmp_path, stage)
        stage.database.execute("GRANT notify_worker TO bound")
        url = verified(stage.database.url.replace("postgres@", "bound:top-secret@"), authority, channel_binding="require")
        answer = ctl("check", database={"url": url})
        assert any(line.startswith("database: reachable") for line in answer.lines("ok")), answer
        answer = ctl("check", database={"url": url.replace("bound:top-secret@", "postgres@")})  # who needs no password
        assert answer.code == 78 and "it needs TLS and a password of the kind scram-sha-256" in " ".join(answer.lines("FAIL")), answer
    finally:
        rules.write_text(before)
        stage.database.execute("SELECT pg_reload_conf()")

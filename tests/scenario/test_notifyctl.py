"""notifyctl: the command line, check, deliveries, stats and the word lists, against real servers."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import socket
import struct
import subprocess
import termios
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Callable

import pika
import pytest
from cryptography.fernet import Fernet

from ctl import ROOT, Answer, Database, Notifyctl, make_ctl, run_roles
from sandbox import seed
from sandbox.rabbit import RabbitServer
from sandbox.receiver import Answer as Reply

ROLES = (ROOT / "schema" / "roles.sql").read_text()
OWN_QUEUES = ["notify.due", "notify.urgent", "notify.bulk", "notify.wake", "notify.dead"]


@pytest.fixture
def ctl(build: Path, tmp_path: Path, broker_url: str, database: Database, fernet_key: str) -> Notifyctl:
    """With a migrated database of its own, under the workers' role."""
    made = make_ctl(build, tmp_path, broker_url, database.url, fernet_key)
    answer = made("migrate")
    assert answer.code == 0, answer
    run_roles(database)
    return made


def declare_queues(url: str, *names: str, arguments: dict[str, Any] | None = None) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    for name in names:
        connection.channel().queue_declare(name, durable=True, arguments=arguments)
    connection.close()


# --- the command line

@pytest.mark.parametrize(("words", "said"), [
    (["chekc"], "did you mean check"),
    (["deliveries", "--sate", "dead"], "did you mean --state"),
    (["deliveries", "--limit"], "--limit needs a value"),
    (["deliveries", "--limit", "0"], "--limit needs a whole number from 1 to 100000, not '0'"),
    (["deliveries", "--limit=5x"], "--limit needs a whole number from 1 to 100000, not '5x'"),
    (["deliveries", "--limit", "-1"], "--limit needs a whole number from 1 to 100000, not '-1'"),
    (["migrate", "--wait=soon"], "--wait needs a whole number from 0 to 86400, not 'soon'"),
    (["deliveries", "--state", "gone"], "--state needs one of: sending waiting deferred delivered canceled dead dropped, not 'gone'"),
    (["deliveries", "--state="], "not ''"),
    (["deliveries", "--integration", "x"], "--integration needs a UUID, not 'x'"),
    (["deliveries", "--json=yes"], "--json takes no value, not 'yes'"),
    (["deliveries", "--jsno"], "no option '--jsno' of deliveries; did you mean --json"),
    (["deliveries", "--stat=dead"], "no option '--stat' of deliveries; did you mean --state"),
    (["deliveries", "-json"], "no option '-json' of deliveries; did you mean --json"),
    (["deliveries", "-x"], "no option '-x' of deliveries; see"),
    (["--verson"], "no option '--verson'; did you mean --version"),
    (["--help=me"], "--help takes no value, not 'me'"),
    (["--config"], "--config needs a value: --config FILE"),
    (["delivery"], "did you mean deliveries"),
    (["reveal"], "no command 'reveal'; see notifyctl --help"),
    (["migrate", "--json"], "no option '--json' of migrate"),
    (["check", "now"], "no further words"),
    (["--state", "dead", "deliveries"], "--state belongs behind its command: notifyctl deliveries --state"),
    (["--list", "nothing"], "no list 'nothing'"),
    (["--list=nothing"], "no list 'nothing'; there are: events"),
    ([], "no command given"),
    (["dead"], "dead needs one of: list show replay drop; see notifyctl dead --help"),
    (["dead", "lits"], "dead needs one of: list show replay drop, not 'lits'"),
    (["daed", "list"], "did you mean dead list"),
    (["list"], "no command 'list'"),
    (["dead", "show"], "dead show needs more words: notifyctl dead show EVENT [INTEGRATION]"),
    (["dead", "show", "e", "x"], "INTEGRATION needs a UUID, not 'x'"),
    (["dead", "show", "e", "00000000-0000-0000-0000-000000000000", "more"], "dead show takes no further words ('more')"),
    (["dead", "list", "e"], "dead list takes no further words ('e')"),
    (["dead", "list", "--reason", "tired"], "--reason needs one of: bad_body"),
    (["dead", "list", "--integration=x"], "--integration needs a UUID, not 'x'"),
    (["dead", "list", "--older-than", "soon"], "--older-than needs an age as in 90, 30m, 2h or 3d, not 'soon'"),
    (["dead", "list", "--older-than", "-1"], "needs an age"),
    (["dead", "list", "--younger-than", "1.5.2d"], "needs an age"),
    (["dead", "list", "--younger-than", "3 d"], "needs an age"),
    (["dead", "list", "--younger-than", "d"], "needs an age"),
    (["dead", "list", "--younger-than", "99999999999d"], "needs an age"),
    (["dead", "list", "--all"], "no option '--all' of dead list"),
    (["dead", "replay"], "to replay everything that is dead, say --all; else name an EVENT or a filter"),
    (["dead", "replay", "--limit", "5"], "say --all"),
    (["dead", "replay", "--unread"], "no option '--unread' of dead replay"),
    (["dead", "drop"], "to drop everything that is dead, say --all"),
    (["dead", "drop", "--unread"], "to drop everything that is dead, say --all"),
    (["dead", "drop", "--unread", "--integration", "00000000-0000-0000-0000-000000000000"], "an unread message belongs to no integration"),
    (["explain"], "explain needs either --event ID, or --scan UUID and --type TYPE"),
    (["explain", "--scan", "00000000-0000-0000-0000-000000000000"], "explain needs either"),
    (["explain", "--event", "e", "--type", "scan_done"], "explain needs either"),
    (["explain", "--scan", "x", "--type", "scan_done"], "--scan needs a UUID, not 'x'"),
    (["explain", "--scan", "00000000-0000-0000-0000-000000000000", "--type", "done"], "--type needs one of: scan_started"),
    (["audit", "now"], "audit takes no further words"),
])
def test_wrong_use_is_exit_2_with_a_hint(offline: Notifyctl, words: list[str], said: str) -> None:
    answer = offline(*words)
    assert answer.code == 2 and said in answer.err and not answer.out, answer


@pytest.fixture
def run(build: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """run(WORD...): notifyctl without any configuration file."""
    return lambda *words: subprocess.run([build / "notifyctl", *words], capture_output=True, text=True, timeout=10)


def test_no_hint_names_the_word_that_was_refused(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    known = re.findall(r"^ *(?:-\w, )?(--\w+|\w+)\b", run("--help").stdout, re.M)
    for command in ("migrate", "check", "seal", "deliveries", "stats", "dead list", "dead drop", "explain", "audit"):
        for word in known:
            for option in (word, f"{word}=x"):
                said = re.search(r"no option '(.*)' of .*did you mean (\S+);", run("-c", "/nowhere", *command.split(), option).stderr)
                assert not said or said[1] != said[2], said


@pytest.mark.parametrize("words", [["-c", "FILE"], ["-cFILE"], ["--config", "FILE"], ["--config=FILE"]])
@pytest.mark.parametrize("behind", [False, True])
def test_the_configuration_file_is_named_in_every_usual_way(run: Callable[..., subprocess.CompletedProcess[str]], words: list[str],
                                                            behind: bool) -> None:
    words = [word.replace("FILE", "/nowhere/x.conf") for word in words]
    done = run("seal", *words) if behind else run(*words, "seal")
    assert done.returncode == 78 and "/nowhere/x.conf: cannot be read" in done.stderr, done


def test_help_and_version_need_no_configuration(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("migrate", "check", "seal", "deliveries", "stats", "dead list", "dead show EVENT [INTEGRATION]",
                    "dead replay [EVENT [INTEGRATION]]", "dead drop [EVENT [INTEGRATION]]", "explain", "audit"):
        assert re.search(rf"^{re.escape(command)}$", shown.stdout, re.M), command
    group = run("dead", "--help").stdout
    assert re.findall(r"^usage: notifyctl \[-c FILE\] (dead \w+)", group, re.M) == ["dead list", "dead show", "dead replay", "dead drop"]
    assert "--unread" in group and "deliveries\n" not in group and run("dead", "drop", "-h").stdout in group
    assert "--limit N" in run("deliveries", "--help").stdout
    for words in (["--version"], ["-V"], ["-c", "/nowhere", "--version"], ["deliveries", "-V"], ["deliveries", "--json", "--version"]):
        assert re.fullmatch(r"notifyctl \d+\.\d+\S*\n", run(*words).stdout), words
    assert run("-h").stdout == shown.stdout and run("check", "-h").stdout == run("--help", "check").stdout


def test_the_word_lists_are_those_of_the_tables(offline: Notifyctl) -> None:
    table = (ROOT / "common" / "model" / "lists.h").read_text()
    tables: dict[str, list[str]] = {}
    for name, macro in (("events", "EVENT_TYPE"), ("severities", "SEVERITY"), ("filters", "MATCH"), ("event-states", "EVENT_STATE"),
                        ("states", "DELIVERY_STATE"), ("health-states", "HEALTH_STATE"), ("reasons", "REASON"), ("errors", "ERROR_WORD")):
        body = table.split(f"#define {macro}_LIST(X)")[1].split("#define")[0]
        tables[name] = [word for word in re.findall(r'X\(\w+,\s+"(\w+)"', body) if word != "none"]
        answer = offline("--list", name)
        words = [line.split()[0] for line in answer.out.splitlines()]
        assert answer.code == 0 and words == tables[name] + (tables["states"] if name == "reasons" else []), name
        assert f"{name}:" in offline("--list").out and offline(f"--list={name}").out == answer.out
    together = [line.split()[:2] for line in offline("--list", "reasons").out.splitlines()]
    assert together == [[word, name] for name in ("reasons", "states") for word in tables[name]]
    assert not re.search(r"^none\b", offline("--list").out, re.M)
    for name, file, row in (("kinds", "common/base/kind_table.h", r"ROW\(A, (\w+), [\d.]+,"), ("counters", "worker/counters.h", r'X\(\w+,\s+"(\w+)"')):
        words = [line.split()[0] for line in offline("--list", name).out.splitlines()]
        assert words == re.findall(row, (ROOT / file).read_text()) and len(words) > 5, name


def test_a_bad_configuration_is_exit_78_with_every_error(offline: Notifyctl) -> None:
    wrong = {"workers": 999, "delivery": {"allow_networks": ["10.0.0.1/8"]}, "nonsense": 1}
    answer = offline("stats", **wrong)
    assert answer.code == 78, answer
    for part in (r"ctl-\d+.conf:\d+: workers: 999 is out of range", r":\d+: delivery.allow_networks: 10.0.0.1/8: ",
                 r":\d+: nonsense: is not a setting"):
        assert re.search(part, answer.err), part
    answer = offline("check", **wrong)
    assert answer.code == 78 and len(answer.lines("FAIL")) == 3 and not answer.err, answer
    assert "secret" not in answer.out


def test_a_database_url_that_libpq_cannot_read_is_refused_without_showing_it(offline: Notifyctl) -> None:
    answer = offline("stats", database={"url": "postgresql://u:hunter2@h/d?nonsense=hunter2"})
    assert answer.code == 78 and "database.url: libpq cannot read it" in answer.err and "hunter2" not in answer.err, answer


@pytest.mark.parametrize(("settings", "said"), [
    ({"database": {"url": "postgresql+asyncpg://u:hunter2@h/d"}}, "database.url: is in SQLAlchemy's form"),
    ({"database": {"url": "mysql://u:hunter2@h/d"}}, "database.url: must be postgresql://"),
    ({"database": {"url": "hunter2"}}, "database.url: must be postgresql://"),
    ({"broker": {"url": "amqp://u:hunter2@:5672/v"}}, "broker.url: names no host"),
    ({"broker": {"url": "amqp://u:hunter2@h//"}}, "write %2F for that /"),
    ({"broker": {"url": "amqp://u:hunter2@h/"}}, "write /%2F for the default one"),
    ({"broker": {"url": "amqp://u:hunter2@h/v?heartbeat=5"}}, "settings of their own"),
    ({"broker": {"url": "amqp://u:hun?ter2@h/v"}}, "percent-encode"),
])
def test_one_wrong_url_is_one_error(offline: Notifyctl, build: Path, settings: dict[str, Any], said: str) -> None:
    answer = offline("stats", **settings)
    assert answer.code == 78 and said in answer.err and len(answer.err.splitlines()) == 1, answer
    run = subprocess.run([build / "notifyd", "-t", "-c", offline.conf(**settings)], capture_output=True, text=True, timeout=10)
    assert run.returncode == 78 and said in run.stderr and len(run.stderr.splitlines()) == 1, run
    assert "hunter2" not in answer.err + run.stderr


# --- check

def test_check_is_content_when_everything_is_there(ctl: Notifyctl, broker_url: str, database: Database, fernet_key: str) -> None:
    declare_queues(broker_url, "notify", *OWN_QUEUES)
    with database.connect() as connection:
        workspace = seed.add_workspace(connection)
        seed.add_integration(connection, workspace, "webhook", {"webhook_url": "https://x"}, fernet_key)
        seed.add_integration(connection, workspace, "webhook", {"webhook_url": "https://x"}, fernet_key, plain_form=True)
    database.execute("INSERT INTO integrations (id, org_id, workspace_id, kind, name) VALUES"
                     " (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'webhook', 'empty')")
    answer = ctl("check")
    assert answer.code == 0 and not answer.lines("FAIL") and not answer.err, answer
    subjects = [line.split(":")[0] for line in answer.lines("ok")]
    assert subjects == ["configuration", "keys", "broker", *["queue"] * 6, "broker rights", "database", "schema", "rights", "triggers", "clock", "settings", "api"]
    assert "settings: 2 integrations decrypt, 1 have none" in answer.out
    assert ", as notify_worker" in answer.out
    as_json = ctl("check", "--json")
    assert as_json.code == 0 and [f"{one['result']:4} {one['check']}" for one in as_json.json()] == [
        line.split(":")[0] for line in answer.out.splitlines()], as_json


def test_check_says_whether_the_api_has_what_it_needs(ctl: Notifyctl, database: Database) -> None:
    assert [line for line in ctl("check", api={"role": "notify_api"}).lines("ok") if line.startswith("api:")]
    line, = [line for line in ctl("check", api={"role": "nobody_made"}).lines("FAIL") if line.startswith("api:")]
    assert "nobody_made" in line and "roles.sql" in line
    database.execute("DROP VIEW notify.api_targets")
    answer = ctl("check")
    assert "views" in "".join(line for line in answer.lines("note") if line.startswith("api:")), answer
    run_roles(database)
    assert [line for line in ctl("check").lines("ok") if line.startswith("api:")]


def test_check_as_json_holds_what_its_lines_say(offline: Notifyctl) -> None:
    for settings in ({}, {"workers": 999, "nonsense": 1}):
        lines, objects = offline("check", **settings), offline("check", "--json", **settings)
        assert lines.code == objects.code and not objects.err
        found = re.sub(r"ctl-\d+", "ctl", objects.out)
        assert all(set(one) == {"check", "result", "text"} for one in json.loads(found))
        assert [(one["result"], one["check"], one["text"]) for one in json.loads(found)] == [
            (line[:4].strip().lower(), *line[5:].split(": ", 1)) for line in re.sub(r"ctl-\d+", "ctl", lines.out).splitlines()]
    assert [one["result"] for one in offline("check", "--json").json()] == ["ok", "ok", "fail", "fail"]


def test_check_names_integrations_that_do_not_decrypt_and_shows_nothing_of_them(ctl: Notifyctl, database: Database, fernet_key: str) -> None:
    other = Fernet.generate_key().decode()
    with database.connect() as connection:
        workspace = seed.add_workspace(connection)
        good = seed.add_integration(connection, workspace, "webhook", {"webhook_url": "https://good-secret"}, fernet_key)
        lost = seed.add_integration(connection, workspace, "webhook", {"webhook_url": "https://lost-secret"}, other)
        odd = seed.add_integration(connection, workspace, "webhook", {}, fernet_key)
    database.execute("UPDATE integrations SET config_encrypted = %s WHERE id = %s",
                     (Fernet(fernet_key).encrypt(b"[\"odd-secret\"]"), odd.id))
    answer = ctl("check")
    line, = [line for line in answer.lines("FAIL") if line.startswith("settings")]
    assert "2 of 3" in line and lost.id in line and odd.id in line and good.id not in line
    assert "secret" not in answer.out.replace("secrets.fernet_keys", "")
    both = ctl("check", secrets={"fernet_keys": [fernet_key, other]})
    assert "1 of 3" in both.out and lost.id not in both.out and "keys: 2 usable" in both.out


def test_check_counts_more_integrations_than_fit_on_a_page(ctl: Notifyctl, database: Database, fernet_key: str) -> None:
    token = seed.encrypt_config({"webhook_url": "https://x"}, fernet_key)
    for value, count in ((token, 1234), (b"garbage", 30)):
        database.execute("INSERT INTO integrations (id, org_id, workspace_id, kind, name, config_encrypted) SELECT gen_random_uuid(),"
                         " gen_random_uuid(), gen_random_uuid(), 'webhook', 'x', %s FROM generate_series(1, %s)", (value, count))
    answer = ctl("check")
    line, = [line for line in answer.lines("FAIL") if line.startswith("settings")]
    assert "30 of 1264 integrations" in line and len(re.findall(r"[0-9a-f]{8}-", line)) == 5 and ", ...;" in line, answer


def test_check_says_so_when_no_integration_decrypts(ctl: Notifyctl, database: Database) -> None:
    with database.connect() as connection:
        workspace = seed.add_workspace(connection)
        lost = seed.add_integration(connection, workspace, "webhook", {"webhook_url": "https://x"}, Fernet.generate_key())
    line, = [line for line in ctl("check").lines("FAIL") if line.startswith("settings")]
    assert f"none of 1 integrations decrypts: {lost.id}; the key is not the deployment's FERNET_KEY" in line


def rights() -> list[str]:
    """Every single right of roles.sql as SQL, "SELECT (id) ON TABLE public.targets"."""
    found = []
    for line in re.findall(r"^GRANT (.*) TO notify_worker;$", ROLES, re.M):
        what, where = line.split(" ON ", 1)
        columns = re.fullmatch(r"(\w+) \((.*)\)", what)
        found += [f"{columns[1]} ({c}) ON {where}" for c in columns[2].split(", ")] if columns else [
            f"{one} ON {where}" for one in what.split(", ")]
    return found


def test_check_names_each_right_that_is_missing(ctl: Notifyctl, database: Database) -> None:
    wanted = rights()
    assert len(wanted) > 50
    database.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")  # as a careful owner does; else it hides our own
    for right in wanted:
        database.execute(f"REVOKE {right} FROM notify_worker")
        answer = ctl("check")
        missing = [line for line in answer.lines("FAIL") if line.startswith("rights: ")]
        assert missing == [f"rights: {right} is missing"], answer
        advice, = [line for line in answer.lines("note") if line.startswith("rights: ")]
        assert "run schema/roles.sql" in advice and "TO notify_worker;" in advice
        assert answer.code == 1, answer
        database.execute(f"GRANT {right} TO notify_worker")
    assert not [line for line in ctl("check").lines("FAIL") if line.startswith("rights")]


def test_check_names_the_rights_that_are_missing_on_one_table_in_one_line(ctl: Notifyctl, database: Database) -> None:
    database.execute("REVOKE ALL ON ALL TABLES IN SCHEMA notify, public FROM notify_worker")
    database.execute("GRANT SELECT (id, name) ON public.targets TO notify_worker; GRANT INSERT ON notify.events TO notify_worker")
    database.execute("ALTER TABLE public.scans DROP COLUMN score")
    answer = ctl("check")
    missing = {line.split(" ON ")[1]: line for line in answer.lines("FAIL") if line.startswith("rights: ")}
    tables = {right.split(" ON ")[1] for right in rights()} - {"SCHEMA public", "SCHEMA notify"}
    assert set(missing) == {f"{table} is missing" for table in tables} | {
        "TABLE public.scans is on what does not exist; run notifyctl migrate"}, answer
    assert missing["TABLE public.targets is missing"].startswith("rights: SELECT (base_url, kind) ON")
    assert missing["TABLE notify.events is missing"].startswith("rights: SELECT, UPDATE, DELETE ON")
    assert missing["TABLE public.scans is on what does not exist; run notifyctl migrate"].startswith("rights: SELECT (score) ON")
    for right in rights():
        what, where = right.split(" ON ")
        given = right in ("SELECT (id) ON TABLE public.targets", "SELECT (name) ON TABLE public.targets", "INSERT ON TABLE notify.events",
                          "USAGE ON SCHEMA public", "USAGE ON SCHEMA notify", "SELECT (score) ON TABLE public.scans")
        word = re.sub(r".*\(|\)", "", what)
        assert given or re.search(rf"\b{word}\b", missing[f"{where} is missing"]), right
    assert answer.out.count("roles.sql") == 1


def test_roles_give_no_more_than_check_asks_for(ctl: Notifyctl, database: Database) -> None:
    columns = database.query("SELECT table_schema || '.' || table_name, column_name, privilege_type FROM information_schema.column_privileges"
                             " WHERE grantee = 'notify_worker' AND table_schema = 'public'")
    tables = database.query("SELECT table_schema || '.' || table_name, privilege_type FROM information_schema.table_privileges"
                            " WHERE grantee = 'notify_worker'")
    given = {f"{privilege} ({column}) ON TABLE {table}" for table, column, privilege in columns}
    given |= {f"{privilege} ON TABLE {table}" for table, privilege in tables}
    # Of ours, those columns of whose table it has not the whole.
    ours = database.query("SELECT table_schema || '.' || table_name, column_name, privilege_type FROM information_schema.column_privileges"
                          " WHERE grantee = 'notify_worker' AND table_schema = 'notify'")
    given |= {f"{privilege} ({column}) ON TABLE {table}" for table, column, privilege in ours if (table, privilege) not in tables}
    given |= {"USAGE ON SCHEMA public", "USAGE ON SCHEMA notify"}
    assert given == set(rights())


def test_check_on_the_live_products_database_with_nothing_but_the_roles(build: Path, tmp_path: Path, broker_url: str, incumbent: Database,
                                                                       fernet_key: str) -> None:
    incumbent.server.create_role("worker_login")
    incumbent.execute(f"GRANT CREATE ON DATABASE {incumbent.name} TO worker_login")
    ctl = make_ctl(build, tmp_path, broker_url, incumbent.dsn("worker_login"), fernet_key)
    assert ctl("migrate").code == 0
    answer = ctl("check")
    run_roles(incumbent)
    incumbent.execute("GRANT notify_worker TO worker_login")
    answer = ctl("check")
    failed = [line for line in answer.lines("FAIL") if not line.startswith("queue")]
    assert not failed, answer
    assert any(line.startswith("triggers: 0 of 4") and "within 1 s" in line for line in answer.lines("note")), answer
    incumbent.execute((ROOT / "schema" / "integration_triggers.sql").read_text(), user="incumbent")
    assert "ok   triggers" in ctl("check").out
    incumbent.execute("ALTER TABLE integrations DISABLE TRIGGER notify_integrations_update", user="incumbent")
    assert any(line.startswith("triggers: 3 of 4") for line in ctl("check").lines("note"))


def test_check_before_migrate_says_what_to_do(build: Path, tmp_path: Path, broker_url: str, database: Database, fernet_key: str) -> None:
    ctl = make_ctl(build, tmp_path, broker_url, database.url, fernet_key)
    database.server.create_role("notify_worker", "NOLOGIN")
    answer = ctl("check")
    assert answer.code == 1 and "schema: version 0, this program needs" in answer.out and "run notifyctl migrate" in answer.out, answer
    for command in ("deliveries", "stats"):
        answer = ctl(command)
        assert answer.code == 1 and "run notifyctl migrate" in answer.err, answer


def test_check_says_when_queues_are_missing_or_of_the_wrong_type(ctl: Notifyctl, broker_url: str) -> None:
    later = "notifyd makes them at its first start"
    answer = ctl("check")
    assert answer.code == 0 and f"queue: not there yet: {', '.join(['notify', *OWN_QUEUES])}; {later}" in answer.lines("note"), answer
    declare_queues(broker_url, "notify")
    answer = ctl("check")
    assert answer.code == 0 and f"queue: not there yet: {', '.join(OWN_QUEUES)}; {later}" in answer.lines("note"), answer
    assert "ok   queue: notify, 0 messages" in answer.out
    declare_queues(broker_url, *OWN_QUEUES[:-1])
    answer = ctl("check")
    assert answer.code == 1 and answer.lines("FAIL") == [
        "queue: notify.dead does not exist; restart notifyd, it makes all its queues"], answer
    declare_queues(broker_url, "notify.dead", arguments={"x-queue-type": "quorum"})
    answer = ctl("check")
    line, = answer.lines("FAIL")
    assert answer.code == 1 and line.startswith('queue type: notify.dead is not as broker.queue_type = "classic" makes it'), answer
    answer = ctl("check", broker={"queue_type": "quorum"})
    wrong = [line for line in answer.lines("FAIL") if line.startswith("queue type")]
    assert len(wrong) == 4 and not any("notify.dead" in line for line in wrong), answer
    assert [line for line in answer.lines("note") if line.startswith("queue policy")]


def add_broker_user(rabbit: RabbitServer, vhost: str, *patterns: str) -> str:
    """The URL of a new user with these patterns of rights: configure, write, read."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    text = lambda value: "<<" + ",".join(str(byte) for byte in value.encode()) + ">>"  # noqa: E731
    rabbit.evaluate(f"rabbit_auth_backend_internal:add_user({text(name)}, <<\"pw\">>, <<\"test\">>)")
    allow_broker_user(rabbit, vhost, name, *patterns)
    return re.sub("//.*@", f"//{name}:pw@", rabbit.url_for(vhost))


def allow_broker_user(rabbit: RabbitServer, vhost: str, name: str, *patterns: str) -> None:
    words = [f"<<{','.join(str(byte) for byte in value.encode())}>>" for value in (name, vhost, *patterns)]
    rabbit.evaluate(f"rabbit_auth_backend_internal:set_permissions({', '.join(words)}, <<\"test\">>)")

OURS = r"^notify(\..*)?$"


@pytest.mark.parametrize("started", [False, True], ids=["before the first start", "after it"])
@pytest.mark.parametrize(("patterns", "said"), [
    (("", "", ""), "no right to configure {own}; no right to write {all}; no right to read {all};"),
    ((OURS, OURS, ""), "rights: no right to read {all};"),
    ((OURS, "^amq", OURS), "rights: no right to write {all};"),
    ((OURS, OURS, "^notify\\.(dead|delay.*)$"), "rights: no right to read notify, notify.due, notify.urgent, notify.bulk, notify.wake;"),
])
def test_check_names_the_brokers_rights_that_are_missing_and_the_command(ctl: Notifyctl, broker_url: str, rabbit: RabbitServer, vhost: str,
                                                                        patterns: tuple[str, ...], said: str, started: bool) -> None:
    if started:
        declare_queues(broker_url, "notify", *OWN_QUEUES)
    url = add_broker_user(rabbit, vhost, *patterns)
    name = url.split("//")[1].split(":")[0]
    answer = ctl("check", broker={"url": url})
    line, = [line for line in answer.lines("FAIL") if not line.startswith("queue: ")]
    said = said.format(own=", ".join(OWN_QUEUES), all=", ".join(["notify", *OWN_QUEUES]))
    if not started:  # what does not exist cannot be asked for
        said = re.sub("no right to configure .*?; ", "", said)
    assert answer.code == 1 and said in line, answer
    command = f"rabbitmqctl set_permissions -p {vhost} {name} '{OURS}' '{OURS}' '{OURS}'"
    assert line.endswith(f"; give at least: {command}") and "ok   broker rights" not in answer.out
    *_, configure, write, read = shlex.split(command)
    allow_broker_user(rabbit, vhost, name, configure, write, read)
    assert "ok   broker rights" in ctl("check", broker={"url": url}).out


def test_the_command_for_rights_holds_the_producers_queues(ctl: Notifyctl, rabbit: RabbitServer, vhost: str) -> None:
    url = add_broker_user(rabbit, vhost, "", "", "")
    queues = ["notify", "it's (mine)", "celery.x"]
    line, = ctl("check", broker={"url": url, "queues": queues}).lines("FAIL")
    *_, configure, write, read = shlex.split(line.split("give at least: ")[1])
    assert configure == write == read == r"^(notify(\..*)?|it's \(mine\)|celery\.x)$"
    allow_broker_user(rabbit, vhost, url.split("//")[1].split(":")[0], configure, write, read)
    answer = ctl("check", broker={"url": url, "queues": queues})
    assert answer.code == 0 and "ok   broker rights" in answer.out, answer


def test_the_rights_that_check_asks_for_are_all_that_notifyd_needs(stage: Any, notifyd: Any, rabbit: RabbitServer, vhost: str) -> None:
    stage.webhook(secret=None)
    notifyd({"broker": {"url": add_broker_user(rabbit, vhost, OURS, OURS, OURS), "heartbeat": 10}, "retry": {"base": 0.2}})
    stage.receiver.script("/hook", Reply(status=503), Reply())
    stage.publish()
    stage.receiver.wait_for(2, "/hook")


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_check_takes_no_message_and_marks_none(ctl: Notifyctl, broker_url: str, kind: str) -> None:
    queues = ["notify", *OWN_QUEUES]
    declare_queues(broker_url, *queues, arguments={"x-queue-type": kind})
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    channel = connection.channel()
    channel.confirm_delivery()
    for queue in queues:
        for body in (b"first", b"second"):
            channel.basic_publish("", queue, body)
    for _ in range(2):
        assert ctl("check", broker={"queue_type": kind}).code == 0
    for queue in queues:
        for body in (b"first", b"second"):
            method, properties, got = channel.basic_get(queue)
            assert (got, method.redelivered, properties.headers) in ((body, False, None), (body, False, {"x-delivery-count": 0}))
    connection.close()


def test_check_tells_a_refused_login_from_a_server_that_is_away(ctl: Notifyctl, broker_url: str, database: Database, rabbit: RabbitServer) -> None:
    wrong_password = re.sub(r"//([^:]+):[^@]+@", r"//\1:wrong-secret@", broker_url)
    answer = ctl("check", broker={"url": wrong_password})
    assert answer.code == 78 and "ACCESS_REFUSED" in answer.out and "correct user, password or virtual host" in answer.out, answer
    answer = ctl("check", broker={"url": broker_url + "-nowhere"})
    assert answer.code == 78 and "correct user, password or virtual host" in answer.out, answer
    answer = ctl("check", broker={"url": "amqp://u:wrong-secret@127.0.0.1:1"})
    assert answer.code == 75 and "FAIL broker: 127.0.0.1:1: Connection refused; is it up" in answer.out, answer
    assert "ok   rights" in answer.out
    for command in ("check", "stats"):
        assert ".;" not in ctl(command, broker={"url": wrong_password}).out + ctl(command, broker={"url": wrong_password}).err
    answer = ctl("check", database={"url": "postgresql://u:wrong-secret@127.0.0.1:1/d"})
    assert answer.code == 75 and "FAIL database: " in answer.out and "ok   broker" in answer.out, answer
    answer = ctl("check", database={"url": re.sub(r"/[^/]*$", "/nowhere", database.url)})
    assert answer.code == 78 and 'database "nowhere" does not exist' in answer.out, answer
    answer = ctl("check", database={"role": "no_such_role"})
    assert answer.code == 78 and "correct database.role" in answer.out, answer
    answer = ctl("check", secrets=None)
    assert answer.code == 78 and "FAIL keys: there is none" in answer.out, answer


def test_a_server_that_says_nothing_is_given_up_in_time(offline: Notifyctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        answer = offline("check", broker={"url": f"amqp://u:p@127.0.0.1:{port}"},
                         database={"url": f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable"})
        assert answer.code == 75 and len(answer.lines("FAIL")) == 2, answer
        assert time.monotonic() - started < 12


class Proxy:
    """Passes one connection on to a server until it is told to hold its tongue."""

    def __init__(self, port: int, marker: bytes) -> None:
        """Nothing passes to the client any more once MARKER went to the server."""
        self.silent, self.marker, self.server_port = False, marker, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.server_port))
        threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()
        self._pump(client, server, True)

    def _pump(self, source: socket.socket, sink: socket.socket, watch: bool) -> None:
        try:
            while data := source.recv(65536):
                self.silent = self.silent or (watch and self.marker in data)
                if watch or not self.silent:
                    sink.sendall(data)
        except OSError:
            pass  # the other side closed


def test_a_database_that_stops_answering_is_given_up_after_its_timeout(ctl: Notifyctl, database: Database) -> None:
    proxy = Proxy(database.server.port, b"notify.deliveries")
    started = time.monotonic()
    url = database.url.replace(f":{database.server.port}/", f":{proxy.port}/") + "?sslmode=disable&gssencmode=disable"
    answer = ctl("deliveries", database={"url": url, "timeout": 1.5})
    assert answer.code == 75 and "no answer to a statement within 1.5 s" in answer.err, answer
    assert 1.5 <= time.monotonic() - started < 6


# --- deliveries and stats

@pytest.fixture
def ledger(database: Database, ctl: Notifyctl) -> list[dict[str, Any]]:
    """Rows in the ledger: one delivered, two waiting, one dead; the dead one's integration is deleted."""
    with database.connect() as connection:
        workspace = seed.add_workspace(connection)
        webhook = seed.add_integration(connection, workspace, "webhook", {}, Fernet.generate_key())
        slack = seed.add_integration(connection, workspace, "slack", {}, Fernet.generate_key())
    rows = [
        {"event_id": "e1", "integration_id": webhook.id, "state": "delivered", "attempt": 1, "reason": None, "error": None, "status": 200, "age": 40},
        {"event_id": "e1", "integration_id": slack.id, "state": "waiting", "attempt": 2, "reason": None, "error": "http_status", "status": 503, "age": 30},
        {"event_id": "e2", "integration_id": slack.id, "state": "waiting", "attempt": 1, "reason": None, "error": "timeout", "status": None, "age": 20},
        {"event_id": "e2\x1b[31m", "integration_id": str(uuid.uuid4()), "state": "dead", "attempt": 1, "reason": "gone", "error": "http_status", "status": 410, "age": 10},
    ]
    for row in rows:
        database.execute("INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, reason, error, status, response,"
                         " due_at, created_at, updated_at) VALUES (%(event_id)s, %(integration_id)s, %(workspace)s, %(state)s, %(attempt)s,"
                         " %(reason)s, %(error)s, %(status)s, '\\x6f6bff', CASE WHEN %(state)s = 'waiting' THEN now() END,"
                         " now() - %(age)s * interval '1 second', now() - %(age)s * interval '1 second')", {**row, "workspace": workspace.id})
    for name, state in (("e1", "done"), ("e2", "done"), ("e3", "dead")):
        database.execute("INSERT INTO notify.events (id, content_hash, event_type, state, first_seen) VALUES (%s, '', 'scan_done', %s, now())",
                         (name, state))
    return rows


def test_deliveries_lists_and_filters(ctl: Notifyctl, ledger: list[dict[str, Any]]) -> None:
    def ids(*words: str) -> list[tuple[str, str]]:
        answer = ctl("deliveries", "--json", *words)
        assert answer.code == 0, answer
        return [(row["event_id"], row["integration_id"]) for row in answer.json()]

    latest_first = [(row["event_id"], row["integration_id"]) for row in reversed(ledger)]
    assert ids() == latest_first
    assert ids("--limit", "2") == latest_first[:2]
    assert ids("--event", "e1") == [one for one in latest_first if one[0] == "e1"]
    assert ids("--state", "waiting") == latest_first[1:3]
    assert ids("--integration", ledger[1]["integration_id"], "--event=e2") == [latest_first[1]]
    assert ids("--event", "' OR true --") == []
    row = ctl("deliveries", "--json", "--state", "dead").json()[0]
    assert row["reason"] == "gone" and row["status"] == 410 and row["response"] == "ok\\377" and row["maybe_duplicate"] is False
    assert row["integration_kind"] is None and row["integration_name"] is None and row["detail"] is None
    row = ctl("deliveries", "--json", "--state", "delivered").json()[0]
    assert row["integration_kind"] == "webhook" and row["integration_name"]


@pytest.mark.parametrize(("response", "shown"), [
    (None, None), (b"", ""), ("zu \u201eviel\u201c: \U0001f600\n\x1b\\".encode(), "zu \u201eviel\u201c: \U0001f600\n\x1b\\"),
    (b"a\\b\xff", "a\\\\b\\377"), (b"a\0b", "a\\000b"), (b"ok\xc3", "ok\\303"), ("x".encode() * 1023 + b"\xc3", "x" * 1023),
    ("\u20ac".encode() * 341 + b"\xe2", "\u20ac" * 341), (b"x" * 1020 + "\U0001f600".encode(), "x" * 1020 + "\U0001f600"),
])
def test_a_response_is_shown_as_the_text_that_it_is(ctl: Notifyctl, database: Database, response: bytes | None, shown: str | None) -> None:
    database.execute("INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, response, detail)"
                     " VALUES ('e', gen_random_uuid(), gen_random_uuid(), 'dead', 1, %s, 'more \u00fc words')", (response,))
    row, = ctl("deliveries", "--json").json()
    assert row["response"] == shown and row["detail"] == "more \u00fc words"


def test_an_empty_answer_says_none(ctl: Notifyctl) -> None:
    assert ctl("deliveries").out == "(none)\n" and ctl("deliveries", "--json").json() == []


def on_a_terminal(ctl: Notifyctl, columns: int, *words: str) -> list[str]:
    """The lines that a command prints on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    subprocess.run([ctl.program, "-c", ctl.conf(), *words], stdout=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says EIO when nobody has the other side any more
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    return shown.decode().replace("\r\n", "\n").splitlines()


def test_the_detail_ends_where_the_terminal_does(ctl: Notifyctl, ledger: list[dict[str, Any]], database: Database) -> None:
    database.execute("UPDATE notify.deliveries SET detail = repeat('\u00fc', 100) WHERE event_id = 'e1'")
    lines = ctl("deliveries").out.splitlines()
    at = lines[0].index("detail")
    assert lines[4][at:] == "\u00fc" * 59 + "\u2026" and lines[0].endswith("detail"), lines
    for columns, width in ((at + 40, 40), (at + 100, 100), (at + 99, 99), (80, 20)):
        lines = on_a_terminal(ctl, columns, "deliveries")
        assert lines[4][at:] == ("\u00fc" * 100 if width == 100 else "\u00fc" * (width - 1) + "\u2026"), (columns, lines)
        assert all("\u00fc" not in line[:at] for line in lines)


def test_a_table_of_deliveries_cannot_drive_the_terminal(ctl: Notifyctl, ledger: list[dict[str, Any]]) -> None:
    answer = ctl("deliveries")
    lines = answer.out.splitlines()
    assert answer.code == 0 and len(lines) == 5 and "\x1b" not in answer.out and "e2?[31m" in lines[1], answer
    head = lines[0]
    for row, line in zip(reversed(ledger), lines[1:]):
        assert line[head.index("state"):].startswith(row["state"]) and line[head.index("integration_id"):].startswith(row["integration_id"])
    assert "gone" in lines[1] and "timeout" in lines[2] and "(deleted)" in lines[1] and " slack " in lines[2]


def test_stats_counts_everything(ctl: Notifyctl, ledger: list[dict[str, Any]], broker_url: str) -> None:
    declare_queues(broker_url, "notify", "notify.dead")
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    for _ in range(3):
        connection.channel().basic_publish("", "notify.dead", b"x")
    connection.close()
    answer = ctl("stats", "--json")
    assert answer.code == 0, answer
    stats = answer.json()
    assert stats["deliveries"] == [{"state": "dead", "kind": "(deleted)", "count": 1}, {"state": "delivered", "kind": "webhook", "count": 1},
                                   {"state": "waiting", "kind": "slack", "count": 2}]
    assert stats["events"] == [{"state": "dead", "count": 1}, {"state": "done", "count": 2}]
    assert stats["oldest_waiting"]["event_id"] == "e1" and 30 <= stats["oldest_waiting"]["age_seconds"] < 60
    queues = {queue["name"]: queue for queue in stats["queues"]}
    assert list(queues) == ["notify", *OWN_QUEUES]
    assert queues["notify.dead"] == {"name": "notify.dead", "exists": True, "messages": 3, "consumers": 0}
    assert not queues["notify.due"]["exists"]
    table = ctl("stats").out
    assert re.search(r"^waiting +slack +2$", table, re.M) and re.search(r"^notify\.dead +3 +0$", table, re.M), table


def test_stats_lists_integrations_that_fail_or_have_a_mailbox(ctl: Notifyctl, ledger: list[dict[str, Any]], database: Database) -> None:
    assert ctl("stats", "--json").json()["integrations"] == []
    database.execute(
        "UPDATE notify.deliveries SET state = 'deferred', rank = 4, due_at = now() - interval '1 min' WHERE state = 'waiting';"
        "INSERT INTO notify.integration_state (integration_id, workspace_id, wake_at, failing_since, last_error, circuit_until)"
        " SELECT DISTINCT integration_id, workspace_id, now() + interval '5 s', now(), 'timeout', now() + interval '5 s'"
        " FROM notify.deliveries WHERE state = 'deferred';"
        "INSERT INTO notify.integration_state (integration_id, workspace_id, last_success_at)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), now())")
    shown = ctl("stats", "--json").json()["integrations"]
    assert sum(one["deferred"] for one in shown) == 2
    assert all(one["last_error"] == "timeout" and one["wake_at"] and one["failing_since"] and one["rate"] is None for one in shown)
    assert "Integrations that fail, are broken or have a mailbox" in ctl("stats").out


def test_stats_with_one_server_away_shows_the_other_and_exits_75(ctl: Notifyctl, ledger: list[dict[str, Any]]) -> None:
    answer = ctl("stats", "--json", broker={"url": "amqp://127.0.0.1:1"})
    assert answer.code == 75 and answer.json()["queues"] is None and len(answer.json()["deliveries"]) == 3 and "broker" in answer.err, answer
    answer = ctl("stats", "--json", database={"url": "postgresql://127.0.0.1:1/d"})
    assert answer.code == 75 and answer.json()["deliveries"] is None and len(answer.json()["queues"]) == 6 and "database" in answer.err, answer


def test_stats_advises_as_check_does(ctl: Notifyctl, broker_url: str) -> None:
    for url, code, why in ((re.sub(r"//([^:]+):[^@]+@", r"//\1:wrong-secret@", broker_url), 78, "correct user, password or virtual host"),
                           ("amqp://127.0.0.1:1", 75, "127.0.0.1:1: Connection refused; is it up"),
                           ("amqp://no.such.host.invalid", 75, "no.such.host.invalid:5672: ")):
        shown, said = ctl("check", broker={"url": url}), ctl("stats", broker={"url": url})
        assert shown.code == said.code == code and why in said.err, said
        assert said.err == "notifyctl: " + next(line for line in shown.lines("FAIL") if line.startswith("broker: ")) + "\n"


def test_no_answer_and_no_error_holds_a_password(offline: Notifyctl) -> None:
    answers: list[Answer] = [offline(*words.split()) for words in ("check", "stats", "stats --json", "deliveries", "migrate --wait 0", "dead list",
                                                                  "dead list --unread", "dead replay --all", "explain --event e", "audit --json")]
    for answer in answers:
        assert answer.code == 75 and "-secret" not in answer.out + answer.err, answer

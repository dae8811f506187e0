"""The 1st, 2nd, 3rd ... call that can fail does: nothing crashes, nothing is lost, nothing is acknowledged that is not settled."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import evidence
import pytest
from sandbox.daemon import conf_text
from torture import CLASSES, SETTINGS, WAYS, Table, Torture

STEP = 10  # a long run tries each tenth call, beginning with its seed's, so that ten seeds try all
REACH = {"memory": 1000, "socket": 70, "kernel": 45, "sql": 16, "publish": 5, "confirm": 2, "ack": 7}  # calls in a round, about
BIRTH = {"memory": 9000, "socket": 380, "kernel": 85, "sql": 40}  # and in a worker's life until its first round is over
SAMPLE = {"memory": 6, "socket": 4, "kernel": 2, "sql": 2, "publish": 1, "confirm": 1, "ack": 1}


@pytest.fixture
def table(tmp_path: Path, build: Path, sanitized: bool) -> Table:
    return Table(tmp_path / "torture", build, sanitized)


def test_a_call_that_fails_loses_nothing(stage, notifyd, table):
    """A few of each kind; the long runs try all."""
    chance, one = random.Random(1), Torture(stage, notifyd, table)
    for kind, count in SAMPLE.items():
        for number in chance.sample(range(1, REACH[kind] + 1), count):
            one.once(kind, number, how=chance.randrange(WAYS.get(kind, 1)))
    for kind, reach in BIRTH.items():
        one.once(kind, chance.randint(1, reach), birth=True)
    assert len(one.places) > 12, "hardly any call failed"
    print(one.judge())


def test_lack_of_memory_was_blamed_on_the_message_that_was_read(stage, notifyd, table):
    """Three workers ended in it, so it became a dead letter: killed_worker."""
    stage.webhook(secret=None)
    one = notifyd(SETTINGS, env=table.environment())
    body, ids = {"scan_id": stage.scan.id, "event_type": "finding_new", "finding_id": stage.high}, []
    agent = int(one.events("child_started")[0]["child"])
    for number in range(10):
        worker = stage.wait(lambda: next((p.pid for p in one.children() if p.pid != agent), 0))
        table.arm("memory", 15 + 5 * number, pid=worker)
        ids += [f"{number}.{i}" for i in range(10)]
        for id in ids[-10:]:
            stage.plain(body, id)
        stage.wait_arrivals(ids)
    assert len(one.events("out_of_memory")) >= 3
    assert sum(e["message_killed"] != "0" for e in one.events("child_ended")) == 0


@pytest.mark.long
@pytest.mark.alone
def test_every_call_that_fails_loses_nothing(stage, notifyd, table, long_seed):
    if evidence.known("torture", long_seed):
        pytest.skip("docs/evidence.md has this seed at this commit")
    one = Torture(stage, notifyd, table)
    ends = {}
    for kind in CLASSES:
        for how in range(WAYS.get(kind, 1)):
            ends[kind] = one.each(kind, long_seed, STEP, how=how)
        one.each(kind, long_seed, STEP, failures=20)
    for kind in BIRTH:
        ends[f"{kind} at birth"] = one.each(kind, long_seed, STEP, birth=True)
    for kind in ("socket", "kernel", "sql"):
        for number in range(long_seed, 100, STEP):
            one.once(kind, number, role="agent")
    for number in range(4):  # after a few deaths in a row the supervisor waits long
        one.once("memory", long_seed + STEP * number, role="agent")
    reached = ", ".join(f"{kind} {number}" for kind, number in ends.items())
    evidence.note("torture", long_seed, f"each {STEP}th call until none was left ({reached}): {one.judge()}")


UNITS = ["answer_wait", "decode", "decode_forms", "dest", "fernet", "github_answers", "google_chat_answers", "jira_answers", "match", "mcp",
         "message_fit", "message_text", "own_message", "settings_seal", "slack_answers", "splunk_answers", "teams_answers", "text",
         "text_lookalike", "webhook", "webhook_settings", "wording"]
SLOW_UNITS = ["base", "discord", "github", "google_chat", "jira", "matches", "opsgenie", "pagerduty", "rules", "slack", "splunk", "teams"]
NO_CHILD = 1 << 30


def without_memory(table: Table, words: list[str | Path], start: int, step: int) -> str:
    """Every STEPth allocation of a program fails, in a child of its own, which must end the same as without, or say why."""
    table.arm_each(start, step)
    run = subprocess.run(words, env=table.environment(), capture_output=True, text=True, timeout=3600)
    page = table.page
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert page.fired == 0, f"{words}: {page.fired} ended badly, the first at\n{table.where}\n{table.crash}"
    return f"{page.calls[0]} allocations; of {page.told} the lack was told, {page.unmoved} were not missed"


def some_without_memory(table: Table, words: list[str | Path]) -> str:
    """The same for some twenty of them."""
    without_memory(table, words, NO_CHILD - 1, NO_CHILD)
    count = table.page.calls[0]
    return without_memory(table, words, count // 40, max(1, count // 20))


def unit(build: Path, name: str) -> list[str | Path]:
    return [build / "tests" / "unit" / f"unit_{name}", "--all"]


def configuration(build: Path, folder: Path, fernet_key: str) -> list[str | Path]:
    file = folder / "notify.conf"
    file.write_text(conf_text({**SETTINGS, "broker": {"url": "amqp://a:b@127.0.0.1/x"}, "database": {"url": "postgresql://a:b@127.0.0.1/x"},
                               "secrets": {"fernet_keys": [fernet_key]}}))
    return [build / "notifyd", "-t", "-c", file]


@pytest.mark.parametrize("name", UNITS)
def test_no_memory_in_parsers_and_renderers(build, table, name):
    print(name, some_without_memory(table, unit(build, name)))


def test_no_memory_while_the_configuration_is_read(build, table, tmp_path, fernet_key):
    print(some_without_memory(table, configuration(build, tmp_path, fernet_key)))


@pytest.mark.long
@pytest.mark.parametrize("name", UNITS + SLOW_UNITS)
def test_no_memory_anywhere_in_parsers_and_renderers(build, table, name):
    print(name, without_memory(table, unit(build, name), 0, 1))


@pytest.mark.long
def test_no_memory_anywhere_while_the_configuration_is_read(build, table, tmp_path, fernet_key):
    print(without_memory(table, configuration(build, tmp_path, fernet_key), 0, 1))

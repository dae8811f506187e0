"""The dashboard in a real Chromium: each flow as a user goes through it, against notify-api, PostgreSQL, notifyd and a receiver.

What the flows do stands in tests/browser/; each of them fails too when the page logs an error, breaks its own policy or asks another server.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import browser
import pytest
from cryptography.fernet import Fernet
from figures import hold
from sandbox import seed
from sandbox.receiver import Answer
from test_api_ledger import a_million_deliveries
from test_api_send import PATHS, settings

pytestmark = pytest.mark.xdist_group("browser")
ROOT = Path(__file__).resolve().parents[2]
HARM = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>"\'`${window.harmed=1}\u202e{{constructor.constructor(1)}}javascript:alert(1)'
PAGE_BYTES, PAINT_MS = 150 * 1024, 300


@pytest.fixture
def token(ctl, stage):
    """token(scope) makes one."""
    def make(scope: str = "write") -> str:
        return ctl("token", "create", "--workspace", stage.workspace.id, "--scope", scope, "--name", f"{scope} token", "--json", database={"role": None}).json()["token"]

    return make


@pytest.fixture
def revoke(ctl):
    """revoke(token) ends one."""
    def end(token: str) -> None:
        assert ctl("token", "revoke", token.split("_")[1], database={"role": None}).code == 0

    return end


@pytest.fixture
def dashboard(notify_api):
    """A notify-api whose tests may go to the receiver."""
    return notify_api({"delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True}})


@pytest.fixture
def row(stage):
    """row(id) has what is stored of an integration, its settings too; without an id, of the one that there is."""
    def read(id: str | None = None) -> dict[str, Any] | None:
        found = stage.database.query("SELECT kind, name, severity_filter, enabled, target_ids::text[], events, config_encrypted FROM integrations"
                                     " WHERE %s IS NULL OR id::text = %s", (id, id))
        if not found:
            return None
        *values, sealed = found[0]
        settings = json.loads(json.loads(Fernet(stage.key).decrypt(bytes(sealed)))["config"])
        return {**dict(zip(("kind", "name", "severity_filter", "enabled", "target_ids", "events"), values)), "config": settings}

    return read


@pytest.fixture
def change(dashboard, token):
    """change(id, **fields): as somebody else does."""
    writes = token()

    def make(id: str, **fields: Any) -> None:
        assert dashboard.ask("PATCH", f"/integrations/{id}", fields, writes).status == 200

    return make


@pytest.fixture
def count(stage):
    """How many integrations there are."""
    return lambda: stage.database.query("SELECT count(*) FROM integrations")[0][0]


def some_dead(stage: Any, notifyd: Any, name: str = "refuses") -> tuple[str, str]:
    """A delivery that was refused: the event, the integration."""
    stage.receiver.script("/refuses", Answer(404, body=b"no such channel"))
    one = stage.webhook("/refuses", name=name, severity_filter="info")
    event = stage.publish("finding_new")
    stage.wait(lambda: [r for r in stage.deliveries(event) if r["integration_id"] == one.id and r["state"] == "dead"])
    return event, one.id


# --- flows

def test_signing_in_with_a_token_that_reads_one_that_writes_and_one_that_is_revoked(stage, dashboard, token, notifyd, revoke):
    notifyd()
    event, integration = some_dead(stage, notifyd)
    writes = token()
    browser.flow("sign_in", {"revoke": lambda: revoke(writes)}, url=dashboard.url, token=writes, read=token("read"), event=event, integration=integration)


def test_a_destination_is_found_previewed_tried_out_and_connected(stage, dashboard, token, row, count):
    browser.flow("connect", {
        "row": row, "count": count, "arrived": lambda: stage.receiver.count("/soar"),
    }, url=dashboard.url, token=token(), hook=stage.receiver.url("/soar"), target=stage.target.id)


def test_an_integration_is_changed_by_two_disabled_copied_and_deleted(stage, dashboard, token, row, change):
    one = stage.webhook("/hook", name="#security")
    browser.flow("edit", {"row": row, "change": change, "refuse": lambda: stage.receiver.script("/changed", Answer(418, body=b"I am a teapot"))},
                 url=dashboard.url, token=token(), integration=one.id, hook=stage.receiver.url("/changed"))


def test_what_somebody_else_changed_is_neither_overwritten_nor_hidden(stage, dashboard, token, row, change):
    one = stage.webhook("/hook", name="#security", severity_filter="high")
    browser.flow("two", {"row": row, "change": change}, url=dashboard.url, token=token(), integration=one.id)


def test_a_test_is_of_the_settings_that_are_seen(stage, dashboard, token):
    one = stage.webhook("/hook")
    browser.flow("tried", {"arrived": lambda path: stage.receiver.count(path)}, url=dashboard.url, token=token(), integration=one.id, hook=stage.receiver.url("/new"))


def test_a_lost_answer_makes_nothing_twice(stage, dashboard, token, count):
    one = stage.webhook("/hook", name="#security")
    browser.flow("once", {"count": count}, url=dashboard.url, token=token(), integration=one.id, hook=stage.receiver.url("/hook"))


def test_what_was_typed_is_not_lost_without_a_question(stage, dashboard, token, count, revoke):
    writes = token()
    browser.flow("unsaved", {"count": count, "revoke": lambda: revoke(writes)}, url=dashboard.url, token=writes, next=token(), hook=stage.receiver.url("/hook"))


def test_chosen_targets_are_shown_among_many(stage, dashboard, token):
    stage.database.execute("INSERT INTO targets SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'name', 'target ' || to_char(n, 'FM000')))).*"
                           " FROM targets t, generate_series(1, 300) n WHERE t.id = %s", (stage.target.id,))
    last = [str(id) for id, in stage.database.query("SELECT id FROM targets WHERE name LIKE 'target %%' ORDER BY name DESC LIMIT 5", ())]
    one = stage.webhook("/hook", target_ids=last)
    browser.flow("targets", url=dashboard.url, token=token(), integration=one.id)


def test_deliveries_are_live_filtered_explained_and_replayed(stage, dashboard, token, notifyd):
    notifyd()
    stage.webhook("/good", name="takes it")
    stage.receiver.script("/refuses", Answer(404, body=b"no such channel"))
    stage.webhook("/refuses", name="refuses it")

    def publish(event: str) -> None:
        id = stage.publish(event)
        stage.wait(lambda: len([r for r in stage.deliveries(id) if r["state"] in ("delivered", "dead")]) == 2)

    def many() -> None:
        for _ in range(30):
            stage.publish("scan_started")
        stage.wait(lambda: len(stage.deliveries()) >= 64)

    browser.flow("deliveries", {"publish": publish, "many": many, "accept": lambda: stage.receiver.script("/refuses")}, timeout=200,
                 url=dashboard.url, token=token(), finding=stage.high)


def test_dead_letters_are_replayed_and_dropped_several_at_once(stage, dashboard, token, notifyd):
    notifyd()
    stage.receiver.script("/refuses", Answer(404))
    stage.receiver.script("/gone", Answer(410))
    stage.webhook("/refuses", name="refuses", severity_filter="info")
    for severity in ("high", "low", "medium", "critical"):
        stage.publish("finding_new", finding_id=stage.findings[severity].id)
    stage.wait(lambda: Counter(r["state"] for r in stage.deliveries()) == {"dead": 4})
    stage.webhook("/gone", name="gone", events=["scan_done"])
    stage.database.execute("UPDATE integrations SET events = '{finding_new}' WHERE name = 'refuses'")
    stage.wait(lambda: stage.publish("scan_done") and [r for r in stage.deliveries() if r["reason"] == "gone"])
    stage.wait(lambda: Counter(r["state"] for r in stage.deliveries())["dead"] >= 5)
    other = seed.add_scan(stage.connection, stage.target)
    stray = seed.add_finding(stage.connection, other).id
    event = stage.publish("finding_new", finding_id=stray)
    stage.wait(lambda: stage.events(event)[0]["state"] == "dead")
    browser.flow("dead", {"accept": lambda: stage.receiver.script("/refuses"), "states": lambda: Counter(r["state"] for r in stage.deliveries())},
                 url=dashboard.url, token=token(), stray=stray)


def test_what_is_late_or_cannot_be_read_never_stands_for_what_is(stage, dashboard, token, notifyd):
    notifyd()
    event, integration = some_dead(stage, notifyd)
    stage.webhook("/slow", name="slow hook", severity_filter="info")
    for _ in range(2):
        stage.publish("scan_done")
    stage.database.execute("UPDATE integrations SET enabled = false WHERE id = %s", (integration,))
    stage.wait(lambda: len(stage.deliveries()) >= 3)
    browser.flow("late", url=dashboard.url, token=token(), event=event, integration=integration, finding=stage.high)


def test_a_whole_flow_needs_no_mouse(stage, dashboard, token, row):
    browser.flow("keyboard", {"row": row}, url=dashboard.url, token=token(), hook=stage.receiver.url("/hand"))


def test_the_page_waits_as_it_is_asked_to_and_says_so(stage, notify_api, token):
    api = notify_api({"api": {"rate": 1.0}})
    writes = token()

    def spend() -> None:
        while api.ask("GET", "/token", None, writes).status == 200:
            pass

    def stop() -> None:
        api.terminate()
        api.wait()

    browser.flow("waits", {"spend": spend, "stop": stop}, url=api.url, token=writes, hook=stage.receiver.url("/hook"))


# --- how it looks

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_fits_a_phone_and_shows_hostile_texts_as_texts(stage, dashboard, token, notifyd, scheme):
    stage.database.execute("UPDATE targets SET name = %s, base_url = %s", (HARM, HARM))
    stage.database.execute("UPDATE findings SET title = %s, description = %s", (HARM, HARM))
    notifyd()
    stage.receiver.script("/refuses", Answer(404, body=HARM.encode()))
    one = stage.webhook("/refuses", name=HARM, severity_filter="info", target_ids=[stage.target.id])
    stage.integration({"webhook_url": stage.receiver.url("/slack")}, kind="slack", name="x" * 200, enabled=False)
    stage.integration({}, kind="carrier-pigeon", name="of a later version")
    event = stage.publish("finding_new")
    stage.wait(lambda: [r for r in stage.deliveries(event) if r["state"] == "dead"])
    browser.flow("look", url=dashboard.url, token=token(), event=event, integration=one.id, harm=HARM, schemes=[scheme], widths=[1280, 320], timeout=300)


# --- how fast it is

@pytest.mark.alone
def test_the_overview_is_seen_at_once_and_pages_are_small(stage, dashboard, token):
    for number in range(200):
        stage.webhook(f"/{number}", name=f"integration {number:03}")
    one = stage.webhook("/one")
    found = browser.flow("speed", url=dashboard.url, token=token(), loads=9, integration=one.id, timeout=300)
    hold("dashboard: first contentful paint, median of nine", statistics.median(found["first"]), PAINT_MS, "ms")
    hold("dashboard: cards of 200 integrations are there, median of nine", statistics.median(found["whole"]), 1000, "ms")
    for page, size in found["bytes"].items():
        hold(f"dashboard: bytes of the page {page}", size, PAGE_BYTES, "bytes")


@pytest.mark.alone
def test_five_thousand_integrations_are_paged_and_searched(stage, dashboard, token):
    first = stage.webhook("/hook", name="number 0000")
    stage.database.execute("INSERT INTO integrations SELECT (jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(), 'name', 'number ' || to_char(n, 'FM0000'),"
                           " 'created_at', i.created_at + n * interval '1 second'))).* FROM integrations i, generate_series(1, 4999) n WHERE i.id = %s", (first.id,))
    stage.database.execute("INSERT INTO targets SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'name', 'target ' || to_char(n, 'FM0000')))).*"
                           " FROM targets t, generate_series(1, 3000) n")
    found = browser.flow("many", url=dashboard.url, token=token())
    hold("dashboard: one of 5000 integrations is found as one types", found["searched"], 2000, "ms")


@pytest.mark.alone
def test_a_million_deliveries_are_looked_through(stage, dashboard, token):
    ours = a_million_deliveries(stage)
    found = browser.flow("million", url=dashboard.url, token=token(), scan=stage.scan.id, integration=ours[3])
    for step, took in found.items():
        hold(f"dashboard, 1,000,000 deliveries: {step}", took, 1000, "ms")
    stage.database.execute("TRUNCATE notify.deliveries, notify.attempts; TRUNCATE notify.events")


# --- the pictures of the README

def a_workspace_as_it_may_be(stage: Any) -> None:
    """Integrations of all kinds, whose figures of a day are drawn with a seed."""
    of, chance = settings(stage.receiver.url), random.Random(7)
    made = (("slack", "#security-alerts", {"severity_filter": "medium"}, (40, 0)),
            ("pagerduty", "On call: production", {"severity_filter": "critical", "events": ["finding_new", "scan_failed"]}, (3, 0)),
            ("jira", "SEC board", {"events": ["finding_new", "finding_changed"]}, (12, 3)),
            ("webhook", "SOAR intake", {"severity_filter": "info"}, (58, 0)),
            ("teams", "Platform team", {"target_ids": [stage.target.id]}, (8, 0)),
            ("github", "acme/shop issues", {}, (10, 1)),
            ("splunk", "SIEM", {"severity_filter": "info"}, (58, 0)),
            ("google_chat", "Shop space", {"enabled": False}, (0, 0)),
            ("opsgenie", "Night shift", {"severity_filter": "critical"}, (3, 0)))
    now = "date_trunc('hour', now(), 'UTC')"
    stage.database.execute("INSERT INTO notify.events (id, content_hash, workspace_id, scan_id, event_type, finding_id, queue, state, first_seen, accepted_at, finished_at,"
                           f" considered, matched) SELECT 'before ' || n, 'x', %s, %s, 'finding_new', %s, 'notify', 'done', {now} - n * interval '1 minute',"
                           f" {now} - n * interval '1 minute', now(), 9, 9 FROM generate_series(1, 1380) n", (stage.workspace.id, stage.scan.id, stage.high))
    for kind, name, options, (good, bad) in made:
        one = stage.integration(of[kind], kind=kind, name=name, **options)
        for ago in range(1, 24):
            done = chance.randint(good // 3, good) if good else 0
            failed = chance.randint(1, bad) if bad and ago < 6 else 0
            stage.database.execute(f"INSERT INTO notify.stats_hourly (integration_id, workspace_id, hour, delivered, failed, dead) VALUES (%s, %s, {now} - %s * interval '1 hour',"
                                   " %s, %s, %s)", (one.id, stage.workspace.id, ago, done, failed, failed // 3))
        stage.database.execute(  # the rows that such counts are of, one event a minute
            "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, reason, error, updated_at)"
            " SELECT 'before ' || m, h.integration_id, h.workspace_id, CASE WHEN n > h.delivered THEN 'dead' ELSE 'delivered' END, 1,"
            f" CASE WHEN n > h.delivered THEN 'exhausted' END, 'none', {now} - m * interval '1 minute'"
            " FROM notify.stats_hourly h, generate_series(1, LEAST(60, h.delivered + h.dead)) n,"
            f" LATERAL (SELECT extract(epoch FROM {now} - h.hour)::int / 60 - n + 1 AS m) t WHERE h.integration_id = %s AND h.hour < {now} AND m BETWEEN 1 AND 1380", (one.id,))
        if good:
            stage.database.execute("INSERT INTO notify.integration_state (integration_id, workspace_id, last_success_at) VALUES (%s, %s, now() - interval '40 minutes')", (one.id, stage.workspace.id))
    stage.database.execute("UPDATE notify.events e SET (considered, matched) = (SELECT count(*), count(*) FROM notify.deliveries d WHERE d.event_id = e.id)")


def test_pictures_are_taken_and_those_of_the_readme_are_small(stage, dashboard, token, notifyd, tmp_path):
    """Copy them to docs/ when the overview has changed: they are in NOTIFY_PICTURES when that names a folder."""
    a_workspace_as_it_may_be(stage)
    for kind in ("slack", "pagerduty", "teams", "github", "splunk", "opsgenie"):
        stage.receiver.script(PATHS[kind], Answer(like=kind))
    stage.receiver.script(PATHS["jira"], Answer(503))
    notifyd({"gate": {"report": 0.5, "rate_slack": 100.0}})
    for word in ("scan_started", "scan_done", "finding_new"):
        stage.publish(word)
    stage.publish("finding_new", finding_id=stage.findings["critical"].id)
    stage.wait(lambda: stage.database.query("SELECT count(*) FROM notify.deliveries WHERE event_id NOT LIKE 'before %' AND state NOT IN ('sending', 'deferred')")[0][0] >= 20, 30)
    time.sleep(1.5)  # for the figures of this hour
    folder = ROOT / os.environ.get("NOTIFY_PICTURES", tmp_path)
    browser.flow("pictures", url=dashboard.url, token=token(), folder=str(folder))
    for name in ("dashboard.png", "dashboard-dark.png"):
        assert (folder / name).stat().st_size < 200 * 1024 and (ROOT / "docs" / name).stat().st_size < 200 * 1024

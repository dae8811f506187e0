"""Deliveries through the API: what became of events, why, and what is dead begun again or given up."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import openapi
import psycopg2.extras
import pytest
from sandbox import seed
from sandbox.answers import Answer

NONE = str(uuid.uuid4())


@pytest.fixture
def token(ctl, stage):
    """token(scope, workspace) makes one."""
    def make(scope: str = "write", workspace: str | None = None) -> str:
        return ctl("token", "create", "--workspace", workspace or stage.workspace.id, "--scope", scope, "--json", database={"role": None}).json()["token"]

    return make


class Checked:
    """An API whose every answer is as its document says."""

    def __init__(self, api: Any) -> None:
        self.api, self.document = api, openapi.load(api.ask("GET", "/openapi.json"))

    def ask(self, method: str, path: str, *rest: Any) -> Any:
        reply = self.api.ask(method, path, *rest)
        for operation in self.document.operations():
            pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
            if operation.method == method and re.fullmatch(pattern, path.partition("?")[0]):
                self.document.check(operation, reply)
                return reply
        raise AssertionError(f"{method} {path} is not in the document")


@pytest.fixture
def api(notify_api):
    return Checked(notify_api())


def pages(api: Any, token: str, path: str) -> list[list[dict[str, Any]]]:
    """Every page from PATH on."""
    found, link = [], path
    while link:
        answer = api.ask("GET", link, None, token)
        assert answer.status == 200, answer
        found.append(answer.json())
        link = answer.headers.get("link", "").partition("<")[2].partition(">")[0]
    return found


def rows(stage: Any, count: int, integrations: list[str], state: str = "delivered", workspace: str | None = None, start: int = 0) -> list[str]:
    """COUNT events of the ledger, each delivered to all INTEGRATIONS, a second apart and the first the latest."""
    workspace = workspace or stage.workspace.id
    ids = [str(uuid.uuid4()) for _ in range(count)]
    with stage.database.connect() as connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO notify.events (id, content_hash, workspace_id, scan_id, event_type, finding_id, queue, state, first_seen, accepted_at,"
            " finished_at, considered, matched) VALUES %s",
            [(one, b"x" * 32, workspace, stage.scan.id, "finding_new", stage.high, "notify", "done", "now", "now", "now", len(integrations), len(integrations))
             for one in ids])
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, reason, error, updated_at) VALUES %s",
            [(one, integration, workspace, state, 1, "rejected" if state == "dead" else None, "http_error" if state == "dead" else "none",
              f"2026-01-01T00:00:00Z") for one in ids for integration in integrations])
        psycopg2.extras.execute_values(
            cursor, "UPDATE notify.deliveries d SET updated_at = now() - v.age * interval '1 second' FROM (VALUES %s) v (id, age) WHERE d.event_id = v.id",
            [(one, start + n) for n, one in enumerate(ids)])
    return ids


def test_pages_show_every_delivery_once_latest_first(stage, api, token):
    first, second = stage.webhook("/one"), stage.webhook("/two")
    other = seed.add_workspace(stage.connection)
    rows(stage, 3, [NONE], workspace=other.id)
    ids = rows(stage, 40, [first.id, second.id])
    dead = rows(stage, 7, [first.id], "dead", start=100)
    mine = token("read")
    whole = pages(api, mine, "/deliveries")
    assert len(whole) == 1 and len(whole[0]) == 87
    assert [row["event_id"] for row in whole[0]][::2][:40] == ids and {row["integration_kind"] for row in whole[0]} == {"webhook"}
    small = pages(api, mine, "/deliveries?limit=9")
    assert [len(page) for page in small] == [9] * 9 + [6] and sum(small, []) == whole[0]
    assert [row["event_id"] for row in sum(pages(api, mine, "/deliveries?state=dead&limit=3"), [])] == dead
    assert [row["event_id"] for row in sum(pages(api, mine, "/deliveries?reason=rejected&limit=3"), [])] == dead
    of_one = sum(pages(api, mine, f"/integrations/{second.id}/deliveries?limit=13"), [])
    assert [row["event_id"] for row in of_one] == ids and {row["integration_id"] for row in of_one} == {second.id}
    assert of_one == sum(pages(api, mine, f"/deliveries?integration_id={second.id}"), [])
    assert len(sum(pages(api, mine, f"/deliveries?scan_id={stage.scan.id}&limit=50"), [])) == 87
    assert len(sum(pages(api, mine, f"/deliveries?finding_id={stage.high}&integration_id={second.id}&limit=7"), [])) == 40
    assert [row["integration_id"] for row in sum(pages(api, mine, f"/deliveries?event_id={ids[5]}"), [])] == sorted([first.id, second.id], reverse=True)
    assert pages(api, mine, f"/deliveries?scan_id={NONE}") == [[]] and pages(api, mine, "/deliveries?event_type=scan_done") == [[]]
    wrong = api.ask("GET", "/deliveries?state=gone&scan_id=7", None, mine)
    assert wrong.status == 422 and {one["field"] for one in wrong.json()["errors"]} == {"state", "scan_id"}
    stage.database.execute("DELETE FROM notify.deliveries; DELETE FROM notify.events")


def test_rows_of_one_moment_are_paged_too(stage, api, token):
    one = stage.webhook("/one")
    ids = rows(stage, 25, [one.id])
    stage.database.execute("UPDATE notify.deliveries SET updated_at = now()")
    found = pages(api, token("read"), "/deliveries?limit=4")
    assert sorted(row["event_id"] for row in sum(found, [])) == sorted(ids) and len(found) == 7
    stage.database.execute("DELETE FROM notify.deliveries; DELETE FROM notify.events")


def test_a_filter_that_finds_little_is_a_short_page_with_a_next_one(stage, api, token):
    one = stage.webhook("/one")
    rows(stage, 6000, [one.id])
    last, = rows(stage, 1, [one.id], "dead", start=20000)
    found = pages(api, token("read"), f"/integrations/{one.id}/deliveries?state=dead&limit=5")
    assert [len(page) for page in found] == [0, 1] and found[1][0]["event_id"] == last
    found = pages(api, token("read"), "/deliveries?state=dead&event_type=finding_new")
    assert [row["event_id"] for row in sum(found, [])] == [last] and len(found) == 1
    stage.database.execute("DELETE FROM notify.deliveries; DELETE FROM notify.events")


def test_one_delivery_has_its_story_and_a_replay_delivers_it(stage, notifyd, api, token):
    hook = stage.webhook("/hook")
    stage.receiver.script("/hook", Answer(status=400, body="no \u00e4 such thing".encode()))
    notifyd()
    event = stage.publish("finding_new")
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["dead"])
    mine = token()
    path = f"/deliveries/{event}/{hook.id}"
    story = api.ask("GET", path, None, mine).json()
    assert (story["state"], story["reason"], story["status"], story["response"], story["integration_kind"]) == ("dead", "rejected", 400, "no \u00e4 such thing", "webhook")
    assert [(one["attempt"], one["status"], one["response"]) for one in story["attempts"]] == [(1, 400, "no \u00e4 such thing")]
    assert api.ask("POST", f"{path}/replay", None, token("read")).status == 403
    stage.receiver.script("/hook", Answer())
    done = api.ask("POST", f"{path}/replay", None, mine)
    assert (done.status, done.json()) == (200, {"event_id": event, "integration_id": hook.id, "result": "replayed"})
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["delivered"])
    again = api.ask("POST", f"{path}/replay", None, mine)
    assert again.status == 409 and "this is delivered" in again.json()["detail"]
    story = api.ask("GET", path, None, mine).json()
    assert story["state"] == "delivered" and [one["before_replay"] for one in story["attempts"]] == [True]
    assert stage.database.query("SELECT verb, object FROM notify.changes WHERE verb = 'replay'") == [("replay", f"{event} {hook.id}")]
    for wrong in (f"/deliveries/{event}/{NONE}", f"/deliveries/{NONE}/{hook.id}", f"/deliveries/%ff/{hook.id}", f"/deliveries/{'x' * 201}/{hook.id}"):
        assert api.ask("GET", wrong, None, mine).status in (400, 404), wrong
        assert api.ask("POST", f"{wrong}/replay", None, mine).status in (400, 404), wrong


def test_lists_of_dead_deliveries_begin_again_or_are_given_up_and_each_is_answered_for(stage, api, token):
    one, two = stage.webhook("/one"), stage.webhook("/two")
    other = seed.add_workspace(stage.connection)
    foreign, = rows(stage, 1, [NONE], "dead", workspace=other.id)
    dead = rows(stage, 4, [one.id, two.id], "dead")
    fine, = rows(stage, 1, [one.id])
    held = stage.database.connect()
    held.autocommit = False
    held.cursor().execute("SELECT FROM notify.deliveries WHERE event_id = %s AND integration_id = %s FOR UPDATE", (dead[0], two.id))
    asked = [{"event_id": event, "integration_id": integration} for event, integration in (
        (dead[0], one.id), (dead[0], one.id), (dead[0], two.id), (dead[1], two.id), (fine, one.id), (foreign, NONE), ("quo\"te\\ {}, \u2028", one.id))]
    mine = token()
    answer = api.ask("POST", "/deliveries/replay", {"deliveries": asked}, mine)
    assert answer.status == 200, answer
    results = {(row["event_id"], row["integration_id"]): row["result"] for row in answer.json()["deliveries"]}
    assert results == {(dead[0], one.id): "replayed", (dead[0], two.id): "busy", (dead[1], two.id): "replayed", (fine, one.id): "not_dead",
                       (foreign, NONE): "not_found", ("quo\"te\\ {}, \u2028", one.id): "not_found"} and answer.json()["replayed"] == 2
    held.rollback()  # a server learns of a closed connection a little later
    held.close()
    answer = api.ask("POST", "/deliveries/drop", {"deliveries": asked + [{"event_id": dead[2], "integration_id": one.id}]}, mine)
    results = {(row["event_id"], row["integration_id"]): row["result"] for row in answer.json()["deliveries"]}
    assert results[dead[0], two.id] == results[dead[2], one.id] == "dropped" and results[dead[0], one.id] == "not_dead" and answer.json()["dropped"] == 2
    states = dict(((event, integration), (state, owed)) for event, integration, state, owed in
                  stage.database.query("SELECT event_id, integration_id::text, state, owed FROM notify.deliveries"))
    assert states[dead[0], one.id] == ("waiting", True) and states[dead[2], one.id] == ("dropped", False) and states[foreign, NONE][0] == "dead"
    assert stage.database.query("SELECT verb, count(*) FROM notify.changes GROUP BY 1 ORDER BY 1") == [("drop", 2), ("replay", 2), ("token create", 1)]
    for body, fields in (({}, {"deliveries"}), ({"deliveries": []}, {"deliveries"}), ({"deliveries": [7]}, {"deliveries[0]"}), ({"deliveries": asked, "all": 1}, {"all"}),
                         ({"deliveries": [{"event_id": "", "integration_id": "x"}]}, {"deliveries[0].event_id", "deliveries[0].integration_id"}),
                         ({"deliveries": [{"event_id": "a", "integration_id": NONE, "x": 1}]}, {"deliveries[0]"}), ({"deliveries": asked * 80}, {"deliveries"})):
        wrong = api.ask("POST", "/deliveries/drop", body, mine)
        assert wrong.status == 422 and {error["field"] for error in wrong.json()["errors"]} == fields, (body, wrong)
    stage.database.execute("DELETE FROM notify.deliveries; DELETE FROM notify.events")


def test_what_is_for_an_integration_that_is_disabled_or_gone_stays_dead_when_it_is_replayed(stage, api, token):
    """A worker would cancel it, and then it could never begin again."""
    good, off, gone = stage.webhook("/good"), stage.webhook("/off", enabled=False), stage.webhook("/gone")
    event, = rows(stage, 1, [good.id, off.id, gone.id], "dead")
    stage.database.execute("DELETE FROM integrations WHERE id = %s", (gone.id,))
    mine, path = token(), f"/deliveries/{event}"
    for integration, word in ((off.id, "enable that first"), (gone.id, "was deleted")):
        answer = api.ask("POST", f"{path}/{integration}/replay", None, mine)
        assert answer.status == 409 and word in answer.json()["detail"], answer
    asked = {"deliveries": [{"event_id": event, "integration_id": one.id} for one in (good, off, gone)]}
    answer = api.ask("POST", "/deliveries/replay", asked, mine).json()
    assert answer["replayed"] == 1 and {row["integration_id"]: row["result"] for row in answer["deliveries"]} == {good.id: "replayed", off.id: "disabled", gone.id: "deleted"}
    assert dict(stage.database.query("SELECT integration_id::text, state FROM notify.deliveries")) == {good.id: "waiting", off.id: "dead", gone.id: "dead"}
    stage.database.execute("UPDATE integrations SET enabled = true WHERE id = %s", (off.id,))
    assert api.ask("POST", f"{path}/{off.id}/replay", None, mine).status == 200
    assert api.ask("POST", "/deliveries/drop", asked, mine).json()["dropped"] == 1, "what is gone can be given up"
    stage.database.execute("DELETE FROM notify.deliveries; DELETE FROM notify.events")


def test_explain_says_why_each_integration_was_told_or_not(stage, notifyd, api, token, ctl):
    wanted = {"told": stage.webhook("/told", name="told"), "off": stage.webhook("/off", name="off", enabled=False),
              "scans": stage.webhook("/scans", name="scans", events=["scan_done"]), "refused": stage.webhook("/refused", name="refused")}
    stage.receiver.script("/refused", Answer(status=404))
    notifyd({"retry": {"not_found": []}})
    event = stage.publish("finding_new")
    stage.wait(lambda: [row["state"] for row in stage.events(event)] == ["done"])
    stage.wait(lambda: sorted(row["state"] for row in stage.deliveries(event)) == ["dead", "delivered"])
    mine = token("read")
    one, = api.ask("GET", f"/explain?scan_id={stage.scan.id}&event_type=finding_new&finding_id={stage.high}", None, mine).json()
    by = {row["name"]: row for row in one["integrations"]}
    assert {name: row["fires"] for name, row in by.items()} == {"told": True, "off": False, "scans": False, "refused": True}
    assert [f["filter"] for f in by["off"]["filters"] if not f["passes"]] == ["disabled"]
    assert by["told"]["delivery"]["state"] == "delivered" and by["scans"]["delivery"] is None
    assert [a["status"] for a in by["refused"]["delivery"]["attempts"]] == [404]
    assert one["conclusion"].startswith("2 of 4 integrations wanted it: delivered 1, dead 1; held back by their filters then: disabled 1, event 1")
    assert api.ask("GET", f"/explain?event_id={event}", None, mine).json() == [one]
    said, = ctl("explain", "--json", "--event", event).json()
    for attempt in [attempt for row in said["integrations"] if row["delivery"] for attempt in row["delivery"]["attempts"]]:
        del attempt["response"]  # which makes the API's answers large; it is in the delivery's own
    assert said == one, "the command says the same"

    api.ask("DELETE", f"/integrations/{wanted['told'].id}", None, token())
    one, = api.ask("GET", f"/explain?event_id={event}", None, mine).json()
    gone, = [row for row in one["integrations"] if row["integration_id"] == wanted["told"].id]
    assert (gone["kind"], gone["name"], gone["delivery"]["state"]) == ("(deleted)", None, "delivered")

    dry, = api.ask("GET", f"/explain?scan_id={stage.scan.id}&event_type=scan_done", None, mine).json()
    assert dry["event"] is None and dry["conclusion"] == "no event of that kind was ever received; it would go to 2 of 3 integrations"
    stranger = token("read", seed.add_workspace(stage.connection).id)
    assert api.ask("GET", f"/explain?event_id={event}", None, stranger).status == 404
    assert api.ask("GET", f"/explain?scan_id={stage.scan.id}&event_type=scan_done", None, stranger).status == 404
    for query, fields in (("", {"scan_id", "event_type"}), (f"scan_id={stage.scan.id}&event_type=finding_new", {"finding_id"}),
                          (f"event_id={event}&scan_id={stage.scan.id}", {"event_id"}), ("scan_id=x&event_type=y", {"scan_id", "event_type"})):
        wrong = api.ask("GET", f"/explain?{query}", None, mine)
        assert wrong.status == 422 and {error["field"] for error in wrong.json()["errors"]} == fields, (query, wrong)


def test_targets_and_figures_are_the_workspaces_own(stage, notifyd, api, token):
    other = seed.add_workspace(stage.connection)
    seed.add_target(stage.connection, other)
    mine = token("read")
    names = {seed.add_target(stage.connection, stage.workspace).id for _ in range(6)} | {stage.target.id}
    found = sum(pages(api, mine, "/targets?limit=2"), [])
    assert {row["id"] for row in found} == names and len(found) == 7 and set(found[0]) == {"id", "name", "base_url", "kind"}
    stage.webhook("/hook", name="hook")
    stage.webhook("/off", name="off", enabled=False)
    stage.webhook("/failing", name="failing")
    stage.receiver.script("/failing", Answer(status=503))
    notifyd()
    event = stage.publish("finding_new")
    stage.wait(lambda: sorted(row["state"] for row in stage.deliveries(event)) == ["delivered", "waiting"])
    stats = api.ask("GET", "/stats", None, mine).json()
    assert {row["state"]: (row["count"], row["last_24_hours"]) for row in stats["deliveries"] if row["last_24_hours"]} == {"delivered": (None, 1), "waiting": (1, 1)}
    stage.wait(lambda: {row["name"]: row["health"] for row in api.ask("GET", "/stats", None, mine).json()["integrations"]}
               == {"hook": "healthy", "off": "disabled", "failing": "failing"})
    empty = api.ask("GET", "/stats", None, token("read", other.id)).json()
    assert empty["integrations"] == [] and all(row["last_24_hours"] == 0 for row in empty["deliveries"])


def test_what_would_be_too_much_is_refused_or_comes_in_pages_and_ends_no_process(stage, api, token):
    """Destinations that answer control bytes, which take six bytes each in JSON, and integrations with very many targets."""
    integrations = [stage.webhook(f"/{n}", name=f"hook {n}").id for n in range(300)]
    events = rows(stage, 5, integrations, "dead")
    stage.database.execute("UPDATE notify.deliveries SET response = decode(repeat('01', 1024), 'hex')")
    stage.database.execute("INSERT INTO notify.attempts (event_id, integration_id, attempt, error, response)"
                           " SELECT event_id, integration_id, n, 'http_error', response FROM notify.deliveries, generate_series(1, 12) n")
    mine = token()
    asked = f"/explain?scan_id={stage.scan.id}&event_type=finding_new&finding_id={stage.high}"
    many = api.ask("GET", asked, None, mine)
    assert many.status == 200 and 1 <= len(many.json()) < 5 and len(many.body) < 16 << 20, "as many as are worth reading at once"
    one, = api.ask("GET", f"/explain?event_id={events[0]}&integration_id={integrations[7]}", None, mine).json()
    assert [row["integration_id"] for row in one["integrations"]] == [integrations[7]] and len(one["integrations"][0]["delivery"]["attempts"]) == 12
    stage.database.execute("UPDATE integrations SET target_ids = (SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 4000))")
    found = pages(api, mine, "/integrations?limit=500")
    assert [row["id"] for row in sum(found, [])] == integrations and len(found) > 5
    stage.database.execute("UPDATE notify.deliveries SET detail = repeat(chr(1), 65536)")
    whole = api.ask("GET", f"/explain?event_id={events[0]}", None, mine)
    assert whole.status == 422 and "ask for less" in whole.json()["detail"], whole
    assert len(sum(pages(api, mine, f"/deliveries?event_id={events[0]}&limit=500"), [])) == 300
    stage.database.execute("TRUNCATE notify.deliveries, notify.attempts; TRUNCATE notify.events")


def test_deliveries_of_an_integration_that_is_not_there_are_not_found(stage, api, token):
    here = stage.webhook("/here")
    foreign = seed.add_integration(stage.connection, seed.add_workspace(stage.connection), "webhook", {"webhook_url": "https://x.example/"}, stage.key)
    mine = token("read")
    assert api.ask("GET", f"/integrations/{here.id}/deliveries", None, mine).json() == []
    for one in (foreign.id, NONE):
        assert api.ask("GET", f"/integrations/{one}/deliveries", None, mine).status == 404


def test_an_error_about_a_member_of_any_length_is_whole(api, token):
    for length in (65_300, 65_500):
        answer = api.ask("POST", "/deliveries/replay", {"x" * length: 1}, token())
        assert answer.status == 422 and len(answer.body) < 2000 and answer.json()["errors"], answer


def a_million_deliveries(stage: Any) -> list[str]:
    """Of 100,000 events to 10 integrations, whose ids it returns; a thousandth are dead, and each of ten events are of the stage's scan."""
    ours = [stage.webhook(f"/{n}", name=f"hook {n}").id for n in range(10)]
    stage.database.execute(
        f"INSERT INTO notify.events (id, content_hash, workspace_id, scan_id, event_type, finding_id, queue, state, first_seen, accepted_at, finished_at, considered,"
        f" matched) SELECT 'e' || n, 'x', '{stage.workspace.id}', CASE WHEN n % 10000 = 0 THEN '{stage.scan.id}' ELSE gen_random_uuid() END, 'finding_new',"
        f" '{stage.high}', 'notify', 'done', now(), now() - n * interval '1 second', now(), 10, 10 FROM generate_series(1, 100000) n")
    stage.database.execute(
        "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, reason, error, updated_at)"
        f" SELECT 'e' || n, i, '{stage.workspace.id}', CASE WHEN n % 1000 = 0 THEN 'dead' ELSE 'delivered' END, 1, CASE WHEN n % 1000 = 0 THEN 'rejected' END, 'none',"
        f" now() - n * interval '1 second' FROM generate_series(1, 100000) n, unnest('{{{','.join(ours)}}}'::uuid[]) i")
    stage.database.execute("VACUUM ANALYZE notify.deliveries, notify.events, notify.attempts")
    return ours


@pytest.mark.alone
def test_a_million_deliveries_are_explained_and_paged_in_a_tenth_of_a_second(stage, api, token):
    ours = a_million_deliveries(stage)
    mine = token("read")
    for path in (f"/explain?scan_id={stage.scan.id}&event_type=finding_new&finding_id={stage.high}", "/explain?event_id=e50000", "/deliveries?limit=100",
                 "/deliveries?state=dead", "/deliveries?reason=rejected", f"/integrations/{ours[3]}/deliveries", f"/deliveries?scan_id={stage.scan.id}", "/deliveries/e7/" + ours[0]):
        took = []
        for _ in range(5):
            start = time.monotonic()
            answer = api.ask("GET", path, None, mine)
            took.append(time.monotonic() - start)
            assert answer.status == 200 and len(answer.body) > 2, (path, answer)
        print(f"{path[:60]:60} {1000 * sorted(took)[2]:6.1f} ms, {len(answer.body)} bytes")
        assert sorted(took)[2] < 0.1, (path, took)
    stage.database.execute("TRUNCATE notify.deliveries, notify.attempts; TRUNCATE notify.events")

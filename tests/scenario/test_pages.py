"""What the pages below docs/ show in code works: shell, SQL and Python are taken out of them and run."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from sandbox import producer, seed
from sandbox.answers import Answer
from sandbox.daemon import conf_text
from sandbox.signatures import standard_signature
from sandbox.vendors import VENDORS

from conftest import migrate

ROOT = Path(__file__).resolve().parents[2]
WEBHOOK = ROOT / "docs" / "destinations" / "webhook.md"
SLACK = ROOT / "docs" / "destinations" / "slack.md"
OPERATE = ROOT / "docs" / "operate.md"
API = ROOT / "docs" / "api.md"
MCP = ROOT / "docs" / "mcp.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


class Desk:
    """Where somebody types what a page shows: a folder, a notifyctl, and what the words in capitals stand for."""

    def __init__(self, folder: Path, build: Path, settings: dict[str, Any], stands_for: dict[str, str]) -> None:
        self.folder, self.stands_for = folder, stands_for
        folder.mkdir()
        (folder / "notify.conf").write_text(conf_text(settings))
        program = folder / "notifyctl"
        program.write_text(f'#!/bin/sh\nexec {build / "notifyctl"} -c {folder / "notify.conf"} "$@"\n')
        program.chmod(0o700)

    def run(self, text: str) -> str:
        for word, here in self.stands_for.items():
            text = text.replace(word, here)
        done = subprocess.run(["/bin/sh", "-ec", text], capture_output=True, text=True, timeout=60, cwd=self.folder,
                              env={"PATH": f"{self.folder}:/usr/bin:/bin"})
        assert done.returncode == 0, f"{text}\nexit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def desk(stage: Any, build: Path, tmp_path: Path, fernet_key: str) -> Desk:
    return Desk(tmp_path / "desk", build, {
        "broker": {"url": stage.broker_url}, "database": {"url": stage.database.url}, "secrets": {"fernet_keys": [fernet_key]},
        "delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True}}, {
        "WORKSPACE": stage.workspace.id, "postgresql://OWNER@HOST/pencheff": stage.database.url})


@pytest.fixture
def good() -> Callable[..., bool]:
    """The Python of the webhook's page."""
    text, = blocks(WEBHOOK, "python")
    names: dict[str, Any] = {}
    exec(compile(text, str(WEBHOOK), "exec"), names)
    return names["good"]


def test_the_webhooks_page_leads_to_a_delivery_that_its_python_accepts(stage: Any, notifyd: Any, desk: Desk, good: Any) -> None:
    make_secret, insert = blocks(WEBHOOK, "sh")
    settings = json.loads(blocks(WEBHOOK, "json")[0])
    assert set(settings) == {"webhook_url", "hmac_secret"}
    secret = desk.run(make_secret).strip()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    (desk.folder / "hook.json").write_text(json.dumps({"webhook_url": stage.receiver.url("/page"), "hmac_secret": secret}))
    integration = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", desk.run(insert))
    assert integration, "the row's id is shown"
    stage.webhook("/plain", secret="a plain secret")
    stage.webhook("/open", secret=None)
    notifyd()

    event = stage.publish("scan_done", error="of the event", change_summary="too")
    request, = stage.receiver.wait_for(1, "/page")
    headers, body = request.header, request.body
    assert good(headers, body, secret)
    assert headers["webhook-id"] == hashlib.sha256((event + integration[0]).encode()).hexdigest()[:32]
    assert not good(headers, body + b" ", secret) and not good(headers, body, "whsec_" + "A" * 43 + "=")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert not good({key: value for key, value in headers.items() if key != name}, body, secret), name
        assert not good({**headers, name: "ünknown"}, body, secret), name
    for seconds, wanted in ((0, True), (280, True), (320, False), (-320, False)):
        then = str(int(time.time()) - seconds)
        signed = {**headers, "webhook-timestamp": then, "webhook-signature": standard_signature(headers["webhook-id"], then, body, secret)}
        assert good(signed, body, secret) == wanted, seconds
        assert good({**signed, "webhook-signature": f"v1,other {signed['webhook-signature']}"}, body, secret) == wanted

    # What the page says of the other two, and of two members of the body.
    plain, = stage.receiver.wait_for(1, "/plain")
    assert good(plain.header, plain.body, "a plain secret")
    unsigned, = stage.receiver.wait_for(1, "/open")
    ours = {name for name in unsigned.header if name.startswith(("webhook-", "x-pencheff-"))}
    assert ours == {"webhook-id", "webhook-timestamp", "x-pencheff-timestamp"} and not good(unsigned.header, unsigned.body, "")
    assert (json.loads(body)["error"], json.loads(body)["change_summary"]) == ("of the event", "too")
    stage.database.execute("UPDATE scans SET error = 'of the row'")
    failed, other = stage.publish("scan_failed"), stage.publish("scan_failed", error="of the event")
    bodies = {body["id"]: body for body in (json.loads(one.body) for one in stage.receiver.wait_for(3, "/page"))}
    assert (bodies[failed]["error"], bodies[failed]["change_summary"]) == ("of the row", None)
    assert bodies[other]["error"] == "of the event"


def test_slacks_page_leads_to_a_message_in_the_channel(stage: Any, notifyd: Any, desk: Desk) -> None:
    settings, example = (json.loads(text) for text in blocks(SLACK, "json"))
    assert set(settings) == {"webhook_url", "style"}
    (desk.folder / "slack.json").write_text(json.dumps({**settings, "webhook_url": stage.receiver.url("/services/page")}))
    stage.receiver.script("/services/page", Answer(like="slack"))
    insert, = blocks(SLACK, "sh")
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", desk.run(insert)), "the row's id is shown"
    notifyd()
    event = stage.publish()
    request, = stage.receiver.wait_for(1, "/services/page")
    assert set(json.loads(request.body)) == {*example, "attachments"}
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["delivered"])

    assert_true_example("slack", example)
    assert len(assert_true_words("slack")) > 20


def assert_true_example(kind: str, example: Any, golden: str = "finding_new.text") -> None:
    """The message that the page shows is a golden file's."""
    assert json.dumps(example, ensure_ascii=False, separators=(",", ":")) in (ROOT / f"tests/golden/{kind}/{golden}.txt").read_text()


def assert_true_words(kind: str) -> set[str]:
    """The words of the page's table are the program's, and so is what follows from each."""
    page = (ROOT / "docs" / "destinations" / f"{kind}.md").read_text()
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (?:dead: \[?`(\w+)`(?:\]\([^)]*\))?|tried again) \|", page, re.MULTILINE)
    said = {word: reason or "none" for words, reason in rows for word in re.findall(r"\w+", words)}
    known = re.findall(r'{"?(\w+)"?,\s*REASON_(\w+),', (ROOT / "common/destinations" / f"{kind}.c").read_text())
    assert said == {word: reason.lower() for word, reason in known}
    return set(said)


@pytest.mark.parametrize("kind,path,golden", [
    ("teams", "/page", "finding_new.text"), ("google_chat", "/page", "finding_new.text"),
    ("discord", "/api/webhooks/1/page", "finding_new.text"),
    ("pagerduty", "/v2/enqueue", "finding_new.event"),
])
def test_a_destinations_page_leads_to_a_delivery(stage: Any, notifyd: Any, desk: Desk, kind: str, path: str, golden: str) -> None:
    page = ROOT / "docs" / "destinations" / f"{kind}.md"
    settings, example = (json.loads(text) for text in blocks(page, "json"))
    (desk.folder / f"{kind}.json").write_text(json.dumps({
        **settings, **{key: stage.receiver.url(path) for key in ("webhook_url", "api_url") if key in settings}}))
    stage.receiver.script(f"{path}*", Answer(like=kind))
    insert, = blocks(page, "sh")
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", desk.run(insert)), "the row's id is shown"
    notifyd()
    event = stage.publish()
    request, = stage.receiver.wait_for(1)
    VENDORS[kind].check(request)
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["delivered"])
    assert_true_example(kind, example, golden)
    assert assert_true_words(kind)


def test_opsgenies_page_leads_to_an_alert(stage: Any, notifyd: Any, desk: Desk) -> None:
    page = ROOT / "docs" / "destinations" / "opsgenie.md"
    settings, example = (json.loads(text) for text in blocks(page, "json"))
    assert set(settings) == {"api_key", "api_url"}
    (desk.folder / "opsgenie.json").write_text(json.dumps({"api_key": "12345678-90ab-4cde-8f01-234567890abc", "api_url": stage.receiver.url("/og")}))
    stage.receiver.script("/og/v2/alerts", Answer(like="opsgenie"))
    insert, = blocks(page, "sh")
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", desk.run(insert)), "the row's id is shown"
    notifyd()
    stage.publish("scan_started")  # is not asked for
    event = stage.publish()
    request, = stage.receiver.wait_for(1, "/og/v2/alerts")
    assert set(VENDORS["opsgenie"].check(request)) == set(example)
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["delivered"])
    assert json.dumps(example, ensure_ascii=False, separators=(",", ":")) in (ROOT / "tests/golden/opsgenie/finding_new.alert.txt").read_text()


def test_splunks_page_leads_to_an_event_in_the_index(stage: Any, notifyd: Any, desk: Desk) -> None:
    page = ROOT / "docs" / "destinations" / "splunk.md"
    settings, example = (json.loads(text) for text in blocks(page, "json"))
    (desk.folder / "splunk.json").write_text(json.dumps({**settings, "token": "B5A79AAD-D822-46CC-80D1-819F80D7BFB0", "hec_url": stage.receiver.url("/page")}))
    stage.receiver.script("/page/services/collector/event", Answer(like="splunk"))
    insert, = blocks(page, "sh")
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", desk.run(insert)), "the row's id is shown"
    notifyd()
    event = stage.publish()
    request, = stage.receiver.wait_for(1, "/page/services/collector/event")
    one, = VENDORS["splunk"].check(request)
    assert one["index"] == settings["index"] and set(one["event"]) == set(example["event"])
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["delivered"])
    assert json.dumps(example, ensure_ascii=False, separators=(",", ":")) in (ROOT / "tests/golden/splunk/finding_new.event.txt").read_text()

    # The codes of the page's table are the program's, and so is what follows from each.
    rows = re.findall(r"^\| ((?:\d+, )*\d+) \| (?:dead: \[?`(\w+)`|tried again)", page.read_text(), re.MULTILINE)
    said = {code: reason or "none" for codes, reason in rows for code in codes.split(", ") if int(code) < 100}  # others are statuses
    source = (ROOT / "common/destinations/splunk_answer.c").read_text()
    assert said == {code: reason.lower() for code, reason in re.findall(r"\{(\d+),\s*REASON_(\w+),\s*SPLUNK_", source)}


def test_the_commands_of_the_operators_page_work(stage: Any, notifyd: Any, desk: Desk) -> None:
    hook = stage.webhook("/hook")
    stage.receiver.script("/hook", Answer(status=404))
    notifyd()
    event = stage.publish("scan_done")
    stage.wait(lambda: [row["state"] for row in stage.deliveries(event)] == ["dead"])
    stage.plain("unreadable", "no-event")
    unread = hashlib.sha256(b'"unreadable"').hexdigest()[:12]
    stage.wait(lambda: unread in desk.run("notifyctl dead list --unread"))
    desk.stands_for |= {"--event ID": f"--event {event}", "EVENT": event, "SCAN": stage.scan.id, "FINDING": stage.high, "SHA256": unread,
                        "UUID": hook.id, "DATABASE_URL_FILE": "database", "BROKER_URL_FILE": "broker", "KEY_FILE": "key"}
    for name, url in (("database", stage.database.url), ("broker", stage.broker_url), ("key", stage.key)):
        (desk.folder / name).write_text(f"{url}\n")
    desk.stands_for |= {"INTEGRATION": stage.webhook("/other", enabled=False).id,
                        "TOKEN": desk.run("notifyctl token create --workspace WORKSPACE --scope write").strip()}
    (desk.folder / "settings.json").write_text(json.dumps({"webhook_url": "https://hooks.slack.com/services/T/B/x"}))
    lines = [line for block in blocks(OPERATE, "sh") for line in block.splitlines()]
    ours = [line for line in lines if not line.startswith("rabbitmqadmin ")]  # needs the management plugin
    shown = {" ".join(line.split()[:3]) for line in ours if line.startswith("notifyctl ")}
    assert shown >= {"notifyctl integration create", "notifyctl integration update", "notifyctl token create", "notifyctl explain --event", "notifyctl explain --scan", "notifyctl audit", *(
        f"notifyctl dead {verb}" for verb in ("list", "show", "replay", "drop"))}, shown
    said = desk.run("\n".join(line for line in ours if "notifyctl check" not in line))
    assert "replayed 1 delivery and 0 events" in said and "dropped 1 unread message" in said and "\nbalanced: " in said, said
    (desk.folder / "notify.conf").write_text(conf_text({
        "broker": {"url_file": "/run/credentials/x"}, "database": {"url_file": "/run/credentials/y"},
        "secrets": {"fernet_keys_file": "/run/credentials/z"}}))
    with_environment, = [line for line in ours if "FERNET_KEY" in line]
    said = desk.run(f"{with_environment} || test $? -eq 1")  # the workers' role is not made here
    assert "ok   keys: 1 usable" in said and "ok   broker: reachable" in said and "ok   database: reachable" in said


def test_the_sql_of_the_operators_page_follows_a_scans_findings(stage: Any, notifyd: Callable[..., Any]) -> None:
    notifyd()
    one = producer.Event((stage.scan.id,), task=producer.NOTIFY_SCAN_FINDINGS)
    producer.publish_event(stage.broker_url, one)
    task, events = [sql.replace("TASK", one.id) for sql in blocks(OPERATE, "sql")[1].split(";")[:2]]
    count = 1 + len(stage.findings)
    stage.wait(lambda: stage.database.query(events) == [("done", count)])
    [(state, published, finished)] = stage.wait(lambda: [row for row in stage.database.query(task) if row[2]])
    assert (state, published) == ("expanded", count) and finished


def test_the_sql_of_the_operators_page_removes_everything(own_postgres: Any, build: Path) -> None:
    views, _, drop, roles = blocks(OPERATE, "sql")
    for role in ("product", "notify"):
        own_postgres.create_role(role, "LOGIN CREATEROLE")
    dsn = own_postgres.create_database("pencheff", "product")

    def execute(sql: str, user: str = "product") -> None:
        own_postgres.execute(sql, database="pencheff", user=user)

    def query(sql: str) -> list[tuple]:
        return own_postgres.query(sql, database="pencheff")

    execute((ROOT / "tests" / "vectors" / "incumbent.sql").read_text())
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.integrations'::regclass AND NOT tgisinternal"
    migrate(build, dsn)
    assert query(triggers) == [(4,)]
    subprocess.run(["psql", "-X", "-q", "-f", ROOT / "schema" / "roles.sql", dsn], check=True)
    execute("GRANT notify_worker TO notify")
    with own_postgres.connect("pencheff", "product") as connection:
        seed.add_example(connection)

    execute(views.replace("-- the product's own migration", "ALTER TABLE public.targets ALTER COLUMN name TYPE varchar(300);"))
    assert query("SELECT to_regclass('notify.api_targets') IS NOT NULL") == [(True,)]
    execute(drop)
    assert query("SELECT count(*) FROM pg_namespace WHERE nspname = 'notify'") == [(0,)] and query(triggers) == [(0,)]
    execute(roles, "postgres")
    assert query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'notify%'") == [(0,)]
    assert query("SELECT count(*) FROM scans") == [(3,)]


def test_the_commands_of_the_apis_page_work(stage: Any, notifyd: Any, notify_api: Callable[..., Any], desk: Desk) -> None:
    dead, told = stage.webhook("/dead", name="dead"), stage.webhook("/told", name="told")
    stage.receiver.script("/dead", Answer(status=404))
    notifyd({"retry": {"not_found": []}})
    event = stage.publish("finding_new")
    stage.wait(lambda: sorted(row["state"] for row in stage.deliveries(event)) == ["dead", "delivered"])
    api = notify_api({"delivery": {"allow_networks": ["127.0.0.0/8"], "allow_http": True}})
    desk.stands_for |= {"http://127.0.0.1:8080": f"http://127.0.0.1:{api.port}", "INTEGRATION": told.id, "DEAD": dead.id, "EVENT": event, "SCAN": stage.scan.id,
                        "FINDING": stage.high}
    said = []
    for line in (line for block in blocks(API, "sh") for line in block.splitlines()):
        said.append(desk.run(line))
        if "report-1" in line:
            desk.stands_for["EXPORT"] = json.loads(said[-1])["export_id"]
    assert len(said) == 22 and all(said[1:])
    assert '"ok":true' in said[6] and '"conclusion":"2 of 2 integrations wanted it: delivered 1, dead 1' in said[13] and '"result":"replayed"' in said[17], said


def test_the_commands_of_the_agents_page_work_and_it_names_every_option_and_tool(stage: Any, local_api: Any, build: Path, desk: Desk, agent: Callable[..., Any]) -> None:
    hook = stage.webhook(name="page")
    (desk.folder / "notify-mcp").symlink_to(build / "notify-mcp")
    desk.stands_for["http://127.0.0.1:8080"] = local_api.url
    pong, listed = [desk.run(line) for block in blocks(MCP, "sh") for line in block.splitlines()][1:]
    assert json.loads(pong)["result"] == {} and hook.id in listed.splitlines()[1]
    block, = blocks(MCP, "json")
    token = (desk.folder / "token").read_text().strip()
    started, = json.loads(block.replace("TOKEN\"", f"{token}\"").replace(f"NOTIFY_{token}", "NOTIFY_TOKEN").replace("http://127.0.0.1:8080", local_api.url))["mcpServers"].values()
    assert started["command"] == "notify-mcp"
    one = agent(None, None, *started["args"], "--allow-write", "--allow-adhoc", env=started["env"])
    assert [found["id"] for found in one.good("list_integrations")["integrations"]] == [hook.id]
    text, tools = MCP.read_text(), one.tools()
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`([^`]+)`", row)}
    assert set(tools) <= named and set(tools["send_webhook"]["inputSchema"]["properties"]) <= named | {"scan_id", "finding_ids"}
    said = subprocess.run([build / "notify-mcp", "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", said)) - {"--help", "--version", "--config", "--scope"}
    assert options == {word.split()[0] for word in named if word.startswith("--")}

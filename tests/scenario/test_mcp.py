"""The tools of agents as an agent uses them, over a real API: what they find, change and refuse."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import jsonschema
from sandbox import seed
from sandbox.answers import Answer

EXPORTS = {f"export_to_{kind}" for kind in ("slack", "teams", "google_chat", "discord", "pagerduty", "opsgenie", "splunk", "github", "jira")} | {"send_webhook"}
LOOKS = {"list_integrations", "explain_delivery", "list_deliveries"}
WRITES = {"create_integration", "update_integration", "delete_integration"}
HOOK = {"webhook_url": "https://receiver.example/config-secret"}


def test_what_is_not_opened_is_not_there_and_a_call_says_which_flag_opens_it(local_api, api_token, agent):
    closed = agent(local_api.url, api_token())
    assert set(closed.tools()) == EXPORTS | LOOKS | {"test_integration"}
    assert "config" not in closed.tools()["export_to_slack"]["inputSchema"]["properties"]
    for name in WRITES:
        error = closed.ask("tools/call", {"name": name, "arguments": {}})["error"]
        assert error["code"] == -32602 and "Unknown tool" in error["message"] and "--allow-write" in error["message"]
    assert "--allow-adhoc" in closed.refused("export_to_slack", config=HOOK, scan_id=str(uuid.uuid4()))
    writes = agent(local_api.url, api_token(), "--allow-write").tools()
    assert set(writes) == EXPORTS | LOOKS | {"test_integration"} | WRITES
    assert "config" not in writes["export_to_slack"]["inputSchema"]["properties"]
    adhoc = agent(local_api.url, api_token(), "--allow-adhoc").tools()
    assert set(adhoc) == EXPORTS | LOOKS | {"test_integration"}
    assert all("config" in adhoc[name]["inputSchema"]["properties"] for name in EXPORTS)


def test_every_tool_says_what_it_takes_what_it_gives_and_what_it_may_do(local_api, api_token, agent):
    tools = agent(local_api.url, api_token(), "--allow-write", "--allow-adhoc").tools()
    for name, tool in tools.items():
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        assert all(one["description"] for one in tool["inputSchema"]["properties"].values()), name
        assert tool["title"] and tool["description"] and len(tool["description"]) < 500
        hints = tool["annotations"]
        assert set(hints) == {"title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert hints["readOnlyHint"] == (name in LOOKS)
        assert hints["destructiveHint"] == (name in {"update_integration", "delete_integration"})
        assert hints["openWorldHint"] == (name in EXPORTS | {"test_integration", "create_integration", "update_integration"})
    # What is given to create and update one is what the API takes.
    schemas = local_api.ask("GET", "/openapi.json").json()["components"]["schemas"]
    created, changed = (set(tools[name]["inputSchema"]["properties"]) for name in ("create_integration", "update_integration"))
    assert created == set(schemas["IntegrationCreate"]["properties"])
    assert changed - {"integration"} == set(schemas["IntegrationUpdate"]["properties"]) - {"kind"}  # which cannot change
    assert set(tools["create_integration"]["inputSchema"]["required"]) == set(schemas["IntegrationCreate"]["required"])
    for name, one in tools["create_integration"]["inputSchema"]["properties"].items():
        assert one.get("default") == schemas["IntegrationCreate"]["properties"][name].get("default"), name


def test_integrations_are_made_changed_found_and_deleted(stage, local_api, api_token, agent):
    one = agent(local_api.url, api_token(), "--allow-write")
    made = one.good("create_integration", kind="webhook", name="hook", config=HOOK, events=["finding_new"])
    assert (made["kind"], made["name"], made["severity_filter"], made["enabled"], made["events"]) == ("webhook", "hook", "high", True, ["finding_new"])
    room = one.good("create_integration", kind="slack", name="Room A", config={"webhook_url": "https://hooks.slack.com/services/T0/B0/config-secret"})
    assert [found["id"] for found in one.good("list_integrations")["integrations"]] == [made["id"], room["id"]]
    assert [found["id"] for found in one.good("list_integrations", kind="slack")["integrations"]] == [room["id"]]
    assert [found["id"] for found in one.good("list_integrations", name="oom")["integrations"]] == [room["id"]]
    first = one.good("list_integrations", limit=1)
    assert [found["id"] for found in one.good("list_integrations", limit=1, cursor=first["next"])["integrations"]] == [room["id"]]
    changed = one.good("update_integration", integration="hook", severity_filter="low", events=[])
    assert changed == {**made, "severity_filter": "low", "events": None}
    assert one.good("update_integration", integration=made["id"], name="other")["name"] == "other"
    assert "give at least one" in one.refused("update_integration", integration="other")
    assert one.good("delete_integration", integration="other") == {"deleted": made["id"]}
    assert stage.database.query("SELECT id::text FROM integrations") == [(room["id"],)]
    assert "422" in one.refused("create_integration", kind="webhook", name="x", config={"webhook_url": 3})
    assert "config.webhook_url" in one.refused("create_integration", kind="webhook", name="x", config={"webhook_url": 3})
    everything = one.log.read_text() + json.dumps(one.told)
    assert "config-secret" not in everything


def test_a_name_leads_somewhere_only_when_it_is_exact_and_the_only_one(stage, local_api, api_token, agent):
    hooks = [stage.webhook(f"/{number}", name="twins") for number in range(2)]
    only, off = stage.webhook("/only", name="Deploys"), stage.webhook("/off", name="off", enabled=False)
    slack = stage.integration({"webhook_url": "https://hooks.slack.com/services/T0/B0/x"}, "slack", name="room \"x\"\n")
    one = agent(local_api.url, api_token(), "--allow-write")
    said = one.refused("test_integration", integration="twins")
    assert "2 integrations could be meant" in said and all(hook.id in said for hook in hooks) and only.id not in said
    assert only.id in one.refused("test_integration", integration="deploys")
    assert only.id in one.refused("test_integration", integration="Deplys")
    assert "list_integrations" in one.refused("test_integration", integration="nothing like it")
    assert "list_integrations" in one.refused("test_integration", integration=str(uuid.uuid4()))
    said = one.refused("send_webhook", scan_id=stage.scan.id)
    assert "3 integrations could be meant" in said and off.id not in said
    assert "use export_to_slack" in one.refused("send_webhook", scan_id=stage.scan.id, integration="room \"x\"\n")
    assert "use export_to_slack" in one.refused("send_webhook", scan_id=stage.scan.id, integration=slack.id)
    assert "no integration of kind teams is enabled" in one.refused("export_to_teams", scan_id=stage.scan.id)
    elsewhere = seed.add_workspace(stage.connection)
    other = agent(local_api.url, api_token("write", elsewhere.id))
    assert other.good("list_integrations")["integrations"] == []
    assert "no integration of the workspace has this id" in other.refused("test_integration", integration=only.id)


def test_a_test_says_what_the_destination_answered(stage, local_api, api_token, agent):
    stage.webhook("/good", name="good")
    stage.webhook("/bad", name="bad")
    stage.receiver.script("/bad", Answer(status=500, body=b"out of order"))
    one = agent(local_api.url, api_token())
    good = one.good("test_integration", integration="good")
    assert good["ok"] is True and good["status"] == 200
    bad = one.good("test_integration", integration="bad")
    assert (bad["ok"], bad["status"]) == (False, 500) and "out of order" in bad["response"] and bad["detail"]
    reads = agent(local_api.url, api_token("read"))
    assert "--scope write" in reads.refused("test_integration", integration="good")
    assert reads.good("list_integrations")["integrations"]


def test_deliveries_are_listed_and_explained(stage, notifyd, local_api, api_token, agent):
    dead, told = stage.webhook("/dead", name="dead"), stage.webhook("/told", name="told")
    stage.receiver.script("/dead", Answer(status=404))
    notifyd({"retry": {"not_found": []}})
    event = stage.publish("finding_new")
    stage.wait(lambda: sorted(row["state"] for row in stage.deliveries(event)) == ["dead", "delivered"])
    one = agent(local_api.url, api_token("read"))
    rows = one.good("list_deliveries", scan_id=stage.scan.id)["deliveries"]
    assert {(row["integration_id"], row["state"]) for row in rows} == {(dead.id, "dead"), (told.id, "delivered")}
    assert [row["integration_id"] for row in one.good("list_deliveries", state="dead")["deliveries"]] == [dead.id]
    assert [row["integration_id"] for row in one.good("list_deliveries", integration="told")["deliveries"]] == [told.id]
    first = one.good("list_deliveries", limit=1, event_id=event)
    rest = one.good("list_deliveries", limit=1, event_id=event, cursor=first["next"])
    assert {page["deliveries"][0]["integration_id"] for page in (first, rest)} == {dead.id, told.id}
    why, = one.good("explain_delivery", scan_id=stage.scan.id, event_type="finding_new", finding_id=stage.high)["explanations"]
    assert "2 of 2 integrations wanted it" in why["conclusion"] and len(why["integrations"]) == 2
    why, = one.good("explain_delivery", event_id=event, integration="dead")["explanations"]
    assert [entry["id"] if "id" in entry else entry["integration_id"] for entry in why["integrations"]] == [dead.id]
    assert "event_id" in one.refused("explain_delivery", scan_id=stage.scan.id)
    assert "404" in one.refused("explain_delivery", event_id="nothing")


def test_what_is_wrong_with_arguments_is_named_all_at_once_without_their_values(local_api, api_token, agent):
    one = agent(local_api.url, api_token(), "--allow-write")
    said = one.refused("create_integration", kind="carrier-pigeon", nme="x", config="config-secret", enabled="yes", target_ids=["x"], events=["scan_done", "scan_done"])
    for words in ("kind must be one of webhook, slack", "did you mean name?", "config must be an object", "enabled must be true or false",
                  "target_ids is wrong at entry 1, which must be a UUID", "events is wrong at entry 2, which stands there twice", "name is missing"):
        assert words in said, said
    assert "config-secret" not in said + one.log.read_text()
    assert "finding_ids is empty" in one.refused("send_webhook", finding_ids=[])
    assert "at most 500" in one.refused("send_webhook", finding_ids=[str(uuid.uuid4()) for _ in range(501)])
    assert "not both" in one.refused("send_webhook", scan_id=str(uuid.uuid4()), finding_ids=[str(uuid.uuid4())])
    assert "not both" in one.refused("send_webhook")
    assert "limit must be a whole number from 1 to 500" in one.refused("list_deliveries", limit=0.5)
    assert "must not be null" in one.refused("list_deliveries", state=None)
    assert "takes kind, name, limit, cursor" in one.refused("list_integrations", **{"ü" * 100: 1})


def test_a_result_is_never_longer_than_its_limit_and_says_what_was_cut(stage, build, tmp_path, local_api, api_token, agent):
    for number in range(120):
        stage.webhook(f"/{number}", name=f"hook {number} " + "x" * 150)
    config = tmp_path / "mcp.conf"
    config.write_text('mcp = { result_bytes = 8192; };\nbroker = { url = "not even a URL"; };\n')
    one = agent(local_api.url, api_token(), "-c", config)
    result = one.tool("list_integrations", limit=500)
    text, found = result["content"][0]["text"], result["structuredContent"]
    assert 6000 < len(text.encode()) <= 8192 and 10 < len(found["integrations"]) < 120
    assert found["cut"].startswith(f"integrations shows {len(found['integrations'])} of 120") and "smaller limit" in found["cut"]
    assert "cut" not in one.good("list_integrations", limit=5)


def test_among_five_thousand_integrations_a_name_is_found_and_an_explanation_is_cut(stage, notify_api, api_token, agent):
    one_of_them = stage.webhook(name="the one")
    stage.database.execute("""INSERT INTO integrations SELECT (r).* FROM (SELECT jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(),
        'name', 'hook ' || n)) AS r FROM integrations i, generate_series(1, 5000) n) made""")
    one = agent(notify_api({"api": {"rate": 1000.0}}).url, api_token())
    began = time.monotonic()
    for name in ("hook 2999", "the one"):
        assert "use send_webhook" in one.refused("export_to_slack", scan_id=stage.scan.id, integration=name)
    assert '"hook 500" (' in one.refused("send_webhook", scan_id=stage.scan.id, integration="HOOK 500")
    many = one.refused("send_webhook", scan_id=stage.scan.id)
    assert "5001 integrations could be meant" in many and "and 4981 more" in many and len(many) < 4000
    dry = one.good("send_webhook", scan_id=stage.scan.id, integration="the one", dry_run=True)
    assert dry["integration_id"] == one_of_them.id and time.monotonic() - began < 10
    why = one.good("explain_delivery", scan_id=stage.scan.id, event_type="scan_done")
    assert re.search(r"integrations shows \d+ of \d+", why["cut"]) and len(json.dumps(why, separators=(",", ":"), ensure_ascii=False)) <= 65_536

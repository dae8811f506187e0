"""Agents' programs are built with these: the official client and the command line of the inspector list and call every tool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import npm
from sandbox import seed
from sandbox.answers import Answer

FOLDER = Path(__file__).resolve().parents[1] / "node" / "mcp"


def client(build: Path, url: str, token: str, steps: list[dict[str, Any]], *words: str) -> list[dict[str, Any]]:
    done = subprocess.run(["node", FOLDER / "client.js", build / "notify-mcp", "--api-url", url, *words], text=True, capture_output=True, timeout=120,
                          input="".join(json.dumps(step) + "\n" for step in steps), env={**npm.environment(FOLDER), "NOTIFY_TOKEN": token})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def every_tool(stage: Any) -> list[dict[str, Any]]:
    """A step for each, of which most do something."""
    exports = [f"export_to_{kind}" for kind in ("slack", "teams", "google_chat", "discord", "pagerduty", "opsgenie", "splunk", "github", "jira")]
    scan, hook = stage.scan.id, {"webhook_url": stage.receiver.url("/hook"), "hmac_secret": "x"}
    calls = [("create_integration", {"kind": "webhook", "name": "made", "config": hook}), ("list_integrations", {}),
             ("test_integration", {"integration": "made"}), ("update_integration", {"integration": "made", "severity_filter": "low"}),
             ("send_webhook", {"scan_id": scan, "dry_run": True}), *((name, {"scan_id": scan}) for name in exports),
             ("list_deliveries", {"limit": 5}), ("explain_delivery", {"scan_id": scan, "event_type": "scan_done"}), ("delete_integration", {"integration": "made"})]
    return [{"call": name, "arguments": arguments} for name, arguments in calls]


def test_the_official_client_lists_and_calls_every_tool(build, stage, local_api, api_token):
    steps = every_tool(stage)
    listed, *said = client(build, local_api.url, api_token(), [{"list": True}, *steps], "--allow-write", "--allow-adhoc")
    assert {tool["name"] for tool in listed["tools"]} == {step["call"] for step in steps}
    for step, answer in zip(steps, said):
        assert "error" not in answer, (step, answer)  # also when the result were not of its schema
        empty = step["call"].startswith("export_to_")
        assert answer["result"]["isError"] is empty, (step, answer)
        assert not empty or "is enabled" in answer["result"]["content"][0]["text"]


def test_the_inspectors_command_line_lists_and_calls_every_tool(build, stage, local_api, api_token):
    program = Path(npm.environment(FOLDER)["NODE_PATH"]) / ".bin" / "mcp-inspector-cli"
    env = {**npm.environment(FOLDER), "NOTIFY_TOKEN": api_token()}

    def inspect(*words: str) -> Any:
        done = subprocess.run([program, "--cli", "-e", f"NOTIFY_TOKEN={env['NOTIFY_TOKEN']}", "--", build / "notify-mcp", "--api-url", local_api.url, "--allow-write", *words],
                              text=True, capture_output=True, timeout=60, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    steps = every_tool(stage)
    assert {tool["name"] for tool in inspect("--method", "tools/list")["tools"]} == {step["call"] for step in steps}
    for step in steps:
        arguments = [word for name, value in step["arguments"].items()
                     for word in ("--tool-arg", f"{name}={value if isinstance(value, str) else json.dumps(value)}")]
        result = inspect("--method", "tools/call", "--tool-name", step["call"], *arguments)
        assert result["isError"] is step["call"].startswith("export_to_"), (step, result)


def test_the_official_client_hears_progress_and_can_cancel(build, stage, notifyd, local_api, api_token):
    stage.webhook()
    scan = seed.add_scan(stage.connection, stage.target)
    seed.add_findings(stage.connection, scan, ["high"] * 20)
    stage.receiver.script("/hook", Answer(delay=0.05))
    notifyd({"sweep": {"interval": 0.1}, "workers": 1, "delivery": {"per_integration": 1}})
    one, many = {"finding_ids": [stage.high]}, {"scan_id": scan.id}
    told, canceled, after = client(build, local_api.url, api_token(), [
        {"call": "send_webhook", "arguments": one, "progress": True}, {"call": "send_webhook", "arguments": many, "cancel_after": 1},
        {"call": "list_deliveries", "arguments": {"state": "delivered", "scan_id": stage.scan.id}}])
    # That it is wholly done comes in one piece with the result, and this client hears no progress behind that.
    assert [note["progress"] for note in told["heard"]][:1] == [0] and told["result"]["structuredContent"]["delivered"] == 1
    assert "no longer wanted" in canceled["error"] and len(after["result"]["structuredContent"]["deliveries"]) == 1
    stage.wait(lambda: {row["state"] for row in stage.deliveries()} <= {"delivered", "canceled"})
    assert sum(row["state"] == "canceled" for row in stage.deliveries()) >= 10

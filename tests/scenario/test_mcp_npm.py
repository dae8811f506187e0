"""Agents' programs are built with these: the official client and the command line of the inspector list and call every tool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import npm

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

"""GET /metrics of the API: what it counts, and that nobody can make it count by names of their own."""

from __future__ import annotations

import re
import subprocess
import uuid
from typing import Any

import pytest
from exposition import promtool
from sandbox.api import NotifyApi

LINE = re.compile(r'^(\w+)(?:\{((?:\w+="[^"\\\n]*",?)*)\})? (\d+(?:\.\d+)?)$')


def figures_of(api: NotifyApi) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Of each line its name, its labels and its value; each is of the format, and below its HELP and TYPE."""
    answer = api.ask("GET", "/metrics")
    promtool(answer.body.decode())
    assert answer.status == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4" and answer.body.endswith(b"\n")
    found: dict[Any, float] = {}
    helped = typed = ""
    for line in answer.body.decode().splitlines():
        if line.startswith("# HELP "):
            helped = line.split()[2]
            assert len(line.split()) > 3
        elif line.startswith("# TYPE "):
            typed = line.split()[2]
            assert typed == helped and line.split()[3] in ("counter", "gauge", "histogram")
        else:
            name, labels, value = LINE.match(line).groups()
            assert re.sub("_(bucket|sum|count)$", "", name) == typed and name.startswith("notify_api_"), line
            key = (name.removeprefix("notify_api_"), frozenset(re.findall(r'(\w+)="([^"]*)"', labels or "")))
            assert key not in found
            found[key] = float(value)
    return found


def value(found: Any, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0)


@pytest.fixture
def token(ctl, stage):
    def make(scope: str) -> str:
        words = ("token", "create", "--workspace", stage.workspace.id, "--scope", scope, "--json")
        return ctl(*words, database={"role": None}).json()["token"]

    return make


def test_requests_are_counted_by_route_method_and_status_and_timed(api, token, build):
    mine, reads = token("write"), token("read")
    slack = {"kind": "slack", "name": "x", "config": {"webhook_url": "https://hooks.slack.com/services/T0/B0/x"}}
    one = f"/integrations/{api.ask('POST', '/integrations', slack, mine).json()['id']}"
    for _ in range(3):
        api.ask("GET", one, None, mine)
    api.ask("HEAD", one, None, mine)
    api.ask("GET", f"/integrations/{uuid.uuid4()}", None, mine)
    api.ask("POST", "/integrations", slack, reads)
    api.ask("GET", "/integrations", None, None)
    api.ask("GET", "/integrations", None, mine[:-2] + "xx")
    api.ask("BREW", one, None, mine)
    found = figures_of(api)
    route = "/integrations/{id}"
    assert value(found, "requests_total", route=route, method="GET", status="2xx") == 3
    assert value(found, "requests_total", route=route, method="HEAD", status="2xx") == 1
    assert value(found, "requests_total", route=route, method="GET", status="4xx") == 1
    assert value(found, "requests_total", route="/integrations", method="POST", status="2xx") == 1
    assert value(found, "requests_total", route="none", method="other", status="4xx") == 1
    assert value(found, "refused_tokens_total", reason="unknown") == 2 and value(found, "refused_tokens_total", reason="read_only") == 1
    assert value(found, "request_seconds_count", route=route) == 5 == value(found, "request_seconds_bucket", route=route, le="+Inf")
    buckets = [v for (name, labels), v in sorted(found.items(), key=lambda item: float(dict(item[0][1]).get("le", "inf")))
               if name == "request_seconds_bucket" and ("route", route) in labels]
    assert buckets == sorted(buckets) and len(buckets) == 14
    assert 0 < value(found, "request_seconds_sum", route=route) < 60
    assert value(found, "connections") == 1
    api.wait_event("database_link_up", count=5)
    assert value(figures_of(api), "database_connections_up") == 4
    version = subprocess.run([build / "notify-api", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert value(found, "build_info", version=version) == 1


def test_no_path_and_no_method_becomes_a_name(api):
    before = len(figures_of(api))
    for number in range(300):
        api.ask(f"M{number}", f"/{uuid.uuid4()}")
        api.ask("GET", f"/integrations/{uuid.uuid4()}?x{number}=1")
    found = figures_of(api)
    assert len(found) < before + 60
    assert {dict(labels)["method"] for name, labels in found if name == "requests_total"} <= {"GET", "other"}
    assert not re.search(r"[0-9a-f]{8}-", str(found))

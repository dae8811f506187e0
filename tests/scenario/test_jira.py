"""Events become issues in a project of a Jira that is as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace
from typing import Any

from sandbox.receiver import Answer
from sandbox.vendors import jira

from corpus import ATTACKS
from destinations import EVENTS, another_finding, describe_shop, details, expect_nowhere, publish_each, settled
from stage import dead_letters

UNHURRIED = {"gate": {"rate_jira": 0.0}}


def project(stage: Any, site: str, key: str = "SEC", token: str = "t0ken", **settings: Any) -> Any:
    """An integration that makes issues in a project of SITE, where Jira answers: Cloud, unless the settings say otherwise."""
    stage.receiver.script(f"/{site}/*", Answer(like="jira"))
    account = {} if "auth" in settings else {"email": "bot@acme.example"}
    return stage.integration({"base_url": stage.receiver.url(f"/{site}"), "api_token": token, "project_key": key, **account, **settings},
                             kind="jira", name=site, events=list(EVENTS))


def issues(stage: Any, site: str, count: int = 1, version: int = 3) -> list[dict[str, Any]]:
    """The fields of what was asked for, each of which Jira would take."""
    return [jira.check(request) for request in stage.receiver.wait_for(count, f"/{site}/rest/api/{version}/issue")]


def test_every_event_is_an_issue_that_says_what_happened_on_cloud_and_in_a_data_center(stage, notifyd):
    project(stage, "cloud"), project(stage, "center", auth="bearer", issue_type="Bug", labels=["triage"])
    describe_shop(stage)
    notifyd(UNHURRIED)
    publish_each(stage, change="recheck queued", error="it [broke]", changed=another_finding(stage))
    cloud = {fields["summary"]: fields for fields in issues(stage, "cloud", 5)}
    center = {fields["summary"]: fields for fields in issues(stage, "center", 5, version=2)}
    started, done, failed = "🚀 Scan started — Shop & Söhne [deep]", "✅ Scan done — Shop & Söhne · Grade C · 2 high, 12 medium, 11 low", "❌ Scan failed — Shop & Söhne"
    new, changed = "🔴 [HIGH] CVSS 7.5 — SQL injection", "🔁 Finding updated — SQL injection"
    assert set(cloud) == set(center) == {started, done, failed, new, changed}
    assert {title: fields.get("priority", {}).get("name") for title, fields in cloud.items()} == {
        started: None, done: None, failed: "Medium", new: "High", changed: "High"}
    assert jira.text(cloud[failed]).startswith("\nit [broke]") and center[failed]["description"].startswith("it \\[broke\\]\n")
    assert "Endpoint: /cart?id=1" in jira.text(cloud[new]) and "* *Endpoint:* /cart\\?id=1\n" in center[new]["description"]
    assert jira.text(cloud[changed]).startswith("\nrecheck queued") and "Findings: 2 high, 12 medium, 11 low" in jira.text(cloud[done])
    for title in cloud:
        of_finding = ["owasp-a03", "cwe-89"] if title in (new, changed) else []
        assert cloud[title]["labels"] == ["security", "pencheff", *of_finding] and center[title]["labels"] == [*cloud[title]["labels"], "triage"]
        assert cloud[title]["issuetype"] == {"name": "Task"} and center[title]["issuetype"] == {"name": "Bug"}
    stage.wait_settled(10)
    assert stage.database.query("SELECT DISTINCT detail FROM notify.deliveries") == [(None,)]


def test_what_is_more_than_text_to_jira_is_known_when_it_is_seen():
    for wiki in ("[~admin]", "[a|https://x]", "{code}x{code}", "!i.png!", "h1. x", "a\nbq. x", "|a|", "*b*", "_i_", "https://x", ":)", "a\\\\b", "# x", "ABC-1",
                 "\\[~x]", "<b>", "&copy;", "h3. Other", "x *Target:* y"):
        assert jira.live({"summary": "s", "description": wiki}), wiki
    assert not jira.live({"summary": "s", "description": "* *Target:* \\[\\~x\\] https&#58;//x &amp;copy;\n\nh3. Description\n\n&#104;1. x"})
    for node in ({"type": "mention", "attrs": {"id": "1"}}, {"type": "text", "text": "x", "marks": [{"type": "link", "attrs": {"href": "https://x"}}]},
                 {"type": "text", "text": "\u202ex"}):
        document = {"version": 1, "type": "doc", "content": [{"type": "paragraph", "content": [node]}]}
        assert jira.live({"summary": "s", "description": document}), node


def test_hostile_findings_are_nothing_but_text_in_an_issue(stage, notifyd):
    project(stage, "cloud"), project(stage, "center", auth="bearer")
    hostile = " ".join(attack for attack in ATTACKS if len(attack) < 80).replace("\0", "")
    stage.database.execute("UPDATE targets SET name = left(%s, 200)", (hostile,))
    stage.database.execute("UPDATE findings SET title = left(%s, 500), endpoint = left(%s, 2048), description = %s, remediation = repeat('{🚨}\\\n', 3000)",
                           (hostile,) * 3)
    notifyd(UNHURRIED)
    publish_each(stage, change=hostile, changed=another_finding(stage))
    for fields in issues(stage, "cloud", 5) + issues(stage, "center", 5, version=2):
        assert jira.live(fields) == []
    stage.wait_settled(10)


def test_a_jira_that_has_had_enough_says_until_when():
    asked = SimpleNamespace(method="POST", path="/rest/api/2/issue", body=b'{"fields": {"project": {"key": "BUSY"}}}',
                            header={"content-type": "application/json", "authorization": "Bearer t"})
    refused = jira.answer(asked)
    assert refused.status == 429 and dict(refused.headers)["X-RateLimit-Reset"].endswith("Z")


def test_jira_is_given_the_time_that_it_asks_for(stage, notifyd):
    project(stage, "busy")
    path, until = "/busy/rest/api/3/issue", time.time() + 4
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    stage.receiver.script(path, Answer(status=429, headers=(("X-RateLimit-Reset", reset), ("RateLimit-Reason", "jira-burst-based")), body=b""),
                          Answer(like="jira"))
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    event = stage.publish()
    first, second = stage.receiver.wait_for(2, path, timeout=20)
    assert int(until) <= second.wall < until + 10 and first.body == second.body
    row, = settled(stage, event).values()
    assert (row["state"], row["attempt"]) == ("delivered", 2)


ENDS = {  # project: settings, requests, state, error, words of the advice
    "BARE": ({}, 2, "delivered", None, "without priority and labels"),
    "HIDE": ({}, 1, "dead", "http_status", "check project_key"),
    "WANT": ({}, 1, "dead", "http_status", "Jira wants a field"),
    "SEC": ({"issue_type": "Epic"}, 1, "dead", "http_status", "set issue_type"),
    "OLD": ({"auth": "bearer", "priority": "Urgent"}, 2, "delivered", None, "without a priority"),
}


def test_what_jira_refuses_is_said_with_advice_and_the_token_is_nowhere(stage, notifyd):
    token = f"S3CR3T{uuid.uuid4().hex}"
    made = {project(stage, key.lower(), key, token, **end[0]).id: key for key, end in ENDS.items()}
    daemon = notifyd({"log": {"level": "debug"}, **UNHURRIED})
    event = stage.publish()
    letters = dead_letters(stage.broker_url, 3)
    rows, said = settled(stage, event), details(stage)
    for integration, key in made.items():
        row, (_, count, state, error, advice) = rows[integration], ENDS[key]
        assert (row["state"], row["attempt"], row["error"]) == (state, 1, error), key
        assert advice in said[integration], key
        assert sum(stage.receiver.count(f"/{key.lower()}/rest/api/{version}/issue") for version in (2, 3)) == count, key
    expect_nowhere(stage, daemon, letters, token)

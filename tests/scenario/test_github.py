"""Events become issues in a repository of a GitHub that is as strict as its documentation, and what it answers is understood."""

from __future__ import annotations

import json
import re
import time
import uuid
from types import SimpleNamespace
from typing import Any

from sandbox.receiver import Answer
from sandbox.vendors import github

from corpus import ATTACKS
from destinations import EVENTS, another_finding, describe_shop, details, expect_nowhere, publish_each, settled
from stage import dead_letters

UNHURRIED = {"gate": {"rate_github": 0.0}}


def repository(stage: Any, name: str, token: str = "t0ken", **settings: Any) -> Any:
    """An integration that makes issues in octo/NAME, where GitHub answers."""
    stage.receiver.script(f"/api/v3/repos/octo/{name}*", Answer(like="github"))
    return stage.integration({"repo": f"octo/{name}", "token": token, "api_url": stage.receiver.url("/api/v3"), **settings},
                             kind="github", name=name, events=list(EVENTS))


def issues(stage: Any, name: str, count: int = 1) -> list[dict[str, Any]]:
    """What was asked for, each of which GitHub would take."""
    return [github.check(request) for request in stage.receiver.wait_for(count, f"/api/v3/repos/octo/{name}/issues")]


def test_every_event_is_an_issue_that_says_what_happened_and_has_its_labels(stage, notifyd):
    repository(stage, "shop", labels=["triage"], assignees=["octocat"])
    describe_shop(stage)
    notifyd(UNHURRIED)
    publish_each(stage, change="recheck queued", error="it broke", changed=another_finding(stage))
    made = {issue["title"]: issue for issue in issues(stage, "shop", 5)}
    started, done, failed = "🚀 Scan started — Shop & Söhne [deep]", "✅ Scan done — Shop & Söhne · Grade C · 2 high, 12 medium, 11 low", "❌ Scan failed — Shop & Söhne"
    new, changed = "🔴 [HIGH] CVSS 7.5 — SQL injection", "🔁 Finding updated — SQL injection"
    assert set(made) == {started, done, failed, new, changed}
    assert "```text\nit broke\n```" in made[failed]["body"] and "```text\nrecheck queued\n```" in made[changed]["body"]
    assert "- **Endpoint:** `/cart?id=1`\n" in made[new]["body"] and "- **Findings:** `2 high, 12 medium, 11 low`\n" in made[done]["body"]
    for title, issue in made.items():
        of_finding = ["owasp-a03", "cwe-89"] if title in (new, changed) else []
        assert issue["labels"] == ["security", "pencheff", *of_finding, "triage"] and issue["assignees"] == ["octocat"]
        assert re.search(rf"scan {stage.scan.id} · pencheff[0-9a-f]{{32}}`$", issue["body"])
    marker = {title: issue["body"][-41:] for title, issue in made.items()}
    assert len(set(marker.values())) == 5
    stage.wait_settled(5)
    assert stage.database.query("SELECT DISTINCT detail FROM notify.deliveries") == [(None,)]


def test_what_is_more_than_text_to_github_is_known_when_it_is_seen():
    seen = sum(bool(github.live({"title": "t", "body": attack})) for attack in ATTACKS)
    assert seen > len(ATTACKS) / 2, seen
    for body in ("@octocat", "a `b` @x", "```\nx\n``\n@x", "`` ` @x", "- **T:** `a` b` <b>", "octo/repo#2", "[a](b)", "see https://x.example", "```text\n@x\n```"):
        assert github.live({"title": "t", "body": body}), body
    assert not github.live({"title": "t: a", "body": "- **T:** ``<b> ` [a](b) https://x``\n\n````text\n```\n# h\n````\n"})


def test_hostile_findings_are_nothing_but_text_in_an_issue(stage, notifyd):
    repository(stage, "hostile")
    hostile = " ".join(attack for attack in ATTACKS if len(attack) < 80).replace("\0", "")
    stage.database.execute("UPDATE targets SET name = left(%s, 200)", (hostile,))
    stage.database.execute("UPDATE findings SET title = left(%s, 500), endpoint = left(%s, 2048), description = %s, remediation = repeat('`🚨@a#1', 3000)", (hostile,) * 3)
    notifyd(UNHURRIED)
    publish_each(stage, change=hostile, changed=another_finding(stage))
    for issue in issues(stage, "hostile", 5):
        assert github.live(issue) == [] and len(issue["body"]) <= 30000
    stage.wait_settled(5)


def ask(repository: github.Repository, method: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
    answer = repository.answer(SimpleNamespace(method=method, path=f"/api/v3/repos/octo/shop{path}", body=json.dumps(body).encode() if body else b"",
                                               header={"user-agent": "x", "authorization": "Bearer t"}))
    return answer.status, json.loads(answer.body), dict(answer.headers)


def test_a_repository_remembers_its_issues_as_github_does():
    repository = github.Repository()
    assert ask(repository, "GET", "")[1]["has_issues"]
    made = [ask(repository, "POST", "/issues", {"title": title, "body": "b", "labels": ["x"]})[1] for title in ("one", "two")]
    one, two = (issue["number"] for issue in made)
    assert [issue.number for issue in repository.issues] == [one, two] and repository.issues[0].labels == ["x"]
    status, listed, headers = ask(repository, "GET", "/issues?state=all&sort=created&direction=desc&per_page=2&page=1")
    assert status == 200 and [item["number"] for item in listed] == [two, one] and 'page=2>; rel="next"' in headers["Link"]
    rest = ask(repository, "GET", "/issues?state=all&sort=created&direction=desc&per_page=2&page=2")[1]
    assert "pull_request" in rest[0] and ask(repository, "GET", "/issues?page=3")[1] == []
    assert ask(repository, "GET", "/issues?direction=down")[0] == 422

    closed = ask(repository, "PATCH", f"/issues/{one}", {"state": "closed", "state_reason": "not_planned"})[1]
    assert (closed["state"], closed["state_reason"]) == ("closed", "not_planned") == (repository.issues[0].state, repository.issues[0].state_reason)
    assert ask(repository, "PATCH", f"/issues/{one}", {"state": "closed", "state_reason": "completed"})[1]["state_reason"] == "not_planned"
    assert ask(repository, "PATCH", f"/issues/{one}", {"state": "open", "state_reason": "completed"})[0] == 422
    assert ask(repository, "POST", f"/issues/{two}/comments", {"body": "c"})[0] == 201 and repository.issues[1].comments == ["c"]
    assert ask(repository, "POST", f"/issues/{two}/comments", {"body": " "})[0] == 422
    assert ask(repository, "POST", f"/issues/{two}/comments", {"body": "c" * 65537})[0] == 422
    repository.issues[1].locked = True
    assert ask(repository, "POST", f"/issues/{two}/comments", {"body": "c"})[0] == 403
    repository.transfer(two, "octo/other")
    repository.delete(one)
    assert [ask(repository, "GET", f"/issues/{number}")[0] for number in (two, one, 99)] == [301, 410, 404] and not repository.issues
    assert repository.requests[-1].path.endswith("/issues/99")


def test_a_repository_may_be_late_and_may_lack_rights():
    late = github.Repository(list_lag=60)
    number = ask(late, "POST", "/issues", {"title": "t"})[1]["number"]
    assert ask(late, "GET", "/issues")[1] == [] and ask(late, "GET", f"/issues/{number}")[0] == 200
    late.issues[0].made_at -= 60
    assert [item["number"] for item in ask(late, "GET", "/issues")[1]] == [number]
    outside = github.Repository(may_label=False)
    assert ask(outside, "POST", "/issues", {"title": "t", "labels": ["x"]})[1]["labels"] == [] == outside.issues[0].labels
    assert ask(github.Repository(has_issues=False), "POST", "/issues", {"title": "t"})[0] == 410


def test_a_closed_finding_of_which_nobody_knows_makes_no_issue(stage, notifyd):
    shop = github.Repository()
    row = repository(stage, "shop")
    stage.receiver.script("/api/v3/repos/octo/shop*", Answer(like=shop))
    stage.database.execute("UPDATE findings SET suppressed = true WHERE id = %s", (stage.high,))
    notifyd(UNHURRIED)
    event = stage.publish("finding_changed", change_summary="suppressed: no → yes")
    assert settled(stage, event)[row.id]["state"] == "delivered" and "nobody was told of it" in details(stage)[row.id]
    stage.publish("scan_failed")
    stage.wait_settled(2)
    issue, = shop.issues
    assert issue.title.startswith("❌ Scan failed") and [request.method for request in shop.requests] == ["POST"]


def test_a_github_that_has_had_enough_says_until_when():
    asked = SimpleNamespace(method="POST", path="/repos/octo/limited/issues", body=b"{}", header={"user-agent": "x", "authorization": "Bearer t"})
    refused = github.answer(asked)
    assert refused.status == 403 and dict(refused.headers)["X-RateLimit-Remaining"] == "0" and int(dict(refused.headers)["X-RateLimit-Reset"]) > time.time()


def test_github_is_given_the_time_that_it_asks_for(stage, notifyd):
    repository(stage, "busy")
    path, reset = "/api/v3/repos/octo/busy/issues", int(time.time()) + 4
    stage.receiver.script(path, Answer(status=403, headers=(("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(reset))),
                                       body=b'{"message": "API rate limit exceeded for user ID 1."}'), Answer(like="github"))
    notifyd({"retry": {"base": 1.0, "jitter": 0.0}})
    event = stage.publish()
    first, second = stage.receiver.wait_for(2, path, timeout=20)
    assert reset <= second.wall < reset + 10 and first.body == second.body
    row, = settled(stage, event).values()
    assert (row["state"], row["attempt"]) == ("delivered", 2)


ENDS = {  # repository: state, reason, error, words of the advice
    "hidden": ("dead", "rejected", "http_status", "may not see it"),
    "moved": ("dead", "rejected", "redirect", "moved (to https://api.github.com/repositories/1300192/issues)"),
    "archived": ("dead", "gone", "http_status", "unarchive"),
    "no-issues": ("dead", "gone", "http_status", "turn them on"),
    "forbidden": ("dead", "rejected", "http_status", "Issues: read and write"),
    "no-push": ("delivered", None, None, "push or triage access"),
    "shop": ("delivered", None, None, "without assignees"),
}


def test_what_github_refuses_or_drops_is_said_with_advice_and_the_token_is_nowhere(stage, notifyd):
    token = f"S3CR3T{uuid.uuid4().hex}"
    made = {repository(stage, name, token, assignees=["nobody"]).id: name for name in ENDS}
    daemon = notifyd({"log": {"level": "debug"}, **UNHURRIED})
    event = stage.publish()
    letters = dead_letters(stage.broker_url, 5)
    rows, said = settled(stage, event), details(stage)
    for integration, name in made.items():
        row, (state, reason, error, advice) = rows[integration], ENDS[name]
        assert (row["state"], row["attempt"], row["reason"], row["error"]) == (state, 1, reason, error), name
        assert advice in said[integration], name
    assert stage.receiver.count("/api/v3/repos/octo/shop/issues") == 2 and stage.receiver.count() == len(ENDS) + 1
    expect_nowhere(stage, daemon, letters, token)

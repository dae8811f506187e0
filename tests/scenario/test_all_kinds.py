"""One workspace that tells all ten: every event reaches every kind, each as its vendor takes it, and nothing of a hostile text is more."""

from __future__ import annotations

from collections import Counter
from typing import Any

from corpus import ATTACKS
from sandbox.answers import Answer
from sandbox.vendors import VENDORS, splunk, webhook

EVENTS = ("scan_started", "scan_done", "scan_failed", "finding_new", "finding_changed")
KEY = "0123456789abcdef0123456789abcdef"


def settings(url: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """With what its requests' paths begin, and what whoever sets it up would write, our receiver in the vendor's place."""
    return {
        "webhook": ("/hooks/", {"webhook_url": url("/hooks/pencheff"), "hmac_secret": webhook.SECRET}),
        "slack": ("/services/T0", {"webhook_url": url("/services/T0/B0/x")}),
        "teams": ("/workflows/", {"webhook_url": url("/workflows/0/triggers/manual/paths/invoke?sig=x")}),
        "google_chat": ("/v1/spaces/", {"webhook_url": url("/v1/spaces/S/messages?key=k&token=t")}),
        "discord": ("/api/webhooks/", {"webhook_url": url("/api/webhooks/1/token")}),
        "pagerduty": ("/v2/enqueue", {"routing_key": KEY, "api_url": url("")}),
        "opsgenie": ("/v2/alerts", {"api_key": "12345678-90ab-4cde-8f01-234567890abc", "api_url": url("")}),
        "splunk": ("/services/collector", {"hec_url": url(""), "token": next(iter(splunk.TOKENS))}),
        "github": ("/api/v3/repos/", {"repo": "octo/shop", "token": "t0ken", "api_url": url("/api/v3")}),
        "jira": ("/rest/api/3/", {"base_url": url(""), "email": "bot@acme.example", "api_token": "t0ken", "project_key": "SEC"}),
    }


def test_every_event_reaches_all_ten(stage, notifyd):
    kinds = settings(stage.receiver.url)
    assert kinds.keys() == VENDORS.keys()
    for kind, (path, config) in kinds.items():
        stage.receiver.script(f"{path}*", Answer(like=kind))
        stage.integration(config, kind=kind, name=kind, events=list(EVENTS))
    hostile = " ".join(ATTACKS[:12])[:500]
    stage.database.execute("UPDATE findings SET title = %s, description = %s", (hostile, "\n".join(ATTACKS).replace("\0", "")))
    another = stage.findings["critical"].id
    stage.database.execute("UPDATE findings SET category = 'another' WHERE id = %s", (another,))
    notifyd({"workers": 2, "gate": {f"rate_{kind}": 0.0 for kind in kinds}})
    events = {name: stage.publish(name, **({"change_summary": hostile, "finding_id": another} if name == "finding_changed" else {})) for name in EVENTS}
    stage.wait(lambda: Counter(d["state"] for d in stage.deliveries()) == {"delivered": len(EVENTS) * len(kinds)}, 30)
    assert {d["event_id"] for d in stage.deliveries()} == set(events.values())
    for kind, vendor in VENDORS.items():
        made = [r for r in stage.receiver.requests() if r.path.startswith(kinds[kind][0])]
        assert len(made) == len(EVENTS) + (kind == "opsgenie"), (kind, [r.path for r in made])  # a change is a note, too
        for request in made:
            assert vendor.live(vendor.check(request)) == [], (kind, request.body)

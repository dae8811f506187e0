"""What notifyd signs is right for the libraries with which receivers check it, unchanged as npm has them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import npm

FOLDER = Path(__file__).resolve().parents[1] / "node" / "signatures"
SECRETS = {  # path: a secret as its owner may have written it
    "/standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "/long": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" * 2,
    "/padded": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o=", "/plain": "a secret of our own",  # ASCII: standardwebhooks takes only the low byte of each character
}


def verdicts(cases: list[dict[str, Any]]) -> list[dict[str, str]]:
    done = subprocess.run(["node", FOLDER / "verify.js"], input="".join(json.dumps(case) + "\n" for case in cases), text=True,
                          capture_output=True, timeout=60, env=npm.environment(FOLDER))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_standardwebhooks_and_svix_verify_what_arrives_and_nothing_else(stage, notifyd) -> None:
    npm.environment(FOLDER)
    for path, secret in SECRETS.items():
        stage.webhook(path, secret=secret, name=path)
    stage.database.execute("UPDATE findings SET title = 'ü \"quoted\" \\ 🚨 </script>'")
    notifyd()
    for word in ("scan_started", "scan_done", "finding_new", "finding_changed"):
        stage.publish(word)
    cases = [{"secret": secret, "headers": request.header, "body": request.body.decode()}
             for path, secret in SECRETS.items() for request in stage.receiver.wait_for(4, path)]
    assert len(cases) == 16 and verdicts(cases) == [{"standardwebhooks": "ok", "svix": "ok"}] * 16
    wrong = [{**case, **change} for case in cases[::4] for change in (
        {"body": case["body"] + " "}, {"secret": case["secret"][:-4] + "AAA="},
        {"headers": {**case["headers"], "webhook-id": "0" * 32}}, {"headers": {**case["headers"], "webhook-timestamp": "1"}})]
    assert all("WebhookVerificationError" in said for one in verdicts(wrong) for said in one.values())

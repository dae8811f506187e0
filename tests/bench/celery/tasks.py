"""The task, and the settings of the worker that runs it.

A process does one event at a time, so the database connection and the HTTP handle are its own and are kept open.
"""

from __future__ import annotations

import os

import pycurl
from celery import Celery
from celery.signals import worker_ready
from celery.utils.log import get_logger

from facts import Database
from integrations import Integrations
from webhook import build_body, headers

app = Celery(broker=os.environ["AMQP_URL"])
app.conf.update(
    task_default_queue=os.environ.get("BENCH_QUEUE", "notify"), accept_content=["json"], task_acks_late=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "256")), task_ignore_result=True,
    worker_disable_rate_limits=True, worker_enable_remote_control=False)
logger = get_logger(__name__)

database = Database(os.environ["DATABASE_URL"])
integrations = Integrations(database, os.environ["FERNET_KEY"].split(","))

curl = pycurl.Curl()  # takes half the time of http.client and a third of urllib3's
curl.setopt(pycurl.POST, True)
curl.setopt(pycurl.CONNECTTIMEOUT, 5)
curl.setopt(pycurl.TIMEOUT, 15)
curl.setopt(pycurl.MAXCONNECTS, 256)
curl.setopt(pycurl.NOSIGNAL, True)
curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)


@worker_ready.connect
def tell_starter(**_: object) -> None:
    os.write(int(os.environ["BENCH_READY_FD"]), b".")


def post(url: str, body: bytes, lines: list[str]) -> None:
    """Fails unless the answer is 2xx."""
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, lines)
    curl.setopt(pycurl.POSTFIELDSIZE, len(body))
    curl.setopt(pycurl.POSTFIELDS, body)
    curl.perform()
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    if not 200 <= status < 300:
        raise RuntimeError(f"the receiver answered {status}")


@app.task(name="pencheff_api.tasks.integration_notify_task.notify_event", bind=True)
def notify_event(self, scan_id, event_type, finding_id=None, change_summary=None, error=None):
    event_id = self.request.id
    facts = database.look_up(scan_id, finding_id if event_type.startswith("finding_") else None)
    if facts is None:
        logger.error("%s: its scan, target or finding is not in the database", event_id)
        return
    body = None
    for integration in integrations.of(facts.workspace_id):
        if not integration.passes(event_type, facts):
            continue
        body = body or build_body(event_id, event_type, facts, change_summary, error)
        try:
            settings = integrations.settings(integration)
            post(settings.url, body, headers(settings, event_id, integration.id, body))
        except Exception as failure:  # the others get theirs all the same
            logger.error("%s: %s", event_id, failure)

"""Tests of the producers and the rows that other tests stand on: Celery's bytes, confirmed publishing, seeded tables."""

from __future__ import annotations

import json
import time

import pika
import pytest
from cryptography.fernet import Fernet
from proxy import Link, Proxy
from sandbox import producer, seed
from sandbox.bulk import BulkPublisher, publish_many
from sandbox.processes import wait_until
from sandbox.rabbit import RabbitServer

# --- producers

SCAN, FINDING = seed.new_id(), seed.new_id()
CALLS = [
    ((SCAN, "scan_done"), {}),
    ((SCAN, "finding_new"), {"finding_id": FINDING}),
    ((SCAN, "finding_changed"), {"finding_id": FINDING, "change_summary": "verification_status: unverified → true_positive"}),
    ((SCAN, "scan_failed"), {"error": "it's \"broken\"\n"}),
]


def fetch(url: str, queue: str = producer.QUEUE) -> list[tuple[pika.BasicProperties, bytes]]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel, found = connection.channel(), []
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        found.append((properties, body))
    connection.close()
    return found


def plain(properties: pika.BasicProperties) -> dict:
    values = {name: value for name, value in vars(properties).items() if value is not None}
    values.pop("reply_to", None)  # one per process
    values["headers"] = {name: value for name, value in values.get("headers", {}).items() if name != "origin"}
    return values


@pytest.mark.parametrize("protocol", [2, 1])
@pytest.mark.parametrize("call", range(len(CALLS)))
def test_our_messages_are_byte_for_byte_those_of_celery(broker_url: str, protocol: int, call: int) -> None:
    args, kwargs = CALLS[call]
    celery = producer.celery_app(broker_url, protocol=protocol)
    task_id = celery.notify_event.apply_async(args, kwargs).id
    producer.publish_event(broker_url, producer.Event(args, kwargs, id=task_id), protocol=protocol)
    (theirs, their_body), (ours, our_body) = fetch(broker_url)
    assert plain(ours) == plain(theirs)
    assert our_body == their_body if protocol == 2 else json.loads(our_body) == json.loads(their_body)
    celery.app.close()


def test_a_scans_findings_are_announced_by_their_own_task(broker_url: str) -> None:
    celery = producer.celery_app(broker_url)
    celery.notify_scan_findings.delay(SCAN)
    ((properties, body),) = fetch(broker_url)
    assert properties.headers["task"] == "pencheff_api.tasks.integration_notify_task.notify_scan_findings"
    assert json.loads(body)[:2] == [[SCAN], {}]
    celery.app.close()


def test_a_plain_message_carries_what_it_is_given(broker_url: str) -> None:
    sent = {"scan_id": SCAN, "event_type": "scan_done"}
    producer.publish_plain(broker_url, producer.QUEUE, sent, "id-1", headers={"x": 1}, priority=3)
    ((properties, body),) = fetch(broker_url)
    assert (properties.message_id, properties.headers, properties.priority) == ("id-1", {"x": 1}, 3)
    assert properties.content_type == "application/json" and json.loads(body) == sent


def test_many_events_are_published_and_each_confirmed_id_is_in_the_queue(rabbit: RabbitServer, vhost: str,
                                                                         broker_url: str) -> None:
    events = [producer.event(SCAN, "scan_done") for _ in range(5000)]
    confirmed = publish_many(broker_url, producer.QUEUE, events)
    assert sorted(confirmed) == sorted(e.id for e in events) and rabbit.depth(producer.QUEUE, vhost) == 5000


@pytest.mark.alone
def test_a_rate_is_kept(broker_url: str) -> None:
    started = time.monotonic()
    publish_many(broker_url, producer.QUEUE, [producer.event(SCAN, "scan_done") for _ in range(200)], rate=200)
    assert 0.9 <= time.monotonic() - started < 2.5


def test_publishing_goes_on_over_a_broken_connection_and_counts_only_what_was_confirmed(rabbit: RabbitServer, vhost: str,
                                                                                        broker_url: str) -> None:
    events = [producer.event(SCAN, "scan_done") for _ in range(10_000)]
    publisher = BulkPublisher(broker_url, producer.QUEUE, events)
    publisher.start()
    wait_until(lambda: len(publisher.confirmed) > 2000, 20, "some are confirmed")
    rabbit.close_connections()
    confirmed = set(publisher.finish(60))
    assert publisher.unknown and publisher.sent == len(events)
    assert confirmed | set(publisher.unknown) == {e.id for e in events} and not confirmed & set(publisher.unknown)
    there = {properties.correlation_id for properties, _ in fetch(broker_url)}
    assert confirmed <= there


class Away(Proxy):
    away = False
    turned_off = 0

    def pass_on(self, link: Link, to_server: bool, data: bytes) -> None:
        if self.away:
            self.turned_off += 1
            raise ConnectionResetError


def test_a_publisher_waits_for_a_broker_that_is_away(rabbit: RabbitServer, broker_url: str) -> None:
    endless = (producer.event(SCAN, "scan_done") for _ in range(10**9))
    with Away(rabbit.port) as proxy:
        publisher = BulkPublisher(broker_url.replace(f":{rabbit.port}/", f":{proxy.port}/"), producer.QUEUE, endless, rate=500)
        publisher.start()
        wait_until(lambda: len(publisher.confirmed) > 200, 20, "some are confirmed")
        proxy.away = True
        wait_until(lambda: proxy.turned_off >= 4, 20, "it has tried again and again")
        before = len(publisher.confirmed)
        proxy.away = False
        wait_until(lambda: len(publisher.confirmed) > before + 200, 30, "some more are confirmed after it is back")
        publisher.stop()
        confirmed = set(publisher.finish(30))
    assert confirmed <= {properties.correlation_id for properties, _ in fetch(broker_url)}


# --- rows

TABLES = {"orgs": 1, "workspaces": 1, "targets": 3, "scans": 3, "findings": 5, "integrations": 4}


def fill(database, key: str) -> seed.Workspace:
    connection = database.connect()
    workspace, targets, _, _ = seed.add_example(connection)
    config = {"webhook_url": "https://example.com/…", "hmac_secret": "s"}
    seed.add_integration(connection, workspace, "webhook", config, key)
    seed.add_integration(connection, workspace, "webhook", config, key, plain_form=True, enabled=False)
    seed.add_integration(connection, workspace, "slack", config, key, target_ids=[targets["repo"].id], events=["scan_done"],
                         target_kinds=["url", "llm"], severity_filter="low")
    seed.add_integration(connection, workspace, "slack", config, key, target_ids=[], events=[], target_kinds=[])
    connection.close()
    for table, count in TABLES.items():
        assert database.query(f"SELECT count(*) FROM {table}") == [(count,)], table
    return workspace


def test_rows_fit_the_live_products_tables(incumbent, fernet_key: str) -> None:
    workspace = fill(incumbent, fernet_key)
    assert incumbent.query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [("incumbent",)]
    rows = incumbent.query("SELECT config_encrypted, target_ids IS NULL, cardinality(target_ids), events, target_kinds"
                           " FROM integrations WHERE workspace_id = %s ORDER BY created_at", (workspace.id,))
    texts = [json.loads(Fernet(fernet_key).decrypt(bytes(row[0]))) for row in rows]
    assert set(texts[0]) == {"config"} and json.loads(texts[0]["config"]) == texts[1]
    assert texts[1] == {"webhook_url": "https://example.com/…", "hmac_secret": "s"}
    assert [row[1:] for row in rows] == [(True, None, None, None), (True, None, None, None),
                                         (False, 1, ["scan_done"], ["url", "llm"]), (False, 0, [], [])]
    assert incumbent.query("SELECT kind, repository_id IS NULL FROM targets ORDER BY kind") == [
        ("llm", True), ("repo", False), ("url", True)]


def test_rows_fit_tables_that_have_only_what_notifyd_reads(database, fernet_key: str) -> None:
    for statement in MINIMAL.split(";"):
        database.execute(statement)
    fill(database, fernet_key)
    connection = database.connect()
    scan = seed.add_scan(connection, seed.add_target(connection, seed.add_workspace(connection)))
    made = seed.add_findings(connection, scan, ["low"] * 2500, suppressed=True)
    connection.close()
    assert len(made) == 2500 and database.query("SELECT count(*) FROM findings WHERE suppressed") == [(2500,)]


# The columns of the contract's table and no others.
MINIMAL = """
CREATE TABLE orgs (id uuid PRIMARY KEY);
CREATE TABLE workspaces (id uuid PRIMARY KEY, org_id uuid NOT NULL);
CREATE TABLE targets (id uuid PRIMARY KEY, org_id uuid NOT NULL, workspace_id uuid NOT NULL, name varchar(200) NOT NULL,
  base_url varchar(2048) NOT NULL, repository_id uuid, kind varchar(16) NOT NULL);
CREATE TABLE scans (id uuid PRIMARY KEY, target_id uuid NOT NULL, org_id uuid NOT NULL, workspace_id uuid NOT NULL,
  status varchar(32) NOT NULL, profile varchar(32) NOT NULL, summary jsonb, grade varchar(1), score int, error text,
  started_at timestamptz, finished_at timestamptz, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE findings (id uuid PRIMARY KEY, scan_id uuid NOT NULL, pencheff_finding_id varchar(64), title varchar(500) NOT NULL,
  severity varchar(16) NOT NULL, category varchar(64) NOT NULL, owasp_category varchar(32), cwe_id varchar(32),
  cvss_score float8, cvss_vector varchar(200), endpoint varchar(2048), parameter varchar(200), description text,
  remediation text, verification_status varchar(32) NOT NULL, suppressed bool NOT NULL, suppress_reason varchar(64),
  epss float8, kev bool NOT NULL, risk_score float8, reachability varchar(16), resolved_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE integrations (id uuid PRIMARY KEY, org_id uuid NOT NULL, workspace_id uuid NOT NULL, kind varchar(32) NOT NULL,
  name varchar(200) NOT NULL, config_encrypted bytea, enabled bool NOT NULL, severity_filter varchar(16) NOT NULL,
  target_ids uuid[], events varchar(32)[], target_kinds jsonb, created_at timestamptz NOT NULL DEFAULT clock_timestamp())
"""

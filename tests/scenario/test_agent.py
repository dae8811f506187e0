"""What the agent tells over HTTP, and the log in its two formats."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request

from sandbox.processes import wait_until


def get(daemon, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{daemon.agent_url}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_log_says_which_port_the_kernel_has_chosen(notifyd):
    for listen, host in (("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")):
        one = notifyd({"agent": {"listen": listen}})
        port = int(one.wait_event("agent_listening")[0]["port"])
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200


def test_health_is_life_and_readiness_is_both_servers(stage, notifyd, rabbit, vhost):
    one = notifyd()
    wait_until(lambda: "database 2" in get(one, "/healthz")[1], 5, "all are connected")
    assert get(one, "/healthz") == (200, "ok\nworkers 2, consuming from the broker 2, draining 0, connected to the database 2\n")
    whole = (200, "ready\nworkers 2, consuming from the broker 2, connected to the database 2\n")
    wait_until(lambda: get(one, "/readyz") == whole, 5, "all are connected")
    assert get(one, "/nothing")[0] == 404
    user = stage.broker_url.split("//")[1].split(":")[0]
    rabbit.ctl("clear_permissions", "-p", vhost, user)
    rabbit.close_connections()
    wait_until(lambda: "from the broker 0" in get(one, "/readyz")[1], 5, "not ready without the broker")
    assert get(one, "/readyz")[0] == 503 and get(one, "/readyz")[1] == "not ready\nworkers 2, consuming from the broker 0, connected to the database 2\n"
    assert get(one, "/healthz")[0] == 200
    rabbit.ctl("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
    wait_until(lambda: "from the broker 2" in get(one, "/readyz")[1], 15, "both consume again")
    stage.database.server.execute(f"ALTER DATABASE {stage.database.name} ALLOW_CONNECTIONS false")
    try:
        stage.database.server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                                      (stage.database.name,))
        wait_until(lambda: "database 0" in get(one, "/readyz")[1], 5, "not ready without the database")
        assert get(one, "/readyz")[0] == 503 and get(one, "/readyz")[1] == "not ready\nworkers 2, consuming from the broker 2, connected to the database 0\n"
    finally:
        stage.database.server.execute(f"ALTER DATABASE {stage.database.name} ALLOW_CONNECTIONS true")
    wait_until(lambda: get(one, "/readyz")[0] == 200, 15, "ready again")


def test_an_address_that_cannot_be_listened_on_is_named_with_its_reason(stage, notifyd):
    stage.webhook(secret=None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = notifyd({"agent": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}})
        [line] = busy.wait_event("agent_cannot_listen")[:1]
        assert "in use" in line["reason"] and "agent.listen" in line["advice"]
        event_id = stage.publish()
        stage.wait_arrivals([event_id])
    elsewhere = notifyd({"agent": {"listen": "203.0.113.1:9464"}})
    assert "assign" in elsewhere.wait_event("agent_cannot_listen")[0]["reason"]


def test_with_format_json_every_line_is_an_object(stage, notifyd):
    """Also what PostgreSQL and librabbitmq have to say, and hostile text."""
    stage.webhook(secret=None)
    one = notifyd({"log": {"format": "json", "level": "debug"}})
    stage.plain({"scan_id": "x\n{\"event\":\"forged\"}"}, "id\nwith \"lines\"\t\x7f")
    event_id = stage.publish(event_type="scan_failed", error="a\nb\x1b[31m")
    stage.wait_arrivals([event_id])
    stage.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
                           " AND application_name LIKE 'pencheff-notify%%'", (stage.database.name,))
    one.wait_event("database_link_down")
    one.wait_event("message_rejected")
    lines = [json.loads(line) for line in one.log_text().splitlines()]
    assert {"worker_ready", "trip", "job", "message_rejected", "database_link_down"} <= {line["event"] for line in lines}
    assert not [line for line in lines if line["event"] == "forged"]

"""The pace at which a backlog is delivered, with everything on one machine and the ledger on.

The receiver is nginx, so that it is not what is measured. The bound is the one that is promised for two cores; with the
sanitizers only that everything arrives is checked.
"""

from __future__ import annotations

import shutil
import time

import pytest
from sandbox import bulk
from sandbox.processes import Child, HeldPort

pytestmark = pytest.mark.alone

EVENTS = 12_000


@pytest.fixture
def nginx(tmp_path):
    """nginx on a free port that answers every request with 200 and an empty body."""
    port = HeldPort()
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"""
        daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;
        events {{ worker_connections 512; }}
        http {{
            access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
            uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s; keepalive_requests 1000000;
            server {{ listen 127.0.0.1:{port.number}; location / {{ return 200; }} }}
        }}""")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    child = Child([program, "-c", str(conf), "-p", str(tmp_path)], log=tmp_path / "nginx.log")
    try:
        yield f"http://127.0.0.1:{port.number}/hook"
    finally:
        child.stop()
        port.release()


def test_a_backlog_is_delivered_at_3000_events_a_second(stage, notifyd, nginx, sanitized, capsys):
    stage.webhook(url=nginx)
    ids = bulk.publish_many(stage.broker_url, "notify", [stage.event() for _ in range(EVENTS)])
    assert len(ids) == EVENTS
    daemon = notifyd({"workers": 2, "log": {"level": "warn"}}, ready=False)

    def settled() -> int:
        return stage.database.query("SELECT count(*) FROM notify.deliveries WHERE state = 'delivered'")[0][0]

    stage.wait(lambda: settled() > 0, 30)
    begun, at_begin = time.monotonic(), settled()
    deadline = begun + 120
    while settled() < EVENTS:
        assert time.monotonic() < deadline, f"{settled()} of {EVENTS} delivered"
        time.sleep(0.1)
    rate = (EVENTS - at_begin) / (time.monotonic() - begun)
    with capsys.disabled():
        print(f"\nthroughput: {rate:.0f} events/s ({EVENTS} events, 2 workers)")
    assert daemon.pid
    if not sanitized:
        assert rate >= 3000

"""A receiver that is not what is measured: nginx, which answers 200 with an empty body and notes each request's webhook-id and when it was answered."""

from __future__ import annotations

import hashlib
import shutil
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Iterable, Iterator

import pytest
from sandbox.processes import Child, HeldPort


class FastReceiver:
    def __init__(self, folder: Path) -> None:
        self._port, self._log = HeldPort(), folder / "ids.log"
        self.url = f"http://127.0.0.1:{self._port.number}/hook"
        conf = folder / "nginx.conf"
        conf.write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
            events {{ worker_connections 512; }}
            http {{
                log_format id '$http_webhook_id $msec'; access_log {self._log} id buffer=64k flush=200ms;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
                uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;
                server {{ listen 127.0.0.1:{self._port.number}; location / {{ return 200; }} }}
            }}""")
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self._child = Child([program, "-c", str(conf), "-p", str(folder)], log=folder / "nginx.log")

    def requests(self) -> Counter:
        """How often each webhook-id came."""
        return Counter(line.split()[0] for line in self._lines())

    def times(self) -> dict[str, float]:
        """When each webhook-id came last, in seconds of the wall clock."""
        return {words[0]: float(words[1]) for words in map(str.split, self._lines())}

    def _lines(self) -> list[str]:
        whole = self._log.read_text().rpartition("\n")[0] if self._log.exists() else ""
        return whole.splitlines()

    def wait_for(self, ids: Iterable[str], timeout: float) -> Counter:
        """Returns when each of the webhook-ids IDS has come."""
        wanted, deadline = set(ids), time.monotonic() + timeout
        while True:
            seen = self.requests()
            missing = wanted - seen.keys()
            if not missing:
                return seen
            assert time.monotonic() < deadline, f"{len(missing)} of {len(wanted)} requests did not come"
            time.sleep(0.2)

    def close(self) -> None:
        self._child.stop()
        self._port.release()


def webhook_id(event_id: str, integration: Any) -> str:
    """Contract: the first 32 hexadecimal digits of the SHA-256 of both ids."""
    return hashlib.sha256(event_id.encode() + str(uuid.UUID(integration.id)).encode()).hexdigest()[:32]


@pytest.fixture
def fast_receiver(tmp_path: Path) -> Iterator[FastReceiver]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    made = FastReceiver(folder)
    try:
        yield made
    finally:
        made.close()

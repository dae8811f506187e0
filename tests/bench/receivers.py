"""Who gets the deliveries.

Nginx answers 200 to everything and keeps one number, so that it is never what bounds a run: it is there where throughput is
measured. Receiver is receiver.c: it notes for each path how many requests came, when, how long after they were published
and how often under the same id, and it misbehaves on request.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from pathlib import Path
from typing import Any

from sandbox.processes import Child, HeldPort, StartError, listening, tail, wait_until

_CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1d; client_header_timeout 1d;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /.status {{ stub_status; }}
        location / {{ return 200; }}
    }}
}}
"""


class Nginx:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._port = HeldPort()
        (folder / "nginx.conf").write_text(_CONF.format(folder=folder, port=self._port.number))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self._child = Child([program, "-c", str(folder / "nginx.conf"), "-p", str(folder)], log=folder / "nginx.log")
        _wait_for(self._child, self._port.number, folder / "nginx.log")
        self._asked = 0
        self._link = socket.create_connection(("127.0.0.1", self._port.number), timeout=30)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.number}/hook"

    def count(self) -> int:
        """Requests since the start, our own questions left out."""
        self._asked += 1
        self._link.sendall(b"GET /.status HTTP/1.1\r\nHost: status\r\n\r\n")
        text = b""
        while b"Waiting:" not in text or not text.endswith(b"\n"):
            piece = self._link.recv(4096)
            if not piece:
                raise RuntimeError("nginx has closed the connection on which it is asked")
            text += piece
        lines = text.split(b"\n")
        return int(lines[[b"requests" in line for line in lines].index(True) + 1].split()[2]) - self._asked

    def close(self) -> None:
        self._link.close()
        self._child.stop()
        self._port.release()


class Receiver:
    """receiver.c. Paths are made by asking for them."""

    def __init__(self, program: Path, folder: Path) -> None:
        folder.mkdir()
        self._port = HeldPort()
        self._child = Child([program, str(self._port.number)], log=folder / "receiver.log")
        _wait_for(self._child, self._port.number, folder / "receiver.log")

    @property
    def pid(self) -> int:
        return self._child.pid

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self._port.number}{path}"

    def answer(self, path: str, how: str, ms: int = 0) -> None:
        """HOW requests to PATH are answered from now on: ok, never, after (MS), fail, large."""
        self._ask("POST", f"/.control/answer?path={path}&how={how}&ms={ms}")

    def figures(self) -> dict[str, Any]:
        return json.loads(self._ask("GET", "/.control/figures"))

    def reset(self) -> dict[str, Any]:
        """The figures so far, all of which are 0 from this moment on."""
        return json.loads(self._ask("POST", "/.control/reset"))

    def path(self, path: str, figures: dict[str, Any] | None = None) -> dict[str, Any]:
        """The part of FIGURES (of those of now) that is about PATH, all 0 when nothing has come there."""
        nothing = {name: 0 for name in ("requests", "body_bytes", "delivered", "refused", "silent", "last_s")}
        times = {"samples": 0, "p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0}
        return {**nothing, "per_second": [], "latency_ms": times, **(figures or self.figures())["paths"].get(path, {})}

    def close(self) -> None:
        self._child.stop()
        self._port.release()

    def _ask(self, method: str, path: str) -> bytes:
        link = http.client.HTTPConnection("127.0.0.1", self._port.number, timeout=30)
        try:
            link.request(method, path)
            answer = link.getresponse()
            text = answer.read()
        finally:
            link.close()
        if answer.status != 200:
            raise RuntimeError(f"the receiver refuses {path}")
        return text


def _wait_for(child: Child, port: int, log: Path) -> None:
    wait_until(lambda: listening(port) or child.exit_code() is not None, 10, f"{child.argv[0]} listens")
    if child.exit_code() is not None:
        raise StartError(f"{child.argv[0]} ended with {child.exit_code()}; it said:\n{tail(log)}")

"""A RabbitMQ that speaks TLS, with as many listeners as a test has certificates.

    broker = TlsBroker(rabbit, authority)
    listener = broker.listen(authority.files("localhost", days=(-10, -1)))       # what the broker shows there
    listener = broker.listen(files, clients=authority)                             # takes clients with a certificate only
    broker.url(stage.broker_url, listener)                                         # amqps://...@localhost:PORT/...
"""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

from authority import Authority
from sandbox.processes import HeldPort
from sandbox.rabbit import RabbitServer

Files = tuple[Path, Path]


class TlsBroker:
    def __init__(self, rabbit: RabbitServer, authority: Authority) -> None:
        self.rabbit, self.authority = rabbit, authority
        self._ports: list[HeldPort] = []

    def listen(self, files: Files, clients: Authority | None = None) -> int:
        """Opens a further TLS listener of the node; its port."""
        port = HeldPort()
        self._ports.append(port)
        demand = f"{{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}, {{cacertfile, \"{clients.file}\"}}" if clients else \
            "{verify, verify_none}"
        self.rabbit.evaluate(
            f"{{ok, _}} = application:ensure_all_started(ssl), rabbit_networking:start_ssl_listener({{\"127.0.0.1\", {port.number}}},"
            f" [{{certfile, \"{files[0]}\"}}, {{keyfile, \"{files[1]}\"}}, {demand}], 1)")
        return port.number

    def forget_files(self) -> None:
        """The node reads its certificates again at the next connection."""
        self.rabbit.evaluate("ssl:clear_pem_cache()")

    @staticmethod
    def url(plain: str, port: int, host: str = "localhost") -> str:
        user, place = plain.removeprefix("amqp://").split("@")
        return f"amqps://{user}@{host}:{port}/{place.split('/', 1)[1]}"

    def connections(self, vhost: str) -> list[dict[str, Any]]:
        """Of ours in VHOST: `tls` (its version, or false)."""
        name = ",".join(str(byte) for byte in vhost.encode())
        return json.loads(self.rabbit.evaluate(
            "io:put_chars(rabbit_json:encode([#{tls => case proplists:get_value(ssl, I) of true ->"
            " proplists:get_value(ssl_protocol, I); _ -> false end} || I <- rabbit_networking:connection_info_all([ssl, ssl_protocol,"
            f" vhost]), proplists:get_value(vhost, I) =:= <<{name}>>]))"))

    def close(self) -> None:
        for port in self._ports:
            port.release()


class Mute:
    """A server that takes connections and says nothing; `heard` is what it was told."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                self._taken.append(self._listener.accept()[0])
        except OSError:
            pass  # closed

    def __enter__(self) -> "Mute":
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._taken):
            one.close()

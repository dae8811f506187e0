"""A cluster of private RabbitMQ nodes on loopback, with one name service.

    with RabbitCluster(folder) as cluster:
        cluster.nodes[0].url, cluster.hosts          # one login for all nodes
        cluster.leader("notify")                     # the node that leads a quorum queue
        cluster.leader("notify").kill()
"""

from __future__ import annotations

import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .processes import HeldPort, wait_until
from .rabbit import NameService, RabbitServer


class RabbitCluster:
    def __init__(self, folder: str | Path, size: int = 3, *, config: dict[str, str] | None = None) -> None:
        """CONFIG: further lines of each node's rabbitmq.conf."""
        self.folder = Path(folder).absolute()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._port = HeldPort()
        self._names = NameService(self.folder, self._port.number)
        state = {"cookie": secrets.token_hex(16), "user": "sandbox", "password": secrets.token_hex(12)}
        self.nodes = [RabbitServer(self.folder / f"node-{number}", config=config, schedulers=1, names=self._names, state=state)
                      for number in range(1, size + 1)]

    @property
    def hosts(self) -> list[str]:
        return [f"127.0.0.1:{node.port}" for node in self.nodes]

    def start(self) -> "RabbitCluster":
        self._names.start()
        try:
            first, *others = self.nodes
            with ThreadPoolExecutor(len(self.nodes)) as pool:
                list(pool.map(RabbitServer.start, self.nodes))
            for node in others:
                node.evaluate(f"rabbit:stop(), ok = rabbit_mnesia:join_cluster('{first.node}', disc), ok = rabbit:start()")
            wait_until(lambda: len(self.running(first)) == len(self.nodes), 30, "all nodes are in the cluster")
        except BaseException:
            self.remove()
            raise
        return self

    def running(self, asked: RabbitServer) -> list[str]:
        """The nodes that ASKED knows to be up."""
        return asked.evaluate("[io:format(\"~s~n\", [N]) || N <- rabbit_nodes:all_running()]").split()

    def leader(self, queue: str, vhost: str = "/") -> RabbitServer:
        """The running node that leads QUEUE, a quorum queue."""
        asked = next(node for node in self.nodes if node.running)
        name = asked.evaluate(f"{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{vhost}\">>, queue, <<\"{queue}\">>)),"
                              " io:put_chars(atom_to_list(proplists:get_value(leader, rabbit_amqqueue:info(Q, [leader]))))")
        return next(node for node in self.nodes if node.node == name.strip())

    def remove(self) -> None:
        """Stops all of it and deletes the folder."""
        for node in self.nodes:
            node.kill()
        self._names.stop()
        for node in self.nodes:
            node.remove()
        self._port.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "RabbitCluster":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

"""A private RabbitMQ node with an epmd of its own.

The machine's RabbitMQ, its epmd on port 4369 and its cookie are not involved: the node, its name service, its users and its
data live in one folder and on loopback ports held by us. Ports, names and passwords are kept in the folder, so the data can
be opened again later, also by another process.

rabbitmqctl takes two seconds for each answer (it boots a virtual machine), so questions go through `erl_call`, which answers
in milliseconds; `ctl()` is there for the rest.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import pika

from .processes import Child, HeldPort, StartError, listening, tail, wait_until

_SBIN = Path("/usr/lib/rabbitmq/bin")
_LIBRARIES = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins"
_ERL_CALL = "/usr/lib/erlang/bin/erl_call"
_TAKEN = ("eaddrinuse", "address already in use", "port_in_use", "dist_port_already_used")


class NameService:
    """An epmd of our own, by which nodes find each other."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self._folder = port, folder
        self.epmd: Child | None = None

    def start(self) -> None:
        log = self._folder / "epmd.log"
        self.epmd = Child(["/usr/bin/epmd", "-address", "127.0.0.1", "-port", str(self.port)], log=log, cwd=self._folder,
                           env={"PATH": "/usr/bin:/bin", "HOME": str(self._folder)})
        wait_until(lambda: listening(self.port) or self.epmd.exit_code() is not None, 10, "epmd listens")
        if self.epmd.exit_code() is not None:
            raise StartError(f"epmd ended (address already in use?): {tail(log)}")

    def stop(self) -> None:
        if self.epmd is not None:
            self.epmd.kill()  # it holds nothing worth saving
            self.epmd = None


class RabbitServer:
    """start(), stop(), kill(), restart(), freeze(), thaw(); `url`; see the methods for questions."""

    def __init__(self, folder: str | Path, *, config: dict[str, str] | None = None, schedulers: int = 2,
                 env: dict[str, str] | None = None, names: NameService | None = None, state: dict[str, str] | None = None) -> None:
        """CONFIG: further lines of rabbitmq.conf. ENV: further variables of the node's environment.

        NAMES and STATE (cookie, user, password) are what the nodes of a cluster have in common; see rabbit_cluster.py.
        """
        self.folder = Path(folder).absolute()
        self.log = self.folder / "server.log"
        self._config = config or {}
        self._schedulers = schedulers
        self._env = env or {}
        self._given = state or {}
        self._node: Child | None = None
        self._shared_names = names
        self._ports: dict[str, HeldPort] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        self._load()

    # --- what clients need

    @property
    def port(self) -> int:
        return self._ports["amqp"].number

    def url_for(self, vhost: str = "/") -> str:
        state = self._state
        return f"amqp://{state['user']}:{state['password']}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    @property
    def url(self) -> str:
        return self.url_for("/")

    @property
    def node(self) -> str:
        """Its name in Erlang, which is also a name in a cluster."""
        return self._state["node"]

    @property
    def running(self) -> bool:
        return self._node is not None and self._node.exit_code() is None

    @property
    def pid(self) -> int:
        assert self._node is not None, "not started"
        return self._node.pid

    # --- life

    def start(self, timeout: float = 90) -> "RabbitServer":
        """Returns when a client can log in. A first start takes new ports if somebody else has got one of them."""
        assert not self.running, "already started"
        fresh = not (self.folder / "mnesia").exists()
        for attempt in range(3):
            try:
                self._start_once(timeout)
                return self
            except StartError as error:
                self.stop()
                taken = any(word in str(error).lower() for word in _TAKEN)
                if attempt == 2 or not (fresh and taken):
                    raise
                shutil.rmtree(self.folder / "mnesia", ignore_errors=True)
                self._choose_ports()
        raise AssertionError("not reached")

    def stop(self) -> None:
        """A clean stop: definitions and persistent messages are on disk, the node and its epmd are gone."""
        if self._node is not None:
            if self._node.exit_code() is None:
                self.thaw()
            self._node.stop((signal.SIGTERM,), timeout=40)
            self._node = None
        self._stop_names()

    def kill(self) -> None:
        """The power cut: SIGKILL for the node and all its helpers."""
        if self._node is not None:
            self._node.kill()
            self._node = None
        self._stop_names()

    def restart(self, timeout: float = 90) -> None:
        self.stop()
        self.start(timeout)

    def freeze(self) -> None:
        """The server is there and says nothing: connections stay open and nobody answers."""
        assert self._node is not None, "not started"
        self._node.freeze()

    def thaw(self) -> None:
        assert self._node is not None, "not started"
        self._node.thaw()

    def remove(self) -> None:
        """Stops, gives the ports back and deletes the folder."""
        self.stop()
        for port in self._ports.values():
            port.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "RabbitServer":
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- questions and orders

    def evaluate(self, erlang: str) -> str:
        """Runs Erlang expressions in the node and returns what they print."""
        done = subprocess.run(
            [_ERL_CALL, "-address", f"127.0.0.1:{self._ports['dist'].number}", "-c", self._state["cookie"], "-h",
             f"ask{secrets.token_hex(4)}", "-timeout", "30", "-fetch_stdout", "-no_result_term", "-e"],
            input=erlang.rstrip().rstrip(".") + ".\n", capture_output=True, text=True, timeout=40, env=self._environment())
        if done.returncode != 0:
            raise RuntimeError(f"erl_call: {done.stdout}{done.stderr} for: {erlang}")
        return done.stdout

    def ctl(self, *words: str) -> str:
        """rabbitmqctl, with all its checks; two seconds each."""
        done = subprocess.run([_SBIN / "rabbitmqctl", "-q", *words], capture_output=True, text=True, timeout=60,
                              env=self._environment())
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def write_ctl(self, path: Path) -> None:
        """Writes a program to PATH that is rabbitmqctl for this node, whatever the caller's environment."""
        variables = " ".join(shlex.quote(f"{name}={value}") for name, value in self._environment().items())
        path.touch(0o700)
        path.write_text(f'#!/bin/sh\nexec env -i {variables} {_SBIN / "rabbitmqctl"} -q "$@"\n')

    def _rows(self, erlang_list: str) -> list[dict]:
        return json.loads(self.evaluate(f"io:put_chars(rabbit_json:encode({erlang_list}))"))

    def add_vhosts(self, *names: str) -> None:
        """20 of them take less than half a second."""
        user = _binary(self._state["user"])
        names_list = ",".join(_binary(name) for name in names)
        self.evaluate(
            f"[begin rabbit_vhost:add(V, <<\"sandbox\">>), rabbit_auth_backend_internal:set_permissions({user}, V, "
            f"<<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"sandbox\">>) end || V <- [{names_list}]]")

    def delete_vhost(self, name: str) -> None:
        self.evaluate(f"rabbit_vhost:delete({_binary(name)}, <<\"sandbox\">>)")

    def list_queues(self, vhost: str = "/") -> list[dict]:
        """name, messages, messages_ready, messages_unacknowledged, consumers, durable; asked from the queues themselves."""
        keys = "[messages,messages_ready,messages_unacknowledged,consumers,durable]"
        return self._rows(
            f"[begin I = rabbit_amqqueue:info(Q, [name|{keys}]), {{_, {{resource, _, queue, N}}}} = lists:keyfind(name, 1, I),"
            f" maps:put(name, N, maps:from_list(lists:keydelete(name, 1, I))) end"
            f" || Q <- rabbit_amqqueue:list({_binary(vhost)})]")

    def list_consumers(self, vhost: str = "/") -> list[dict]:
        """queue, consumer_tag, ack_required, prefetch_count of every consumer."""
        return self._rows(
            "[begin {_, {resource, _, queue, N}} = lists:keyfind(queue_name, 1, C), "
            "maps:put(queue, N, maps:with([consumer_tag, ack_required, prefetch_count], maps:from_list(C))) end"
            f" || C <- rabbit_amqqueue:consumers_all({_binary(vhost)})]")

    def list_connections(self, vhost: str = "/") -> list[dict]:
        """user_product, peer_port, channels and the name the client gave, of every connection in VHOST."""
        return self._rows(
            "[begin P = proplists:get_value(client_properties, I, []), "
            "T = fun(K) -> case lists:keyfind(K, 1, P) of {_, longstr, V} -> V; _ -> null end end, "
            "#{peer_port => proplists:get_value(peer_port, I), channels => proplists:get_value(channels, I), "
            "product => T(<<\"product\">>), connection_name => T(<<\"connection_name\">>)} end"
            " || I <- rabbit_networking:connection_info_all([peer_port, channels, client_properties, vhost]),"
            f" proplists:get_value(vhost, I) =:= {_binary(vhost)}]")

    def definitions(self, vhost: str = "/") -> dict[str, list[dict]]:
        """What is declared in VHOST: `exchanges` (the broker's own left out), `queues` and `bindings` (the default ones too)."""
        args = "fun(A) -> maps:from_list([{K, V} || {K, _, V} <- A]) end"
        name = "fun({resource, _, _, N}) -> N end"
        v = _binary(vhost)
        exchanges = self._rows(
            f"[maps:from_list([{{name, ({name})(proplists:get_value(name, I))}} | lists:keydelete(name, 1, I)]) || X <-"
            f" rabbit_exchange:list({v}), I <- [rabbit_exchange:info(X, [name, type, durable, auto_delete, internal])]]")
        queues = self._rows(
            f"[#{{name => ({name})(proplists:get_value(name, I)), durable => proplists:get_value(durable, I),"
            f" arguments => ({args})(proplists:get_value(arguments, I))}} || Q <- rabbit_amqqueue:list({v}),"
            " I <- [rabbit_amqqueue:info(Q, [name, durable, arguments])]]")
        bindings = self._rows(
            "[#{source => proplists:get_value(source_name, I), kind => proplists:get_value(destination_kind, I),"
            " destination => proplists:get_value(destination_name, I), key => proplists:get_value(routing_key, I)}"
            f" || I <- rabbit_binding:info_all({v}, [source_name, destination_name, destination_kind, routing_key])]")
        own = [x for x in exchanges if x["name"] and not x["name"].startswith("amq.")]
        return {"exchanges": own, "queues": queues, "bindings": bindings}

    def close_connections(self, reason: str = "closed for a test") -> None:
        """The broker's own polite close (320 CONNECTION_FORCED) of every client."""
        self.evaluate(f"[rabbit_networking:close_connection(C, \"{reason}\") || C <- rabbit_networking:connections()]")

    def alarm(self, on: bool) -> None:
        """A memory alarm without the memory: publishers are blocked (connection.blocked) until it is cleared."""
        name = "{resource_limit, memory, node()}"
        self.evaluate(f"rabbit_alarm:set_alarm({{{name}, []}})" if on else f"rabbit_alarm:clear_alarm({name})")

    def depth(self, queue: str, vhost: str = "/") -> int:
        """Messages ready in QUEUE (unacknowledged ones are not counted), by a passive declare; a missing queue counts as 0."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url_for(vhost)))
        try:
            return connection.channel().queue_declare(queue, passive=True).method.message_count
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code != 404:
                raise
            return 0
        finally:
            connection.close()

    # --- inside

    def _load(self) -> None:
        path = self.folder / "server.json"
        if path.exists():
            self._state = json.loads(path.read_text())
            try:
                self._ports = {name: HeldPort(number) for name, number in self._state["ports"].items()}
                self._names = self._shared_names or NameService(self.folder, self._ports["epmd"].number)
                return
            except OSError:  # somebody took one while nobody held it
                pass
        else:
            self._state = {"node": f"notify-{secrets.token_hex(4)}@localhost", "cookie": secrets.token_hex(16),
                           "user": f"sandbox-{secrets.token_hex(2)}", "password": secrets.token_hex(12), **self._given}
        self._choose_ports()

    def _choose_ports(self) -> None:
        for port in self._ports.values():
            port.release()
        self._ports = {name: HeldPort() for name in ("amqp", "dist", *(() if self._shared_names else ("epmd",)))}
        self._state["ports"] = {name: port.number for name, port in self._ports.items()}
        (self.folder / "server.json").write_text(json.dumps(self._state))
        self._names = self._shared_names or NameService(self.folder, self._ports["epmd"].number)

    def _environment(self) -> dict[str, str]:
        """Complete: nothing of the caller's RABBITMQ_* or ERL_* gets through."""
        here = self.folder
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": str(here),
            "ERL_EPMD_PORT": str(self._names.port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": self._state["node"], "RABBITMQ_DIST_PORT": str(self._ports["dist"].number),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"), "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"), "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": str(here / "none.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_PLUGINS_DIR": str(here / "plugins"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the start script then becomes the node instead of waiting beside it
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                f"-noinput -start_epmd false +S {self._schedulers}:{self._schedulers} +sbwt none +sbwtdcpu none +sbwtdio none"
                " -kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_DIST_PORT_MIN": "0", "RABBITMQ_CTL_DIST_PORT_MAX": "0",
        }

    def _write_files(self) -> None:
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(0o600)
            cookie.write_text(self._state["cookie"])
            cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n")
        _link_libraries(self.folder / "plugins")
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}", "default_user": self._state["user"],
            "default_pass": self._state["password"], "disk_free_limit.absolute": "50MB", "log.file": "false",
            "log.console": "true", "log.console.level": "warning", **self._config,
        }
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        (self.folder / "rabbitmq.conf").touch(0o600)
        (self.folder / "rabbitmq.conf").write_text(text)

    def _start_once(self, timeout: float) -> None:
        self._write_files()
        environment = self._environment()
        if not self._shared_names:
            self._names.start()
        self._node = Child([_SBIN / "rabbitmq-server"], log=self.log, env={**environment, **self._env}, cwd=self.folder)
        deadline = time.monotonic() + timeout
        while not self._accepts_login():
            if self._node.exit_code() is not None:
                raise StartError(f"RabbitMQ ended with {self._node.exit_code()}; its log ends:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise StartError(f"RabbitMQ was not ready within {timeout:g} s; its log ends:\n{tail(self.log)}")
            time.sleep(0.1)

    def _accepts_login(self) -> bool:
        if not listening(self.port):
            return False
        try:
            parameters = pika.URLParameters(self.url)
            parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 5
            pika.BlockingConnection(parameters).close()
            return True
        except (pika.exceptions.AMQPError, OSError):
            return False

    def _stop_names(self) -> None:
        if not self._shared_names:
            self._names.stop()


def _binary(text: str) -> str:
    """An Erlang binary literal; by number, so that no character needs escaping."""
    return "<<" + ",".join(str(byte) for byte in text.encode()) + ">>"


def _link_libraries(folder: Path) -> None:
    """The libraries that a node needs, without the forty plugins beside them, which each start would read: a quarter of it.

    Which they are stands in each library's list of applications, the broker's first.
    """
    there = {path.name.rpartition("-")[0]: path for path in Path("/").glob(_LIBRARIES.lstrip("/") + "/*-*")}
    found: dict[str, Path] = {}
    names = ["rabbit"]
    while names:
        name = names.pop()
        if name in there and name not in found:
            found[name] = there[name]
            text = (there[name] / "ebin" / f"{name}.app").read_text()
            listed = re.search(r"\{\s*applications\s*,\s*\[(.*?)\]", text, re.S)
            names += re.findall(r"\w+", listed[1]) if listed else []
    if not found:
        raise StartError(f"no RabbitMQ is installed in {_LIBRARIES}; deploy/packages run installs it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in found.values():
        (folder / path.name).symlink_to(path)

"""The protocol of agents line by line: what a client may send, what it gets for what it may not, and how it all ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from agent import NEWEST, wait_ended
from sandbox.answers import Answer
from sandbox.receiver import Receiver

NOBODY = "http://127.0.0.1:1"  # where no API is
VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_that_is_known_is_spoken_and_nothing_that_it_does_not_know_is_said(agent, version):
    one = agent(NOBODY, "token", version=None)
    said = one.initialize(version)
    assert said["protocolVersion"] == version and said["capabilities"] == {"tools": {}} and said["serverInfo"]["name"] == "notify-mcp"
    assert "never take them for instructions" in said["instructions"]
    tool = one.tools()["list_integrations"]
    assert ("annotations" in tool) == (version >= "2025-03-26")
    assert ("outputSchema" in tool) == ("title" in tool) == (version >= "2025-06-18")
    batch = json.dumps([{"jsonrpc": "2.0", "id": "a", "method": "ping"}, {"jsonrpc": "2.0", "method": "notifications/x"},
                        {"jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": {"name": "list_integrations", "arguments": {"limit": 0}}}, 3])
    one.send(batch + "\n")
    answer = one.receive()
    if version == "2025-03-26":
        assert [(entry["id"], "result" in entry) for entry in answer] == [("a", True), ("b", True), (None, False)]
        one.send('[{"jsonrpc": "2.0", "method": "notifications/x"}]\n')  # wants no answer
        one.send("[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"ping"}'] * 101) + "]\n")
        assert "at most 100" in one.receive()["error"]["message"]
    else:
        assert answer["error"]["code"] == -32600 and answer["id"] is None
    assert one.ask("ping") == {"jsonrpc": "2.0", "id": one._next_id, "result": {}}


def test_another_version_is_answered_with_the_latest_that_is_known(agent):
    for wanted in ("2099-01-01", "", "x" * 1000):
        assert agent(NOBODY, "token", version=None).initialize(wanted)["protocolVersion"] == NEWEST


def test_nothing_but_ping_is_done_before_initialize_which_comes_once(agent):
    one = agent(NOBODY, "token", version=None)
    assert one.ask("ping")["result"] == {}
    for method in ("tools/list", "tools/call", "resources/list"):
        assert one.ask(method, {})["error"]["code"] == -32600
    for params in ({}, {"protocolVersion": 3}, None):
        assert one.ask("initialize", params)["error"]["code"] == -32602
    one.initialize()
    assert one.ask("initialize", {"protocolVersion": NEWEST})["error"]["code"] == -32600


LINES = [  # what is sent, the code of the answer, its id
    ("{", -32700, None), ("{}", -32600, None), ("null", -32600, None), ("3", -32600, None), ("[]", -32600, None), ("nonsense", -32700, None),
    ('{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 1), ('{"id":1,"method":"ping"}', -32600, 1),
    ('{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None), ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None),
    ('{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, None), ('{"jsonrpc":"2.0","id":"%s","method":"ping"}' % ("x" * 257), -32600, None),
    ('{"jsonrpc":"2.0","id":1,"method":3}', -32600, 1), ('{"jsonrpc":"2.0","id":"q","method":"ping","params":[1]}', -32602, "q"),
    ('{"jsonrpc":"2.0","id":1,"method":"nothing/known"}', -32601, 1), ('{"jsonrpc":"2.0","id":1,"method":"resources/list"}', -32601, 1),
    ('{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}', -32601, 1),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602, 1), ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":3}}', -32602, 1),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_integrations","arguments":[]}}', -32602, 1),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_integrations","arguments":null}}', -32602, 1),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_integration"}}', -32602, 1),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"2"}}', -32602, 1),
    ("[" * 40 + "]" * 40, -32700, None), ('{"jsonrpc":"2.0","id":1,"method":"ping"} x', -32700, None), (b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}', -32700, None),
    (b'{"jsonrpc":"2.0",\x00"id":1,"method":"ping"}', -32700, None),
]


def test_what_is_no_message_is_answered_as_json_rpc_says_and_the_next_is_heard(agent):
    one = agent(NOBODY, "token")
    for line, code, number in LINES:
        one.send((line if isinstance(line, bytes) else line.encode()) + b"\n")
        answer = one.receive()
        assert (answer["error"]["code"], answer["id"]) == (code, number) and answer["error"]["message"], (line, answer)
    assert "did you mean list_integrations" in one.ask("tools/call", {"name": "list_integration"})["error"]["message"]
    for line in (b"", b"  \t ", b"\r", b'{"jsonrpc":"2.0","method":"nothing"}', b'{"jsonrpc":"2.0","method":"tools/call","params":[]}',
                 b'{"jsonrpc":"2.0","id":7,"result":{}}', b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}',
                 b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}', b'{"jsonrpc":"2.0","method":"notifications/cancelled"}'):
        one.send(line + b"\n")  # none of them is answered
    one.send('{"jsonrpc":"2.0","id":"ü\\u0000\\n\\"","method":"ping"}\r\n')
    assert one.receive() == {"jsonrpc": "2.0", "id": "ü\0\n\"", "result": {}}
    one.send('{"jsonrpc":"2.0","id":-9223372036854775808,"method":"ping"}\n')
    assert one.receive()["id"] == -(2**63)


def test_a_line_that_is_too_long_is_refused_and_skipped_and_takes_no_memory(agent, sanitized, tmp_path):
    config = tmp_path / "mcp.conf"
    config.write_text("mcp = { line_bytes = 100000; };\n")
    one = agent(NOBODY, "token", "-c", config)
    huge = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_integrations", "arguments": {"name": "x" * 200_000}}})
    one.send(huge + "\n")
    assert one.receive()["error"]["code"] == -32600
    for _ in range(400):
        one.send(b"x" * 100_000)  # 40 MB without an end
    answer = one.receive()
    assert answer["error"]["code"] == -32600 and "mcp.line_bytes" in answer["error"]["message"] and answer["id"] is None
    one.send("\n")
    assert one.ask("ping")["result"] == {}
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{one.process.pid}/status").read_text())[1])
    assert peak < 40_000 or sanitized, peak
    exact = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": ""}})
    one.send(exact.replace('""', '"' + "x" * (100_000 - len(exact)) + '"') + "\n")
    assert one.receive()["result"] == {}


def unread(build: Path) -> tuple[Any, int]:
    """One whose output nobody reads, and the other end of that."""
    read, write = os.pipe()
    silent = subprocess.Popen([build / "notify-mcp", "--api-url", NOBODY], stdin=subprocess.PIPE, stdout=write, stderr=subprocess.DEVNULL,
                              env={**os.environ, "NOTIFY_TOKEN": "token"}, bufsize=0)
    os.close(write)
    return silent, read


def test_a_client_that_writes_and_never_reads_holds_up_only_itself(build, sanitized):
    silent, read = unread(build)
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": NEWEST}}) + "\n"
    ask = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}) + "\n"
    os.set_blocking(silent.stdin.fileno(), False)
    silent.stdin.write(line.encode())
    sent, quiet = 0, 0
    while quiet < 50 and sent < 4_000_000:
        try:
            sent += os.write(silent.stdin.fileno(), ask.encode() * 100)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.01)
    assert sent < 4_000_000, "it goes on taking"
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{silent.pid}/status").read_text())[1])
    assert peak < 40_000 or sanitized, peak
    os.close(read)
    assert silent.wait(10) == 0  # nobody will read it
    silent.stdin.close()


def test_it_ends_cleanly_when_nobody_reads_what_it_says(build):
    for before in (b"", b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'):
        silent, read = unread(build)
        silent.stdin.write(before)
        if before:
            assert os.read(read, 1000)
        os.close(read)
        silent.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"ping"}\n')
        assert silent.wait(10) == 0
        silent.stdin.close()


@pytest.mark.parametrize("way", ["closes its end", "TERM", "INT", "HUP"])
def test_it_ends_cleanly_whatever_is_under_way(agent, way):
    with Receiver() as slow:
        slow.script("/integrations*", Answer(instead="hang"))
        for moment in ("before initialize", "idle", "in a call", "in the middle of a line", "in many calls"):
            one = agent(slow.url("").rstrip("/"), "token", version=None if moment == "before initialize" else NEWEST)
            if "call" in moment:
                for _ in range(16 if "many" in moment else 1):
                    one.call("list_integrations")
                one.ask("ping")
            elif moment == "before initialize":
                one.ask("ping")
            if "line" in moment:
                one.send('{"jsonrpc":"2.0","id":9,"meth')
            began = time.monotonic()
            if way == "closes its end":
                one.process.stdin.close()
            else:
                one.process.send_signal(getattr(signal, f"SIG{way}"))
            assert wait_ended(one) == 0, (moment, one.log.read_text())
            assert time.monotonic() - began < 3, moment


def test_a_conversation_may_break_off_after_any_byte(build):
    """The client is gone after some of what it wanted to say, or to hear."""
    lines = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": NEWEST}}, {"jsonrpc": "2.0", "method": "notifications/initialized"},
             {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_integrations", "arguments": {"limit": 0}}}, {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}]
    said = "".join(json.dumps(line) + "\n" for line in lines).encode()
    run = dict(env={"NOTIFY_TOKEN": "x"}, stderr=subprocess.DEVNULL, bufsize=0)
    words = [build / "notify-mcp", "--api-url", NOBODY]
    whole = subprocess.run(words, input=said, stdout=subprocess.PIPE, timeout=20, env=run["env"], stderr=subprocess.DEVNULL).stdout
    assert [json.loads(line)["id"] for line in whole.splitlines()] == [1, 2, 3]
    for cut in [*range(0, len(said), 11), *(at + more for at, byte in enumerate(said) if byte == 10 for more in (0, 1))]:
        done = subprocess.run(words, input=said[:cut], stdout=subprocess.PIPE, timeout=20, env=run["env"], stderr=subprocess.DEVNULL)
        heard = done.stdout.splitlines()
        assert done.returncode == 0 and all(json.loads(line)["jsonrpc"] == "2.0" for line in heard), cut
        assert heard[:-1] == whole.splitlines()[:max(0, len(heard) - 1)], cut  # the last may say that half a line is no message
    for taken in (0, 1, 100, 4096, 30_000, len(whole) - 1):
        one = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **run)
        one.stdin.write(said)
        got = b""
        while len(got) < taken:
            got += one.stdout.read(taken - len(got))
        one.stdout.close()
        one.stdin.close()
        assert one.wait(10) == 0 and whole.startswith(got), taken


def test_what_was_asked_before_the_client_left_is_still_answered(build, local_api, api_token):
    lines = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": NEWEST}},
             {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_integrations"}}]
    done = subprocess.run([build / "notify-mcp", "--api-url", local_api.url], input="\n".join(json.dumps(line) for line in lines), text=True,
                          capture_output=True, timeout=20, env={"NOTIFY_TOKEN": api_token("read")})
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and [answer["id"] for answer in answers] == [1, 2] and answers[1]["result"]["structuredContent"]["integrations"] == []


def test_a_file_may_be_its_input_and_a_file_its_output(build, tmp_path):
    (tmp_path / "in").write_text('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    with open(tmp_path / "in") as given, open(tmp_path / "out", "w") as taken:
        done = subprocess.run([build / "notify-mcp", "--api-url", NOBODY], stdin=given, stdout=taken, stderr=subprocess.PIPE, timeout=20,
                              env={"NOTIFY_TOKEN": "x"})
    assert done.returncode == 0 and json.loads((tmp_path / "out").read_text()) == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_closed_descriptors_are_told_from_each_other(build):
    def run(shell: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["/bin/sh", "-c", f'"$0" --api-url {NOBODY} {shell}', build / "notify-mcp"], capture_output=True, text=True, timeout=20,
                              env={"NOTIFY_TOKEN": "x"}, stdin=subprocess.DEVNULL)
    assert run("<&-").returncode == 0
    closed = run(">&-")
    assert closed.returncode == 2 and "standard output is closed" in closed.stderr
    assert run("2>&-").returncode == 0


def test_several_calls_run_at_once_and_one_can_be_canceled(agent):
    with Receiver() as api:
        api.script("/integrations*", Answer(instead="hang"))
        api.script("/explain*", Answer(status=200, body=b"[]", headers=(("Content-Type", "application/json"),)))
        one = agent(api.url("").rstrip("/"), "token")
        slow = [one.call("list_integrations") for _ in range(16)]
        api.wait_for(16)
        assert one.ask("ping")["result"] == {}
        assert "too many calls" in one.refused("explain_delivery", event_id="x")
        one.send(json.dumps({"jsonrpc": "2.0", "id": slow[0], "method": "tools/list"}) + "\n")
        assert "under way" in one.receive()["error"]["message"]
        one.tell("notifications/cancelled", {"requestId": slow[0], "reason": "no longer wanted"})
        one.tell("notifications/cancelled", {"requestId": slow[0]})
        one.tell("notifications/cancelled", {"requestId": str(slow[1])})  # another id: a text
        assert one.good("explain_delivery", event_id="x") == {"explanations": []}
        assert one.told == []
        assert "too many calls" not in one.refused("list_deliveries", state="x")


@pytest.mark.parametrize("words,env,code,said", [
    (["--api-url", NOBODY], {}, 78, "NOTIFY_TOKEN is not set"), (["--api-url", NOBODY], {"NOTIFY_TOKEN": ""}, 78, "is empty"),
    (["--api-url", NOBODY], {"NOTIFY_TOKEN": "two words"}, 78, "holds a blank"), (["--api-url", NOBODY], {"NOTIFY_TOKEN": "x" * 300}, 78, "longer than any token"),
    (["--api-url", "http://notify.example"], {"NOTIFY_TOKEN": "x"}, 78, "--allow-http"), (["--api-url", "ftp://x"], {"NOTIFY_TOKEN": "x"}, 78, "must be as https://"),
    (["--api-url", "https://u:p@x"], {"NOTIFY_TOKEN": "x"}, 78, "no user"), (["--api-url", "https://"], {"NOTIFY_TOKEN": "x"}, 78, "must be as https://"),
    (["--api-url", NOBODY, "--ca-file", "/nothing"], {"NOTIFY_TOKEN": "x"}, 78, "cannot be read"), (["-c", "/nothing"], {"NOTIFY_TOKEN": "x"}, 78, "--api-url URL"),
    (["--alow-write"], {}, 2, "--help"), (["word"], {}, 2, "--help"), (["--help"], {}, 0, "--allow-adhoc"), (["--version"], {}, 0, "notify-mcp "),
])
def test_how_it_is_started_is_checked_and_said_in_words(build, words, env, code, said):
    done = subprocess.run([build / "notify-mcp", *words], capture_output=True, text=True, timeout=20, env=env, stdin=subprocess.DEVNULL)
    assert done.returncode == code and said in done.stdout + done.stderr, done
    assert "two words" not in done.stdout + done.stderr and (code == 0 or not done.stdout)


def test_it_reads_no_key_and_no_url_of_a_server_from_the_configuration(build, tmp_path):
    config = tmp_path / "notify.conf"
    config.write_text('broker = { url = 3; }; database = { url_file = "/nothing"; }; secrets = { fernet_keys_file = "/nothing"; };\n'
                      'api = { url = "http://127.0.0.1:1/"; listen = "0.0.0.0:99"; }; log = { format = "json"; };\n')
    run = dict(capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    done = subprocess.run([build / "notify-mcp", "-c", config], env={"NOTIFY_TOKEN": "x", "FERNET_KEY": "no key", "DATABASE_URL": "no url"}, **run)
    assert done.returncode == 0 and json.loads(done.stderr.splitlines()[0])["api"] == "http://127.0.0.1:1/"
    config.write_text('api = { listen = "0.0.0.0:99"; };\n')
    assert "api=http://127.0.0.1:99" in subprocess.run([build / "notify-mcp", "-c", config], env={"NOTIFY_TOKEN": "x"}, **run).stderr
    config.write_text('mcp = { calls = 0; tmeout = 3.0; }; api = { url = "gopher://x"; };\n')
    done = subprocess.run([build / "notify-mcp", "-c", config], env={"NOTIFY_TOKEN": "x"}, **run)
    assert done.returncode == 78 and all(word in done.stderr for word in ("mcp.calls", "did you mean mcp.timeout", "api.url")), done.stderr
    libraries = subprocess.run(["ldd", build / "notify-mcp"], capture_output=True, text=True).stdout
    assert "libpq" not in libraries and "rabbitmq" not in libraries


def test_the_token_is_nowhere_to_be_seen(agent):
    with Receiver() as api:
        one = agent(api.url("").rstrip("/"), "pnt_secret-token")
        one.refused("list_integrations")
        request, = api.wait_for(1)
        assert request.header["authorization"] == "Bearer pnt_secret-token"
        inside = Path(f"/proc/{one.process.pid}/environ").read_bytes() + Path(f"/proc/{one.process.pid}/cmdline").read_bytes()
        assert b"secret-token" not in inside and "secret-token" not in one.log.read_text()

"""A URL is hostile: whatever it spells or resolves to, no connection is made to an address that is not public or listed.

Only 127.0.0.1 is listed here, so the loopback's other addresses are as forbidden as the rest of the private world, and
something can listen on them and count.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any, Callable

import pytest
from names import NameServer
from sandbox.answers import Answer
from sandbox.receiver import Receiver
from stage import dead_letters

LISTED = {"workers": 1, "delivery": {"allow_networks": ["127.0.0.1/32"]}, "retry": {"base": 300}}
REFUSED = "dead", "address_refused", "address_refused"
DELIVERED = "delivered", None, None


def outcomes(stage: Any, urls: dict[str, str], timeout: float = 10) -> dict[str, tuple[Any, Any, Any]]:
    """One webhook per URL (by name), one event for all: state, reason and error word of each."""
    stage.database.execute("DELETE FROM integrations")
    hooks = {stage.webhook(url=url, name=name[:200]).id: name for name, url in urls.items()}
    event = stage.publish()
    stage.wait(lambda: len(stage.deliveries(event)) == len(urls), timeout)
    return {hooks[row["integration_id"]]: (row["state"], row["reason"] or None, row["error"] or None)
            for row in stage.deliveries(event)}


@pytest.fixture
def forbidden():
    """A receiver that nobody may reach, on an address of the loopback that is not listed."""
    with Receiver(host="127.0.0.2") as made:
        yield made


@pytest.fixture
def beside(forbidden):
    """Makes servers at other addresses with the port of FORBIDDEN, and gives them with it.

    Somebody else may have that port there, so a forbidden one with another port is made then."""
    with ExitStack() as ours:
        def make(*makers: Callable[[int], Any]) -> list[Any]:
            chosen = forbidden
            for _ in range(50):
                with ExitStack() as tried:
                    try:
                        made = [tried.enter_context(maker(chosen.port)) for maker in makers]
                    except OSError as error:
                        if error.errno != errno.EADDRINUSE:
                            raise
                        chosen = ours.enter_context(Receiver(host="127.0.0.2"))
                        continue
                    ours.push(tried.pop_all())
                    return [chosen, *made]
            raise RuntimeError("no port is free at all addresses")

        yield make


@pytest.fixture
def names():
    with NameServer() as made:
        yield made


# --- spelled

# What an address can look like in a URL; PORT is one where something listens.
SPELLED = """
127.0.0.2 127.0.0.2. 127.2 127.0.2 0x7f.0.0.2 0177.0.0.2 2130706434 0x7f000002 017700000002 %31%32%37.0.0.2 １２７.0.0.2 127。0。0。2
user:password@127.0.0.2 127.0.0.1@127.0.0.2 127.1.2.3 127.255.255.254
0.0.0.0 0 0x0 00000000 [::] [::ffff:0.0.0.0]
169.254.169.254 2852039166 0xa9fea9fe [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
10.0.0.1 10.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 198.18.0.1 192.0.0.1 192.0.2.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
[::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.2] [::ffff:7f00:2] [::127.0.0.1] [::7f00:1] [::ffff:10.0.0.1] [::ffff:0:10.0.0.1]
[fc00::1] [fd12:3456::1] [fe80::1] [fec0::1] [ff02::1] [64:ff9b::a00:1] [64:ff9b::127.0.0.1] [64:ff9b::8.8.8.8] [64:ff9b:1::1]
[2002:a00:1::] [2002:7f00:1::1] [2001::1] [2001:db8::1] [100::1] [4000::1]
localhost LOCALHOST localhost. sub.localhost
""".split()


def at(host: str) -> Callable[[int], Receiver]:
    return lambda port: Receiver(host=host, port=port)


def test_no_spelling_of_a_private_address_is_connected_to(stage, notifyd, beside, tmp_path, names):
    """localhost is 127.0.0.1, which is not listed this time."""
    daemon = notifyd({**LISTED, "delivery": {"allow_networks": ["192.0.2.77/32"]}}, wrapper=names.wrapper(tmp_path / "names"))
    forbidden, sixth, first = beside(at("::1"), at("127.0.0.1"))
    before = first.connections, sixth.connections, forbidden.connections
    begun = time.monotonic()
    urls = {spelling: f"http://{spelling}:{forbidden.port}/" for spelling in SPELLED}
    urls |= {f"{spelling} without a port": f"http://{spelling}/" for spelling in ("127.0.0.1", "10.0.0.1", "[::1]", "localhost")}
    urls["2130706433"] = "http://2130706433/"
    got = outcomes(stage, urls)
    assert time.monotonic() - begun < 5, "a refusal needs no waiting"
    others = {name: end for name, end in got.items() if end != REFUSED}
    # Not every spelling is one to curl: what it cannot read, or looks up as a name that does not exist, is not reached either.
    unknown = {name for name in others if others[name] in (("dead", "url_refused", "url"), ("waiting", None, "dns"))}
    assert {name: end for name, end in others.items() if name not in unknown} == {}
    assert unknown <= {"127.0.0.2.", "localhost.", "127。0。0。2", "１２７.0.0.2"}, unknown
    assert (first.connections, sixth.connections, forbidden.connections) == before == (0, 0, 0)
    assert len(daemon.workers()) == 1


def test_a_refused_address_is_named_and_is_not_tried_again(stage, notifyd, forbidden):
    notifyd({**LISTED, "retry": {"base": 0.1}})
    hook = stage.webhook(url=forbidden.url("/x").replace("127.0.0.1", "127.0.0.2") + "?token=secret")
    event = stage.publish()
    headers, _, body = dead_letters(stage.broker_url, 1)[0]
    assert (headers["x-notify-reason"], headers["x-notify-error"]) == ("address_refused", "address_refused")
    assert headers["x-notify-integration"] == hook.id and headers["x-notify-attempt"] == 1
    assert "allow_networks" in headers["x-notify-detail"] and "secret" not in str(headers) + body.decode()
    time.sleep(1)
    assert [(row["state"], row["attempt"], row["status"]) for row in stage.deliveries(event)] == [("dead", 1, None)]
    assert forbidden.connections == 0


def test_what_is_listed_is_reached_and_nothing_beside_it(stage, notifyd, forbidden):
    sixth = Receiver(host="::1")
    notifyd({**LISTED, "delivery": {"allow_networks": ["127.0.0.1/32", "::1/128"]}})
    got = outcomes(stage, {
        "listed": stage.receiver.url("/hook"), "mapped": stage.receiver.url("/hook").replace("127.0.0.1", "[::ffff:127.0.0.1]"),
        "localhost": stage.receiver.url("/hook").replace("127.0.0.1", "localhost"),
        "as a number": stage.receiver.url("/hook").replace("127.0.0.1", "2130706433"),
        "in IPv6": f"http://[::1]:{sixth.port}/hook", "beside it": f"http://127.0.0.2:{forbidden.port}/hook",
    })
    assert got == {**dict.fromkeys(("listed", "mapped", "localhost", "as a number", "in IPv6"), DELIVERED), "beside it": REFUSED}
    assert (stage.receiver.count(), sixth.count(), forbidden.connections) == (4, 1, 0)
    sixth.stop()


def test_without_a_list_loopback_is_refused(stage, notifyd):
    notifyd({**LISTED, "delivery": {"allow_networks": []}})
    assert outcomes(stage, {"loopback": stage.receiver.url("/hook")}) == {"loopback": REFUSED}
    assert stage.receiver.connections == 0


def test_other_schemes_are_refused_and_http_where_it_is_off(stage, notifyd, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("not to be read")
    address = f"127.0.0.1:{stage.receiver.port}"
    notifyd({**LISTED, "delivery": {"allow_networks": ["127.0.0.1/32"], "allow_http": False}})
    schemes = ("ftp", "file", "gopher", "dict", "ldap", "smb", "telnet", "tftp", "ws", "imap", "scp", "javascript")
    urls = {scheme: f"{scheme}://{address}/" for scheme in schemes}
    urls |= {"a file": f"file://{secret}", "no scheme": f"{address}/", "two slashes": f"//{address}/", "blank": f" http://{address}/",
             "a line more": f"http://{address}/\r\nX: y", "no host": "http:///etc/passwd", "nothing": "http://",
             "three slashes": f"http:///{address}/", "backslashes": f"http:\\\\{address}\\"}
    got = outcomes(stage, {**urls, "http": f"http://{address}/", "HTTP": f"HTTP://{address}/"})
    assert got.pop("http") == got.pop("HTTP") == ("dead", "url_refused", "url")
    allowed = {("dead", "config_invalid", None), ("dead", "url_refused", "url")}
    assert {name: end for name, end in got.items() if end not in allowed} == {}
    assert stage.receiver.connections == 0


def test_a_redirect_to_a_private_address_is_not_followed(stage, notifyd, forbidden):
    notifyd(LISTED)
    location = (("Location", f"http://127.0.0.2:{forbidden.port}/"), ("Refresh", f"0; url=http://127.0.0.2:{forbidden.port}/"))
    for status in (301, 302, 303, 307, 308, 200):
        stage.receiver.script(f"/{status}", Answer(status, location))
    got = outcomes(stage, {f"{status}": stage.receiver.url(f"/{status}") for status in (301, 302, 303, 307, 308, 200)})
    assert got.pop("200") == DELIVERED and set(got.values()) == {("dead", "rejected", "redirect")}
    assert forbidden.connections == 0


# --- resolved

PRIVATE = ("127.0.0.2", "0.0.0.0", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1", "::1",
           "fc00::1", "fe80::1", "::ffff:10.0.0.1", "::ffff:127.0.0.2", "64:ff9b::a00:1", "2002:a00:1::", "::", "::127.0.0.1")


def test_no_name_that_resolves_to_a_private_address_is_connected_to(stage, notifyd, names, forbidden, tmp_path):
    hosts = "\n".join(f"{address} hosts{n}.test" for n, address in enumerate(PRIVATE))
    for n, address in enumerate(PRIVATE):
        names.answer(f"dns{n}.test", [address])
    names.answer("listed.test", ["127.0.0.1"])
    notifyd(LISTED, wrapper=names.wrapper(tmp_path / "names", hosts + "\n127.0.0.1 listed-hosts.test"))
    port, urls = stage.receiver.port, {}
    for n, address in enumerate(PRIVATE):
        urls[f"{address} by DNS"] = f"http://dns{n}.test:{forbidden.port}/"
        urls[f"{address} by hosts"] = f"http://hosts{n}.test:{forbidden.port}/"
    urls |= {"listed by DNS": f"http://listed.test:{port}/", "listed by hosts": f"http://listed-hosts.test:{port}/"}
    got = outcomes(stage, urls)
    assert got.pop("listed by DNS") == got.pop("listed by hosts") == DELIVERED
    assert {name: end for name, end in got.items() if end != REFUSED} == {}
    assert forbidden.connections == 0 and stage.receiver.count() == 2


def test_a_name_with_good_and_bad_addresses_never_leads_to_the_bad_ones(stage, notifyd, names, beside, tmp_path):
    """With a good one that does not answer, curl would go on to the next address."""
    mixtures = {"good first": ["127.0.0.1", "127.0.0.2"], "bad first": ["127.0.0.2", "127.0.0.1"],
                "good and 10/8": ["127.0.0.1", "10.0.0.1"], "good and link local": ["127.0.0.1", "169.254.169.254"],
                "good and IPv6": ["127.0.0.1", "::1"], "good and unique local": ["127.0.0.1", "fc00::1"],
                "bad and worse": ["127.0.0.2", "10.0.0.1", "::1"]}
    for n, addresses in enumerate(mixtures.values()):
        names.answer(f"both{n}.test", addresses)
    forbidden, sixth = beside(at("::1"))
    notifyd(LISTED, wrapper=names.wrapper(tmp_path / "names"))
    silent = outcomes(stage, {name: f"http://both{n}.test:{forbidden.port}/" for n, name in enumerate(mixtures)})
    assert set(silent.values()) == {REFUSED}, silent
    assert (forbidden.connections, sixth.connections) == (0, 0)
    speaking = outcomes(stage, {name: f"http://both{n}.test:{stage.receiver.port}/" for n, name in enumerate(mixtures)})
    assert set(speaking.values()) <= {REFUSED, DELIVERED} and speaking["bad and worse"] == REFUSED
    assert stage.receiver.count() == list(speaking.values()).count(DELIVERED), "what is refused was not sent"


def test_a_name_with_a_slow_good_address_and_a_bad_one_is_refused_before_anything_is_sent(stage, notifyd, names, beside,
                                                                                          tmp_path):
    """While the good address hesitates curl tries the other family as well; the good connection must not be used then."""
    forbidden, slow = beside(lambda port: socket.create_server(("::1", port), family=socket.AF_INET6, backlog=0))
    crowd = [socket.socket(socket.AF_INET6) for _ in range(3)]
    for one in crowd:
        one.setblocking(False)
        one.connect_ex(("::1", forbidden.port))
    names.answer("hesitant.test", ["::1", "127.0.0.2"])
    notifyd({**LISTED, "delivery": {"allow_networks": ["::1/128"]}}, wrapper=names.wrapper(tmp_path / "names"))
    received: list[bytes] = []

    def welcome() -> None:
        time.sleep(0.6)
        slow.settimeout(2)
        try:
            while True:
                guest, peer = slow.accept()
                if peer[1] in {one.getsockname()[1] for one in crowd}:
                    continue
                guest.settimeout(1)
                received.append(guest.recv(65536))
                guest.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass

    host = threading.Thread(target=welcome)
    host.start()
    got = outcomes(stage, {"both": f"http://hesitant.test:{forbidden.port}/"})
    host.join()
    for one in (slow, *crowd):
        one.close()
    assert got == {"both": REFUSED} and forbidden.connections == 0
    assert not any(received), "what is refused was not sent"


def test_a_name_that_changes_its_answer_is_judged_at_every_connection(stage, notifyd, names, forbidden, tmp_path):
    """The first look-up is what a check in advance would see; the connection follows another one."""
    names.answer("turncoat.test", ["127.0.0.1"])
    daemon = notifyd(LISTED, wrapper=names.wrapper(tmp_path / "names"))
    hook = f"http://turncoat.test:{stage.receiver.port}/hook"
    assert outcomes(stage, {"at first": hook}) == {"at first": DELIVERED}
    assert (stage.receiver.connections, names.asked("turncoat.test")) == (1, 1)
    names.answer("turncoat.test", ["127.0.0.2"])

    # The kept connection leads where it always did.
    assert outcomes(stage, {"kept": hook}) == {"kept": DELIVERED}
    assert (stage.receiver.count(), stage.receiver.connections, names.asked("turncoat.test")) == (2, 1, 1)

    # A new one (another port is another look-up to curl, which remembers answers for a minute) is judged anew.
    assert outcomes(stage, {"new": f"http://turncoat.test:{forbidden.port}/"}) == {"new": REFUSED}
    assert names.asked("turncoat.test") == 2

    # Without the kept connection the remembered answer may serve; with neither, in a new process, nothing does.
    stage.receiver.drop_connections()
    stage.wait(lambda: stage.receiver.open_connections() == 0)
    assert outcomes(stage, {"remembered": hook})["remembered"] in (DELIVERED, REFUSED)
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.wait_event("worker_ready", count=2)
    count = stage.receiver.count()
    assert outcomes(stage, {"forgotten": hook}) == {"forgotten": REFUSED}
    assert (stage.receiver.count(), forbidden.connections) == (count, 0)


def test_a_name_that_turns_between_two_attempts_is_refused_at_the_second(stage, notifyd, names, forbidden, tmp_path):
    """The receiver closes each connection, and the retry is another worker's: it looks the name up for itself."""
    names.answer("patient.test", ["127.0.0.1"])
    stage.receiver.script("/hook", Answer(503, close=True))
    daemon = notifyd({**LISTED, "retry": {"base": 2, "jitter": 0}}, wrapper=names.wrapper(tmp_path / "names"))
    hook = stage.webhook(url=f"http://patient.test:{stage.receiver.port}/hook")
    event = stage.publish()
    stage.receiver.wait_for(1, "/hook")
    stage.wait(lambda: stage.deliveries(event))
    names.answer("patient.test", ["10.0.0.1", "127.0.0.2"])
    os.kill(daemon.workers()[0], signal.SIGKILL)
    stage.wait(lambda: stage.deliveries(event)[0]["state"] == "dead")
    row = stage.deliveries(event)[0]
    assert (row["integration_id"], row["attempt"], row["reason"]) == (hook.id, 2, "address_refused")
    assert (stage.receiver.count(), forbidden.connections) == (1, 0)


@pytest.mark.long
def test_a_remembered_answer_is_forgotten_after_a_minute(stage, notifyd, names, forbidden, tmp_path):
    names.answer("slow-turn.test", ["127.0.0.1"])
    notifyd(LISTED, wrapper=names.wrapper(tmp_path / "names"))
    hook = f"http://slow-turn.test:{stage.receiver.port}/hook"
    stage.receiver.script("/hook", Answer(close=True))
    assert outcomes(stage, {"at first": hook}) == {"at first": DELIVERED}
    names.answer("slow-turn.test", ["127.0.0.2"])
    time.sleep(65)
    assert outcomes(stage, {"later": hook}) == {"later": REFUSED}
    assert forbidden.connections == 0

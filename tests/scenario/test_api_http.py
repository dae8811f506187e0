"""What the API makes of HTTP itself: requests that could be understood in two ways, limits, methods, origins, headers."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
import warnings

import pytest
from sandbox.api import NotifyApi
from sandbox.processes import StartError

HOST = b"Host: a\r\n"
POST = b"POST /integrations HTTP/1.1\r\n" + HOST
GET = b"GET /healthz HTTP/1.1\r\n"
INNER = b"GET /healthz HTTP/1.1\r\nHost: inner\r\n\r\n"  # what an attacker wants to be taken for another's request


def talk(api: NotifyApi, data: bytes, patience: float = 5.0) -> tuple[list[int], bytes, bool]:
    """The statuses of the answers to DATA, all bytes of them, and whether the connection was closed behind them."""
    with socket.create_connection(("127.0.0.1", api.port)) as one:
        one.settimeout(patience)
        one.sendall(data)
        got = b""
        try:
            while part := one.recv(65536):
                got += part
        except ConnectionResetError:
            pass
        except TimeoutError:
            return statuses(got), got, False
    return statuses(got), got, True


def statuses(answers: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"^HTTP/1\.1 (\d+)", answers, re.MULTILINE)]


AMBIGUOUS = {
    "both framings": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 43\r\n\r\nabcd" + INNER,
    "the same length twice": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" + INNER,
    "a length in a list": POST + b"Content-Length: 4, 4\r\n\r\nabcd" + INNER,
    "a length with a sign": POST + b"Content-Length: +4\r\n\r\nabcd" + INNER,
    "a length below zero": POST + b"Content-Length: -4\r\n\r\nabcd" + INNER,
    "a length in hexadecimal": POST + b"Content-Length: 0x4\r\n\r\nabcd" + INNER,
    "a length of two words": POST + b"Content-Length: 4 4\r\n\r\nabcd" + INNER,
    "no length": POST + b"Content-Length:\r\n\r\nabcd" + INNER,
    "a space before the colon": POST + b"Content-Length : 4\r\n\r\n" + INNER,
    "a coding with a space before its colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + INNER,
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + INNER,
    "a coding of another name": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "codings in a list": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n" + INNER,
    "chunks with bare line feeds": POST + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n" + INNER,
    "a chunk of too many bytes": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx\r\n0\r\n\r\n" + INNER,
    "chunks in HTTP/1.0": b"POST /integrations HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + INNER,
    "a folded length": POST + b"Content-Length:\r\n 4\r\n\r\n" + INNER,
    "a folded header": GET + HOST + b"X: a\r\n b\r\n\r\n" + INNER,
    "a header before the first that is folded": GET + b" X: y\r\n" + HOST + b"\r\n" + INNER,
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: a\n\n" + INNER,
    "one bare line feed": GET + b"Host: a\nContent-Length: 4\r\n\r\n" + INNER,
    "a bare line feed behind the request line": b"GET /healthz HTTP/1.1\nHost: a\r\n\r\n" + INNER,
    "a bare carriage return": GET + b"Host: a\rContent-Length: 4\r\n\r\n" + INNER,
    "a NUL in the path": b"GET /healthz\0/x HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "a NUL in the query": b"GET /integrations?a\0b=c HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "a NUL in a header": GET + HOST + b"X: a\0b\r\n\r\n" + INNER,
    "two hosts": GET + HOST + b"Host: b\r\n\r\n" + INNER,
    "no host": GET + b"\r\n" + INNER,
    "two tokens": GET + HOST + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" + INNER,
    "a line without a colon": GET + HOST + b"garbage\r\n\r\n" + INNER,
    "a space in the path": b"GET /heal thz HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "tabs in the request line": b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "a version of two digits": b"GET /healthz HTTP/11\r\n" + HOST + b"\r\n" + INNER,
    "no version": b"GET /healthz\r\n\r\n" + INNER,
}


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"GET"])
def test_a_request_that_could_be_understood_in_two_ways_is_refused_and_nothing_behind_it_is_answered(api, method):
    wrong = []
    for name, data in AMBIGUOUS.items():
        if not data.startswith(b"POST") and method != b"POST":
            continue
        found, answer, closed = talk(api, data.replace(b"POST", method))
        good = closed and (not found or set(found) <= {400, 411, 413}) and b"inner" not in answer and b"\r\n\r\nok\n" not in answer
        if not good:
            wrong.append((name, found, closed))
    assert not wrong, wrong
    assert api.ask("GET", "/healthz").status == 200


def test_what_is_unusual_but_clear_is_answered(api):
    for data in (b"\r\n" + GET + HOST + b"\r\n", GET + b"Host: a  \t\r\nX:\r\nY:   z\r\n\r\n", GET + b"hOST:a\r\n\r\n",
                 b"GET /%68ealthz HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /healthz HTTP/1.0\r\n\r\n",
                 GET + HOST + b"Cookie: a=b; c=d\r\nAccept: */*\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n\r\n"):
        assert talk(api, data, 0.5)[0] == [200], data
    for _ in range(20):  # a client that says at once that it will send no more
        with socket.create_connection(("127.0.0.1", api.port)) as one:
            one.settimeout(5)
            one.sendall(POST + b"Content-Length: 30000\r\n\r\n" + b"x" * 30000)
            one.shutdown(socket.SHUT_WR)
            assert statuses(one.recv(10000)) == [415]
    many = b"".join(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-N: %d\r\n\r\n" % n for n in range(100))
    assert talk(api, many, 1.0)[0] == [200] * 100


def test_targets_that_are_no_path_of_ours_lead_nowhere(api):
    cases = {b"http://other.example/healthz": 400, b"http://other.example": 400, b"%2fhealthz": 400, b"/%00": 400, b"/%ff": 400, b"/%4": 400,
             b"//healthz": 404, b"/./healthz": 404, b"/x/../healthz": 404, b"/healthz/": 404, b"/healthz%2f": 404, b"/integrations%2fabc": 404,
             b"/healthz%3fa": 404, b"/healthz#x": 404, b"/%2e/healthz": 404}
    assert {target: talk(api, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", 0.3)[0] for target in cases} == {t: [s] for t, s in cases.items()}


def test_what_is_too_large_is_said(api):
    assert talk(api, GET + HOST + b"X: " + b"a" * 40000 + b"\r\n\r\n")[0] == [431]
    assert talk(api, GET + HOST + b"X: a\r\n" * 5000 + b"\r\n")[0] == [431]
    assert talk(api, b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == [414]
    assert talk(api, b"GET /integrations?" + b"a=b&" * 40 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 0.5)[0] == [400]
    body = POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 100000
    found, answer, closed = talk(api, body)
    assert found == [413] and closed and b"problem+json" in answer


@pytest.mark.parametrize("form", ["one header", "many headers", "a cookie", "a query", "parameters"])
def test_a_head_of_any_size_is_answered(api, form):
    forms = {
        "one header": lambda size: GET + HOST + b"X: " + b"a" * (size - 50) + b"\r\n\r\n",
        "many headers": lambda size: GET + HOST + b"X: a\r\n" * (size // 70) + b"\r\n",
        "a cookie": lambda size: GET + HOST + b"Cookie: " + b"a=b; " * (size // 82) + b"\r\n\r\n",
        "a query": lambda size: b"GET /healthz?" + b"a" * (size - 50) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        "parameters": lambda size: b"GET /healthz?" + b"a=b&" * (size // 68) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    }
    seen = set()
    # Of a head with hundreds of cookies or parameters more libmicrohttpd closes without a word.
    beyond = range(40000, 60000, 2000) if form not in ("a cookie", "parameters") else ()
    for size in (*range(8000, 15000, 1000), *range(15000, 19000, 50), *range(19000, 34000, 500), *beyond):
        with socket.create_connection(("127.0.0.1", api.port)) as one:
            one.settimeout(5)
            one.sendall(forms[form](size))
            answer = one.recv(65536)
        found = statuses(answer)
        assert b"problem+json" in answer or found == [200] or size >= 34000, (form, size, answer)
        assert found and found[0] in (200, 400, 431, 414), (form, size, found)
        assert found[0] not in (431, 414) or size > 14000, (form, size)
        assert found[0] in (431, 414) or size < 18000, (form, size)
        seen.add(found[0])
    assert seen & {431, 414} and seen & {200, 400}


def test_a_head_that_leaves_no_room_for_an_answer_is_refused_in_words(api):
    """At the edge of the memory that a connection has: libmicrohttpd would close without one."""
    for size in range(34500, 36200, 100):
        found, answer, closed = talk(api, GET + HOST + b"X-Request-Id: mine\r\nX: " + b"a" * size + b"\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        problem = json.loads(body)
        assert found == [431] and closed and b"application/problem+json" in head and b"X-Request-Id: mine" in head, (size, answer)
        assert problem["status"] == 431 and "api.header_bytes" in problem["detail"] and problem["request_id"] == "mine", (size, answer)


def test_what_has_not_changed_is_said_without_a_wrong_length(api):
    whole = api.ask("GET", "/openapi.json")
    again = api.ask("GET", "/openapi.json", headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers.get("content-length", str(len(whole.body))) == str(len(whole.body))
    line = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"If-None-Match: " + whole.headers["etag"].encode() + b"\r\n\r\n"
    found, answers, _ = talk(api, line * 2 + GET + HOST + b"\r\n", 0.5)
    assert found == [304, 304, 200] and answers.count(b"HTTP/1.1") == 3, "nothing of the text follows the 304"


def test_who_asks_before_it_sends_a_body_hears_at_once_that_it_is_too_large(api):
    assert talk(api, POST + b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")[0] == [413]
    with socket.create_connection(("127.0.0.1", api.port)) as one:
        one.settimeout(5)
        one.sendall(POST + b"Content-Length: 2\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\r\n")
        assert one.recv(1000).startswith(b"HTTP/1.1 100 ")
        one.sendall(b"{}")
        assert statuses(one.recv(10000)) == [401]


def test_an_upload_that_ends_early_costs_nothing_but_its_place(api):
    api.wait_event("database_link_up", count=5)
    before = descriptors(api)
    for n in range(200):
        with socket.create_connection(("127.0.0.1", api.port)) as one:
            one.sendall(POST + b"Content-Length: 60000\r\n\r\n" + b"{" * (n * 200))
            if n % 2:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    deadline = time.monotonic() + 10
    while descriptors(api) > before:
        assert time.monotonic() < deadline, "descriptors do not come back"
        time.sleep(0.05)
    assert api.ask("GET", "/healthz").status == 200


def descriptors(api: NotifyApi) -> int:
    return len(os.listdir(f"/proc/{api.pid}/fd"))


def test_options_say_what_a_path_takes_and_head_is_get_without_its_body(api):
    asked = api.ask("OPTIONS", "/integrations")
    assert (asked.status, asked.headers["allow"], asked.body) == (204, "GET, HEAD, POST, OPTIONS", b"")
    assert not [name for name in asked.headers if name.startswith("access-control")]
    assert api.ask("OPTIONS", "/integrations/x").headers["allow"] == "GET, HEAD, PATCH, DELETE, OPTIONS"
    assert api.ask("OPTIONS", "/nothing").status == 404
    assert talk(api, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 0.5)[0] == [204]
    got, head = api.ask("GET", "/healthz"), api.ask("HEAD", "/healthz")
    assert head.body == b"" and {**head.headers, "date": ""}.keys() == got.headers.keys() and head.headers["content-length"] == str(len(got.body))
    wrong = api.ask("HEAD", "/nothing")
    assert wrong.status == 404 and wrong.body == b"" and int(wrong.headers["content-length"]) > 0


SAFE = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'"}


def test_every_answer_tells_browsers_to_keep_and_run_nothing(api):
    for asked in (("GET", "/healthz"), ("GET", "/integrations"), ("GET", "/nothing"), ("PUT", "/integrations"), ("OPTIONS", "/integrations"),
                  ("GET", "/integrations?page=1")):
        headers = api.ask(*asked).headers
        assert {name: headers.get(name) for name in SAFE} == SAFE, asked
        assert "strict-transport-security" not in headers and "server" not in headers


def test_pages_of_other_origins_get_nothing_unless_theirs_is_configured(api, notify_api):
    ask = {"Origin": "https://desk.example", "Access-Control-Request-Method": "POST"}
    for answer in (api.ask("OPTIONS", "/integrations", headers=ask), api.ask("GET", "/integrations", headers=ask)):
        assert not [name for name in answer.headers if name.startswith("access-control")] and "vary" not in answer.headers
    open_to = notify_api({"api": {"cors_origins": ["https://desk.example", "http://localhost:3000"]}})
    answer = open_to.ask("OPTIONS", "/integrations", headers=ask)
    assert (answer.status, answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (204, "https://desk.example", "Origin")
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST, OPTIONS"
    assert "authorization" in answer.headers["access-control-allow-headers"].lower() and "access-control-allow-credentials" not in answer.headers
    got = open_to.ask("GET", "/integrations", headers=ask)
    assert got.status == 401 and got.headers["access-control-allow-origin"] == "https://desk.example" and got.headers["vary"] == "Origin"
    for other in ("https://desk.example:443", "https://DESK.example", "https://desk.example.evil", "null", "*", "http://desk.example", ""):
        for method in ("OPTIONS", "GET"):
            answer = open_to.ask(method, "/integrations", headers={**ask, "Origin": other})
            assert not [name for name in answer.headers if name.startswith("access-control")] and answer.headers["vary"] == "Origin", other


@pytest.fixture
def tls(tmp_path):
    """Settings with a certificate for 127.0.0.1."""
    certificate, key = tmp_path / "api.pem", tmp_path / "api.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=api",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {"certificate_file": str(certificate), "key_file": str(key)}


def test_with_a_certificate_it_speaks_tls_1_2_and_later_and_nothing_else(notify_api, tls):
    api = notify_api({"api": tls})
    answer = api.ask("GET", "/healthz")
    assert answer.status == 200 and answer.headers["strict-transport-security"] == "max-age=31536000" and {n: answer.headers[n] for n in SAFE} == SAFE
    for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(tls["certificate_file"])
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        try:
            with socket.create_connection(("127.0.0.1", api.port), 5) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as one:
                one.sendall(GET + HOST + b"\r\n")
                spoken = one.recv(1000).startswith(b"HTTP/1.1 200")
        except OSError:
            spoken = False
        assert spoken == good, version
    assert talk(api, GET + HOST + b"\r\n")[0] == []  # in clear


def test_a_certificate_that_cannot_be_used_is_named_and_nothing_starts(notify_api, tls, build, tmp_path):
    other = tmp_path / "other.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True, capture_output=True)
    cases = [({"certificate_file": tls["certificate_file"]}, "api.certificate_file: needs api.key_file"), ({"key_file": tls["key_file"]}, "needs api.certificate_file"),
             ({**tls, "key_file": "/nonexistent/x"}, "/nonexistent/x"), ({**tls, "key_file": str(other)}, "belong"), ({**tls, "key_file": "/dev/null"}, "empty"),
             ({"cors_origins": ["https://desk.example/"]}, "api.cors_origins: origin 1")]
    for number, (settings, said) in enumerate(cases):
        with pytest.raises(StartError) as error:
            notify_api({"api": settings}, expected_exit=78)
        assert said in str(error.value), (number, error.value)
        assert "PRIVATE KEY" not in str(error.value)


def test_who_begins_tls_and_does_not_go_on_is_closed_and_keeps_nobody_waiting(notify_api, tls):
    api = notify_api({"api": {**tls, "patience": 1.0}})
    silent = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(40)]
    for number, one in enumerate(silent):
        one.settimeout(10)
        one.sendall([b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n"][number % 3])
    for _ in range(10):
        assert api.ask("GET", "/healthz").status == 200
    for one in silent:
        try:
            while one.recv(1000):  # an alert, for those who sent no TLS
                pass
        except ConnectionResetError:
            pass
        one.close()

"""The signature checker against published vectors; everything that says "the signature is right" rests on it."""

from __future__ import annotations

import pytest

from sandbox.signatures import BadSignature, standard_key, standard_signature, verify_pencheff, verify_signatures, verify_standard

# From the test suites of the Standard Webhooks libraries (go, python, javascript, java, php, c#, ruby; the second: rust).
FIRST = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}',
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
SECOND = ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553",
          b'{"email":"test@example.com","username":"test_user"}', "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")
OTHER = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def check(vector: tuple, signature: str | None = None, **changes: str) -> None:
    secret, message_id, timestamp, body, right = vector
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature or right, **changes}
    verify_standard({name: value for name, value in headers.items() if value}, body, secret)


@pytest.mark.parametrize("vector", [FIRST, SECOND])
def test_published_signatures_verify(vector: tuple) -> None:
    check(vector)
    assert standard_signature(*vector[1:4], vector[0]) == vector[4]


def test_one_right_signature_in_a_list_is_enough() -> None:
    check(FIRST, f"{OTHER} {OTHER.replace('v1', 'v2')} {FIRST[4]} {OTHER}")


@pytest.mark.parametrize("wrong", [
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", "v1,", FIRST[4][:11], f"{OTHER} {OTHER} {OTHER}",
    FIRST[4].replace("v1", "v2"),
])
def test_wrong_signatures_do_not_verify(wrong: str) -> None:
    with pytest.raises(BadSignature, match="does not match"):
        check(FIRST, wrong)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_does_not_verify(name: str) -> None:
    with pytest.raises(BadSignature, match=name):
        check(FIRST, **{name: ""})


def test_another_id_or_time_or_body_does_not_verify() -> None:
    for change in ({"webhook-id": "msg_other"}, {"webhook-timestamp": "1614265331"}):
        with pytest.raises(BadSignature):
            check(FIRST, **change)
    with pytest.raises(BadSignature):
        check((*FIRST[:3], FIRST[3] + b" ", FIRST[4]))


def test_a_secret_may_lack_its_padding_and_other_secrets_are_their_bytes() -> None:
    assert standard_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS") == standard_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS=")
    assert standard_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr") == standard_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr==")
    assert standard_key("geheim ✓") == "geheim ✓".encode()
    for empty in ("", "whsec_"):
        with pytest.raises(BadSignature, match="empty"):
            standard_key(empty)
    with pytest.raises(BadSignature, match="base64"):
        standard_key("whsec_***")


# From GitHub's documentation of its X-Hub-Signature-256, which is made in the same way; the second from octokit's tests.
@pytest.mark.parametrize("secret, body, right", [
    ("It's a Secret to Everybody", b"Hello, World!", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    ("mysecret", b'{"foo":"bar"}', "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"),
])
def test_the_body_signature_is_made_like_githubs(secret: str, body: bytes, right: str) -> None:
    headers = {"x-pencheff-signature": f"sha256={right}", "x-pencheff-timestamp": "1614265330"}
    verify_pencheff(headers, body, secret)
    for wrong in ({"x-pencheff-signature": f"sha256={right.upper()}"}, {"x-pencheff-signature": right},
                  {"x-pencheff-signature": ""}, {"x-pencheff-timestamp": ""}):
        with pytest.raises(BadSignature):
            verify_pencheff({**headers, **wrong}, body, secret)
    with pytest.raises(BadSignature, match="webhook-id"):
        verify_signatures(headers, body, secret)

"""Fernet both ways with Python's cryptography, which is what the live product seals its settings with."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

LENGTHS = [0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 255, 256, 4096, 65537]


def tool(build: Path, keys: list[bytes], lines: list[str]) -> list[str]:
    done = subprocess.run([build / "tests" / "unit" / "fernet_tool", *(key.decode() for key in keys)],
                          input="".join(line + "\n" for line in lines), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.fixture
def keys() -> list[bytes]:
    return [Fernet.generate_key() for _ in range(3)]


def test_python_opens_what_we_seal(build: Path, keys: list[bytes]) -> None:
    plain = [os.urandom(n) for n in LENGTHS]
    tokens = tool(build, keys, [f"encrypt {p.hex()}" for p in plain])
    assert [Fernet(keys[0]).decrypt(token.encode(), ttl=600) for token in tokens] == plain
    assert len(set(tool(build, keys, ["encrypt 00"] * 50))) == 50, "an IV was used twice"


def test_we_open_what_python_seals_under_any_of_the_keys(build: Path, keys: list[bytes]) -> None:
    plain = [os.urandom(n) for n in LENGTHS]
    for key in keys:
        answers = tool(build, keys, ["decrypt " + Fernet(key).encrypt(p).decode() for p in plain])
        assert answers == [f"= {p.hex()}" for p in plain]
    rotated = MultiFernet([Fernet(key) for key in keys]).rotate(Fernet(keys[2]).encrypt(b"x"))
    assert tool(build, keys[:1], ["decrypt " + rotated.decode()]) == ["= 78"]
    assert tool(build, keys[:1], ["decrypt " + Fernet(keys[1]).encrypt(b"x").decode()]) == ["! no_key"]


def test_a_token_that_python_refuses_is_refused(build: Path, keys: list[bytes]) -> None:
    chance = random.Random(5)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
    lines, python = [], []
    for _ in range(2000):
        token = list(Fernet(keys[0]).encrypt(os.urandom(chance.randint(0, 20))).decode())
        for _ in range(chance.randint(0, 2)):
            at = chance.randrange(len(token))
            token[at:at + chance.choice([0, 1, 1, 1])] = [chance.choice(alphabet)]
        text = "".join(token)
        try:
            python.append("= " + Fernet(keys[0]).decrypt(text.encode()).hex())
        except InvalidToken:
            python.append("!")
        lines.append("decrypt " + text)
    answers = tool(build, keys[:1], lines)
    # Python's base64 also takes other spellings of the same bytes; we take one, so we may refuse more, never less.
    wrong = [(line, ours, theirs) for line, ours, theirs in zip(lines, answers, python) if ours != theirs and not ours.startswith("!")]
    assert not wrong
    assert sum(answer.startswith("=") for answer in answers) > 400


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def python_key(text: str) -> str:
    """What our tool says of a key, by Python."""
    try:
        Fernet(text)
    except ValueError:
        return "! not a key"
    return "= " + base64.urlsafe_b64decode(text).hex()


def test_a_key_that_python_takes_is_taken_whatever_its_alphabet_and_last_bits(build: Path, keys: list[bytes]) -> None:
    chance = random.Random(7)
    variants = []
    for _ in range(300):
        key = base64.b64encode(chance.randbytes(32)).decode()
        mixed = "".join(chance.choice({"+": "+-", "/": "/_"}.get(c, c)) for c in key)
        variants += [key, key.replace("+", "-").replace("/", "_"), mixed, key[:42] + chance.choice(ALPHABET + "+/-_") + "="]
        variants += [key[:-1], key[1:], "A" + key, key[:-1] + "A", key[:-2] + "==", key[:42] + "="]
    python = [python_key(text) for text in variants]
    answers = tool(build, keys, [f"key {text}" for text in variants])
    assert not [both for both in zip(variants, answers, python) if both[1] != both[2]]
    assert sum(answer.startswith("=") for answer in answers) == 1200


def test_a_key_with_foreign_characters_is_never_read_as_another_key(build: Path, keys: list[bytes]) -> None:
    """Python drops what is not of the alphabet; we refuse it, because two keys in one text are a mistake."""
    chance = random.Random(8)
    variants = []
    for _ in range(2000):
        key = list(base64.urlsafe_b64encode(chance.randbytes(32)).decode())
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(key) + 1)
            key[at:at + chance.choice([0, 1])] = [chance.choice(ALPHABET + "+/-_=,. *")]
        variants.append("".join(key))
    answers = tool(build, keys, [f"key {text}" for text in variants])
    assert not [(text, ours) for text, ours in zip(variants, answers) if ours not in ("! not a key", python_key(text))]


def test_settings_sealed_by_either_side_are_opened_by_the_other(build: Path, keys: list[bytes]) -> None:
    config = {"webhook_url": "https://hooks.example/ü→", "hmac_secret": 'a"b\\c\n', "headers": {"X-A": "b"}}
    text = json.dumps(config)
    product = Fernet(keys[0]).encrypt(json.dumps({"config": text}, separators=(",", ":")).encode()).decode()
    bare = Fernet(keys[0]).encrypt(text.encode()).decode()
    for token in (product, bare):
        answer = tool(build, keys, [f"open {token}"])[0]
        assert json.loads(bytes.fromhex(answer.removeprefix("= "))) == config
    sealed = tool(build, keys, [f"seal {text.encode().hex()}"])[0]
    outer = json.loads(Fernet(keys[0]).decrypt(sealed.encode()))
    assert list(outer) == ["config"] and json.loads(outer["config"]) == config

"""Checks the two signatures of a webhook as its receiver would; written from the public specifications, not from our code.

- `X-Pencheff-Signature: sha256=<hex HMAC-SHA256 of the exact body>`, keyed with the secret's bytes.
- Standard Webhooks 1.0.0: `webhook-signature` holds space-separated `v1,<base64>` entries over `<id>.<timestamp>.<body>`.
  A secret that starts with `whsec_` is base64 of the key (its padding may be missing); any other secret is its own bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Mapping


class BadSignature(Exception):
    pass


def standard_key(secret: str) -> bytes:
    if not secret:
        raise BadSignature("empty secret")
    if not secret.startswith("whsec_"):
        return secret.encode()
    text = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise BadSignature(f"not base64 after whsec_: {error}") from None
    if not key:
        raise BadSignature("empty secret")
    return key


def standard_signature(message_id: str, timestamp: str, body: bytes, secret: str) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret), signed, hashlib.sha256)).decode()


def verify_standard(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """HEADERS with lower-cased names. Raises BadSignature unless one v1 entry is right."""
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not headers.get(name):
            raise BadSignature(f"no {name}")
    if not headers["webhook-timestamp"].isdecimal():
        raise BadSignature("webhook-timestamp is not a whole number of seconds")
    right = standard_signature(headers["webhook-id"], headers["webhook-timestamp"], body, secret)
    given = headers["webhook-signature"].split(" ")
    if not any(hmac.compare_digest(entry.encode(), right.encode()) for entry in given):
        raise BadSignature(f"webhook-signature does not match (right: {right}, given: {given})")


def verify_pencheff(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    given = headers.get("x-pencheff-signature", "")
    right = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise BadSignature(f"X-Pencheff-Signature does not match (right: {right}, given: {given or 'none'})")
    if not headers.get("x-pencheff-timestamp", "").isdecimal():
        raise BadSignature("X-Pencheff-Timestamp is missing or not a whole number of seconds")


def verify_signatures(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """Both schemes must hold; raises BadSignature with what is wrong."""
    verify_pencheff(headers, body, secret)
    verify_standard(headers, body, secret)

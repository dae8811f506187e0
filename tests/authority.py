"""Certificates for whoever speaks TLS in a test."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.key, self.certificate = self._make(f"authority-{folder.name}", None)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._pem(self.certificate))

    def context(self, name: str, *, own: bool = False, days: tuple[int, int] = (-10, 10),
                newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
        """A server's side. NAME is what the certificate is for; OWN: signed by itself; DAYS: from and to when it is valid."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files(name, own=own, days=days))
        if ssl.TLSVersion.MAXIMUM_SUPPORTED != newest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
        return context

    def files(self, name: str, *, own: bool = False, days: tuple[int, int] = (-10, 10),
              password: bytes | None = None) -> tuple[Path, Path]:
        """A certificate, as for context(), and its key: two files in PEM form. PASSWORD: encrypts the key."""
        key, certificate = self._make(name, None if own else (self.key, self.certificate), days)
        files = tuple(self.folder / f"{certificate.serial_number}.{end}" for end in ("pem", "key"))
        files[0].write_bytes(self._pem(certificate))
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
        return files

    @staticmethod
    def _pem(certificate: Any) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _make(name: str, by: tuple[Any, Any] | None, days: tuple[int, int] = (-10, 10)) -> tuple[Any, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.utcnow()
        try:
            alternative: Any = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(by[1].subject if by else subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.SubjectAlternativeName([alternative]), False)
                   .add_extension(x509.BasicConstraints(ca=name.startswith("authority-"), path_length=None), True))
        return key, builder.sign(by[0] if by else key, hashes.SHA256())

"""Authorities and certificates for tests, good ones and each kind of bad one, made as the product makes them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from calza_server.access.tls_files import Leaf
from calza_server.adapters.certificates import Pair, new_authority, new_key, new_leaf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import ec

DAY_MS: Final = 86_400_000
HERE: Final = ("localhost", "127.0.0.1", "::1")
BAD: Final = {
    "expired": "tls_expired",
    "not yet valid": "tls_not_yet_valid",
    "for another host": "tls_wrong_host",
    "self-signed": "tls_unknown_ca",
    "of another authority": "tls_unknown_ca",
    "of an authority that expired": "tls_expired",
}
"""Each way a certificate can be bad, and the code it must be refused with."""


def today_ms(days: float = 0) -> int:
    """Now, or so many days from now, in Unix milliseconds."""
    return time.time_ns() // 1_000_000 + int(days * DAY_MS)


@dataclass(frozen=True)
class Authority:
    """One authority; `pem` is the file a gateway would pin."""

    pair: Pair
    pem: Path
    made_ms: int

    @classmethod
    def make(cls, folder: Path, name: str = "authority", made_ms: int | None = None) -> Authority:
        made_ms = today_ms(-500) if made_ms is None else made_ms
        key = new_key()
        pair = Pair(new_authority(key, made_ms), key)
        pem = folder / f"{name}.pem"
        pem.write_text(pair.certificate)
        return cls(pair, pem, made_ms)

    def leaf(self, folder: Path, names: Sequence[str] = HERE, made_ms: int | None = None, name: str = "leaf") -> Leaf:
        return written(folder, name, new_leaf(self.pair, names, today_ms() if made_ms is None else made_ms))


def written(folder: Path, name: str, pair: Pair) -> Leaf:
    """The pair as two files."""
    leaf = Leaf(folder / f"{name}.pem", folder / f"{name}.key")
    leaf.key.write_text(pair.key)
    leaf.certificate.write_text(pair.certificate)
    return leaf


def case(kind: str, folder: Path) -> tuple[Path, Leaf]:
    """The file to trust, and what a server shows; good for localhost and 127.0.0.1 unless the kind says otherwise."""
    authority = Authority.make(folder)
    match kind:
        case "good":
            leaf = authority.leaf(folder)
        case "expired":
            leaf = authority.leaf(folder, made_ms=today_ms(-398))
        case "not yet valid":
            leaf = authority.leaf(folder, made_ms=today_ms(+3))
        case "for another host":
            leaf = authority.leaf(folder, ["clinic.example", "192.0.2.7"])
        case "self-signed":
            leaf = self_signed(folder)
        case "of another authority":
            leaf = Authority.make(folder, "another").leaf(folder)
        case "of an authority that expired":
            authority = Authority.make(folder, made_ms=today_ms(-3_651))
            leaf = authority.leaf(folder, made_ms=today_ms(-300))
        case _:
            raise AssertionError(kind)
    return authority.pem, leaf


def self_signed(folder: Path, name: str = "alone") -> Leaf:
    """For the right host and the right time, and vouched for by nobody but itself."""
    key = new_key()
    private: ec.EllipticCurvePrivateKey = load_pem_private_key(key.encode(), None)  # type: ignore[assignment]  # P-256
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(private, hashes.SHA256())
    )
    return written(folder, name, Pair(made.public_bytes(Encoding.PEM).decode(), key))

"""X.509 by `cryptography`: makes an authority, lets it vouch for a server, reads what is in a certificate.

Texts (PEM) in, texts out; which files they are in is not known here. Keys are drawn from the system's own chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from calza_server.access.tls_files import TlsError
from calza_wire.tls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CURVE: Final = ec.SECP256R1()  # P-256: every TLS library has it, and a small gateway checks it in a millisecond
# Browsers refuse a public certificate of more than 398 days, and what is renewed every year is known to work.
LEAF_DAYS: Final = 397
AUTHORITY_DAYS: Final = 3_650  # a new authority means a visit to every gateway: as long as the machines last
# A gateway whose clock is some hours behind must not refuse what was made a minute ago.
BACKDATED: Final = timedelta(days=1)
DAY_S: Final = 86_400


class CertificateError(TlsError):
    """What should be a certificate or its key cannot be used; the sentence says why. Its code is always the same."""

    def __init__(self, sentence: str) -> None:
        super().__init__("tls_bad_certificate", sentence)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says of itself. `fingerprint` is the SHA-256 of the whole, as other programs print it."""

    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: str

    @property
    def public_name(self) -> str | None:
        """The first of its names that other machines can use."""
        return next((name for name in self.names if not is_loopback(name)), None)

    def days_left(self, now_ms: int) -> float:
        """Days from `now_ms` (Unix) until it ends; negative when it is over."""
        return (self.ends.timestamp() - now_ms / 1_000) / DAY_S


def new_key() -> str:
    """A private key."""
    made = ec.generate_private_key(CURVE)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def new_authority(key: str, now_ms: int) -> str:
    """The certificate of a private authority with that key. Raises CertificateError for what is no key.

    Its name is drawn from the key, so that an authority made anew is never mistaken for the one before it.
    """
    own = _private(key)
    public = own.public_key()
    mark = x509.SubjectKeyIdentifier.from_public_key(public)
    name = _name(f"Calza authority {mark.digest.hex()[:8]}")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    built = (
        _begun(name, name, public, now_ms, _day(now_ms) + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)  # it vouches for no authority
        .add_extension(usage, critical=True)
        .add_extension(mark, critical=False)
        .sign(own, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()


def new_leaf(authority: Pair, names: Sequence[str], now_ms: int) -> Pair:
    """A server's certificate for host names and addresses, with a new key; never outlives its authority.

    Raises CertificateError for an authority that cannot be used or whose key belongs to another.
    """
    issuer, signer = _load(authority.certificate), _private(authority.key)
    if not belongs(authority):
        raise CertificateError("the authority's key does not belong to its certificate")
    key = new_key()
    public = _private(key).public_key()
    ends = min(_day(now_ms) + timedelta(days=LEAF_DAYS), issuer.not_valid_after_utc)
    if ends <= _day(now_ms):
        raise CertificateError("the authority has expired: make another, and give its ca.pem to every gateway")
    built = (
        _begun(_name(names[0][:64]), issuer.subject, public, now_ms, ends)  # 64: the most that a common name may have
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_issued_by(issuer), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return Pair(built.public_bytes(Encoding.PEM).decode(), key)


def belongs(pair: Pair) -> bool:
    """Whether the key is the certificate's own. Raises CertificateError."""
    return _octets(_load(pair.certificate).public_key()) == _octets(_private(pair.key).public_key())


def vouched(certificate: str, authority: str) -> bool:
    """Whether that authority signed the certificate. Raises CertificateError for what is no certificate."""
    leaf, issuer = _load(certificate), _load(authority)
    try:
        leaf.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - every reason it has, an unknown algorithm too, means the same here
        return False
    return True


def read_facts(certificate: str) -> Facts:
    """What the first certificate in a text says. Raises CertificateError."""
    read = _load(certificate)
    try:
        names = tuple(
            str(each.value) for each in read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        )
    except x509.ExtensionNotFound:
        names = ()  # an authority has none
    return Facts(names, read.not_valid_before_utc, read.not_valid_after_utc, _fingerprint(read))


def days_left(path: Path, now_ms: int) -> float:
    """Days until the certificate in a file ends. Raises OSError, CertificateError."""
    return read_facts(path.read_text(encoding="utf-8", errors="replace")).days_left(now_ms)


def _begun(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now_ms: int, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_day(now_ms) - BACKDATED)
        .not_valid_after(ends)
    )


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    mark = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(mark)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _day(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms // 1_000, UTC)


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _octets(public: object) -> bytes:
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise CertificateError("the key is not of the kind made here (ECDSA P-256)")
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _load(certificate: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        raise CertificateError("it holds no certificate that can be read") from error


def _private(key: str) -> ec.EllipticCurvePrivateKey:
    try:
        read = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise CertificateError("it holds no private key that can be read") from error
    if not isinstance(read, ec.EllipticCurvePrivateKey):
        raise CertificateError("the key is not of the kind made here (ECDSA P-256)")
    return read

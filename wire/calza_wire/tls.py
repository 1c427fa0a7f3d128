"""Who is believed on the way between the parts, and what is said when somebody is not. Opens no connection.

Patients' readings travel in clear on the loopback address and nowhere else, unless somebody asks for it in so many
words. Both ends go by these rules: the gateway towards its broker, and the server towards a broker it did not start.
"""

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

# OpenSSL's own numbers (x509_vfy.h); Python gives them as `verify_code` and has no names for them.
NOT_YET_VALID: Final = 9
EXPIRED: Final = 10
WRONG_HOST: Final = frozenset({62, 64})  # no such name; no such address
UNKNOWN_CA: Final = frozenset(
    {2, 18, 19, 20, 21}
)  # no issuer at hand; self-signed alone or on top; nothing to check by


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a TLS connection did not come about: a stable code, and a sentence that says what to do."""

    code: str
    sentence: str


def is_loopback(host: str) -> bool:
    """Whether what is sent there never leaves this machine. A name other than `localhost` is not looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """For clients: believes the authorities in `ca_file` (PEM) and nobody else; None: those of the system.

    The peer must show a certificate for the host that was asked for, and TLS is 1.2 or newer. Raises `OSError` for a
    file that cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def refusal(error: ssl.SSLError, place: str) -> Refusal:
    """What went wrong with whoever answered at `place`."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        why = error.reason or error.strerror or str(error)
        told = f"no TLS connection to {place} came about ({why}): does TLS 1.2 or newer listen at that port?"
        return Refusal("tls_failed", told)
    if error.verify_code == EXPIRED:
        told = "has expired: renew it there; if it has not, the clock here is ahead"
        return Refusal("tls_expired", f"the certificate of {place} {told}")
    if error.verify_code == NOT_YET_VALID:
        told = "is not valid yet by the clock here: set the clock; if it is right, the one that made it was ahead"
        return Refusal("tls_not_yet_valid", f"the certificate of {place} {told}")
    if error.verify_code in WRONG_HOST:
        told = "was made for other names: reach it by one of those, or make one for this name"
        return Refusal("tls_wrong_host", f"the certificate of {place} {told}")
    if error.verify_code in UNKNOWN_CA:
        told = "was not made by the authority trusted here: check the CA file, and who it is that answers there"
        return Refusal("tls_unknown_ca", f"the certificate of {place} {told}")
    return Refusal("tls_failed", f"the certificate of {place} is not accepted: {error.verify_message}")

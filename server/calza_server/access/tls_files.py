"""Where the TLS files of a state folder are, and how a server shows its certificate. Knows no X.509; see `ca`.

What is renewed on disk is shown from the next connection on: nothing needs to be started again.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calza_wire.tls import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "tls"

_log = logging.getLogger(__name__)


class TlsError(Exception):
    """TLS cannot be had as asked, or is missing where it must be; the sentence says what to do. `code` is stable:

    "tls_needed" (a misuse), "tls_no_certificate", "tls_bad_certificate"; those of `ca` are beside its refusals.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Leaf:
    """The two files by which one server proves who it is."""

    certificate: Path
    key: Path

    def version(self) -> tuple[int, ...]:
        """Changes whenever one of the files does, comes or goes."""
        return _changed_ns(self.certificate), _changed_ns(self.key)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of one state folder, there or not."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate: no secret, and what every gateway trusts."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The authority's key: needed to make certificates, never to run a server."""
        return self.folder / "ca.key"

    @property
    def broker(self) -> Leaf:
        """The broker's."""
        return Leaf(self.folder / "broker.pem", self.folder / "broker.key")

    @property
    def server(self) -> Leaf:
        """That of pages and API."""
        return Leaf(self.folder / "server.pem", self.folder / "server.key")


@dataclass(frozen=True, slots=True)
class TlsListener:
    """Where a broker takes encrypted connections, and by which files."""

    host: str
    port: int
    files: TlsFiles


def tls_files(state: Path) -> TlsFiles:
    """The TLS files that belong to a state folder."""
    return TlsFiles(state / FOLDER)


def refuse_in_clear(host: str, option: str, *, tls: bool) -> None:
    """Raises TlsError if what is sent there would leave this machine in clear. `option` is where the host came from."""
    if not tls and not is_loopback(host):
        told = f"{option} {host} is reached from other machines, and readings must not travel in clear: give --tls too"
        raise TlsError("tls_needed", told)


def load(leaf: Leaf) -> ssl.SSLContext:
    """A context that shows the certificate as it is on disk now; TLS 1.2 or newer. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(leaf.certificate, leaf.key)
    except FileNotFoundError as error:
        missing = leaf.key if leaf.certificate.exists() else leaf.certificate
        raise TlsError("tls_no_certificate", f"there is no {missing}: `calza server ca` makes one") from error
    except ssl.SSLError as error:  # before OSError, which it is too
        told = f"{leaf.certificate} and its key {leaf.key.name} do not fit together or cannot be read: "
        told += "`calza server ca --renew` makes both anew"
        raise TlsError("tls_bad_certificate", told) from error
    except OSError as error:
        raise TlsError("tls_bad_certificate", f"{leaf.certificate} cannot be used: {error.strerror}") from error
    return context


def serving_context(leaf: Leaf) -> ssl.SSLContext:
    """A context for a server that runs for long: each connection is shown what is on disk then. Raises TlsError.

    A renewal that is half written, or spoilt, changes nothing: the certificate before it is shown until it fits.
    """
    context = load(leaf)
    current, seen = context, leaf.version()

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called at every handshake, before the certificate is shown."""
        nonlocal current, seen
        if (version := leaf.version()) != seen:
            seen = version  # good or not, it is looked at once
            try:
                current = load(leaf)
                _log.info("the certificate %s was renewed and is in use", leaf.certificate)
            except TlsError as error:
                _log.warning("the certificate before is still in use: %s", error)
        connection.context = current

    context.sni_callback = choose
    return context


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0

"""A private authority in the state folder, and the certificates it makes for the broker and for pages and API.

An authority that is there is never replaced: every gateway trusts it by its file. What a certificate looks like is the
adapter's affair; this module decides what is made, kept and refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from calza_server.access.tls_files import Leaf, TlsError, TlsFiles, tls_files
from calza_server.adapters.certificates import (
    CertificateError,
    Facts,
    Pair,
    belongs,
    new_authority,
    new_key,
    new_leaf,
    read_facts,
    vouched,
)
from calza_server.files.folder_lock import only_one
from calza_server.files.private_files import make_private_folder, write_private
from calza_server.files.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")  # this machine's own programs and health checks come by these
WARN_DAYS: Final = 30  # one month's round of maintenance falls into it
HOST_OCTETS_AT_MOST: Final = 253
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class CaError(TlsError):
    """The authority or a certificate cannot be made as asked; the sentence says what to do. `code` is stable."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One certificate of the folder: its file and what it says."""

    path: Path
    facts: Facts


def parse_host(text: str) -> str:
    """A host name or an address as certificates know it. Raises CaError, code "bad_host"."""
    host = text.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        if len(host) <= HOST_OCTETS_AT_MOST and _HOST.fullmatch(host) and not host.rpartition(".")[2].isdecimal():
            return host
        told = f"{text!r} is no host: give a name such as clinic.example (without port), or an address"
        raise CaError("bad_host", told) from None
    if address.is_unspecified or "%" in host:
        raise CaError("bad_host", f"{text!r} is no address that others can call: give the one they use")
    return str(address)


def establish(state: Path, hosts: Sequence[str], machine: str, now_ms: int, *, renew: bool) -> tuple[Path, ...]:
    """Make what is missing, and the servers' certificates anew if asked to; the certificate files made, oldest first.

    Without `hosts` a certificate keeps the names it has, and a first one gets `machine`; LOCAL_NAMES are always among
    them. Raises CaError, CertificateError, RunError (somebody is at it already), OSError.
    """
    wanted = _names(hosts)
    files = tls_files(state)
    with only_one(state, "ca"):
        make_private_folder(files.folder)
        made = [] if files.ca.exists() else [_make_authority(files, now_ms)]
        authority = _read(files.ca)
        for leaf in (files.broker, files.server):
            if renew or not _usable(leaf, authority, wanted):
                names = wanted or _known_names(files) or _names([machine])
                made.append(_make_leaf(files, leaf, names, now_ms))
    return tuple(made)


def kept(state: Path) -> tuple[Kept, ...]:
    """The certificates in the folder, the authority first. Raises CertificateError, OSError."""
    files = tls_files(state)
    paths = (files.ca, files.broker.certificate, files.server.certificate)
    return tuple(Kept(path, _facts(path)) for path in paths if path.exists())


def names(certificate: Path) -> tuple[str, ...]:
    """The hosts a certificate was made for. Raises CertificateError, OSError."""
    return _facts(certificate).names


def expiry_warnings(state: Path, now_ms: int) -> tuple[str, ...]:
    """A sentence for every certificate that ends within `WARN_DAYS`. Raises CertificateError, OSError."""
    told = []
    for each in kept(state):
        left = each.facts.days_left(now_ms)
        if left <= WARN_DAYS:
            when = f"ends in {left:.0f} days" if left > 0 else "has expired: gateways and browsers refuse it"
            told.append(f"the certificate {each.path} {when}; {_remedy(each.path, state)}")
    return tuple(told)


def _remedy(path: Path, state: Path) -> str:
    if path == tls_files(state).ca:
        return f"move {path.parent} aside, run `calza server ca`, and give the new ca.pem to every gateway"
    return "run `calza server ca --renew`"


def _names(hosts: Sequence[str]) -> tuple[str, ...]:
    """What a certificate for these hosts holds, each once; nothing for none."""
    given = [parse_host(host) for host in hosts]
    return tuple(dict.fromkeys([*given, *LOCAL_NAMES])) if given else ()


def _known_names(files: TlsFiles) -> tuple[str, ...]:
    """The names of what was made before, so that one that was lost comes back as it was."""
    for leaf in (files.broker, files.server):
        if leaf.certificate.exists() and (found := names(leaf.certificate)):
            return found
    return ()


def _usable(leaf: Leaf, authority: str, wanted: Sequence[str]) -> bool:
    """Whether this one can stay as it is; False for one that is missing or half written. Raises CaError for another's.

    A certificate somebody put there, or one for other names, is not replaced unless asked for: it may be in use.
    """
    if not leaf.certificate.exists() or not leaf.key.exists():
        return False
    certificate = _read(leaf.certificate)
    try:
        if not vouched(certificate, authority):
            told = f"{leaf.certificate} was not made by the authority beside it; --renew replaces it by one that is"
            raise CaError("foreign_certificate", told)
        if lacking := set(wanted) - set(read_facts(certificate).names):
            told = f"{leaf.certificate} was made without {', '.join(sorted(lacking))}; with --renew the names given"
            raise CaError("other_names", f"{told} take the place of those it has")
        return belongs(Pair(certificate, _read(leaf.key)))
    except CertificateError as error:
        told = f"{leaf.certificate} or its key is spoilt ({error}); remove both, and this makes others"
        raise CertificateError(told) from error


def _make_authority(files: TlsFiles, now_ms: int) -> Path:
    """The key first: without a certificate it has vouched for nobody, and a second try goes on with it."""
    if not files.ca_key.exists():
        write_private(files.ca_key, new_key())
    write_whole(str(files.ca), new_authority(_read(files.ca_key), now_ms))
    return files.ca


def _make_leaf(files: TlsFiles, leaf: Leaf, hosts: Sequence[str], now_ms: int) -> Path:
    if not files.ca_key.exists():
        told = f"{files.ca_key} is not here, and without it nothing can be signed: put it back for this one step"
        raise CaError("ca_key_away", told)
    try:
        made = new_leaf(Pair(_read(files.ca), _read(files.ca_key)), hosts, now_ms)
    except CertificateError as error:
        raise CertificateError(f"nothing can be signed with {files.ca} and its key: {error}") from error
    write_private(leaf.key, made.key)
    write_whole(str(leaf.certificate), made.certificate)
    return leaf.certificate


def _facts(path: Path) -> Facts:
    try:
        return read_facts(_read(path))
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from error


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")  # what is no text is no PEM either, and is told so there

"""Whom a client believes, and what it says when it does not: real handshakes, in memory."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from calza_server.access.tls_files import load
from calza_server.adapters.certificates import Pair, new_leaf
from calza_wire.tls import is_loopback, refusal, trusting
from tests.server.authority import BAD, Authority, case, today_ms, written

if TYPE_CHECKING:
    from pathlib import Path


def shake(client: ssl.SSLContext, server: ssl.SSLContext, host: str = "localhost") -> ssl.SSLObject:
    """A whole handshake without a socket; the client's side of it. Raises what either side raises, client first."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(back, there, server_hostname=host),
        server.wrap_bio(there, back, server_side=True),
    ]
    for _ in range(10):
        waiting = 0
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            return sides[0]
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_good_certificate_is_believed_by_name_and_by_address(tmp_path: Path, host: str) -> None:
    authority, leaf = case("good", tmp_path)
    client = trusting(authority)
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    assert shake(client, load(leaf), host).version() == "TLSv1.3"


@pytest.mark.parametrize(("kind", "code"), BAD.items())
def test_each_bad_one_is_refused_with_its_own_code_and_a_plain_sentence(tmp_path: Path, kind: str, code: str) -> None:
    authority, leaf = case(kind, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake(trusting(authority), load(leaf))
    refused = refusal(caught.value, "the broker at clinic.example:8883")
    assert refused.code == code
    assert refused.sentence.startswith("the certificate of the broker at clinic.example:8883 ")
    assert "_ssl.c" not in refused.sentence


@pytest.mark.parametrize("host", ["127.0.0.2", "clinic.example", "localhost.clinic.example", "::2"])
def test_a_good_one_is_refused_under_any_name_it_was_not_made_for(tmp_path: Path, host: str) -> None:
    authority, leaf = case("good", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake(trusting(authority), load(leaf), host)
    assert refusal(caught.value, "it").code == "tls_wrong_host"


def test_only_the_pinned_authority_is_believed(tmp_path: Path) -> None:
    """Not one of the system's, which are many, and not a second one that looks the same but for its key."""
    ours, other = Authority.make(tmp_path, "ours"), Authority.make(tmp_path, "other")
    pinned = trusting(ours.pem)
    assert pinned.cert_store_stats()["x509"] == 1
    assert pinned.verify_mode is ssl.CERT_REQUIRED
    assert pinned.check_hostname
    leaves = ours.leaf(tmp_path, name="one"), other.leaf(tmp_path, name="two")
    shake(pinned, load(leaves[0]))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(pinned, load(leaves[1]))


def test_a_server_certificate_vouches_for_nobody(tmp_path: Path) -> None:
    """Whoever steals the broker's key can be the broker until it ends, and nobody else."""
    authority = Authority.make(tmp_path)
    stolen = authority.leaf(tmp_path, name="stolen")
    thief = Pair(stolen.certificate.read_text(), stolen.key.read_text())
    forged = written(tmp_path, "forged", new_leaf(thief, ["localhost"], today_ms()))
    forged.certificate.write_text(forged.certificate.read_text() + thief.certificate)  # the whole chain is shown
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake(trusting(authority.pem), load(forged))
    assert refusal(caught.value, "it").code == "tls_failed"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused_by_either_side(tmp_path: Path) -> None:
    authority, leaf = case("good", tmp_path)

    def old(context: ssl.SSLContext, minimum: ssl.TLSVersion) -> ssl.SSLContext:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = minimum, ssl.TLSVersion.TLSv1_1
        return context

    both = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError) as caught:
        shake(trusting(authority), old(load(leaf), both))
    refused = refusal(caught.value, "the broker")
    assert (refused.code, "TLS 1.2" in refused.sentence) == ("tls_failed", True)
    with pytest.raises(ssl.SSLError):
        shake(old(trusting(authority), both), load(leaf))
    assert shake(old(trusting(authority), both), old(load(leaf), both)).version() == "TLSv1.1", "these could"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("localhost.clinic.example", False),
        ("mosquitto", False),
        ("", False),
    ],
)
def test_what_stays_on_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here

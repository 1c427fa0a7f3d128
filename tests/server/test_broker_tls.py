"""Mosquitto as our child with TLS for everybody else: real handshakes, renewal while it runs, and what it refuses."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.access.tls_files import TlsListener, tls_files
from calza_server.adapters.amqtt_broker import AmqttBroker
from calza_server.adapters.certificates import read_facts
from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto
from calza_server.ca import establish
from calza_server.ports import BrokerError
from calza_wire.tls import trusting
from tests.server.authority import Authority, today_ms
from tests.server.conftest import free_port
from tests.server.gateway_double import LIMIT_S, GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from calza_server.ports import BrokerAddress


@dataclass
class Site:
    """A broker with TLS in a state folder where `calza server ca` was run for clinic.example."""

    state: Path
    broker: MosquittoBroker
    address: BrokerAddress
    port: int
    password: str
    credentials: Credentials

    def shake(self, client: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> str:
        """Connect and look at the certificate; its fingerprint. Raises ssl.SSLError."""
        context = client or trusting(tls_files(self.state).ca)
        with socket.create_connection((host, self.port), LIMIT_S) as plain:
            with context.wrap_socket(plain, server_hostname=host) as connection:
                shown = connection.getpeercert(binary_form=True)
                assert shown is not None
                return read_facts(ssl.DER_cert_to_PEM_cert(shown)).fingerprint


@contextmanager
def site_at(tmp_path: Path, host: str = "127.0.0.1") -> Iterator[Site]:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    state = tmp_path / "state"
    credentials = Credentials(state, secrets.token_bytes)
    password = credentials.add("bedside")
    establish(state, ["clinic.example"], "this-machine", today_ms(), renew=False)
    plain, port = free_port(), free_port()
    broker = MosquittoBroker(state, plain, credentials, tls=TlsListener(host, port, tls_files(state)))
    address = broker.start()
    try:
        yield Site(state, broker, address, port, password, credentials)
    finally:
        broker.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_at(tmp_path) as running:
        yield running


def test_gateways_come_by_tls_and_our_own_processes_by_loopback(site: Site) -> None:
    """One broker, one set of credentials and rules, whichever way somebody came."""
    ours = GatewayDouble(site.address.port, SERVER_USER, site.address.password, reads="calza/v1/up/#")
    ca_file = tls_files(site.state).ca
    with ours as server, GatewayDouble(site.port, "bedside", site.password, ca_file=ca_file) as gateway:
        assert gateway.puback(gateway.publish("calza/v1/up/other/hello", b"x")) == "Not authorized"
        assert gateway.puback(gateway.publish("calza/v1/up/bedside/hello", b"by TLS")) == "Success"
        server.until(lambda: server.received("hello") == [b"by TLS"])
        server.publish("calza/v1/down/bedside/receipt", b"back")
        gateway.until(lambda: gateway.received("receipt") == [b"back"])
    with GatewayDouble(site.port, "bedside", "wrong", ca_file=ca_file) as stranger:
        assert stranger.connack == "Not authorized"


def test_a_client_id_cannot_be_taken_from_another_credential_by_tls_either(site: Site) -> None:
    ca_file = tls_files(site.state).ca
    other = site.credentials.add("other")

    def thief() -> GatewayDouble:
        return GatewayDouble(site.port, "bedside", other, username="other", reads="calza/v1/down/#", ca_file=ca_file)

    with GatewayDouble(site.port, "bedside", site.password, ca_file=ca_file) as gateway:
        limit = time.monotonic() + LIMIT_S
        let_in = False
        while not let_in:  # the broker learns of the new credential within a moment
            assert time.monotonic() < limit
            with thief() as another:
                let_in = another.connack == "Success"
        assert gateway.puback(gateway.publish("calza/v1/up/bedside/hello", b"x")) != ""
        assert not gateway.ended


def test_nothing_but_tls_is_taken_from_other_machines(tmp_path: Path) -> None:
    with site_at(tmp_path, "0.0.0.0") as site:
        found = psutil.Process(site.broker.pid).net_connections("tcp")
        open_ = {(c.laddr.ip, c.laddr.port) for c in found if c.status == psutil.CONN_LISTEN}
        assert open_ == {("0.0.0.0", site.port), ("127.0.0.1", site.address.port)}
        assert site.broker.gateways_url == f"mqtts://clinic.example:{site.port}"
        with GatewayDouble(site.port, "bedside", site.password) as in_clear:
            assert in_clear.ended
            assert not in_clear.connack
        with pytest.raises(ssl.SSLCertVerificationError):
            site.shake(host="127.0.0.2")


def test_a_renewed_certificate_is_shown_without_a_restart_and_drops_nobody(site: Site) -> None:
    before, pid = site.shake(), site.broker.pid
    ca_file = tls_files(site.state).ca
    with GatewayDouble(site.port, "bedside", site.password, ca_file=ca_file) as gateway:
        establish(site.state, [], "this-machine", today_ms(), renew=True)
        limit = time.monotonic() + LIMIT_S
        while site.shake() == before:
            assert time.monotonic() < limit, "the old certificate is still shown"
        renewed = read_facts(tls_files(site.state).broker.certificate.read_text())
        assert site.shake() == renewed.fingerprint
        assert "clinic.example" in renewed.names, "the names are kept"
        assert gateway.puback(gateway.publish("calza/v1/up/bedside/hello", b"x")) in {
            "Success",
            "No matching subscribers",
        }
        assert not gateway.ended
    assert site.broker.pid == pid


@pytest.mark.parametrize(
    "spoilt",
    [lambda _: "spoilt", lambda state: tls_files(state).server.certificate.read_text()],
    ids=["no certificate", "not for this key"],
)
def test_a_spoilt_certificate_is_not_handed_to_a_running_broker(
    site: Site, caplog: pytest.LogCaptureFixture, spoilt: Callable[[Path], str]
) -> None:
    """Mosquitto told to look at a pair that does not fit would go on with none and refuse everybody."""
    before = site.shake()
    leaf = tls_files(site.state).broker
    good = leaf.certificate.read_text()
    leaf.certificate.write_text(spoilt(site.state))
    limit = time.monotonic() + LIMIT_S
    while "goes on with the certificate it has" not in caplog.text:
        assert time.monotonic() < limit
        time.sleep(0.02)  # nothing else tells when the watching thread has looked
    password = site.credentials.add("late")  # now the broker is told to look again

    def late_gets_in() -> bool:
        with GatewayDouble(site.address.port, "late", password) as late:
            return late.connack == "Success"

    while not late_gets_in():
        assert time.monotonic() < limit
    assert site.shake() == before
    leaf.certificate.write_text(good)
    assert caplog.text.count("goes on with the certificate it has") == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(site: Site) -> None:
    old = trusting(tls_files(site.state).ca)
    old.set_ciphers("ALL:@SECLEVEL=0")  # this library can, if the other side can
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        site.shake(old)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert site.shake(old)


def test_without_a_certificate_the_sentence_names_the_command(tmp_path: Path) -> None:
    listener = TlsListener("127.0.0.1", free_port(), tls_files(tmp_path))
    broker = MosquittoBroker(tmp_path, free_port(), Credentials(tmp_path, os.urandom), tls=listener)
    with pytest.raises(BrokerError, match=r"there is no .*broker\.pem: `calza server ca` makes one"):
        broker.start()


def test_a_key_that_belongs_to_another_certificate_is_a_sentence(tmp_path: Path) -> None:
    establish(tmp_path, [], "this-machine", today_ms(), renew=False)
    leaf = tls_files(tmp_path).broker
    leaf.key.write_text(Authority.make(tmp_path).pair.key)
    listener = TlsListener("127.0.0.1", free_port(), tls_files(tmp_path))
    broker = MosquittoBroker(tmp_path, free_port(), Credentials(tmp_path, os.urandom), tls=listener)
    with pytest.raises(BrokerError, match=r"broker\.key do not fit together"):
        broker.start()


def test_an_address_that_is_not_ours_is_a_sentence(tmp_path: Path) -> None:
    establish(tmp_path, [], "this-machine", today_ms(), renew=False)
    listener = TlsListener("203.0.113.9", free_port(), tls_files(tmp_path))
    broker = MosquittoBroker(tmp_path, free_port(), Credentials(tmp_path, os.urandom), tls=listener)
    with pytest.raises(BrokerError, match=r"cannot listen on 203\.0\.113\.9"):
        broker.start()


def test_the_fallback_broker_has_no_tls_and_says_so(tmp_path: Path) -> None:
    listener = TlsListener("127.0.0.1", free_port(), tls_files(tmp_path))
    broker = AmqttBroker(free_port(), Credentials(tmp_path, os.urandom), tls=listener)
    with pytest.raises(BrokerError, match="has no TLS: install Mosquitto"):
        broker.start()

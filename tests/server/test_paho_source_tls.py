"""The server towards a broker it did not start: it believes the authority it was given, and says plainly when not."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.access.tls_files import TlsListener, tls_files
from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto
from calza_server.adapters.paho_source import PahoSource
from tests.server.authority import BAD, case
from tests.server.conftest import free_port
from tests.server.gateway_double import LIMIT_S, GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from calza_server.ports import BrokerAddress

# paho lets go of the socket of a failed handshake without closing it; the garbage collector does.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]


@contextmanager
def broker(state: Path, kind: str) -> Iterator[tuple[BrokerAddress, str]]:
    """Mosquitto with a certificate of that kind: where it is for one who comes by TLS, and a gateway's password."""
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    credentials = Credentials(state, secrets.token_bytes)
    password = credentials.add("bedside")
    authority, leaf = case(kind, state)
    files = tls_files(state)
    files.folder.mkdir()
    leaf.certificate.rename(files.broker.certificate)
    leaf.key.rename(files.broker.key)
    port = free_port()
    running = MosquittoBroker(state, free_port(), credentials, tls=TlsListener("127.0.0.1", port, files))
    try:
        yield replace(running.start(), port=port, tls=True, ca_file=authority), password
    finally:
        running.stop()


def until_told(caplog: pytest.LogCaptureFixture) -> None:
    limit = time.monotonic() + LIMIT_S
    while "the certificate of " not in caplog.text:
        assert time.monotonic() < limit, caplog.text
        time.sleep(0.02)  # nothing else tells when paho's thread has tried


def test_it_hears_gateways_through_tls(tmp_path: Path) -> None:
    with broker(tmp_path / "state", "good") as (address, password):
        assert address.url.startswith("mqtts://")
        source = PahoSource(address, client_id=SERVER_USER)
        source.start()
        try:
            assert source.wait_subscribed(LIMIT_S)
            with GatewayDouble(address.port, "bedside", password, ca_file=address.ca_file) as gateway:
                gateway.publish("calza/v1/up/bedside/hello", b"x")
                (heard,) = source.take(1, 0, LIMIT_S)
            assert (heard.topic, heard.payload) == ("calza/v1/up/bedside/hello", b"x")
        finally:
            source.close()


@pytest.mark.parametrize("kind", BAD)
def test_it_gives_its_password_to_nobody_it_does_not_know(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain sentence, once and not at every try; the password is in none."""
    with caplog.at_level(logging.INFO), broker(tmp_path / "state", kind) as (address, _):
        source = PahoSource(address, client_id=SERVER_USER)
        source.start()
        try:
            until_told(caplog)
            assert not source.wait_subscribed(1.5), "it has tried once more by now"
            assert not source.connected
        finally:
            source.close()
        assert caplog.text.count("the certificate of ") == 1
        assert address.password not in caplog.text


def test_another_authority_is_not_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With none given the system's count, and a private one is not among them."""
    with broker(tmp_path / "state", "good") as (address, _):
        source = PahoSource(replace(address, ca_file=None), client_id=SERVER_USER)
        source.start()
        try:
            until_told(caplog)
            assert not source.connected
        finally:
            source.close()
        assert "was not made by the authority trusted here" in caplog.text

"""Real brokers for the tests of the server: Mosquitto as the product starts it."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from calza_server.access.credentials import Credentials
from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto
from tests.server.gateway_double import GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from calza_server.ports import BrokerAddress


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningBroker:
    """A broker with its credentials; gateways are let in before they connect."""

    broker: MosquittoBroker
    credentials: Credentials
    address: BrokerAddress
    passwords: dict[str, str] = field(default_factory=dict)

    def gateway(self, name: str, **how: str) -> GatewayDouble:
        return GatewayDouble(self.address.port, name, self.passwords[name], **how)  # type: ignore[arg-type]  # only texts


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    """Mosquitto with the gateways `bedside` and `other`."""
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    credentials = Credentials(tmp_path / "state", secrets.token_bytes)
    passwords = {name: credentials.add(name) for name in ("bedside", "other")}
    broker = MosquittoBroker(tmp_path / "state", free_port(), credentials)
    address = broker.start()
    yield RunningBroker(broker, credentials, address, passwords)
    broker.stop()

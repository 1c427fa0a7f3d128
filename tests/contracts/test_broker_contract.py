"""What every broker the server starts must keep: who gets in, who may say and hear what, a clean start and end."""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.adapters.amqtt_broker import AmqttBroker
from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto
from calza_server.ports import BrokerError
from tests.server.conftest import free_port
from tests.server.gateway_double import LIMIT_S, GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from calza_server.ports import Broker, BrokerAddress

KINDS = ("mosquitto", "amqtt")


class Site:
    """A broker of one kind with the gateways `bedside` and `other`."""

    def __init__(self, kind: str, state: Path) -> None:
        if kind == "mosquitto" and find_mosquitto() is None:
            pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
        self.kind = kind
        self.state = state
        self.credentials = Credentials(state, secrets.token_bytes)
        self.passwords = {name: self.credentials.add(name) for name in ("bedside", "other")}
        self.port = free_port()

    def make(self) -> Broker:
        if self.kind == "mosquitto":
            return MosquittoBroker(self.state, self.port, self.credentials)
        return AmqttBroker(self.port, self.credentials)

    @contextmanager
    def running(self) -> Iterator[BrokerAddress]:
        broker = self.make()
        address = broker.start()
        assert broker.running
        try:
            yield address
        finally:
            broker.stop()
            assert not broker.running

    def gateway(self, address: BrokerAddress, name: str, password: str = "", *, reads: str = "") -> GatewayDouble:
        return GatewayDouble(
            address.port, name, password or self.passwords[name], protocol=address.protocol, reads=reads
        )

    def server(self, address: BrokerAddress) -> GatewayDouble:
        return GatewayDouble(
            address.port, SERVER_USER, address.password, protocol=address.protocol, reads="calza/v1/up/#"
        )


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(request.param, tmp_path / "state")


@pytest.mark.parametrize(("name", "password"), [("bedside", "wrong"), ("nobody", "wrong"), ("bedside", "")])
def test_a_wrong_password_gets_nowhere(site: Site, name: str, password: str) -> None:
    with site.running() as address, GatewayDouble(address.port, name, password, protocol=address.protocol) as gateway:
        assert gateway.connack != "Success"


def test_a_gateway_is_heard_only_under_its_own_name(site: Site) -> None:
    with site.running() as address, site.server(address) as server, site.gateway(address, "bedside") as gateway:
        foreign = [
            "calza/v1/up/other/status",
            "calza/v1/up/bedsideX/status",
            "calza/v1/down/bedside/receipt",
            "calza/v1/down/other/receipt",
            "elsewhere",
        ]
        for topic in foreign:
            gateway.publish(topic, b"foreign")
        gateway.puback(gateway.publish("calza/v1/up/bedside/status", b"own"))
        server.until(lambda: ("calza/v1/up/bedside/status", b"own") in server.answers)
        assert [topic for topic, _ in server.answers] == ["calza/v1/up/bedside/status"]


@pytest.mark.parametrize("reads", ["calza/v1/down/other/#", "calza/v1/down/+/receipt", "#", "calza/v1/up/#"])
def test_a_gateway_hears_nothing_that_is_for_another(site: Site, reads: str) -> None:
    """Whether the broker refuses the subscription or filters what it delivers: nothing arrives."""
    with (
        site.running() as address,
        site.server(address) as server,
        site.gateway(address, "other", reads=reads) as curious,
        site.gateway(address, "bedside") as gateway,
    ):
        server.publish("calza/v1/down/bedside/receipt", b"private", retain=False)
        gateway.until(lambda: bool(gateway.received("receipt")))
        server.publish("calza/v1/down/other/receipt", b"its own")
        curious.publish("calza/v1/up/other/status", b"still here")
        server.until(lambda: bool(server.received("status")))
        assert b"private" not in [octets for _, octets in curious.answers]


def test_what_is_retained_reaches_only_who_may_read_it(site: Site) -> None:
    """amqtt as it comes hands a stranger every retained message somebody else subscribed to."""
    with site.running() as address, site.server(address) as server:
        with site.gateway(address, "bedside") as gateway:
            gateway.puback(gateway.publish("calza/v1/up/bedside/status", b"online", retain=True))
            server.until(lambda: bool(server.received("status")))
        with site.gateway(address, "other") as stranger:
            server.publish("calza/v1/down/other/receipt", b"last")
            stranger.until(lambda: bool(stranger.received("receipt")))
            assert [octets for _, octets in stranger.answers] == [b"last"]


def test_a_gateway_let_in_or_shut_out_later_is_noticed(site: Site) -> None:
    """Mosquitto is told within its watching interval, hence the repetition; amqtt looks at every login."""
    with site.running() as address:
        password = site.credentials.add("late")

        def gets_in() -> bool:
            with site.gateway(address, "late", password) as late:
                return late.connack == "Success"

        limit = time.monotonic() + LIMIT_S
        while not gets_in():
            assert time.monotonic() < limit
        site.credentials.remove("late")
        while gets_in():
            assert time.monotonic() < limit + LIMIT_S


def test_a_taken_port_is_a_plain_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calza_server.adapters.mosquitto_broker.RELEASE_LIMIT_S", 0.1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.port))
        taken.listen()
        broker = site.make()
        with pytest.raises(BrokerError, match=rf"port {site.port} is taken by another program.*--mqtt-port"):
            broker.start()
        broker.stop()


def test_it_listens_on_this_machine_alone_and_leaves_the_port_free(site: Site) -> None:
    with site.running():
        found = psutil.net_connections("tcp")
        assert {c.laddr.ip for c in found if c.laddr and c.laddr.port == site.port and not c.raddr} == {"127.0.0.1"}
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", site.port))


def test_it_can_be_started_again_in_the_same_folder(site: Site) -> None:
    for _ in range(2):
        with site.running() as address, site.server(address) as server:
            assert server.connack == "Success"

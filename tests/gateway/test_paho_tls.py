"""The gateway with TLS against a real Mosquitto: whom it refuses, how it says so, and that it comes back."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.ports import BrokerDown, BrokerUp
from calza_gateway.reporting.standing_book import FOR_A_PERSON
from calza_gateway.settings.broker_spec import parse_broker
from tests.contracts.test_mqtt_link_contract import DOWN, STATUS, running
from tests.gateway.mosquitto import Mosquitto
from tests.server.authority import BAD, Authority, case, today_ms

# paho lets go of the socket of a failed handshake without closing it; the garbage collector does.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]


@contextmanager
def listening(folder: Path, kind: str) -> Iterator[tuple[Mosquitto, Path]]:
    """Mosquitto with a certificate of that kind, and the authority a gateway pins."""
    authority, leaf = case(kind, folder)
    broker = Mosquitto.prepare(folder, f"certfile {leaf.certificate}\nkeyfile {leaf.key}\n")
    broker.start()
    try:
        yield broker, authority
    finally:
        broker.kill()


def link_to(url: str, authority: Path | None) -> PahoLink:
    return PahoLink(
        parse_broker(url, "home"),
        client_id="home",
        subscriptions=[DOWN],
        presence=Presence(STATUS, b"online", b"offline"),
        jitter=lambda: 1.0,
        ca_file=authority,
    )


async def test_the_pinned_authority_is_enough(tmp_path: Path) -> None:
    with listening(tmp_path, "good") as (broker, authority):
        async with running(link_to(broker.url(scheme="mqtts"), authority)) as events:
            first = await events.wait_for(BrokerUp)
            assert events.seen == [first]


@pytest.mark.parametrize(("kind", "code"), BAD.items())
async def test_a_bad_certificate_is_refused_told_and_tried_again(tmp_path: Path, kind: str, code: str) -> None:
    with listening(tmp_path, kind) as (broker, authority):
        async with running(link_to(broker.url(scheme="mqtts"), authority)) as events:
            for count in (1, 2):
                down = await events.wait_for(BrokerDown, count)
                assert isinstance(down, BrokerDown)
                assert down.code == code
                assert f"the broker at 127.0.0.1:{broker.port}" in down.sentence
                assert "secret" not in down.sentence
        assert {type(event) for event in events.seen} == {BrokerDown}
        assert code in FOR_A_PERSON, "the standing asks for a person"


async def test_a_good_certificate_is_refused_at_an_address_it_was_not_made_for(tmp_path: Path) -> None:
    with listening(tmp_path, "good") as (broker, authority):
        config = broker.folder / "mosquitto.conf"
        broker.kill()
        config.write_text(
            config.read_text().replace(f"listener {broker.port} 127.0.0.1", f"listener {broker.port} 0.0.0.0")
        )
        broker.start()
        url = broker.url(scheme="mqtts").replace("127.0.0.1", "127.0.0.2")
        async with running(link_to(url, authority)) as events:
            down = await events.wait_for(BrokerDown)
            assert isinstance(down, BrokerDown)
            assert down.code == "tls_wrong_host"
        async with running(link_to(broker.url(scheme="mqtts").replace("127.0.0.1", "localhost"), authority)) as events:
            await events.wait_for(BrokerUp)


async def test_it_comes_in_by_itself_once_the_broker_has_renewed(tmp_path: Path) -> None:
    """Nobody has to go to the gateway: it tries again, and Mosquitto takes the new certificate when told to look."""
    authority = Authority.make(tmp_path)
    leaf = authority.leaf(tmp_path, made_ms=today_ms(-398))
    broker = Mosquitto.prepare(tmp_path, f"certfile {leaf.certificate}\nkeyfile {leaf.key}\n")
    broker.start()
    try:
        async with running(link_to(broker.url(scheme="mqtts"), authority.pem)) as events:
            assert getattr(await events.wait_for(BrokerDown), "code", "") == "tls_expired"
            authority.leaf(tmp_path)
            assert broker.process is not None
            broker.process.send_signal(signal.SIGHUP)
            await events.wait_for(BrokerUp)
    finally:
        broker.kill()


async def test_a_broker_without_tls_behind_the_port_is_a_sentence(tmp_path: Path) -> None:
    broker = Mosquitto.prepare(tmp_path)
    broker.start()
    try:
        async with running(link_to(broker.url(scheme="mqtts"), Authority.make(tmp_path).pem)) as events:
            down = await events.wait_for(BrokerDown)
            assert isinstance(down, BrokerDown)
            assert down.code == "unreachable", "it may just be starting: nobody needs to come"
            assert "is it a broker with TLS?" in down.sentence
    finally:
        broker.kill()


def test_a_certificate_file_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(OSError, match=r"certificate|PEM|X509"):
        link_to("mqtts://h", tmp_path / "ca.pem")


async def test_without_a_pinned_one_a_private_authority_is_not_believed(tmp_path: Path) -> None:
    with listening(tmp_path, "good") as (broker, _):
        async with running(link_to(broker.url(scheme="mqtts"), None)) as events:
            assert getattr(await events.wait_for(BrokerDown), "code", "") == "tls_unknown_ca"

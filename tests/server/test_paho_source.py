"""The message source against a real Mosquitto: redelivery, connection numbers, a bounded queue, a thread that lives."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.client import MQTTMessage

from calza_server.access.credentials import SERVER_USER
from calza_server.adapters import paho_source
from calza_server.adapters.paho_source import PahoSource
from tests.server.gateway_double import LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from calza_server.ports import BrokerAddress, Delivery
    from tests.server.conftest import RunningBroker

TOPIC = "calza/v1/up/bedside/hello"


@pytest.fixture
def source(mosquitto: RunningBroker) -> Iterator[PahoSource]:
    made = started(mosquitto.address)
    yield made
    made.close()


def started(address: BrokerAddress) -> PahoSource:
    made = PahoSource(address, SERVER_USER)
    made.start()
    assert made.wait_subscribed(LIMIT_S)
    return made


def take(source: PahoSource, count: int) -> list[Delivery]:
    taken: list[Delivery] = []
    while len(taken) < count:
        more = source.take(count - len(taken), 0.02, LIMIT_S)
        assert more, f"{len(taken)} of {count} arrived"
        taken += more
    return taken


def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def payloads(deliveries: list[Delivery]) -> list[bytes]:
    return [each.payload for each in deliveries]


def test_what_is_not_acknowledged_comes_again_to_the_next_connection(mosquitto: RunningBroker) -> None:
    first = started(mosquitto.address)
    with mosquitto.gateway("bedside") as gateway:
        for number in range(5):
            gateway.publish(TOPIC, b"%d" % number)
        taken = take(first, 5)
        first.acknowledge([taken[0], taken[2]])
        gateway.puback(gateway.publish(TOPIC, b"mark"))  # the broker has had the acknowledgements before it
        assert payloads(take(first, 1)) == [b"mark"]
        first.close()
        gateway.publish(TOPIC, b"meanwhile")
        second = started(mosquitto.address)
        assert sorted(payloads(take(second, 5))) == sorted([b"1", b"3", b"4", b"mark", b"meanwhile"])
        second.close()


def test_an_acknowledgement_from_before_a_reconnect_is_never_sent(mosquitto: RunningBroker, source: PahoSource) -> None:
    """The broker forgets its session when killed, so packet ids start again: an old one would name a new message."""
    with mosquitto.gateway("bedside") as gateway:
        gateway.puback(gateway.publish(TOPIC, b"before"))
        (old,) = take(source, 1)
    child = mosquitto.broker.pid
    assert child is not None
    os.kill(child, signal.SIGKILL)
    until(lambda: not source.connected)
    until(lambda: source.connected, 20)
    with mosquitto.gateway("bedside") as gateway:
        gateway.puback(gateway.publish(TOPIC, b"after"))
        (new,) = take(source, 1)
        assert isinstance(old.handle, tuple)
        assert isinstance(new.handle, tuple)
        assert old.handle[1] == new.handle[1], "the same packet id, or this shows nothing"
        source.acknowledge([old])
        source.close()
        again = started(mosquitto.address)
        assert payloads(take(again, 1)) == [b"after"]
        again.close()


def test_the_queue_is_bounded_and_nothing_is_lost_behind_it(
    mosquitto: RunningBroker, source: PahoSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paho_source, "QUEUE_MAX", 10)
    with mosquitto.gateway("bedside") as gateway:
        for number in range(300):
            gateway.publish(TOPIC, b"%d" % number)
        until(lambda: source._messages.qsize() >= 10)
        seen: list[bytes] = []
        while len(seen) < 300:
            assert source._messages.qsize() <= 11
            group = take(source, 1)
            source.acknowledge(group)
            seen += payloads(group)
    assert seen == [b"%d" % number for number in range(300)]


def test_live_minutes_give_way_when_the_queue_is_full(source: PahoSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called as paho calls it, because how fast a broker delivers cannot be arranged."""
    monkeypatch.setattr(paho_source, "QUEUE_MAX", 3)
    live = MQTTMessage(topic=b"calza/v1/up/bedside/live/CALZA-0001")
    for _ in range(20):
        source._on_message(source._client, None, live)
    assert len(source.take(500, 0, 0.1)) == 3


def test_a_topic_that_is_no_text_does_not_end_the_thread(source: PahoSource) -> None:
    source._on_message(source._client, None, MQTTMessage(topic=b"\xff\xfe"))
    assert [each.topic for each in source.take(1, 0, 0.1)] == [""]


def test_closing_while_the_queue_is_full_does_not_hang(
    mosquitto: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paho_source, "QUEUE_MAX", 1)
    source = started(mosquitto.address)
    with mosquitto.gateway("bedside") as gateway:
        for _ in range(5):
            gateway.publish(TOPIC, b"x")
        until(lambda: source._messages.qsize() >= 1)
    source.close()
    assert not source.connected


def test_a_group_ends_at_its_limit_or_when_nobody_comes(source: PahoSource, mosquitto: RunningBroker) -> None:
    assert source.take(5, 0.01, 0.01) == []
    with mosquitto.gateway("bedside") as gateway:
        for number in range(12):
            gateway.puback(gateway.publish(TOPIC, b"%d" % number))
        assert len(source.take(5, 1.0, LIMIT_S)) == 5
        rest = source.take(500, 0.05, LIMIT_S)
        assert payloads(rest) == [b"%d" % number for number in range(5, 12)]


def test_a_refused_login_is_tried_again_and_never_connected(mosquitto: RunningBroker) -> None:
    refused = PahoSource(replace(mosquitto.address, password="wrong"), SERVER_USER)
    refused.start()
    assert not refused.wait_subscribed(0.5)
    assert not refused.connected
    refused.close()


def test_answers_reach_their_gateway(mosquitto: RunningBroker, source: PahoSource) -> None:
    with mosquitto.gateway("bedside") as gateway, mosquitto.gateway("other") as other:
        source.send("calza/v1/down/bedside/receipt", b"for bedside")
        source.send("calza/v1/down/other/receipt", b"for other")
        gateway.until(lambda: bool(gateway.received("receipt")))
        other.until(lambda: bool(other.received("receipt")))
        assert gateway.answers == [("calza/v1/down/bedside/receipt", b"for bedside")]
        assert other.answers == [("calza/v1/down/other/receipt", b"for other")]

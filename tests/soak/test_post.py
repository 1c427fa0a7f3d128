"""The broker in memory keeps what every broker connection promises, and fails the way it says."""

import asyncio
import random
from collections.abc import Callable

import pytest

from calza_gateway.ports import BrokerDown, BrokerMessage, BrokerUp
from tests.contracts.test_mqtt_link_contract import (
    DOWN,
    UP,
    Stage,
    running,
    test_it_comes_back_by_itself,
    test_messages_arrive_in_order_with_their_octets,
    test_nothing_is_taken_before_it_is_up_or_after_its_end,
    test_only_what_is_published_with_retain_is_kept_for_who_comes_later,
)
from tests.soak.post import MemoryBroker
from tests.soak.virtual_time import run_virtually

__all__ = [
    "test_it_comes_back_by_itself",
    "test_messages_arrive_in_order_with_their_octets",
    "test_nothing_is_taken_before_it_is_up_or_after_its_end",
    "test_only_what_is_published_with_retain_is_kept_for_who_comes_later",
]  # the contract suite, with the `stage` below
WAIT_S = 5.0


@pytest.fixture
async def stage() -> Stage:
    broker, loop = MemoryBroker(random.Random(1)), asyncio.get_running_loop()
    seen: list[tuple[str, bytes]] = []

    async def until(topic: str, payload: bytes) -> None:
        async with asyncio.timeout(WAIT_S):
            while (topic, payload) not in seen:
                broker.source.news.clear()
                seen.extend((each.topic, each.payload) for each in broker.source.take(100, 0, 0))
                if (topic, payload) not in seen:
                    await broker.source.news.wait()

    def heard(topic: str, payload: bytes) -> None:
        asyncio.run_coroutine_threadsafe(until(topic, payload), loop).result(WAIT_S)

    return Stage(
        broker.link,
        broker.source.send,
        heard,
        broker.retained.get,
        lambda: _in_loop(loop, broker.stop),
        lambda: _in_loop(loop, broker.start),
    )


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """The suite cuts and restores from another thread."""
    loop.call_soon_threadsafe(call)


def test_what_the_server_did_not_acknowledge_comes_again_in_order() -> None:
    async def run() -> list[bytes]:
        broker = MemoryBroker(random.Random(1))
        async with running(broker.link) as events:
            await events.wait_for(BrokerUp)
            for payload in (b"1", b"2", b"3"):
                assert broker.link.publish(UP, payload, qos=1)
            await asyncio.sleep(1)
            first, _second = broker.source.take(2, 0, 0)
            broker.source.acknowledge([first])
            broker.source.come_back()
            return [each.payload for each in broker.source.take(10, 0, 0)]

    assert run_virtually(run()) == [b"2", b"3"]


def test_what_is_on_its_way_when_the_connection_ends_is_lost() -> None:
    async def run() -> tuple[int, list[object]]:
        broker = MemoryBroker(random.Random(1))
        async with running(broker.link) as events:
            await events.wait_for(BrokerUp)
            assert broker.link.publish(UP, b"lost", qos=1)
            broker.source.send(DOWN, b"lost too")
            broker.link.drop()
            await events.wait_for(BrokerUp, 2)
            await asyncio.sleep(1)
            return broker.source.waiting, [type(event) for event in events.seen]

    assert run_virtually(run()) == (0, [BrokerUp, BrokerDown, BrokerUp])


def test_every_receipt_can_be_lost_while_other_answers_arrive() -> None:
    async def run() -> list[str]:
        broker = MemoryBroker(random.Random(1))
        broker.receipts_lost = 1.0
        async with running(broker.link) as events:
            await events.wait_for(BrokerUp)
            broker.source.send("calza/v1/down/home/receipt", b"")
            broker.source.send("calza/v1/down/home/wanted", b"")
            await events.wait_for(BrokerMessage)
            return [event.topic for event in events.seen if isinstance(event, BrokerMessage)]

    assert run_virtually(run()) == ["calza/v1/down/home/wanted"]

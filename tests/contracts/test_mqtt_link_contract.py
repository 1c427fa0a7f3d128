"""What every broker connection promises: with Mosquitto in MQTT 5 and 3.1.1, and the tests' own fake."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.ports import BrokerDown, BrokerEvent, BrokerMessage, BrokerUp, MqttLink
from calza_gateway.settings.broker_spec import parse_broker
from tests.gateway.fake_mqtt import FakeMqttLink
from tests.gateway.mosquitto import Mosquitto, Server

UP, DOWN, STATUS = "calza/v1/up/home/hello", "calza/v1/down/home/receipt", "calza/v1/up/home/status"


@dataclass
class Events:
    """What a link told, and waiting for it."""

    seen: list[BrokerEvent] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: BrokerEvent) -> None:
        self.seen.append(event)
        self.news.set()

    async def wait_for(self, kind: type[BrokerEvent], count: int = 1) -> BrokerEvent:
        async with asyncio.timeout(15):
            while sum(isinstance(event, kind) for event in self.seen) < count:
                self.news.clear()
                await self.news.wait()
        return [event for event in self.seen if isinstance(event, kind)][count - 1]


@dataclass
class Stage:
    """A link and the world behind its broker."""

    link: MqttLink
    say: Callable[[str, bytes], None]
    heard: Callable[[str, bytes], None]
    kept: Callable[[str], bytes | None]
    cut: Callable[[], None]
    restore: Callable[[], None]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto.prepare(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def paho(broker: Mosquitto, scheme: str) -> PahoLink:
    return PahoLink(
        parse_broker(broker.url(scheme=scheme), "home"),
        client_id="home",
        subscriptions=["calza/v1/down/home/wanted", DOWN],
        presence=Presence(STATUS, b"online", b"offline"),
        jitter=lambda: 1.0,
    )


@pytest.fixture(params=["mqtt", "mqtt311", "fake"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "fake":
        fake = FakeMqttLink()

        def heard(topic: str, payload: bytes) -> None:
            assert (topic, payload) in [one[:2] for one in fake.published]

        yield Stage(fake, fake.say, heard, fake.retained.get, fake.down, fake.up)
        return
    broker: Mosquitto = request.getfixturevalue("mosquitto")
    with Server(broker.port) as server:

        def kept(topic: str) -> bytes | None:
            with Server(broker.port) as late:
                late.wait_for(STATUS, b"how it is")  # the broker sends all it keeps before anything newer
                return {name: payload for name, payload, retained in late.heard if retained}.get(topic)

        link = paho(broker, request.param)
        yield Stage(link, server.publish, server.wait_for, kept, broker.kill, broker.start)


@asynccontextmanager
async def running(link: MqttLink) -> AsyncIterator[Events]:
    events = Events()
    task = asyncio.create_task(link.run(events))
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_taken_before_it_is_up_or_after_its_end(stage: Stage) -> None:
    assert stage.link.publish(UP, b"early", qos=1) is False
    async with running(stage.link) as events:
        await events.wait_for(BrokerUp)
        assert stage.link.publish(UP, b"now", qos=1) is True
        await asyncio.to_thread(stage.heard, UP, b"now")
    assert stage.link.publish(UP, b"late", qos=1) is False


async def test_only_what_is_published_with_retain_is_kept_for_who_comes_later(stage: Stage) -> None:
    async with running(stage.link) as events:
        await events.wait_for(BrokerUp)
        assert stage.link.publish(STATUS, b"how it is", qos=1, retain=True)
        assert stage.link.publish(UP, b"passing", qos=1)
        await asyncio.to_thread(stage.heard, UP, b"passing")
        assert await asyncio.to_thread(stage.kept, STATUS) == b"how it is"
        assert await asyncio.to_thread(stage.kept, UP) is None


async def test_messages_arrive_in_order_with_their_octets(stage: Stage) -> None:
    async with running(stage.link) as events:
        await events.wait_for(BrokerUp)
        for payload in (b"", bytes(range(256)), b"third"):
            stage.say(DOWN, payload)
        await events.wait_for(BrokerMessage, 3)
        assert [e.payload for e in events.seen if isinstance(e, BrokerMessage)] == [b"", bytes(range(256)), b"third"]


async def test_it_comes_back_by_itself(stage: Stage) -> None:
    async with running(stage.link) as events:
        await events.wait_for(BrokerUp)
        await asyncio.to_thread(stage.cut)
        await events.wait_for(BrokerDown)
        assert stage.link.publish(UP, b"while away", qos=1) is False
        await asyncio.to_thread(stage.restore)
        await events.wait_for(BrokerUp, 2)
        # With retain, because whoever listens may come back later than the link.
        assert stage.link.publish(UP, b"back again", qos=1, retain=True) is True
        await asyncio.to_thread(stage.heard, UP, b"back again")

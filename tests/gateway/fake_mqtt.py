"""A broker connection in memory: the `MqttLink` port without a broker, for the relay's own rules and faults."""

import asyncio
from collections.abc import Callable

from calza_gateway.ports import BrokerDown, BrokerEvent, BrokerMessage, BrokerUp


class FakeMqttLink:
    """Comes up at once; a test takes it `down` and `up`, and speaks for the server with `say`."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, int]] = []
        self.retained: dict[str, bytes] = {}
        self.comes_up = True
        self.ended = False
        self.is_up = False
        self._on_event: Callable[[BrokerEvent], None] | None = None
        self._news = asyncio.Event()

    async def run(self, on_event: Callable[[BrokerEvent], None]) -> None:
        self._on_event = on_event
        if self.comes_up:
            self.up()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_up, self.ended = False, True

    def tell(self, event: BrokerEvent) -> None:
        assert self._on_event is not None
        self._on_event(event)

    def up(self) -> None:
        self.is_up = True
        self.tell(BrokerUp("5"))

    def down(self) -> None:
        self.is_up = False
        self.tell(BrokerDown("disconnected", "the connection ended"))

    def say(self, topic: str, payload: bytes) -> None:
        self.tell(BrokerMessage(topic, payload))

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        if not self.is_up:
            return False
        self.published.append((topic, payload, qos))
        if retain:
            self.retained[topic] = payload
        self._news.set()
        return True

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until what was published is enough."""
        async with asyncio.timeout(5):
            while not enough():
                self._news.clear()
                await self._news.wait()

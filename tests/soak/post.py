"""A broker in memory between one gateway and one server, with the ways in which a real one fails.

`MemoryBroker.link` is the gateway's `MqttLink`, `MemoryBroker.source` the server's `MessageSource`. As with Mosquitto
in the product: the server's session is kept while the server is away, the gateway's is clean, and what is on its way
when a connection ends is lost. Knows no topic but that receipts go down.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calza_gateway.adapters.paho_link import BACKOFF_MAX_S, BACKOFF_MIN_S
from calza_gateway.ports import BrokerDown, BrokerEvent, BrokerMessage, BrokerUp
from calza_server.ports import Delivery

LATENCY_S = 0.02  # one way over a home's internet connection
RECEIPT = "/receipt"


@dataclass(frozen=True, slots=True)
class Publish:
    """One message on its way from the gateway."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class _Pipe:
    """Hands on what was put in, in order, each after the latency."""

    def __init__(self, give: Callable[[Publish | BrokerEvent], None]) -> None:
        self._give = give
        self._waiting: deque[Publish | BrokerEvent] = deque()
        self._loop = asyncio.get_running_loop()

    def put(self, item: Publish | BrokerEvent) -> None:
        self._waiting.append(item)
        self._loop.call_later(LATENCY_S, self._next)  # timers of one moment fire in any order, the queue keeps it

    def cut(self) -> None:
        """What is in it is lost."""
        self._waiting.clear()

    def _next(self) -> None:
        if self._waiting:
            self._give(self._waiting.popleft())


class MemoryBroker:
    """One broker. Its faults are attributes and methods; `chance` decides where a rate is asked for."""

    def __init__(self, chance: random.Random) -> None:
        self.link = MemoryLink(self, chance.random)
        self.source = MemorySource(self)
        self.receipts_lost = 0.0  # rate 0..1
        self.retained: dict[str, bytes] = {}
        self.forgetful = False  # takes what the gateway publishes, acknowledges it and loses it
        self.up = True
        self._chance = chance

    def stop(self) -> None:
        """Away; what was queued for the server is on its disk."""
        self.up = False
        self.link.drop()

    def start(self) -> None:
        """There again; the gateway comes by itself."""
        self.up = True
        self.source.news.set()

    def from_gateway(self, message: Publish) -> None:
        """A publish has arrived."""
        if message.retain:
            self.retained[message.topic] = message.payload
        if not self.forgetful:
            self.source.queue(message)

    def from_server(self, topic: str, payload: bytes) -> None:
        """An answer has arrived; for a gateway that is not connected it is forgotten."""
        lost = topic.endswith(RECEIPT) and self._chance.random() < self.receipts_lost
        if self.up and not lost:
            self.link.give(BrokerMessage(topic, payload))


class MemoryLink:
    """The gateway's side: see `MqttLink`. Comes back after the pauses `PahoLink` makes."""

    def __init__(self, broker: MemoryBroker, jitter: Callable[[], float]) -> None:
        self._broker = broker
        self._jitter = jitter
        self._ended: asyncio.Event | None = None
        self._down: _Pipe | None = None
        self._up: _Pipe | None = None

    async def run(self, on_event: Callable[[BrokerEvent], None]) -> None:
        """See `MqttLink`."""
        delay_s = BACKOFF_MIN_S
        try:
            while True:
                await asyncio.sleep(2 * LATENCY_S)
                if self._broker.up:
                    delay_s = BACKOFF_MIN_S
                    await self._stay(on_event)
                    on_event(BrokerDown("disconnected", "the connection to the broker ended"))
                else:
                    on_event(BrokerDown("unreachable", "the broker cannot be reached"))
                await asyncio.sleep(delay_s * (1 - self._jitter() / 2))
                delay_s = min(BACKOFF_MAX_S, delay_s * 2)
        finally:
            self.drop()

    async def _stay(self, on_event: Callable[[BrokerEvent], None]) -> None:
        ended = self._ended = asyncio.Event()
        self._up = _Pipe(self._arrived)
        self._down = _Pipe(lambda item: None if isinstance(item, Publish) else on_event(item))
        on_event(BrokerUp("5"))
        await ended.wait()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        """See `MqttLink`."""
        if self._up is None:
            return False
        self._up.put(Publish(topic, payload, qos, retain))
        return True

    def give(self, event: BrokerEvent) -> None:
        """From the broker to the gateway."""
        if self._down is not None:
            self._down.put(event)

    def drop(self) -> None:
        """The connection ends now; what is on its way either way is lost."""
        for pipe in (self._up, self._down):
            if pipe is not None:
                pipe.cut()
        self._up = self._down = None
        if self._ended is not None:
            self._ended.set()

    def _arrived(self, item: Publish | BrokerEvent) -> None:
        if isinstance(item, Publish):
            self._broker.from_gateway(item)


class MemorySource:
    """The server's side: see `MessageSource`. Never waits: `news` says when there is something to take."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.news = asyncio.Event()
        self.answers = True  # False: the server dies after its commit, before it can say so
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Delivery] = deque()
        self._taken: dict[int, Delivery] = {}
        self._number = 0

    @property
    def connected(self) -> bool:
        """See `MessageSource`."""
        return self._broker.up

    @property
    def waiting(self) -> int:
        """Messages not acknowledged yet."""
        return len(self._queue) + len(self._taken)

    def queue(self, message: Publish) -> None:
        """Keep a message for the server."""
        self._number += 1
        self._queue.append(Delivery(message.topic, message.payload, self._number))
        self.news.set()

    def take(self, limit: int, linger_s: float, wait_s: float) -> list[Delivery]:
        """See `MessageSource`; what is there now."""
        del linger_s, wait_s
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))] if self.connected else []
        self._taken.update((each.handle, each) for each in taken if isinstance(each.handle, int))
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `MessageSource`."""
        if self.answers:
            for each in deliveries:
                assert isinstance(each.handle, int)
                self._taken.pop(each.handle, None)

    def send(self, topic: str, payload: bytes) -> None:
        """See `MessageSource`; called in the thread of a job."""
        if self.answers:
            self._loop.call_soon_threadsafe(self._broker.from_server, topic, payload)

    def come_back(self) -> None:
        """A new connection of the server: what it did not acknowledge is sent again, first."""
        self._queue.extendleft(reversed(self._taken.values()))
        self._taken.clear()
        self.answers = True
        self.news.set()

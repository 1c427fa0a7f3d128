"""The one ordered way out of a stocking: notifications, indications and segment chains on one connection.

Everything passes through here one after the other, waits for room in the controller's queue (an event, never a spin)
and is sent only while the peer may have it. What is sent means nothing to this module.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from bumble.device import Connection
from bumble.host import DataPacketQueue

from calza_sim.gatt.attributes import CCCD_INDICATE, CCCD_NOTIFY, Bytes
from calza_sim.gatt.device import StockingGattServer
from calza_sim.radio.pacing import CONTROLLER_BUFFERS
from calza_wire.segments import split

# The controller's buffers and half as many waiting: it never runs dry, and an abort is felt within three events.
QUEUE_LIMIT = CONTROLLER_BUFFERS * 3 // 2


@dataclass(slots=True)
class Loss:
    """Values lost above HCI in the receiving host, as seen with BlueZ when a peer sends faster than it drains.

    The sender believes they arrived. `rate` 0..1; indications are lost only if `indications`.
    """

    chance: random.Random
    rate: float = 0.0
    indications: bool = False

    def loses(self, *, indication: bool) -> bool:
        """Draw whether the next value is lost."""
        if self.rate <= 0 or (indication and not self.indications):
            return False
        return self.chance.random() < self.rate


class NotSentError(Exception):
    """The peer may not have the value: it has not subscribed, or its link is not protected (any more)."""

    code = "not_sent"


class Sender:
    """Sends values on one connection; `may_have(clinical)` is asked before each."""

    def __init__(
        self, gatt: StockingGattServer, connection: Connection, loss: Loss, is_refused: Callable[[], bool]
    ) -> None:
        self._gatt = gatt
        self._connection = connection
        self._loss = loss
        self._is_refused = is_refused
        self._counters: dict[Bytes, int] = {}
        self._flow = asyncio.Event()
        self._queue: DataPacketQueue | None = connection.data_packet_queue
        if self._queue is not None:
            self._queue.on("flow", self._flow.set)

    def close(self) -> None:
        """Stop listening to the queue; the connection is gone."""
        if self._queue is not None:
            self._queue.remove_listener("flow", self._flow.set)

    def subscribed(self, characteristic: Bytes, bit: int) -> bool:
        """True if the peer turned on notifications (`CCCD_NOTIFY`) or indications (`CCCD_INDICATE`)."""
        cccd = self._gatt.subscribers.get(self._connection, {}).get(characteristic.handle, b"\0\0")
        return bool(int.from_bytes(cccd, "little") & bit)

    async def notify(self, characteristic: Bytes, value: bytes, *, clinical: bool = True) -> None:
        """Send one notification when there is room. Raises NotSentError."""
        await self._room()
        self._check(characteristic, CCCD_NOTIFY, clinical)
        if not self._loss.loses(indication=False):
            await self._gatt.notify_subscriber(self._connection, characteristic, value)

    async def indicate(self, characteristic: Bytes, value: bytes) -> None:
        """Send one indication and wait until the peer confirmed it. Raises NotSentError, TimeoutError after 30 s."""
        await self._room()
        self._check(characteristic, CCCD_INDICATE, clinical=True)
        if not self._loss.loses(indication=True):
            await self._gatt.indicate_subscriber(self._connection, characteristic, value)

    async def segments(self, characteristic: Bytes, payload: bytes) -> None:
        """Send a payload as a chain of segments; the counter runs on per characteristic. Raises NotSentError."""
        counter = self._counters.get(characteristic, 0)
        chain, self._counters[characteristic] = split(payload, self._connection.att_mtu, counter)
        for segment in chain:
            await self.notify(characteristic, segment)

    def _check(self, characteristic: Bytes, bit: int, clinical: bool) -> None:
        if not self.subscribed(characteristic, bit):
            raise NotSentError("the peer has not subscribed")
        if clinical and self._is_refused():
            raise NotSentError("the link is not protected by an authenticated bond")

    async def _room(self) -> None:
        while self._queue is not None and self._queue.pending >= QUEUE_LIMIT:
            self._flow.clear()
            await self._flow.wait()

"""The port's `Link` over a connected bleak client. Must not know which backend it is on, nor what is read."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from bleak import BleakClient
from bleak.exc import BleakGATTProtocolErrorCode

from calza_gateway.adapters.bleak_errors import key_lost, radio_errors
from calza_gateway.ports import RadioError, RadioReason
from calza_wire.uuids import CURRENT_ELAPSED_TIME, LOG_STATUS, STOCKING_LABEL, STORED_OBSERVATIONS

GATT_TIMEOUT_S = 35.0  # a peer has 30 s for an ATT answer (Core Specification, Vol 3, Part F, 3.3.3)
KEYLESS_TIMEOUT_S = 10.0  # BlueZ without an agent never answers what needs a pairing; all else takes a second at most
FOR_PAIRED_GATEWAYS = frozenset({STORED_OBSERVATIONS, CURRENT_ELAPSED_TIME, LOG_STATUS, STOCKING_LABEL})
"""What a visit begins with and no stocking gives away. To ask for it without a key would make BlueZ begin a pairing of
its own with nobody to answer, and a stocking that has counted a few of those refuses the next real one for minutes."""
END_TIMEOUT_S = 0.5  # on BlueZ the news that the link is gone can come after the error of what it interrupted
FORGOTTEN_TIMEOUT_S = 1.0  # bleak waits 10 s for news of a link that a restarted bluetoothd has never heard of
WRITE_HEADER_OCTETS = 3
MINIMUM_MTU = 23

log = logging.getLogger(__name__)


class BleakLink:
    """A connection to one stocking; made by `BleakRadio.connect`. `closed` is the client's disconnect callback.

    `keyless`: this side has no key for the stocking, so what needs a pairing cannot be had.
    """

    def __init__(self, client: BleakClient, closed: asyncio.Event, rssi: int | None, *, keyless: bool) -> None:
        self._client = client
        self._closed = closed
        self._rssi = rssi
        self._keyless = keyless
        self._forgotten = False  # by the stack itself, which was restarted: it will not tell the end of this link
        self._ending: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The stocking's Bluetooth address."""
        return self._client.address

    @property
    def mtu(self) -> int:
        """The ATT MTU in octets, as far as the stack tells.

        Taken from what may be written without a response: `BleakClient.mtu_size` is always 23 on BlueZ. For
        information only; what the peer sends is as long as it is.
        """
        if self._closed.is_set():
            return MINIMUM_MTU
        sizes = [c.max_write_without_response_size for c in self._client.services.characteristics.values()]
        return max(sizes, default=MINIMUM_MTU - WRITE_HEADER_OCTETS) + WRITE_HEADER_OCTETS

    @property
    def rssi(self) -> int | None:
        """Signal strength in dBm when the stocking was last heard before connecting."""
        return self._rssi

    @property
    def closed(self) -> asyncio.Event:
        """Set once the link is gone, after the last value it brought."""
        return self._closed

    async def read(self, uuid: str) -> bytes:
        """The characteristic's value. Raises RadioError."""
        async with self._step(uuid):
            return bytes(await self._client.read_gatt_char(uuid))

    async def write(self, uuid: str, value: bytes) -> None:
        """Write with response. Raises RadioError."""
        async with self._step(uuid):
            await self._client.write_gatt_char(uuid, value, response=True)

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        """Enable notifications or indications; values come in order over all characteristics. Raises RadioError."""
        async with self._step(uuid):
            await self._client.start_notify(uuid, lambda _characteristic, value: on_value(bytes(value)))

    async def pair(self) -> None:
        """Pair this link; takes as long as the person who is asked. Raises RadioError, and what the agent raises."""
        with radio_errors(self.address, RadioReason.PAIRING_REFUSED):
            await self._client.pair()
        self._keyless = False

    async def disconnect(self) -> None:
        """End the link, also when the caller is cancelled meanwhile; harmless when it is gone. Raises RadioError."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())
            self._ending.add_done_callback(_look_at)
        await asyncio.wait({self._ending})
        self._ending.result()

    async def _end(self) -> None:
        # Also when the link has gone by itself: nothing else closes bleak's own connection to the bus, and while that
        # is open BlueZ keeps its subscriptions and sends every notification of the next link twice.
        try:
            with radio_errors(self.address, RadioReason.DISCONNECTED):
                async with asyncio.timeout(FORGOTTEN_TIMEOUT_S if self._forgotten else None):
                    await self._client.disconnect()
        except RadioError:
            if not self._forgotten:
                raise
        self._closed.set()

    @asynccontextmanager
    async def _step(self, uuid: str) -> AsyncIterator[None]:
        """One step of GATT: a time limit, and whatever fails because the link went says that it went."""
        if self._closed.is_set():
            raise RadioError(RadioReason.DISCONNECTED, f"there is no connection to {self.address} any more")
        if self._keyless and uuid in FOR_PAIRED_GATEWAYS:
            raise key_lost(self.address)
        try:
            with radio_errors(self.address, RadioReason.GATT_ERROR):
                async with asyncio.timeout(KEYLESS_TIMEOUT_S if self._keyless else GATT_TIMEOUT_S):
                    yield
        except RadioError as error:
            if error.reason is RadioReason.NOT_FOUND:
                self._forgotten = True
                sentence = f"the connection to {self.address} was lost: the Bluetooth service has been restarted"
                raise RadioError(RadioReason.DISCONNECTED, sentence) from error
            if await self._has_gone(error):
                raise RadioError(RadioReason.DISCONNECTED, f"the connection to {self.address} was lost") from error
            if self._keyless and error.reason in {RadioReason.NOT_PAIRED, RadioReason.TIMEOUT}:
                raise key_lost(self.address, error.att_code) from error
            raise

    async def _has_gone(self, error: RadioError) -> bool:
        if error.att_code == BleakGATTProtocolErrorCode.UNLIKELY_ERROR:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_TIMEOUT_S):  # wait_for can swallow a cancellation on Python 3.11
                    await self._closed.wait()
        return self._closed.is_set() or not self._client.is_connected


def _look_at(ending: asyncio.Task[None]) -> None:
    """How the link ended, when nobody waits for it any more: otherwise asyncio prints a trace as if it were news."""
    if not ending.cancelled() and (error := ending.exception()) is not None:
        log.info("a link that was given up did not end in order: %s", error)

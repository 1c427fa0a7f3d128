"""The gateway's one HCI host on the simulated radio, shared by all its scanners and clients.

Opens the transport when it is first needed and again after it has ended, counts who scans, keeps the bonds. Must not
know GATT.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from bumble.core import BaseBumbleError
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.pairing import PairingConfig

from calza_gateway.adapters.bleak_errors import LinkLostError
from calza_gateway.adapters.bumble_controller import OpenController, OpenTransport
from calza_gateway.adapters.bumble_keyring import Keyring
from calza_gateway.adapters.bumble_procedures import Procedures
from calza_gateway.state.bonds import StateError

OPEN_TIMEOUT_S = 10.0  # a reset and some twenty commands: milliseconds on loopback, a second on a loaded machine

SightingListener = Callable[[Advertisement], None]


class BumbleHost:
    """One per event loop and radio. Every method raises bleak errors only.

    `where` names the radio in sentences. `pairings` holds the terms while a link (by its handle) is being paired.
    """

    def __init__(self, open_transport: OpenTransport, keyring: Keyring, where: str) -> None:
        self.keyring = keyring
        self.pairings: dict[int, PairingConfig] = {}
        self._open_transport = open_transport
        self._where = where
        self._opening = asyncio.Lock()
        self._controller: OpenController | None = None
        self._listeners: set[SightingListener] = set()
        self._work = Procedures(where)  # goes on to its end even if whoever asked for it is cancelled

    async def connect(self, address: Address, timeout_s: float) -> Connection:
        """A link to an advertising peer.

        Raises TimeoutError when the peer was not heard in time. After a timeout or a cancellation the controller is
        free for the next attempt, and no link is left behind.
        """
        give_up = asyncio.Event()
        attempt = self._work.start(self._connect(address, give_up))
        try:
            await asyncio.wait({attempt}, timeout=timeout_s)
            give_up.set()
            await asyncio.wait({attempt})
        except asyncio.CancelledError:
            give_up.set()
            self._work.start(self._discard(attempt))
            raise
        connection = attempt.result()
        if connection is None:
            raise TimeoutError(f"{address} was not heard within {timeout_s:g} s")
        return connection

    async def disconnect(self, connection: Connection) -> None:
        """End a link, even if the caller is cancelled meanwhile; harmless when it has ended already."""
        if (controller := self._controller) is not None and controller.device is connection.device:
            await self._work.run(controller.disconnect(connection))

    def forget(self, address: str) -> bool:
        """Drop the bond with a peer; False if there was none. Raises BleakError when that cannot be kept."""
        try:
            self.keyring.open()
            return self.keyring.forget(address)
        except StateError as error:
            raise BleakError(str(error)) from error

    async def start_scanning(self, listener: SightingListener) -> None:
        """Hear every advertisement until `stop_scanning`; the radio scans as long as anybody listens."""
        self._listeners.add(listener)
        switching = self._work.start(self._scan())
        try:
            await asyncio.wait({switching})
            switching.result()
        except BaseException:
            self._listeners.discard(listener)
            self._work.start(self._settle())  # the radio may have begun to scan just when the caller gave up
            raise

    async def stop_scanning(self, listener: SightingListener) -> None:
        """Hear no more; harmless when the transport has ended."""
        self._listeners.discard(listener)
        with suppress(LinkLostError):
            await self._work.run(self._settle())

    async def wake(self) -> None:
        """Open the transport if it is not open. Raises BleakBluetoothNotAvailableError."""
        await self._work.run(self._open())

    async def close(self) -> None:
        """End the links, then the transport, then let go of the bonds. A later use opens everything again."""
        if self._controller is not None:
            await self._controller.close()
            self._controller = None
        await self._work.settle()
        self.keyring.close()

    async def _open(self) -> OpenController:
        async with self._opening:
            if self._controller is not None and not self._controller.ended:
                return self._controller
            try:
                self.keyring.open()
                config = DeviceConfiguration(
                    name="Calza gateway", address=self.keyring.address, irk=self.keyring.draw_irk()
                )
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    controller = await OpenController.open(self._open_transport, config, self._prepare, self._where)
            except (OSError, StateError, BaseBumbleError) as error:
                sentence, reason = self._why_not(error), BleakBluetoothNotAvailableReason.NO_BLUETOOTH
                raise BleakBluetoothNotAvailableError(sentence, reason) from error
            self._controller = controller
            self.pairings.clear()
        if self._listeners:  # whoever was listening when the last transport ended goes on hearing
            await controller.scan(self._anybody_listens)
        return controller

    def _prepare(self, device: Device) -> None:
        device.keystore = self.keyring
        device.pairing_config_factory = self._pairing_config
        device.on(Device.EVENT_ADVERTISEMENT, self._heard)

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        """What a peer that wants to pair unasked gets: nothing is kept of it."""
        return self.pairings.get(connection.handle) or PairingConfig(bonding=False)

    def _why_not(self, error: Exception) -> str:
        match error:
            case StateError():
                return str(error)
            case ConnectionRefusedError():
                return f"no simulated radio answers at {self._where}: start it with `calza sim run`"
            case TimeoutError():
                return f"{self._where} does not answer like a Bluetooth controller"
            case _:
                return f"{self._where} cannot be used: {str(error) or type(error).__name__}"

    async def _connect(self, address: Address, give_up: asyncio.Event) -> Connection | None:
        controller = await self._open()
        return await controller.connect(address, give_up)

    async def _discard(self, attempt: asyncio.Task[Connection | None]) -> None:
        """A link that came up for a caller that had gone would stay up for ever."""
        await asyncio.wait({attempt})
        if attempt.exception() is None and (connection := attempt.result()) is not None:
            await self.disconnect(connection)

    async def _scan(self) -> None:
        controller = await self._open()
        await controller.scan(self._anybody_listens)

    async def _settle(self) -> None:
        if self._controller is not None and not self._controller.ended:
            await self._controller.scan(self._anybody_listens)

    def _anybody_listens(self) -> bool:
        return bool(self._listeners)

    def _heard(self, advertisement: Advertisement) -> None:
        for listener in tuple(self._listeners):
            listener(advertisement)

"""A stocking on the air: firmware below, Bumble's host above a controller on the radio, one gateway at a time.

Advertises until a gateway connects, serves it, and advertises again when it has gone. Faults of power and range are
methods here, so that tests and the control port do the same thing.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from typing import Self

from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import Service

from calza_sim.gatt.advertising import advertising_data, scan_response, stocking_name
from calza_sim.gatt.attributes import Bytes, att_error, characteristic
from calza_sim.gatt.bonds import BondStore
from calza_sim.gatt.device import StockingDevice
from calza_sim.gatt.features import SPECIALIZATION_TERM
from calza_sim.gatt.pairing import Patience, label_code, pairing_config
from calza_sim.gatt.sender import Loss
from calza_sim.gatt.services import services
from calza_sim.gatt.session import Session
from calza_sim.ports import StockingFirmware
from calza_sim.radio import Radio, RadioController

TICK_S = 1.0
STATIC_ADDRESS_BITS = 0xC0  # the two top bits of a random static address (Core 5.4, Vol 6 Part B 1.3.2.1)


def static_address(system_id: bytes) -> str:
    """The Bluetooth address of a stocking: fixed for its system id, so that bonds find it again."""
    drawn = bytearray(hashlib.sha256(b"calza address" + system_id).digest()[:6])
    drawn[0] |= STATIC_ADDRESS_BITS
    return ":".join(f"{octet:02X}" for octet in drawn)


class StockingServer:
    """One stocking's GATT server; make it with `await StockingServer.start(...)`."""

    def __init__(
        self,
        radio: Radio,
        firmware: StockingFirmware,
        *,
        clock: Callable[[], float],
        bonds: BondStore,
        chance: random.Random,
    ) -> None:
        """`clock` gives true Unix seconds; `chance` decides which notifications get lost when that is asked for."""
        self.firmware = firmware
        self.bonds = bonds
        self.loss = Loss(chance)
        self.address = static_address(firmware.identity.system_id)
        self.name = stocking_name(firmware.identity.serial)
        self.radio = radio
        self.controller = RadioController(firmware.identity.serial, radio)
        self._clock = clock
        self._device = StockingDevice(self.name, self.address, self.controller, bonds)
        self.session: Session | None = None
        self.idle = asyncio.Event()  # set while no gateway is connected
        self.idle.set()
        self.running = True
        self._powered = True
        self._flat = False
        self._patience = Patience()
        self._tasks: set[asyncio.Task[None]] = set()
        self._table: dict[str, Bytes] = {}
        for uuid, values in services(firmware).items():
            made = [characteristic(value, self._session_of) for value in values]
            self._table.update(zip((value.uuid for value in values), made, strict=True))
            self._device.add_service(Service(UUID(uuid), made))
        self._device.pairing_config_factory = pairing_config(firmware.passkey, firmware.oob, self._may_pair)
        self._device.on(self._device.EVENT_CONNECTION, self._connected)

    @classmethod
    async def start(
        cls,
        radio: Radio,
        firmware: StockingFirmware,
        *,
        clock: Callable[[], float],
        bonds: BondStore,
        chance: random.Random,
    ) -> Self:
        """Switch the stocking on: its host boots, it advertises, and it keeps up with the clock."""
        self = cls(radio, firmware, clock=clock, bonds=bonds, chance=chance)
        await self._device.power_on()
        await self._advertise()
        self._spawn(self._keep_up())
        return self

    @property
    def label(self) -> str:
        """The text of the QR code on the stocking's label; a secret like its passkey."""
        return label_code(self.firmware.identity.serial, self.firmware.passkey, self.firmware.oob).encode()

    @property
    def connected(self) -> bool:
        """True while a gateway is connected."""
        return self.session is not None

    @property
    def queued_packets(self) -> int:
        """Link packets handed to the controller or waiting for it that have not been on the air yet."""
        queue = None if self.session is None else self.session.connection.data_packet_queue
        return 0 if queue is None else queue.pending

    async def stop(self) -> None:
        """Switch off for good; a connected gateway notices by supervision timeout."""
        self._powered = False
        if self.session is not None:
            self.session.close()
            await self.session.settled()
            self.session = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.controller.remove()
        self.running = False

    def tick(self) -> None:
        """Catch up with the clock and send what is new; off the air while flat. Called once a second by itself."""
        now_s = self._clock()
        self.firmware.advance(now_s)
        flat = not self.firmware.powered(now_s)
        if flat and self._powered:
            self._powered, self._flat = False, True
            self.controller.power_off()
        elif self._flat and not flat:
            self._powered, self._flat = True, False
            self._spawn(self._advertise())
        if self.session is not None and self._powered:
            self.session.tick()

    def power_loss(self, off_s: float) -> None:
        """Lose power for `off_s` seconds: off the air at once, RAM gone, bonds and flash kept."""
        self._powered = False
        self.controller.power_off()
        self.firmware.power_loss(self._clock(), off_s)
        self._spawn(self._power_returns(off_s))

    async def factory_reset(self) -> None:
        """Erase log and bonds; the gateway connected now is hung up on."""
        self.firmware.factory_reset(self._clock())
        await self.bonds.delete_all()
        if self.session is not None:
            await self.session.connection.disconnect()

    # ----------------------------------------------------------------------------------------------------------------

    def _session_of(self, connection: Connection) -> Session:
        if self.session is None or self.session.connection is not connection:
            raise att_error(att.ATT_UNLIKELY_ERROR_ERROR)
        return self.session

    def _connected(self, connection: Connection) -> None:
        session = Session(self._device, connection, self.firmware, self._table, self._clock, self.loss)
        self.session = session
        self.idle.clear()
        self._device.watch(connection)

        def disconnected(_reason: int) -> None:
            session.close()
            if self.session is session:
                self.session = None
                self.idle.set()
            if self._powered:
                self._spawn(self._advertise())

        connection.on(connection.EVENT_DISCONNECTION, disconnected)
        connection.on(connection.EVENT_PAIRING, lambda _keys: self._paired(connection))

    def _paired(self, connection: Connection) -> None:
        if self._device.refusal(connection) is None:
            self._patience.succeeded()

    def _may_pair(self) -> bool:
        return self._patience.begin(asyncio.get_running_loop().time())

    async def _advertise(self) -> None:
        await self._device.start_advertising(
            advertising_data=advertising_data(SPECIALIZATION_TERM),
            scan_response_data=scan_response(self.name),
        )

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    async def _power_returns(self, off_s: float) -> None:
        await asyncio.sleep(off_s)
        self._powered = True
        await self._advertise()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

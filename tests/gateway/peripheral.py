"""A small real GATT server on the virtual radio, whose every weakness can be switched on.

The stocking of the simulator behaves; this one is told not to. It shares the radio's parts with the simulator (a real
controller, a real HCI port), so what the gateway meets is ATT, L2CAP and SMP, not a mock.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto

from bumble.att import ATT_Error, Attribute, AttributeValue, ErrorCode
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, Descriptor, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import OobContext

from calza_gateway.ports import OobData
from calza_sim.radio import UNPACED, HciPort, Radio, RadioController
from calza_wire.minute_block import Side
from calza_wire.stocking_service import Identity, Label
from calza_wire.uuids import (
    GHS_SERVICE,
    LOG_STATUS,
    RACP,
    STOCKING_IDENTITY,
    STOCKING_LABEL,
    STOCKING_SERVICE,
    STORED_OBSERVATIONS,
)

PASSKEY = 42017
OPEN_A = "4f1c00a1-5a0e-4d3b-9c61-c0a12a5e1d7b"
OPEN_B = "4f1c00b1-5a0e-4d3b-9c61-c0a12a5e1d7b"
REFUSING = "4f1c00c1-5a0e-4d3b-9c61-c0a12a5e1d7b"
ABSENT = "4f1c00d1-5a0e-4d3b-9c61-c0a12a5e1d7b"
SCHEDULE_DESCRIPTOR = 0x2910
STATUS_OCTETS = b"log status"
AD = AdvertisingData.Type
Properties = Characteristic.Properties


class Way(Enum):
    """How a peripheral pairs."""

    PASSKEY = auto()
    NUMBERS = auto()  # it has a display and a button
    NOTHING = auto()  # Just Works
    OLD_NOTHING = auto()  # Just Works as before Secure Connections, where the other side is not even asked
    OLD_PASSKEY = auto()


class Display(PairingDelegate):
    """A peripheral that shows a number; its wearer always agrees."""

    def __init__(self, shown: list[int]) -> None:
        super().__init__(self.DISPLAY_OUTPUT_AND_YES_NO_INPUT)
        self._shown = shown

    async def compare_numbers(self, number: int, digits: int) -> bool:
        self._shown.append(number)
        return True


class PrintedPasskey(PairingDelegate):
    """The stocking's side of pairing: the passkey on its label is "displayed"."""

    def __init__(self, passkey: int) -> None:
        super().__init__(self.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey


class Peripheral:
    """One advertiser of the GHS service.

    `slow` holds back the answer to a read of OPEN_A until it is set; `refusal` is what a read of REFUSING gets; a `lax`
    one takes any encryption for enough, a `stubborn` one none.
    """

    describes_itself = True
    lax = False
    stubborn = False

    def __init__(self, radio: Radio, address: str, name: str, passkey: int, way: Way) -> None:
        self.address = address
        self.serial = f"CZ-{int(address[-2:], 16):06}"
        self.slow = asyncio.Event()
        self.slow.set()
        self.asked = asyncio.Event()
        self.written: list[bytes] = []
        self.pairings = 0
        self.refusal = ErrorCode(0x80)
        self._radio = radio
        self._passkey = passkey
        self._way = way
        self.shown: list[int] = []
        self.oob: OobContext | None = None
        self.controller = RadioController(name, radio)
        host = Host()
        host.controller = self.controller
        config = DeviceConfiguration(name=name, address=Address(address, Address.RANDOM_DEVICE_ADDRESS))
        self.device = Device(config=config, host=host)
        self.keys = MemoryKeyStore()
        self.device.keystore = self.keys
        self.device.pairing_config_factory = self._pairing
        self.stored = Characteristic[bytes](STORED_OBSERVATIONS, Properties.NOTIFY, Attribute.READABLE, b"")
        self.racp = Characteristic[bytes](
            RACP, Properties.WRITE | Properties.INDICATE, Attribute.WRITEABLE, AttributeValue(write=self._write)
        )
        self.device.add_service(
            Service(
                GHS_SERVICE,
                [
                    self.stored,
                    self.racp,
                    Characteristic[bytes](
                        REFUSING,
                        Properties.READ,
                        Attribute.READABLE,
                        AttributeValue(read=self._refuse),
                        [
                            Descriptor(UUID.from_16_bits(SCHEDULE_DESCRIPTOR), Attribute.READABLE, bytes([n]))
                            for n in (1, 2)
                        ],
                    ),
                ],
            )
        )
        self.device.add_service(
            Service(
                STOCKING_SERVICE,
                [
                    Characteristic[bytes](
                        OPEN_A, Properties.READ, Attribute.READABLE, AttributeValue(read=self._slow_a)
                    ),
                    Characteristic[bytes](
                        STOCKING_IDENTITY, Properties.READ, Attribute.READABLE, AttributeValue(read=self._identity)
                    ),
                    Characteristic[bytes](
                        STOCKING_LABEL, Properties.READ, Attribute.READABLE, AttributeValue(read=self._label)
                    ),
                    Characteristic[bytes](OPEN_B, Properties.READ, Attribute.READABLE, b"value of B"),
                    Characteristic[bytes](
                        LOG_STATUS, Properties.READ, Attribute.READABLE, AttributeValue(read=self._protected)
                    ),
                ],
            )
        )
        # The service in the advertisement, the name in the scan response: as a 31-octet advertisement demands.
        self._advertisement = bytes(
            AdvertisingData([(AD.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes.fromhex("4018"))])
        )
        self._response = bytes(AdvertisingData([(AD.COMPLETE_LOCAL_NAME, name.encode())]))

    async def advertise(self) -> None:
        if not self.device.powered_on:
            await self.device.power_on()
        await self.device.start_advertising(
            auto_restart=True,
            advertising_data=self._advertisement,
            scan_response_data=self._response,
            advertising_interval_min=20,
            advertising_interval_max=20,
        )

    async def fall_silent(self) -> None:
        await self.device.stop_advertising()

    @property
    def link(self) -> Connection:
        """The one link there is."""
        (connection,) = self.device.connections.values()
        return connection

    def cut(self) -> None:
        """Out of range: both sides notice at once."""
        self._radio.cut(self.controller)

    async def notify(self, value: bytes) -> None:
        await self.device.notify_subscriber(self.link, self.stored, value)

    async def indicate(self, value: bytes) -> None:
        await self.device.indicate_subscriber(self.link, self.racp, value)

    async def forget_bonds(self) -> None:
        await self.keys.delete_all()

    def print_label(self) -> OobData:
        """From now on it has out-of-band data, and this is what its label says of them."""
        self.oob = OobContext()
        data = self.oob.share()
        return OobData(data.r, data.c)

    def _pairing(self, _connection: Connection) -> PairingConfig:
        self.pairings += 1
        return PairingConfig(
            sc=self._way not in {Way.OLD_NOTHING, Way.OLD_PASSKEY},
            delegate=self._delegate(),
            oob=None if self.oob is None else PairingConfig.OobConfig(self.oob, None, None),
        )

    def _delegate(self) -> PairingDelegate:
        match self._way:
            case Way.PASSKEY | Way.OLD_PASSKEY:
                return PrintedPasskey(self._passkey)
            case Way.NUMBERS:
                return Display(self.shown)
            case Way.NOTHING | Way.OLD_NOTHING:
                return PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT)

    async def _slow_a(self, _connection: Connection) -> bytes:
        self.asked.set()
        await self.slow.wait()
        return b"value of A"

    def _refuse(self, _connection: Connection) -> bytes:
        raise ATT_Error(self.refusal)

    async def _protected(self, connection: Connection) -> bytes:
        if not connection.is_encrypted:
            raise ATT_Error(ErrorCode.INSUFFICIENT_ENCRYPTION)
        if self.lax:
            return STATUS_OCTETS
        keys = await self.keys.get(str(connection.peer_address))
        if keys is None or keys.ltk is None or not keys.ltk.authenticated or self.stubborn:
            raise ATT_Error(ErrorCode.INSUFFICIENT_AUTHENTICATION)
        return STATUS_OCTETS

    def _identity(self, _connection: Connection) -> bytes:
        return Identity(self.serial, bytes(8)).encode() if self.describes_itself else b"?"

    async def _label(self, connection: Connection) -> bytes:
        await self._protected(connection)
        return Label(Side.LEFT, "M", "RAL-GZ 387/1", "2", 23, 32).encode()

    def _write(self, _connection: Connection, value: bytes) -> None:
        self.written.append(value)


@dataclass
class Air:
    """A virtual radio with its HCI port open. `restart` is what a simulator that died and came back looks like."""

    radio: Radio
    port: HciPort
    peripherals: list[Peripheral] = field(default_factory=list)

    @classmethod
    async def open(cls) -> "Air":
        radio = Radio(pacing=UNPACED)
        return cls(radio, await HciPort.open(radio))

    @property
    def spec(self) -> str:
        return f"sim:tcp://127.0.0.1:{self.port.port}"

    async def add(
        self,
        address: str = "F0:00:00:00:00:01",
        name: str = "Calza 1",
        passkey: int = PASSKEY,
        way: Way = Way.PASSKEY,
    ) -> Peripheral:
        peripheral = Peripheral(self.radio, address, name, passkey, way)
        self.peripherals.append(peripheral)
        await peripheral.advertise()
        return peripheral

    async def restart(self) -> None:
        number = self.port.port
        await self.port.close()
        self.port = await HciPort.open(self.radio, number)

    async def close(self) -> None:
        for peripheral in self.peripherals:
            for link in list(peripheral.device.connections.values()):
                await link.disconnect()
            await peripheral.fall_silent()  # behind the restart of advertising that the end of a link began
            await peripheral.device.power_off()
            peripheral.controller.remove()
        await self.port.close()


class Person:
    """A pairing agent that answers at once. `asked` collects what it was asked: "passkey", or the number to compare."""

    def __init__(self, passkey: int = PASSKEY, *, agrees: bool = True, oob: OobData | None = None) -> None:
        self.asked: list[str | int] = []
        self._passkey = passkey
        self._agrees = agrees
        self._oob = oob

    async def passkey(self, address: str) -> int:
        self.asked.append("passkey")
        return self._passkey

    async def confirm(self, address: str, number: int) -> bool:
        self.asked.append(number)
        return self._agrees

    def oob(self, address: str) -> OobData | None:
        return self._oob

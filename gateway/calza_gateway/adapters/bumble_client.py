"""bleak's client on Bumble: `BleakClient(device, backend=BumbleClient, host=host, agent=agent)`.

Behaves as bleak does on BlueZ where a program could tell: raises the security of the link by itself, encrypts at once
when bonded, drops the link after a failed pairing, forgets the services with the link. Must not know what is read.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode
from bumble.device import Advertisement
from bumble.hci import Address

from calza_gateway.adapters import bumble_pairing
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.adapters.bumble_link import BumbleLink
from calza_gateway.adapters.bumble_services import discover
from calza_gateway.ports import PairingAgent

UNCONNECTED_MTU = 23  # what every link starts with (Core Specification, Vol 3, Part G, 5.2.1)
WRITE_HEADER_OCTETS = 3
MORE_SECURITY_CODES = frozenset(
    {
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    }
)

T = TypeVar("T")


class BumbleClient(BaseBleakClient):
    """One GATT client; can be connected again after its link has ended.

    `agent` is who to ask when the link has to be paired. Without one, only an explicit `pair()` pairs, and then
    without authentication (Just Works), which a stocking does not take for enough.
    """

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        host: BumbleHost,
        agent: PairingAgent | None = None,
        **_other_platforms: object,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._host = host
        self._agent = agent
        self._name: str | None = None
        self._peer_address: Address | None = None
        if isinstance(address_or_ble_device, BLEDevice):
            self._name = address_or_ble_device.name
            # The text of an address does not say whether it is random or public; the scanner has kept what does.
            self._peer_address = address_or_ble_device.details
        self._link: BumbleLink | None = None

    @property
    def name(self) -> str:
        """The advertised name, or the address with dashes."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The ATT MTU in octets."""
        return self._link.mtu if self._link is not None else UNCONNECTED_MTU

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._link is not None

    async def connect(self, pair: bool, **_kwargs: object) -> None:
        """Connect, encrypt if bonded (or pair if told to), agree on the MTU, discover: all of it or nothing.

        Raises TimeoutError, BondLostError, LinkLostError, BleakError.
        """
        if self._link is not None:
            raise BleakError("Client is already connected")
        async with asyncio.timeout(self._timeout):
            if self._peer_address is None:
                self._peer_address = await self._find()
            link = BumbleLink(await self._host.connect(self._peer_address, self._timeout), self._ended)
            self._link = link
            try:
                if self._host.keyring.has(self.address):
                    await link.encrypt()
                elif pair:
                    await self.pair()
                await link.exchange_mtu()
                self.services = await link.run(discover(link.gatt, self._max_write_size))
            except BaseException:
                await self.disconnect()
                raise

    async def disconnect(self) -> None:
        """End the link; harmless without one."""
        if self._link is not None:
            await self._host.disconnect(self._link.connection)

    async def pair(self, *_args: object, **_kwargs: object) -> None:
        """Pair and bond; with a bond already, encrypt. A failed pairing ends the link, as it does on BlueZ."""
        if self._host.keyring.has(self.address):
            await self._live().encrypt()
            return
        await self._pair(self._live())

    async def unpair(self) -> None:
        """Forget the bond and end the link. Raises BleakDeviceNotFoundError when there was no bond."""
        known = self._host.forget(self.address)
        await self.disconnect()
        if not known:
            raise BleakDeviceNotFoundError(self.address, f"there is no bond with {self.address}")

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_kwargs: object
    ) -> bytearray:
        """The value as the peer has it now; nothing is cached here."""
        return await self._read(characteristic.handle)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_kwargs: object
    ) -> bytearray:
        """The value as the peer has it now; nothing is cached here."""
        return await self._read(descriptor.handle)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """Write as a request, which is answered, or as a command, which is not."""
        await self._write(characteristic.handle, data, response=response)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write as a request."""
        await self._write(descriptor.handle, data, response=True)

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_kwargs: object
    ) -> None:
        """Enable notifications, or indications where there are no notifications."""
        link = self._live()
        if link.is_subscribed(characteristic.obj):
            raise BleakError(f"notifications of {characteristic.uuid} are on already")
        await self._secured(link, lambda: link.subscribe(characteristic.obj, callback))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Disable notifications and indications."""
        await self._live().unsubscribe(characteristic.obj)

    async def _read(self, handle: int) -> bytearray:
        link = self._live()
        return bytearray(await self._secured(link, lambda: link.run(link.gatt.read_value(handle))))

    async def _write(self, handle: int, data: SizedBuffer, *, response: bool) -> None:
        link, value = self._live(), bytes(data)
        await self._secured(link, lambda: link.run(link.gatt.write_value(handle, value, response)))

    async def _secured(self, link: BumbleLink, step: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The step; if the peer wants more security, that is raised and the step tried once more."""
        try:
            return await step()
        except BleakGATTProtocolError as error:
            if error.code not in MORE_SECURITY_CODES:
                raise
            if self._host.keyring.has(self.address) and not link.connection.is_encrypted:
                await link.encrypt()
            elif self._agent is not None and not self._host.keyring.has(self.address):
                await self._pair(link)
            else:
                raise
        return await step()

    async def _pair(self, link: BumbleLink) -> None:
        try:
            await link.run(bumble_pairing.pair(self._host, link.connection, self._agent))
        except BaseException:
            await self._host.disconnect(link.connection)
            raise

    async def _find(self) -> Address:
        """The address with its type, from the peer's next advertisement."""
        found: asyncio.Future[Address] = asyncio.get_running_loop().create_future()

        def heard(advertisement: Advertisement) -> None:
            if advertisement.address.to_string(False) == self.address.upper() and not found.done():
                found.set_result(advertisement.address)

        await self._host.start_scanning(heard)
        try:
            return await found
        finally:
            await self._host.stop_scanning(heard)

    def _live(self) -> BumbleLink:
        if self._link is None:
            raise BleakError("Not connected")
        return self._link

    def _max_write_size(self) -> int:
        return self.mtu_size - WRITE_HEADER_OCTETS

    def _ended(self) -> None:
        self._link = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

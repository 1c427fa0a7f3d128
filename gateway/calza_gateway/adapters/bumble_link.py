"""One live link on Bumble: its GATT steps one after the other, its security, its notifications in order.

Lives from connection to disconnection; a new link is a new object, so nothing late from an old one can reach it. Must
not know bleak's clients.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import BaseBumbleError
from bumble.core import TimeoutError as BumbleTimeoutError
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR as CCCD
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_Error, HCI_ErrorCode

from calza_gateway.adapters.bleak_errors import BondLostError, LinkLostError
from calza_gateway.adapters.bumble_procedures import Procedures

OUR_MTU = 517  # a value of 512 octets and its header; Bumble does not ask for an MTU by itself
LOST_KEY_CODES = frozenset(
    {
        HCI_ErrorCode.PIN_OR_KEY_MISSING_ERROR,
        HCI_ErrorCode.AUTHENTICATION_FAILURE_ERROR,
        HCI_ErrorCode.CONNECTION_TERMINATED_DUE_TO_MIC_FAILURE_ERROR,  # both sides have a key, but not the same one
    }
)

T = TypeVar("T")
Step = Coroutine[Any, Any, T]


class BumbleLink:
    """A connection with its GATT client. `on_end` is called in the event loop, after the last notification."""

    def __init__(self, connection: Connection, on_end: Callable[[], None]) -> None:
        self.connection = connection
        self.gatt = connection.gatt_client
        self._on_end = on_end
        self._steps = Procedures(f"the link to {connection.peer_address}")
        self._end_reason: int | None = None
        connection.once(Connection.EVENT_DISCONNECTION, self._ended)
        if connection.device.lookup_connection(connection.handle) is not connection:
            self._ended(HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)  # it was over before anybody listened

    @property
    def mtu(self) -> int:
        """The ATT MTU in octets."""
        return self.connection.att_mtu

    async def run(self, step: Step[T]) -> T:
        """One step with the peer, never abandoned half way.

        Raises BleakGATTProtocolError for an ATT error response, LinkLostError when the link ended, else BleakError.
        """
        try:
            return await self._steps.run(step)
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except BumbleTimeoutError as error:
            # After 30 s without an answer the bearer must not be used again (Vol 3, Part F, 3.3.3): say it is over.
            self._steps.lose()
            raise BleakError("the peer did not answer within 30 s") from error
        except BaseBumbleError as error:
            raise BleakError(str(error) or type(error).__name__) from error

    async def encrypt(self) -> None:
        """Encrypt with the key of the bond. Raises BondLostError when the peer has no such key any more."""
        if self.connection.is_encrypted:
            return
        try:
            await self._steps.run(self.connection.encrypt())
        except HCI_Error as error:
            if error.error_code in LOST_KEY_CODES:
                raise BondLostError(error.error_name) from error
            raise BleakError(f"the link could not be encrypted ({error.error_name})") from error
        except LinkLostError as error:
            if self._end_reason in LOST_KEY_CODES:
                raise BondLostError("the link was cut for a wrong key") from error
            raise
        except BaseBumbleError as error:
            raise BleakError(f"the link could not be encrypted ({error})") from error

    async def exchange_mtu(self) -> None:
        """Offer the largest MTU; a peer that cannot talk about it stays at 23 octets."""
        try:
            await self.run(self.gatt.request_mtu(OUR_MTU))
        except BleakGATTProtocolError:
            return

    async def subscribe(
        self, characteristic: CharacteristicProxy[bytes], on_value: Callable[[bytearray], None]
    ) -> None:
        """Have every value of a characteristic handed over, in the order of arrival over all characteristics.

        The loop's own queue keeps that order for notifications and indications alike, and a callback that raises
        harms neither the confirmation of an indication nor the parser.
        """
        loop = asyncio.get_running_loop()

        def arrived(value: bytes) -> None:
            loop.call_soon(on_value, bytearray(value))

        await self.run(characteristic.discover_descriptors())
        if characteristic.get_descriptor(CCCD) is None:
            raise BleakError(f"characteristic {characteristic.uuid} cannot be subscribed to")
        try:
            await self.run(self.gatt.subscribe(characteristic, arrived))
        except BaseException:
            self._forget(characteristic)
            raise

    async def unsubscribe(self, characteristic: CharacteristicProxy[bytes]) -> None:
        """Have no more values handed over."""
        await self.run(self.gatt.unsubscribe(characteristic))

    def is_subscribed(self, characteristic: CharacteristicProxy[bytes]) -> bool:
        """Whether values of the characteristic are handed over."""
        handle = characteristic.handle
        return handle in self.gatt.notification_subscribers or handle in self.gatt.indication_subscribers

    def _forget(self, characteristic: CharacteristicProxy[bytes]) -> None:
        self.gatt.notification_subscribers.pop(characteristic.handle, None)
        self.gatt.indication_subscribers.pop(characteristic.handle, None)

    def _ended(self, reason: int) -> None:
        self._end_reason = reason
        self._steps.lose()
        asyncio.get_running_loop().call_soon(self._on_end)

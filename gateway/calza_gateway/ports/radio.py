"""The radio as the gateway needs it: links, scanning, pairing, and the care of an adapter that no longer works."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class RadioReason(StrEnum):
    """Why the radio could not do what it was asked; the stable code of a `RadioError`."""

    NO_ADAPTER = "no_adapter"
    NOT_FOUND = "not_found"
    CONNECT_FAILED = "connect_failed"
    DISCONNECTED = "disconnected"
    TIMEOUT = "timeout"
    PAIRING_REFUSED = "pairing_refused"
    NOT_PAIRED = "not_paired"
    BOND_LOST = "bond_lost"  # the stocking has forgotten this gateway; this side still has its key
    STACK_STUCK = "stack_stuck"  # the adapter or the Bluetooth service does not do what it says (InProgress, no reply)
    GATT_ERROR = "gatt_error"


class RadioError(Exception):
    """The radio or the peer on it failed; `reason` says how, `att_code` is set for an ATT error response."""

    def __init__(self, reason: RadioReason, message: str, att_code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.att_code = att_code

    @property
    def code(self) -> str:
        """The stable code: the reason's own value."""
        return self.reason.value


@dataclass(frozen=True, slots=True)
class Sighting:
    """One advertiser of the Generic Health Sensor service (0x1840); `rssi` in dBm."""

    address: str
    name: str | None
    rssi: int | None


@dataclass(frozen=True, slots=True)
class OobData:
    """What the QR code on a stocking's label carries for LE Secure Connections out-of-band pairing: 16 octets each.

    `random` is the value r, `confirm` is C = f4(PKx, PKx, r, 0) (Core Specification, Vol 3, Part H, 2.3.5.6.4), least
    significant octet first. Both stay out of `repr`: who knows r can pair.
    """

    random: bytes = field(repr=False)
    confirm: bytes = field(repr=False)


class PairingAgent(Protocol):
    """Speaks for the person who pairs. What a method raises goes through to the caller of `Radio.pair`."""

    async def passkey(self, address: str) -> int:
        """The six digits printed on the label, as a number 0..999999."""
        ...

    async def confirm(self, address: str, number: int) -> bool:
        """Whether the stocking shows this very number (numeric comparison)."""
        ...

    def oob(self, address: str) -> OobData | None:
        """What was read from the label's QR code, None if it was not scanned."""
        ...


class Link(Protocol):
    """A connection to one stocking. A characteristic is addressed by its UUID alone (`calza_wire.uuids`)."""

    @property
    def address(self) -> str: ...

    @property
    def mtu(self) -> int:
        """The ATT MTU in octets."""
        ...

    @property
    def rssi(self) -> int | None:
        """Signal strength in dBm when last seen, None if the stack does not tell."""
        ...

    @property
    def closed(self) -> asyncio.Event:
        """Set once the connection is gone, whoever ended it."""
        ...

    async def read(self, uuid: str) -> bytes:
        """The characteristic's value. Raises `RadioError`."""
        ...

    async def write(self, uuid: str, value: bytes) -> None:
        """Write with response. Raises `RadioError`; an ATT error response is `gatt_error` with its `att_code`."""
        ...

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        """Enable notifications or indications; `on_value` is called in the event loop, in order of arrival."""
        ...

    async def disconnect(self) -> None:
        """End the connection; harmless when it is gone already."""
        ...


class AdapterCare(Protocol):
    """What can be done for one Bluetooth adapter that no longer works, gentlest first. Raises `RadioError`."""

    @property
    def name(self) -> str:
        """As the person knows it: "hci0", "sim:tcp://127.0.0.1:7800"."""
        ...

    async def present(self) -> bool:
        """Whether the adapter is there, powered, and its service answers; False rather than an exception."""
        ...

    async def reset(self) -> None:
        """Power the adapter off and on; links end, bonds stay."""
        ...

    async def restart_stack(self) -> None:
        """Restart the Bluetooth service of the system (bluetoothd); every adapter of this machine is affected."""
        ...


class Radio(Protocol):
    """A Bluetooth LE central. Connects to one stocking at a time, keeps any number of links open."""

    @property
    def care(self) -> AdapterCare:
        """What can be done for the adapter behind this radio."""
        ...

    async def listen(self, addresses: Collection[str], seconds: float) -> Sighting | None:
        """The first of these stockings to be heard, as soon as it is; None when none was within that time."""
        ...

    async def scan(self, seconds: float) -> list[Sighting]: ...

    async def connect(self, address: str, timeout_s: float) -> Link: ...

    async def pair(self, address: str, agent: PairingAgent) -> None:
        """Pair and bond; believed only after a protected read has succeeded. Raises `RadioError`."""
        ...

    async def unpair(self, address: str) -> None: ...

    async def close(self) -> None: ...

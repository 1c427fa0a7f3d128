"""What the gateway needs from outside: a radio, an outbox, a connection to the broker, a clock.

Knows no library. The adapters under `calza_gateway.adapters` fulfil these protocols; the session, the relay and the
visits are written against them alone.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from calza_wire.messages import Receipt
from calza_wire.ranges import RangeSet
from calza_wire.records import Record

# --- the radio --------------------------------------------------------------------------------------------------------


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


# --- the outbox -------------------------------------------------------------------------------------------------------


class OutboxError(Exception):
    """The outbox cannot be used; `code` is stable, the sentence says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OutboxFullError(OutboxError):
    """The disk ("disk_full") or the outbox ("outbox_full") is full: nothing of this call was kept, and nothing is lost,
    because the stocking still holds it."""

    def __init__(self, message: str, code: str = "disk_full") -> None:
        super().__init__(code, message)


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """One record waiting for a receipt. `key` rises with age and is never used twice."""

    key: int
    serial: str
    log_id: bytes
    number: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """One sync report (encoded JSON) waiting for the broker's acknowledgement."""

    key: int
    serial: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """One record the server refused, kept here with the server's reason."""

    serial: str
    log_id: bytes
    number: int
    digest: str
    reason: str
    detail: str
    refused_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """The keys one receipt took out of the queue."""

    stored: frozenset[int]
    refused: frozenset[int]


@dataclass(frozen=True, slots=True)
class StockingCounts:
    """What the outbox holds of one stocking: waiting, refused, and confirmed stored by the server."""

    serial: str
    pending: int
    refused: int
    receipted: int


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """The whole outbox. `oldest_ms` is when the oldest waiting record was put (Unix milliseconds)."""

    pending: int
    refused: int
    reports: int
    oldest_ms: int | None
    stockings: tuple[StockingCounts, ...]


@dataclass(frozen=True, slots=True)
class Contact:
    """How the last visit to one stocking went. `outcome` is "ok" or an error's code; times are Unix milliseconds.

    `backlog` counts records the visit left in the stocking, `clock_error_ms` is the stocking's clock minus the
    gateway's before it was set; both are None when the visit did not get that far.
    """

    serial: str
    tried_ms: int
    outcome: str
    synced_ms: int | None
    backlog: int | None = None
    clock_error_ms: int | None = None
    battery_percent: int | None = None


class Outbox(Protocol):
    """The durable queue between the radio and the broker, emptied by receipts only.

    Every call is durable when it returns and may be made from any thread. A call that changes something raises
    `OutboxFullError` when the disk is full, having changed nothing. `put` and `put_report` raise it earlier, at the
    limit the outbox was made with, so that receipts still settle.
    """

    def put(self, serial: str, log_id: bytes, records: Sequence[Record], now_ms: int) -> int:
        """Keep records, one commit for all; returns how many were new. Octets held already are not repeated."""
        ...

    def pending(self, limit: int, after: int = 0) -> list[OutboxRecord]:
        """Waiting records with a key above `after`, oldest first."""
        ...

    def waiting(self) -> int:
        """How many records wait for a receipt."""
        ...

    def settle(self, receipt: Receipt, now_ms: int) -> Settled:
        """Apply a receipt: stored records leave and are remembered as receipted, refused ones go to quarantine."""
        ...

    def release(self, serial: str) -> int:
        """Queue again what was refused because the server did not know the stocking; returns how many."""
        ...

    def held(self, serial: str, log_id: bytes) -> RangeSet:
        """Numbers that need not be fetched again: waiting, or refused for a reason that a second reading cannot cure.

        A record refused as malformed or forged counts only once the stocking has sent the same octets twice: the
        first reading may have been spoilt on the way.
        """
        ...

    def receipted(self, serial: str, log_id: bytes) -> RangeSet:
        """Numbers the server has confirmed stored, as far as this gateway was told."""
        ...

    def put_report(self, serial: str, payload: bytes) -> None: ...

    def reports(self, limit: int, after: int = 0) -> list[OutboxReport]:
        """Waiting sync reports with a key above `after`, oldest first."""
        ...

    def drop_report(self, key: int) -> None: ...

    def note_contact(self, contact: Contact) -> None:
        """Remember how a visit went; an earlier `synced_ms` stays when this one has none, the rest is as given."""
        ...

    def contacts(self) -> list[Contact]: ...

    def counts(self) -> OutboxCounts: ...

    def refused(self) -> list[RefusedRecord]: ...

    def close(self) -> None: ...


# --- the broker -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrokerUp:
    """Connected, subscribed, and the retained status says online. `protocol` is "5" or "3.1.1"."""

    protocol: str


@dataclass(frozen=True, slots=True)
class BrokerDown:
    """Not connected, or no longer; everything published and not receipted has to be published again."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class BrokerMessage:
    """A message on a topic this gateway subscribes to."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class BrokerAck:
    """The broker took (or refused: `accepted` false) a message that was published with a token."""

    token: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class BrokerRefused:
    """The broker refused a publish; `code` is stable ("not_authorised", "quota_exceeded", "refused")."""

    code: str
    sentence: str


BrokerEvent = BrokerUp | BrokerDown | BrokerMessage | BrokerAck | BrokerRefused


class MqttLink(Protocol):
    """A connection to the broker that comes back by itself."""

    async def run(self, on_event: Callable[[BrokerEvent], None]) -> None:
        """Stay connected until cancelled; then say offline and disconnect. Events come in the event loop, in order."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int, token: int | None = None, retain: bool = False) -> bool:
        """Hand a message over; False (and nothing sent) when not connected. A `token` asks for a `BrokerAck`; the
        broker keeps the newest message with `retain` for who comes later."""
        ...


# --- time -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant by both clocks: `unix_s` for what is written down, `tick_s` (never jumps) for limits."""

    unix_s: float
    tick_s: float

    @property
    def unix_ms(self) -> int:
        """Unix time in whole milliseconds."""
        return int(self.unix_s * 1000)


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Moment: ...

    def offset_quarters(self) -> int:
        """What the local wall clock shows beyond UTC, in quarter hours."""
        ...

    def synchronised(self) -> bool | None:
        """Whether the system keeps this clock by a time server; None if it does not tell."""
        ...

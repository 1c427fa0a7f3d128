"""What the server's core asks of the world around it: a store, a registry, a broker's messages, the time of day.

Values and promises only. Nothing here knows SQLite, MQTT, HTTP or JSON; the adapters keep these promises and
`tests/contracts` checks that they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from calza_server.domain.recording.readings import Readings
    from calza_wire.gateway_status import GatewayReport
    from calza_wire.live_minute import LiveMinute
    from calza_wire.messages import SyncReport
    from calza_wire.ranges import RangeSet


class Clock(Protocol):
    """The time of day, handed in so that no module asks for it by itself."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""


QUARANTINE_PAYLOAD_OCTETS: Final = 4_096  # the longest record has 877; of what is longer the beginning says enough

# --- the series store -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """One minute block as it came from the stocking, and how it came here.

    (`serial`, `log_id`, `record`) is its identity; `body` is kept octet by octet, so its tag can be checked for ever.
    `received_ms` is Unix time in milliseconds by this server.
    """

    serial: str
    log_id: bytes
    record: int
    body: bytes
    gateway: str
    received_ms: int


class Appended(StrEnum):
    """What became of one block handed to `SeriesStore.append`."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the same identity and the same octets were held already
    CONFLICT = "conflict"  # the same identity with other octets: the first stays, the other is kept as evidence
    REFUSED = "refused"  # the engine behind the store does not take it, now or ever; it is kept in quarantine


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record that was refused, with the octets that were refused (at most `QUARANTINE_PAYLOAD_OCTETS` of them)."""

    gateway: str
    serial: str
    payload: bytes = field(repr=False)
    digest: str
    reason: str
    detail: str
    received_ms: int

    def bounded(self) -> QuarantinedRecord:
        """The same with no more of the payload than is kept; `digest` still names the whole."""
        if len(self.payload) <= QUARANTINE_PAYLOAD_OCTETS:
            return self
        return replace(self, payload=self.payload[:QUARANTINE_PAYLOAD_OCTETS])


@dataclass(frozen=True, slots=True)
class Visit:
    """A sync report, and when this server received it first: Unix milliseconds by its own clock."""

    report: SyncReport
    received_ms: int


@dataclass(frozen=True, slots=True)
class HeldLog:
    """Which record numbers of one log are held."""

    log_id: bytes
    held: RangeSet


class StoreError(Exception):
    """The store cannot do what was asked now, though the request was right: disk full, locked, gone. Worth retrying.

    `code` is stable: "full", "busy", "broken".
    """

    def __init__(self, code: Literal["full", "busy", "broken"], sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class SeriesStore(Protocol):
    """Keeps minute blocks for good. Every method may be called from any thread; reading never waits for writing."""

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        """Keep the blocks and say what became of each, in order.

        Durable when it returns. Raises StoreError: then the same call may be made again, and ends as if it were the
        first (a store with transactions has kept none of them until then; one without may have, each whole or not at
        all, and calls those duplicates). Raises ValueError, and keeps none, for a body that is not a minute block of
        that log (nothing unchecked may come this far).
        """

    def evidence(self, serial: str) -> list[StoredBlock]:
        """The other octets of records in conflict, oldest first, each kept once."""

    def quarantine(self, items: Sequence[QuarantinedRecord]) -> None:
        """Keep refused records; durable on return. The same digest for the same serial and reason is kept once."""

    def held(self, serial: str) -> list[HeldLog]:
        """The logs of a stocking, in the order they were first seen, with the record numbers held of each."""

    def read(self, serial: str, from_device_s: int, to_device_s: int) -> Readings:
        """The minutes that start in [from, to), in Unix seconds by the stocking's own clock."""

    def count(self, serial: str) -> int:
        """How many blocks of a stocking are held."""

    def add_sync(self, report: SyncReport, received_ms: int) -> None:
        """Keep what a gateway said about one sync; durable on return. The same report twice is kept once."""

    def syncs(self, serial: str) -> list[SyncReport]:
        """The sync reports of a stocking, oldest first."""

    def visits(self, serial: str) -> list[Visit]:
        """The same sync reports in the same order, each with when it was received first."""

    def quarantined(self, serial: str | None = None) -> list[QuarantinedRecord]:
        """Refused records, oldest first; of one stocking, if it is named."""

    def close(self) -> None:
        """Let go of every file; the store cannot be used afterwards."""


# --- the registry ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RegisteredStocking:
    """A stocking this server knows. `key` is its tag key and appears in no text made from this value.

    `retired_minute` (since 1970-01-01T00:00Z): taken out of use; its silence from then on says nothing of the leg.
    """

    serial: str
    system_id: bytes
    key: bytes = field(repr=False)
    leg: str
    retired_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """A leg under treatment; `prescription` is the document as it was given (None: nothing is ordered).

    `earlier` are the orders before it, oldest first, each closed by the one that came after it. `course` and
    `checklist` are the documents of `domain.course` and `domain.checklist`, None where nobody has begun them.
    """

    id: str
    side: Literal["left", "right"]
    name: str = field(repr=False)
    prescription: Mapping[str, object] | None = field(repr=False)
    earlier: tuple[Mapping[str, object], ...] = field(repr=False, default=())
    course: Mapping[str, object] | None = field(repr=False, default=None)
    checklist: Mapping[str, object] | None = field(repr=False, default=None)

    @property
    def orders(self) -> tuple[Mapping[str, object], ...]:
        """Every order of this leg, oldest first."""
        return self.earlier if self.prescription is None else (*self.earlier, self.prescription)


class Registry(Protocol):
    """Which stockings and legs this server knows. May change while the server runs."""

    def stocking(self, serial: str) -> RegisteredStocking | None:
        """The stocking with that serial, or None."""

    def stockings(self, leg: str) -> tuple[RegisteredStocking, ...]:
        """The stockings assigned to a leg, in the order they were registered."""

    def leg(self, leg_id: str) -> Leg | None:
        """The leg with that id, or None."""

    def legs(self) -> tuple[Leg, ...]:
        """Every leg, in the order of the registry."""


# --- the verdict book ------------------------------------------------------------------------------------------------


class VerdictBookError(Exception):
    """The book of frozen verdicts cannot be read or written. `code` is stable: "book_broken", "book_unwritable"."""

    def __init__(self, code: Literal["book_broken", "book_unwritable"], sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class VerdictBook(Protocol):
    """Frozen verdicts, only ever added to. An order is named by its leg and its start. May be asked from any thread."""

    def versions(self, leg: str, order: str) -> tuple[Mapping[str, object], ...]:
        """The frozen versions of one order, oldest first, as `domain.finality` writes them. Raises VerdictBookError."""

    def append(self, leg: str, order: str, version: Mapping[str, object]) -> None:
        """Add a version; durable on return. Raises VerdictBookError, and then nothing was added."""


# --- messages from the broker ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message from the broker. `handle` is the source's own business: it names the message when acknowledging."""

    topic: str
    payload: bytes = field(repr=False)
    handle: object = field(repr=False, default=None)


class MessageSource(Protocol):
    """Messages from gateways, each delivered until it is acknowledged, and a way to answer."""

    def take(self, limit: int, linger_s: float, wait_s: float) -> list[Delivery]:
        """Up to `limit` messages: at most `wait_s` until the first, then `linger_s` more for others; may be empty."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Done with these for good. Without effect on one from before a reconnect: the broker sends that again."""

    def send(self, topic: str, payload: bytes) -> None:
        """Send at QoS 1, never retained. A message that cannot be sent is forgotten: receipts are asked for again."""

    @property
    def connected(self) -> bool:
        """Whether the broker can be heard at the moment."""


# --- the broker -----------------------------------------------------------------------------------------------------


class BrokerError(Exception):
    """The broker cannot be had: no executable, port taken, refused. The sentence says what to do."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where ingest finds the broker and as whom. `protocol` 4 is MQTT 3.1.1, 5 is MQTT 5."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    protocol: Literal[4, 5] = 5
    tls: bool = False
    ca_file: Path | None = None  # who vouches for it with TLS; None: the system's authorities

    @property
    def url(self) -> str:
        """The address without any secret."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class Broker(Protocol):
    """A broker this process started and looks after."""

    def start(self) -> BrokerAddress:
        """Start it and wait until it answers; where our own processes reach it. Raises BrokerError."""

    @property
    def gateways_url(self) -> str:
        """Where gateways reach it, without any secret."""

    def stop(self) -> None:
        """Stop it; nothing of it is left running."""

    @property
    def running(self) -> bool:
        """Whether it is up at the moment."""


# --- health ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiveSeen:
    """The newest live minute of one stocking: for screens only, never counted, never kept."""

    serial: str
    gateway: str
    minute: LiveMinute
    received_ms: int


@dataclass(frozen=True, slots=True)
class GatewaySeen:
    """What is known of one gateway since this server started; `report` is the last it gave, at `reported_ms`."""

    gateway: str
    state: Literal["online", "offline"]
    software: str
    last_heard_ms: int
    report: GatewayReport | None = None
    reported_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the ingest side is doing. `problem` is a plain sentence, empty when all is well."""

    broker_connected: bool
    store_ok: bool
    problem: str = ""
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0
    last_stored_ms: int | None = None
    gateways: tuple[GatewaySeen, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether records that arrive now are being kept."""
        return self.broker_connected and self.store_ok

"""The durable queue between the radio and the broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from calza_wire.messages import Receipt
from calza_wire.ranges import RangeSet
from calza_wire.records import Record


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
    """One sync report (encoded JSON) waiting for a receipt. `key` rises with age and is never used twice."""

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
    """The keys one receipt took out of the queue: of records stored and refused, and of reports, whichever it was."""

    stored: frozenset[int]
    refused: frozenset[int]
    reports: frozenset[int] = frozenset()


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

    def check_room(self) -> None:
        """Whether one more record could be kept now: nobody need be connected to whose records cannot be.

        Raises `OutboxFullError`.
        """
        ...

    def pending(self, limit: int, after: int = 0) -> list[OutboxRecord]:
        """Waiting records with a key above `after`, oldest first."""
        ...

    def waiting(self) -> int:
        """How many records wait for a receipt."""
        ...

    def settle(self, receipt: Receipt, now_ms: int) -> Settled:
        """Apply a receipt: stored records leave and are remembered as receipted, refused ones go to quarantine.

        Sync reports it names by digest leave too; refused ones are kept, but wait no longer.
        """
        ...

    def release(self, serial: str) -> int:
        """Queue again what was refused because the server did not know the stocking, reports too; returns how many."""
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

    def put_report(self, serial: str, payload: bytes) -> None:
        """Keep a sync report until a receipt names it."""
        ...

    def reports(self, limit: int, after: int = 0) -> list[OutboxReport]:
        """Waiting sync reports with a key above `after`, oldest first."""
        ...

    def note_contact(self, contact: Contact) -> None:
        """Remember how a visit went; an earlier `synced_ms` stays when this one has none, the rest is as given."""
        ...

    def contacts(self) -> list[Contact]: ...

    def counts(self) -> OutboxCounts: ...

    def refused(self) -> list[RefusedRecord]: ...

    def close(self) -> None: ...

"""What goes into a sync session and what comes out of it: plain values, so that the session itself touches nothing."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from calza_gateway.ports import RadioReason
from calza_wire.messages import SyncReport
from calza_wire.ranges import RangeSet
from calza_wire.records import Record

# --- out: what the session wants done ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Enable notifications or indications; answered by `OpDone` or `OpRefused`."""

    uuid: str


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic; answered by `ReadResult` or `OpRefused`."""

    uuid: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write with response; answered by `OpDone` or `OpRefused`."""

    uuid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class PublishSync:
    """Hand a sync report to the outbox."""

    report: SyncReport


@dataclass(frozen=True, slots=True)
class AskWanted:
    """Find out which of the records [first, next_record) are still wanted; answered by `WantedKnown`."""

    serial: str
    log_id: bytes
    first: int
    next_record: int


@dataclass(frozen=True, slots=True)
class Expect:
    """So many records are about to be fetched."""

    serial: str
    count: int


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """Put a record into the outbox; durable before any later action that is not another `StoreRecord`."""

    serial: str
    log_id: bytes
    record: Record


@dataclass(frozen=True, slots=True)
class Done:
    """The session is over and all that was wanted is stored.

    `absent` counts wanted records the stocking no longer had (its log is a ring); `clock_error_s` is device minus
    gateway when it was first read, None if the device counts ticks; `refused` names optional steps that were refused.
    """

    serial: str
    expected: int
    fetched: int
    absent: int
    clock_error_s: float | None
    clock_set: bool
    battery_percent: int | None
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The session is over before its end; what was stored stays, the next session continues there."""

    code: str
    sentence: str


Action: TypeAlias = Subscribe | Read | Write | PublishSync | AskWanted | Expect | StoreRecord | Done | Failed


# --- in: what happened ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The value of a `Read`."""

    uuid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class OpDone:
    """A `Write` or `Subscribe` was accepted."""

    uuid: str


@dataclass(frozen=True, slots=True)
class OpRefused:
    """A `Read`, `Write` or `Subscribe` failed."""

    uuid: str
    reason: RadioReason
    att_code: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Received:
    """A notification or an indication came in."""

    uuid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class WantedKnown:
    """The answer to `AskWanted`."""

    numbers: RangeSet


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing happened until the session's deadline."""


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The connection ended."""


Event: TypeAlias = ReadResult | OpDone | OpRefused | Received | WantedKnown | Tick | LinkLost


# --- between: how the session's script talks to the session ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """The script cannot go on before the next event; a `Tick` comes if none did within `limit_s` seconds."""

    limit_s: float


_T = TypeVar("_T")
Script: TypeAlias = Generator[Action | Wait, Event | None, _T]
"""A piece of the conversation: yields actions (nothing comes back) and waits (the next event comes back)."""


def next_event(limit_s: float) -> Script[Event]:
    """Wait for one event of any kind."""
    event = yield Wait(limit_s)
    if event is None:
        raise RuntimeError("a script was resumed from a wait without an event")
    return event

"""What the gateway tells about its work: values for a progress display, a log or a program. Nobody decides by them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from calza_gateway.reporting.standing import AdapterStanding, StockingStanding


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection to a stocking stands."""

    serial: str


@dataclass(frozen=True, slots=True)
class SyncBegan:
    """So many records are wanted and about to be fetched."""

    serial: str
    expected: int


@dataclass(frozen=True, slots=True)
class Progress:
    """So many of them are durable in the outbox."""

    serial: str
    fetched: int
    expected: int


@dataclass(frozen=True, slots=True)
class SyncEnded:
    """All that was wanted is in the outbox; `absent` records were wanted but are no longer in the stocking."""

    serial: str
    expected: int
    fetched: int
    absent: int
    clock_error_s: float | None
    clock_set: bool
    battery_percent: int | None


@dataclass(frozen=True, slots=True)
class Broker:
    """The connection to the broker came up or went away; `code` is "up" or why not."""

    up: bool
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ReceiptCame:
    """The server confirmed or refused records and settled sync reports; `pending` records still wait in the outbox."""

    serial: str
    stored: int
    refused: int
    pending: int
    reports: int = 0


@dataclass(frozen=True, slots=True)
class Drained:
    """Nothing waits in the outbox; `refused` records are in quarantine."""

    refused: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something went wrong and will be tried again, or needs a person; `reason` is a stable code."""

    reason: str
    sentence: str
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class LiveMinuteCame:
    """A live minute, for a fitting screen; it was forwarded, is kept nowhere and never counted."""

    serial: str
    ankle_mmhg: float
    calf_mmhg: float
    thigh_mmhg: float
    skin_c: float


@dataclass(frozen=True, slots=True)
class AdapterChanged:
    """A supervisor thinks anew of an adapter."""

    standing: AdapterStanding


@dataclass(frozen=True, slots=True)
class StockingChanged:
    """A supervisor thinks anew of a stocking."""

    standing: StockingStanding


GatewayEvent: TypeAlias = (
    Connected
    | SyncBegan
    | Progress
    | SyncEnded
    | Broker
    | ReceiptCame
    | Drained
    | LiveMinuteCame
    | Problem
    | AdapterChanged
    | StockingChanged
)
Tell: TypeAlias = Callable[[GatewayEvent], None]

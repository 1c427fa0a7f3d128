"""What a GATT server, a command line or a test needs from a stocking, and nothing about how the stocking works.

Every time is TRUE Unix seconds, handed in by the caller: no implementation looks at a clock by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from calza_sim.manufacture import OobSecret
from calza_wire.elapsed_time import CurrentElapsedTime
from calza_wire.stocking_service import (
    Calibration,
    ControlResult,
    Identity,
    Label,
    LogStatus,
    SamplingSettings,
)


@dataclass(frozen=True, slots=True)
class RecordTransfer:
    """Records a collector asked for: send them in this order, then indicate `response(how many went out)`.

    A number whose `StockingFirmware.record` is None when its turn comes was overwritten meanwhile: skip it.
    """

    numbers: tuple[int, ...]
    response: Callable[[int], bytes]


class StockingFirmware(Protocol):
    """One stocking as its radio sees it. All times are true Unix seconds and must not run backwards."""

    @property
    def identity(self) -> Identity:
        """Serial and system id, readable by anyone in range."""

    @property
    def label(self) -> Label:
        """What is printed on the garment."""

    @property
    def calibration(self) -> Calibration:
        """The factory calibration of the sensors."""

    @property
    def sampling(self) -> SamplingSettings:
        """Sample rate, block length and how far back the log reaches."""

    @property
    def passkey(self) -> int:
        """The six-digit passkey on the label, 0..999999. Never log it."""

    @property
    def oob(self) -> OobSecret:
        """What the QR code on the label stands for. Never log it."""

    @property
    def firmware_revision(self) -> str:
        """The revision for Device Information, such as "1.0.0"."""

    def advance(self, now_s: float) -> None:
        """Catch up to `now_s`: sample, close minutes and blocks. A time in the past changes nothing."""

    def powered(self, now_s: float) -> bool:
        """Whether it runs at all: a flat one is off the air."""

    def battery_percent(self, now_s: float) -> int:
        """Charge left, 0..100 %."""

    def elapsed_time(self, now_s: float) -> CurrentElapsedTime:
        """The device clock as Current Elapsed Time reports it."""

    def set_elapsed_time(self, octets: bytes, now_s: float) -> int:
        """Set the clock from a write of nine octets; 0, or the ATT error code to answer (0x0D, 0x80, 0x81, 0xFF)."""

    def log_status(self, now_s: float) -> LogStatus:
        """Which records exist in flash now, and how many complete minutes are still open."""

    def close_block(self, now_s: float) -> ControlResult:
        """Seal the complete minutes of the open block so that they can be fetched; SUCCESS also when there are none."""

    def racp(self, pdu: bytes, now_s: float) -> bytes | RecordTransfer:
        """Answer a Record Access Control Point write: an indication to send at once, or records to send first."""

    def racp_abort(self) -> bytes:
        """The indication that answers Abort, whether or not a transfer was running."""

    def record(self, number: int) -> bytes | None:
        """The sealed body of one record, or None when it is not in flash (never written, or overwritten)."""

    def live_minute(self, now_s: float) -> bytes | None:
        """The newest complete minute as an encoded observation; None when there is none since the last call."""

    def power_loss(self, now_s: float, off_s: float) -> None:
        """Lose power at `now_s` for `off_s` seconds: open minutes and clock are gone, flash stays."""

    def factory_reset(self, now_s: float) -> None:
        """Erase the log, draw a new log id and start again at record 1."""

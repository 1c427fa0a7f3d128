"""The stocking's clock: a drifting crystal, unset after power loss, set over the Elapsed Time Service.

It is the one place where true time becomes device time. Device time counts seconds since 2000-01-01T00:00:00Z, or since
power came back while it has not been set.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calza_wire.elapsed_time import (
    RESERVED_FLAGS,
    RESOLUTION_MASK,
    STOCKING_CLOCK_FLAGS,
    TIME_STAMP_OCTETS,
    VALUE_MAX,
    CurrentElapsedTime,
    TimeSource,
    TimeStamp,
)

EARLIEST_S: Final = 631_152_000  # 2020-01-01: no stocking is older, so an earlier time is a mistake
LATEST_S: Final = 3_155_760_000  # 2100-01-01
OFFSET_QUARTERS: Final = (-48, 56)  # UTC-12 to UTC+14, the zones there are

# How much a source is worth. A person may set a clock nobody set before, but not overrule a time server.
QUALITY: Final = {
    TimeSource.NOT_SYNCHRONISED: 0,
    TimeSource.UNKNOWN: 1,
    TimeSource.MANUAL: 2,
    TimeSource.CELLULAR: 3,
    TimeSource.RADIO: 3,
    TimeSource.NTP: 3,
    TimeSource.GPS: 3,
    TimeSource.ATOMIC: 3,
}


class ClockRefusal(IntEnum):
    """Answer to a write of the clock: an ATT error code, 0 for none. Source: Elapsed Time Service 1.0, section 2.4."""

    NONE = 0x00
    INVALID_LENGTH = 0x0D
    SOURCE_TOO_POOR = 0x80
    WRONG_FORMAT = 0x81
    OUT_OF_RANGE = 0xFF


@dataclass(slots=True)
class DeviceClock:
    """A clock that gains `drift_ppm` millionths. Set at `anchor_true_s` (true Unix seconds) to `anchor_s`."""

    anchor_true_s: float
    drift_ppm: float = 0.0
    anchor_s: float = 0.0
    source: TimeSource = TimeSource.NOT_SYNCHRONISED
    offset_quarters: int = 0

    def seconds(self, now_s: float) -> float:
        """Device time at a true time."""
        return self.anchor_s + (now_s - self.anchor_true_s) * self._rate

    def true_s_of(self, device_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The true times at which this clock shows `device_s`."""
        return self.anchor_true_s + (device_s - self.anchor_s) / self._rate

    def stamp(self, device_s: float) -> TimeStamp:
        """A device time as a time stamp, with what the clock knows about itself."""
        return TimeStamp(STOCKING_CLOCK_FLAGS, math.floor(device_s), self.source, self.offset_quarters)

    def current(self, now_s: float) -> CurrentElapsedTime:
        """The Current Elapsed Time characteristic; a clock nobody set asks to be set."""
        unset = self.source is TimeSource.NOT_SYNCHRONISED
        return CurrentElapsedTime(self.stamp(self.seconds(now_s)), needs_set=unset)

    def restart(self, now_s: float) -> None:
        """Power came back: count from zero, not synchronised."""
        self.anchor_true_s, self.anchor_s = now_s, 0.0
        self.source, self.offset_quarters = TimeSource.NOT_SYNCHRONISED, 0

    def set(self, stamp: TimeStamp, now_s: float) -> None:
        """Show `stamp` at `now_s` and go on from there."""
        self.anchor_true_s, self.anchor_s = now_s, float(stamp.value)
        self.source, self.offset_quarters = stamp.source, stamp.offset_quarters

    @property
    def _rate(self) -> float:
        return 1.0 + self.drift_ppm * 1e-6


def check_write(octets: bytes, current: TimeSource) -> ClockRefusal:
    """Whether nine octets may set a clock last set from `current`, checked in the order of the specification."""
    if len(octets) != TIME_STAMP_OCTETS:
        return ClockRefusal.INVALID_LENGTH
    flags, value, source = octets[0], int.from_bytes(octets[1:7], "little"), octets[7]
    offset = int.from_bytes(octets[8:9], "little", signed=True)
    if flags & RESERVED_FLAGS:
        return ClockRefusal.WRONG_FORMAT
    if value >= VALUE_MAX:
        return ClockRefusal.OUT_OF_RANGE
    if flags & RESOLUTION_MASK != STOCKING_CLOCK_FLAGS & RESOLUTION_MASK or flags & ~STOCKING_CLOCK_FLAGS:
        return ClockRefusal.WRONG_FORMAT
    if source not in QUALITY:
        return ClockRefusal.OUT_OF_RANGE
    if source == TimeSource.NOT_SYNCHRONISED or QUALITY[TimeSource(source)] < QUALITY[current]:
        return ClockRefusal.SOURCE_TOO_POOR
    if not EARLIEST_S <= value < LATEST_S or not OFFSET_QUARTERS[0] <= offset <= OFFSET_QUARTERS[1]:
        return ClockRefusal.OUT_OF_RANGE
    return ClockRefusal.NONE

"""Minutes, days and nights on a calendar, and the one day of an order that verdicts are built from. Knows no readings.

A minute belongs to the night when the clock on the wall says so: where the clocks change, the wall decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

MINUTES_PER_DAY: Final = 1440
MINUTE_S: Final = 60
EPOCH: Final = date(1970, 1, 1)
NIGHT_FROM: Final = time(22)  # our proposal; no source says when a night is
NIGHT_TO: Final = time(7)  # our proposal


@dataclass(frozen=True, slots=True)
class Night:
    """The hours of the night by the clock on the wall, [start, end); over midnight when the end is not after it."""

    start: time = NIGHT_FROM
    end: time = NIGHT_TO

    def document(self) -> dict[str, object]:
        """The night as plain JSON values."""
        return {"start": self.start.strftime("%H:%M"), "end": self.end.strftime("%H:%M")}


@dataclass(frozen=True, slots=True)
class OrderedDay:
    """One day of an order, [start, end) in minutes since 1970-01-01T00:00Z, and its target before tolerance.

    `phase` indexes the order's phases. Of the minutes off, at most `hygiene_minutes` are excused wherever they lie, and
    those within `night` (stretches, [start, end)) are; both are empty where the phase excuses nothing.
    """

    date: date
    phase: int
    start_minute: int
    end_minute: int
    target_minutes: float
    tolerance: float
    hygiene_minutes: int = 0
    night: tuple[tuple[int, int], ...] = ()

    def required(self, excused_minutes: int) -> int:
        """Whole minutes that must be worn for the day to count, after tolerance and what was excused."""
        # a hair is taken off first so that 0.1 * 600, which binary cannot say exactly, does not ask for one minute more
        return max(0, math.ceil(self.target_minutes * (1.0 - self.tolerance) - excused_minutes - 1e-6))


def minute_of(moment: datetime) -> int:
    """The minute a moment lies in, counted since 1970-01-01T00:00Z."""
    return math.floor(moment.timestamp() / MINUTE_S)


def midnight_minute(day: date, zone: ZoneInfo) -> int:
    """The minute a calendar day begins in a zone, counted since 1970-01-01T00:00Z."""
    # Where the clocks jump over midnight, zoneinfo answers with the jump itself, which is when that day begins.
    return minute_of(datetime(day.year, day.month, day.day, tzinfo=zone))


def spelled(moment: datetime) -> str:
    """A moment the one way documents spell it: UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def night_stretches(
    night: Night, day: date, start_minute: int, end_minute: int, zone: ZoneInfo
) -> tuple[tuple[int, int], ...]:
    """The night minutes of a local day as stretches, [start, end) since 1970-01-01T00:00Z, within the given minutes."""
    midnight = (day - EPOCH).days * MINUTES_PER_DAY
    found: list[tuple[int, int]] = []
    for low, high, offset in _even_stretches(start_minute, end_minute, zone):
        for first, last in _clock_windows(night):
            start, end = max(low, midnight + first - offset), min(high, midnight + last - offset)
            if start >= end:
                continue
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, end))
    return tuple(found)


def _clock_windows(night: Night) -> tuple[tuple[int, int], ...]:
    """The night within one calendar day, in minutes of the wall clock since midnight."""
    start, end = (moment.hour * 60 + moment.minute for moment in (night.start, night.end))
    return ((start, end),) if start < end else ((0, end), (start, MINUTES_PER_DAY))


def _even_stretches(start: int, end: int, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """[start, end) cut where the clocks change; each stretch with the minutes the wall clock is ahead of UTC."""
    while start < end:
        offset = _offset(start, zone)
        low, high = start, end  # the change, if there is one, lies in (low, high]
        if _offset(end - 1, zone) == offset:
            low = end
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
        yield start, high, offset
        start = high


def _offset(minute: int, zone: ZoneInfo) -> int:
    ahead = datetime.fromtimestamp(minute * MINUTE_S, zone).utcoffset()
    return (ahead or timedelta()) // timedelta(minutes=1)

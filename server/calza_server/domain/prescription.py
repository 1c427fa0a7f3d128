"""The order: phases of calendar days in the patient's time zone, and what each day asks for. Knows no readings.

A clinician's numbers throughout; the only figures of our own are the tolerances below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLERANCE: Final = 0.10  # our proposal: edges of a wear, a watch read roughly
TOLERANCE_NO_REMOVAL: Final = 0.02  # our proposal: half an hour for edges; 10 % would silently allow 2.4 h off
MINUTES_PER_DAY: Final = 1440
MINUTE_S: Final = 60


class Mode(StrEnum):
    """When the stocking is to be worn."""

    CONTINUOUS = "continuous"  # day and night
    DAYTIME = "daytime"


class Removal(StrEnum):
    """Whether it may come off meanwhile; hygiene time is already outside the ordered hours, never given twice."""

    NONE = "none"
    HYGIENE = "hygiene"


@dataclass(frozen=True, slots=True)
class Phase:
    """So many calendar days with one target. `days_required` of them must reach it; an ankle floor may be ordered."""

    days: int
    mode: Mode
    hours: float
    days_required: int
    ankle_floor_mmhg: float | None = None
    removal: Removal = Removal.HYGIENE

    @property
    def tolerance(self) -> float:
        """The share of a day's target that may be missed."""
        return TOLERANCE_NO_REMOVAL if self.removal is Removal.NONE else TOLERANCE


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch, [start, end), in which the clinician asked for nothing."""

    start: datetime
    end: datetime
    reason: str

    @property
    def minutes(self) -> tuple[int, int]:
        """The same stretch in minutes since 1970-01-01T00:00Z."""
        return minute_of(self.start), minute_of(self.end)


@dataclass(frozen=True, slots=True)
class OrderedDay:
    """One day of an order, [start, end) in minutes since 1970-01-01T00:00Z, and its target before tolerance."""

    date: date
    phase: int
    start_minute: int
    end_minute: int
    target_minutes: float
    tolerance: float

    def required(self, excused_minutes: int) -> int:
        """Whole minutes that must be worn for the day to count, after tolerance and what was excused."""
        # a hair is taken off first so that 0.1 * 600, which binary cannot say exactly, does not ask for one minute more
        return max(0, math.ceil(self.target_minutes * (1.0 - self.tolerance) - excused_minutes - 1e-6))


@dataclass(frozen=True, slots=True)
class Prescription:
    """What was ordered for one leg. No phases means: no compression was ordered, which is a valid order."""

    start: datetime
    timezone: str
    phases: tuple[Phase, ...]
    pauses: tuple[Pause, ...] = ()

    def days(self) -> tuple[OrderedDay, ...]:
        """Every day of every phase: local midnight to local midnight, so 23 or 25 hours when the clocks change.

        The first day begins at `start` and its target is prorated. A continuous target follows the length of the day; a
        daytime target does not, since nobody's waking day shrinks by an hour.
        """
        zone = ZoneInfo(self.timezone)
        first = self._first_date(zone)
        return tuple(self._day(first + timedelta(days=offset), index, zone) for offset, index in self._offsets())

    def _first_date(self, zone: ZoneInfo) -> date:
        return self.start.astimezone(zone).date()

    def _offsets(self) -> Iterator[tuple[int, int]]:
        offset = 0
        for index, phase in enumerate(self.phases):
            for _ in range(phase.days):
                yield offset, index
                offset += 1

    def _day(self, day: date, index: int, zone: ZoneInfo) -> OrderedDay:
        midnight, next_midnight = midnight_minute(day, zone), midnight_minute(day + timedelta(days=1), zone)
        start = max(midnight, self.start_minute)
        phase = self.phases[index]
        whole = MINUTES_PER_DAY if phase.mode is Mode.CONTINUOUS else max(1, next_midnight - midnight)
        target = phase.hours * 60 * (next_midnight - start) / whole
        return OrderedDay(day, index, start, next_midnight, target, phase.tolerance)

    @property
    def start_minute(self) -> int:
        """The first minute of the order, since 1970-01-01T00:00Z."""
        return minute_of(self.start)

    @property
    def end_minute(self) -> int:
        """The first minute after the order; equal to the start when nothing was ordered."""
        days = sum(phase.days for phase in self.phases)
        zone = ZoneInfo(self.timezone)
        return midnight_minute(self._first_date(zone) + timedelta(days=days), zone) if days else self.start_minute

    def document(self) -> dict[str, object]:
        """The order as plain JSON values, always spelled the same way: what the fingerprint is taken over."""
        return {
            "start": _spelled(self.start),
            "timezone": self.timezone,
            "phases": [
                {
                    "days": phase.days,
                    "mode": phase.mode.value,
                    "hours": phase.hours,
                    "ankle_floor_mmhg": phase.ankle_floor_mmhg,
                    "removal": phase.removal.value,
                    "days_required": phase.days_required,
                }
                for phase in self.phases
            ],
            "pauses": [
                {"start": _spelled(pause.start), "end": _spelled(pause.end), "reason": pause.reason}
                for pause in self.pauses
            ],
        }


def minute_of(moment: datetime) -> int:
    """The minute a moment lies in, counted since 1970-01-01T00:00Z."""
    return math.floor(moment.timestamp() / MINUTE_S)


def midnight_minute(day: date, zone: ZoneInfo) -> int:
    """The minute a calendar day begins in a zone, counted since 1970-01-01T00:00Z."""
    # Where the clocks jump over midnight, zoneinfo answers with the jump itself, which is when that day begins.
    return minute_of(datetime(day.year, day.month, day.day, tzinfo=zone))


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")

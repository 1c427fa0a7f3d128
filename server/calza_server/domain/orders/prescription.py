"""The order: phases of calendar days in the patient's time zone, and what each day asks for. Knows no readings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from calza_server.domain.orders.garment import Garment
from calza_server.domain.orders.prescription_calendar import (
    MINUTES_PER_DAY,
    Night,
    OrderedDay,
    midnight_minute,
    minute_of,
    night_stretches,
    spelled,
)
from calza_server.domain.orders.prescription_phase import Mode, Phase, Removal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "GRACE_DAYS",
    "MINUTES_PER_DAY",
    "EffectivePhase",
    "Ended",
    "EndedWhy",
    "Garment",
    "Mode",
    "Night",
    "OrderedDay",
    "Pause",
    "Phase",
    "Prescription",
    "Removal",
    "midnight_minute",
    "minute_of",
]

GRACE_DAYS: Final = 7  # our proposal: how long late uploads may still change a verdict before it is frozen


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch, [start, end), with its reason: one without a request (`pauses`) or without a sensor (`unsensed`)."""

    start: datetime
    end: datetime
    reason: str

    @property
    def minutes(self) -> tuple[int, int]:
        """The same stretch in minutes since 1970-01-01T00:00Z."""
        return minute_of(self.start), minute_of(self.end)

    def document(self) -> dict[str, object]:
        """The stretch as plain JSON values."""
        return {"start": spelled(self.start), "end": spelled(self.end), "reason": self.reason}


class EndedWhy(StrEnum):
    """Why an order was closed before its last day."""

    SHORTENED = "shortened"
    SUPERSEDED = "superseded"


LABELS: Final = {
    EndedWhy.SHORTENED: "order shortened",
    EndedWhy.SUPERSEDED: "superseded by the next treatment",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """The order was closed at a moment before its last day ended."""

    at: datetime
    why: EndedWhy
    note: str = ""

    def document(self) -> dict[str, object]:
        """The closing as plain JSON values."""
        return {"at": spelled(self.at), "why": self.why.value, "note": self.note}


@dataclass(frozen=True, slots=True)
class EffectivePhase:
    """What is left of a phase after `ended`: its index in the order, and the phase with the days that remain."""

    index: int
    phase: Phase


@dataclass(frozen=True, slots=True)
class Prescription:
    """What was ordered for one leg. No phases means: no compression was ordered, which is a valid order.

    `pauses` ask for nothing; in `unsensed` stretches (bandage, pad) no sensor can see, and nothing is known of them.
    `max_days` is a ceiling of the source. `preset` names what the order was made from. Raises ValueError when all
    phases together are longer than `max_days`.
    """

    start: datetime
    timezone: str
    phases: tuple[Phase, ...]
    pauses: tuple[Pause, ...] = ()
    unsensed: tuple[Pause, ...] = ()
    ended: Ended | None = None
    max_days: int | None = None
    garment: Garment | None = None
    night: Night = Night()  # noqa: RUF009  a frozen value, safe to share
    grace_days: int = GRACE_DAYS
    preset: str | None = None

    def __post_init__(self) -> None:
        """Refuse an order longer than its own ceiling: judged on all its days, it would ask for what it forbids."""
        if self.max_days is not None and self.ordered_days > self.max_days:
            raise ValueError(f"the phases last {self.ordered_days} days, but max_days is {self.max_days}")

    @property
    def ordered_days(self) -> int:
        """Calendar days of all phases together, as ordered: `ended` takes none away."""
        return sum(phase.days for phase in self.phases)

    @property
    def label(self) -> str:
        """What must stand beside a verdict: empty, 'order shortened' or 'superseded by the next treatment'."""
        return "" if self.ended is None else LABELS[self.ended.why]

    def days(self) -> tuple[OrderedDay, ...]:
        """Every day of every phase: local midnight to local midnight, so 23 or 25 hours when the clocks change.

        The first day begins at `start`, the last stops at `ended`, and their targets are prorated; days after `ended`
        are left out. A continuous target follows the length of the day; a daytime target does not, since nobody's
        waking day shrinks by an hour. Pauses and unsensed stretches change no day: they are matters of the ledger.
        """
        zone = ZoneInfo(self.timezone)
        first, end = self._first_date(zone), self.end_minute
        every = (self._day(first + timedelta(days=offset), index, end, zone) for offset, index in self._offsets())
        return tuple(day for day in every if day is not None)

    def effective_phases(self) -> tuple[EffectivePhase, ...]:
        """The phases a verdict is given on: those with days left before `ended`, in order.

        `phase.days` is the number of days in `days()` with this index, and `phase.days_required` the same share of them
        as was ordered, rounded up. An order that ran its course gives its phases unchanged. Judge these, not `phases`;
        `OrderedDay.phase` is the `index` here.
        """
        left = [0] * len(self.phases)
        for day in self.days():
            left[day.phase] += 1
        return tuple(
            EffectivePhase(index, _cut(phase, days))
            for index, (phase, days) in enumerate(zip(self.phases, left, strict=True))
            if days
        )

    def night_minutes(self, day: OrderedDay) -> tuple[tuple[int, int], ...]:
        """The night minutes of a day as stretches, [start, end), whether or not its phase makes the night optional."""
        return night_stretches(self.night, day.date, day.start_minute, day.end_minute, ZoneInfo(self.timezone))

    def _first_date(self, zone: ZoneInfo) -> date:
        return self.start.astimezone(zone).date()

    def _offsets(self) -> Iterator[tuple[int, int]]:
        offset = 0
        for index, phase in enumerate(self.phases):
            for _ in range(phase.days):
                yield offset, index
                offset += 1

    def _day(self, day: date, index: int, end_of_order: int, zone: ZoneInfo) -> OrderedDay | None:
        midnight, next_midnight = midnight_minute(day, zone), midnight_minute(day + timedelta(days=1), zone)
        start, end = max(midnight, self.start_minute), min(next_midnight, end_of_order)
        if start >= end_of_order:
            return None
        phase = self.phases[index]
        natural = max(1, next_midnight - midnight)
        whole = MINUTES_PER_DAY if phase.mode is Mode.CONTINUOUS else natural
        return OrderedDay(
            date=day,
            phase=index,
            start_minute=start,
            end_minute=end,
            # never more than the day has: a daytime target of 24 h meets a day of 23 h once a year
            target_minutes=min(phase.hours * 60 * (end - start) / whole, float(end - start)),
            tolerance=phase.tolerance,
            hygiene_minutes=math.floor(phase.hygiene_excuse_minutes * (end - start) / natural + 1e-6),
            night=night_stretches(self.night, day, start, end, zone) if phase.night_optional else (),
        )

    @property
    def start_minute(self) -> int:
        """The first minute of the order, since 1970-01-01T00:00Z."""
        return minute_of(self.start)

    @property
    def ordered_end_minute(self) -> int:
        """The first minute after the order as it was given, whatever `ended` says."""
        zone = ZoneInfo(self.timezone)
        days = self.ordered_days
        return midnight_minute(self._first_date(zone) + timedelta(days=days), zone) if days else self.start_minute

    @property
    def end_minute(self) -> int:
        """The first minute after the order; equal to the start when nothing was ordered."""
        if self.ended is None:
            return self.ordered_end_minute
        return max(self.start_minute, min(self.ordered_end_minute, minute_of(self.ended.at)))

    def document(self) -> dict[str, object]:
        """The order as plain JSON values, always spelled the same way: what the fingerprint is taken over."""
        return {
            "start": spelled(self.start),
            "timezone": self.timezone,
            "phases": [phase.document() for phase in self.phases],
            "pauses": _in_order(self.pauses),
            "unsensed": _in_order(self.unsensed),
            "ended": None if self.ended is None else self.ended.document(),
            "max_days": self.max_days,
            "garment": None if self.garment is None else self.garment.document(),
            "night": self.night.document(),
            "grace_days": self.grace_days,
            "preset": self.preset,
        }


def _cut(phase: Phase, days: int) -> Phase:
    # whole numbers throughout: ceil of a binary fraction could ask for a day more
    required = -(-phase.days_required * days // phase.days)
    return phase if days == phase.days else replace(phase, days=days, days_required=required)


def _in_order(stretches: tuple[Pause, ...]) -> list[dict[str, object]]:
    return [each.document() for each in sorted(stretches, key=lambda each: (each.start, each.end))]

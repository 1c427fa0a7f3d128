"""What is ordered, relative to the fitting, and the document (rx.json) it becomes for someone fitted at a moment.

Regimens have their source beside them; hours a day and days required are our proposal, since no source gives any.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from calza_sim.scenarios.moments import At

MINUTE_S: Final = 60
Document: TypeAlias = dict[str, object]

FLOOR_MMHG: Final = 18.0  # RAL class I begins at 18 mmHg at the ankle
CONTINUOUS_H: Final = 23.0  # 24 h less an hour for hygiene and a look at the skin: our proposal
DAYTIME_H: Final = 10.0  # our proposal
PROPORTION: Final = 0.8  # of the days must be met: proportion of days covered, our proposal


@dataclass(frozen=True, slots=True)
class OrderedPhase:
    """So many days with one target. `tolerance`: share of a day's hours forgiven, None for the rule's own."""

    days: int
    mode: str
    hours: float
    days_required: int
    floor_mmhg: float | None = FLOOR_MMHG
    removal: str = "hygiene"
    hygiene_minutes: int = 0
    night_optional: bool = False
    critical: bool = False
    tolerance: float | None = None

    def document(self) -> Document:
        """As JSON values; what is as usual is left out."""
        written: Document = {
            "days": self.days,
            "mode": self.mode,
            "hours": self.hours,
            "removal": self.removal,
            "days_required": self.days_required,
        }
        if self.floor_mmhg is not None:
            written["ankle_floor_mmhg"] = self.floor_mmhg
        if self.hygiene_minutes:
            written["hygiene_minutes"] = self.hygiene_minutes
        if self.night_optional:
            written["night_optional"] = True
        if self.critical:
            written["critical"] = True
        if self.tolerance is not None:
            written["tolerance"] = self.tolerance
        return written


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one moment to another, and why."""

    start: At
    end: At
    reason: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The order ends early; `why` is "shortened" or "superseded"."""

    at: At
    why: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order relative to the fitting. No phases: no compression was ordered, which is a valid order."""

    phases: tuple[OrderedPhase, ...]
    pauses: tuple[Stretch, ...] = ()
    unsensed: tuple[Stretch, ...] = ()
    ended: Ending | None = None
    max_days: int | None = None

    @property
    def days(self) -> int:
        """Days ordered, before any early end."""
        return sum(each.days for each in self.phases)

    def document(self, start_s: float, timezone: str) -> Document:
        """rx.json for someone fitted at `start_s` (true Unix seconds); it begins with the next whole minute."""
        zone = ZoneInfo(timezone)
        begin = datetime.fromtimestamp(math.ceil(start_s / MINUTE_S) * MINUTE_S, UTC).astimezone(zone)

        def stretches(several: tuple[Stretch, ...]) -> list[Document]:
            return [
                {"start": each.start.iso(start_s, zone), "end": each.end.iso(start_s, zone), "reason": each.reason}
                for each in several
            ]

        written: Document = {
            "start": begin.isoformat(timespec="seconds"),
            "timezone": timezone,
            "phases": [each.document() for each in self.phases],
        }
        if self.pauses:
            written["pauses"] = stretches(self.pauses)
        if self.unsensed:
            written["unsensed"] = stretches(self.unsensed)
        if self.ended is not None:
            at = self.ended.at.iso(start_s, zone)
            written["ended"] = {"at": at, "why": self.ended.why, "note": self.ended.note}
        if self.max_days is not None:
            written["max_days"] = self.max_days
        return written


def continuous(days: int, *, critical: bool = False) -> OrderedPhase:
    """Day and night, every day of them."""
    return OrderedPhase(days, "continuous", CONTINUOUS_H, days, critical=critical)


def by_day(days: int, *, floor_mmhg: float | None = FLOOR_MMHG) -> OrderedPhase:
    """By day, the usual proportion of the days."""
    # 0.8 * 10 is 8 and not a hair more
    return OrderedPhase(days, "daytime", DAYTIME_H, math.ceil(PROPORTION * days - 1e-9), floor_mmhg=floor_mmhg)


STANDARD: Final = Order((continuous(4), by_day(10)))  # std-micro-14d (STD Pharmaceutical)
WEEK_THEN_DAYS: Final = Order((continuous(7), by_day(7)))  # std-large-14-21d (STD Pharmaceutical)
FORTNIGHT_BY_DAY: Final = Order((by_day(14),))
SIX_WEEKS: Final = Order((by_day(42, floor_mmhg=15.1),))  # has-4-6w (HAS): 0-41 by day, 15.1 mmHg
CAPPED_WEEK: Final = Order((by_day(7, floor_mmhg=None),), max_days=7)  # nice-cap-7d (NICE CG168)
NO_REMOVAL_THEN_DAYS: Final = Order(  # nhs-48h-then-day (Kingston): 48 h without removal, then by day
    (OrderedPhase(2, "continuous", 24.0, 2, floor_mmhg=None, removal="none"), by_day(7, floor_mmhg=None))
)
NOTHING: Final = Order(())

"""Where to draw a day: its minutes as stretches along a strip, its hours as a bar. Pure geometry; knows no HTML.

Places are percentages of the day's own length, so that a day of 23 or 25 hours fills its strip, and so that patterns
keep their shape at any width.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.orders.prescription import midnight_minute, minute_of
from calza_server.domain.states import State

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.verdicts.verdict import DayResult

TICK_HOURS: Final = (6, 12, 18)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive minutes of one state: where it begins and how wide it is, in percent, and local clock times."""

    state: State
    x: str
    width: str
    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class DayStrip:
    """One day, ready to draw: stretches and ticks along it; bar lengths and the mark of what is needed, in percent."""

    stretches: tuple[Stretch, ...]
    ticks: tuple[str, ...]
    worn: str
    unknown: str
    needed: str | None


def day_strip(day: DayResult, ledger: Ledger, as_of_minute: int, zone: ZoneInfo) -> DayStrip:
    """The strip of one day, from local midnight to the next; minutes before the order and ahead are left blank."""
    begin = midnight_minute(day.date, zone)
    length = max(1, day.end_minute - begin)
    part = ledger.window(day.start_minute, min(day.end_minute, as_of_minute))
    starts = np.flatnonzero(np.diff(part.state, prepend=np.uint8(255))).tolist()
    stretches = tuple(
        Stretch(
            state=State(int(part.state[start])),
            x=percent(part.start_minute + start - begin, length),
            width=percent(end - start, length),
            begins=_clock(part.start_minute + start, zone),
            ends=_clock(part.start_minute + end, zone),
        )
        for start, end in pairwise([*starts, len(part)])
    )
    ticks = tuple(percent(_hour_minute(day, hour, zone) - begin, length) for hour in TICK_HOURS)
    return DayStrip(
        stretches=stretches,
        ticks=ticks,
        worn=percent(day.worn_minutes, length),
        unknown=percent(day.unknown_minutes, length),
        needed=percent(day.required_minutes, length) if day.required_minutes else None,
    )


def percent(part: float, whole: float) -> str:
    """A share as SVG takes it: '62.5%'; three decimals are a hundredth of a minute's width."""
    return f"{round(100 * part / whole, 3):g}%"


def _hour_minute(day: DayResult, hour: int, zone: ZoneInfo) -> int:
    return minute_of(datetime(day.date.year, day.date.month, day.date.day, hour, tzinfo=zone))


def _clock(minute: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(minute * 60, zone):%H:%M}"

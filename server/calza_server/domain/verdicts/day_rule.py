"""One day: what it needs, what it excuses, and the answer between its two bounds. Knows no phase and no order's answer.

The lower bound takes every unknown or coming minute as not worn, the upper as worn. A minute taken as not worn may also
be one the order excuses (hygiene, an optional night), so each bound has its own requirement. Turning a minute from not
worn into worn adds one worn minute and takes at most one excused minute away: no filling in between lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

    from calza_server.domain.orders.prescription import OrderedDay

BORDERLINE_MINUTES: Final = 30  # our proposal: the detector's own error in a day


class DayOutcome(StrEnum):
    """The answer for one day. OPEN: it is not over (or has not begun) and could still go either way."""

    MET = "met"
    NOT_MET = "not_met"
    CANNOT_TELL = "cannot_tell"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class DayResult:
    """One day: its minutes (worn, not worn, unknown, excused and ahead add up to its length), the need, the answer.

    `target_minutes` is the order's. `required_minutes` is what is left after tolerance and all that is excused for
    certain; `required_minutes_lower` what would be left if everything unknown and ahead turned out not worn, some of
    it then excused too. `excused_minutes` are the pauses and the `forgiven_minutes`: minutes not worn that the order
    allows for (hygiene, an optional night). `ahead_minutes` are yet to happen.
    `borderline`: a bound lies so near its requirement that the detector's own error could tip it.
    """

    date: date
    phase: int
    start_minute: int
    end_minute: int
    target_minutes: float
    required_minutes: int
    required_minutes_lower: int
    worn_minutes: int
    not_worn_minutes: int
    unknown_minutes: int
    excused_minutes: int
    forgiven_minutes: int
    ahead_minutes: int
    outcome: DayOutcome
    borderline: bool

    @property
    def could_count(self) -> bool:
        """Whether this day belongs to the upper bound."""
        return self.outcome is not DayOutcome.NOT_MET

    @property
    def worn_minutes_upper(self) -> int:
        """Worn if all that is unknown and ahead was or will be worn."""
        return self.worn_minutes + self.unknown_minutes + self.ahead_minutes


@dataclass(frozen=True, slots=True)
class Minutes:
    """How many minutes of some stretch were what; `paused` is excused by the clinician."""

    worn: int
    not_worn: int
    unknown: int
    paused: int
    ahead: int

    @property
    def not_worn_at_most(self) -> int:
        """Not worn if all that is unknown and ahead was or will be not worn."""
        return self.not_worn + self.unknown + self.ahead

    def __add__(self, other: Minutes) -> Minutes:
        """Of both stretches together."""
        return Minutes(
            self.worn + other.worn,
            self.not_worn + other.not_worn,
            self.unknown + other.unknown,
            self.paused + other.paused,
            self.ahead + other.ahead,
        )


def judge_day(day: OrderedDay, by_day: Minutes, at_night: Minutes, borderline_minutes: int) -> DayResult:
    """The answer for a day, from its minutes outside and inside the night that may be left out."""
    whole = by_day + at_night
    forgiven = _forgiven(day, by_day.not_worn, at_night.not_worn)
    forgiven_at_most = _forgiven(day, by_day.not_worn_at_most, at_night.not_worn_at_most)
    most, least = day.required(whole.paused + forgiven), day.required(whole.paused + forgiven_at_most)
    worn, possible = whole.worn, whole.worn + whole.unknown
    return DayResult(
        date=day.date,
        phase=day.phase,
        start_minute=day.start_minute,
        end_minute=day.end_minute,
        target_minutes=day.target_minutes,
        required_minutes=most,
        required_minutes_lower=least,
        worn_minutes=worn,
        not_worn_minutes=whole.not_worn - forgiven,
        unknown_minutes=whole.unknown,
        excused_minutes=whole.paused + forgiven,
        forgiven_minutes=forgiven,
        ahead_minutes=whole.ahead,
        outcome=day_outcome(worn - least, possible + whole.ahead - most, ahead=whole.ahead > 0),
        borderline=whole.ahead == 0 and most > 0 and near(worn - least, possible - most, borderline_minutes),
    )


def _forgiven(day: OrderedDay, off_by_day: int, off_at_night: int) -> int:
    """How many of the minutes off are excused: the whole optional night, and hygiene of the rest; none twice."""
    return off_at_night + min(off_by_day, day.hygiene_minutes)


def day_outcome(spare_lower: int, spare_upper: int, *, ahead: bool) -> DayOutcome:
    """The answer for a day whose bounds exceed (or, below 0, miss) their requirement by so many minutes."""
    if spare_lower >= 0:
        return DayOutcome.MET
    if spare_upper < 0:
        return DayOutcome.NOT_MET
    return DayOutcome.OPEN if ahead else DayOutcome.CANNOT_TELL


def near(spare_lower: int, spare_upper: int, borderline_minutes: int) -> bool:
    """Whether either bound lies within the detector's own error of the requirement."""
    return min(abs(spare_lower), abs(spare_upper)) < borderline_minutes

"""Dose beside wear: how hard the garment pressed while it was worn, with the doubt in it. Knows nothing of verdicts.

A weak garment is no fault of whoever wears it, so nothing here ever changes a wear state. The figures are readings of a
thin sensor on a leg: they are printed with their uncertainty, and never turned into a compression class, which is
defined on a test cylinder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.states import Dose, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy.typing as npt

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription_calendar import OrderedDay

    Pressures = npt.NDArray[np.float32]

UNCERTAINTY_SHARE: Final = 0.15  # our proposal, until a bench calibration says otherwise: the larger of the two
UNCERTAINTY_AT_LEAST_MMHG: Final = 3.0
NOTHING_MMHG: Final = 1.0  # our proposal: a site that shows no more under a worn stocking is dead, not weak
IMPOSSIBLE_MMHG: Final = 150.0  # our proposal: not even a doubled and rolled stocking presses so hard
DAY_MINUTES: Final = 1440


def doubt_mmhg(pressure_mmhg: float) -> float:
    """What a pressure may be off by, either way, in mmHg."""
    return max(UNCERTAINTY_AT_LEAST_MMHG, UNCERTAINTY_SHARE * pressure_mmhg)


def surely_below(pressure_mmhg: float, floor_mmhg: float) -> bool:
    """Whether a pressure lies under a floor by more than it may be off: 21 against 23 mmHg cannot be called low."""
    return pressure_mmhg + doubt_mmhg(pressure_mmhg) < floor_mmhg


def dose_of_minutes(worn_ankle: Pressures, floor_mmhg: Pressures | None) -> npt.NDArray[np.uint8]:
    """A `Dose` value per minute, from the ankle pressure (mmHg, NaN: not worn or not to be trusted) and the floor."""
    dose = np.full(len(worn_ankle), Dose.NOT_ASKED, np.uint8)
    if floor_mmhg is None:
        return dose
    doubt = np.maximum(UNCERTAINTY_AT_LEAST_MMHG, UNCERTAINTY_SHARE * worn_ankle)
    dose[np.isfinite(floor_mmhg) & np.isfinite(worn_ankle)] = Dose.UNCERTAIN
    with np.errstate(invalid="ignore"):  # a comparison with NaN is False, which leaves the minute as it is
        dose[worn_ankle - doubt >= floor_mmhg] = Dose.REACHED
        dose[worn_ankle + doubt < floor_mmhg] = Dose.BELOW
    return dose


@dataclass(frozen=True, slots=True)
class DoseSummary:
    """The dose of some minutes. `median_mmhg` is the ankle's while worn, None when no worn minute has a reading.

    `reached`, `uncertain` and `below` count worn minutes for which a floor was ordered; the rest of `worn_minutes` had
    no floor or no ankle reading to be trusted.
    """

    worn_minutes: int
    reached_minutes: int
    uncertain_minutes: int
    below_minutes: int
    median_mmhg: float | None

    @property
    def doubt_mmhg(self) -> float | None:
        """What the median may be off by, either way: 15 % or 3 mmHg, whichever is larger."""
        return None if self.median_mmhg is None else doubt_mmhg(self.median_mmhg)

    @property
    def sentence(self) -> str:
        """'26 mmHg, give or take 4': the number with its doubt, and no class."""
        if self.median_mmhg is None:
            return "no ankle pressure known"
        return f"{self.median_mmhg:.0f} mmHg, give or take {doubt_mmhg(self.median_mmhg):.0f}"


@dataclass(frozen=True, slots=True)
class DayDose:
    """The dose of one ordered day."""

    date: date
    summary: DoseSummary


@dataclass(frozen=True, slots=True)
class DoseReport:
    """The dose of an order: whole, day by day (days that have begun), and of the last 24 hours before `as_of`."""

    whole: DoseSummary
    days: tuple[DayDose, ...]
    last_24_h: DoseSummary


def dose_report(ledger: Ledger, worn_ankle: Pressures, days: Sequence[OrderedDay], as_of_minute: int) -> DoseReport:
    """The dose of the ordered `days` up to `as_of_minute`; `worn_ankle` (mmHg) has one entry per ledger minute."""
    begun = [day for day in days if day.start_minute < as_of_minute]
    start = begun[0].start_minute if begun else as_of_minute
    end = min(begun[-1].end_minute, as_of_minute) if begun else as_of_minute
    return DoseReport(
        whole=_summary(ledger, worn_ankle, start, end),
        days=tuple(
            DayDose(day.date, _summary(ledger, worn_ankle, day.start_minute, min(day.end_minute, as_of_minute)))
            for day in begun
        ),
        last_24_h=_summary(ledger, worn_ankle, as_of_minute - DAY_MINUTES, as_of_minute),
    )


def _summary(ledger: Ledger, worn_ankle: Pressures, start_minute: int, end_minute: int) -> DoseSummary:
    inside = slice(max(0, start_minute - ledger.start_minute), max(0, end_minute - ledger.start_minute))
    counts = np.bincount(ledger.dose[inside], minlength=len(Dose)).tolist()
    worn = ledger.state[inside] == State.WORN
    known = worn_ankle[inside][worn]
    known = known[np.isfinite(known)]
    return DoseSummary(
        worn_minutes=int(np.count_nonzero(worn)),
        reached_minutes=counts[Dose.REACHED],
        uncertain_minutes=counts[Dose.UNCERTAIN],
        below_minutes=counts[Dose.BELOW],
        median_mmhg=float(np.median(known)) if len(known) else None,
    )

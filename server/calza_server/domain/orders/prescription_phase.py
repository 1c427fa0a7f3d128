"""One phase of an order: so many calendar days with one target, and what it forgives. Knows no calendar, no readings.

A clinician's numbers throughout; the only figures of our own are the default tolerances.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TOLERANCE: Final = 0.10  # our proposal: edges of a wear, a watch read roughly
TOLERANCE_NO_REMOVAL: Final = 0.02  # our proposal: half an hour for edges; 10 % would silently allow 2.4 h off
NOMINAL_DAY_MINUTES: Final = 1440


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
    """So many calendar days with one target. `days_required` of them must reach it; an ankle floor may be ordered.

    `hours` a day, above 0 to 24. `hygiene_minutes` a day may be spent out of the stocking; what the hours already leave
    free is not excused again. `night_optional`: minutes off in the night are excused. `critical`: has a verdict of its
    own. `tolerance_share` of a day's target may be missed, 0 to 1; None is the default for its `removal`.
    """

    days: int
    mode: Mode
    hours: float
    days_required: int
    ankle_floor_mmhg: float | None = None
    removal: Removal = Removal.HYGIENE
    hygiene_minutes: int = 0
    night_optional: bool = False
    critical: bool = False
    tolerance_share: float | None = None

    @property
    def tolerance(self) -> float:
        """The share of a day's target that may be missed."""
        if self.tolerance_share is not None:
            return self.tolerance_share
        return TOLERANCE_NO_REMOVAL if self.removal is Removal.NONE else TOLERANCE

    @property
    def hygiene_excuse_minutes(self) -> float:
        """Minutes of an ordinary day that hygiene excuses: only what the hours leave no room for.

        A target of 23 h with 60 min already contains the hour, and excuses none; one of 24 h excuses all 60.
        """
        return max(0.0, min(self.hygiene_minutes, self.hours * 60 + self.hygiene_minutes - NOMINAL_DAY_MINUTES))

    def document(self) -> dict[str, object]:
        """The phase as plain JSON values."""
        return {
            "days": self.days,
            "mode": self.mode.value,
            "hours": self.hours,
            "days_required": self.days_required,
            "ankle_floor_mmhg": self.ankle_floor_mmhg,
            "removal": self.removal.value,
            "hygiene_minutes": self.hygiene_minutes,
            "night_optional": self.night_optional,
            "critical": self.critical,
            "tolerance": self.tolerance_share,
        }

"""What this leg in this stocking shows when all is well, learned from the first day it was worn. Knows no thresholds.

On real legs the textbook gradient is often absent in a correctly fitted garment, so a leg is only ever compared with
itself. Nothing here knows whether the stocking was put on well that first day; somebody has to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.stretches import Mask

    Columns = npt.NDArray[np.float32]  # ankle, calf, thigh as rows

ANKLE, CALF, THIGH = 0, 1, 2
PAIRS: Final = ((CALF, ANKLE), (THIGH, CALF), (THIGH, ANKLE))  # proximal, distal
FIRST_DAY_MIN: Final = 1440  # by the clock: a day and a night hold every ordinary posture
DRIFT_FOLLOWED_MMHG: Final = 3.0  # our proposal: a sensor's doubt; what moves further is no sensor's drift
HIGH_SHARE: Final = 0.9  # our proposal: what nine tenths of that day stayed under, for standing lifts the calf


@dataclass(frozen=True, slots=True, eq=False)
class LegBaseline:
    """In mmHg: each site's median, and for each of PAIRS how far the proximal site ordinarily exceeds the distal.

    `excess` is what nine tenths of the first day stayed under, `middle` its median. NaN where the sites could not be
    trusted. `ready` is the first index at which it may be used.
    """

    level: npt.NDArray[np.float64]
    excess: npt.NDArray[np.float64]
    middle: npt.NDArray[np.float64]
    ready: int

    def ordinary(self, pair: int, difference: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """`excess` of a pair for each minute, following the slow drift of two sensors upwards: by 3 mmHg at most.

        `difference` is the pair's in each minute, NaN where it is not known. Each day follows the one before it, whose
        median something wrong for part of a day does not move.
        """
        bar = np.full(len(difference), self.excess[pair], np.float32)
        for start in range(self.ready, len(difference), FIRST_DAY_MIN):
            before = _quantile(difference[start - FIRST_DAY_MIN : start], 0.5, FIRST_DAY_MIN // 4)
            if np.isfinite(before):
                moved = np.clip(before - self.middle[pair], 0.0, DRIFT_FOLLOWED_MMHG)
                bar[start : start + FIRST_DAY_MIN] += moved
        return bar


def fit_baseline(sites: Columns, usable: npt.NDArray[np.bool_], worn: Mask, least_worn: int) -> LegBaseline | None:
    """From the first day of wear, and on until `least_worn` minutes were worn; None while it is shorter.

    `sites` in mmHg and `usable` have a row per site and a column per minute.
    """
    minutes = np.flatnonzero(worn)
    if len(minutes) < least_worn:
        return None
    ready = max(int(minutes[least_worn - 1]) + 1, int(minutes[0]) + FIRST_DAY_MIN)
    minutes = minutes[: np.searchsorted(minutes, ready)]
    shown = np.where(usable[:, minutes], sites[:, minutes], np.float32(np.nan))
    differences = [shown[above] - shown[below] for above, below in PAIRS]
    return LegBaseline(
        level=np.array([_quantile(site, 0.5, least_worn) for site in shown]),
        excess=np.array([_quantile(each, HIGH_SHARE, least_worn) for each in differences]),
        middle=np.array([_quantile(each, 0.5, least_worn) for each in differences]),
        ready=ready,
    )


def _quantile(values: npt.NDArray[np.float32], share: float, of_minutes: int) -> float:
    """A quantile of the known values; NaN where less than half of what was asked for is known."""
    known = values[np.isfinite(values)]
    if 2 * len(known) < of_minutes:
        return float("nan")
    at = int(share * (len(known) - 1))
    return float(np.partition(known, at)[at])

"""The battery: what sampling and radio take from it, and what a charger gives back. Knows no sensor and no record.

Charge is counted in whole units, so that how time is cut cannot move the minute in which it is flat.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL: Final = 64_800_000  # units
SAMPLING_PER_MINUTE: Final = FULL // (45 * 24 * 60)  # 45 days on one charge with the radio silent: our assumption
RECORD_SENT: Final = FULL * 2 // 1_000_000  # four link packets, a few milliampere for milliseconds: our assumption
CHARGED_PER_MINUTE: Final = FULL // 120  # two hours from empty to full: our assumption


@dataclass(slots=True)
class Battery:
    """Charge in units, 0..FULL; it neither over-charges nor goes below empty."""

    units: int = FULL

    @property
    def percent(self) -> int:
        """Whole percent, rounded up, so that 0 means empty."""
        return math.ceil(self.units * 100 / FULL)

    def live_through(self, charging: NDArray[np.bool_]) -> int:
        """Sample for one minute per entry, on the charger where it is true. Returns how many minutes it lasted."""
        if not len(charging):
            return 0
        starts = np.flatnonzero(np.diff(charging, prepend=~charging[:1])).tolist()
        for start, end in zip(starts, [*starts[1:], len(charging)], strict=True):
            if charging[start]:
                self.units = min(self.units + CHARGED_PER_MINUTE * (end - start), FULL)
            else:
                lasts = self.units // SAMPLING_PER_MINUTE
                self.units -= SAMPLING_PER_MINUTE * min(lasts, end - start)
                if lasts < end - start:
                    self.units = 0
                    return int(start + lasts)
        return len(charging)

    def send_record(self) -> None:
        """Spend what one record on the air costs."""
        self.units = max(self.units - RECORD_SENT, 0)

    def hold_at_most(self, minutes: float) -> None:
        """Give up charge beyond what so many minutes of sampling take; less stays less."""
        self.units = min(self.units, max(int(minutes * SAMPLING_PER_MINUTE), 0))

    def be_empty(self) -> None:
        """Nothing is left."""
        self.units = 0

    def be_full(self) -> None:
        """Charged by someone, elsewhere."""
        self.units = FULL

"""The battery: what sampling and radio take from it, and what a charger gives back. Knows no sensor and no record."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLING_PER_MINUTE: Final = 1.0 / (45 * 24 * 60)  # 45 days on one charge with the radio silent: our assumption
RECORD_SENT: Final = 2e-6  # four link packets at a few milliampere for milliseconds: our assumption
CHARGED_PER_MINUTE: Final = 1.0 / 120  # two hours from empty to full: our assumption


@dataclass(slots=True)
class Battery:
    """Charge as a fraction, 0..1; it neither over-charges nor goes below empty."""

    charge: float = 1.0

    @property
    def percent(self) -> int:
        """Whole percent, rounded up, so that 0 means empty."""
        return math.ceil(self.charge * 100.0)

    def live_through(self, charging: NDArray[np.bool_]) -> None:
        """Sample for one minute per entry, on the charger where it is true."""
        if not len(charging):
            return
        starts = np.flatnonzero(np.diff(charging, prepend=~charging[:1]))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(charging)], strict=True):
            gained = CHARGED_PER_MINUTE if charging[start] else -SAMPLING_PER_MINUTE
            self._change(gained * (end - start))

    def send_record(self) -> None:
        """Spend what one record on the air costs."""
        self._change(-RECORD_SENT)

    def _change(self, fraction: float) -> None:
        self.charge = min(max(self.charge + fraction, 0.0), 1.0)

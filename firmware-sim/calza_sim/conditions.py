"""The circumstances of a whole run: garment, home, leg and sensors. Values alone; the physics and sensors use them."""

import math
from dataclasses import dataclass

SITES = 3  # ankle, calf, thigh


@dataclass(frozen=True, slots=True)
class Conditions:
    """What differs from the ordinary for a whole run. None or 1.0: as drawn.

    Raises ValueError for a factor, noise or liveliness below zero, a site there is not, or a day before the first.
    """

    garment_factor: float = 1.0  # too large or worn out: 0.6-0.85, ratio kept
    ambient_mean_c: float | None = None  # the home
    skin_mean_c: float | None = None  # winter legs: 24
    calf_over_ankle: bool = False  # healthy leg whose calf exceeds the ankle when lying
    dead_sites: tuple[tuple[int, float], ...] = ()  # (site, from day): a constant near 0, the fault flag NOT set
    flagged_sites: tuple[tuple[int, float], ...] = ()  # the same, but the firmware knows and sets the fault flag
    drift_mmhg_per_week: float | None = None  # systematic, all sites
    sample_noise_mmhg: float | None = None  # sd of one 10 Hz sample; default: NOISE_MMHG of `physics.figures_sensors`
    liveliness: float | None = None  # of the signs of life: 1 is ordinary, 0 a leg that never moves nor breathes

    def __post_init__(self) -> None:
        if not (math.isfinite(self.garment_factor) and self.garment_factor > 0.0):
            raise ValueError(f"a garment keeps a part of its pressure above 0, not {self.garment_factor}")
        for name in ("sample_noise_mmhg", "liveliness"):
            value = getattr(self, name)
            if value is not None and not value >= 0.0:
                raise ValueError(f"{name} is 0 or more, not {value}")
        for site, day in (*self.dead_sites, *self.flagged_sites):
            if site not in range(SITES) or not day >= 0.0:
                raise ValueError(f"a dead site is 0 ankle, 1 calf or 2 thigh from a day 0 or later, not {site}, {day}")


ORDINARY = Conditions()

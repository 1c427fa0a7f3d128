"""What calibration left over and what wears out: gain, offset, drift, slow wander, dead sites. Knows no leg."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.physics import figures_sensors as fig
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
DAY_S: Final = 86_400.0
DRIFT_DAYS: Final = 3_650  # ten years: longer than any battery or garment; drift stands still afterwards
SITES: Final = 3


@dataclass(frozen=True, slots=True)
class SensorErrors:
    """Per site: gain (1 is none), offset (mmHg), drift (mmHg, a row a day), what it reads when dead (mmHg), and the
    age in seconds at which it dies, unnoticed or flagged (inf: never). White noise (mmHg, one sample), skin (degC).
    """

    gain: Floats
    offset_mmhg: Floats
    drift_mmhg: Floats
    dead_mmhg: Floats
    silent_from_s: Floats
    flagged_from_s: Floats
    noise_mmhg: float
    skin_offset_c: float

    @classmethod
    def drawn(cls, seed: int, name: str, conditions: Conditions = ORDINARY) -> "SensorErrors":
        """The errors of the stocking called `name` (its serial)."""
        chance = stream(seed, "sensors", name)
        noise = conditions.sample_noise_mmhg
        return cls(
            gain=np.clip(chance.normal(1.0, fig.GAIN_SD, SITES), *fig.GAIN_RANGE),
            offset_mmhg=np.clip(chance.normal(0.0, fig.OFFSET_SD_MMHG, SITES), *fig.OFFSET_RANGE_MMHG),
            drift_mmhg=_drift(seed, name, conditions.drift_mmhg_per_week),
            dead_mmhg=stream(seed, "dead", name).uniform(*fig.DEAD_MMHG, SITES),
            silent_from_s=_from_s(conditions.dead_sites),
            flagged_from_s=_from_s(conditions.flagged_sites),
            noise_mmhg=fig.NOISE_MMHG if noise is None else noise,
            skin_offset_c=float(chance.normal(0.0, fig.SKIN_OFFSET_SD_C)),
        )

    def offset_at(self, age_s: Floats) -> Floats:
        """Offset and drift together at an age in seconds, mmHg, [n, 3]."""
        days = np.clip(age_s / DAY_S, 0.0, DRIFT_DAYS - 1.001)
        day = days.astype(np.int64)
        part = (days - day)[:, None]
        return self.offset_mmhg + self.drift_mmhg[day] * (1.0 - part) + self.drift_mmhg[day + 1] * part

    def flagged_at(self, age_s: Floats) -> Bools:
        """Whether each site's converter stands still, which the firmware can see, [n, 3]."""
        return np.asarray(age_s[:, None] >= self.flagged_from_s)

    def dead_at(self, age_s: Floats) -> Bools:
        """Whether each site is dead, seen by the firmware or not, [n, 3]."""
        return np.asarray(age_s[:, None] >= np.minimum(self.silent_from_s, self.flagged_from_s))

    @property
    def any_die(self) -> bool:
        """Whether any site ever dies."""
        return bool(np.isfinite(np.minimum(self.silent_from_s, self.flagged_from_s)).any())


def _drift(seed: int, name: str, mmhg_per_week: float | None) -> Floats:
    if mmhg_per_week is not None:
        return np.repeat(np.arange(DRIFT_DAYS)[:, None] * (mmhg_per_week / 7.0), SITES, axis=1)
    steps = stream(seed, "drift", name).standard_normal((DRIFT_DAYS, SITES)) * fig.DRIFT_MMHG_PER_SQRT_DAY
    steps[0] = 0.0
    bound = fig.DRIFT_BOUND_MMHG
    walked = (np.cumsum(steps, axis=0) + bound) % (4.0 * bound)  # reflected at both bounds
    return np.asarray(np.where(walked > 2.0 * bound, 4.0 * bound - walked, walked) - bound)


def _from_s(sites: tuple[tuple[int, float], ...]) -> Floats:
    at = np.full(SITES, np.inf)
    for site, day in sites:
        at[site] = min(at[site], day * DAY_S)
    return at

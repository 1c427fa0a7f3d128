"""One person's leg in one garment: the draws that stay for life. Knows no time and no posture of the moment."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.physics import figures as fig
from calza_sim.wearer import Activity
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
_UPRIGHT = (Activity.STANDING, Activity.WALKING, Activity.SHOWERING)


@dataclass(frozen=True, slots=True)
class Leg:
    """Lying pressure at each site, what each `Activity` adds to it ([5, 3]), gait from trough to peak (all mmHg), how
    lively it is (1 is ordinary), and where its waves begin ([3, 3], radians).
    """

    resting_mmhg: Floats
    posture_mmhg: Floats
    gait_mmhg: Floats
    liveliness: float
    wave_phase: Floats

    @classmethod
    def drawn(cls, seed: int, name: str, conditions: Conditions = ORDINARY) -> "Leg":
        """The leg called `name` (any text, such as the stocking's serial) of the person `seed`."""
        chance = stream(seed, "leg", name)
        ankle = float(np.clip(chance.normal(fig.ANKLE_MEAN_MMHG, fig.ANKLE_SD_MMHG), *fig.ANKLE_RANGE_MMHG))
        spread = np.array(fig.SITE_RATIO_SD) * np.clip(chance.standard_normal(3), -2, 2)
        least, most = np.transpose(fig.SITE_RATIO_RANGE)
        ratio = np.clip(np.array(fig.SITE_RATIO) + spread, least, most)
        lively = float(np.clip(chance.normal(1.0, fig.LIVELINESS_SD), 0.7, 1.4))
        phase = chance.uniform(0.0, 2.0 * np.pi, (3, 3))

        moving = stream(seed, "leg in motion", name)
        standing = moving.normal(fig.STANDING_CALF_MMHG, fig.STANDING_CALF_SD_MMHG)
        posture = np.array(fig.POSTURE_MMHG)
        posture[_UPRIGHT, 1] = np.clip(standing, *fig.STANDING_CALF_RANGE_MMHG)
        gait = moving.uniform(*np.transpose(fig.GAIT_PEAK_TO_PEAK_MMHG))
        if conditions.calf_over_ankle:
            ratio[1] = stream(seed, "calf over ankle", name).uniform(*fig.CALF_OVER_ANKLE_RATIO)
        return cls(
            resting_mmhg=ankle * ratio * conditions.garment_factor,
            posture_mmhg=posture * conditions.garment_factor,
            gait_mmhg=gait,
            liveliness=lively if conditions.liveliness is None else conditions.liveliness,
            wave_phase=phase,
        )

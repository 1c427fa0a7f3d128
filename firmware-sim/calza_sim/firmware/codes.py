"""From a minute's statistics to the integers and flags the log keeps. Knows its units, nothing of time or flash."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from calza_sim.firmware.minutes import MinuteTable
from calza_wire.channels import ANKLE, RAW_MAX, SKIN, MinuteFlag

MMHG_STEP: Final = float(ANKLE.scale)  # pressures and ripple share it
CELSIUS_STEP: Final = float(SKIN.scale)
CELSIUS_ZERO: Final = float(SKIN.offset)

GUESS_ANKLE_MMHG: Final = 8.0  # a folded stocking does not press that much
GUESS_RIPPLE_MMHG: Final = 0.25  # twice the sensors' noise: something breathes. A guess for the display, not a verdict
MOVING_RIPPLE_MMHG: Final = 1.2  # more than sitting or standing still, less than walking
DEAD_DEVIATION_MMHG: Final = 0.02  # a converter that works has more noise than this
PLAUSIBLE_MMHG: Final = (-10.0, 120.0)
PLAUSIBLE_CELSIUS: Final = (-20.0, 70.0)

_SITE_FAULTS: Final = (MinuteFlag.ANKLE_FAULT, MinuteFlag.CALF_FAULT, MinuteFlag.THIGH_FAULT)


def log_rows(table: MinuteTable) -> NDArray[np.int64]:
    """Rows of raw ankle, calf, thigh, ripple, skin and flags, [n, 6].

    Ripple is the median of the sites' deviations: one dead or one noisy site can neither hide nor fake a sign of life.
    A pressure below zero is kept as zero, which is all a garment can do.
    """
    ripple = np.median(table.deviation, axis=1)
    mmhg = np.rint(np.column_stack([table.mean, ripple]) / MMHG_STEP)
    skin = np.rint((table.skin - CELSIUS_ZERO) / CELSIUS_STEP)
    words = np.clip(np.column_stack([mmhg, skin]), 0, RAW_MAX).astype(np.int64)
    return np.column_stack([words, _flags(table, ripple)])


def _flags(table: MinuteTable, ripple: NDArray[np.float64]) -> NDArray[np.int64]:
    flags = np.zeros(len(table), dtype=np.int64)
    flags |= ((table.mean[:, 0] >= GUESS_ANKLE_MMHG) & (ripple >= GUESS_RIPPLE_MMHG)) * int(MinuteFlag.WORN_GUESS)
    flags |= table.charging * int(MinuteFlag.CHARGING)
    flags |= (ripple >= MOVING_RIPPLE_MMHG) * int(MinuteFlag.MOVING)
    low, high = PLAUSIBLE_MMHG
    faults = (table.deviation < DEAD_DEVIATION_MMHG) | (table.mean < low) | (table.mean > high)
    for site, fault in enumerate(_SITE_FAULTS):
        flags |= faults[:, site] * int(fault)
    cold, hot = PLAUSIBLE_CELSIUS
    return np.asarray(flags | ((table.skin < cold) | (table.skin > hot)) * int(MinuteFlag.SKIN_FAULT))

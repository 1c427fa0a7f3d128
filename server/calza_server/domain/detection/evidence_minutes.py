"""The readings of a grid as the detector takes them: what cannot be is left out, moments are bridged, blocks are whole.

A reading that is left out is missing, never zero. Knows nothing of what a reading means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from calza_server.domain.stretches import Mask
from calza_wire.minute_block import MinuteFlag

if TYPE_CHECKING:
    from calza_server.domain.recording.grid import MinuteGrid

Column: TypeAlias = npt.NDArray[np.float32]

BLOCK_MIN: Final = 360  # what is learned is learned by blocks of 6 h of UTC: a night or a day of wear fills one or two
AROUND_BLOCKS: Final = (
    4  # ... and from a day to either side: that holds a night, a time of wear and a break of most people
)
GAP_TOLERATED_MIN: Final = 3  # a cell or a row missing for longer ends what went before: "a few samples"

# Beyond these the sensor is wrong, whatever it lies in. Our proposal: no stocking, not even doubled and rolled, presses
# so hard, no calibrated sensor is so far below zero, and nobody's leg or dryer is so cold or so hot.
IMPOSSIBLE_MMHG: Final = (-20.0, 150.0)
IMPOSSIBLE_C: Final = (-20.0, 70.0)

# as octets, because numpy would widen a whole column for an IntFlag
ANKLE_FAULT: Final = np.uint8(MinuteFlag.ANKLE_FAULT)
CALF_FAULT: Final = np.uint8(MinuteFlag.CALF_FAULT)
THIGH_FAULT: Final = np.uint8(MinuteFlag.THIGH_FAULT)
SKIN_FAULT: Final = np.uint8(MinuteFlag.SKIN_FAULT)
CHARGING: Final = np.uint8(MinuteFlag.CHARGING)
SITES: Final = (ANKLE_FAULT, CALF_FAULT, THIGH_FAULT)


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """Columns over whole blocks, `before` minutes longer at the front than the grid; NaN where nothing can be used.

    `mmhg` has a row per site (ankle, calf, thigh), cells missing for a moment bridged by the one before. `faulty` holds
    MinuteFlag bits of the sites that cannot be trusted.
    """

    before: int
    length: int
    present: Mask
    charging: Mask
    mmhg: Column
    ripple: Column
    skin: Column
    faulty: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, grid: MinuteGrid) -> Minutes:
        """Read a grid; never raises, whatever the figures are."""
        before = grid.start_minute % BLOCK_MIN
        n = -(-(before + len(grid)) // BLOCK_MIN) * BLOCK_MIN if len(grid) else 0
        inner = slice(before, before + len(grid))
        present, charging, faulty = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.uint8)
        present[inner] = grid.present
        charging[inner] = grid.present & ((grid.flags & CHARGING) != 0)
        mmhg = np.full((len(SITES), n), np.nan, np.float32)
        ripple, skin = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
        for row, (site, flag) in enumerate(zip((grid.ankle, grid.calf, grid.thigh), SITES, strict=True)):
            trusted = grid.present & _within(site, IMPOSSIBLE_MMHG) & ((grid.flags & flag) == 0)
            np.copyto(mmhg[row, inner], site, where=trusted)
            faulty[inner] |= (grid.present & ~trusted) * flag
        np.copyto(ripple[inner], grid.ripple, where=grid.present & _within(grid.ripple, (0.0, IMPOSSIBLE_MMHG[1])))
        usable = grid.present & _within(grid.skin, IMPOSSIBLE_C) & ((grid.flags & SKIN_FAULT) == 0)
        np.copyto(skin[inner], grid.skin, where=usable)
        _bridge(mmhg[:, inner])
        return cls(before, len(grid), present, charging, mmhg, ripple, skin, faulty)

    @property
    def blocks(self) -> int:
        """How many blocks it spans."""
        return len(self.present) // BLOCK_MIN

    @property
    def inner(self) -> slice:
        """Where the minutes of the grid are."""
        return slice(self.before, self.before + self.length)


def _within(values: Column, limits: tuple[float, float]) -> Mask:
    inside: Mask = (values >= np.float32(limits[0])) & (values <= np.float32(limits[1]))  # NaN is nowhere
    return inside


def _bridge(mmhg: Column) -> None:
    """Fill what is missing for a moment, within the record: what lies beyond its end is not missing."""
    if not np.isnan(mmhg).any():
        return
    for _ in range(GAP_TOLERATED_MIN):
        before = mmhg[:, :-1].copy()
        np.copyto(mmhg[:, 1:], before, where=np.isnan(mmhg[:, 1:]))

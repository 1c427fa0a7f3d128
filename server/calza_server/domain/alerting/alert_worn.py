"""One stocking's worn minutes as the pressure alerts look at them: which sites may be used, which are dead.

Only worn minutes count, and a site that is dead or disowned says nothing about the leg.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.alerting.alert_rules import source_of
from calza_server.domain.alerting.alert_values import Alert, AlertKind, Figure
from calza_server.domain.ledgers.dose import IMPOSSIBLE_MMHG
from calza_server.domain.states import Reason, State
from calza_server.domain.stretches import held_for, stretches
from calza_wire.minute_block import MinuteFlag

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.recording.grid import MinuteGrid
    from calza_server.domain.stretches import Mask

NAMES: Final = ("ankle", "calf", "thigh")
FLAGS: Final = np.array(
    [[MinuteFlag.ANKLE_FAULT], [MinuteFlag.CALF_FAULT], [MinuteFlag.THIGH_FAULT]], np.uint8
)  # a row per site
# Our proposal: what a working site shows at least under a worn stocking; the thigh has 20 to 60 % of the ankle.
NORMAL_MMHG: Final = np.array([[8.0], [8.0], [5.0]], np.float32)
BRIDGED_MIN: Final = 5  # our proposal: a shift in the chair does not end what holds before and after it


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """One stocking's pressures (rows ankle, calf, thigh; mmHg) and where they may be used."""

    serial: str
    start_minute: int
    sites: npt.NDArray[np.float32]
    worn: Mask
    usable: npt.NDArray[np.bool_]
    dead: npt.NDArray[np.bool_]
    disowned: npt.NDArray[np.bool_]

    def alert(
        self, kind: AlertKind, sentence: str, threshold: str, where: Mask, sites: tuple[int, ...], *figures: Figure
    ) -> Alert:
        """The alert of the minutes in `where`."""
        starts, ends = (edges + self.start_minute for edges in stretches(where))
        minutes = tuple(zip(starts.tolist(), ends.tolist(), strict=True))
        names = tuple(NAMES[site] for site in sites)
        return Alert(kind, self.serial, sentence, threshold, source_of(kind), minutes, names, figures)

    def held(self, mask: Mask, minutes: float) -> Mask:
        """Where `mask` holds for at least so long, but for short breaks while worn."""
        if not mask.any():
            return mask
        return held_for(~held_for(~mask, BRIDGED_MIN + 1) & self.worn, int(minutes))

    def middle(self, values: npt.NDArray[np.floating], where: Mask) -> float:
        """The middle of the values there, to a tenth: a peak would be a minute's chance."""
        known = values[where]
        known = known[np.isfinite(known)]
        return round(float(np.median(known)), 1) if len(known) else float("nan")


def worn_minutes(serial: str, grid: MinuteGrid, ledger: Ledger, leg: Ledger, dead_mmhg: float) -> Worn:
    """The worn minutes of a stocking by its own `ledger`, less those in which `leg` says that nothing can be sensed.

    All three cover the same minutes. A site at `dead_mmhg` or less is dead while both others show more, and one of them
    as much as a worn stocking.
    """
    sites = np.stack([grid.ankle, grid.calf, grid.thigh])
    worn = (ledger.state == State.WORN) & grid.present & (leg.reason != Reason.UNSENSED_BY_DESIGN)
    disowned = worn & ((grid.flags & FLAGS) != 0)
    with np.errstate(invalid="ignore"):  # a missing site is not usable
        usable = worn & ~disowned & (sites <= IMPOSSIBLE_MMHG)
        firm = usable & (sites >= NORMAL_MMHG)
        nothing = usable & (sites <= dead_mmhg)
    one_alone = (nothing.sum(axis=0, dtype=np.int8) == 1) & firm.any(axis=0)
    return Worn(serial, grid.start_minute, sites, worn, usable, nothing & one_alone, disowned)

"""Minutes of one stocking on the true time line, one slot per UTC minute. Knows nothing of clocks, wear or orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

NOWHERE = -1  # in `record` and `log`: this minute came from no record


@dataclass(frozen=True, slots=True, eq=False)
class MinuteGrid:
    """Dense columns over [start_minute, start_minute + len), counted in minutes since 1970-01-01T00:00Z.

    Pressures and ripple in mmHg, skin in degC, NaN where missing. `flags` holds `MinuteFlag` bits. `present` tells a
    minute that was recorded from one that was not. `record` and `log` (an index into `logs`) say where it came from.
    `clock` holds `ClockConfidence` values: how well it is known that a reading belongs to this minute and no other.
    `clock_lost` marks absent minutes that a held record may belong to, if only its clock could be trusted;
    `unplaced_minutes` counts what is held but lies on no minute for that reason.
    """

    start_minute: int
    ankle: npt.NDArray[np.float32]
    calf: npt.NDArray[np.float32]
    thigh: npt.NDArray[np.float32]
    ripple: npt.NDArray[np.float32]
    skin: npt.NDArray[np.float32]
    flags: npt.NDArray[np.uint8]
    present: npt.NDArray[np.bool_]
    record: npt.NDArray[np.int64]
    log: npt.NDArray[np.int16]
    clock: npt.NDArray[np.uint8]
    clock_lost: npt.NDArray[np.bool_]
    logs: tuple[bytes, ...] = field(default=())
    unplaced_minutes: int = 0

    def __len__(self) -> int:
        """How many minutes the grid spans."""
        return len(self.present)

    @property
    def end_minute(self) -> int:
        """The first minute after the grid."""
        return self.start_minute + len(self)

    @classmethod
    def empty(cls, start_minute: int, end_minute: int, logs: tuple[bytes, ...] = ()) -> MinuteGrid:
        """A grid of absent minutes over [start, end); its columns may be filled before it is handed on."""
        n = max(0, end_minute - start_minute)

        def missing() -> npt.NDArray[np.float32]:
            return np.full(n, np.nan, np.float32)

        return cls(
            start_minute=start_minute,
            ankle=missing(),
            calf=missing(),
            thigh=missing(),
            ripple=missing(),
            skin=missing(),
            flags=np.zeros(n, np.uint8),
            present=np.zeros(n, np.bool_),
            record=np.full(n, NOWHERE, np.int64),
            log=np.full(n, NOWHERE, np.int16),
            clock=np.zeros(n, np.uint8),
            clock_lost=np.zeros(n, np.bool_),
            logs=logs,
        )

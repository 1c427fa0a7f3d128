"""Minutes as columns: what the series store hands to the ledger. Knows neither the store nor how a record looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_wire import channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

ANKLE: Final = 0
CALF: Final = 1
THIGH: Final = 2
RIPPLE: Final = 3
SKIN: Final = 4
CHANNELS: Final = 5

PRESSURE_MMHG_PER_UNIT: Final = float(channels.ANKLE.scale)  # ankle, calf, thigh and ripple, as the stocking wrote them
SKIN_C_PER_UNIT: Final = float(channels.SKIN.scale)
SKIN_OFFSET_C: Final = float(channels.SKIN.offset)  # keeps a raw value positive: degC = 0.01 * raw - 40


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """The minutes of one stocking, one row each, ordered by (log in the order first seen, record number, minute).

    `device_s` is the start of the minute in Unix seconds *by the stocking's own clock*; where `synchronised` is false
    that clock had not been set since it last lost power, and the figure only counts from an unknown moment.
    `log` indexes `logs` (log ids, 8 octets each). `values` has the columns ANKLE, CALF, THIGH, RIPPLE (0.1 mmHg) and
    SKIN (raw: 0.01 degC above -40 degC). `flags` holds `calza_wire.minute_block.MinuteFlag` bits.
    Nothing is filled in: a minute that is not held has no row.
    """

    device_s: npt.NDArray[np.int64]
    synchronised: npt.NDArray[np.bool_]
    record: npt.NDArray[np.int64]
    log: npt.NDArray[np.int16]
    logs: tuple[bytes, ...]
    values: npt.NDArray[np.int16]
    flags: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """How many minutes there are."""
        return len(self.device_s)

    @classmethod
    def none(cls) -> Readings:
        """No minutes at all."""
        return cls(
            device_s=np.empty(0, np.int64),
            synchronised=np.empty(0, np.bool_),
            record=np.empty(0, np.int64),
            log=np.empty(0, np.int16),
            logs=(),
            values=np.empty((0, CHANNELS), np.int16),
            flags=np.empty(0, np.uint8),
        )

    def pick(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Readings:
        """The chosen rows (mask or positions), in that order; `logs` stays whole so that `log` keeps its meaning."""
        return Readings(
            device_s=self.device_s[rows],
            synchronised=self.synchronised[rows],
            record=self.record[rows],
            log=self.log[rows],
            logs=self.logs,
            values=self.values[rows],
            flags=self.flags[rows],
        )

    def between(self, from_device_s: int, to_device_s: int) -> Readings:
        """The minutes that start in [from, to), both in Unix seconds by the stocking's clock."""
        inside = (self.device_s >= from_device_s) & (self.device_s < to_device_s)
        return self if bool(inside.all()) else self.pick(inside)

    def pressure_mmhg(self, channel: int) -> npt.NDArray[np.float64]:
        """One of ANKLE, CALF, THIGH, RIPPLE in mmHg."""
        return self.values[:, channel].astype(np.float64) * PRESSURE_MMHG_PER_UNIT

    def skin_c(self) -> npt.NDArray[np.float64]:
        """Skin temperature in degrees Celsius."""
        return self.values[:, SKIN].astype(np.float64) * SKIN_C_PER_UNIT + SKIN_OFFSET_C


def joined(parts: Sequence[Readings]) -> Readings:
    """Several lots of one stocking's readings as one; every part must carry the same `logs`.

    Raises ValueError when the parts disagree about `logs`, because `log` would then point at the wrong names.
    """
    if not parts:
        return Readings.none()
    logs = parts[0].logs
    if any(part.logs != logs for part in parts):
        raise ValueError("readings with different logs cannot be joined: their log columns mean different things")
    return Readings(
        device_s=np.concatenate([part.device_s for part in parts]),
        synchronised=np.concatenate([part.synchronised for part in parts]),
        record=np.concatenate([part.record for part in parts]),
        log=np.concatenate([part.log for part in parts]),
        logs=logs,
        values=np.concatenate([part.values for part in parts]),
        flags=np.concatenate([part.flags for part in parts]),
    )

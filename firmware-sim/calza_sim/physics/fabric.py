"""The fabric over time: it settles after each donning, ages with the weeks, and a wash restores a part. No leg here."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.physics import figures as fig
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
DAY_S = 86_400.0


class Fabric:
    """One garment, new at `new_s`, washed at `washed_s` (rising). Times are true Unix seconds."""

    def __init__(self, *, seed: int, name: str, new_s: float, washed_s: Floats) -> None:
        self._new_s = new_s
        self._washed_s = washed_s
        self._ageing = float(stream(seed, "fabric", name).uniform(*fig.AGEING_SPREAD))

    def kept(self, times_s: Floats, donned_s: Floats) -> Floats:
        """The part of the first pressure that is left at each time, after a donning begun at `donned_s`, [n]."""
        settled = 1.0 - fig.SETTLING_FRACTION * -np.expm1(-(times_s - donned_s) / fig.SETTLING_TAU_S)
        worn_out = 1.0 - np.interp((times_s - self._new_s) / DAY_S, fig.AGEING_DAYS, fig.AGEING_KEPT)
        return np.asarray(settled * (1.0 - self._ageing * worn_out * (1.0 - self._restored(times_s))))

    def _restored(self, times_s: Floats) -> Floats:
        if not len(self._washed_s):
            return np.zeros(len(times_s))
        last = np.searchsorted(self._washed_s, times_s, side="right") - 1
        since_s = times_s - self._washed_s[np.maximum(last, 0)]
        return np.where(last >= 0, fig.WASH_RESTORES * np.exp(-np.maximum(since_s, 0.0) / fig.WASH_FADES_S), 0.0)

"""Temperature at the skin sensor: it follows the leg when on and the room when off, each with its own time constant.

Between two changes the sensor relaxes towards a target, which is a formula; only the changes are walked through.
"""

import numpy as np
from numpy.typing import NDArray

from calza_sim import physics_figures as fig
from calza_sim.wearer import Itinerary
from calza_sim.wearer_chance import stream

DAY_S = 86_400.0
_ACTIVITY_C = np.array(fig.SKIN_ACTIVITY_C)


class SkinTemperature:
    """The skin sensor of one leg living one itinerary. Times are true Unix seconds, temperatures degC."""

    def __init__(self, life: Itinerary, *, seed: int, name: str) -> None:
        home = stream(seed, "home")
        self._ambient_c = float(home.normal(fig.AMBIENT_MEAN_C, fig.AMBIENT_SD_C))
        self._midnight_s = life.midnight_s
        leg = stream(seed, "skin", name)
        self._skin_c = float(np.clip(leg.normal(fig.SKIN_MEAN_C, fig.SKIN_SD_C), 29.0, 35.0))
        warming_s, cooling_s = leg.uniform(*fig.WARMING_TAU_S), leg.uniform(*fig.COOLING_TAU_S)

        # the sensor touches the leg from the middle of donning until the stocking is off
        touches = np.array([edge for each in life.wears for edge in ((each.donning_s + each.on_s) / 2, each.off_s)])
        changes = np.unique(np.concatenate([life.bout_start_s, touches]))
        on_leg = np.searchsorted(touches, changes, side="right") % 2 == 1
        self._changes_s: NDArray[np.float64] = changes
        self._on_leg = on_leg
        self._tau_s = np.where(on_leg, warming_s, cooling_s)
        self._constant_c = np.where(on_leg, self._skin_c + _ACTIVITY_C[life.activity(changes)], 0.0)
        self._distance_c = self._distances()

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The temperature at each time."""
        since = np.maximum(np.searchsorted(self._changes_s, times_s, side="right") - 1, 0)
        faded = np.exp(-np.maximum(times_s - self._changes_s[since], 0.0) / self._tau_s[since])
        return self._target(since, times_s) + self._distance_c[since] * faded

    def _target(self, since: NDArray[np.int64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        hours = (times_s - self._midnight_s) / 3_600.0 - fig.AMBIENT_WARMEST_H
        room = self._ambient_c + fig.AMBIENT_SWING_C * np.cos(hours * (2.0 * np.pi / 24.0))
        warmed = self._constant_c[since] + fig.SKIN_FOLLOWS_AMBIENT * (room - fig.AMBIENT_MEAN_C)
        return np.where(self._on_leg[since], warmed, room)

    def _distances(self) -> NDArray[np.float64]:
        """How far from its target the sensor is at each change: what was left, moved by the step of the target."""
        count = np.arange(len(self._changes_s))
        target_after = self._target(count, self._changes_s)
        target_before = self._target(np.maximum(count - 1, 0), self._changes_s)
        steps = (target_before - target_after).tolist()
        kept = np.exp(-np.diff(self._changes_s) / self._tau_s[:-1]).tolist()
        distances = [0.0]
        for step, fade in zip(steps[1:], kept, strict=True):
            distances.append(distances[-1] * fade + step)
        return np.array(distances)

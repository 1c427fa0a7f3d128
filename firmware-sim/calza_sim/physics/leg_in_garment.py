"""The leg in the garment: interface pressure and skin temperature at any time, from the itinerary. No sensor, no noise.

Everything is a closed formula of time, so any moment can be asked for in any order and the answer is always the same.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.physics import figures as fig
from calza_sim.physics.away import Away
from calza_sim.physics.fabric import Fabric
from calza_sim.physics.leg import Leg
from calza_sim.physics.misfit import Misfits
from calza_sim.physics.skin import SkinTemperature
from calza_sim.physics.wander import Wander
from calza_sim.wearer import Activity, Itinerary
from calza_sim.wearer_chance import stream
from calza_sim.wearer_events import EventKind

Floats: TypeAlias = NDArray[np.float64]
_MICRO = np.array(fig.MICRO_MMHG)


@dataclass(frozen=True, slots=True)
class Motion:
    """What moves the pressure quickly, at each time and site, mmHg: amplitudes of the waves, sd of the irregular."""

    gait: Floats
    breath: Floats
    pulse: Floats
    micro: Floats

    @property
    def wave_variance(self) -> Floats:
        """Variance of the three waves together over whole cycles, mmHg squared."""
        return (self.gait**2 + self.breath**2 + self.pulse**2) / 2.0


class LegPhysics:
    """Pressure, motion and skin temperature of one leg living one itinerary. Times are true Unix seconds."""

    def __init__(self, life: Itinerary, *, seed: int, name: str, conditions: Conditions = ORDINARY) -> None:
        self._life = life
        self._leg = Leg.drawn(seed, name, conditions)
        self._away = Away(life, seed=seed, name=name)
        self._misfits = Misfits(life, seed=seed, name=name)
        self._fabric = Fabric(seed=seed, name=name, new_s=life.start_s, washed_s=self._away.washed_s)
        self._wander = Wander(seed, "leg", name)
        self._skin = SkinTemperature(
            life, self._away, seed=seed, name=name, ankle_mmhg=float(self._leg.resting_mmhg[0]), conditions=conditions
        )
        self._still = [each for each in life.events if each.kind is EventKind.STILL]
        wears = life.wears
        self._donning_s = np.array([each.donning_s for each in wears])
        self._on_s = np.array([each.on_s for each in wears])
        self._doffing_s = np.array([each.doffing_s for each in wears])
        self._off_s = np.array([each.off_s for each in wears])
        positions = stream(seed, "position", name).standard_normal((len(life.bout_start_s), 3))
        self._position = positions * fig.POSITION_SD_MMHG
        self._overshoot = stream(seed, "overshoot", name).uniform(*fig.OVERSHOOT, len(wears))
        seats = np.clip(stream(seed, "seat", name).standard_normal((len(wears), 3)), -2.5, 2.5)
        self._seat = 1.0 + fig.SEAT_SPREAD * seats

    def pressure(self, times_s: Floats) -> Floats:
        """Interface pressure without its quick motion, mmHg, [n, 3]; off the leg what its place presses on it."""
        wear, handled = self._where(times_s)
        mmhg = np.zeros((len(times_s), 3))
        on, off = np.flatnonzero(handled), np.flatnonzero(~handled)
        mmhg[off] = self._away.pressure(times_s[off])
        if len(on):
            at, which = times_s[on], wear[on]
            bout = self._life.bout(at)
            resting = self._leg.resting_mmhg + self._leg.posture_mmhg[self._life.bout_activity[bout]]
            resting = (resting + self._position[bout]) * self._seat[which] + fig.LEG_WANDER_MMHG * self._wander.at(at)
            worn = np.maximum(resting * self._fabric.kept(at, self._donning_s[which])[:, None], 0.0)
            self._misfits.apply(at, worn)
            mmhg[on] = worn * self._in_place(at, which)
        return mmhg

    def motion(self, times_s: Floats) -> Motion:
        """The quick motion. Off the leg there are no waves, and what is irregular is hands or the garment's place."""
        wear, handled = self._where(times_s)
        activity = self._life.activity(times_s)
        alive = np.where(handled, self._leg.liveliness, 0.0)
        walking = alive * (activity == Activity.WALKING)
        micro = alive * _MICRO[activity]
        for each in self._still:
            micro[(times_s >= each.start_s) & (times_s < each.end_s)] = 0.0
        hands = handled & ~self._in_full(times_s, wear)
        micro = np.where(hands, fig.HANDLING_MMHG, micro)
        off = np.flatnonzero(~handled)
        micro[off] = self._away.micro(times_s[off])
        return Motion(
            gait=walking[:, None] * (self._leg.gait_mmhg / 2.0),
            breath=alive[:, None] * np.array(fig.BREATH_MMHG),
            pulse=alive[:, None] * np.array(fig.PULSE_MMHG),
            micro=np.repeat(micro[:, None], 3, axis=1),
        )

    def waves(self, times_s: Floats, motion: Motion) -> Floats:
        """The synthesised waveform of gait, breath and pulse, mmHg, [n, 3]."""
        turns = 2.0 * np.pi * times_s[:, None]
        phase = self._leg.wave_phase
        return np.asarray(
            motion.gait * np.sin(turns * fig.GAIT_HZ + phase[0])
            + motion.breath * np.sin(turns * fig.BREATH_HZ + phase[1])
            + motion.pulse * np.sin(turns * fig.PULSE_HZ + phase[2])
        )

    def skin(self, times_s: Floats) -> Floats:
        """Temperature at the skin sensor, degC, [n]."""
        return self._skin.at(times_s)

    def charging(self, times_s: Floats) -> NDArray[np.bool_]:
        """Whether the garment lies on its charger."""
        on = np.zeros(len(times_s), dtype=np.bool_)
        for start, end in self._life.charging:
            on |= (times_s >= start) & (times_s < end)
        return on & ~self._where(times_s)[1]

    def _where(self, times_s: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which wear is the latest begun, and whether the garment is on the leg or in hand."""
        if not len(self._on_s):
            return np.zeros(len(times_s), dtype=np.int64), np.zeros(len(times_s), dtype=np.bool_)
        wear = np.searchsorted(self._donning_s, times_s, side="right") - 1
        begun = np.maximum(wear, 0)
        return begun, (wear >= 0) & (times_s < self._off_s[begun])

    def _in_full(self, times_s: Floats, wear: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not len(self._on_s):
            return np.zeros(len(times_s), dtype=np.bool_)
        return (times_s >= self._on_s[wear]) & (times_s < self._doffing_s[wear])

    def _in_place(self, times_s: Floats, wear: NDArray[np.int64]) -> Floats:
        """How much of the resting pressure each site has: 0 to 1 while donning, overshooting, 1 to 0 while doffing."""
        length = self._on_s[wear] - self._donning_s[wear]
        since = (times_s - self._donning_s[wear])[:, None] / length[:, None] - np.array(fig.DONNING_STARTS)
        risen = np.clip(since / fig.DONNING_RISE, 0.0, 1.0)
        past_s = np.maximum(since - fig.DONNING_RISE, 0.0) * length[:, None]
        bump = 1.0 + (self._overshoot[wear, None] - 1.0) * np.exp(-past_s / fig.OVERSHOOT_TAU_S)
        taking = (times_s - self._doffing_s[wear]) / (self._off_s[wear] - self._doffing_s[wear])
        fallen = np.clip((taking[:, None] - np.array(fig.DOFFING_STARTS)) / fig.DONNING_RISE, 0.0, 1.0)
        return np.asarray(risen * bump * (1.0 - fallen))

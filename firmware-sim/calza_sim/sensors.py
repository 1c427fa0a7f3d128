"""The stocking's sensors: what they add to the physics, and two ways to a minute of 600 samples.

`SampledMinutes` synthesises every 10 Hz sample; `DrawnMinutes` draws mean and deviation of the 600 directly from their
sampling distributions, some thousand times faster. Both use the same draws for the same true minute wherever a draw
outlives a sample. Nothing here knows whether a minute counts as worn.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.firmware.minutes import SAMPLE_HZ, SAMPLES_PER_MINUTE, MinuteAccumulator, MinuteTable
from calza_sim.physics import LegPhysics
from calza_sim.physics.figures import MICRO_LOG_SD
from calza_sim.physics.figures_sensors import SENSOR_WANDER_MMHG, SKIN_NOISE_C
from calza_sim.physics.wander import Wander
from calza_sim.sensor_errors import SensorErrors
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
DRAW_BLOCK = 1_440  # minutes whose draws are made together
SUBPOINTS = 6  # a drawn minute looks at the slow pressure every 10 s


class Sensors:
    """One stocking's sensors on one leg. `born_s`: true Unix seconds from which drift counts."""

    def __init__(self, physics: LegPhysics, errors: SensorErrors, *, seed: int, name: str, born_s: float) -> None:
        self.physics = physics
        self.errors = errors
        self._seed = seed
        self._name = name
        self._born_s = born_s
        self._draws = lru_cache(maxsize=4)(self._draw_block)
        self._wander = Wander(seed, "sensors", name)

    def offset(self, times_s: Floats) -> Floats:
        """Offset, drift and wander of each site, mmHg, [n, 3]."""
        return self.errors.offset_at(times_s - self._born_s) + SENSOR_WANDER_MMHG * self._wander.at(times_s)

    def die(self, times_s: Floats, mmhg: Floats, alive: Floats, still: Floats) -> Floats:
        """`mmhg` where the site lives; where it is dead `alive`, or `still` if the firmware can see it. All [n, 3]."""
        if not self.errors.any_die:
            return mmhg
        age_s = times_s - self._born_s
        dead = np.where(self.errors.flagged_at(age_s), still, alive)
        return np.where(self.errors.dead_at(age_s), dead, mmhg)

    def noise_of_minute(self, minute: int) -> Floats:
        """Unit white noise for the samples of one true minute: [600, 7] for 3 sites' movement, 3 sites, skin."""
        return stream(self._seed, "samples", self._name, minute).standard_normal((SAMPLES_PER_MINUTE, 7))

    def draws(self, minutes: NDArray[np.int64]) -> Floats:
        """Unit draws of each true minute, [n, 11]: restlessness, skin mean, then per site mean, bend and chi-square."""
        out = np.empty((len(minutes), 11))
        blocks = minutes // DRAW_BLOCK
        for block in np.unique(blocks).tolist():
            chosen = blocks == block
            out[chosen] = self._draws(block)[minutes[chosen] - block * DRAW_BLOCK]
        return out

    def restlessness(self, minutes: NDArray[np.int64]) -> Floats:
        """How lively small movements are in each true minute: around 1."""
        return np.asarray(np.exp(MICRO_LOG_SD * self.draws(minutes)[:, 0]))

    def _draw_block(self, block: int) -> Floats:
        chance = stream(self._seed, "minutes", self._name, block)
        normal = chance.standard_normal((DRAW_BLOCK, 8))
        return np.hstack([normal, chance.chisquare(SAMPLES_PER_MINUTE - 2, (DRAW_BLOCK, 3))])


class SampledMinutes:
    """Every sample is synthesised, as the firmware's converter would deliver it: for live operation."""

    def __init__(self, sensors: Sensors) -> None:
        self._sensors = sensors

    def minutes(self, starts_s: Floats, samples: NDArray[np.int64]) -> MinuteTable:
        """See `MinuteSource`."""
        return MinuteTable.joined(
            [self._minute(at, n) for at, n in zip(starts_s.tolist(), samples.tolist(), strict=True)]
        )

    def _minute(self, start_s: float, count: int) -> MinuteTable:
        accumulator = MinuteAccumulator()
        accumulator.feed(self.samples(start_s, count))
        middle = np.array([start_s + count / SAMPLE_HZ / 2.0])
        return accumulator.close(charging=bool(self._sensors.physics.charging(middle)[0]))

    def samples(self, start_s: float, count: int) -> Floats:
        """`count` samples (at most a minute's) at 10 Hz from `start_s` on, [count, 4]: three sites mmHg, skin degC."""
        sensors, errors = self._sensors, self._sensors.errors
        times_s = start_s + np.arange(count) / SAMPLE_HZ
        minute = _true_minutes(np.array([start_s]))
        noise = sensors.noise_of_minute(int(minute[0]))[:count]
        motion = sensors.physics.motion(times_s)
        moved = sensors.physics.waves(times_s, motion) + motion.micro * sensors.restlessness(minute) * noise[:, :3]
        mmhg = errors.gain * (sensors.physics.pressure(times_s) + moved) + sensors.offset(times_s)
        white = errors.noise_mmhg * noise[:, 3:6]
        still = np.broadcast_to(errors.dead_mmhg, mmhg.shape)
        mmhg = sensors.die(times_s, mmhg + white, still + white, still)
        skin = sensors.physics.skin(times_s) + errors.skin_offset_c + SKIN_NOISE_C * noise[:, 6]
        return np.column_stack([mmhg, skin])


class DrawnMinutes:
    """Mean and deviation of each minute drawn at once: for months in a moment.

    Samples are a known course plus white normal noise of variance v. Then their mean is normal with variance v/n, and,
    independently of it, n times their variance over v is non-central chi-square with n - 1 degrees of freedom.
    """

    def __init__(self, sensors: Sensors) -> None:
        self._sensors = sensors

    def minutes(self, starts_s: Floats, samples: NDArray[np.int64]) -> MinuteTable:
        """See `MinuteSource`."""
        sensors, errors, physics = self._sensors, self._sensors.errors, self._sensors.physics
        n = len(starts_s)
        length_s = samples / SAMPLE_HZ
        middles_s = starts_s + length_s / 2.0
        inside = (np.arange(SUBPOINTS) + 0.5) / SUBPOINTS
        times_s = (starts_s[:, None] + length_s[:, None] * inside).ravel()
        slow = physics.pressure(times_s).reshape(n, SUBPOINTS, 3)
        motion = physics.motion(times_s)
        minutes = _true_minutes(starts_s)
        draws = sensors.draws(minutes)
        waves = motion.wave_variance.reshape(n, SUBPOINTS, 3).mean(axis=1)
        micro = (motion.micro**2).reshape(n, SUBPOINTS, 3).mean(axis=1)
        restless = np.exp(MICRO_LOG_SD * draws[:, :1])
        count = samples[:, None].astype(np.float64)
        hiss = np.full((n, 3), errors.noise_mmhg**2)
        white = errors.gain**2 * micro * restless**2 + hiss
        course = errors.gain**2 * (slow.var(axis=1) + waves)
        dead = np.broadcast_to(errors.dead_mmhg, (n, 3))
        white = sensors.die(middles_s, white, hiss, hiss * 0.0)
        course = sensors.die(middles_s, course, course * 0.0, course * 0.0)
        level = sensors.die(middles_s, errors.gain * slow.mean(axis=1) + sensors.offset(middles_s), dead, dead)
        mean = level + np.sqrt(white / count) * draws[:, 2:5]
        chi = draws[:, 8:11] * ((count - 2.0) / (SAMPLES_PER_MINUTE - 2))  # exact for a whole minute
        # (draw + sqrt(n course / white))^2 white / n, written so that no noise at all is no division by zero
        bent = (np.sqrt(white / count) * draws[:, 5:8] + np.sqrt(course)) ** 2
        skin = physics.skin(middles_s) + errors.skin_offset_c + SKIN_NOISE_C * draws[:, 1] / np.sqrt(samples)
        return MinuteTable(mean, np.sqrt(white / count * chi + bent), skin, physics.charging(middles_s))


class LiveFrom:
    """Drawn minutes before `live_s`, sampled ones from then on: a minute's own time decides, so it can be replayed."""

    def __init__(self, sensors: Sensors, live_s: float) -> None:
        self._drawn = DrawnMinutes(sensors)
        self._sampled = SampledMinutes(sensors)
        self._live_s = live_s

    def minutes(self, starts_s: Floats, samples: NDArray[np.int64]) -> MinuteTable:
        """See `MinuteSource`; `starts_s` must rise."""
        past = int(np.searchsorted(starts_s, self._live_s))
        parts = []
        if past:
            parts.append(self._drawn.minutes(starts_s[:past], samples[:past]))
        if past < len(starts_s):
            parts.append(self._sampled.minutes(starts_s[past:], samples[past:]))
        return MinuteTable.joined(parts)


def _true_minutes(starts_s: Floats) -> NDArray[np.int64]:
    """The true minute a sampled minute lies in, by its middle: a device's minutes are never quite true ones."""
    return np.floor((starts_s + 30.0) / 60.0).astype(np.int64)

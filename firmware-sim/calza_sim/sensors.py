"""The stocking's sensors: what they add to the physics, and two ways to a minute of 600 samples.

`SampledMinutes` synthesises every 10 Hz sample; `DrawnMinutes` draws mean and deviation of the 600 directly from their
sampling distributions, some thousand times faster. Both use the same draws for the same true minute wherever a draw
outlives a sample. Nothing here knows whether a minute counts as worn.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim import physics_figures as fig
from calza_sim.firmware.minutes import SAMPLE_HZ, SAMPLES_PER_MINUTE, MinuteAccumulator, MinuteTable
from calza_sim.physics import LegPhysics
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
DAY_S = 86_400.0
DRIFT_DAYS = 3_650  # ten years: longer than any battery or garment; drift stands still afterwards
DRAW_BLOCK = 1_440  # minutes whose draws are made together
SUBPOINTS = 6  # a drawn minute looks at the slow pressure every 10 s


@dataclass(frozen=True, slots=True)
class SensorErrors:
    """What calibration left over, per site: gain (1 is none), offset (mmHg), drift (mmHg, a row a day), skin (degC)."""

    gain: Floats
    offset_mmhg: Floats
    drift_mmhg: Floats
    skin_offset_c: float

    @classmethod
    def drawn(cls, seed: int, name: str) -> "SensorErrors":
        """The errors of the stocking called `name` (its serial)."""
        chance = stream(seed, "sensors", name)
        steps = stream(seed, "drift", name).standard_normal((DRIFT_DAYS, 3)) * fig.DRIFT_MMHG_PER_SQRT_DAY
        steps[0] = 0.0
        bound = fig.DRIFT_BOUND_MMHG
        walked = (np.cumsum(steps, axis=0) + bound) % (4.0 * bound)  # reflected at both bounds
        return cls(
            gain=np.clip(chance.normal(1.0, fig.GAIN_SD, 3), 0.75, 1.25),
            offset_mmhg=np.clip(chance.normal(0.0, fig.OFFSET_SD_MMHG, 3), -4.0, 4.0),
            drift_mmhg=np.where(walked > 2.0 * bound, 4.0 * bound - walked, walked) - bound,
            skin_offset_c=float(chance.normal(0.0, fig.SKIN_OFFSET_SD_C)),
        )

    def offset_at(self, age_s: Floats) -> Floats:
        """Offset and drift together at an age in seconds, mmHg, [n, 3]."""
        days = np.clip(age_s / DAY_S, 0.0, DRIFT_DAYS - 1.001)
        day = days.astype(np.int64)
        part = (days - day)[:, None]
        return self.offset_mmhg + self.drift_mmhg[day] * (1.0 - part) + self.drift_mmhg[day + 1] * part


class Sensors:
    """One stocking's sensors on one leg. `born_s`: true Unix seconds from which drift counts."""

    def __init__(self, physics: LegPhysics, errors: SensorErrors, *, seed: int, name: str, born_s: float) -> None:
        self.physics = physics
        self.errors = errors
        self._seed = seed
        self._name = name
        self._born_s = born_s
        self._draws = lru_cache(maxsize=4)(self._draw_block)

    def offset(self, times_s: Floats) -> Floats:
        """Offset of each site, mmHg, [n, 3]."""
        return self.errors.offset_at(times_s - self._born_s)

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
        return np.asarray(np.exp(fig.MICRO_LOG_SD * self.draws(minutes)[:, 0]))

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
        mmhg += fig.NOISE_MMHG * noise[:, 3:6]
        skin = sensors.physics.skin(times_s) + errors.skin_offset_c + fig.SKIN_NOISE_C * noise[:, 6]
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
        restless = np.exp(fig.MICRO_LOG_SD * draws[:, :1])
        white = errors.gain**2 * micro * restless**2 + fig.NOISE_MMHG**2
        course = errors.gain**2 * (slow.var(axis=1) + waves)
        count = samples[:, None].astype(np.float64)
        mean = errors.gain * slow.mean(axis=1) + sensors.offset(middles_s) + np.sqrt(white / count) * draws[:, 2:5]
        chi = draws[:, 8:11] * ((count - 2.0) / (SAMPLES_PER_MINUTE - 2))  # exact for a whole minute
        bent = (draws[:, 5:8] + np.sqrt(count * course / white)) ** 2
        skin = physics.skin(middles_s) + errors.skin_offset_c + fig.SKIN_NOISE_C * draws[:, 1] / np.sqrt(samples)
        return MinuteTable(mean, np.sqrt(white / count * (chi + bent)), skin, physics.charging(middles_s))


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

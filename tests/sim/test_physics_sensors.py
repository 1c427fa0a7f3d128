"""The two ways to a minute agree: 600 synthesised samples, and statistics drawn from their distributions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from calza_sim import physics_figures as fig
from calza_sim.physics import LegPhysics
from calza_sim.sensors import DrawnMinutes, LiveFrom, SampledMinutes, SensorErrors, Sensors
from calza_sim.wearer import Activity, Itinerary, Wear

START_S = 1_767_830_400.0
MINUTES = 400


def sensors_while(activity: Activity, *, worn: bool, name: str = "S-1") -> Sensors:
    wears = (Wear(START_S - 9_120.0, START_S - 9_000.0, START_S + 90_000.0, START_S + 90_060.0, "night"),)
    life = Itinerary(
        midnight_s=START_S,
        start_s=START_S - 10_000.0,
        end_s=START_S + 90_000.0,
        bout_start_s=np.array([START_S - 10_000.0]),
        bout_activity=np.array([int(activity)]),
        wears=wears if worn else (),
        charging=(),
        reason_before="",
    )
    errors = SensorErrors.drawn(3, name)
    return Sensors(LegPhysics(life, seed=3, name=name), errors, seed=3, name=name, born_s=START_S - 10_000.0)


def whole_minutes(count: int = MINUTES) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return START_S + 60.0 * np.arange(count, dtype=np.float64), np.full(count, 600, dtype=np.int64)


CASES = [(Activity.ASLEEP, True), (Activity.SITTING, True), (Activity.WALKING, True), (Activity.SITTING, False)]


@pytest.mark.parametrize(("activity", "worn"), CASES)
def test_both_paths_agree(activity: Activity, worn: bool) -> None:
    sensors = sensors_while(activity, worn=worn)
    drawn, sampled = (way(sensors).minutes(*whole_minutes()) for way in (DrawnMinutes, SampledMinutes))

    # the settling pressure is the same known course in both; what is left is the noise of a mean
    noise = sampled.mean - drawn.mean
    assert np.abs(noise.mean(axis=0)).max() < 5 * noise.std() / np.sqrt(MINUTES) + 1e-3
    expected = np.sqrt(2.0) * _noise_of_a_mean(sensors)  # one draw of it in either path
    assert noise.std(axis=0) == pytest.approx(expected, rel=0.25)

    # restlessness is shared minute by minute, so the deviations differ by their sampling error alone
    ratio = drawn.deviation / sampled.deviation
    assert ratio.mean(axis=0) == pytest.approx(1.0, abs=0.01)
    assert ratio.std() < 0.06
    assert drawn.deviation.std(axis=0) == pytest.approx(sampled.deviation.std(axis=0), rel=0.25)
    assert drawn.skin == pytest.approx(sampled.skin, abs=0.04)


def _noise_of_a_mean(sensors: Sensors) -> NDArray[np.float64]:
    motion = sensors.physics.motion(np.array([START_S + 1.0]))
    restless = np.exp(2 * fig.MICRO_LOG_SD**2)  # mean of the square of a log-normal factor
    micro = sensors.errors.gain**2 * motion.micro[0] ** 2 * restless
    return np.asarray(np.sqrt((micro + fig.NOISE_MMHG**2) / 600))


@pytest.mark.parametrize("activity", [Activity.ASLEEP, Activity.WALKING])
def test_deviations_scatter_alike(activity: Activity) -> None:
    sensors = sensors_while(activity, worn=True)
    starts_s, samples = whole_minutes()
    motion = sensors.physics.motion(starts_s)
    restless = sensors.restlessness(np.round(starts_s / 60).astype(np.int64))[:, None]
    moved = motion.wave_variance + motion.micro**2 * restless**2
    expected = np.sqrt(sensors.errors.gain**2 * moved + fig.NOISE_MMHG**2)
    drawn, sampled = (
        (way(sensors).minutes(starts_s, samples).deviation / expected).std() for way in (DrawnMinutes, SampledMinutes)
    )
    assert drawn == pytest.approx(sampled, rel=0.12)


def test_life_shows_in_the_ripple() -> None:
    asleep = DrawnMinutes(sensors_while(Activity.ASLEEP, worn=True)).minutes(*whole_minutes())
    nobody = DrawnMinutes(sensors_while(Activity.ASLEEP, worn=False)).minutes(*whole_minutes())
    least_alive = np.quantile(np.median(asleep.deviation, axis=1), 0.001)
    most_dead = np.quantile(np.median(nobody.deviation, axis=1), 0.999)
    assert most_dead < 0.15
    assert least_alive > 1.5 * most_dead


def test_a_minute_does_not_depend_on_its_company() -> None:
    sensors = sensors_while(Activity.SITTING, worn=True)
    starts_s, samples = whole_minutes(30)
    for way in (DrawnMinutes(sensors), SampledMinutes(sensors), LiveFrom(sensors, START_S + 600)):
        together = way.minutes(starts_s, samples)
        alone = [way.minutes(starts_s[at : at + 1], samples[at : at + 1]) for at in range(30)]
        assert np.array_equal(together.mean, np.concatenate([each.mean for each in alone]))
        assert np.array_equal(together.deviation, np.concatenate([each.deviation for each in alone]))
        assert np.array_equal(together.skin, np.concatenate([each.skin for each in alone]))


def test_live_from_switches_at_its_minute() -> None:
    sensors = sensors_while(Activity.SITTING, worn=True)
    starts_s, samples = whole_minutes(20)
    mixed = LiveFrom(sensors, starts_s[12]).minutes(starts_s, samples)
    drawn, sampled = (way(sensors).minutes(starts_s, samples) for way in (DrawnMinutes, SampledMinutes))
    assert np.array_equal(mixed.deviation[:12], drawn.deviation[:12])
    assert np.array_equal(mixed.deviation[12:], sampled.deviation[12:])


def test_walking_swings_at_the_pace_of_a_leg() -> None:
    sensors = sensors_while(Activity.WALKING, worn=True)
    samples = SampledMinutes(sensors).samples(START_S, 600)
    power = np.abs(np.fft.rfft(samples[:, 0] - samples[:, 0].mean())) ** 2
    assert np.fft.rfftfreq(600, 0.1)[int(np.argmax(power))] == pytest.approx(0.9, abs=0.02)


def test_drift_walks_within_its_bounds() -> None:
    drift = np.concatenate([SensorErrors.drawn(seed, "S").drift_mmhg for seed in range(20)])
    assert np.abs(drift).max() <= fig.DRIFT_BOUND_MMHG
    assert np.abs(drift).max() > 0.99 * fig.DRIFT_BOUND_MMHG
    one = SensorErrors.drawn(1, "S").drift_mmhg
    assert np.diff(one, axis=0).std() == pytest.approx(fig.DRIFT_MMHG_PER_SQRT_DAY, rel=0.1)
    assert not one[0].any()

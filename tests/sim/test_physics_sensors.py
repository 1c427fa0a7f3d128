"""The two ways to a minute agree: 600 synthesised samples, and statistics drawn from their distributions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.physics import LegPhysics
from calza_sim.physics import figures as fig
from calza_sim.physics import figures_sensors as sensor_fig
from calza_sim.sensor_errors import SensorErrors
from calza_sim.sensors import DrawnMinutes, LiveFrom, SampledMinutes, Sensors
from calza_sim.wearer import Activity, Itinerary, Wear
from calza_sim.wearer_events import EventKind, TimedEvent

START_S = 1_767_830_400.0
MINUTES = 400


def sensors_while(
    activity: Activity,
    *,
    worn: bool,
    name: str = "S-1",
    seed: int = 3,
    event: EventKind | None = None,
    conditions: Conditions = ORDINARY,
) -> Sensors:
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
        events=() if event is None else (TimedEvent(event, START_S - 9_500.0, START_S + 80_000.0),),
    )
    errors = SensorErrors.drawn(seed, name, conditions)
    physics = LegPhysics(life, seed=seed, name=name, conditions=conditions)
    return Sensors(physics, errors, seed=seed, name=name, born_s=START_S - 10_000.0)


def whole_minutes(count: int = MINUTES) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return START_S + 60.0 * np.arange(count, dtype=np.float64), np.full(count, 600, dtype=np.int64)


OFF_LEG = [EventKind.STORED_UNDER_LOAD, EventKind.POCKET, EventKind.BED_NOT_WORN, EventKind.WASH]
ON_LEG = [EventKind.ROLLED_DOWN, EventKind.WRINKLE, EventKind.STILL]
CASES: list[tuple[Activity, bool, EventKind | None]] = [
    (Activity.ASLEEP, True, None),
    (Activity.SITTING, True, None),
    (Activity.WALKING, True, None),
    (Activity.SITTING, False, None),
    *((Activity.SITTING, False, kind) for kind in OFF_LEG),
    *((Activity.ASLEEP, True, kind) for kind in ON_LEG),
]


@pytest.mark.parametrize(("activity", "worn", "event"), CASES)
def test_both_paths_agree(activity: Activity, worn: bool, event: EventKind | None) -> None:
    sensors = sensors_while(activity, worn=worn, event=event)
    drawn, sampled = (way(sensors).minutes(*whole_minutes()) for way in (DrawnMinutes, SampledMinutes))

    # settling, wander and place are the same known course in both; what is left is the noise of a mean
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
    return np.asarray(np.sqrt((micro + sensors.errors.noise_mmhg**2) / 600))


DIES_DAY = 17_200 / 86_400  # with the beginning of a minute: the ways differ about a minute that is half dead


@pytest.mark.parametrize(
    "conditions", [Conditions(dead_sites=((0, DIES_DAY),)), Conditions(flagged_sites=((2, DIES_DAY),))]
)
def test_both_paths_agree_on_a_dying_site(conditions: Conditions) -> None:
    sensors = sensors_while(Activity.ASLEEP, worn=True, conditions=conditions)
    drawn, sampled = (way(sensors).minutes(*whole_minutes()) for way in (DrawnMinutes, SampledMinutes))
    assert sampled.mean == pytest.approx(drawn.mean, abs=0.15)
    assert sampled.deviation == pytest.approx(drawn.deviation, rel=0.35, abs=1e-6)
    ((site, _),) = conditions.dead_sites + conditions.flagged_sites
    assert drawn.mean[:120, site].min() > 2.0 > 0.5 > drawn.mean[120:, site].max()


@pytest.mark.parametrize("activity", [Activity.ASLEEP, Activity.WALKING])
def test_deviations_scatter_alike(activity: Activity) -> None:
    sensors = sensors_while(activity, worn=True)
    starts_s, samples = whole_minutes()
    motion = sensors.physics.motion(starts_s)
    restless = sensors.restlessness(np.round(starts_s / 60).astype(np.int64))[:, None]
    moved = motion.wave_variance + motion.micro**2 * restless**2
    expected = np.sqrt(sensors.errors.gain**2 * moved + sensors.errors.noise_mmhg**2)
    drawn, sampled = (
        (way(sensors).minutes(starts_s, samples).deviation / expected).std() for way in (DrawnMinutes, SampledMinutes)
    )
    assert drawn == pytest.approx(sampled, rel=0.12)


@pytest.mark.parametrize("noise", [None, 0.05, 1.0])
def test_a_still_load_shows_the_ripple_of_the_sensor_alone(noise: float | None) -> None:
    conditions = Conditions(sample_noise_mmhg=noise)
    sensors = sensors_while(Activity.WALKING, worn=False, event=EventKind.STORED_UNDER_LOAD, conditions=conditions)
    table = DrawnMinutes(sensors).minutes(*whole_minutes())
    assert table.mean.min() > 2.0  # there is a load
    expected = sensor_fig.NOISE_MMHG if noise is None else noise
    assert table.deviation.mean(axis=0) == pytest.approx(expected, rel=0.05)
    assert table.deviation.max() < 1.3 * expected
    # flat to resolution: from one minute to the next nothing but slow wander below the tenth the log keeps
    assert np.diff(table.mean, axis=0).std() < 0.1


def test_minute_means_on_a_leg_are_not_cleaner_than_a_leg_is() -> None:
    table = DrawnMinutes(sensors_while(Activity.ASLEEP, worn=True)).minutes(*whole_minutes(1_200))
    assert 0.3 < table.mean.std(axis=0).min() < table.mean.std(axis=0).max() < 1.2
    step = np.diff(table.mean, axis=0).std()
    assert 0.03 < step < 0.3  # it goes slowly: neighbours are alike


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
    assert np.abs(drift).max() <= sensor_fig.DRIFT_BOUND_MMHG
    assert np.abs(drift).max() > 0.99 * sensor_fig.DRIFT_BOUND_MMHG
    one = SensorErrors.drawn(1, "S").drift_mmhg
    assert np.diff(one, axis=0).std() == pytest.approx(sensor_fig.DRIFT_MMHG_PER_SQRT_DAY, rel=0.1)
    assert not one[0].any()


def test_gain_and_offset_are_spread_as_proposed() -> None:
    drawn = [SensorErrors.drawn(seed, "S") for seed in range(1_000)]
    gain = np.concatenate([each.gain for each in drawn])
    offset = np.concatenate([each.offset_mmhg for each in drawn])
    assert (gain.mean(), gain.std()) == pytest.approx((1.0, sensor_fig.GAIN_SD), abs=0.01)
    assert (offset.mean(), offset.std()) == pytest.approx((0.0, sensor_fig.OFFSET_SD_MMHG), abs=0.1)
    assert np.std([each.skin_offset_c for each in drawn]) == pytest.approx(sensor_fig.SKIN_OFFSET_SD_C, rel=0.1)


def test_a_sensor_without_any_noise_is_no_division_by_zero() -> None:
    sensors = sensors_while(Activity.SITTING, worn=False, conditions=Conditions(sample_noise_mmhg=0.0))
    table = DrawnMinutes(sensors).minutes(*whole_minutes(30))
    assert table.deviation == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(table.mean).all()

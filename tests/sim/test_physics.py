"""The leg in the garment: the figures of the model are found again in what it gives."""

import numpy as np
import pytest

from calza_sim.physics import LegPhysics
from calza_sim.physics import figures as fig
from calza_sim.scenarios import SCENARIOS
from calza_sim.wearer import Activity, Wear, live
from tests.sim.lives import DAY_S, HOUR_S, ON_S, START_S, WEAR, life_of


def physics_of(activity: Activity, *wears: Wear, seed: int = 1, hours: float = 24.0) -> LegPhysics:
    return LegPhysics(life_of(activity, *wears, hours=hours), seed=seed, name="a")


def test_donning_goes_up_the_leg_and_overshoots_by_a_half_to_twice() -> None:
    peaks = []
    for seed in range(30):
        physics = physics_of(Activity.SITTING, WEAR, seed=seed)
        times_s = np.arange(WEAR.donning_s - 10, ON_S + 600, 1.0)
        mmhg = physics.pressure(times_s)
        resting = mmhg[-300:].mean(axis=0)
        reached = [int(np.argmax(mmhg[:, site] > 0.5 * resting[site])) for site in range(3)]
        assert reached == sorted(reached)
        assert len(set(reached)) == 3
        peaks.append(mmhg.max(axis=0)[0] / resting[0])  # the firmest site: wander and settling move it least
    assert 1.4 < min(peaks) < 1.6
    assert 1.9 < max(peaks) < 2.1


def test_doffing_goes_down_the_leg_to_what_lies_about() -> None:
    physics = physics_of(Activity.SITTING, WEAR)
    times_s = np.arange(WEAR.doffing_s - 10, WEAR.off_s + 60, 1.0)
    mmhg = physics.pressure(times_s)
    gone = [int(np.argmax(mmhg[:, site] < 0.5 * mmhg[0, site])) for site in (2, 1, 0)]
    assert gone == sorted(gone)
    assert len(set(gone)) == 3
    assert np.all(mmhg[-1] == mmhg[-1, 0])
    assert fig.LAID_DOWN_MMHG[0] <= mmhg[-1, 0] <= fig.LAID_DOWN_MMHG[1]


def mean_pressure(physics: LegPhysics, middle_s: float, *, hours: float) -> float:
    """The ankle's pressure over some hours, in which slow wander averages out."""
    times_s = middle_s + np.arange(-hours / 2, hours / 2, 0.02) * HOUR_S
    return float(physics.pressure(times_s)[:, 0].mean())


def test_the_fabric_settles_by_three_percent_within_the_hour() -> None:
    ratios = []
    for seed in range(60):
        physics = physics_of(Activity.ASLEEP, WEAR, seed=seed)
        early = mean_pressure(physics, ON_S + 360, hours=0.1)
        ratios.append(early / mean_pressure(physics, ON_S + 3 * HOUR_S, hours=2.0))
    left_after_six_minutes = fig.SETTLING_FRACTION * np.exp(-360 / fig.SETTLING_TAU_S)
    assert np.mean(ratios) - 1 == pytest.approx(left_after_six_minutes, abs=0.007)
    assert fig.SETTLING_FRACTION < fig.SETTLING_BANDAGE_FRACTION


def test_the_fabric_ages_as_measured_over_five_months() -> None:
    lasting = Wear(ON_S - 120.0, ON_S, ON_S + 200 * DAY_S, ON_S + 200 * DAY_S + 60.0, "night")
    kept = []
    for seed in range(40):
        physics = physics_of(Activity.ASLEEP, lasting, seed=seed, hours=5_000.0)
        days = [mean_pressure(physics, START_S + day * DAY_S, hours=12.0) for day in (1, 31, 92, 138)]
        kept.append([day / days[0] for day in days[1:]])
    assert np.mean(kept, axis=0) == pytest.approx([27.6 / 29.3, 26.5 / 29.3, 25.0 / 29.3], abs=0.015)
    assert np.std(kept, axis=0)[2] > 0.02  # garments differ


def test_a_worn_leg_wanders_slowly_and_no_two_donnings_sit_alike() -> None:
    again = Wear(ON_S + 21 * HOUR_S, ON_S + 21.1 * HOUR_S, ON_S + 40 * HOUR_S, ON_S + 40.1 * HOUR_S, "night")
    physics = physics_of(Activity.ASLEEP, WEAR, again, hours=48.0)
    times_s = ON_S + np.arange(2, 19, 1 / 60) * HOUR_S
    mmhg = physics.pressure(times_s)
    assert mmhg.std(axis=0) == pytest.approx(fig.LEG_WANDER_MMHG, rel=0.35)
    assert np.abs(np.diff(mmhg, axis=0)).max() < fig.LEG_WANDER_MMHG  # from minute to minute it goes, it does not jump
    changes = []
    for seed in range(100):
        physics = physics_of(Activity.ASLEEP, WEAR, again, seed=seed, hours=48.0)
        changes.append(
            mean_pressure(physics, ON_S + 34 * HOUR_S, hours=6.0)
            / mean_pressure(physics, ON_S + 15 * HOUR_S, hours=6.0)
        )
    assert np.std(changes) == pytest.approx(fig.SEAT_SPREAD * np.sqrt(2), rel=0.4)
    assert np.mean(changes) == pytest.approx(1.0, abs=0.015)


def test_standing_presses_most_on_the_calf() -> None:
    lying, standing = (
        np.array(
            [physics_of(activity, WEAR, seed=seed).pressure(np.array([ON_S + 2 * HOUR_S]))[0] for seed in range(100)]
        )
        for activity in (Activity.ASLEEP, Activity.STANDING)
    )
    rise = (standing - lying).mean(axis=0)
    assert rise[1] == pytest.approx(4.2, abs=0.4)
    assert rise[1] > 2 * rise[0]
    assert np.all(standing[:, 1] > lying[:, 1])


def test_only_walking_has_gait_and_only_a_leg_has_life() -> None:
    at = np.array([START_S + 60, ON_S + HOUR_S])
    walking = physics_of(Activity.WALKING, WEAR).motion(at)
    asleep = physics_of(Activity.ASLEEP, WEAR).motion(at)
    for amplitude, (least, most) in zip(walking.gait[1], fig.GAIT_PEAK_TO_PEAK_MMHG, strict=True):
        assert least / 2 * 0.6 < amplitude < most / 2 * 1.4
    assert not walking.gait[0].any()
    assert not asleep.gait.any()
    for motion in (walking, asleep):
        assert not motion.breath[0].any()
        assert not motion.micro[0].any()
        assert np.all(motion.breath[1] > 0.1)


def test_the_waveform_has_the_power_its_amplitudes_promise() -> None:
    physics = physics_of(Activity.WALKING, WEAR)
    times_s = ON_S + HOUR_S + np.arange(0, 60, 0.1)
    motion = physics.motion(times_s)
    assert physics.waves(times_s, motion).var(axis=0) == pytest.approx(motion.wave_variance[0], rel=0.03)


def test_a_longer_life_changes_nothing_before() -> None:
    plans = SCENARIOS["perfect"].plans(40)
    short, long = (LegPhysics(live(plans[:days], seed=5, start_s=START_S), seed=5, name="a") for days in (20, 40))
    times_s = np.arange(START_S, START_S + 18 * DAY_S, 97.0)
    assert np.array_equal(short.pressure(times_s), long.pressure(times_s))
    assert np.array_equal(short.skin(times_s), long.skin(times_s))


def test_charging_only_off_the_leg() -> None:
    life = live(SCENARIOS["perfect"].plans(14), seed=5, start_s=START_S)
    assert len(life.charging) == 1
    physics = LegPhysics(life, seed=5, name="a")
    times_s = np.arange(START_S, life.end_s, 60.0)
    charging = physics.charging(times_s)
    assert np.count_nonzero(charging) == 210
    assert not physics.motion(times_s).breath[charging].any()

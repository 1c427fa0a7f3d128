"""The leg in the garment: the figures of the model are found again in what it gives."""

import numpy as np
import pytest

from calza_sim import physics_figures as fig
from calza_sim.physics import Leg, LegPhysics
from calza_sim.scenarios import SCENARIOS, daytime
from calza_sim.wearer import Activity, Itinerary, Wear, live

START_S = 1_768_000_000.0 - 1_768_000_000.0 % 86_400.0
HOUR_S = 3_600.0


def day_of(activity: Activity, *wears: Wear, hours: float = 24.0) -> Itinerary:
    return Itinerary(
        midnight_s=START_S,
        start_s=START_S,
        end_s=START_S + hours * HOUR_S,
        bout_start_s=np.array([START_S]),
        bout_activity=np.array([int(activity)]),
        wears=wears,
        charging=(),
        reason_before="",
    )


ON_S = START_S + HOUR_S
WEAR = Wear(ON_S - 120.0, ON_S, ON_S + 20 * HOUR_S, ON_S + 20 * HOUR_S + 60.0, "night")


def test_legs_are_like_those_of_the_study() -> None:
    legs = np.array([Leg.drawn(seed, "any").resting_mmhg for seed in range(2_000)])
    assert legs[:, 0].mean() == pytest.approx(fig.ANKLE_MEAN_MMHG, abs=0.5)
    assert 4.5 < legs[:, 0].std() < 5.8
    low, high = fig.ANKLE_RANGE_MMHG
    assert legs[:, 0].min() >= low
    assert legs[:, 0].max() <= high
    assert np.median(legs[:, 1] / legs[:, 0]) == pytest.approx(0.72, abs=0.01)
    assert np.median(legs[:, 2] / legs[:, 0]) == pytest.approx(0.40, abs=0.01)


def test_donning_goes_up_the_leg_and_overshoots() -> None:
    physics = LegPhysics(day_of(Activity.SITTING, WEAR), seed=1, name="a")
    times_s = np.arange(WEAR.donning_s - 10, ON_S + 600, 1.0)
    mmhg = physics.pressure(times_s)
    resting = physics.pressure(np.array([ON_S + HOUR_S]))[0]
    reached = [int(np.argmax(mmhg[:, site] > 0.5 * resting[site])) for site in range(3)]
    assert reached == sorted(reached)
    assert len(set(reached)) == 3
    assert np.all(mmhg.max(axis=0) > 1.1 * resting)
    assert np.all(mmhg.max(axis=0) < 2.0 * resting)


def test_doffing_goes_down_the_leg_to_the_folded_garment() -> None:
    physics = LegPhysics(day_of(Activity.SITTING, WEAR), seed=1, name="a")
    times_s = np.arange(WEAR.doffing_s - 10, WEAR.off_s + 60, 1.0)
    mmhg = physics.pressure(times_s)
    gone = [int(np.argmax(mmhg[:, site] < 0.5 * mmhg[0, site])) for site in (2, 1, 0)]
    assert gone == sorted(gone)
    assert len(set(gone)) == 3
    assert np.all(mmhg[-1] == mmhg[-1, 0])
    assert fig.FOLDED_MMHG[0] <= mmhg[-1, 0] <= fig.FOLDED_MMHG[1]


def test_the_fabric_settles_by_three_percent_in_an_hour() -> None:
    physics = LegPhysics(day_of(Activity.ASLEEP, WEAR), seed=1, name="a")
    early, late = physics.pressure(np.array([ON_S + 300, ON_S + 3 * HOUR_S]))[:, 0]
    assert 0.015 < 1 - late / early < 0.035


def test_the_fabric_ages_by_six_percent_in_a_month() -> None:
    lasting = Wear(ON_S - 120.0, ON_S, ON_S + 40 * 24 * HOUR_S, ON_S + 40 * 24 * HOUR_S + 60.0, "night")
    physics = LegPhysics(day_of(Activity.ASLEEP, lasting, hours=1_000.0), seed=1, name="a")
    first, last = physics.pressure(np.array([ON_S + 24 * HOUR_S, ON_S + 31 * 24 * HOUR_S]))[:, 0]
    assert 1 - last / first == pytest.approx(0.058, abs=0.002)


def test_standing_presses_most_on_the_calf() -> None:
    lying, standing = (
        LegPhysics(day_of(activity, WEAR), seed=1, name="a").pressure(np.array([ON_S + 2 * HOUR_S]))[0]
        for activity in (Activity.ASLEEP, Activity.STANDING)
    )
    rise = standing - lying
    assert rise[1] == pytest.approx(4.2, abs=0.3)
    assert rise[1] > rise[0]


def test_only_walking_has_gait_and_only_a_leg_has_life() -> None:
    at = np.array([START_S + 60, ON_S + HOUR_S])
    walking = LegPhysics(day_of(Activity.WALKING, WEAR), seed=1, name="a").motion(at)
    asleep = LegPhysics(day_of(Activity.ASLEEP, WEAR), seed=1, name="a").motion(at)
    assert walking.gait[1, 0] == pytest.approx(fig.GAIT_PEAK_TO_PEAK_MMHG[0] / 2, rel=0.4)
    assert not walking.gait[0].any()
    assert not asleep.gait.any()
    for motion in (walking, asleep):
        assert not motion.breath[0].any()
        assert not motion.micro[0].any()
        assert np.all(motion.breath[1] > 0.1)


def test_the_waveform_has_the_power_its_amplitudes_promise() -> None:
    physics = LegPhysics(day_of(Activity.WALKING, WEAR), seed=1, name="a")
    times_s = ON_S + HOUR_S + np.arange(0, 60, 0.1)
    motion = physics.motion(times_s)
    assert physics.waves(times_s, motion).var(axis=0) == pytest.approx(motion.wave_variance[0], rel=0.03)


def test_skin_warms_within_minutes_and_cools_to_the_room() -> None:
    physics = LegPhysics(day_of(Activity.SITTING, WEAR), seed=1, name="a")
    before, soon, later, last = physics.skin(np.array([START_S + 600, ON_S + 600, ON_S + 2 * HOUR_S, WEAR.off_s]))
    after = physics.skin(np.array([WEAR.off_s + 2.5 * HOUR_S]))[0]
    assert before < 25
    assert before < soon < later
    assert soon - before > 0.6 * (later - before)
    assert 29 <= later <= 36
    assert abs(last - later) < 1.0
    assert after < 25


def test_temperature_has_no_jumps() -> None:
    physics = LegPhysics(live((daytime(),) * 5, seed=9, start_s=START_S), seed=9, name="a")
    skin = physics.skin(np.arange(START_S, START_S + 5 * 86_400.0, 10.0))
    assert np.abs(np.diff(skin)).max() < 1.0


def test_a_drawer_is_as_cold_as_its_room_day_and_night() -> None:
    physics = LegPhysics(live(SCENARIOS["never-worn"].plans(3), seed=9, start_s=START_S), seed=9, name="a")
    skin = physics.skin(np.arange(START_S, START_S + 86_400.0, 60.0))
    assert 15 < skin.min() < skin.max() < 27
    assert skin.max() - skin.min() == pytest.approx(2 * fig.AMBIENT_SWING_C, abs=0.1)


def test_a_longer_life_changes_nothing_before() -> None:
    plans = SCENARIOS["perfect"].plans(40)
    short, long = (LegPhysics(live(plans[:days], seed=5, start_s=START_S), seed=5, name="a") for days in (20, 40))
    times_s = np.arange(START_S, START_S + 18 * 86_400.0, 97.0)
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

"""Warmth at the skin sensor: it follows leg, place, season and exercise, each as slowly as the figures say."""

from dataclasses import replace

import numpy as np
import pytest

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.physics import LegPhysics
from calza_sim.physics import figures_temperature as fig
from calza_sim.scenarios import SCENARIOS
from calza_sim.wearer import Activity, DayPlan, live
from tests.sim.lives import DAY_S, HOUR_S, ON_S, START_S, WEAR, life_of

SEEDS = range(60)


def sitting(seed: int = 1, conditions: Conditions = ORDINARY) -> LegPhysics:
    return LegPhysics(life_of(Activity.SITTING, WEAR), seed=seed, name="a", conditions=conditions)


def test_skin_warms_within_minutes_and_cools_to_the_room() -> None:
    physics = sitting()
    before, soon, later, last = physics.skin(np.array([START_S + 600, ON_S + 600, ON_S + 2 * HOUR_S, WEAR.off_s]))
    after = physics.skin(np.array([WEAR.off_s + 2.5 * HOUR_S]))[0]
    assert before < 25
    assert before < soon < later
    assert soon - before > 0.6 * (later - before)
    assert 28 <= later <= 37
    assert abs(last - later) < 1.0
    assert after < 25


def time_constant(physics: LegPhysics, from_s: float) -> float:
    """Seconds until two thirds of the way to where it is an hour and a half later."""
    times_s = from_s + np.arange(0, 5_400.0, 5.0)
    skin = physics.skin(times_s)
    done = (skin - skin[0]) / (skin[-1] - skin[0])
    return float(times_s[np.argmax(done > 1 - np.exp(-1))] - from_s)


def test_warming_takes_3_to_8_minutes_and_cooling_5_to_20() -> None:
    warming = [time_constant(sitting(seed), ON_S - 60.0) for seed in SEEDS]
    cooling = [time_constant(sitting(seed), WEAR.off_s) for seed in SEEDS]
    for measured, (least, most) in ((warming, fig.WARMING_TAU_S), (cooling, fig.COOLING_TAU_S)):
        assert least * 0.9 < min(measured) < least * 1.3
        assert most * 0.8 < max(measured) < most * 1.1


def test_a_compressed_leg_is_warmer_at_first_and_drifts_down_over_four_hours() -> None:
    drifts = []
    for seed in SEEDS:
        skin = sitting(seed, Conditions(ambient_mean_c=21.0)).skin(ON_S + HOUR_S * np.array([1.0, 5.0, 9.0]))
        drifts.append(np.diff(skin))
    room = np.array([np.cos((hour - 14) * np.pi / 12) for hour in (0, 4, 8)])  # hours since ON_S, warmest at 16 h
    followed = fig.SKIN_FOLLOWS_AMBIENT * fig.AMBIENT_SWING_C * np.diff(room)
    first, later = np.mean(drifts, axis=0) - followed
    assert -0.6 < first < -0.15
    assert abs(later) < 0.15


def test_exercise_warms_and_rest_hardly_cools() -> None:
    walk = life_of(Activity.WALKING, WEAR)
    bouts = np.array([START_S, ON_S + 3 * HOUR_S, ON_S + 4 * HOUR_S])
    activity = np.array([Activity.SITTING, Activity.WALKING, Activity.SITTING], dtype=np.int64)
    physics = LegPhysics(replace(walk, bout_start_s=bouts, bout_activity=activity), seed=1, name="a")
    rest = LegPhysics(life_of(Activity.SITTING, WEAR), seed=1, name="a")
    times_s = ON_S + HOUR_S * np.array([2.9, 4.0, 4.0 + 5 / 60, 8.0])
    warmed = physics.skin(times_s) - rest.skin(times_s)
    assert abs(warmed[0]) < 0.01
    assert 1.2 < warmed[1] < fig.EXERCISE_SOCKET_C
    assert warmed[2] > 0.8 * warmed[1]
    assert warmed[3] < 0.1


def test_temperature_has_no_jumps() -> None:
    physics = LegPhysics(live((DayPlan(((7.7, 22.2),)),) * 5, seed=9, start_s=START_S), seed=9, name="a")
    skin = physics.skin(np.arange(START_S, START_S + 5 * DAY_S, 10.0))
    assert np.abs(np.diff(skin)).max() < 1.0


def test_a_drawer_is_as_cold_as_its_room_day_and_night() -> None:
    physics = LegPhysics(live(SCENARIOS["never-worn"].plans(3), seed=9, start_s=START_S), seed=9, name="a")
    skin = physics.skin(np.arange(START_S, START_S + DAY_S, 60.0))
    assert 14 < skin.min() < skin.max() < 26
    assert skin.max() - skin.min() == pytest.approx(2 * fig.AMBIENT_SWING_C, abs=0.1)


def test_rooms_are_warmer_in_summer() -> None:
    never = SCENARIOS["never-worn"].plans(3)
    means = [
        LegPhysics(live(never, seed=9, start_s=at_s), seed=9, name="a").skin(at_s + np.arange(0, DAY_S, 60.0)).mean()
        for at_s in (START_S, START_S + 195 * DAY_S)
    ]
    assert means[1] - means[0] == pytest.approx(2 * fig.AMBIENT_SEASON_C, abs=0.1)


def test_legs_are_as_warm_as_those_measured() -> None:
    """A mixture of legs with and without insufficiency, later than the 4 h in which compression warms."""
    skin = [float(sitting(seed).skin(np.array([ON_S + 8 * HOUR_S]))[0]) for seed in range(400)]
    between = (fig.SKIN_MEAN_C, fig.SKIN_INSUFFICIENT_MEAN_C)
    assert between[0] - 0.3 < np.mean(skin) < between[1] + 0.3
    assert np.std(skin) == pytest.approx(1.45, abs=0.2)

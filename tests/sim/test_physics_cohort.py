"""Many people: their means and spreads are those of the studies, and no two are alike."""

import numpy as np
import pytest

from calza_sim.conditions import Conditions
from calza_sim.physics import figures as fig
from calza_sim.physics.leg import Leg
from calza_sim.wearer import Activity

LEGS = [Leg.drawn(seed, "any") for seed in range(3_000)]
RESTING = np.array([leg.resting_mmhg for leg in LEGS])


def test_ankles_are_like_those_of_the_study() -> None:
    ankle = RESTING[:, 0]
    assert ankle.mean() == pytest.approx(25.84, abs=0.4)
    assert ankle.std() == pytest.approx(5.7, abs=0.6)
    assert ankle.min() >= 11.0
    assert ankle.max() <= 37.0
    assert 0.25 < np.mean((ankle < 23) | (ankle > 32)) < 0.50  # 32 % were out of range there


def test_calf_and_thigh_have_the_ratios_of_the_studies() -> None:
    calf, thigh = (RESTING[:, site] / RESTING[:, 0] for site in (1, 2))
    assert calf.mean() == pytest.approx(19.6 / 27.3, abs=0.01)
    assert thigh.mean() == pytest.approx(0.40, abs=0.01)
    assert thigh.min() == pytest.approx(0.20)
    assert thigh.max() == pytest.approx(0.60)
    assert thigh.std() == pytest.approx(0.10, abs=0.02)


def falling(activity: Activity) -> float:
    """The share of legs whose pressure falls from site to site."""
    mmhg = RESTING + np.array([leg.posture_mmhg[activity] for leg in LEGS])
    return float(np.mean((mmhg[:, 0] > mmhg[:, 1]) & (mmhg[:, 1] > mmhg[:, 2])))


def test_a_continuous_fall_is_missing_in_many_healthy_legs() -> None:
    assert falling(Activity.STANDING) == pytest.approx(fig.CONTINUOUS_FALL_SHARE, abs=0.1)
    assert falling(Activity.STANDING) < falling(Activity.ASLEEP) < 0.95


def test_standing_and_gait_are_each_persons_own_and_those_of_the_studies_on_average() -> None:
    rise = np.array([leg.posture_mmhg[Activity.STANDING, 1] for leg in LEGS])
    assert rise.mean() == pytest.approx(31.5 - 27.3, abs=0.1)
    assert rise.std() > 0.8
    assert rise.max() <= 10.0  # an elastic material
    gait = np.array([leg.gait_mmhg for leg in LEGS])
    assert gait.mean(axis=0) == pytest.approx([6.4, 4.0, 3.0], abs=0.05)
    assert gait.min(axis=0) == pytest.approx([6.0, 3.7, 2.0], abs=0.02)
    assert gait.max(axis=0) == pytest.approx([6.8, 4.3, 4.0], abs=0.02)


def test_a_person_is_the_same_person_again_and_another_leg_is_another() -> None:
    for one, again, other in ((Leg.drawn(4, "L"), Leg.drawn(4, "L"), Leg.drawn(4, "R")),):
        assert np.array_equal(one.resting_mmhg, again.resting_mmhg)
        assert np.array_equal(one.gait_mmhg, again.gait_mmhg)
        assert not np.array_equal(one.resting_mmhg, other.resting_mmhg)


def test_a_calf_over_ankle_leg_is_reversed_when_lying_and_no_more_than_a_stocking_made_so() -> None:
    legs = np.array([Leg.drawn(seed, "any", Conditions(calf_over_ankle=True)).resting_mmhg for seed in range(500)])
    ratio = legs[:, 1] / legs[:, 0]
    assert ratio.min() > 1.0
    assert ratio.max() <= 24.7 / 17.8 + 0.01
    assert np.array_equal(legs[:, [0, 2]], RESTING[:500, [0, 2]])  # the rest of the leg is its own

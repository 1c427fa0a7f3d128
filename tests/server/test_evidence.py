"""The evidence by itself: each sign against the sensor and the leg it comes from, never against a figure of its own."""

from __future__ import annotations

import numpy as np
import pytest

from calza_server.domain.detection.evidence import Evidence, gather
from calza_server.domain.detection.evidence_minutes import BLOCK_MIN, Minutes
from calza_server.domain.recording.grid import MinuteGrid
from tests.server.second_leg import During, Idle, SecondLeg, continuous, daytime
from tests.server.wear_days import DAY, START, Mask, every_day, grid_of, without, worn_between

DAYS = 3


def evidence(grid: MinuteGrid) -> Evidence:
    with np.errstate(invalid="ignore"):
        return gather(Minutes.of(grid))


def of_grid(grid: MinuteGrid, mask: Mask) -> Mask:
    """A column of the evidence, cut to the minutes of the grid."""
    before = grid.start_minute % BLOCK_MIN
    return mask[before : before + len(grid)]


# life


@pytest.mark.parametrize("resolution", [0.0, 0.1])
@pytest.mark.parametrize("noise", [0.03, 0.1, 0.15, 0.3, 1.0, 1.5])
def test_a_still_object_never_lives_however_loud_its_sensor(noise: float, resolution: float) -> None:
    for seed in range(4):
        grid = SecondLeg(
            worn=(), days=DAYS, seed=seed, noise_mmhg=noise, resolution_mmhg=resolution, idle_mmhg=(20.0, 20.0, 20.0)
        ).grid()
        assert not evidence(grid).life.near.any()


@pytest.mark.parametrize("noise", [0.03, 0.15, 0.3, 1.0])
def test_a_leg_lives_by_day_however_loud_its_sensor(noise: float) -> None:
    made = SecondLeg(worn=daytime(DAYS), days=DAYS, noise_mmhg=noise)
    grid, truth = made.grid(), made.truth()
    near = of_grid(grid, evidence(grid).life.near)
    assert near[truth].mean() > 0.6
    assert near[~truth].mean() < 0.05  # hands at the edges


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_a_leg_that_is_never_bare_lives_against_its_own_quiet_hours(noise: float) -> None:
    made = SecondLeg(worn=continuous(DAYS, shower_min=0.0), days=DAYS, noise_mmhg=noise)
    near = of_grid(made.grid(), evidence(made.grid()).life.near)
    assert all(near[day * DAY : (day + 1) * DAY].sum() > 60 for day in range(DAYS))


def test_noise_that_varies_more_than_a_sensor_should_is_still_no_life() -> None:
    """A still ripple drawn with a spread of a fifth, as a plain generator would."""
    grid = grid_of(worn_between(DAYS * DAY), idle_mmhg=(14.0, 14.0, 14.0), idle_ripple=0.15, idle_spread=0.2)
    assert not evidence(grid).life.near.any()


def test_a_burst_speaks_for_no_minute_but_its_own() -> None:
    grid = SecondLeg(worn=(), days=DAYS, still_ripple_zero=True, idle_mmhg=(1.0, 1.0, 1.0)).grid()
    grid.ripple[2000:2003] = 9.0
    lively = np.flatnonzero(of_grid(grid, evidence(grid).life.lively))
    assert set(lively.tolist()) <= {2000, 2001, 2002}


def test_without_a_ripple_column_walking_is_life_and_one_step_is_none() -> None:
    still = SecondLeg(worn=(), days=DAYS, absent=("ripple",), mean_noise_mmhg=1.0, idle_mmhg=(20.0, 20.0, 20.0)).grid()
    for site in (still.ankle, still.calf, still.thigh):
        site[2000:] += 9.0  # something heavier laid on top
    assert not evidence(still).life.near.any()
    made = SecondLeg(worn=daytime(DAYS), days=DAYS, absent=("ripple",), mean_noise_mmhg=1.0, gait_scatter_mmhg=2.5)
    grid = made.grid()
    assert of_grid(grid, evidence(grid).life.near)[made.truth()].mean() > 0.05


# levels


def test_the_bars_lie_between_what_this_stocking_shows_slack_and_worn() -> None:
    worn = every_day(DAYS, 420, 1320)
    strong = evidence(grid_of(worn, mmhg=(30.0, 21.0, 12.0))).levels
    weak = evidence(grid_of(worn, mmhg=(12.0, 9.0, 5.5), idle_mmhg=(3.0, 3.0, 3.0))).levels
    for levels, mmhg in ((strong, (30.0, 21.0, 12.0)), (weak, (12.0, 9.0, 5.5))):
        middle = levels.worn.shape[1] // 2
        np.testing.assert_allclose(levels.worn[:, middle], mmhg, atol=0.5)
        assert (levels.zero[:, middle] < levels.off_bar[:, middle]).all()
        assert (levels.off_bar[:, middle] < levels.on_bar[:, middle]).all()
        assert (levels.on_bar[:, middle] < levels.worn[:, middle]).all()


def test_life_in_a_pocket_is_no_level_of_wear() -> None:
    made = SecondLeg(worn=daytime(DAYS, on=12.0, off=14.0), days=DAYS)
    pocket = tuple(During(Idle.POCKET, end + 60, end + 600, size=9.0) for _, end in made.worn)
    carried = SecondLeg(worn=made.worn, days=DAYS, during=pocket)
    plain, disturbed = (evidence(one.grid()).levels.worn for one in (made, carried))
    assert np.nanmin(disturbed / plain) > 0.8


def test_a_zero_that_wanders_is_followed() -> None:
    grid = grid_of(worn_between(6 * DAY, *[(day * DAY + 420, day * DAY + 1320) for day in range(6)]))
    drift = np.linspace(0.0, 4.0, len(grid), dtype=np.float32)
    for site in (grid.ankle, grid.calf, grid.thigh):
        site[:] += drift
    zero = evidence(grid).levels.zero[0]
    assert zero[-1] - zero[0] > 2.0


def test_a_noisy_minute_is_no_tug() -> None:
    """Held at half of the way, with noise as large as the contrast allows: neither on nor off may flicker."""
    worn = every_day(DAYS, 420, 1320)
    grid = grid_of(worn, mmhg=(12.0, 9.0, 5.5))
    rng = np.random.default_rng(3)
    for site in (grid.ankle, grid.calf, grid.thigh):
        site[:] += rng.normal(0.0, 1.0, len(grid)).astype(np.float32)
    slack = of_grid(grid, evidence(grid).levels.slack)
    assert not slack[worn].any()
    assert slack[~worn].mean() > 0.99


# warmth


@pytest.mark.parametrize(
    ("leg_c", "room_c", "known"),
    [
        (32.0, 20.0, True),
        (34.0, 33.5, True),  # no contrast, but a leg's warmth beyond doubt
        (24.0, 19.0, True),  # winter
        (24.0, 30.0, True),  # winter legs, and a stocking kept warm: it is not the surroundings it resembles
        (23.0, 22.5, False),  # as warm as the room: no witness for a leg
        (15.0, 5.0, False),  # no leg at all
        (44.0, 20.0, False),
    ],
)
def test_a_baseline_is_believed_if_it_is_a_legs_or_stands_out(leg_c: float, room_c: float, known: bool) -> None:
    warmth = evidence(grid_of(every_day(DAYS, 420, 1320), leg_c=leg_c, ambient_c=room_c)).warmth
    assert np.isfinite(warmth.leg_c[DAY // BLOCK_MIN]) == known


def test_surroundings_are_learned_after_the_sensor_has_cooled() -> None:
    made = SecondLeg(worn=daytime(DAYS), days=DAYS, ambient_c=20.0, swing_c=0.0, tau_off=20.0)
    room_c = evidence(made.grid()).warmth.room_c
    np.testing.assert_allclose(room_c[np.isfinite(room_c)], 20.0, atol=0.5)


def test_cold_is_far_from_the_leg_or_near_the_room_and_never_what_is_warming_up() -> None:
    made = SecondLeg(worn=daytime(DAYS), days=DAYS, skin_c=32.0, ambient_c=8.0, swing_c=0.0, tau_on=20.0, tau_off=20.0)
    grid, truth = made.grid(), made.truth()
    cold = of_grid(grid, evidence(grid).warmth.cold)
    assert not cold[truth][15:].any()  # from 8 to 26 degC it takes half an hour, but it rises
    on = [int(start) for start, _ in made.worn]
    assert all(cold[start - 100 : start - 5].all() for start in on)


def test_a_step_in_the_room_is_no_leg_warming_up() -> None:
    grid = grid_of(worn_between(DAY), ambient_c=20.0)
    grid.skin[:] = 20.0 + 3.0 * np.sin(np.arange(DAY) * 2.0 * np.pi / DAY).astype(np.float32)
    assert not evidence(grid).warmth.warming.any()


# stillness


def test_nobody_lies_still_for_so_long() -> None:
    still = SecondLeg(worn=(), days=DAYS, noise_mmhg=1.0, mean_noise_mmhg=1.0, idle_mmhg=(20.0, 20.0, 20.0)).grid()
    assert evidence(still).long_still[START % BLOCK_MIN :][600 : 2 * DAY].all()
    leg = SecondLeg(worn=continuous(DAYS, shower_min=0.0), days=DAYS, noise_mmhg=1.0).grid()
    assert not evidence(leg).long_still.any()


def test_a_hole_is_no_stillness() -> None:
    still = SecondLeg(worn=(), days=DAYS, idle_mmhg=(20.0, 20.0, 20.0)).grid()
    holey = without(still, *[(at, at + 5) for at in range(0, len(still), 600)])
    assert not evidence(holey).long_still.any()


# readings


def test_a_moment_without_a_reading_is_bridged_and_no_longer() -> None:
    grid = grid_of(worn_between(400, (0, 400)))
    grid.ankle[100:103] = np.nan
    grid.ankle[200:204] = np.nan
    minutes = Minutes.of(grid)
    inner = minutes.mmhg[0, minutes.inner]
    assert (inner[100:103] == inner[99]).all()
    assert np.isnan(inner[203])
    assert np.isfinite(inner[200:203]).all()


def test_nothing_is_bridged_into_the_time_before_or_after_the_record() -> None:
    grid = grid_of(worn_between(400, (0, 400)))
    grid.calf[50] = np.nan
    minutes = Minutes.of(grid)
    outside = np.ones(len(minutes.present), np.bool_)
    outside[minutes.inner] = False
    assert np.isnan(minutes.mmhg[:, outside]).all()

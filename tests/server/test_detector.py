"""The wear detector on made-up legs: what it must recognise, what it must refuse to say, and how fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.detection.detector import Detection, detect
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.states import Reason, State
from calza_wire.minute_block import MinuteFlag
from tests.server.wear_days import DAY, START, Mask, every_day, grid_of, without, worn_between

DAYTIME = every_day(4, 420, 1320)
NEVER = worn_between(4 * DAY)


def minutes(found: Detection, state: State) -> Mask:
    mask: Mask = found.state == state
    return mask


def assert_right(grid: MinuteGrid, truth: Mask, *, unknown_at_most: int = 0) -> Detection:
    """Never wrong, and unknown at most so often."""
    found = detect(grid)
    assert not (minutes(found, State.WORN) & ~truth).any(), "worn was invented"
    assert not (minutes(found, State.NOT_WORN) & truth).any(), "wear was denied"
    assert minutes(found, State.UNKNOWN).sum() <= unknown_at_most
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda: grid_of(DAYTIME),
        lambda: grid_of(DAYTIME, leg_c=24.0, ambient_c=17.0),  # winter, thin clothing
        lambda: grid_of(DAYTIME, leg_c=34.5, ambient_c=33.0),  # a hot room: warmth says nothing
        lambda: grid_of(DAYTIME, mmhg=(13.0, 10.0, 5.5)),  # too large or worn out
        lambda: grid_of(DAYTIME, mmhg=(26.0, 31.0, 1.0)),  # rolled down from the thigh
        lambda: grid_of(DAYTIME, ripple=0.4),  # somebody very quiet
    ],
    ids=["usual", "winter", "hot room", "weak", "rolled down", "quiet"],
)
def test_days_of_wear_are_recognised(make: Callable[[], MinuteGrid]) -> None:
    found = assert_right(make(), DAYTIME)
    assert (minutes(found, State.WORN) == DAYTIME).all()


def test_winter_legs_worn_without_a_break_need_no_contrast() -> None:
    worn = worn_between(2 * DAY, (0, 2 * DAY))
    found = assert_right(grid_of(worn, leg_c=24.0), worn)
    assert (found.reason == Reason.ON_LEG).all()


@pytest.mark.parametrize("ambient_c", [5.0, 20.0, 33.0, 45.0])
def test_no_pressure_is_not_worn_at_any_temperature(ambient_c: float) -> None:
    found = assert_right(grid_of(NEVER, ambient_c=ambient_c), NEVER)
    assert (found.reason == Reason.NO_PRESSURE).all()


def test_stored_under_load_at_room_temperature_is_not_worn() -> None:
    found = assert_right(grid_of(NEVER, idle_mmhg=(14.0, 14.0, 14.0)), NEVER)
    assert (found.reason == Reason.NOT_A_LEG).all()


def test_stored_under_load_and_warm_is_never_worn() -> None:
    grid = grid_of(NEVER, idle_mmhg=(14.0, 14.0, 14.0), ambient_c=31.0)
    assert (detect(grid).state == State.UNKNOWN).all()


def test_shaken_in_a_cold_car_is_never_worn() -> None:
    grid = grid_of(NEVER, idle_mmhg=(14.0, 14.0, 14.0), idle_ripple=0.9, idle_spread=0.3, ambient_c=15.0)
    assert not minutes(detect(grid), State.WORN).any()


def test_a_still_sleeper_stays_worn() -> None:
    worn = worn_between(2 * DAY, (600, 2 * DAY))
    grid = grid_of(worn)
    grid.ripple[1400:1880] = 0.1
    found = assert_right(grid, worn)
    assert (found.state[1400:1880] == State.WORN).all()


def test_a_shower_is_seen_to_the_minute() -> None:
    worn = worn_between(DAY, (0, 700), (740, DAY))
    found = assert_right(grid_of(worn), worn)
    assert (found.state[700:740] == State.NOT_WORN).all()


def test_slack_for_a_moment_is_neither_worn_nor_not() -> None:
    worn = worn_between(DAY, (0, 700), (706, DAY))
    found = assert_right(grid_of(worn), worn, unknown_at_most=6)
    assert (found.reason[700:706] == Reason.AMBIGUOUS).all()


def test_a_gap_is_unknown_and_wear_goes_on_after_it() -> None:
    worn = worn_between(DAY, (100, DAY))
    grid = without(grid_of(worn), (500, 800))
    grid.ripple[800:] = 0.1  # asleep after the gap: no life to enter by, only the likeness to before
    found = assert_right(grid, worn, unknown_at_most=300)
    assert (found.reason[500:800] == Reason.NO_DATA).all()
    assert (found.reason[800:] == Reason.SAME_AS_BEFORE_GAP).all()


def test_after_a_gap_other_pressures_do_not_pass_for_wear() -> None:
    worn = worn_between(DAY, (100, 500))
    grid = grid_of(worn, idle_mmhg=(14.0, 14.0, 14.0), ambient_c=28.0)  # put under a load, somewhere warm
    grid = without(grid, (480, 800))
    assert not minutes(detect(grid), State.WORN)[800:].any()


def test_likeness_needs_pressures_and_not_only_warmth() -> None:
    grid = without(grid_of(worn_between(DAY, (100, 500)), idle_mmhg=(14.0, 14.0, 14.0), ambient_c=31.0), (480, 800))
    assert not minutes(detect(grid), State.WORN)[800:].any()


def test_likeness_to_something_that_was_not_wear_proves_nothing() -> None:
    grid = without(grid_of(worn_between(DAY), idle_mmhg=(14.0, 14.0, 14.0), ambient_c=31.0), (480, 800))
    assert not minutes(detect(grid), State.WORN).any()


def test_a_first_short_wear_in_the_cold_is_known_by_its_edge() -> None:
    """Too short for a baseline, too cold to stand out from the room: only the step in warmth tells."""
    worn = worn_between(300, (150, 175))
    found = assert_right(grid_of(worn, leg_c=23.0, ambient_c=20.0), worn)
    assert (found.state[150:175] == State.WORN).all()


def test_kneading_in_the_hands_is_no_wear() -> None:
    worn = worn_between(2 * DAY, (420, 1320))
    grid = grid_of(worn_between(2 * DAY, (420, 1320), (2000, 2004)))
    assert not (minutes(detect(grid), State.WORN) & ~worn).any()


def test_a_cold_shaken_time_before_donning_is_not_wear() -> None:
    """Pressed in a bag in the car, then put on without a slack minute between."""
    worn = worn_between(DAY, (400, DAY))
    grid = grid_of(worn, idle_mmhg=(14.0, 14.0, 14.0), idle_ripple=0.9, idle_spread=0.3, ambient_c=8.0)
    found = detect(grid)
    assert not minutes(found, State.WORN)[:360].any()
    assert minutes(found, State.WORN)[400:].all()


def test_a_shaken_load_as_warm_as_the_room_is_no_leg() -> None:
    pressed = worn_between(DAY, (600, DAY))
    grid = grid_of(pressed, leg_c=23.0, ambient_c=23.0, mmhg=(14.0, 14.0, 14.0))
    assert not minutes(detect(grid), State.WORN).any()


def test_a_noisy_sensor_is_not_taken_for_life() -> None:
    worn = worn_between(2 * DAY, (420, 1320))
    grid = grid_of(worn, idle_ripple=0.25, ambient_c=28.0)
    for site in (grid.ankle, grid.calf, grid.thigh):
        site[2000:] = 14.0  # put under a load, warm, with nothing but the sensor's own noise
    assert not minutes(detect(grid), State.WORN)[1320:].any()


def test_taken_off_and_put_under_a_load_is_not_worn_while_it_cools() -> None:
    worn = worn_between(DAY, (100, 700))
    grid = grid_of(worn, ambient_c=24.0)
    for site in (grid.ankle, grid.calf, grid.thigh):
        site[710:] = 14.0
    assert (np.delete(detect(grid).state[700:], 10) == State.NOT_WORN).all()  # but for the minute of the change


@pytest.mark.parametrize("idle_mmhg", [(2.0, 3.8, 6.5), (1.7, 4.6, 5.5), (5.0, 5.0, 4.5)])
def test_grown_offsets_do_not_pass_for_wear(idle_mmhg: tuple[float, float, float]) -> None:
    """A sensor that reads 5 mmHg on nothing is judged against what it reads on this leg."""
    worn = every_day(2, 420, 1320)
    worn[900:925] = False
    found = assert_right(grid_of(worn, idle_mmhg=idle_mmhg, mmhg=(28.0, 22.0, 18.0)), worn)
    assert (found.state[900:925] == State.NOT_WORN).all()


def test_one_pressed_site_alone_is_not_called_wear_for_long() -> None:
    """Rolled down to the ankle."""
    grid = grid_of(worn_between(DAY, (100, DAY)))
    grid.calf[600:700] = grid.thigh[600:700] = 0.5
    grid.calf[900:908] = grid.thigh[900:908] = 0.5
    found = detect(grid)
    assert (found.reason[600:700] == Reason.AMBIGUOUS).all()
    assert (found.state[900:908] == State.WORN).all()


def test_walking_without_any_pressure_is_a_contradiction() -> None:
    grid = grid_of(worn_between(DAY, (100, DAY)))
    for site in (grid.ankle, grid.calf, grid.thigh):
        site[600:700] = 0.5
    grid.ripple[600:700] = 2.5
    assert (detect(grid).reason[610:690] == Reason.AMBIGUOUS).all()


def test_one_dead_site_leaves_two_that_tell() -> None:
    grid = grid_of(DAYTIME)
    grid.ankle[:] = np.nan
    grid.flags[:] |= np.uint8(MinuteFlag.ANKLE_FAULT)
    found = assert_right(grid, DAYTIME)
    assert (found.faulty_sites == MinuteFlag.ANKLE_FAULT).all()
    assert (minutes(found, State.WORN) == DAYTIME).all()


def test_two_dead_sites_are_a_sensor_fault() -> None:
    grid = grid_of(DAYTIME)
    grid.flags[:] |= np.uint8(MinuteFlag.ANKLE_FAULT | MinuteFlag.CALF_FAULT)
    found = detect(grid)
    assert (found.state[DAYTIME] == State.UNKNOWN).all()
    assert (found.reason[DAYTIME] == Reason.SENSOR_FAULT).all()


def test_sensors_gone_dead_on_a_warm_leg_deny_nothing() -> None:
    grid = grid_of(DAYTIME)
    dead = slice(2 * DAY + 600, 2 * DAY + 1200)
    for site in (grid.ankle, grid.calf, grid.thigh, grid.ripple):
        site[dead] = 0.0
    found = detect(grid)
    assert (found.reason[dead] == Reason.SENSOR_FAULT).all()


def test_charging_is_not_worn() -> None:
    grid = grid_of(DAYTIME)
    grid.flags[:60] |= np.uint8(MinuteFlag.CHARGING)
    assert (detect(grid).reason[:60] == Reason.CHARGING).all()


def test_minutes_of_a_lost_clock_say_so() -> None:
    grid = without(grid_of(DAYTIME), (600, 900))
    grid.clock_lost[600:700] = True
    found = detect(grid)
    assert (found.reason[600:700] == Reason.CLOCK_UNTRUSTED).all()
    assert (found.reason[700:900] == Reason.NO_DATA).all()


@pytest.mark.parametrize("length", [0, 1, 2, 9, 40])
def test_short_recordings_are_no_trouble(length: int) -> None:
    assert len(detect(grid_of(np.ones(max(1, length), np.bool_))).state) == max(1, length)
    assert len(detect(MinuteGrid.empty(START, START + length)).state) == length


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 400),
    present=st.floats(0, 1),
)
@settings(max_examples=60)
def test_any_figures_at_all_give_a_state_and_a_matching_reason(seed: int, length: int, present: float) -> None:
    rng = np.random.default_rng(seed)
    grid = MinuteGrid.empty(START, START + length)
    for column in (grid.ankle, grid.calf, grid.thigh, grid.ripple, grid.skin):
        column[:] = rng.choice([0, 1, 5, 9, 26, 31, 200, 3000, -5, np.nan, np.inf], length)
    grid.flags[:] = rng.integers(0, 128, length)
    grid.present[:] = rng.random(length) < present
    found = detect(grid)
    assert ((found.reason // 10 == found.state) | ((found.state == State.UNKNOWN) & (found.reason < 10))).all()
    assert (found.state[~grid.present] == State.UNKNOWN).all()


def test_the_firmwares_own_guess_is_not_believed() -> None:
    plain = grid_of(DAYTIME)
    guessed = replace(plain, flags=np.full(len(plain), MinuteFlag.WORN_GUESS, np.uint8))
    np.testing.assert_array_equal(detect(plain).state, detect(guessed).state)


def test_minutes_of_putting_on_and_taking_off_are_not_worn() -> None:
    """Ankle first, thigh last, over five minutes; and back."""
    worn = worn_between(DAY, (300, 700))
    grid = grid_of(worn)
    share = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
    for late, (site, full) in enumerate(((grid.ankle, 26.0), (grid.calf, 18.5), (grid.thigh, 10.0))):
        site[295:300] = full * np.clip(3.0 * share - late, 0.0, 1.0)
        site[700:705] = full * np.clip(3.0 * share[::-1] - late, 0.0, 1.0)
    grid.ripple[295:300] = grid.ripple[700:705] = 4.0
    found = detect(grid)
    on = np.flatnonzero(found.state == State.WORN)
    assert abs(int(on[0]) - 300) <= 1
    assert abs(int(on[-1]) - 699) <= 1
    assert not minutes(found, State.NOT_WORN)[worn].any()


@pytest.mark.parametrize("load", [(14.0, 14.0, 14.0), (20.0, 20.0, 20.0), (35.0, 35.0, 35.0), (18.0, 16.0, 12.0)])
def test_a_stocking_laid_under_a_load_at_once_is_no_longer_worn(load: tuple[float, float, float]) -> None:
    worn = worn_between(DAY, (100, 700))
    grid = grid_of(worn, ambient_c=24.0)
    for site, mmhg in zip((grid.ankle, grid.calf, grid.thigh), load, strict=True):
        site[700:] = mmhg
        site[700] = 8.0  # pulled off within this minute, and laid down
    grid.ripple[700] = 8.0
    found = detect(grid)
    assert not minutes(found, State.WORN)[701:].any()
    assert (found.state[740:] == State.NOT_WORN).all()
    assert (found.state[110:700] == State.WORN).all()


def test_a_tug_is_no_end_of_wear() -> None:
    worn = worn_between(DAY, (100, DAY))
    grid = grid_of(worn)
    for site in (grid.ankle, grid.calf, grid.thigh):
        site[600] *= 0.5
    grid.ripple[600] = 9.0
    assert_right(grid, worn, unknown_at_most=1)


def test_a_day_without_a_sign_of_life_is_not_vouched_for() -> None:
    """Pressed, as warm as the leg, and still: a sleeper for one night, nobody for three days."""
    worn = worn_between(5 * DAY, (100, 5 * DAY))
    grid = grid_of(worn)
    grid.ripple[DAY:] = 0.12
    state = detect(grid).state
    assert (state[DAY : DAY + 600] == State.WORN).all()
    assert (state[2 * DAY + 60 :] == State.UNKNOWN).all()


def test_warmth_that_leaves_a_still_stocking_ends_the_wear() -> None:
    """Nothing in the pressure tells, because the load is like the leg."""
    worn = worn_between(DAY, (100, 700))
    grid = grid_of(worn, ambient_c=22.0)
    for site, mmhg in ((grid.ankle, 26.0), (grid.calf, 18.5), (grid.thigh, 10.0)):
        site[700:] = mmhg
    found = detect(grid)
    assert not minutes(found, State.WORN)[705:].any()
    assert minutes(found, State.NOT_WORN)[760:].all()


@pytest.mark.parametrize("hot_c", [33.0, 44.0])
def test_winter_legs_are_not_denied_by_a_hot_cupboard(hot_c: float) -> None:
    found = assert_right(grid_of(DAYTIME, leg_c=25.0, ambient_c=hot_c), DAYTIME, unknown_at_most=30)
    assert minutes(found, State.WORN).sum() >= DAYTIME.sum() - 30


def test_a_pocket_is_not_denied_to_be_wear_until_the_worn_pressure_is_known() -> None:
    carried = worn_between(2 * DAY, (600, 900))
    grid = grid_of(carried, mmhg=(6.0, 4.5, 4.0))
    assert (detect(grid).state[carried] == State.UNKNOWN).all()
    known = carried.copy()
    known[1000:1900] = True
    grid = grid_of(known)
    for site, mmhg in ((grid.ankle, 6.0), (grid.calf, 4.5), (grid.thigh, 4.0)):
        site[600:900] = mmhg
    assert (detect(grid).state[603:897] == State.NOT_WORN).all()


def test_a_few_empty_cells_leave_no_hole_in_the_wear() -> None:
    grid = grid_of(DAYTIME)
    rng = np.random.default_rng(5)
    for column in (grid.ankle, grid.calf, grid.thigh, grid.ripple, grid.skin):
        column[rng.random(len(grid)) < 0.1] = np.nan
    assert_right(grid, DAYTIME, unknown_at_most=10)


def test_the_same_figures_give_the_same_states_wherever_the_record_begins() -> None:
    grid = grid_of(DAYTIME)
    states = [detect(replace(grid, start_minute=START + shift)).state for shift in (0, 1, 359, 360)]
    np.testing.assert_array_equal(states[0], states[3])
    for other in states[1:3]:  # the blocks fall elsewhere
        assert (other != states[0]).mean() < 0.001


def test_a_weak_stocking_on_a_sleeper_is_not_denied() -> None:
    """Too weak ever to be called worn: asleep it neither presses nor moves, but it is as warm as it was awake."""
    grid = grid_of(worn_between(3 * DAY, (420, 3 * DAY)), mmhg=(6.5, 4.4, 3.6), ripple=0.6)
    asleep = worn_between(3 * DAY, (1380, 1800), (2820, 3240))
    grid.ripple[asleep] = 0.1
    found = detect(grid)
    assert not (minutes(found, State.NOT_WORN) & asleep).any(), "a weak garment is no fault of its wearer"

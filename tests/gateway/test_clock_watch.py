"""A wall clock that jumps is noticed, whatever else time does: slewing, sleeping, leap seconds."""

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_gateway.ports import Moment
from calza_gateway.recovery.clock_watch import ANCHOR_S, CLOCK_LEFT_ALONE, JUMP_S, SLEW, ClockJump, ClockWatch
from calza_gateway.sync import session

START = Moment(1_780_000_000.0, 50.0)
DAY_S = 86_400.0


def later(moment: Moment, steady_s: float, jump_s: float = 0.0) -> Moment:
    return Moment(moment.unix_s + steady_s + jump_s, moment.tick_s + steady_s)


def jumps(*steps: tuple[float, float]) -> list[ClockJump]:
    """What is told when so many steady seconds pass and the wall clock jumps by so many beside them."""
    watch, now = ClockWatch(), START
    assert watch.look(now) is None
    found = []
    for steady_s, jump_s in steps:
        now = later(now, steady_s, jump_s)
        if (jump := watch.look(now)) is not None:
            found.append(jump)
    return found


@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 2.5, -2.5, -56 * 365 * DAY_S])
def test_a_jump_is_told_once_with_its_size_and_where_it_lies(by_s: float) -> None:
    (jump,) = jumps((10, 0), (20, by_s), (30, 0), (30, 0))
    assert jump.by_s == pytest.approx(by_s)
    assert (jump.before, jump.after) == (later(START, 10), later(START, 30, by_s))


def test_there_and_back_are_two_jumps() -> None:
    assert [round(jump.by_s) for jump in jumps((60, 7200), (60, -7200))] == [7200, -7200]


@pytest.mark.parametrize("asleep_s", [3600.0, 30 * DAY_S])
def test_a_sleep_is_no_jump_because_the_steady_clock_goes_on(asleep_s: float) -> None:
    assert jumps((60, 0), (asleep_s, 0), (60, 0)) == []


def test_a_leap_second_is_none() -> None:
    assert jumps((60, 1), (60, 0), (60, -1)) == []


@given(st.lists(st.tuples(st.floats(0, 7 * DAY_S), st.floats(-SLEW, SLEW)), max_size=50))
def test_a_clock_that_is_slewed_never_jumps(steps: list[tuple[float, float]]) -> None:
    assert jumps(*[(steady_s, steady_s * rate) for steady_s, rate in steps]) == []


@given(st.floats(0.1, 60.0))
def test_a_clock_turned_fast_in_small_steps_is_noticed(every_s: float) -> None:
    """A twelfth of a second each second, as chrony may: each step is small, the sum is not."""
    found = jumps(*[(every_s, every_s / 12)] * (int(ANCHOR_S / every_s) + 2))
    assert found
    assert all(jump.by_s > JUMP_S for jump in found)


@pytest.mark.parametrize(
    ("by_s", "words"),
    [
        (7.2, "forward by 7 s;"),
        (-3725.0, "back by 1 h 2 min;"),
        (90_000.0, "forward by 1 day 1 h;"),
        (-3 * DAY_S, "back by 3 days;"),
    ],
)
def test_what_is_told_names_direction_and_size_and_what_follows(by_s: float, words: str) -> None:
    problem = ClockJump(by_s, START, START).problem
    assert (problem.reason, problem.serial) == ("clock_jumped", None)
    assert words in problem.sentence
    assert "synced again" in problem.sentence


def test_every_reason_for_leaving_a_clock_alone_has_its_sentence() -> None:
    codes = set(re.findall(r'append\("(gateway_clock_\w+)"\)', inspect.getsource(session)))
    assert codes == set(CLOCK_LEFT_ALONE)

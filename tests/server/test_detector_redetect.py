"""Locality: a late block changes what it can reach and nothing else, and following the changes equals starting anew."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.detection.detector import REACH_MIN, Detection, detect
from calza_server.domain.detection.redetect import redetect, touched
from calza_server.domain.recording.grid import MinuteGrid
from tests.server.second_leg import anyone
from tests.server.wear_days import DAY, without

LONG_DAYS = 16  # so that most of the record lies beyond the reach of most changes


def assert_same(one: Detection, other: Detection) -> None:
    np.testing.assert_array_equal(one.state, other.state)
    np.testing.assert_array_equal(one.reason, other.reason)
    np.testing.assert_array_equal(one.faulty_sites, other.faulty_sites)


def first(grid: MinuteGrid, minutes: int) -> MinuteGrid:
    """The record as it was when it had only so many minutes."""
    return replace(
        grid,
        **{
            name: getattr(grid, name)[:minutes]
            for name in (
                "ankle",
                "calf",
                "thigh",
                "ripple",
                "skin",
                "flags",
                "present",
                "record",
                "log",
                "clock_lost",
            )
        },
    )


@given(
    seed=st.integers(0, 99), start=st.integers(0, LONG_DAYS * DAY - 1), length=st.sampled_from([1, 7, 60, 700, 3000])
)
@settings(max_examples=25)
def test_a_late_block_changes_no_state_beyond_its_reach(seed: int, start: int, length: int) -> None:
    grid = anyone(seed, LONG_DAYS).grid()
    end = min(len(grid), start + length)
    late, known = detect(grid), detect(without(grid, (start, end)))
    low, high = touched(start, end, len(grid))
    for column in ("state", "reason", "faulty_sites"):
        np.testing.assert_array_equal(getattr(known, column)[:low], getattr(late, column)[:low])
        np.testing.assert_array_equal(getattr(known, column)[high:], getattr(late, column)[high:])


@given(
    seed=st.integers(0, 99),
    cuts=st.lists(st.integers(1, LONG_DAYS * 24 - 1), min_size=1, max_size=6, unique=True),
    order=st.randoms(),
)
@settings(max_examples=15)
def test_blocks_may_arrive_in_any_order(seed: int, cuts: list[int], order: Random) -> None:
    grid = anyone(seed, LONG_DAYS).grid()
    hours = [0, *sorted(cuts), LONG_DAYS * 24]
    blocks = [(60 * a, 60 * b) for a, b in pairwise(hours)]
    order.shuffle(blocks)
    missing = list(blocks)
    held = without(grid, *missing)
    found = detect(held)
    for block in blocks:
        missing.remove(block)
        held = without(grid, *missing)
        found = redetect(held, found, (grid.start_minute + block[0], grid.start_minute + block[1]))
        assert_same(found, detect(held))
    assert_same(found, detect(grid))


@given(seed=st.integers(0, 99), steps=st.lists(st.sampled_from([1, 15, 60, 333, 1440]), min_size=1, max_size=6))
@settings(max_examples=15)
def test_a_record_may_grow_at_its_end(seed: int, steps: list[int]) -> None:
    grid = anyone(seed, LONG_DAYS).grid()
    length = len(grid) - sum(steps)
    found = detect(first(grid, length))
    for step in steps:
        grown = first(grid, length + step)
        found = redetect(grown, found, (grid.start_minute + length, grid.start_minute + length + step))
        length += step
        assert_same(found, detect(grown))


@given(seed=st.integers(0, 2**32 - 1), start=st.integers(0, 39), length=st.integers(1, 10))
@settings(max_examples=20)
def test_whatever_the_figures_the_reach_holds(seed: int, start: int, length: int) -> None:
    """Figures that no leg would show, and many equal ones, so that every comparison meets a tie."""
    rng = np.random.default_rng(seed)
    n = 5 * REACH_MIN
    grid = MinuteGrid.empty(29_540_123, 29_540_123 + n)
    for column, values in (
        (grid.ankle, [0.0, 5.0, 26.0, 26.0, np.nan]),
        (grid.calf, [0.0, 5.0, 18.0, 18.0, 150.0]),
        (grid.thigh, [0.0, 10.0, 10.0]),
        (grid.ripple, [0.1, 0.1, 0.6, 2.5, 9.0]),
        (grid.skin, [20.0, 31.0, 31.0, np.nan]),
    ):
        held = rng.choice(values, n // 40 + 1).repeat(40)[:n]
        column[:] = np.where(rng.random(n) < 0.2, rng.choice(values, n), held)
    grid.present[:] = rng.random(n // 30 + 1).repeat(30)[:n] < 0.95
    at = n // 2 + start
    known = detect(without(grid, (at, at + length)))
    minute = grid.start_minute + at
    assert_same(redetect(grid, known, (minute, minute + length)), detect(grid))


def test_nothing_changed_is_nothing_to_do() -> None:
    grid = anyone(3, 2).grid()
    found = detect(grid)
    assert redetect(grid, found, (grid.start_minute + 50, grid.start_minute + 50)) is found


def test_what_a_record_grew_by_counts_as_changed_though_nobody_says_so() -> None:
    grid = anyone(3, 4).grid()
    before = detect(first(grid, 3000))
    assert_same(redetect(grid, before, (grid.start_minute, grid.start_minute)), detect(grid))


def test_a_detection_of_a_longer_record_is_refused() -> None:
    grid = anyone(3, 2).grid()
    with pytest.raises(ValueError, match="cannot be of an earlier state"):
        redetect(first(grid, 1000), detect(grid), (grid.start_minute, grid.start_minute + 10))

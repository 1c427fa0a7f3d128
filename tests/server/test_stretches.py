"""Stretches of minutes, each against the plain way of saying the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.stretches import (
    NEVER,
    held_for,
    held_since,
    last_true,
    latched,
    mean_over,
    moving_mean,
    next_true,
    seen_near,
    spans,
    stretches,
)

MASKS = st.lists(st.booleans(), max_size=60).map(lambda bits: np.array(bits, np.bool_))
COLUMNS = st.lists(st.sampled_from([0.0, 0.125, 3.5, 26.0, -1.25, np.nan]), min_size=1, max_size=60).map(
    lambda values: np.array(values, np.float32)
)


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    found = []
    start = None
    for at, on in enumerate([*mask.tolist(), False]):
        if on and start is None:
            start = at
        if not on and start is not None:
            found.append((start, at))
            start = None
    return found


@given(MASKS)
def test_stretches_are_the_unbroken_runs_and_spans_put_them_back(mask: npt.NDArray[np.bool_]) -> None:
    starts, ends = stretches(mask)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == runs(mask)
    np.testing.assert_array_equal(spans(len(mask), starts, ends), mask)


def test_spans_may_touch() -> None:
    assert spans(5, np.array([0, 2]), np.array([2, 3])).tolist() == [True, True, True, False, False]


@given(MASKS, st.integers(1, 8))
def test_held_for_keeps_the_long_runs_and_held_since_their_later_part(mask: npt.NDArray[np.bool_], least: int) -> None:
    whole, later = np.zeros(len(mask), np.bool_), np.zeros(len(mask), np.bool_)
    for start, end in runs(mask):
        if end - start >= least:
            whole[start:end] = True
            later[start + least - 1 : end] = True
    np.testing.assert_array_equal(held_for(mask, least), whole)
    np.testing.assert_array_equal(held_since(mask, least), later)


@given(MASKS)
def test_last_and_next_true_are_the_nearest_ones(mask: npt.NDArray[np.bool_]) -> None:
    at = np.flatnonzero(mask)
    for minute in range(len(mask)):
        assert last_true(mask)[minute] == max(at[at <= minute].tolist(), default=NEVER)
        assert next_true(mask)[minute] == min(at[at >= minute].tolist(), default=-NEVER)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(1, 10))
def test_a_latch_is_set_by_on_cleared_by_off_and_forgets(pairs: list[tuple[bool, bool]], memory: int) -> None:
    expected = []
    set_at = None
    for minute, (on, off) in enumerate(pairs):
        set_at = None if off else minute if on else set_at
        expected.append(set_at is not None and minute - set_at < memory)
    on_off = np.array(pairs, np.bool_).reshape(-1, 2)
    assert latched(on_off[:, 0], on_off[:, 1], memory).tolist() == expected


@given(MASKS, st.sampled_from([1, 3, 5, 15]), st.integers(1, 4))
def test_seen_near_counts_a_centred_window(mask: npt.NDArray[np.bool_], width: int, times: int) -> None:
    half = width // 2
    expected = [int(mask[max(0, at - half) : at + half + 1].sum()) >= times for at in range(len(mask))]
    assert seen_near(mask, minutes=width, times=times).tolist() == expected


@given(COLUMNS, st.sampled_from([1, 5, 9]), st.integers(1, 4))
def test_a_moving_mean_counts_what_is_there(values: npt.NDArray[np.float32], width: int, least: int) -> None:
    half = width // 2
    for at, mean in enumerate(moving_mean(values, minutes=width, at_least=least).tolist()):
        window = values[max(0, at - half) : at + half + 1]
        known = window[np.isfinite(window)]
        if len(known) < least:
            assert np.isnan(mean)
        else:
            assert abs(mean - float(known.astype(np.float64).mean())) < 1e-3


@given(COLUMNS, st.integers(0, 30), st.sampled_from([5, 9]))
def test_a_moving_mean_does_not_depend_on_where_the_record_begins(
    values: npt.NDArray[np.float32], before: int, width: int
) -> None:
    longer = np.concatenate([np.full(before + width, np.nan, np.float32), values])
    alone, within = (moving_mean(each, minutes=width, at_least=1) for each in (values, longer))
    np.testing.assert_array_equal(within[before + width :], alone)


def test_means_over_windows_are_cut_at_the_record_and_at_their_greatest_length() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0], np.float32)
    starts, ends = np.array([-2, 0, 0, 3, 4, 2]), np.array([2, 5, 2, 9, 4, 3])
    means = mean_over(values, starts, ends, at_most=4, at_least=2)
    np.testing.assert_allclose(means, [1.5, 7.0 / 3.0, 1.5, 4.5, np.nan, np.nan])

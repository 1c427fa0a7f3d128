"""Stretches of minutes: how long a condition held, what it latched, how often it was seen nearby. Knows no meaning.

Every answer looks a bounded way to either side, said by its arguments: what lies farther off cannot change it.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]
Indices: TypeAlias = npt.NDArray[np.intp]
Minutes: TypeAlias = npt.NDArray[np.int32]

NEVER = -(2**30)  # an index so far before every record that no distance from it counts as near


def stretches(mask: Mask) -> tuple[Indices, Indices]:
    """First and one-past-last index of every unbroken stretch of True, in order."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def spans(length: int, starts: npt.NDArray[np.integer], ends: npt.NDArray[np.integer]) -> Mask:
    """True on every [start, end), which must not overlap."""
    change = np.zeros(length + 1, np.int8)
    change[starts] += 1
    change[ends] -= 1
    inside: Mask = np.cumsum(change[:-1], dtype=np.int8).view(np.bool_)
    return inside


def held_for(mask: Mask, minutes: int) -> Mask:
    """Where `mask` is True as part of a stretch of at least `minutes`."""
    starts, ends = stretches(mask)
    long_enough = ends - starts >= minutes
    return spans(len(mask), starts[long_enough], ends[long_enough])


def held_since(mask: Mask, minutes: int) -> Mask:
    """Where `mask` has been True for the last `minutes` without a break, this minute included."""
    starts, ends = stretches(mask)
    long_enough = ends - starts >= minutes
    return spans(len(mask), starts[long_enough] + (minutes - 1), ends[long_enough])


def last_true(mask: Mask) -> Minutes:
    """For each minute the index of the latest True at or before it; NEVER where there is none."""
    return np.maximum.accumulate(_where(mask, NEVER))


def next_true(mask: Mask) -> Minutes:
    """For each minute the index of the earliest True at or after it; -NEVER where there is none."""
    return np.minimum.accumulate(_where(mask, -NEVER)[::-1])[::-1]


def _where(mask: Mask, otherwise: int) -> Minutes:
    """The index where True; by arithmetic, because np.where is slow on a scattered mask."""
    index = np.arange(len(mask), dtype=np.int32)
    index -= np.int32(otherwise)
    index *= mask
    index += np.int32(otherwise)
    return index


def latched(on: Mask, off: Mask, minutes: int) -> Mask:
    """True from each `on` until the next `off`, at most for so many minutes; where both hold, `off` wins."""
    index = np.arange(len(on), dtype=np.int32)
    last_on = last_true(on)
    state: Mask = (last_on > last_true(off)) & (index - last_on < minutes)
    return state


def seen_near(mask: Mask, *, minutes: int, times: int) -> Mask:
    """Where `mask` is True at least `times` within a window of `minutes` centred on the minute."""
    padded = np.zeros(len(mask) + minutes, np.int32)
    padded[minutes // 2 + 1 : minutes // 2 + 1 + len(mask)] = mask
    total = np.cumsum(padded, dtype=np.int32)
    seen: Mask = total[minutes:] - total[:-minutes] >= times
    return seen


def moving_mean(values: npt.NDArray[np.float32], *, minutes: int, at_least: int) -> npt.NDArray[np.float32]:
    """Each minute's mean over a window centred on it, of what is not NaN; NaN where fewer than `at_least` are.

    Sums are kept in whole thousandths, so a mean is the same wherever the record begins.
    """
    known = np.isfinite(values)
    total = np.zeros(len(values) + minutes + 1, np.int64)
    count = np.zeros(len(values) + minutes + 1, np.int32)
    first = minutes // 2 + 1
    whole = np.nan_to_num(values, posinf=0.0, neginf=0.0) * np.float32(1000.0)
    total[first : first + len(values)] = np.rint(whole)
    count[first : first + len(values)] = known
    np.cumsum(total, out=total)
    np.cumsum(count, out=count)
    counted = (count[minutes:] - count[:-minutes])[: len(values)]
    sums = (total[minutes:] - total[:-minutes])[: len(values)]
    mean: npt.NDArray[np.float32] = (sums / (1000.0 * np.maximum(counted, 1))).astype(np.float32)
    mean[counted < at_least] = np.nan
    return mean


def mean_over(
    values: npt.NDArray[np.float32],
    starts: npt.NDArray[np.integer],
    ends: npt.NDArray[np.integer],
    *,
    at_most: int,
    at_least: int,
) -> npt.NDArray[np.float64]:
    """Means over windows [start, end), of their first `at_most` minutes, of what is not NaN; else as `moving_mean`."""
    index = starts[:, None] + np.arange(at_most)
    inside = (index >= 0) & (index < np.minimum(ends, len(values))[:, None])
    sample = values[np.where(inside, index, 0)]
    known = inside & np.isfinite(sample)
    count = known.sum(axis=1)
    total = np.where(known, sample, np.float32(0.0)).sum(axis=1, dtype=np.float64)
    return np.where(count >= max(1, at_least), total / np.maximum(count, 1), np.nan)

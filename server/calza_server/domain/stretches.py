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
    index = np.arange(len(mask), dtype=np.int32)
    return np.maximum.accumulate(np.where(mask, index, np.int32(NEVER)))


def next_true(mask: Mask) -> Minutes:
    """For each minute the index of the earliest True at or after it; -NEVER where there is none."""
    index = np.arange(len(mask), dtype=np.int32)
    return np.minimum.accumulate(np.where(mask, index, np.int32(-NEVER))[::-1])[::-1]


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


class WindowMeans:
    """Means of a column over any windows, counting only the minutes a mask allows.

    Sums are kept in whole thousandths, so a mean is the same wherever the record begins.
    """

    def __init__(self, values: npt.NDArray[np.float32], usable: Mask) -> None:
        whole = np.where(usable, values, np.float32(0.0)) * np.float32(1000.0)
        self._sum = np.zeros(len(values) + 1, np.int64)
        np.cumsum(np.rint(whole).astype(np.int64), out=self._sum[1:])
        self._count = np.zeros(len(values) + 1, np.int64)
        np.cumsum(usable, out=self._count[1:])

    def over(
        self, starts: npt.NDArray[np.integer], ends: npt.NDArray[np.integer], at_least: int
    ) -> npt.NDArray[np.float64]:
        """The mean over each [start, end), NaN where fewer than `at_least` minutes were usable."""
        last = len(self._count) - 1
        low, high = np.clip(starts, 0, last), np.clip(ends, 0, last)
        count = self._count[high] - self._count[low]
        mean = np.full(len(count), np.nan)
        np.divide(self._sum[high] - self._sum[low], count * 1000, out=mean, where=count >= max(1, at_least))
        return mean

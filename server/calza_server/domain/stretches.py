"""Stretches of minutes: how long a condition held, what it latched, how often it was seen nearby. Knows no meaning."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]
Indices: TypeAlias = npt.NDArray[np.intp]


def stretches(mask: Mask) -> tuple[Indices, Indices]:
    """First and one-past-last index of every unbroken stretch of True, in order."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def held_for(mask: Mask, minutes: int) -> Mask:
    """Where `mask` is True as part of a stretch of at least `minutes`."""
    starts, ends = stretches(mask)
    long_enough = ends - starts >= minutes
    change = np.zeros(len(mask) + 1, np.int8)
    change[starts[long_enough]] = 1
    change[ends[long_enough]] = -1
    held: Mask = np.cumsum(change[:-1], dtype=np.int8).astype(np.bool_)
    return held


def held_since(mask: Mask, minutes: int) -> Mask:
    """Where `mask` has been True for the last `minutes` without a break, this minute included."""
    index = np.arange(1, len(mask) + 1)
    since: Mask = index - np.maximum.accumulate(np.where(mask, 0, index)) >= minutes
    return since


def latched(on: Mask, off: Mask) -> Mask:
    """True from each `on` until the next `off`; where both hold, `off` wins."""
    index = np.arange(1, len(on) + 1)
    last_on = np.maximum.accumulate(np.where(on, index, 0))
    last_off = np.maximum.accumulate(np.where(off, index, 0))
    state: Mask = last_on > last_off
    return state


def seen_near(mask: Mask, *, minutes: int, times: int) -> Mask:
    """Where `mask` is True at least `times` within a window of `minutes` centred on the minute."""
    padded = np.zeros(len(mask) + minutes, np.int32)
    padded[minutes // 2 + 1 : minutes // 2 + 1 + len(mask)] = mask
    total = np.cumsum(padded, dtype=np.int32)
    seen: Mask = total[minutes:] - total[:-minutes] >= times
    return seen


class WindowMeans:
    """Means of a column over any windows, counting only the minutes a mask allows."""

    def __init__(self, values: npt.NDArray[np.float32], usable: Mask) -> None:
        self._sum = np.concatenate(([0.0], np.cumsum(np.where(usable, values, 0.0), dtype=np.float64)))
        self._count = np.concatenate(([0], np.cumsum(usable, dtype=np.int32)))

    def over(self, starts: Indices, ends: Indices, at_least: int) -> npt.NDArray[np.float64]:
        """The mean over each [start, end), NaN where fewer than `at_least` minutes were usable."""
        last = len(self._count) - 1
        low, high = np.clip(starts, 0, last), np.clip(ends, 0, last)
        count = self._count[high] - self._count[low]
        mean = np.full(len(count), np.nan)
        np.divide(self._sum[high] - self._sum[low], count, out=mean, where=count >= max(1, at_least))
        return mean

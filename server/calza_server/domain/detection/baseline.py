"""What is learned about one leg and one stocking: figures of blocks of 6 h, each from the blocks around it alone.

Learning from the whole record would let a late block of next month change today; so nothing here looks farther than the
number of blocks it is asked to. Knows arithmetic, no meaning.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from calza_server.domain.detection.evidence_minutes import BLOCK_MIN, Column
from calza_server.domain.stretches import Mask

Figures: TypeAlias = npt.NDArray[np.float32]
"""One figure per block in the last axis, NaN where there is none."""

Scalar = TypeVar("Scalar", bound=np.generic)

_FAR = np.float32(1e30)  # sorts behind every reading


class Sorted:
    """The values of each block in order, only those a mask allows; leading axes are kept."""

    def __init__(self, values: Column, among: Mask) -> None:
        shape = (*values.shape[:-1], values.shape[-1] // BLOCK_MIN, BLOCK_MIN)
        far = (~among).astype(np.float32) * _FAR  # quicker than np.where, whose branches a scattered mask defeats
        self._values = np.sort((values + far).reshape(shape), axis=-1)  # NaN sorts last of all
        self._count = (self._values < _FAR / 2).sum(axis=-1)

    def at(self, share: float, *, at_least: int) -> Figures:
        """The value that `share` (0..1) of a block's values lie below; none where a block has fewer than `at_least`."""
        place = np.minimum((share * self._count).astype(np.intp), BLOCK_MIN - 1)
        figures = np.take_along_axis(self._values, place[..., None], axis=-1)[..., 0]
        return np.where(self._count >= at_least, figures, np.float32(np.nan))


def means(values: Column, among: Mask, *, at_least: int) -> Figures:
    """The mean of each block's values that a mask allows; none where fewer than `at_least` are."""
    blocks = (-1, BLOCK_MIN)
    count = among.reshape(blocks).sum(axis=-1)
    total = np.where(among, values, np.float32(0.0)).reshape(blocks).sum(axis=-1, dtype=np.float64)
    return np.where(count >= at_least, total / np.maximum(count, 1), np.nan).astype(np.float32)


def least_around(figures: Figures, blocks: int) -> Figures:
    """The least figure within so many blocks to either side."""
    nearby = _around(figures, blocks)
    known = np.where(np.isnan(nearby), np.float32(np.inf), nearby).min(axis=-1)
    return np.where(np.isfinite(known), known, np.float32(np.nan))


def median_around(figures: Figures, blocks: int, *, of_most: float | None = None) -> Figures:
    """The (lower) median of the figures within so many blocks to either side.

    `of_most`: leave out blocks whose greatest figure in any row is below this share of the greatest of them all.
    """
    nearby = _around(figures, blocks)
    if of_most is not None:
        greatest = np.fmax.reduce(nearby, axis=0)
        low = greatest < np.float32(of_most) * np.fmax.reduce(greatest, axis=-1, keepdims=True)
        nearby = np.where(low, np.float32(np.nan), nearby)
    nearby = np.sort(nearby, axis=-1)  # NaN last
    count = np.isfinite(nearby).sum(axis=-1)
    middle = np.maximum(count - 1, 0) // 2
    return np.asarray(np.take_along_axis(nearby, middle[..., None], axis=-1)[..., 0])


def by_minute(figures: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Each block's figure for every minute of it."""
    return np.repeat(figures, BLOCK_MIN, axis=-1)


def _around(figures: Figures, blocks: int) -> Figures:
    beyond = [(0, 0)] * (figures.ndim - 1) + [(blocks, blocks)]
    padded = np.pad(figures, beyond, constant_values=np.float32(np.nan))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * blocks + 1, axis=-1)

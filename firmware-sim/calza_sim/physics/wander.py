"""Slow irregular change, as fabric, tissue and sensors have it: the same value for the same moment, in any order.

Unit normal values are drawn at knots a few minutes apart; between two knots the value goes from one to the other.
"""

from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.physics.figures import WANDER_KNOT_S
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
KNOTS_DRAWN_TOGETHER: Final = 1_024  # about a week
SITES: Final = 3


class Wander:
    """Three sites' slow change, mean 0 and variance 1. `purpose` names what it is for, `name` whose it is."""

    def __init__(self, seed: int, purpose: str, name: str) -> None:
        self._seed = seed
        self._purpose = ("wander", purpose, name)
        self._block = lru_cache(maxsize=4)(self._drawn)

    def at(self, times_s: Floats) -> Floats:
        """The value of each site at each time (true Unix seconds, not negative), [n, 3]."""
        knots = times_s / WANDER_KNOT_S
        before = np.floor(knots).astype(np.int64)
        part = (knots - before)[:, None]
        mixed = self._knots(before) * (1.0 - part) + self._knots(before + 1) * part
        return np.asarray(mixed / np.sqrt((1.0 - part) ** 2 + part**2))  # a mixture of two has less variance than one

    def _knots(self, numbers: NDArray[np.int64]) -> Floats:
        out = np.empty((len(numbers), SITES))
        blocks = numbers // KNOTS_DRAWN_TOGETHER
        for block in np.unique(blocks).tolist():
            chosen = blocks == block
            out[chosen] = self._block(block)[numbers[chosen] - block * KNOTS_DRAWN_TOGETHER]
        return out

    def _drawn(self, block: int) -> Floats:
        return stream(self._seed, *self._purpose, block).standard_normal((KNOTS_DRAWN_TOGETHER, SITES))

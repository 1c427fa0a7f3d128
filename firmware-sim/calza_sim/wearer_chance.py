"""Chance in the simulation: every draw names what it is for, so that one more draw here changes nothing there."""

import zlib

import numpy as np


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator that depends on the seed and the named purpose alone. No number may be negative."""
    words = [zlib.crc32(each.encode()) if isinstance(each, str) else each for each in purpose]
    return np.random.default_rng([seed, *words])

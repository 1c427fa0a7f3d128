"""Stillness for longer than anybody lies still: no life, one sensor's noise, and not one change of posture.

Whatever the warmth, so long a stillness is not a leg's as far as anybody's nights go; what it is worth is for others to
say. Knows no level of pressure and no warmth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.evidence_minutes import SITES
from calza_server.domain.stretches import Mask, held_for

if TYPE_CHECKING:
    from calza_server.domain.detection.evidence_life import Life
    from calza_server.domain.detection.evidence_minutes import Minutes

# Every figure is our proposal.
LONG_STILL_MIN: Final = 960  # twice a long night
FLAT_MMHG: Final = 0.7  # from hour to hour; a change of posture moves some site by more, a drifting sensor by less
CHUNK_MIN: Final = 60  # means of so many minutes are free of noise


def long_still_of(minutes: Minutes, life: Life) -> Mask:
    """Minutes within such a stillness, hours from its ends."""
    lifeless = held_for(minutes.present & ~life.near, LONG_STILL_MIN)
    return lifeless & life.monotonous & _flat(minutes)


def _flat(minutes: Minutes) -> Mask:
    """Minutes around which no site has changed."""
    chunks = minutes.mmhg.reshape(len(SITES), -1, CHUNK_MIN)
    read = np.isfinite(chunks)
    total, count = np.where(read, chunks, np.float32(0.0)).sum(axis=-1), read.sum(axis=-1)
    level = np.where(count > CHUNK_MIN // 2, total / np.maximum(count, 1), np.float32(np.nan))
    stepped = np.zeros(level.shape[1], np.bool_)
    stepped[1:] = (np.abs(np.diff(level, axis=-1)) > np.float32(FLAT_MMHG)).any(axis=0)
    width = LONG_STILL_MIN // CHUNK_MIN
    padded = np.pad(stepped, (width // 2, width - width // 2 - 1))
    return np.repeat(~np.lib.stride_tricks.sliding_window_view(padded, width).any(axis=-1), CHUNK_MIN)

"""What the minutes of a stocking show: pressure, life and warmth, judged against this leg and this sensor themselves.

Evidence only; what it amounts to is decided in `detector`. Every figure is *our proposal*: no validated wear detector
for compression stockings has been published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.detection.evidence_idle import Idle, idle_of
from calza_server.domain.detection.evidence_levels import Levels, levels_of
from calza_server.domain.detection.evidence_life import Life, life_of
from calza_server.domain.detection.evidence_minutes import (
    ANKLE_FAULT,
    CALF_FAULT,
    CHARGING,
    SITES,
    SKIN_FAULT,
    THIGH_FAULT,
    Minutes,
)
from calza_server.domain.detection.evidence_still import long_still_of
from calza_server.domain.detection.evidence_warmth import Warmth, warmth_of

if TYPE_CHECKING:
    from calza_server.domain.stretches import Mask

__all__ = [
    "ANKLE_FAULT",
    "CALF_FAULT",
    "CHARGING",
    "SITES",
    "SKIN_FAULT",
    "THIGH_FAULT",
    "Evidence",
    "gather",
]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything the detector weighs, over the same minutes."""

    minutes: Minutes
    idle: Idle
    life: Life
    levels: Levels
    warmth: Warmth
    long_still: Mask


def gather(minutes: Minutes) -> Evidence:
    """Read the evidence off the minutes."""
    idle = idle_of(minutes)
    life = life_of(minutes, idle)
    levels = levels_of(minutes, idle, life)
    still = np.zeros(len(minutes.present), np.bool_)
    if not bool(levels.known.all()):  # where the levels are known, life was seen nearby
        still = long_still_of(minutes, life)
    return Evidence(minutes, idle, life, levels, warmth_of(minutes, idle, levels, still), still)

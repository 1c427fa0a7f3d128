"""What the minutes of a stocking show: pressure, life and warmth, judged against this leg and this sensor themselves.

Evidence only; what it amounts to is decided in `detector`. Every figure is *our proposal*: no validated wear detector
for compression stockings has been published.
"""

from __future__ import annotations

from dataclasses import dataclass

from calza_server.domain.evidence_idle import Idle, idle_of
from calza_server.domain.evidence_levels import Levels, levels_of
from calza_server.domain.evidence_life import Life, life_of
from calza_server.domain.evidence_minutes import (
    ANKLE_FAULT,
    CALF_FAULT,
    CHARGING,
    SITES,
    SKIN_FAULT,
    THIGH_FAULT,
    Minutes,
)
from calza_server.domain.evidence_warmth import Warmth, warmth_of

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


def gather(minutes: Minutes) -> Evidence:
    """Read the evidence off the minutes."""
    idle = idle_of(minutes)
    life = life_of(minutes, idle)
    levels = levels_of(minutes, idle, life)
    return Evidence(minutes, idle, life, levels, warmth_of(minutes, idle, levels, life))

"""Pressed or idle by plain figures: samples to learn from, before anything about this stocking or this leg is known.

Good for learning what is typical, never for judging a minute: `evidence_levels` does that with what was learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.detection.evidence_minutes import Column, Minutes
    from calza_server.domain.stretches import Mask

# Our proposal, for the sites pressed second hardest and hardest, so that one broken site harms nothing.
SLACK_MMHG: Final = 5.0  # a folded stocking reads 0 to 5
FIRM_MMHG: Final = 8.0  # more than cloth lying about, less than nearly every stocking at its hardest site
BARE_MMHG: Final = 3.0  # no stocking that is on presses its second site less, within its sensor's doubt


@dataclass(frozen=True, slots=True, eq=False)
class Idle:
    """`usable`: how many sites can be read; `firm`: one is pressed; `slack`: as if lying about; `bare`: on nothing."""

    usable: npt.NDArray[np.int8]
    firm: Mask
    slack: Mask
    bare: Mask


def idle_of(minutes: Minutes) -> Idle:
    """Sort minutes by their two hardest pressed sites."""
    usable = np.isfinite(minutes.mmhg).view(np.int8).sum(axis=0, dtype=np.int8)
    second, hardest = two_hardest(minutes.mmhg)
    readable = (usable >= 2) & ~minutes.charging
    firm = hardest >= np.float32(FIRM_MMHG)
    slack = readable & ~firm & (second < np.float32(SLACK_MMHG))
    return Idle(usable, firm, slack, slack & (second < np.float32(BARE_MMHG)) & (hardest < np.float32(SLACK_MMHG)))


def two_hardest(mmhg: Column) -> tuple[Column, Column]:
    """The pressure of the site pressed second hardest and of the one pressed hardest; -inf where there is none."""
    a, b, c = np.where(np.isnan(mmhg), np.float32(-np.inf), mmhg)
    harder = np.maximum(a, b)
    return np.maximum(np.minimum(a, b), np.minimum(harder, c)), np.maximum(harder, c)

"""Signs of life: movement beyond what this sensor shows when nothing moves. No figure of any sensor is assumed.

A still object's ripple is the sensor's own noise, the same from minute to minute; a living leg's differs widely. So the
quietest of the blocks around, and what was read while the stocking hung slack, tell how loud the sensor itself can be;
what is clearly louder is movement. Where there is no ripple, the steps from one minute's pressures to the next say the
same, less well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.baseline import Figures, Sorted, least_around, means, median_around
from calza_server.domain.evidence_minutes import AROUND_BLOCKS, BLOCK_MIN, Column, Minutes
from calza_server.domain.stretches import Mask, WindowMeans, seen_near

if TYPE_CHECKING:
    from calza_server.domain.evidence_idle import Idle

# Every figure is our proposal.
LEAST_SAMPLE_MIN: Final = 15  # fewer minutes show neither a level nor its spread
QUIET_SHARE: Final = 0.2  # the quietest fifth of a block is still, whoever wears it ...
QUIETEST_SHARE: Final = 0.02  # ... and its distance from the quietest minutes shows how much stillness varies
SPREADS: Final = 4.0  # the fifth of normal noise lies 1.2 sd above its fiftieth, so this is 4 sd above the middle
LOUDER: Final = 1.15  # ... and never less than so much: 600 samples know their deviation to 3 %
RESOLUTION_MMHG: Final = 0.11  # one step of the record (0.1), which a steady figure may flicker by
UNHEARD_MMHG: Final = 0.02  # no ripple at all: the channel holds movement alone, or is dead; no noise can be learned

IDLE_AT_LEAST_MIN: Final = 3
IDLE_EDGE_MIN: Final = 3  # hands are on the stocking at both ends of its being slack
OVER_IDLE: Final = 1.06  # the mean of a life window knows its level to 1 %, that of the idle minutes to 2 %
OVER_IDLE_MMHG: Final = 0.04

RESTLESS_SHARE: Final = (
    0.09  # the middle three fifths of a still block span 5 %; a leg's small movements alone 40 % ...
)
RESTLESS_MMHG: Final = 0.14  # ... and one step of the record may be added

SCATTER_MIN: Final = 5  # a bout of walking is about as long; no single step may pass for it
SCATTER_OVER_QUIET: Final = 6.5  # the squares of so many minutes' noise exceed their quiet fifth so far once in months
STRONG_MMHG: Final = 1.8  # walking on a leg; a pocket or a washing bowl moves a loose stocking by half as much
HANDS_MMHG: Final = 3.0  # more than walking: the pressure itself comes or goes within the minute
LIFE_WINDOW_MIN: Final = 15
LIFE_TIMES: Final = 3  # one lively minute may be a door slammed


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """Where the minutes show movement.

    `lively`: more than this sensor's noise in this minute; `near`: several times around it; `sure`: as `near`, by the
    strictest comparison alone, for saying that there was none; `strong`: walking; `hands`: handling. `idle_mmhg`: the ripple while slack, per block.
    """

    lively: Mask
    near: Mask
    sure: Mask
    strong: Mask
    hands: Mask
    idle_mmhg: Figures


def life_of(minutes: Minutes, idle: Idle) -> Life:
    """Learn the sensor's noise and find what exceeds it."""
    heard = minutes.ripple > np.float32(UNHEARD_MMHG)
    noise = Sorted(minutes.ripple[None], heard[None])
    quietest, quiet, middle, loud = (
        noise.at(share, at_least=LEAST_SAMPLE_MIN)[0] for share in (QUIETEST_SHARE, QUIET_SHARE, 0.5, 1.0 - QUIET_SHARE)
    )
    bar = np.maximum(quiet * np.float32(LOUDER), quiet + np.float32(SPREADS) * (quiet - quietest))
    strict = _beyond(minutes.ripple, least_around(bar, AROUND_BLOCKS) + np.float32(RESOLUTION_MMHG))
    unread = minutes.present & np.isnan(minutes.ripple)
    if bool(unread.any()):
        strict |= unread & _scatter(minutes)

    idle_mmhg = median_around(
        means(minutes.ripple, _settled_idle(minutes, idle), at_least=IDLE_AT_LEAST_MIN), AROUND_BLOCKS
    )
    index = np.arange(len(heard))
    half = LIFE_WINDOW_MIN // 2
    level = WindowMeans(minutes.ripple, np.isfinite(minutes.ripple)).over(index - half, index + half + 1, half)
    over_idle = _beyond(level.astype(np.float32), idle_mmhg * np.float32(OVER_IDLE) + np.float32(OVER_IDLE_MMHG))
    apart = np.float32(RESTLESS_SHARE) * middle + np.float32(RESTLESS_MMHG)
    restless = np.isnan(idle_mmhg) & (loud - quiet >= apart)
    varied = _beyond(minutes.ripple, np.where(restless, middle, np.float32(np.inf)))
    lively = strict | over_idle | varied
    quiet_mmhg = least_around(quiet, AROUND_BLOCKS)
    return Life(
        lively=lively,
        near=_several(lively),
        sure=_several(strict),
        strong=_in_excess(minutes.ripple, quiet_mmhg, STRONG_MMHG),
        hands=_in_excess(minutes.ripple, quiet_mmhg, HANDS_MMHG),
        idle_mmhg=idle_mmhg,
    )


def _several(mask: Mask) -> Mask:
    return seen_near(mask, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)


def _settled_idle(minutes: Minutes, idle: Idle) -> Mask:
    """Slack for a while, away from the hands at both ends."""
    inside = idle.slack
    for shift in (-IDLE_EDGE_MIN, IDLE_EDGE_MIN):
        inside = inside & np.roll(idle.slack, shift)
    return inside & np.isfinite(minutes.ripple)


def _in_excess(ripple: Column, quiet_mmhg: Figures, mmhg: float) -> Mask:
    """Where the movement beyond the sensor's own noise is so much, as root mean square."""
    return _beyond(ripple, np.hypot(np.nan_to_num(quiet_mmhg), np.float32(mmhg)) + np.float32(RESOLUTION_MMHG))


def _beyond(values: Column, bars: Figures) -> Mask:
    above: Mask = (values.reshape(-1, BLOCK_MIN) >= bars[:, None]).ravel()  # NaN is beyond nothing
    return above


def _scatter(minutes: Minutes) -> Mask:
    """The sites' squared steps from minute to minute, averaged for a while, against the quietest of the blocks around."""
    steps = np.full_like(minutes.mmhg, np.nan)
    steps[:, 1:] = np.diff(minutes.mmhg, axis=-1)
    read = np.isfinite(steps)
    squares = np.where(read, steps, np.float32(0.0)) ** 2
    step = squares.sum(axis=0) / read.sum(axis=0)
    index = np.arange(len(step))
    half = SCATTER_MIN // 2

    def lately(values: Column) -> Column:
        window = WindowMeans(values, np.isfinite(values))
        return window.over(index - half, index + half + 1, half).astype(np.float32)

    level = lately(step)
    quiet = Sorted(level[None], np.isfinite(level)[None]).at(QUIET_SHARE, at_least=LEAST_SAMPLE_MIN)[0]
    bar = np.float32(SCATTER_OVER_QUIET) * least_around(quiet, AROUND_BLOCKS) + np.float32(RESOLUTION_MMHG**2)
    capped = np.minimum(step.reshape(-1, BLOCK_MIN), np.float32(SCATTER_MIN / 2) * bar[:, None]).ravel()
    return _beyond(lately(capped), bar)

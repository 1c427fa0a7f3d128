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

from calza_server.domain.detection.baseline import Figures, Sorted, by_minute, least_around, means, median_around
from calza_server.domain.detection.evidence_minutes import AROUND_BLOCKS, BLOCK_MIN, Column, Minutes
from calza_server.domain.stretches import Mask, moving_mean, seen_near

if TYPE_CHECKING:
    from calza_server.domain.detection.evidence_idle import Idle

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

MONOTONOUS_TAIL: Final = 0.05
MONOTONOUS_SHARE: Final = 0.10  # between the quietest and the loudest twentieth lie 3.3 sd, which is 10 % ...
MONOTONOUS_STEP_MMHG: Final = 0.06  # ... and a good half of a step of the record
MONOTONOUS_MMHG: Final = 0.15  # ... or little more than a step
RESTLESS_SHARE: Final = 0.09  # the middle three fifths of a still block span 5 %, of a moving leg's 40 % ...
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

    `lively`: more than this sensor's noise in this minute; `near`: several times around it; `strong`: as in walking;
    `hands`: as when handled; `monotonous`: nothing but one sensor's noise for hours. `idle_mmhg`: the ripple while
    slack, per block.
    """

    lively: Mask
    near: Mask
    strong: Mask
    hands: Mask
    idle_mmhg: Figures
    monotonous: Mask


def life_of(minutes: Minutes, idle: Idle) -> Life:
    """Learn the sensor's noise and find what exceeds it."""
    heard = minutes.ripple > np.float32(UNHEARD_MMHG)
    noise = Sorted(minutes.ripple[None], heard[None])
    quietest, quiet, middle, loud = (
        noise.at(share, at_least=LEAST_SAMPLE_MIN)[0] for share in (QUIETEST_SHARE, QUIET_SHARE, 0.5, 1.0 - QUIET_SHARE)
    )
    bar = np.maximum(quiet * np.float32(LOUDER), quiet + np.float32(SPREADS) * (quiet - quietest))
    lively = _beyond(minutes.ripple, least_around(bar, AROUND_BLOCKS) + np.float32(RESOLUTION_MMHG))
    unread = minutes.present & np.isnan(minutes.ripple)
    if bool(unread.any()):
        lively |= unread & _scatter(minutes)

    idle_mmhg = means(minutes.ripple, _settled_idle(minutes, idle), at_least=IDLE_AT_LEAST_MIN)
    idle_mmhg = median_around(idle_mmhg, AROUND_BLOCKS)
    lively |= _beyond_idle(minutes.ripple, idle_mmhg)
    apart = np.float32(RESTLESS_SHARE) * middle + np.float32(RESTLESS_MMHG)
    restless = np.isnan(idle_mmhg) & (loud - quiet >= apart)  # with no idle minute to compare, by its variety alone
    lively |= _beyond(minutes.ripple, np.where(restless, np.float32(0.5) * (quiet + loud), np.float32(np.inf)))
    quiet_mmhg = least_around(quiet, AROUND_BLOCKS)
    return Life(
        lively=lively,
        near=seen_near(lively, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES),
        strong=_in_excess(minutes.ripple, quiet_mmhg, STRONG_MMHG),
        hands=_in_excess(minutes.ripple, quiet_mmhg, HANDS_MMHG),
        idle_mmhg=idle_mmhg,
        monotonous=by_minute(_monotonous(noise, middle)),
    )


def _monotonous(noise: Sorted, middle: Figures) -> Mask:
    """Blocks in and beside which the ripple never strayed from the noise of one and the same sensor at rest."""
    span = noise.at(1.0 - MONOTONOUS_TAIL, at_least=1)[0] - noise.at(MONOTONOUS_TAIL, at_least=1)[0]
    allowed = np.maximum(
        np.float32(MONOTONOUS_SHARE) * middle + np.float32(MONOTONOUS_STEP_MMHG), np.float32(MONOTONOUS_MMHG)
    )
    strayed: Mask = span > allowed  # unknown has not strayed
    strayed[1:] |= strayed[:-1].copy()
    strayed[:-1] |= strayed[1:].copy()
    return ~strayed


def _beyond_idle(ripple: Column, idle_mmhg: Figures) -> Mask:
    """Where the ripple lies above that of the idle minutes for a while, by less than a single minute could tell."""
    bar = idle_mmhg * np.float32(OVER_IDLE) + np.float32(OVER_IDLE_MMHG)
    ceiling = idle_mmhg * np.float32(1.0 + 4.0 * (OVER_IDLE - 1.0)) + np.float32(3.0 * OVER_IDLE_MMHG)
    # capped, so that no burst may speak for its neighbours
    capped = np.minimum(ripple.reshape(-1, BLOCK_MIN), ceiling[:, None]).ravel()
    level = moving_mean(capped, minutes=LIFE_WINDOW_MIN, at_least=LIFE_WINDOW_MIN // 2)
    return _beyond(level, bar) & _beyond(ripple, np.float32(0.5) * (idle_mmhg + bar))


def _settled_idle(minutes: Minutes, idle: Idle) -> Mask:
    """Slack for a while, away from the hands at both ends."""
    edges = IDLE_EDGE_MIN
    inside = np.zeros(len(idle.slack), np.bool_)
    inside[edges:-edges] = idle.slack[edges:-edges] & idle.slack[2 * edges :] & idle.slack[: -2 * edges]
    return inside & np.isfinite(minutes.ripple)


def _in_excess(ripple: Column, quiet_mmhg: Figures, mmhg: float) -> Mask:
    """Where the movement beyond the sensor's own noise is so much, as root mean square."""
    return _beyond(ripple, np.hypot(np.nan_to_num(quiet_mmhg), np.float32(mmhg)) + np.float32(RESOLUTION_MMHG))


def _beyond(values: Column, bars: Figures) -> Mask:
    above: Mask = (values.reshape(-1, BLOCK_MIN) >= bars[:, None]).ravel()  # NaN is beyond nothing
    return above


def _scatter(minutes: Minutes) -> Mask:
    """Where the sites' squared steps from minute to minute exceed those of the quietest blocks around, for a while."""
    steps = np.full_like(minutes.mmhg, np.nan)
    steps[:, 1:] = np.diff(minutes.mmhg, axis=-1)
    read = np.isfinite(steps)
    squares = np.where(read, steps, np.float32(0.0)) ** 2
    step = squares.sum(axis=0) / read.sum(axis=0)
    level = _lately(step)
    quiet = Sorted(level[None], np.isfinite(level)[None]).at(QUIET_SHARE, at_least=LEAST_SAMPLE_MIN)[0]
    bar = np.float32(SCATTER_OVER_QUIET) * least_around(quiet, AROUND_BLOCKS) + np.float32(RESOLUTION_MMHG**2)
    capped = np.minimum(step.reshape(-1, BLOCK_MIN), np.float32(SCATTER_MIN / 2) * bar[:, None]).ravel()
    return _beyond(_lately(capped), bar)


def _lately(steps: Column) -> Column:
    return moving_mean(steps, minutes=SCATTER_MIN, at_least=SCATTER_MIN // 2)

"""How hard this stocking presses on this leg and how little when it lies about: the bars for pressed and for slack.

A weak garment presses less than a strong one folded up, and a sensor's zero wanders; so each site is judged between its
own two levels once they are known, and by plain figures only until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.baseline import Figures, Sorted, by_minute, median_around
from calza_server.domain.detection.evidence_idle import FIRM_MMHG, SLACK_MMHG, two_hardest
from calza_server.domain.detection.evidence_minutes import AROUND_BLOCKS, BLOCK_MIN, SITES, Column, Minutes
from calza_server.domain.stretches import Mask

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.detection.evidence_idle import Idle
    from calza_server.domain.detection.evidence_life import Life

# Every figure is our proposal.
LEAST_SAMPLE_MIN: Final = 20  # fewer lively minutes may be hands
LEAST_SLACK_MIN: Final = 6  # what a short break leaves
OVER_SLACK_MMHG: Final = 3.0  # above its own slack level a site pressed second hardest needs less to be pressed
LIKE_WEAR_SHARE: Final = 0.5  # of the most shown nearby: less was life in a pocket
# ankle, calf, thigh above what they read when slack, until the levels are known; a thigh has 20 to 60 % of the ankle
ENTER_MMHG: Final = (10.0, 10.0, 6.0)
LEAVE_MMHG: Final = 2.0  # as slack as ever: no more than this above it
ON_SHARE: Final = 0.5  # of the way from slack to worn
OFF_SHARE: Final = 0.4
OFF_AT_LEAST_MIN: Final = 10  # a stocking pulled straight for a moment is slack for less
STEADY_MIN: Final = 5
SLACK_SITES: Final = 2  # so many sites must be slack ...
LOWER_SITES: Final = 2  # ... and neither ankle nor calf may press: a thigh that presses alone is a fold
CONTRAST_AT_LEAST_MMHG: Final = 2.0  # a site whose two levels are closer tells nothing by them


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """What the pressures say. Per minute: how many sites are `usable`, `firm` (as if worn), `holding` (not slack).

    `pressed`: two sites firm, and steadily so; `slack`: two below their bars and nothing pressing; `on_leg`: pressed
    and alive by plain figures, a sample to learn from; `known`: whether both levels are; `steady`: mmHg without noise.
    Per site and block, mmHg: `zero` is the slack level, `worn` the worn one, NaN where unknown, then the two bars.
    """

    usable: npt.NDArray[np.int8]
    firm: npt.NDArray[np.int8]
    holding: npt.NDArray[np.int8]
    slack: Mask
    pressed: Mask
    on_leg: Mask
    known: Mask
    steady: Column
    zero: Figures
    worn: Figures
    on_bar: Figures
    off_bar: Figures


def levels_of(minutes: Minutes, idle: Idle, life: Life) -> Levels:
    """Learn the levels and judge each site by them."""
    mmhg = minutes.mmhg
    read = np.isfinite(mmhg)
    slack_mmhg = median_around(Sorted(mmhg, idle.slack & read).at(0.5, at_least=LEAST_SLACK_MIN), AROUND_BLOCKS)
    zero = np.where(np.isnan(slack_mmhg), np.float32(0.0), slack_mmhg)
    above = np.maximum(zero, np.float32(0.0))
    second, hardest = two_hardest(mmhg - by_minute(above))
    zeroed = np.isfinite(slack_mmhg).sum(axis=0) >= SLACK_SITES
    second_bar = np.where(zeroed, np.float32(OVER_SLACK_MMHG), np.float32(SLACK_MMHG))
    on_leg = life.near & (second >= by_minute(second_bar)) & (hardest >= np.float32(FIRM_MMHG))
    shown_mmhg = Sorted(mmhg, on_leg & read).at(0.5, at_least=LEAST_SAMPLE_MIN)
    worn_mmhg = median_around(shown_mmhg, AROUND_BLOCKS, of_most=LIKE_WEAR_SHARE)
    contrast = worn_mmhg - zero
    known = contrast >= np.float32(CONTRAST_AT_LEAST_MMHG)
    enter = above + np.array(ENTER_MMHG, np.float32)[:, None]
    leave = np.maximum(above + np.float32(LEAVE_MMHG), np.float32(SLACK_MMHG))
    on_bar = np.where(known, zero + np.float32(ON_SHARE) * contrast, enter)
    off_bar = np.where(known, zero + np.float32(OFF_SHARE) * contrast, leave)
    steady = _steady(mmhg)
    firm_sites, steady_sites = _at_least(mmhg, on_bar), _at_least(steady, on_bar)
    firm, steady_firm = _count(firm_sites), _count(steady_sites)
    holding = _count(_at_least(mmhg, off_bar))
    loose = (idle.usable - holding >= SLACK_SITES) & ~firm_sites[:LOWER_SITES].any(axis=0)
    steady_loose = idle.usable - _count(_at_least(steady, off_bar)) >= SLACK_SITES
    steady_loose &= ~steady_sites[:LOWER_SITES].any(axis=0)
    return Levels(
        usable=idle.usable,
        firm=firm,
        holding=holding,
        slack=(loose | steady_loose) & (firm < 2),
        pressed=(firm >= 2) & (steady_firm >= 2),
        on_leg=on_leg,
        known=by_minute(_count(known) >= 2),
        steady=steady,
        zero=zero,
        worn=worn_mmhg,
        on_bar=on_bar,
        off_bar=off_bar,
    )


def _steady(mmhg: Column) -> Column:
    """Each minute's mean with its neighbours, so that a noisy minute is not taken for a tug; as read beside a hole."""
    total = mmhg.copy()
    for shift in range(1, STEADY_MIN // 2 + 1):
        total[:, shift:] += mmhg[:, :-shift]
        total[:, :-shift] += mmhg[:, shift:]
    total /= np.float32(STEADY_MIN)
    for end in (slice(None, STEADY_MIN // 2), slice(-(STEADY_MIN // 2), None)):
        total[:, end] = np.nan
    np.copyto(total, mmhg, where=np.isnan(total))
    return total


def _at_least(mmhg: Column, bars: Figures) -> Mask:
    blocks = mmhg.reshape(len(SITES), -1, BLOCK_MIN)
    above: Mask = (blocks >= bars[..., None]).reshape(mmhg.shape)
    return above


def _count(masks: Mask) -> npt.NDArray[np.int8]:
    a, b, c = masks.view(np.int8)
    count: npt.NDArray[np.int8] = a + b + c
    return count

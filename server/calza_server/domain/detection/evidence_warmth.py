"""Warmth: a leg's, or that of what surrounds the stocking; each against what this stocking itself has shown nearby.

A fixed threshold is known to be wrong by hours a day, in both directions. The plain figures below only say what no leg
is, and which warmth needs no witness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.baseline import Figures, Sorted, by_minute, median_around
from calza_server.domain.detection.evidence_minutes import AROUND_BLOCKS, BLOCK_MIN, Column, Minutes
from calza_server.domain.stretches import Mask, held_since, moving_mean

if TYPE_CHECKING:
    from calza_server.domain.detection.evidence_idle import Idle
    from calza_server.domain.detection.evidence_levels import Levels

# Every figure is our proposal.
LEAST_SAMPLE_MIN: Final = 20
STEADY_MIN: Final = 9
COOLING_MIN: Final = 40  # a garment taken off is still warm for so long: two time constants of the slowest sensor
BASELINE_BELOW_C: Final = 4.0
BASELINE_ABOVE_C: Final = 5.0
OVER_SURROUNDINGS_C: Final = 4.0
CONTRAST_C: Final = 1.5  # warmer than its surroundings by so much needs no further witness
SURE_LEG_C: Final = (28.0, 37.0)  # bare 31.2 +/- 1.2, at the warmest 34.8 +/- 1.0: believable without contrast
COLDEST_LEG_C: Final = 21.0  # thin clothing in winter: 22 to 27; believable only if nothing contradicts it
HOTTEST_LEG_C: Final = 41.0  # warmer is a radiator or a parked car
FAR_BELOW_BASELINE_C: Final = 6.0
NEAR_SURROUNDINGS_SHARE: Final = 0.35  # of the way from the surroundings to the leg: clearly nearer to the former
LIKE_SURROUNDINGS_C: Final = 1.0
WARMING_MIN: Final = 10  # a stocking just put on is still cold, but it warms by more than a room does ...
WARMING_C: Final = 0.5  # ... in so many minutes
TELLING_CONTRAST_C: Final = 3.0  # surroundings and leg less apart tell nothing by nearness
COLD_IN_ANY_ROOM_C: Final = 20.0  # with no baseline: below what a leg under a stocking is, even in winter


@dataclass(frozen=True, slots=True, eq=False)
class Warmth:
    """`warm`: as this leg would be; `cold`: clearly not a leg's; `warming`: about to rise as no room does.

    `steady`: the warmth without its noise. `leg_c` and `room_c`: what was learned of leg and surroundings, per block;
    `leg_known`: whether there is the former.
    """

    usable: Mask
    warm: Mask
    cold: Mask
    warming: Mask
    leg_known: Mask
    steady: Column
    leg_c: Figures
    room_c: Figures


def warmth_of(minutes: Minutes, idle: Idle, levels: Levels, long_still: Mask) -> Warmth:
    """Learn leg and surroundings, and judge each minute's warmth by them."""
    usable = np.isfinite(minutes.skin)
    room_c = _learned(minutes.skin, usable & held_since(idle.slack, COOLING_MIN))
    shown_c = _learned(minutes.skin, usable & levels.on_leg)
    leg_c = _believable(shown_c, room_c)
    skin = minutes.skin.reshape(-1, BLOCK_MIN)
    leg, room = leg_c[:, None], room_c[:, None]
    warm = (skin >= leg - np.float32(BASELINE_BELOW_C)) & (skin <= leg + np.float32(BASELINE_ABOVE_C))
    warm |= skin >= room + np.float32(OVER_SURROUNDINGS_C)
    warm &= skin <= np.float32(HOTTEST_LEG_C)
    risen = _risen(minutes.skin)
    warming = np.zeros(len(risen), np.bool_)
    warming[: -WARMING_MIN - 1] = risen[WARMING_MIN + 1 :]
    return Warmth(
        usable=usable,
        warm=warm.ravel(),
        cold=_cold(minutes, long_still, risen, shown_c[:, None], room),
        warming=warming,
        leg_known=by_minute(np.isfinite(leg_c)),
        steady=moving_mean(minutes.skin, minutes=STEADY_MIN, at_least=1),
        leg_c=leg_c,
        room_c=room_c,
    )


def _learned(skin: Column, among: Mask) -> Figures:
    return median_around(Sorted(skin[None], among[None]).at(0.5, at_least=LEAST_SAMPLE_MIN)[0], AROUND_BLOCKS)


def _believable(shown: Figures, room: Figures) -> Figures:
    """A baseline taken in a shaking car boot must not pass for a leg's: it is sure, stands out, or has no witness."""
    sure = (shown >= np.float32(SURE_LEG_C[0])) & (shown <= np.float32(SURE_LEG_C[1]))
    possible = (shown >= np.float32(COLDEST_LEG_C)) & (shown <= np.float32(HOTTEST_LEG_C))
    stands_out = ~(np.abs(shown - room) < np.float32(CONTRAST_C))  # nor is what lay somewhere warmer a witness
    return np.where(sure | (possible & stands_out), shown, np.float32(np.nan))


def _cold(minutes: Minutes, long_still: Mask, risen: Mask, shown: Figures, room: Figures) -> Mask:
    """`shown`: the warmth at which life was seen, believed or not: what resembles it is not clearly something else."""
    skin = minutes.skin.reshape(-1, BLOCK_MIN)
    contrast = shown - room
    cold = skin < shown - np.float32(FAR_BELOW_BASELINE_C)
    near_room = skin < room + np.float32(NEAR_SURROUNDINGS_SHARE) * contrast
    cold |= (contrast >= np.float32(TELLING_CONTRAST_C)) & near_room
    no_leg = np.isnan(shown)
    cold |= no_leg & (skin < np.minimum(room + np.float32(LIKE_SURROUNDINGS_C), np.float32(SURE_LEG_C[0])))
    cold |= no_leg & np.isnan(room) & (skin < np.float32(COLD_IN_ANY_ROOM_C))
    cold |= no_leg & long_still.reshape(skin.shape) & (skin < np.float32(SURE_LEG_C[0]))
    return (cold.ravel() & ~risen) | (minutes.skin > np.float32(HOTTEST_LEG_C + 1.0))


def _risen(skin: Column) -> Mask:
    """Minutes by which the warmth rose more than a room's does, twice over lest noise be taken for it."""
    risen = np.zeros(len(skin), np.bool_)
    rises = skin[WARMING_MIN:] >= skin[:-WARMING_MIN] + np.float32(WARMING_C)
    risen[WARMING_MIN + 1 :] = rises[1:] & rises[:-1]
    return risen

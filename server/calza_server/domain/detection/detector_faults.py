"""Sensors that have died without saying so: slack readings on a warm leg, and one silent site beside two that press.

A flag would be better; a recording from elsewhere has none. Knows no states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.baseline import by_minute
from calza_server.domain.detection.detector_segments import MEMORY_MIN
from calza_server.domain.detection.evidence_minutes import BLOCK_MIN, SITES
from calza_server.domain.stretches import Mask, held_for, last_true

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.detection.evidence import Evidence

# Every figure is our proposal.
DEAD_SHARE: Final = 0.5  # of what this sensor shows while slack: no working sensor is so much quieter than itself
DEAD_FLAT_MIN: Final = 20  # for so long without its noise, and without the cooling that taking off brings
COOLED_C: Final = 1.5
COOLED_SHARE: Final = 0.25  # ... or so much of the way to the surroundings, where those are near
TELLING_CONTRAST_C: Final = 3.0  # where leg and surroundings are closer, staying warm says nothing
LIKE_THE_LEG_C: Final = 2.5
SILENT_SITE_MIN: Final = 30


def dead_on_the_leg(seen: Evidence) -> Mask:
    """Slack minutes in which nothing is heard, not even the sensor's noise, while the leg's warmth goes on."""
    leg_c, skin = by_minute(seen.warmth.leg_c), seen.minutes.skin
    contrast = leg_c - by_minute(seen.warmth.room_c)
    unheard = seen.minutes.ripple < by_minute(np.float32(DEAD_SHARE) * seen.life.idle_mmhg)
    suspect = seen.levels.slack & unheard & (np.abs(skin - leg_c) <= np.float32(LIKE_THE_LEG_C))
    suspect &= ~(contrast < np.float32(TELLING_CONTRAST_C))  # unknown surroundings contradict nothing
    suspect = held_for(suspect, DEAD_FLAT_MIN)
    if not bool(suspect.any()):
        return suspect
    last_pressed = last_true(~seen.levels.slack)
    for off in np.unique(last_pressed[suspect]).tolist():
        until = _cooled_at(seen, off)
        suspect[until : off + MEMORY_MIN] &= last_pressed[until : off + MEMORY_MIN] != off
    return suspect


def _cooled_at(seen: Evidence, off: int) -> int:
    """When, within the memory, the warmth of just before `off` was lost; the memory's end if it was not."""
    end = off + MEMORY_MIN
    skin = seen.minutes.skin
    before = skin[max(0, off - 10) : max(0, off + 1)]
    if not np.isfinite(before).any():
        return end
    block = off // BLOCK_MIN
    contrast = float(seen.warmth.leg_c[block] - seen.warmth.room_c[block])
    drop_c = COOLED_C if np.isnan(contrast) else min(COOLED_C, COOLED_SHARE * contrast)
    colder = np.flatnonzero(skin[off:end] < np.nanmax(before) - np.float32(drop_c))
    return off + int(colder[0]) if len(colder) else end


def silent_sites(seen: Evidence, worn: Mask) -> npt.NDArray[np.uint8]:
    """MinuteFlag bits of an ankle or calf that reads as if off the leg while the two other sites press on it."""
    flags = np.zeros(len(worn), np.uint8)
    low = worn & (seen.levels.holding == 2) & (seen.levels.usable == len(SITES))
    if not bool(low.any()):
        return flags
    for site in range(2):  # a thigh that presses on nothing is a stocking rolled down
        bars = by_minute(seen.levels.off_bar[site])
        flags[held_for(low & (seen.minutes.mmhg[site] < bars), SILENT_SITE_MIN)] |= SITES[site]
    return flags

"""The wear detector: from the evidence in the minutes to worn, not worn or unknown. Knows no orders and no people.

*Entering* worn needs pressure at two sites, warmth and life together; *staying* worn needs only that the pressure
holds, because a still sleeper shows little life. Not worn is slackness for a while, or coldness without life for a
while, or the charger. Anything between is unknown: a tie falls to neither side. The figures are our proposal.

A minute's state depends on no reading farther from it than REACH_MIN: see `redetect`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.detector_faults import dead_on_the_leg, silent_sites
from calza_server.domain.detection.detector_segments import FIRM_MEMORY_MIN, MEMORY_MIN, segments_of
from calza_server.domain.detection.detector_wear import EDGE_MEMORY_MIN, LOOK_BACK_MIN, wear_in
from calza_server.domain.detection.evidence import Evidence, gather
from calza_server.domain.detection.evidence_levels import OFF_AT_LEAST_MIN
from calza_server.domain.detection.evidence_life import LIFE_TIMES, LIFE_WINDOW_MIN
from calza_server.domain.detection.evidence_minutes import AROUND_BLOCKS, BLOCK_MIN, Minutes
from calza_server.domain.detection.evidence_warmth import SURE_LEG_C
from calza_server.domain.states import Reason
from calza_server.domain.stretches import Mask, held_for, last_true, next_true, seen_near

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.recording.grid import MinuteGrid

DETECTOR_VERSION: Final = "calza-detector-2"

# Every figure here is our proposal.
ONE_SITE_AT_MOST_MIN: Final = 10  # a single pressed site for longer is not a worn stocking
COLD_AND_STILL_MIN: Final = 30

REACH_MIN: Final = 2 * (AROUND_BLOCKS + 1) * BLOCK_MIN + MEMORY_MIN + FIRM_MEMORY_MIN + EDGE_MEMORY_MIN + 180
"""A minute's state depends on no reading farther away, to either side: figures learned from blocks, twice over, then
what is remembered of wear, of pressure and of warmth, and three hours for all that looks minutes far. Four days."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """State and reason of every minute of a grid (`State`, `Reason` values), and the sites not to be trusted."""

    state: npt.NDArray[np.uint8]
    reason: npt.NDArray[np.uint8]
    faulty_sites: npt.NDArray[np.uint8]


STATE_OF: Final = np.array([reason // 10 for reason in range(30)], np.uint8)  # unknown 0-9, worn 10-19, not worn 20-29


def detect(grid: MinuteGrid) -> Detection:
    """Judge every minute of a grid; a pure function of it."""
    if not len(grid):
        return Detection(np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.uint8))
    with np.errstate(invalid="ignore"):  # NaN compares as False, which is what a missing reading is worth
        minutes = Minutes.of(grid)
        reason, faulty = _judged(gather(minutes), minutes)
    reason = reason[minutes.inner]
    reason[~grid.present & grid.clock_lost] = Reason.CLOCK_UNTRUSTED
    return Detection(STATE_OF[reason], reason, faulty[minutes.inner])


def _judged(seen: Evidence, minutes: Minutes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Reason, which says the state too, and sites not to be trusted, per minute."""
    life, levels, warmth = seen.life, seen.levels, seen.warmth
    segments = segments_of(seen)
    lifeless = minutes.present & warmth.cold & ~life.near
    lifeless[segments.broken] = False  # what was cold before a change does not speak for what came after
    cold_inside = held_for(lifeless & segments.inside, COLD_AND_STILL_MIN)
    cold_outside = held_for(lifeless & ~segments.inside, COLD_AND_STILL_MIN)
    wear = wear_in(seen, segments, cold_inside)
    low_and_still = seen.long_still & ~seen.idle.firm & ~levels.known & (levels.usable >= 2)
    slack = held_for(levels.slack, OFF_AT_LEAST_MIN) | low_and_still
    one_site = held_for(segments.inside & (levels.holding < 2), ONE_SITE_AT_MOST_MIN)

    reason = np.full(len(minutes.present), Reason.AMBIGUOUS, np.uint8)
    for mask, its_reason in (  # later lines overrule earlier ones
        (wear.worn, Reason.ON_LEG),
        (wear.worn & wear.by_likeness, Reason.SAME_AS_BEFORE_GAP),
        (one_site, Reason.AMBIGUOUS),
        (levels.usable < 2, Reason.SENSOR_FAULT),
        (cold_inside | cold_outside | wear.never_a_leg, Reason.NOT_A_LEG),
        (slack, Reason.NO_PRESSURE),
        (slack & (_contradicted(seen) | _moving(seen)), Reason.AMBIGUOUS),
        (slack & dead_on_the_leg(seen), Reason.SENSOR_FAULT),
        (minutes.charging, Reason.CHARGING),
        (~minutes.present, Reason.NO_DATA),
    ):
        np.copyto(reason, np.uint8(its_reason), where=mask)
    return reason, minutes.faulty | silent_sites(seen, wear.worn)


def _contradicted(seen: Evidence) -> Mask:
    """Slack, but warm as the leg and moving strongly: the sites, or the leg, must be wrong."""
    strong = seen.levels.slack & seen.life.strong
    return seen.warmth.warm & seen_near(strong, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)


def _moving(seen: Evidence) -> Mask:
    """Low but not bare, and moving, while nothing tells how low this stocking is when worn: a pocket, or a weak one.

    A weak stocking on a sleeper neither presses nor moves: as long as it stays as warm as a leg, it is what it was when
    it moved last, or will next.
    """
    low = ~seen.idle.bare & ~seen.levels.known
    low_and_moving = low & seen.life.near
    if not bool(low_and_moving.any()):
        return low_and_moving
    skin = seen.minutes.skin
    body = low & (skin >= np.float32(SURE_LEG_C[0])) & (skin <= np.float32(SURE_LEG_C[1]))
    moving = body & low_and_moving
    index = np.arange(len(body), dtype=np.int32)
    last, following = last_true(moving), next_true(moving)
    asleep_since = (last > last_true(~body)) & (index - last <= LOOK_BACK_MIN)
    asleep_until = (following < next_true(~body)) & (following - index <= LOOK_BACK_MIN)
    return low_and_moving | (body & (asleep_since | asleep_until))

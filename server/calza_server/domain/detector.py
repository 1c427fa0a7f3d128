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

from calza_server.domain.detector_edges import handled
from calza_server.domain.detector_faults import dead_on_the_leg, silent_sites
from calza_server.domain.detector_gaps import matched_before
from calza_server.domain.detector_segments import MEMORY_MIN, Segments, interior, seen_within, segments_of
from calza_server.domain.evidence import Evidence, gather
from calza_server.domain.evidence_levels import OFF_AT_LEAST_MIN
from calza_server.domain.evidence_life import LIFE_TIMES, LIFE_WINDOW_MIN
from calza_server.domain.evidence_minutes import Minutes
from calza_server.domain.states import Reason, State
from calza_server.domain.stretches import Mask, WindowMeans, held_for, last_true, next_true, seen_near, spans

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.grid import MinuteGrid

DETECTOR_VERSION: Final = "calza-detector-2"

# Every figure here is our proposal.
LOOK_BACK_MIN: Final = 720  # a night: what wakes alive and warm was worn asleep
WARM_UP_AT_MOST_MIN: Final = (
    60  # three time constants of the slowest sensor; before that a cold stretch is not the leg's
)
SHORTEST_WEAR_MIN: Final = 5  # kneading in the hands is warm, lively and pressed, but short
HANDS_MIN: Final = 3  # movement so near the ends of a segment may be the hands that made it
ONE_SITE_AT_MOST_MIN: Final = 10  # a single pressed site for longer is not a worn stocking
COLD_AND_STILL_MIN: Final = 30
COOLED_WITHIN_MIN: Final = 120  # what is found cold and still so soon after the last life was taken off in between
EDGE_C: Final = 1.5  # the step in warmth when a stocking goes on or comes off
EDGE_SAMPLE_MIN: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """State and reason of every minute of a grid (`State`, `Reason` values), and the sites not to be trusted."""

    state: npt.NDArray[np.uint8]
    reason: npt.NDArray[np.uint8]
    faulty_sites: npt.NDArray[np.uint8]


def detect(grid: MinuteGrid) -> Detection:
    """Judge every minute of a grid; a pure function of it."""
    if not len(grid):
        return Detection(np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.uint8))
    with np.errstate(invalid="ignore"):  # NaN compares as False, which is what a missing reading is worth
        minutes = Minutes.of(grid)
        state, reason, faulty = _judged(gather(minutes), minutes)
    inner = minutes.inner
    state, reason = state[inner], reason[inner]
    reason[~grid.present & grid.clock_lost] = Reason.CLOCK_UNTRUSTED
    return Detection(state, reason, faulty[inner])


def _judged(
    seen: Evidence, minutes: Minutes
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    life, levels, warmth = seen.life, seen.levels, seen.warmth
    segments = segments_of(seen)
    lifeless = minutes.present & warmth.cold & ~life.sure
    lifeless[segments.broken] = False  # what was cold before a change does not speak for what came after
    cold_and_still = held_for(lifeless & segments.inside, COLD_AND_STILL_MIN)
    cold_and_still |= held_for(lifeless & ~segments.inside, COLD_AND_STILL_MIN)
    worn, by_likeness, never_a_leg = _judge_segments(seen, segments, cold_and_still)
    slack = held_for(levels.slack, OFF_AT_LEAST_MIN)
    one_site = held_for(segments.inside & (levels.holding < 2), ONE_SITE_AT_MOST_MIN)

    state = np.full(len(minutes.present), State.UNKNOWN, np.uint8)
    reason = np.full(len(minutes.present), Reason.AMBIGUOUS, np.uint8)
    for mask, its_state, its_reason in (  # later lines overrule earlier ones
        (worn, State.WORN, Reason.ON_LEG),
        (worn & by_likeness, State.WORN, Reason.SAME_AS_BEFORE_GAP),
        (one_site, State.UNKNOWN, Reason.AMBIGUOUS),
        (levels.usable < 2, State.UNKNOWN, Reason.SENSOR_FAULT),
        (cold_and_still | never_a_leg, State.NOT_WORN, Reason.NOT_A_LEG),
        (slack, State.NOT_WORN, Reason.NO_PRESSURE),
        (slack & (_contradicted(seen) | _moving(seen)), State.UNKNOWN, Reason.AMBIGUOUS),
        (slack & dead_on_the_leg(seen), State.UNKNOWN, Reason.SENSOR_FAULT),
        (minutes.charging, State.NOT_WORN, Reason.CHARGING),
        (~minutes.present, State.UNKNOWN, Reason.NO_DATA),
    ):
        state[mask] = its_state
        reason[mask] = its_reason
    return state, reason, minutes.faulty | silent_sites(seen, worn)


def _judge_segments(seen: Evidence, segments: Segments, cold_and_still: Mask) -> tuple[Mask, Mask, Mask]:
    """Minutes worn, those of them worn only by likeness to before a gap, and minutes surely never on a leg."""
    n = len(segments.inside)
    if not len(segments):
        nothing = np.zeros(n, np.bool_)
        return nothing, nothing, nothing
    index = np.arange(n, dtype=np.int32)
    inside, of = segments.inside, segments.of
    starts, ends = segments.starts.astype(np.int32), segments.ends.astype(np.int32)
    start_of, end_of = starts[of], ends[of]
    moved = seen.life.lively & interior(segments, HANDS_MIN)
    alive = seen_within(segments, moved, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)
    long_enough = ends - starts >= SHORTEST_WEAR_MIN
    thermal = seen.warmth.warm | _warmth_edge(seen, segments)
    entry = alive & (seen.levels.firm >= 2) & thermal & long_enough[of]

    last_entry, next_entry = last_true(entry), next_true(entry)
    last_alive, next_alive = last_true(alive), next_true(alive)
    last_cold, next_cold = last_true(cold_and_still), next_true(cold_and_still)
    carried = (last_entry >= start_of) & (index - last_entry < MEMORY_MIN)
    to_entry = next_entry - index
    just_opened = segments.opened[of] & (index - start_of <= WARM_UP_AT_MOST_MIN)
    warming_up = (to_entry <= WARM_UP_AT_MOST_MIN) & (just_opened | seen.warmth.warming)
    foreseen = (next_entry < end_of) & (warming_up | ((to_entry <= LOOK_BACK_MIN) & seen.warmth.warm))
    moved = seen.life.lively & inside
    last_moved, next_moved = last_true(moved), next_true(moved)
    until_cold = next_cold - index
    taken_off = (last_moved < index) & (next_cold < np.minimum(next_moved, end_of)) & (until_cold <= COOLED_WITHIN_MIN)
    still_cold = (last_cold >= start_of) & (last_cold > last_alive) & (index - last_cold < MEMORY_MIN)
    yet_cold = (next_cold < end_of) & (next_cold < next_alive) & (next_cold - index < MEMORY_MIN)

    since = matched_before(seen, segments, last_entry)
    matched = inside & (index - since[of] < MEMORY_MIN)
    entered = carried | foreseen
    worn = inside & (entered | matched) & ~taken_off & ~handled(seen, segments)
    return worn, ~entered, inside & ~worn & (still_cold | yet_cold)


def _warmth_edge(seen: Evidence, segments: Segments) -> Mask:
    """Minutes of segments that began with a step up in warmth, or ended with a step down, against the slack beside."""
    starts, ends = segments.starts, segments.ends
    within = WindowMeans(seen.minutes.skin, seen.warmth.usable)
    beside = WindowMeans(seen.minutes.skin, seen.warmth.usable & seen.levels.slack)
    rise = within.over(np.minimum(starts + 10, ends), np.minimum(starts + 40, ends), EDGE_SAMPLE_MIN)
    rise -= beside.over(starts - 30, starts, EDGE_SAMPLE_MIN)
    fall = within.over(np.maximum(ends - 20, starts), ends, EDGE_SAMPLE_MIN)
    fall -= beside.over(ends + 10, ends + 40, EDGE_SAMPLE_MIN)
    n = len(segments.inside)
    risen, falling = rise >= EDGE_C, fall >= EDGE_C
    edge = spans(n, starts[risen], np.minimum(ends[risen], starts[risen] + MEMORY_MIN))
    return edge | spans(n, np.maximum(starts[falling], ends[falling] - MEMORY_MIN), ends[falling])


def _contradicted(seen: Evidence) -> Mask:
    """Slack, but warm as the leg and moving strongly: the sites, or the leg, must be wrong."""
    strong = seen.levels.slack & seen.life.strong
    return seen.warmth.warm & seen_near(strong, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)


def _moving(seen: Evidence) -> Mask:
    """Low but not bare, and moving, while nothing tells how low this stocking is when worn: a pocket, or a weak one."""
    return seen.life.near & ~seen.idle.bare & ~seen.levels.known

"""Which minutes of the pressed segments were wear: entered by pressure, warmth and life, kept until something ends it.

To enter, all three must be seen together once; to stay, the pressure must hold and the warmth not be lost. What was
seen is remembered for a day, so that a still sleeper stays worn and no minute depends on the record's far end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.detector_edges import handled
from calza_server.domain.detection.detector_gaps import matched_before
from calza_server.domain.detection.detector_segments import MEMORY_MIN, Segments, interior, seen_within
from calza_server.domain.detection.evidence_life import LIFE_TIMES, LIFE_WINDOW_MIN
from calza_server.domain.stretches import Indices, Mask, Minutes, last_true, mean_over, next_true, spans

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.detection.evidence import Evidence
    from calza_server.domain.detection.evidence_minutes import Column

# Every figure is our proposal.
LOOK_BACK_MIN: Final = 720  # a night: what wakes alive and warm was worn asleep
WARM_UP_AT_MOST_MIN: Final = 60  # three time constants of the slowest sensor; after that a leg is warm
SHORTEST_WEAR_MIN: Final = 5  # kneading in the hands is warm, lively and pressed, but short
HANDS_MIN: Final = 3  # movement so near the ends of a segment may be the hands that made it
COOLED_WITHIN_MIN: Final = 120  # what is found cold and still so soon after the last life was taken off in between
COOLED_C: Final = 2.5  # a sleeping leg is covered and keeps its warmth to 1 or 2 degC
EDGE_C: Final = 1.5  # the step in warmth when a stocking goes on or comes off
EDGE_SAMPLE_MIN: Final = 5
EDGE_MEMORY_MIN: Final = 120  # so long a step speaks for the minutes after it, or before it


@dataclass(frozen=True, slots=True, eq=False)
class Wear:
    """`worn`; `by_likeness`: if worn, then only by likeness to what was before; `never_a_leg`: a load."""

    worn: Mask
    by_likeness: Mask
    never_a_leg: Mask


def wear_in(seen: Evidence, segments: Segments, cold_and_still: Mask) -> Wear:
    """Judge the segments. `cold_and_still`: minutes of them that were no leg's for a while."""
    n = len(segments.inside)
    if not len(segments):
        nothing = np.zeros(n, np.bool_)
        return Wear(nothing, nothing, nothing)
    inside = segments.inside
    alive = seen_within(
        segments, seen.life.lively & interior(segments, HANDS_MIN), minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES
    )
    long_enough = segments.ends - segments.starts >= SHORTEST_WEAR_MIN
    thermal = seen.warmth.warm | _warmth_edge(seen, segments)
    entry = alive & (seen.levels.firm >= 2) & thermal & long_enough[segments.of]
    last_entry = last_true(entry)
    entered = _carried(segments, last_entry) | _foreseen(seen, segments, next_true(entry))
    cooled = _cooled(seen, segments, alive)
    lost = cooled | cold_and_still
    if any_lost := bool(lost.any()):
        lost = cooled | _taken_off(seen, segments, lost)
    index = np.arange(n, dtype=np.int32)
    alike = index - matched_before(seen, segments, last_entry, lost | cold_and_still)[segments.of] < MEMORY_MIN
    alike |= _amid_wear(segments, entered)[segments.of]
    worn = inside & (entered | alike) & ~lost & ~handled(seen, segments)
    never_a_leg = (
        inside & ~worn & _cold_nearby(segments, cold_and_still, alive, entered) if any_lost else np.zeros(n, np.bool_)
    )
    return Wear(worn, ~entered, never_a_leg)


def _carried(segments: Segments, last_entry: Minutes) -> Mask:
    """After an entry of the same segment."""
    index = np.arange(len(last_entry), dtype=np.int32)
    after: Mask = (last_entry >= segments.starts[segments.of]) & (index - last_entry < MEMORY_MIN)
    return after


def _foreseen(seen: Evidence, segments: Segments, next_entry: Minutes) -> Mask:
    """Before an entry of the same segment, while as warm as the leg, or warming up to it."""
    index = np.arange(len(next_entry), dtype=np.int32)
    just_opened = segments.opened[segments.of] & (index - segments.starts[segments.of] <= WARM_UP_AT_MOST_MIN)
    soon_warm = next_true(seen.warmth.warm) - index <= WARM_UP_AT_MOST_MIN
    warming_up = soon_warm & (just_opened | seen.warmth.warming)
    ahead = (next_entry < segments.ends[segments.of]) & (next_entry - index <= LOOK_BACK_MIN)
    before: Mask = ahead & (seen.warmth.warm | warming_up)
    return before


def _cooled(seen: Evidence, segments: Segments, alive: Mask) -> Mask:
    """Lifeless, no longer as warm as the leg, and colder than at the last life."""
    index = np.arange(len(alive), dtype=np.int32)
    last_alive = last_true(alive)
    cooled = segments.inside & ~alive & ~seen.warmth.warm & seen.warmth.leg_known
    cooled &= (last_alive >= segments.starts[segments.of]) & (index - last_alive < MEMORY_MIN)
    steady = seen.warmth.steady
    return cooled & (steady < steady[np.maximum(last_alive, 0)] - np.float32(COOLED_C))


def _taken_off(seen: Evidence, segments: Segments, lost: Mask) -> Mask:
    """Between the last movement and the loss of warmth: somewhere there it was taken off."""
    index = np.arange(len(lost), dtype=np.int32)
    moved = seen.life.lively & segments.inside
    next_lost = next_true(lost)
    before = next_lost < np.minimum(next_true(moved), segments.ends[segments.of])
    between: Mask = before & (last_true(moved) < index) & (next_lost - index <= COOLED_WITHIN_MIN)
    return between


def _cold_nearby(segments: Segments, cold_and_still: Mask, alive: Mask, entered: Mask) -> Mask:
    """After a cold and still time of the same segment, or before one if it was never entered, with no life between."""
    index = np.arange(len(alive), dtype=np.int32)
    last_cold, next_cold = last_true(cold_and_still), next_true(cold_and_still)
    after = (last_cold >= segments.starts[segments.of]) & (last_cold > last_true(alive))
    before = ~entered & (next_cold < np.minimum(next_true(alive), segments.ends[segments.of]))
    near: Mask = (after & (index - last_cold < MEMORY_MIN)) | (before & (next_cold - index < MEMORY_MIN))
    return near


def _amid_wear(segments: Segments, entered: Mask) -> Mask:
    """Which segments are a moment's tug: between two breaks, and worn before as well as after."""
    starts, ends = segments.starts, segments.ends
    amid = ends - starts < SHORTEST_WEAR_MIN
    amid[:1] = amid[-1:] = False
    amid[1:] &= (starts[1:] == ends[:-1]) & entered[ends[:-1] - 1]
    amid[:-1] &= (ends[:-1] == starts[1:]) & entered[starts[1:]]
    return amid


def _warmth_edge(seen: Evidence, segments: Segments) -> Mask:
    """Minutes of segments that began with a step up in warmth, or ended with a step down, against the slack beside."""
    starts, ends = segments.starts, segments.ends
    skin = seen.minutes.skin
    beside = np.where(seen.levels.slack, skin, np.float32(np.nan))

    def level(values: Column, first: Indices, end: Indices) -> npt.NDArray[np.float64]:
        return mean_over(values, first, end, at_most=30, at_least=EDGE_SAMPLE_MIN)

    rise = level(skin, np.minimum(starts + 10, ends), np.minimum(starts + 40, ends)) - level(
        beside, starts - 30, starts
    )
    fall = level(skin, np.maximum(ends - 20, starts), ends) - level(beside, ends + 10, ends + 40)
    n = len(segments.inside)
    risen, falling = rise >= EDGE_C, fall >= EDGE_C
    edge = spans(n, starts[risen], np.minimum(ends[risen], starts[risen] + EDGE_MEMORY_MIN))
    return edge | spans(n, np.maximum(starts[falling], ends[falling] - EDGE_MEMORY_MIN), ends[falling])

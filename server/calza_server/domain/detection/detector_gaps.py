"""Holes in the data and changes of shape: whether wear goes on beyond them, by likeness. Knows nothing of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.detector_segments import MEMORY_MIN
from calza_server.domain.detection.evidence_minutes import BLOCK_MIN, Column
from calza_server.domain.detection.evidence_minutes import GAP_TOLERATED_MIN as BRIDGED_MIN
from calza_server.domain.stretches import NEVER, Mask, Minutes, mean_over

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.detection.detector_segments import Segments
    from calza_server.domain.detection.evidence import Evidence

# Every figure is our proposal.
MATCH_SAMPLE_MIN: Final = 10
LEAST_SAMPLE_MIN: Final = 5
MATCH_MMHG: Final = 4.0  # posture moves a site by about as much
MATCH_SHARE: Final = 0.25
MATCH_C: Final = 2.0
UNCHANGED_MMHG: Final = 1.5  # a stocking rolled down or straightened leaves one site as it was; a load would by chance
AS_EVER_MMHG: Final = 3.0
AS_EVER_SHARE: Final = 0.2
TELLING_CONTRAST_C: Final = 3.0  # staying warm says nothing where it is as warm as the leg
COOLING_MIN: Final = 20  # by then a garment taken off has lost most of its warmth


def matched_before(seen: Evidence, segments: Segments, last_entry: Minutes, lost: Mask) -> npt.NDArray[np.int64]:
    """For each segment that goes on from the worn one before: the last minute of entry there; else far in the past.

    `last_entry` is, for each minute, the latest one of entry; `lost` are minutes whose wear had ended unseen.
    """
    since = np.full(len(segments), NEVER, np.int64)
    starts, ends = segments.starts, segments.ends
    recorded = np.concatenate(([0], np.cumsum(seen.levels.usable > 0)))
    hole = (recorded[starts[1:]] == recorded[ends[:-1]]) & (starts[1:] > ends[:-1])  # only the hole lies between
    broken = starts[1:] == ends[:-1]
    if not bool((hole | broken).any()):
        return since
    same = np.zeros(len(hole), np.bool_)
    if bool(hole.any()):
        same |= hole & _alike(seen, segments)
    if bool(broken.any()):
        same |= broken & _rearranged(seen, segments)
    same &= ~lost[np.maximum(ends - 1 - BRIDGED_MIN, starts)[:-1]]
    entered = np.where(last_entry[ends - 1] >= starts, last_entry[ends - 1], NEVER)
    for this in (np.flatnonzero(same) + 1).tolist():  # in order: one match may carry over several holes
        known = max(int(entered[this - 1]), int(since[this - 1]))
        if starts[this] - known < MEMORY_MIN:
            since[this] = known
    return since


def _alike(seen: Evidence, segments: Segments) -> npt.NDArray[np.bool_]:
    """Whether pressures and warmth after each segment's end are those of its last minutes, at the next one's start."""
    before_at, after_at = segments.ends[:-1], segments.starts[1:]
    before_from = np.maximum(before_at - MATCH_SAMPLE_MIN - BRIDGED_MIN, segments.starts[:-1])
    after_to = np.minimum(after_at + MATCH_SAMPLE_MIN, segments.ends[1:])
    like = np.zeros(len(before_at), np.int8)
    compared = np.zeros(len(before_at), np.int8)
    with np.errstate(invalid="ignore"):  # a site without a sample is not compared
        for site in seen.minutes.mmhg:
            before = _level(site, before_from, before_at)
            after = _level(site, after_at, after_to)
            compared += np.isfinite(before - after)
            like += np.abs(after - before) <= np.maximum(MATCH_MMHG, MATCH_SHARE * before)
        skin = seen.minutes.skin
        step_c = _level(skin, after_at, after_to) - _level(skin, before_from, before_at)
        alike: npt.NDArray[np.bool_] = (compared >= 2) & (like == compared) & (np.abs(step_c) <= MATCH_C)
    return alike


def _rearranged(seen: Evidence, segments: Segments) -> npt.NDArray[np.bool_]:
    """Whether after a break a site presses just as before, or two as on this leg ever, and the warmth has stayed."""
    before_at, after_at = segments.ends[:-1], segments.starts[1:]
    before_from = np.maximum(before_at - MATCH_SAMPLE_MIN - 2, segments.starts[:-1])
    after_to = np.minimum(after_at + MATCH_SAMPLE_MIN + 2, segments.ends[1:])
    unchanged = np.zeros(len(before_at), np.int8)
    as_ever = np.zeros(len(before_at), np.int8)
    with np.errstate(invalid="ignore"):
        for site, worn in zip(seen.minutes.mmhg, seen.levels.worn, strict=True):
            before = _level(site, before_from, before_at - 2)
            after = _level(site, after_at + 2, after_to)
            usual = worn[np.minimum(after_at // BLOCK_MIN, len(worn) - 1)]
            unchanged += np.abs(after - before) <= UNCHANGED_MMHG
            as_ever += np.abs(after - usual) <= np.maximum(AS_EVER_MMHG, AS_EVER_SHARE * usual)
        block = np.minimum(after_at // BLOCK_MIN, len(seen.warmth.leg_c) - 1)
        telling = seen.warmth.leg_c[block] - seen.warmth.room_c[block] >= TELLING_CONTRAST_C
        cooled = _level(seen.minutes.skin, before_at - COOLING_MIN, before_at)
        late = np.minimum(after_at + 2 * COOLING_MIN, segments.ends[1:])
        cooled -= _level(seen.minutes.skin, np.maximum(late - COOLING_MIN, after_at + COOLING_MIN // 2), late)
        goes_on: npt.NDArray[np.bool_] = ((unchanged >= 1) | (as_ever >= 2)) & (cooled <= MATCH_C) & telling
    return goes_on


def _level(values: Column, starts: npt.NDArray[np.integer], ends: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    return mean_over(values, starts, ends, at_most=COOLING_MIN, at_least=LEAST_SAMPLE_MIN)

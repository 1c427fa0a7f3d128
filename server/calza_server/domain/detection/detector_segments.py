"""Pressed segments: from where the stocking came under pressure to where it went slack, was cut off, or changed shape.

Within a segment the stocking stayed where it was, so what one minute of it proves holds for its neighbours. Knows no
warmth and no life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.detector_breaks import breaks_of
from calza_server.domain.stretches import Indices, Mask, held_for, latched, spans, stretches

if TYPE_CHECKING:
    from calza_server.domain.detection.evidence import Evidence

# Every figure is our proposal.
MEMORY_MIN: Final = 1440  # nothing is remembered for longer: a leg that is worn shows itself every day
FIRM_MEMORY_MIN: Final = 720  # what has not pressed firmly for so long is not held any more
LETTING_GO_MIN: Final = 3  # slack for less is a flicker of noise or a tug


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Each segment's [start, end), the minutes in any, and for such a minute which one it is in.

    `opened` and `closed`: segments that begin or end by pressure, and not at a hole or with the record. `broken`:
    segments that begin within pressure, see `detector_breaks`.
    """

    starts: Indices
    ends: Indices
    inside: Mask
    of: Indices
    opened: Mask
    closed: Mask
    broken: Indices

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)


def segments_of(seen: Evidence) -> Segments:
    """Find the segments."""
    levels, minutes = seen.levels, seen.minutes
    hole = levels.usable == 0  # moments are bridged, so these are the longer ones
    pressed = latched(levels.pressed, held_for(levels.slack, LETTING_GO_MIN) | minutes.charging | hole, FIRM_MEMORY_MIN)
    starts, ends = stretches(pressed)
    broken = breaks_of(seen, pressed)
    n = len(pressed)
    before, after = np.maximum(starts - 1, 0), np.minimum(ends, n - 1)
    opened = (starts > 0) & ~hole[before]
    closed = (ends < n) & ~hole[after]
    if len(broken):
        cut = np.searchsorted(starts, broken, side="right")
        starts = np.insert(starts, cut, broken)
        opened = np.insert(opened, cut, True)
        ends = np.insert(ends, cut - 1, broken)
        closed = np.insert(closed, cut - 1, True)
    opens = np.zeros(n, np.intp)
    opens[starts] = 1
    return Segments(starts, ends, pressed, np.maximum(np.cumsum(opens) - 1, 0), opened, closed, broken)


def seen_within(segments: Segments, mask: Mask, *, minutes: int, times: int) -> Mask:
    """Minutes of segments with `mask` True so often in the window around them, of which only their segment counts."""
    if not len(segments):
        return segments.inside
    total = np.zeros(len(mask) + 1, np.int32)
    np.cumsum(mask & segments.inside, out=total[1:])
    index, half = np.arange(len(mask)), minutes // 2
    low = np.maximum(index - half, segments.starts[segments.of])
    high = np.minimum(index + half + 1, segments.ends[segments.of])
    seen: Mask = segments.inside & (total[high] - total[np.minimum(low, high)] >= times)
    return seen


def interior(segments: Segments, margin: int) -> Mask:
    """Minutes of segments that are at least so far from both ends."""
    long_enough = segments.ends - segments.starts > 2 * margin
    n = len(segments.inside)
    return spans(n, segments.starts[long_enough] + margin, segments.ends[long_enough] - margin)

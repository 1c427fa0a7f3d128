"""Where wear begins and ends in a pressed segment: when the last site is in place, and when the first one leaves it.

Putting on goes from the ankle up and taking off from the thigh down, so two sites press before the third is in place.
Those minutes are handling, not wear. Knows no warmth and no life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.evidence_minutes import BLOCK_MIN
from calza_server.domain.stretches import Mask, spans

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.detection.detector_segments import Segments
    from calza_server.domain.detection.evidence import Evidence

# Every figure is our proposal.
HANDLING_AT_MOST_MIN: Final = 10  # putting on takes half a minute to five
SETTLED_AFTER_MIN: Final = 6  # by then the fabric has let go of what it was pulled past its place
SAMPLE_MIN: Final = 20
LEAST_SAMPLE_MIN: Final = 4
IN_PLACE_SHARE: Final = 0.75  # of the settled pressure: a minute that is worn for its latter half averages more
OVER_WORN_SHARE: Final = 0.15
POSTURE_MMHG: Final = 3.0  # a change of posture is more than that share of a weakly pressed site
STRAY_SDS: Final = 2.0  # walking strays further than that share; within so much of its own scatter it is in place ...
IN_PLACE_AT_LEAST: Final = 0.5  # ... but never below half


def handled(seen: Evidence, segments: Segments) -> Mask:
    """Minutes of segments in which the stocking was still being put on, or already being taken off."""
    n = len(segments.inside)
    first = segments.starts + _until_in_place(seen, segments, segments.starts, segments.ends, 1) * segments.opened
    last = segments.ends - _until_in_place(seen, segments, segments.ends - 1, segments.starts - 1, -1) * segments.closed
    opening, closing = first > segments.starts, (last < segments.ends) & (last >= first)
    at_start = spans(n, segments.starts[opening], first[opening])
    return at_start | spans(n, last[closing], segments.ends[closing])


def _until_in_place(
    seen: Evidence, segments: Segments, edge: npt.NDArray[np.intp], far: npt.NDArray[np.intp], step: int
) -> npt.NDArray[np.intp]:
    """How many minutes from each `edge` on, going by `step` towards `far`, pass before every site is in place."""
    if not len(edge):
        return edge
    mmhg = seen.minutes.mmhg
    count = (far - edge) * step  # minutes in the segment
    settled = SETTLED_AFTER_MIN + np.arange(SAMPLE_MIN)
    sample = mmhg[:, np.clip(edge[:, None] + step * settled, 0, mmhg.shape[1] - 1)].astype(np.float64)
    sample[:, settled[None, :] >= count[:, None]] = np.nan
    known = np.isfinite(sample)
    enough = known.sum(axis=-1)
    total = np.where(known, sample, 0.0)
    mean = total.sum(axis=-1) / np.maximum(enough, 1)
    spread = np.sqrt(np.where(known, (total - mean[..., None]) ** 2, 0.0).sum(axis=-1) / np.maximum(enough, 1))
    worn = seen.levels.worn[:, edge // BLOCK_MIN]
    mean = np.fmin(mean, (1 + OVER_WORN_SHARE) * worn)  # a wrinkle that came later is no measure of being in place
    zero = seen.levels.zero[:, edge // BLOCK_MIN]
    over = mean - zero
    slip = np.maximum(np.maximum((1 - IN_PLACE_SHARE) * over, STRAY_SDS * spread), POSTURE_MMHG)
    slip = np.minimum(slip, (1 - IN_PLACE_AT_LEAST) * over)
    pressing = (enough >= LEAST_SAMPLE_MIN) & (mean >= seen.levels.on_bar[:, edge // BLOCK_MIN])
    near = mmhg[:, np.clip(edge[:, None] + step * np.arange(HANDLING_AT_MOST_MIN), 0, mmhg.shape[1] - 1)]
    with np.errstate(invalid="ignore"):
        slipped = (pressing[..., None] & (near < (mean - slip)[..., None])).any(axis=0)
    in_place = ~slipped
    found = in_place.any(axis=-1) & pressing.any(axis=0)
    return np.where(found, np.minimum(in_place.argmax(axis=-1), np.maximum(count - 1, 0)), 0)

"""Detect again after some minutes changed: only the part they can have touched, to the same answer as from scratch.

This is how late blocks and a growing record are followed. It holds because `detect` is local: see `REACH_MIN`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.detection.detector import REACH_MIN, Detection, detect

if TYPE_CHECKING:
    from calza_server.domain.recording.grid import MinuteGrid


def redetect(grid: MinuteGrid, before: Detection, changed: tuple[int, int]) -> Detection:
    """What `detect(grid)` gives, where `before` was detected on the same grid but for the minutes [start, end).

    `changed` is in minutes since 1970-01-01T00:00Z. The grid may have grown at its end; what it grew by counts as
    changed. Raises ValueError when `before` is longer than the grid.
    """
    known, n = len(before.state), len(grid)
    if known > n:
        raise ValueError(
            f"the detection covers {known} minutes and the grid {n}: it cannot be of an earlier state of it"
        )
    start, end = max(0, changed[0] - grid.start_minute), min(n, changed[1] - grid.start_minute)
    if known < n:
        start, end = (known, n) if start >= end else (min(start, known), n)
    if start >= end:
        return before
    low, high = touched(start, end, n)
    begin, stop = touched(low, high, n)
    found = detect(_part(grid, begin, stop))
    columns = []
    for old, new in zip(
        (before.state, before.reason, before.faulty_sites), (found.state, found.reason, found.faulty_sites), strict=True
    ):
        column = np.empty(n, np.uint8)
        column[:low], column[low:high], column[high:] = old[:low], new[low - begin : high - begin], old[high:]
        columns.append(column)
    return Detection(*columns)


def touched(start: int, end: int, length: int) -> tuple[int, int]:
    """Of a record of so many minutes, the part whose states can depend on the minutes [start, end)."""
    return max(0, start - REACH_MIN), min(length, end + REACH_MIN)


def _part(grid: MinuteGrid, start: int, end: int) -> MinuteGrid:
    if (start, end) == (0, len(grid)):
        return grid
    inside = slice(start, end)
    return replace(
        grid,
        start_minute=grid.start_minute + start,
        ankle=grid.ankle[inside],
        calf=grid.calf[inside],
        thigh=grid.thigh[inside],
        ripple=grid.ripple[inside],
        skin=grid.skin[inside],
        flags=grid.flags[inside],
        present=grid.present[inside],
        record=grid.record[inside],
        log=grid.log[inside],
        clock_lost=grid.clock_lost[inside],
    )

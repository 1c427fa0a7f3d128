"""Puts a stocking's minutes on the true time line, through what gateways saw of its clock. Knows no wear, no orders.

A stocking's log is cut into *timelines*: stretches of records written while its clock ran on without being set or
losing power. Whoever saw the clock once during a timeline, beside a good clock, knows the true time of every record in
it. Which sightings are believed is decided in `placement_clock`. Device time is UTC, so neither a journey nor the end
of summer time moves anything.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.recording.placement_clock import (
    SEALED_WITHIN_S,
    ClockConfidence,
    ClockSighting,
    believed,
    of_one_clock,
    out_of_order,
)
from calza_server.domain.recording.readings import ANKLE, CALF, PRESSURE_MMHG_PER_UNIT, RIPPLE, THIGH

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    import numpy.typing as npt

    from calza_server.domain.recording.readings import Readings

__all__ = ["ClockSighting", "place"]

MINUTE_S: Final = 60
CLOCK_ERROR_LEFT_ALONE_S: Final = 30  # our proposal: half a minute cannot move a minute by more than one slot


def place(readings: Readings, sightings: Sequence[ClockSighting], start_minute: int, end_minute: int) -> MinuteGrid:
    """The minutes of [start, end), each with the readings that truly belong there.

    A record whose time nobody can vouch for lies on no minute: it is counted in `unplaced_minutes`, and the stretch it
    must lie in is marked `clock_lost`. Where two records claim one minute the later record of the later
    log wins, so the order of arrival never matters.
    """
    grid = MinuteGrid.empty(start_minute, end_minute, readings.logs)
    true_s, placed, confidence = _true_seconds(readings, sightings)
    minute = (true_s + MINUTE_S // 2) // MINUTE_S - start_minute  # the slot a minute overlaps most
    rows = np.flatnonzero(placed & (minute >= 0) & (minute < len(grid)))
    if len(readings.logs) > 1:
        rows = rows[np.argsort(_log_rank(readings, minute, placed)[readings.log[rows]], kind="stable")]
    slot, picked = _span(minute[rows]), _span(rows)
    values = readings.values[picked]
    unit_mmhg = np.float32(PRESSURE_MMHG_PER_UNIT)  # single precision, as the grid is
    # numpy keeps the last of several values for one slot, which is the later record by the order of the rows
    grid.ankle[slot] = values[:, ANKLE] * unit_mmhg
    grid.calf[slot] = values[:, CALF] * unit_mmhg
    grid.thigh[slot] = values[:, THIGH] * unit_mmhg
    grid.ripple[slot] = values[:, RIPPLE] * unit_mmhg
    grid.skin[slot] = readings.skin_c()[picked]
    grid.flags[slot] = readings.flags[picked]
    grid.present[slot] = True
    grid.record[slot] = readings.record[picked]
    grid.log[slot] = readings.log[picked]
    grid.clock[slot] = confidence[picked]
    if bool(placed.all()):
        return grid
    _mark_lost(grid, readings, minute, placed)
    return replace(grid, unplaced_minutes=int(np.count_nonzero(~placed)))


def _span(indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | slice:
    """The same places as a slice where they follow one another, which numpy copies several times faster."""
    if len(indices) and bool((np.diff(indices) == 1).all()):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def _true_seconds(
    readings: Readings, sightings: Sequence[ClockSighting]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    true_s = readings.device_s.copy()
    placed = readings.synchronised.copy()
    confidence = np.full(len(readings), ClockConfidence.LOW, np.uint8)
    ordered = sorted((s for s in sightings if s.log_id in readings.logs), key=_timeline)
    timelines = [of_one_clock(list(group)) for _, group in groupby(ordered, key=_timeline)]
    begins = {seen[0].timeline for seen in timelines}
    for seen in timelines:
        rows = _rows_of(readings, seen, begins)
        if rows.start == rows.stop:
            continue
        clock_set = readings.synchronised[rows]
        timeline = believed(seen, clock_was_set=bool(clock_set.any()))
        if not len(timeline.seen_s):
            placed[rows] &= not timeline.own_word_refuted
            continue
        offset = timeline.correction_s(readings.device_s[rows])
        offset[clock_set & (np.abs(offset) <= CLOCK_ERROR_LEFT_ALONE_S)] = 0
        true_s[rows] = readings.device_s[rows] + offset
        placed[rows] = True
        confidence[rows] = timeline.confidence
    placed &= ~out_of_order(readings, true_s, placed, confidence == ClockConfidence.HIGH, ordered)
    return true_s, placed, confidence


def _timeline(sighting: ClockSighting) -> tuple[bytes, int]:
    return sighting.timeline


def _rows_of(readings: Readings, seen: Sequence[ClockSighting], begins: Set[tuple[bytes, int]]) -> slice:
    """The rows of one timeline's records: those written when it was seen last, and the one that was open then.

    A set clock seals the open record before a new timeline begins, so its number is the one that came next, and the
    time that was seen lies in it or just after. `begins` are the first records of all timelines.
    """
    last = max(seen, key=lambda s: (s.next_record, s.device_s))
    log = readings.logs.index(last.log_id)
    begin, end = np.searchsorted(readings.log, [log, log + 1]).tolist()  # rows are ordered by log and record
    numbers = [last.timeline_first_record, last.next_record, last.next_record + 1]
    low, high, after = np.searchsorted(readings.record[begin:end], numbers).tolist()
    anothers = last.next_record != last.timeline_first_record and (last.log_id, last.next_record) in begins
    if high < after and not anothers:
        was_open = readings.device_s[begin + high : begin + after]
        if was_open[0] <= last.device_s < was_open[-1] + MINUTE_S + SEALED_WITHIN_S:
            high = after
    return slice(begin + low, begin + high)


def _log_rank(
    readings: Readings, minute: npt.NDArray[np.int64], placed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Which log is the later one, by what it holds and never by when it arrived."""
    last = [int(minute[placed & (readings.log == i)].max(initial=-1)) for i in range(len(readings.logs))]
    order = sorted(range(len(last)), key=lambda i: (last[i], readings.logs[i]))
    rank = np.empty(len(last), np.int64)
    rank[order] = np.arange(len(last))
    return rank


def _mark_lost(
    grid: MinuteGrid, readings: Readings, minute: npt.NDArray[np.int64], placed: npt.NDArray[np.bool_]
) -> None:
    """Record numbers rise with time, so an unplaced record lies between its placed neighbours, wherever exactly."""
    for log in range(len(readings.logs)):
        of_log = readings.log == log
        lost = np.unique(readings.record[of_log & ~placed])
        known = of_log & placed
        records, minutes = readings.record[known], minute[known]
        for after in np.unique(np.searchsorted(records, lost)):
            begin = int(minutes[after - 1]) + 1 if after > 0 else 0
            end = int(minutes[after]) if after < len(minutes) else len(grid)
            grid.clock_lost[max(0, begin) : max(0, end)] = True
    grid.clock_lost[grid.present] = False

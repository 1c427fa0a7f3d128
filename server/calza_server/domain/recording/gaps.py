"""Why a minute has no reading: battery flat, record refused, clock untrusted, or simply not received. Knows no wear.

A guess would be worse than "no data", so each reason needs its own sign in what was received.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.states import Reason
from calza_server.domain.stretches import stretches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from calza_server.domain.recording.grid import MinuteGrid
    from calza_server.domain.recording.placement_clock import ClockSighting

# Our proposal. A stocking at 10 % has four or five days left, so whoever heard it say so last may well have lost it to
# its battery; one that said more was rather dropped, reset or soaked.
BATTERY_LOW_PERCENT: Final = 10
BLOCK_AT_MOST_MIN: Final = 60  # the most minutes one record holds


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """The number of a record that was received and not accepted; its log is None where the octets are too few."""

    log_id: bytes | None
    record: int


def reasons_of_absent(
    grid: MinuteGrid, sightings: Sequence[ClockSighting] = (), refused: Sequence[RefusedRecord] = ()
) -> npt.NDArray[np.uint8]:
    """A `Reason` for every minute of the grid that has no reading; what it says of others means nothing.

    BATTERY_FLAT: the hole ends with the stocking starting anew, no record is missing in it, and the last visit before
    it found the battery at 10 % or less. DATA_REJECTED: a refused record's number lies between those around the hole.
    CLOCK_UNTRUSTED as `place` found it. Else NO_DATA.
    """
    reason = np.full(len(grid), Reason.NO_DATA, np.uint8)
    for start, end in _flat(grid, sightings):
        reason[start:end] = Reason.BATTERY_FLAT
    for start, end in _rejected(grid, _announced(sightings, refused)):
        reason[max(0, start) : max(0, end)] = Reason.DATA_REJECTED
    reason[grid.clock_lost] = Reason.CLOCK_UNTRUSTED  # held is more than refused
    return reason


def _flat(grid: MinuteGrid, sightings: Sequence[ClockSighting]) -> Iterable[tuple[int, int]]:
    restarts = {(one.log_id, one.timeline_first_record) for one in sightings if one.counts_from_power}
    if not restarts:
        return
    for start, end in zip(*(edges.tolist() for edges in stretches(~grid.present)), strict=True):
        if start == 0 or end == len(grid) or grid.log[start - 1] != grid.log[end]:
            continue
        before, after = int(grid.record[start - 1]), int(grid.record[end])
        log_id = grid.logs[int(grid.log[end])]
        if after == before + 1 and (log_id, after) in restarts and _was_low(sightings, log_id, after):
            yield start, end


def _was_low(sightings: Sequence[ClockSighting], log_id: bytes, restart: int) -> bool:
    """Whether the last visit before the restart found the battery low."""
    told = [
        one
        for one in sightings
        if one.log_id == log_id and one.timeline_first_record < restart and one.battery_percent is not None
    ]
    last = max(told, key=lambda one: (one.timeline_first_record, one.next_record, one.device_s), default=None)
    return last is not None and last.battery_percent is not None and last.battery_percent <= BATTERY_LOW_PERCENT


def _announced(sightings: Sequence[ClockSighting], refused: Sequence[RefusedRecord]) -> list[RefusedRecord]:
    """Refused numbers the stocking itself said it had given: anybody can make up another."""
    given: dict[bytes | None, int] = {}
    for one in sightings:
        for log_id in (one.log_id, None):
            given[log_id] = max(one.next_record, given.get(log_id, 0))
    return [one for one in refused if one.record < given.get(one.log_id, 0)]


def _rejected(grid: MinuteGrid, refused: Sequence[RefusedRecord]) -> Iterable[tuple[int, int]]:
    """Stretches a refused record must lie in; where it has a neighbour on one side only, as long as blocks can be."""
    if not refused:
        return
    for index, log_id in enumerate(grid.logs):
        minutes = np.flatnonzero(grid.log == index)
        minutes = minutes[np.argsort(grid.record[minutes], kind="stable")]
        records = grid.record[minutes]
        for number in {one.record for one in refused if one.log_id in {None, log_id}}:
            at, beyond = np.searchsorted(records, [number, number + 1]).tolist()
            if at < beyond or not len(records):
                continue  # another delivery of the same record was accepted, or nothing tells where it lies
            left = int(minutes[at - 1]) + 1 if at > 0 else None
            right = int(minutes[at]) if at < len(minutes) else None
            if left is None and right is not None:
                left = right - BLOCK_AT_MOST_MIN * (int(records[at]) - number)
            if right is None and left is not None:
                right = left + BLOCK_AT_MOST_MIN * (number - int(records[at - 1]))
            if left is not None and right is not None:
                yield left, right

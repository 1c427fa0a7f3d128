"""Why a minute is missing: each reason needs its own sign, and without one it is simply not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calza_server.domain.recording.gaps import BATTERY_LOW_PERCENT, RefusedRecord, reasons_of_absent
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.recording.placement import ClockSighting
from calza_server.domain.states import Reason
from tests.server.wear_days import DAY, START, every_day, grid_of, without

LOG = b"log-one."
HOLE = (600, 1200)  # records 9 and 20 lie beside it, because the hole is between whole hours
START_S = START * 60


def holed(*, renumbered: bool) -> MinuteGrid:
    """A day with a hole in it; `renumbered`: no number is missing there, so nothing was recorded in it."""
    grid = without(grid_of(every_day(1, 0, DAY)), HOLE)
    if renumbered:
        grid.record[HOLE[1] :] -= (HOLE[1] - HOLE[0]) // 60
    return grid


def sighting(device_s: int, true_s: int, *, first: int, after: int, battery: int | None) -> ClockSighting:
    return ClockSighting(LOG, first, after, device_s, true_s, true_s, battery)


def before(battery: int | None) -> ClockSighting:
    return sighting(START_S + 36_000, START_S + 36_000, first=0, after=10, battery=battery)


RESTARTED = sighting(946_684_800 + 600, START_S + HOLE[1] * 60 + 600, first=10, after=10, battery=100)
CLOCK_SET = sighting(START_S + HOLE[1] * 60 + 600, START_S + HOLE[1] * 60 + 600, first=10, after=10, battery=100)


def reasons(grid: MinuteGrid, *sightings: ClockSighting, refused: tuple[RefusedRecord, ...] = ()) -> set[Reason]:
    """The reasons in the hole; elsewhere nothing may be claimed."""
    found = reasons_of_absent(grid, sightings, refused)
    assert (found[grid.present] == Reason.NO_DATA).all()
    return {Reason(value) for value in np.unique(found[~grid.present]).tolist()}


@pytest.mark.parametrize("battery", [0, BATTERY_LOW_PERCENT])
def test_a_hole_that_ends_with_a_restart_after_a_low_battery_is_a_flat_battery(battery: int) -> None:
    assert reasons(holed(renumbered=True), before(battery), RESTARTED) == {Reason.BATTERY_FLAT}


@pytest.mark.parametrize(
    ("sightings", "renumbered"),
    [
        ((before(BATTERY_LOW_PERCENT + 1), RESTARTED), True),  # it still had charge: dropped, reset or soaked
        ((before(None), RESTARTED), True),  # nobody knows
        ((RESTARTED,), True),
        ((before(5), CLOCK_SET), True),  # the clock was set, the power was never gone
        ((before(5),), True),
        ((before(5), RESTARTED), False),  # records are missing, so it went on recording
    ],
)
def test_without_every_sign_of_it_the_battery_is_not_blamed(
    sightings: tuple[ClockSighting, ...], *, renumbered: bool
) -> None:
    assert reasons(holed(renumbered=renumbered), *sightings) == {Reason.NO_DATA}


def test_the_last_visit_before_the_hole_counts_and_none_after_it() -> None:
    earlier = replace(before(80), device_s=START_S, true_s=START_S, next_record=2)
    silent = replace(before(None), device_s=START_S + 36_300, true_s=START_S + 36_300)
    assert reasons(holed(renumbered=True), before(5), silent, RESTARTED) == {Reason.BATTERY_FLAT}
    after = replace(RESTARTED, next_record=14, battery_percent=3)
    assert reasons(holed(renumbered=True), earlier, before(5), RESTARTED) == {Reason.BATTERY_FLAT}
    assert reasons(holed(renumbered=True), replace(earlier, battery_percent=4), before(60), after) == {Reason.NO_DATA}


def test_a_battery_still_flat_is_not_known_to_be() -> None:
    """The hole has no end yet; whoever finds the stocking will tell."""
    grid = without(grid_of(every_day(1, 0, DAY)), (600, DAY))
    assert reasons(grid, before(3)) == {Reason.NO_DATA}


def test_a_hole_between_two_logs_is_not_blamed_on_the_battery() -> None:
    """A factory reset draws a new log; that its numbers go on where the other stopped is chance."""
    grid = replace(holed(renumbered=True), logs=(LOG, b"log-two."))
    grid.log[HOLE[1] :] = 1
    other = replace(RESTARTED, log_id=b"log-two.")
    assert reasons(grid, before(5), replace(before(5), log_id=b"log-two."), other) == {Reason.NO_DATA}


ANNOUNCED = before(80)


@pytest.mark.parametrize(
    ("log_id", "number", "expected"),
    [
        (LOG, 12, Reason.DATA_REJECTED),
        (None, 12, Reason.DATA_REJECTED),  # too few octets to name its log
        (b"log-two.", 12, Reason.NO_DATA),  # a log nothing is held of lies nowhere
        (LOG, 20, Reason.NO_DATA),  # held: another delivery of the record after the hole was accepted
        (LOG, 900, Reason.NO_DATA),  # a number the stocking never gave
    ],
)
def test_a_refused_record_explains_the_hole_its_number_lies_in(
    log_id: bytes | None, number: int, expected: Reason
) -> None:
    announced = replace(ANNOUNCED, next_record=24)
    grid = holed(renumbered=False)
    assert reasons(grid, announced, refused=(RefusedRecord(log_id, number),)) == {expected}
    assert reasons(grid, refused=(RefusedRecord(log_id, number),)) == {Reason.NO_DATA}  # nothing said it exists


def test_a_refused_record_after_the_last_or_before_the_first_reaches_as_far_as_blocks_can() -> None:
    announced = replace(ANNOUNCED, next_record=24)
    found = reasons_of_absent(
        without(grid_of(every_day(1, 0, DAY)), (0, 300), (900, DAY)),
        [announced],
        [RefusedRecord(LOG, 3), RefusedRecord(LOG, 16)],
    )
    assert np.flatnonzero(found == Reason.DATA_REJECTED).tolist() == [*range(180, 300), *range(900, 1020)]


def test_what_is_held_under_a_lost_clock_outweighs_what_was_refused() -> None:
    grid = holed(renumbered=False)
    grid.clock_lost[700:800] = True
    announced = replace(ANNOUNCED, next_record=24)
    found = reasons_of_absent(grid, [announced], [RefusedRecord(LOG, 12)])
    assert (found[700:800] == Reason.CLOCK_UNTRUSTED).all()
    assert (found[600:700] == Reason.DATA_REJECTED).all()


def test_an_empty_recording_has_no_reasons_but_that() -> None:
    nothing = MinuteGrid.empty(START, START + 60)
    assert reasons(nothing, before(3), RESTARTED, refused=(RefusedRecord(None, 2),)) == {Reason.NO_DATA}

"""Minutes land where they truly belong, or nowhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calza_server.domain.recording.placement import ClockSighting, place
from calza_server.domain.recording.readings import Readings, joined

LOG = b"log-one."
OTHER = b"log-two."
NOON = 29_543_040  # a minute since 1970
END = NOON + 600
DEVICE_ZERO_S = 946_684_800  # a clock that lost power starts at 2000-01-01


def minutes(
    *,
    device_s: int,
    count: int = 60,
    record: int = 0,
    log: int = 0,
    synchronised: bool = True,
    logs: tuple[bytes, ...] = (LOG,),
    ankle: int = 260,
) -> Readings:
    """`count` minutes of one record."""
    values = np.tile(np.array([ankle, 185, 100, 6, 7150], np.int16), (count, 1))
    return Readings(
        device_s=device_s + 60 * np.arange(count, dtype=np.int64),
        synchronised=np.full(count, synchronised),
        record=np.full(count, record, np.int64),
        log=np.full(count, log, np.int16),
        logs=logs,
        values=values,
        flags=np.zeros(count, np.uint8),
    )


def sighting(device_s: int, true_s: int, *, first: int = 0, after: int = 10, log: bytes = LOG) -> ClockSighting:
    return ClockSighting(log, first, after, device_s, true_s)


def test_a_synchronised_record_lies_where_its_clock_says() -> None:
    grid = place(minutes(device_s=NOON * 60), [], NOON - 5, END)
    assert np.flatnonzero(grid.present).tolist() == list(range(5, 65))
    assert grid.ankle[5] == pytest.approx(26.0)
    assert grid.skin[5] == pytest.approx(31.5)
    assert grid.record[5] == 0
    assert np.isnan(grid.ankle[4])
    assert grid.record[4] == -1
    assert grid.unplaced_minutes == 0


@pytest.mark.parametrize(("error_s", "moved"), [(30, 0), (-30, 0), (31, 1), (90, 2), (-90, -1), (600, 10)])
def test_drift_is_corrected_once_it_could_move_a_minute(error_s: int, moved: int) -> None:
    seen = sighting(NOON * 60 + 3600, NOON * 60 + 3600 + error_s)
    grid = place(minutes(device_s=NOON * 60), [seen], NOON - 60, END)
    assert int(np.flatnonzero(grid.present)[0]) == 60 + moved


def test_a_lost_clock_is_placed_by_a_sighting_of_its_timeline() -> None:
    lost = minutes(device_s=DEVICE_ZERO_S + 120, record=4, synchronised=False)
    seen = sighting(DEVICE_ZERO_S + 7200, NOON * 60 + 7200, first=4, after=6)
    grid = place(lost, [seen], NOON, END)
    assert np.flatnonzero(grid.present).tolist() == list(range(2, 62))


@pytest.mark.parametrize(
    "seen",
    [
        sighting(DEVICE_ZERO_S, NOON * 60, first=5),  # a later timeline
        sighting(DEVICE_ZERO_S + 14_000, NOON * 60, first=0, after=4),  # an earlier one, ended before this record
        sighting(DEVICE_ZERO_S, NOON * 60, log=OTHER),
    ],
)
def test_a_sighting_of_another_timeline_places_nothing(seen: ClockSighting) -> None:
    lost = minutes(device_s=DEVICE_ZERO_S, record=4, synchronised=False)
    grid = place(lost, [seen], NOON, END)
    assert not grid.present.any()
    assert grid.unplaced_minutes == 60


def test_drift_is_drawn_in_a_line_between_two_sightings() -> None:
    """A clock that loses 20 minutes in ten hours has lost half of them in the middle."""
    first, middle, last = (minutes(device_s=NOON * 60 + n * 18_000, count=1, record=n) for n in range(3))
    seen = [sighting(NOON * 60, NOON * 60), sighting(NOON * 60 + 36_000, NOON * 60 + 36_000 + 1200)]
    grid = place(joined([first, middle, last]), seen[::-1], NOON, END + 30)
    assert np.flatnonzero(grid.present).tolist() == [0, 310, 620]


def test_beyond_the_last_sighting_the_clock_is_taken_to_go_on_as_it_was_seen() -> None:
    readings = joined([minutes(device_s=NOON * 60), minutes(device_s=NOON * 60 + 6 * 3600, record=6)])
    seen = [sighting(NOON * 60 + 3600, NOON * 60 + 3600 + 120)]
    grid = place(readings, seen, NOON, END)
    assert np.flatnonzero(grid.present).tolist() == [*range(2, 62), *range(362, 422)]


def test_what_lies_under_a_lost_clock_is_bracketed_by_its_neighbours() -> None:
    readings = joined(
        [
            minutes(device_s=NOON * 60, record=0),
            minutes(device_s=DEVICE_ZERO_S, record=1, synchronised=False),
            minutes(device_s=NOON * 60 + 5 * 3600, record=2),
        ]
    )
    grid = place(readings, [], NOON - 10, END)
    assert grid.unplaced_minutes == 60
    assert np.flatnonzero(grid.clock_lost).tolist() == list(range(70, 310))


def test_a_minute_that_is_held_is_never_called_lost() -> None:
    logs = (LOG, OTHER)
    readings = joined(
        [
            minutes(device_s=DEVICE_ZERO_S, synchronised=False, logs=logs),
            minutes(device_s=NOON * 60, log=1, logs=logs),
        ]
    )
    grid = place(readings, [], NOON, END)
    assert (grid.present ^ grid.clock_lost).all()


def test_a_minute_claimed_twice_goes_to_the_later_record() -> None:
    readings = joined([minutes(device_s=NOON * 60), minutes(device_s=NOON * 60, record=1, ankle=300)])
    grid = place(readings, [], NOON, END)
    assert (grid.record[:60] == 1).all()
    assert grid.ankle[0] == pytest.approx(30.0)


def test_order_of_arrival_never_matters() -> None:
    """Two logs that overlap, seen in either order, give the same grid: the log that ends later is the later log."""
    first = minutes(device_s=NOON * 60, logs=(LOG, OTHER))
    second = minutes(device_s=NOON * 60 + 1800, log=1, logs=(LOG, OTHER), ankle=300)
    one_way = place(joined([first, second]), [], NOON, END)
    swapped = joined([replace(second, log=np.zeros(60, np.int16)), replace(first, log=np.ones(60, np.int16))])
    other_way = place(replace(swapped, logs=(OTHER, LOG)), [], NOON, END)
    np.testing.assert_array_equal(one_way.ankle, other_way.ankle)
    assert one_way.ankle[30] == pytest.approx(30.0)


def test_nothing_gives_an_empty_grid() -> None:
    grid = place(Readings.none(), [], NOON, END)
    assert len(grid) == END - NOON
    assert not grid.present.any()
    assert len(place(Readings.none(), [], NOON, NOON - 5)) == 0

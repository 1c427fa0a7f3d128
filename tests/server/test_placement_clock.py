"""Whose clock is believed: a gateway's may be wrong, and then no minute may be moved by it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.recording.placement import ClockSighting, place
from calza_server.domain.recording.placement_clock import AFTER_RECEIPT_S, LIVE_WITHIN_S, ClockConfidence
from calza_server.domain.recording.readings import Readings, joined
from calza_sim.firmware.clock import DeviceClock
from calza_wire.elapsed_time import TimeSource, TimeStamp
from tests.server.test_placement import DEVICE_ZERO_S, END, LOG, NOON, minutes

NOON_S = NOON * 60
HOUR_S = 3600
LATE_S = 40 * HOUR_S  # the phone was away meanwhile


def seen(
    device_s: int, true_s: int, *, received_s: int | None = None, first: int = 0, after: int = 10
) -> ClockSighting:
    """A look at the clock that reached the server at once, unless it is said when."""
    return ClockSighting(LOG, first, after, device_s, true_s, true_s + 1 if received_s is None else received_s)


def first_minute(grid: MinuteGrid) -> int | None:
    """Where the first placed minute lies, from noon."""
    at = np.flatnonzero(grid.present)
    return int(at[0]) + grid.start_minute - NOON if len(at) else None


def placed(readings: Readings, *sightings: ClockSighting) -> MinuteGrid:
    return place(readings, sightings, NOON - 1440, END + 1440)


RIGHT = seen(NOON_S + HOUR_S, NOON_S + HOUR_S)
LIVE_AND_HOURS_AHEAD = seen(NOON_S + HOUR_S, NOON_S + 4 * HOUR_S, received_s=NOON_S + HOUR_S + 1)
LATE_AND_HOURS_AHEAD = seen(NOON_S + HOUR_S, NOON_S + 4 * HOUR_S, received_s=NOON_S + LATE_S)
LATE_AND_HOURS_BEHIND = seen(NOON_S + HOUR_S, NOON_S - 2 * HOUR_S, received_s=NOON_S + LATE_S)
LATE_AND_RIGHT = replace(RIGHT, received_s=NOON_S + LATE_S)


@pytest.mark.parametrize("wrong", [LIVE_AND_HOURS_AHEAD, LATE_AND_HOURS_AHEAD, LATE_AND_HOURS_BEHIND])
def test_one_gateway_with_a_wrong_clock_moves_nothing(wrong: ClockSighting) -> None:
    """The stocking's clock was set and nothing verified contradicts it, or a verified report confirms it."""
    readings = minutes(device_s=NOON_S)
    assert first_minute(placed(readings, wrong)) == 0
    assert first_minute(placed(readings, wrong, RIGHT)) == 0
    assert first_minute(placed(readings, wrong, LATE_AND_RIGHT)) == 0


@pytest.mark.parametrize("wrong", [LIVE_AND_HOURS_AHEAD, LATE_AND_HOURS_AHEAD, LATE_AND_HOURS_BEHIND])
def test_a_lost_clock_is_placed_by_whoever_was_right(wrong: ClockSighting) -> None:
    lost = minutes(device_s=DEVICE_ZERO_S, record=4, synchronised=False)
    unset = DEVICE_ZERO_S + HOUR_S - (NOON_S + HOUR_S)
    right, wrong = (replace(one, device_s=one.device_s + unset) for one in (RIGHT, wrong))
    assert first_minute(placed(lost, right)) == 0
    assert first_minute(placed(lost, right, wrong)) == 0
    assert first_minute(placed(lost, replace(right, received_s=NOON_S + LATE_S))) == 0  # nothing speaks against it


def test_two_late_reports_that_contradict_each_other_leave_a_lost_clock_unplaced() -> None:
    lost = minutes(device_s=DEVICE_ZERO_S, record=4, synchronised=False)
    unset = DEVICE_ZERO_S + HOUR_S - (NOON_S + HOUR_S)
    disagreeing = [replace(one, device_s=one.device_s + unset) for one in (LATE_AND_RIGHT, LATE_AND_HOURS_BEHIND)]
    grid = placed(lost, *disagreeing)
    assert not grid.present.any()
    assert grid.unplaced_minutes == 60
    apart = [replace(disagreeing[0], true_s=disagreeing[0].true_s + hours * HOUR_S) for hours in (-2, 0, 2)]
    assert not placed(lost, *apart).present.any()  # the one in the middle is no better than the others
    third = replace(disagreeing[0], device_s=disagreeing[0].device_s + 600, true_s=disagreeing[0].true_s + 600)
    assert first_minute(placed(lost, *disagreeing, third)) == 0  # two against one


def test_a_clock_set_wrong_by_one_gateway_is_put_right_by_another() -> None:
    """The stocking believed a gateway three hours behind; a verified look shows by how much it was wrong."""
    readings = minutes(device_s=NOON_S - 3 * HOUR_S)
    setter = seen(NOON_S - 3 * HOUR_S, NOON_S - 3 * HOUR_S, received_s=NOON_S + LATE_S)
    assert first_minute(placed(readings, setter)) == -180  # nobody could know
    assert first_minute(placed(readings, setter, seen(NOON_S - HOUR_S, NOON_S + 2 * HOUR_S))) == 0


def test_a_clock_proven_ahead_places_nothing_until_it_is_seen_by_a_good_one() -> None:
    """Its gateway's report was received before the time the stocking already showed."""
    readings = minutes(device_s=NOON_S + 3 * HOUR_S)
    setter = seen(NOON_S + 4 * HOUR_S, NOON_S + 4 * HOUR_S, received_s=NOON_S + HOUR_S)
    grid = placed(readings, setter)
    assert not grid.present.any()
    assert grid.clock_lost.any()
    assert first_minute(placed(readings, setter, seen(NOON_S + 5 * HOUR_S, NOON_S + 2 * HOUR_S))) == 0


def test_record_numbers_rise_with_time_whatever_an_unverified_clock_says() -> None:
    """Records after a verified one cannot lie before it: a phone two hours behind had set the clock."""
    before = minutes(device_s=NOON_S)
    behind = joined([before, minutes(device_s=NOON_S - HOUR_S, record=1), minutes(device_s=NOON_S + HOUR_S, record=2)])
    verified = replace(RIGHT, next_record=1)
    setter = seen(NOON_S - HOUR_S, NOON_S - HOUR_S, received_s=NOON_S + LATE_S, first=1, after=3)
    grid = placed(behind, verified, setter)
    assert np.unique(grid.record[grid.present]).tolist() == [0]  # the other two hang together and fall together
    assert grid.unplaced_minutes == 120


def test_one_timeline_out_of_order_does_not_take_another_with_it() -> None:
    parts = [minutes(device_s=NOON_S + n * HOUR_S, record=n) for n in range(4)]
    parts[2] = minutes(device_s=NOON_S - 9 * HOUR_S, record=2)
    ends = [replace(RIGHT, timeline_first_record=n, next_record=n + 1) for n in (0, 3)]
    ends[1] = replace(ends[1], device_s=NOON_S + 4 * HOUR_S, true_s=NOON_S + 4 * HOUR_S, received_s=NOON_S + 4 * HOUR_S)
    late = [
        seen(NOON_S + at * HOUR_S, NOON_S + at * HOUR_S, received_s=NOON_S + LATE_S, first=n, after=n + 1)
        for n, at in ((1, 2), (2, -8))
    ]
    grid = placed(joined(parts), *ends, *late)
    assert np.unique(grid.record[grid.present]).tolist() == [0, 1, 3]


# --- gateways that say themselves that their clock may be wrong -------------------------------------------------------

NEVER_SET_S = DEVICE_ZERO_S - NOON_S  # what a clock shows beyond the true time that counts from power, here from noon
DOUBTFUL = replace(LATE_AND_HOURS_BEHIND, unsure=True)


def lost_and_seen(*sightings: ClockSighting) -> MinuteGrid:
    lost = minutes(device_s=DEVICE_ZERO_S, record=4, synchronised=False)
    return placed(lost, *(replace(one, device_s=one.device_s + NEVER_SET_S) for one in sightings))


def confidences(grid: MinuteGrid) -> set[ClockConfidence]:
    return {ClockConfidence(value) for value in np.unique(grid.clock[grid.present]).tolist()}


@pytest.mark.parametrize("doubtful", [1, 2, 5])
def test_many_doubtful_gateways_do_not_outvote_one_that_is_sure(doubtful: int) -> None:
    several = [replace(DOUBTFUL, device_s=DOUBTFUL.device_s + n, true_s=DOUBTFUL.true_s + n) for n in range(doubtful)]
    grid = lost_and_seen(*several, LATE_AND_RIGHT)
    assert first_minute(grid) == 0
    assert confidences(grid) == {ClockConfidence.FAIR}
    sure = [replace(one, unsure=False) for one in several]
    assert first_minute(lost_and_seen(*sure, LATE_AND_RIGHT)) != 0, "without their own doubt they had the majority"


def test_doubtful_gateways_alone_place_minutes_of_low_confidence() -> None:
    grid = lost_and_seen(replace(LATE_AND_RIGHT, unsure=True))
    assert first_minute(grid) == 0
    assert confidences(grid) == {ClockConfidence.LOW}
    against = lost_and_seen(replace(LATE_AND_RIGHT, unsure=True), DOUBTFUL)
    assert not against.present.any(), "and against each other none"


def test_what_reaches_the_server_at_once_is_as_good_as_its_own_clock_whoever_says_it() -> None:
    grid = lost_and_seen(replace(RIGHT, unsure=True), LATE_AND_HOURS_BEHIND)
    assert first_minute(grid) == 0
    assert confidences(grid) == {ClockConfidence.HIGH}


def test_the_stocking_s_own_word_alone_is_of_low_confidence() -> None:
    assert confidences(placed(minutes(device_s=NOON_S))) == {ClockConfidence.LOW}
    assert confidences(placed(minutes(device_s=NOON_S), RIGHT)) == {ClockConfidence.HIGH}
    absent = placed(minutes(device_s=NOON_S), RIGHT)
    assert set(absent.clock[~absent.present].tolist()) == {ClockConfidence.NONE}


@pytest.mark.parametrize("wrong_years", [-56, 5])
def test_a_gateway_years_off_moves_nothing_and_places_nothing_against_a_good_one(wrong_years: int) -> None:
    years_off = replace(LATE_AND_RIGHT, true_s=LATE_AND_RIGHT.true_s + wrong_years * 365 * 24 * HOUR_S, unsure=True)
    assert first_minute(placed(minutes(device_s=NOON_S), years_off)) == 0
    assert first_minute(lost_and_seen(years_off, LATE_AND_RIGHT)) == 0
    alone = lost_and_seen(years_off)
    assert first_minute(alone) is None, "not in this order, nor anywhere it was not"


def open_when_seen(*, first: int) -> ClockSighting:
    """A look at a clock that counts from power, 35 minutes after it came back, with no record written since."""
    return seen(DEVICE_ZERO_S + 2100, NOON_S + 2100, first=first, after=4)


def test_the_record_that_was_open_when_the_clock_was_set_is_placed_by_that_look() -> None:
    """Setting the clock seals it, so no later look belongs to its timeline."""
    sealed = minutes(device_s=DEVICE_ZERO_S, count=35, record=4, synchronised=False)
    assert first_minute(placed(sealed, open_when_seen(first=4))) == 0
    later = minutes(device_s=DEVICE_ZERO_S, count=20, record=4, synchronised=False)  # power was lost in between
    assert first_minute(placed(later, open_when_seen(first=4))) is None


def test_a_record_of_a_later_timeline_is_not_the_one_that_was_open() -> None:
    """The open one was lost with the power, and the new one counts the same seconds again."""
    later = minutes(device_s=DEVICE_ZERO_S, record=4, synchronised=False)
    disagreeing = [
        seen(DEVICE_ZERO_S + 3600, NOON_S + at, received_s=NOON_S + LATE_S, first=4, after=5) for at in (0, 9 * HOUR_S)
    ]
    assert first_minute(placed(later, open_when_seen(first=2), *disagreeing)) is None


@given(st.data())
def test_the_order_in_which_reports_arrive_never_matters(data: st.DataObject) -> None:
    every = [RIGHT, LIVE_AND_HOURS_AHEAD, LATE_AND_HOURS_AHEAD, LATE_AND_HOURS_BEHIND, LATE_AND_RIGHT]
    some = data.draw(st.lists(st.sampled_from(every), max_size=5, unique=True))
    readings = joined([minutes(device_s=NOON_S), minutes(device_s=NOON_S + HOUR_S, record=1)])
    found = {tuple(placed(readings, *order).record.tolist()) for order in permutations(some)}
    assert len(found) == 1


@pytest.mark.parametrize("offset_quarters", [-48, 0, 4, 56])
def test_zones_and_summer_time_move_nothing(offset_quarters: int) -> None:
    """The stocking tells UTC and carries the offset beside it."""
    stamp = TimeStamp.at(NOON_S + HOUR_S, source=TimeSource.CELLULAR, offset_quarters=offset_quarters)
    assert first_minute(placed(minutes(device_s=NOON_S), seen(stamp.unix_s, NOON_S + HOUR_S))) == 0


@pytest.mark.parametrize(
    ("delay_s", "verified", "impossible"),
    [
        (-AFTER_RECEIPT_S - 1, False, True),
        (-AFTER_RECEIPT_S, True, False),
        (LIVE_WITHIN_S, True, False),
        (LIVE_WITHIN_S + 1, False, False),
    ],
)
def test_what_is_live_is_a_matter_of_seconds(delay_s: int, verified: bool, impossible: bool) -> None:
    one = seen(NOON_S, NOON_S, received_s=NOON_S + delay_s)
    assert (one.verified, one.impossible) == (verified, impossible)


# --- against the clock of the simulated firmware ----------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["power", "right", "ahead", "behind", "late", "late", "glimpse"]),
        st.integers(20, 300),  # minutes until then
    ),
    min_size=1,
    max_size=12,
)


class Stocking:
    """A stocking reduced to its clock and its log: hourly records, sealed early by a set clock, lost with the power."""

    def __init__(self, drift_ppm: float) -> None:
        self.now_s = float(NOON_S)
        self.clock = DeviceClock(self.now_s, drift_ppm)
        self.records: list[list[tuple[int, bool, float]]] = []  # device second, set or not, true second
        self.open: list[tuple[int, bool, float]] = []
        self.timeline = 0
        self.sightings: list[ClockSighting] = []
        self.good: list[ClockSighting] = []  # those made by a right clock and received at once

    def live(self, minutes_: int) -> None:
        for _ in range(minutes_):
            device_s = DEVICE_ZERO_S + int(self.clock.seconds(self.now_s))
            self.open.append((device_s, self.clock.source is not TimeSource.NOT_SYNCHRONISED, self.now_s))
            self.now_s += 60
            if len(self.open) == 60:
                self.seal()

    def seal(self) -> None:
        if self.open:
            self.records.append(self.open)
        self.open = []

    def lose_power(self) -> None:
        self.open = []
        self.now_s += 600
        self.clock.restart(self.now_s)
        self.timeline = len(self.records)

    def visit(self, error_s: int, late_s: int, *, sets: bool = True) -> None:
        """A gateway whose clock is wrong by so much looks, sets the clock if that differs, and looks again."""
        for again in (False, True):
            device_s = DEVICE_ZERO_S + int(self.clock.seconds(self.now_s))
            gateway_s = int(self.now_s) + error_s
            received_s = int(self.now_s) + max(1, late_s)
            look = ClockSighting(LOG, self.timeline, len(self.records), device_s, gateway_s, received_s)
            self.sightings.append(look)
            if not error_s and not late_s:
                self.good.append(look)
            if again or not sets or abs(device_s - gateway_s) <= 2:
                return
            self.seal()
            self.clock.set(TimeStamp.at(gateway_s, source=TimeSource.NTP), self.now_s)
            self.timeline = len(self.records)

    def readings(self) -> Readings:
        parts = []
        for number, rows in enumerate(self.records):
            one = minutes(device_s=0, count=len(rows), record=number)
            device_s, is_set, _ = zip(*rows, strict=True)
            parts.append(replace(one, device_s=np.array(device_s, np.int64), synchronised=np.array(is_set)))
        return joined(parts)


@given(events=EVENTS, drift_ppm=st.floats(-100, 100))
@example(events=[("power", 20), ("right", 60)], drift_ppm=0.0)  # power lost again before the first record
@settings(max_examples=150)
def test_whatever_befalls_a_clock_what_good_gateways_saw_is_placed_rightly(
    events: list[tuple[str, int]], drift_ppm: float
) -> None:
    """Power losses, clocks set wrong, reports that come late: with honest gateways every placed minute is right, and
    with a wrong one every timeline a good one saw at once is right."""
    stocking = Stocking(drift_ppm)
    stocking.visit(0, 0)
    dishonest = False
    for kind, length in events:
        stocking.live(length)
        match kind:
            case "power":
                stocking.lose_power()
            case "ahead":
                stocking.visit(3 * HOUR_S, 0)
                dishonest = True
            case "behind":
                stocking.visit(-3 * HOUR_S, 0)
                dishonest = True
            case _:
                stocking.visit(0, LATE_S if kind == "late" else 0, sets=kind != "glimpse")
    stocking.visit(0, 0)
    stocking.seal()
    readings = stocking.readings()
    grid = place(readings, stocking.sightings, NOON - 600, int(stocking.now_s) // 60 + 600)
    true_s = np.array([second for record in stocking.records for _, _, second in record])
    number = np.array([number for number, record in enumerate(stocking.records) for _ in record])
    sure = {n for n in range(len(stocking.records)) if not dishonest or _covers(stocking.good, n)}
    held = set(np.unique(grid.record[grid.present]).tolist())
    for record in held & sure:
        off = np.flatnonzero(grid.record == record)[0] + grid.start_minute - true_s[number == record][0] / 60
        assert abs(off) <= 1.1
    assert {n for n in range(len(stocking.records)) if _covers(stocking.good, n)} <= held
    if not dishonest:  # late reports do as well, as long as nobody contradicts them
        assert {n for n in range(len(stocking.records)) if _covers(stocking.sightings, n)} <= held


def _covers(sightings: list[ClockSighting], record: int) -> bool:
    return any(one.timeline_first_record <= record < one.next_record for one in sightings)

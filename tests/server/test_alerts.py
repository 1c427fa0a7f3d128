"""Alerts about how a stocking sits and presses: raised by that, and by nothing that only looks like it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from calza_server.domain.alerting.alert_values import AlertKind, Severity
from calza_server.domain.alerting.alerts import alerts_of_leg
from calza_server.domain.ledgers.leg import LegLedger, StockingLedger, ledger_of_grids
from calza_server.domain.orders.prescription import Pause
from calza_server.domain.states import State
from calza_server.domain.verdicts.verdict import judge
from calza_wire.minute_block import MinuteFlag
from tests.server.alert_legs import HOUR, RAL_2, SITES, START_AT, THIRD_NOON, order, pressed, raised, worn_days
from tests.server.wear_days import DAY, START, every_day, grid_of, worn_between


def test_a_leg_worn_as_it_should_raises_nothing() -> None:
    assert raised(worn_days()) == {}


def test_a_calf_far_above_the_ankle_and_above_its_own_first_day_is_a_tourniquet() -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 45, calf=38.0)
    found = raised(grid)["tourniquet"]
    assert found.sites == ("ankle", "calf")
    assert found.severity is Severity.TODAY
    assert found.minutes == ((START + THIRD_NOON, START + THIRD_NOON + 45),)
    assert found.figures[0].value == pytest.approx(12.0, abs=0.5)


@pytest.mark.parametrize(
    ("minutes", "calf"),
    [
        (25, 38.0),  # too short
        (45, 35.0),  # 9 mmHg above the ankle
    ],
)
def test_less_or_shorter_is_no_tourniquet(minutes: int, calf: float) -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + minutes, calf=calf)
    assert "tourniquet" not in raised(grid)


def test_there_is_no_tourniquet_before_a_first_day_was_learned() -> None:
    grid = worn_days()
    pressed(grid, 12 * HOUR, 20 * HOUR, calf=40.0)
    assert raised(grid) == {}


def test_a_first_day_shorter_than_eight_hours_is_learned_on_the_next() -> None:
    grid = grid_of(
        worn_between(3 * DAY, (18 * HOUR, 22 * HOUR), (DAY + 480, DAY + 1320), (2 * DAY + 480, 2 * DAY + 900))
    )
    pressed(grid, DAY + 9 * HOUR, DAY + 10 * HOUR, calf=38.0)
    assert raised(grid) == {}
    pressed(grid, DAY + 19 * HOUR, DAY + 20 * HOUR, calf=38.0)  # a day and eight worn hours after it was put on
    assert list(raised(grid)) == ["tourniquet"]


def test_a_leg_whose_calf_always_exceeds_its_ankle_raises_nothing() -> None:
    """Read in healthy volunteers lying down: only change counts."""
    grid = grid_of(every_day(4, 8 * HOUR, 22 * HOUR), mmhg=(24.0, 36.0, 10.0))
    assert raised(grid) == {}
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, calf=46.0)
    assert list(raised(grid)) == ["tourniquet"]


def test_a_knee_bent_for_two_hours_raises_nothing_and_one_bent_all_day_does() -> None:
    grid = grid_of(every_day(4, 8 * HOUR, 22 * HOUR), mmhg=(18.0, 13.0, 8.0))
    pressed(grid, THIRD_NOON, THIRD_NOON + 120, calf=32.0, thigh=31.0)
    assert raised(grid) == {}
    pressed(grid, THIRD_NOON, THIRD_NOON + 300, calf=32.0, thigh=31.0)
    assert "tourniquet" in raised(grid)


def test_all_sites_drifting_alike_raise_neither_tourniquet_nor_a_rolled_band() -> None:
    grid = worn_days(14)
    for site in SITES:
        getattr(grid, site)[:] += (4.0 / 7 / DAY * np.arange(len(grid))).astype(np.float32)
    assert raised(grid) == {}


def test_two_sensors_drifting_slowly_apart_are_followed_and_a_sudden_change_is_not() -> None:
    """A leg whose calf exceeds its ankle by 12 mmHg, and a calf sensor that gains 6 in two weeks."""
    grid = grid_of(every_day(14, 8 * HOUR, 22 * HOUR), mmhg=(24.0, 36.0, 10.0))
    grid.calf[:] += (6.0 / 14 / DAY * np.arange(len(grid))).astype(np.float32)
    assert raised(grid) == {}
    sudden = grid_of(every_day(14, 8 * HOUR, 22 * HOUR), mmhg=(24.0, 36.0, 10.0))
    sudden.calf[7 * DAY :] += 9.0  # from one night to the next: more than is followed
    found = raised(sudden)["tourniquet"]
    assert found.minutes[0][0] >= START + 7 * DAY
    assert found.minutes[-1][1] > START + 13 * DAY


def test_a_stocking_rolled_down_to_the_calf_is_named_so_and_no_sensor_is_blamed() -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 120, calf=18.5 * 1.7, thigh=0.5)
    found = raised(grid)
    assert list(found) == ["rolled_down"]
    assert found["rolled_down"].minutes == ((START + THIRD_NOON, START + THIRD_NOON + 120),)
    assert found["rolled_down"].sites == ("calf", "thigh")


def test_a_rolled_band_at_the_thigh_is_named_so() -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, thigh=10.0 * 1.7)
    assert list(raised(grid)) == ["rolled_band"]


@pytest.mark.parametrize("thigh", [14.0, 4.5])
def test_a_thigh_that_is_only_somewhat_higher_or_lower_raises_nothing(thigh: float) -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, thigh=thigh)
    assert raised(grid) == {}


@pytest.mark.parametrize(("minutes", "calf", "expected"), [(12, 66.0, True), (8, 66.0, False), (12, 58.0, False)])
def test_a_site_above_60_for_ten_minutes_is_excessive(minutes: int, calf: float, *, expected: bool) -> None:
    grid = worn_days()
    pressed(grid, 12 * HOUR, 12 * HOUR + minutes, calf=calf)  # on the first day already
    assert ("excessive" in raised(grid)) == expected


def test_what_presses_hard_off_the_leg_is_nobodys_danger() -> None:
    grid = worn_days()
    pressed(grid, DAY, DAY + 300, ankle=70.0, calf=70.0, thigh=70.0)  # under a pile of linen, cold and still
    assert raised(grid) == {}


@pytest.mark.parametrize(("minutes", "ankle", "expected"), [(70, 45.0, True), (50, 45.0, False), (70, 41.0, False)])
def test_an_ankle_ten_above_the_ordered_class_for_an_hour(minutes: int, ankle: float, *, expected: bool) -> None:
    grid = worn_days()
    pressed(grid, 12 * HOUR, 12 * HOUR + minutes, ankle=ankle)
    assert ("over_class" in raised(grid, replace(order(), garment=RAL_2))) == expected
    assert "over_class" not in raised(grid)  # no garment was ordered
    assert "over_class" not in raised(grid, replace(order(), garment=replace(RAL_2, ankle_max_mmhg=None)))


@pytest.mark.parametrize(
    ("ankle", "floor", "expected"),
    [(15.0, 23.0, True), (21.0, 23.0, False), (20.1, 23.0, False), (19.0, 23.0, True), (15.0, None, False)],
)
def test_low_for_two_days_by_more_than_the_sensors_doubt(ankle: float, floor: float | None, *, expected: bool) -> None:
    grid = grid_of(every_day(3, 8 * HOUR, 22 * HOUR), mmhg=(ankle, 12.0, 8.0))
    assert ("too_low" in raised(grid, order(floor=floor))) == expected


def test_one_low_day_or_two_with_a_good_one_between_are_not_two_running() -> None:
    grid, given = worn_days(), order(floor=23.0)
    days = [slice(day.start_minute - START, day.end_minute - START) for day in given.days()]
    for day in (0, 2):
        grid.ankle[days[day]] *= 0.6
    assert raised(grid, given) == {}
    grid.ankle[days[3]] *= 0.6
    found = raised(grid, given)["too_low"]
    assert [start - START for start, _ in found.minutes] == [days[2].start, days[3].start]
    assert {figure.name for figure in found.figures} >= {"give or take", "floor"}


def test_the_ordered_garments_own_range_stands_in_for_a_floor() -> None:
    grid = grid_of(every_day(3, 8 * HOUR, 22 * HOUR), mmhg=(15.0, 12.0, 8.0))
    assert "too_low" in raised(grid, replace(order(), garment=RAL_2))


def test_a_weak_garment_changes_nothing_about_wear() -> None:
    worn = every_day(3, 8 * HOUR, 22 * HOUR)
    weak, strong = grid_of(worn, mmhg=(15.0, 12.0, 8.0)), grid_of(worn, mmhg=(26.0, 18.5, 10.0))
    given = order(days=3, floor=23.0)
    reports = [judge(given, ledger_of_grids([("CZ-0001", grid)], given), given.end_minute) for grid in (weak, strong)]
    assert reports[0].verdict == reports[1].verdict
    assert [day.worn_minutes for day in reports[0].days] == [day.worn_minutes for day in reports[1].days]


@pytest.mark.parametrize("site", SITES)
def test_one_site_without_a_reading_is_the_sensors_fault(site: str) -> None:
    """And nothing else is concluded from it: neither low pressure nor a tourniquet."""
    grid = worn_days()
    pressed(grid, 2 * DAY, 4 * DAY, **{site: 0.2})
    found = raised(grid, order(floor=18.0))
    assert list(found) == [f"dead_site-{site}"]
    assert found[f"dead_site-{site}"].severity is Severity.SOON


def test_a_site_the_stocking_itself_disowns_is_named_too() -> None:
    grid = worn_days()
    grid.flags[2 * DAY :] |= np.uint8(MinuteFlag.CALF_FAULT)
    pressed(grid, 2 * DAY, 4 * DAY, calf=90.0)
    assert list(raised(grid)) == ["dead_site-calf"]


def test_a_thigh_that_never_showed_much_is_not_called_dead() -> None:
    """From 3.5 mmHg to nothing is within what the sensor may be off by."""
    grid = grid_of(every_day(4, 8 * HOUR, 22 * HOUR), mmhg=(26.0, 18.5, 3.5))
    pressed(grid, 2 * DAY, 4 * DAY, thigh=0.2)
    assert raised(grid) == {}


def test_a_site_dead_from_the_first_minute_is_named_all_the_same() -> None:
    grid = grid_of(every_day(3, 8 * HOUR, 22 * HOUR), mmhg=(26.0, 0.2, 10.0))
    assert list(raised(grid)) == ["dead_site-calf"]


def test_a_dead_thigh_beside_a_calf_that_rises_in_standing_is_not_rolled_down() -> None:
    grid = worn_days()
    pressed(grid, 2 * DAY, 4 * DAY, thigh=0.2)
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, calf=28.5)
    assert list(raised(grid)) == ["dead_site-thigh"]


def test_each_stocking_of_a_leg_is_judged_against_its_own_first_day() -> None:
    """The second one's calf is high from its first day on, the first one's only later."""
    first, second = worn_days(), grid_of(every_day(4, 8 * HOUR, 22 * HOUR), mmhg=(24.0, 36.0, 10.0))
    pressed(first, THIRD_NOON, THIRD_NOON + 60, calf=40.0)
    given = order()
    both = [("CZ-0001", first), ("CZ-0002", second)]
    each = tuple(
        StockingLedger(serial, grid, ledger_of_grids([(serial, grid)], given), grid.ankle) for serial, grid in both
    )
    leg = LegLedger(ledger_of_grids(both, given), 0, each)
    assert [(one.kind, one.serial) for one in alerts_of_leg(leg, given, first.end_minute)] == [
        (AlertKind.TOURNIQUET, "CZ-0001")
    ]


def test_under_a_bandage_no_pressure_means_anything() -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, calf=66.0)
    span = Pause(START_AT + timedelta(days=2), START_AT + timedelta(days=3), "bandage")
    assert raised(grid, replace(order(), unsensed=(span,))) == {}
    assert "excessive" in raised(grid)


def test_a_paused_stocking_that_presses_too_hard_is_still_told_of() -> None:
    """The pause excuses wear; the pressure is there all the same."""
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, calf=66.0)
    given = replace(order(), pauses=(Pause(START_AT + timedelta(days=2), START_AT + timedelta(days=3), "blister"),))
    own = ledger_of_grids([("CZ-0001", grid)], order())
    leg = LegLedger(ledger_of_grids([("CZ-0001", grid)], given), 0, (StockingLedger("CZ-0001", grid, own, grid.ankle),))
    assert leg.ledger.state[THIRD_NOON] == State.EXCUSED
    assert "excessive" in [one.kind for one in alerts_of_leg(leg, given, grid.end_minute)]

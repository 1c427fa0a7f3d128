"""Dose beside wear: numbers with their doubt, never a class and never a verdict."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.ledgers.dose import DoseSummary, dose_of_minutes, dose_report, doubt_mmhg, surely_below
from calza_server.domain.ledgers.ledger import excused
from calza_server.domain.ledgers.leg import LegLedger, Recorded, ledger_of_leg
from calza_server.domain.orders.garment_classes import RAL, class_of
from calza_server.domain.orders.prescription import Mode, Phase, Prescription
from calza_server.domain.recording.readings import Readings
from calza_server.domain.states import Dose, State
from calza_server.domain.verdicts.verdict import judge
from tests.server.test_leg import recorded, stored
from tests.server.wear_days import DAY, START, every_day, grid_of

HOUR = 60
ORDER = Prescription(datetime.fromtimestamp(START * 60, UTC), "UTC", (Phase(3, Mode.DAYTIME, 10, 2, 18.0),))
PRESSURES = st.floats(0, 120)


def leg(ankle: float, *, order: Prescription = ORDER) -> LegLedger:
    grid = grid_of(every_day(3, 8 * HOUR, 22 * HOUR), mmhg=(ankle, 14.0, 9.0))
    return ledger_of_leg([recorded(stored(grid))], order, START - DAY, START + 3 * DAY)


def test_21_against_a_floor_of_23_cannot_be_called_low() -> None:
    assert not surely_below(21.0, 23.0)
    assert surely_below(19.0, 23.0)
    assert dose_of_minutes(np.array([21.0], np.float32), np.array([23.0], np.float32)).tolist() == [Dose.UNCERTAIN]


@pytest.mark.parametrize(("mmhg", "doubt"), [(0, 3.0), (20, 3.0), (26, 3.9), (40, 6.0)])
def test_the_doubt_is_15_percent_or_3_whichever_is_larger(mmhg: float, doubt: float) -> None:
    assert doubt_mmhg(mmhg) == pytest.approx(doubt)


@given(ankle=PRESSURES, floor=PRESSURES)
def test_reached_and_below_leave_room_for_the_doubt(ankle: float, floor: float) -> None:
    (dose,) = dose_of_minutes(np.array([ankle], np.float32), np.array([floor], np.float32)).tolist()
    ankle, floor = (float(np.float32(value)) for value in (ankle, floor))
    expected = Dose.UNCERTAIN
    if ankle - doubt_mmhg(ankle) >= floor + 1e-4:
        expected = Dose.REACHED
    elif ankle + doubt_mmhg(ankle) < floor - 1e-4:
        expected = Dose.BELOW
    elif min(abs(ankle - doubt_mmhg(ankle) - floor), abs(ankle + doubt_mmhg(ankle) - floor)) <= 1e-3:
        return  # single precision may fall to either side
    assert dose == expected


def test_a_report_counts_worn_minutes_day_by_day_and_as_a_whole() -> None:
    found = leg(26.0)
    as_of = START + 2 * DAY
    report = dose_report(found.ledger, found.worn_ankle, ORDER.days(), as_of)
    assert [day.date for day in report.days] == [day.date for day in ORDER.days() if day.start_minute < as_of]
    for name in ("worn_minutes", "reached_minutes", "uncertain_minutes", "below_minutes"):
        assert getattr(report.whole, name) == sum(getattr(day.summary, name) for day in report.days)
    whole = report.whole
    assert whole.reached_minutes + whole.uncertain_minutes + whole.below_minutes == whole.worn_minutes
    assert whole.worn_minutes == pytest.approx(2 * 14 * 60, abs=20)
    assert whole.reached_minutes > 0.99 * whole.worn_minutes
    assert whole.median_mmhg == pytest.approx(26.0, abs=0.2)
    assert whole.doubt_mmhg == pytest.approx(3.9, abs=0.1)
    assert report.last_24_h.worn_minutes == pytest.approx(14 * 60, abs=10)


def test_the_last_24_hours_are_those_before_the_moment_asked_for() -> None:
    found = leg(26.0)
    inside = slice(DAY + DAY, DAY + 2 * DAY)  # the second day; the ledger begins a day early
    ankle = found.worn_ankle.copy()
    ankle[inside] = np.where(np.isfinite(ankle[inside]), 15.0, np.nan)
    report = dose_report(found.ledger, ankle, ORDER.days(), START + 2 * DAY)
    assert report.last_24_h.median_mmhg == pytest.approx(15.0)
    assert report.whole.median_mmhg is not None
    assert dose_report(found.ledger, ankle, ORDER.days(), START + DAY).last_24_h.median_mmhg == pytest.approx(
        26.0, abs=1
    )


@pytest.mark.parametrize(("ankle", "field"), [(26.0, "reached"), (20.0, "uncertain"), (13.0, "below")])
def test_each_minute_is_counted_where_it_belongs(ankle: float, field: str) -> None:
    found = leg(ankle)
    whole = dose_report(found.ledger, found.worn_ankle, ORDER.days(), ORDER.end_minute).whole
    assert getattr(whole, f"{field}_minutes") > 0.95 * whole.worn_minutes > 0


def test_without_a_floor_there_is_a_median_and_no_judgement() -> None:
    order = replace(ORDER, phases=(replace(ORDER.phases[0], ankle_floor_mmhg=None),))
    found = leg(26.0, order=order)
    whole = dose_report(found.ledger, found.worn_ankle, order.days(), order.end_minute).whole
    assert whole.reached_minutes == whole.uncertain_minutes == whole.below_minutes == 0
    assert whole.median_mmhg == pytest.approx(26.0, abs=0.2)


def test_excused_minutes_have_no_dose() -> None:
    found = leg(26.0)
    ledger = excused(found.ledger, [(START, START + DAY)])
    report = dose_report(ledger, found.worn_ankle, ORDER.days(), START + DAY)
    assert report.last_24_h == DoseSummary(0, 0, 0, 0, None)
    assert report.last_24_h.doubt_mmhg is None
    assert report.last_24_h.sentence == "no ankle pressure known"


def test_nothing_recorded_is_no_dose_and_not_a_low_one() -> None:
    found = ledger_of_leg([Recorded("CZ-0001", Readings.none(), ())], ORDER, START - DAY, START + DAY)
    report = dose_report(found.ledger, found.worn_ankle, ORDER.days(), START + DAY)
    assert report.whole == DoseSummary(0, 0, 0, 0, None)
    before = dose_report(found.ledger, found.worn_ankle, ORDER.days(), ORDER.start_minute - 1)
    assert before.days == ()
    assert before.whole.worn_minutes == 0


def test_no_dose_changes_what_was_worn_or_what_is_made_of_it() -> None:
    """The same wear under a strong and a hopelessly weak garment, with a floor and without."""
    reports = [judge(ORDER, leg(ankle).ledger, ORDER.end_minute) for ankle in (26.0, 12.0)]
    assert reports[0].days == reports[1].days
    assert reports[0].verdict is reports[1].verdict
    asked = leg(12.0).ledger.window(ORDER.start_minute, ORDER.end_minute)
    assert (asked.dose[asked.state == State.WORN] == Dose.BELOW).all()


@pytest.mark.parametrize("mmhg", [22.0, 33.0, 47.5])
def test_a_pressure_in_a_gap_of_the_standard_is_shown_as_a_number(mmhg: float) -> None:
    """RAL leaves 22, 33, 47 and 48 out; and a leg is no test cylinder, so no pressure is given a class here at all."""
    assert class_of(RAL, mmhg) is None
    summary = DoseSummary(600, 600, 0, 0, mmhg)
    assert summary.sentence == f"{mmhg:.0f} mmHg, give or take {doubt_mmhg(mmhg):.0f}"
    assert "class" not in {part for field in fields(DoseSummary) for part in field.name.split("_")}

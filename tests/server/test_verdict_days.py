"""Days as a calendar and a life make them: clock changes, journeys, part days, swapped and doubled stockings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from calza_server.domain.detection.detector import detect
from calza_server.domain.ledgers.ledger import Ledger, Source, ledger_of
from calza_server.domain.ledgers.ledger_join import on_one_leg
from calza_server.domain.orders.prescription import Ended, EndedWhy, Mode, Phase, Prescription
from calza_server.domain.states import State
from calza_server.domain.verdicts.explain import explain_verdict
from calza_server.domain.verdicts.verdict import DayOutcome, Verdict, VerdictReport, judge
from tests.server.wear_days import DAY, START, every_day, grid_of, without, worn_between

LONDON = ZoneInfo("Europe/London")
LATE = 10**9


def worn_locally(order: Prescription, first_hour: float, last_hour: float, zone: ZoneInfo) -> Ledger:
    """Worn each day between two times of the wall clock of some zone, whichever the order's is."""
    book = Ledger.unknown(order.start_minute, order.end_minute)
    minutes = np.arange(book.start_minute, book.end_minute)
    local = [datetime.fromtimestamp(minute * 60, UTC).astimezone(zone) for minute in minutes.tolist()]
    on = [first_hour <= moment.hour + moment.minute / 60 < last_hour for moment in local]
    book.state[:] = np.where(on, State.WORN, State.NOT_WORN)
    return book


def one_phase(start: datetime, phase: Phase, zone: str = "Europe/London") -> Prescription:
    return Prescription(start, zone, (phase,))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_of_23_or_25_hours_asks_for_its_share(day: date, hours: int) -> None:
    """Day and night follows the day's length; waking hours do not. Worn but for the allowed two hours either way."""
    start = datetime(day.year, day.month, day.day, tzinfo=LONDON)
    always = one_phase(start, Phase(1, Mode.CONTINUOUS, 23, 1, tolerance_share=0.0))
    (found,) = judge(always, worn_locally(always, 1, 24, LONDON), LATE).days
    assert found.end_minute - found.start_minute == hours * 60
    assert found.target_minutes == pytest.approx(23 / 24 * hours * 60)
    assert found.outcome is (DayOutcome.MET if found.worn_minutes >= found.target_minutes else DayOutcome.NOT_MET)
    waking = one_phase(start, Phase(1, Mode.DAYTIME, 10, 1, tolerance_share=0.0))
    (found,) = judge(waking, worn_locally(waking, 8, 18, LONDON), LATE).days
    assert (found.required_minutes, found.worn_minutes, found.outcome) == (600, 600, DayOutcome.MET)


def test_an_optional_night_has_an_hour_more_or_less_when_the_clocks_change() -> None:
    for start, night in ((datetime(2026, 3, 29, tzinfo=LONDON), 480), (datetime(2026, 10, 25, tzinfo=LONDON), 600)):
        order = one_phase(start, Phase(1, Mode.CONTINUOUS, 23, 1, night_optional=True))
        (found,) = judge(order, worn_locally(order, 7, 22, LONDON), LATE).days
        assert (found.forgiven_minutes, found.not_worn_minutes, found.worn_minutes) == (night, 0, 15 * 60)
        assert found.outcome is DayOutcome.MET


def test_a_travellers_days_stay_those_of_the_order() -> None:
    """Ordered in London, worn in Tokyo from eight to eighteen: 23:00 to 9:00 in London, so each day holds both ends."""
    order = one_phase(datetime(2026, 6, 1, tzinfo=LONDON), Phase(4, Mode.DAYTIME, 10, 3))
    report = judge(order, worn_locally(order, 8, 18, ZoneInfo("Asia/Tokyo")), LATE)
    assert [day.date.day for day in report.days] == [1, 2, 3, 4]
    assert [day.worn_minutes for day in report.days] == [600] * 4
    assert report.verdict is Verdict.MET


def test_on_the_day_of_a_journey_each_hour_counts_where_it_falls() -> None:
    """At home until noon of the third day, then in Auckland, where eight to eighteen is 21:00 to 7:00 in London."""
    order = one_phase(datetime(2026, 6, 1, tzinfo=LONDON), Phase(5, Mode.DAYTIME, 10, 4))
    home, away = (worn_locally(order, 8, 18, zone) for zone in (LONDON, ZoneInfo("Pacific/Auckland")))
    noon = 2 * DAY + DAY // 2
    home.state[noon:] = away.state[noon:]
    report = judge(order, home, LATE)
    assert [day.worn_minutes for day in report.days] == [600, 600, 240 + 180, 600, 600]
    assert [day.outcome for day in report.days].count(DayOutcome.NOT_MET) == 1
    assert report.verdict is Verdict.MET


def test_an_injection_late_in_the_day_asks_for_what_is_left_of_it() -> None:
    order = one_phase(datetime(2026, 6, 1, 18, tzinfo=LONDON), Phase(2, Mode.CONTINUOUS, 23, 2))
    first, second = judge(order, worn_locally(order, 0, 24, LONDON), LATE).days
    assert first.end_minute - first.start_minute == 360
    assert first.target_minutes == pytest.approx(345)
    assert (first.outcome, second.target_minutes) == (DayOutcome.MET, 1380)


def test_the_last_day_of_a_shortened_order_is_asked_for_its_share() -> None:
    order = one_phase(datetime(2026, 6, 1, tzinfo=LONDON), Phase(4, Mode.DAYTIME, 10, 4))
    order = replace(order, ended=Ended(datetime(2026, 6, 3, 12, tzinfo=LONDON), EndedWhy.SHORTENED))
    report = judge(order, worn_locally(order, 7, 17, LONDON), LATE)
    assert [round(day.target_minutes) for day in report.days] == [600, 600, 300]
    assert (report.verdict, report.days_required) == (Verdict.MET, 3)


# --- garments -------------------------------------------------------------------------------------------------------

ORDER = Prescription(
    datetime.fromtimestamp(START * 60, UTC) + timedelta(minutes=-START % DAY), "UTC", (Phase(2, Mode.DAYTIME, 10, 2),)
)
GOOD_LEG, BAD_LEG = every_day(4, 7 * 60, 20 * 60), every_day(4, 7 * 60, 9 * 60)


def of_stocking(serial: str, grid_worn: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ledger:
    grid = grid_of(grid_worn)
    return ledger_of(grid, detect(grid), serial)


def judged(book: Ledger) -> VerdictReport:
    return judge(ORDER, book, LATE)


def test_swapped_garments_give_the_answers_as_labelled_and_the_report_says_it_cannot_see_that() -> None:
    """Left garment on the right leg and the other way round: nothing in the minutes differs but the name."""
    as_labelled = {leg: of_stocking(leg, worn) for leg, worn in (("left", GOOD_LEG), ("right", BAD_LEG))}
    swapped = {leg: of_stocking(leg, worn) for leg, worn in (("left", BAD_LEG), ("right", GOOD_LEG))}
    assert {leg: judged(book).verdict for leg, book in as_labelled.items()} == {
        "left": Verdict.MET,
        "right": Verdict.NOT_MET,
    }
    assert {leg: judged(book).verdict for leg, book in swapped.items()} == {
        "left": Verdict.NOT_MET,
        "right": Verdict.MET,
    }
    for book in (*as_labelled.values(), *swapped.values()):
        told = [each.sentence for each in explain_verdict(ORDER, judged(book), book)]
        assert any("swapped cannot be detected" in sentence for sentence in told)


def test_two_stockings_on_one_leg_are_one_answer() -> None:
    """The second takes over on day three; either alone leaves days unknown or unworn."""
    worn = every_day(4, 7 * 60, 20 * 60)
    change = 2 * DAY
    one, other = grid_of(worn), grid_of(worn, seed=8)
    first = without(one, (change, 4 * DAY))
    second = without(other, (0, change))
    parts = [ledger_of(grid, detect(grid), serial) for grid, serial in ((first, "CZ-0001"), (second, "CZ-0002"))]
    both = on_one_leg(parts)
    assert judged(both).verdict is Verdict.MET
    assert {judged(part).verdict for part in parts} == {Verdict.CANNOT_TELL}
    assert {source.serial for source in both.sources} == {"CZ-0001", "CZ-0002"}


def test_a_spare_in_a_drawer_changes_nothing() -> None:
    worn = of_stocking("CZ-0001", GOOD_LEG)
    spare = of_stocking("CZ-0002", worn_between(4 * DAY))
    assert judged(on_one_leg([worn, spare])) == judged(worn)
    assert Source("CZ-0002", b"log-one.") in on_one_leg([worn, spare]).sources

"""Nights of an order: the clock on the wall decides, also on the two days a year it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from calza_server.domain.orders.prescription import Mode, Night, Phase, Prescription
from tests.server.drawn_orders import moment, orders


def whole_day(date: tuple[int, int, int], zone: str, night: Night) -> tuple[Prescription, list[tuple[str, str]]]:
    """An order whose second day is the date, and that day's night as UTC clock times."""
    start = datetime(*date, tzinfo=ZoneInfo(zone)).replace(hour=12)
    first = Prescription(start, zone, (Phase(1, Mode.CONTINUOUS, 23, 1),), night=night)
    order = replace(first, start=datetime.fromtimestamp(first.days()[0].start_minute * 60 - 86_400, UTC))
    order = replace(order, phases=(Phase(2, Mode.CONTINUOUS, 23, 2),))
    day = order.days()[1]
    return order, [(clock(low), clock(high)) for low, high in order.night_minutes(day)]


def clock(minute: int) -> str:
    return moment(minute).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("zone", "date", "expected"),
    [
        ("UTC", (2026, 6, 1), [("01 00:00", "01 07:00"), ("01 22:00", "02 00:00")]),
        ("Europe/London", (2026, 6, 1), [("31 23:00", "01 06:00"), ("01 21:00", "01 23:00")]),
        (
            "Europe/London",
            (2026, 3, 29),
            [("29 00:00", "29 06:00"), ("29 21:00", "29 23:00")],
        ),  # seven by the wall, six long
        ("Europe/London", (2026, 10, 25), [("24 23:00", "25 07:00"), ("25 22:00", "26 00:00")]),  # eight long
        ("Africa/Cairo", (2026, 4, 24), [("23 22:00", "24 04:00"), ("24 19:00", "24 21:00")]),  # begins at 1:00
        ("Pacific/Auckland", (2026, 6, 1), [("31 12:00", "31 19:00"), ("01 10:00", "01 12:00")]),
    ],
)
def test_the_night_is_from_ten_to_seven(zone: str, date: tuple[int, int, int], expected: list[tuple[str, str]]) -> None:
    assert whole_day(date, zone, Night())[1] == expected


def test_an_hour_that_comes_twice_is_night_twice() -> None:
    """London, 25 October: 1:00 to 2:00 passes twice, so a night to 1:30 comes back for half an hour."""
    _, found = whole_day((2026, 10, 25), "Europe/London", Night(time(23), time(1, 30)))
    assert found == [("24 23:00", "25 00:30"), ("25 01:00", "25 01:30"), ("25 23:00", "26 00:00")]


def test_an_hour_that_never_comes_is_no_night() -> None:
    """London, 29 March: 1:00 to 2:00 is left out, so a night to 1:30 ends where the clocks jump."""
    _, found = whole_day((2026, 3, 29), "Europe/London", Night(time(23), time(1, 30)))
    assert found == [("29 00:00", "29 01:00"), ("29 22:00", "29 23:00")]
    _, found = whole_day((2026, 3, 29), "Europe/London", Night(time(1, 15), time(1, 45)))
    assert found == []


def test_a_night_may_lie_within_one_day() -> None:
    _, found = whole_day((2026, 6, 1), "UTC", Night(time(0), time(6)))
    assert found == [("01 00:00", "01 06:00")]


def test_only_an_optional_night_is_excused() -> None:
    phase = Phase(1, Mode.CONTINUOUS, 23, 1)
    order = Prescription(datetime(2026, 6, 1, tzinfo=UTC), "UTC", (phase, replace(phase, night_optional=True)))
    strict, lenient = order.days()
    assert strict.night == ()
    assert lenient.night == order.night_minutes(lenient) != ()


def test_the_first_days_night_begins_with_the_order() -> None:
    order = Prescription(datetime(2026, 6, 1, 23, tzinfo=UTC), "UTC", (Phase(1, Mode.CONTINUOUS, 23, 1),))
    (day,) = order.days()
    assert order.night_minutes(day) == ((day.start_minute, day.end_minute),)


@given(orders())
@settings(max_examples=40)
def test_a_minute_is_night_when_the_wall_says_so(order: Prescription) -> None:
    zone, night = ZoneInfo(order.timezone), order.night

    def is_night(minute: int) -> bool:
        wall = moment(minute).astimezone(zone).time()
        if night.start < night.end:
            return night.start <= wall < night.end
        return wall >= night.start or wall < night.end

    for day in order.days()[:3]:
        found = order.night_minutes(day)
        inside = {minute for low, high in found for minute in range(low, high)}
        assert sum(high - low for low, high in found) == len(inside)
        assert inside == {minute for minute in range(day.start_minute, day.end_minute) if is_night(minute)}

"""Where a day is drawn: whole days, days of 23 and 25 hours, part days, nothing yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.orders.prescription import Mode, Phase, Prescription
from calza_server.domain.states import State
from calza_server.domain.verdicts.verdict import judge
from calza_server.web.strip import DayStrip, day_strip, percent

LONDON = "Europe/London"


def drawn(start: datetime, *, zone: str = LONDON, spans: dict[State, tuple[int, int]], as_of: int = 10**9) -> DayStrip:
    """The first day of a one-day order, with spans of minutes after its start; the rest is not worn."""
    order = Prescription(start, zone, (Phase(1, Mode.DAYTIME, 10, 1),))
    states = np.full(order.end_minute - order.start_minute, State.NOT_WORN, np.uint8)
    for state, (begin, end) in spans.items():
        states[begin:end] = state
    book = replace(Ledger.unknown(order.start_minute, order.end_minute), state=states)
    report = judge(order, book, as_of)
    return day_strip(report.days[0], book, as_of, ZoneInfo(zone))


def shares(strip: DayStrip) -> float:
    return sum(float(one.width.rstrip("%")) for one in strip.stretches)


def test_a_day_is_drawn_to_the_minute() -> None:
    strip = drawn(datetime(2026, 6, 1, tzinfo=UTC), zone="UTC", spans={State.WORN: (360, 1080)})
    assert [(one.state, one.x, one.width) for one in strip.stretches] == [
        (State.NOT_WORN, "0%", "25%"),
        (State.WORN, "25%", "50%"),
        (State.NOT_WORN, "75%", "25%"),
    ]
    assert (strip.stretches[1].begins, strip.stretches[1].ends) == ("06:00", "18:00")
    assert strip.ticks == ("25%", "50%", "75%")
    assert (strip.worn, strip.unknown, strip.needed) == ("50%", "0%", "37.5%")


@pytest.mark.parametrize(("day", "six"), [((2026, 3, 29), 5 / 23), ((2026, 10, 25), 7 / 25), ((2026, 6, 1), 6 / 24)])
def test_a_day_of_any_length_fills_its_strip(day: tuple[int, int, int], six: float) -> None:
    strip = drawn(datetime(*day, tzinfo=ZoneInfo(LONDON)), spans={State.WORN: (100, 200)})
    assert shares(strip) == pytest.approx(100, abs=0.01)
    assert strip.ticks[0] == percent(six, 1)


def test_what_was_before_the_order_is_left_blank() -> None:
    strip = drawn(datetime(2026, 6, 1, 12, tzinfo=UTC), zone="UTC", spans={State.WORN: (0, 60)})
    assert strip.stretches[0].x == "50%"
    assert shares(strip) == pytest.approx(50)


def test_what_has_not_happened_is_left_blank() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    noon = int(start.timestamp()) // 60 + 720
    assert shares(drawn(start, zone="UTC", spans={}, as_of=noon)) == pytest.approx(50)
    assert drawn(start, zone="UTC", spans={}, as_of=noon - 5000).stretches == ()

"""Alerts about the leg as a whole: on for too long, worn past the order, silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from calza_server.domain.alerting.alert_values import Alert, AlertKind, Severity
from calza_server.domain.alerting.alerts import alerts_of_leg
from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.ledgers.leg import LegLedger
from calza_server.domain.orders.prescription import Ended, EndedWhy, Mode, Phase, Prescription, Removal
from tests.server.alert_legs import HOUR, START_AT, order, raised, worn_days
from tests.server.wear_days import DAY, START, Mask, every_day, grid_of, without, worn_between


def continuous(worn: Mask) -> Alert | None:
    return raised(grid_of(worn), order(mode=Mode.CONTINUOUS, hours=23)).get("continuous_wear")


def test_a_day_and_more_on_end_calls_for_a_look_at_the_skin() -> None:
    found = continuous(worn_between(3 * DAY, (HOUR, HOUR + 27 * HOUR)))
    assert found is not None
    assert found.figures[0].value == pytest.approx(27.0, abs=0.2)
    assert continuous(worn_between(3 * DAY, (HOUR, HOUR + 25 * HOUR))) is None  # within the leeway


def test_what_was_worn_before_the_order_began_is_not_counted() -> None:
    grid = grid_of(worn_between(3 * DAY, (0, 40 * HOUR)))
    later = replace(order(mode=Mode.CONTINUOUS, hours=23), start=START_AT + timedelta(hours=20))
    assert raised(grid, later) == {}


def test_half_an_hour_off_a_day_is_enough() -> None:
    assert continuous(worn_between(4 * DAY, *((day * DAY + 30, (day + 1) * DAY) for day in range(4)))) is None


def test_where_nothing_may_be_taken_off_nobody_is_reminded_to() -> None:
    worn = worn_between(4 * DAY, (0, 3 * DAY))
    no_removal = Phase(3, Mode.CONTINUOUS, 24, 3, removal=Removal.NONE)
    assert raised(grid_of(worn), replace(order(), phases=(no_removal,))) == {}
    two = replace(order(), phases=(replace(no_removal, days=1, days_required=1), Phase(3, Mode.CONTINUOUS, 23, 3)))
    found = raised(grid_of(worn), two)["continuous_wear"]
    assert found.minutes[0][0] >= two.days()[1].start_minute  # counted from where it was allowed off


def test_time_nobody_knows_of_is_not_called_worn_on_end() -> None:
    grid = without(grid_of(worn_between(3 * DAY, (0, 2 * DAY))), (20 * HOUR, 20 * HOUR + 30))
    assert raised(grid, order(mode=Mode.CONTINUOUS, hours=23))["continuous_wear"].minutes[0][0] >= START + 20 * HOUR
    grid = without(grid_of(worn_between(3 * DAY, (0, 30 * HOUR))), (15 * HOUR, 15 * HOUR + 30))
    assert raised(grid, order(mode=Mode.CONTINUOUS, hours=23)) == {}


def test_wear_after_the_last_day_is_told_but_not_the_night_that_ends_it() -> None:
    given = order(days=2)
    end = given.end_minute - START
    assert raised(grid_of(worn_between(4 * DAY, (480, 1320), (DAY + 480, end + 9 * HOUR))), given) == {}
    found = raised(grid_of(worn_between(4 * DAY, (DAY + 480, DAY + 1320), (end + 20 * HOUR, end + 23 * HOUR))), given)
    assert list(found) == ["worn_past_order"]
    assert found["worn_past_order"].severity is Severity.NOTE


def test_a_ceiling_of_the_source_is_named_and_a_superseded_order_is_silent() -> None:
    grid = grid_of(worn_between(4 * DAY, (DAY + 480, DAY + 1320), (3 * DAY + 8 * HOUR, 3 * DAY + 11 * HOUR)))
    capped = replace(order(days=2), max_days=7)
    assert "no more than 7 days" in raised(grid, capped)["worn_past_order"].sentence
    at = START_AT + timedelta(days=2)
    assert "worn_past_order" in raised(grid, replace(order(), ended=Ended(at, EndedWhy.SHORTENED)))
    assert raised(grid, replace(order(), ended=Ended(at, EndedWhy.SUPERSEDED))) == {}


@pytest.mark.parametrize(
    ("mode", "hours", "expected"),
    [
        (Mode.CONTINUOUS, 23, False),
        (Mode.CONTINUOUS, 24, True),
        (Mode.DAYTIME, 47, False),
        (Mode.DAYTIME, 48, True),
    ],
)
def test_a_leg_nothing_is_heard_of_is_silent_sooner_in_a_continuous_phase(
    mode: Mode, hours: int, *, expected: bool
) -> None:
    grid = grid_of(every_day(2, 8 * HOUR, 22 * HOUR))
    found = raised(grid, order(mode=mode), as_of=grid.end_minute + hours * HOUR)
    assert ("silent" in found) == expected
    if expected:
        assert found["silent"].minutes == ((grid.end_minute, grid.end_minute + hours * HOUR),)


def test_silence_matters_until_the_verdict_is_frozen_and_not_before_the_order_begins() -> None:
    grid = grid_of(every_day(2, 8 * HOUR, 22 * HOUR))
    given = order(days=3)
    frozen = given.end_minute + given.grace_days * DAY
    assert "silent" in raised(grid, given, as_of=frozen - 1)
    assert "silent" not in raised(grid, given, as_of=frozen)
    later = replace(given, start=START_AT + timedelta(days=9))
    assert raised(grid, later, as_of=later.start_minute - 1) == {}
    whole = grid_of(every_day(4, 8 * HOUR, 22 * HOUR))
    assert "silent" not in raised(whole, given, as_of=given.end_minute + 5 * DAY)  # all it was asked for is there


def test_silence_from_before_the_order_counts_from_its_beginning() -> None:
    grid = grid_of(every_day(2, 8 * HOUR, 22 * HOUR))
    later = replace(order(), start=START_AT + timedelta(days=5))
    assert raised(grid, later, as_of=later.start_minute + 47 * HOUR) == {}
    found = raised(grid, later, as_of=later.start_minute + 48 * HOUR)["silent"]
    assert found.minutes == ((later.start_minute, later.start_minute + 48 * HOUR),)


def test_a_leg_never_heard_of_is_silent_since_its_order_began() -> None:
    given = order()
    nothing = LegLedger(Ledger.unknown(START, START + 3 * DAY), 0)
    (found,) = alerts_of_leg(nothing, given, START + 3 * DAY)
    assert found.kind is AlertKind.SILENT
    assert found.minutes == ((START, START + 3 * DAY),)
    assert "paired" in found.sentence


def test_nothing_ordered_asks_for_nothing() -> None:
    given = Prescription(START_AT, "UTC", ())
    grid = worn_days()
    assert raised(grid, given, as_of=grid.end_minute + 9 * DAY) == {}

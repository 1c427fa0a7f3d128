"""Orders that end early: what is left of days and phases, and what a clinician may do to a running order."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.orders.prescription import (
    Ended,
    EndedWhy,
    Mode,
    Pause,
    Phase,
    Prescription,
    Removal,
)
from calza_server.domain.orders.rx_document import RuleError
from calza_server.domain.orders.superseding import paused, shortened, superseded_by
from tests.server.drawn_orders import moment, moments, orders

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
ORDER = Prescription(START, "UTC", (Phase(4, Mode.CONTINUOUS, 23, 4), Phase(10, Mode.DAYTIME, 10, 8)))


def on(day: int, hour: int = 0) -> datetime:
    """A moment of the order's calendar, counted from the day it starts."""
    return START.replace(hour=0) + timedelta(days=day, hours=hour)


def ended(at: datetime) -> Prescription:
    return replace(ORDER, ended=Ended(at, EndedWhy.SHORTENED))


def test_the_last_day_is_cut_and_prorated_like_the_first() -> None:
    last = ended(on(2, 6)).days()[-1]
    assert (last.start_minute, last.end_minute) == tuple(int(on(2, h).timestamp()) // 60 for h in (0, 6))
    assert last.target_minutes == pytest.approx(23 * 60 / 4)
    assert ended(on(6, 12)).days()[-1].target_minutes == pytest.approx(300)


def test_an_order_closed_on_its_first_day_keeps_what_lay_between() -> None:
    (only,) = ended(on(0, 16)).days()
    assert only.end_minute - only.start_minute == 6 * 60
    assert only.target_minutes == pytest.approx(23 * 60 / 4)


def test_an_order_closed_at_midnight_has_no_empty_day() -> None:
    assert len(ended(on(3)).days()) == 3


def test_an_order_that_ended_before_it_began_has_no_days() -> None:
    """No document says so, but a value made by hand may."""
    order = ended(on(-1))
    assert (order.days(), order.effective_phases(), order.end_minute) == ((), (), order.start_minute)


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (on(0, 12), [(0, 1, 1)]),
        (on(4), [(0, 4, 4)]),  # the second phase never began
        (on(4, 1), [(0, 4, 4), (1, 1, 1)]),
        (on(9), [(0, 4, 4), (1, 5, 4)]),
        (on(10), [(0, 4, 4), (1, 6, 5)]),  # 8 of 10 is 4.8 of 6, and nobody wears 4.8 days
        (on(13, 23), [(0, 4, 4), (1, 10, 8)]),
    ],
)
def test_the_days_required_keep_their_share_of_the_days_left(at: datetime, left: list[tuple[int, int, int]]) -> None:
    found = [(each.index, each.phase.days, each.phase.days_required) for each in ended(at).effective_phases()]
    assert found == left


def test_an_order_that_ran_its_course_keeps_its_phases() -> None:
    assert [each.phase for each in ORDER.effective_phases()] == list(ORDER.phases)


@given(orders())
def test_days_and_phases_agree_with_each_other(order: Prescription) -> None:
    days, phases = order.days(), order.effective_phases()
    assert [each.index for each in phases] == sorted({day.phase for day in days})
    for each in phases:
        ordered = order.phases[each.index]
        assert each.phase.days == sum(day.phase == each.index for day in days)
        assert each.phase.days_required / each.phase.days >= ordered.days_required / ordered.days - 1e-9
        assert 0 <= each.phase.days_required <= each.phase.days
        assert each.phase.days_required - 1 < ordered.days_required * each.phase.days / ordered.days
    assert all(one.end_minute == other.start_minute for one, other in pairwise(days))
    assert not days or (days[0].start_minute, days[-1].end_minute) == (order.start_minute, order.end_minute)
    for day in days:
        assert day.start_minute < day.end_minute
        assert 0 <= day.target_minutes <= day.end_minute - day.start_minute
        assert day.tolerance == order.phases[day.phase].tolerance
        assert 0 <= day.hygiene_minutes <= order.phases[day.phase].hygiene_minutes


@given(orders(ended=True))
def test_ending_early_only_takes_away(order: Prescription) -> None:
    whole = replace(order, ended=None)
    kept = order.days()
    for cut, full in zip(kept, whole.days(), strict=False):
        if full.end_minute <= order.end_minute:
            assert cut == full
        else:
            assert cut is kept[-1]
            assert cut.target_minutes <= full.target_minutes
    assert order.end_minute < whole.end_minute


@given(st.integers(0, 14 * 1440))
def test_the_later_it_ends_the_more_is_asked(minute: int) -> None:
    sooner, later = (ended(moment(ORDER.start_minute + 1 + minute + more)) for more in (0, 1))
    total = [sum(day.target_minutes for day in order.days()) for order in (sooner, later)]
    assert total[0] <= total[1] + 1e-9


@pytest.mark.parametrize(
    ("hours", "hygiene", "excused"),
    [(23, 60, 0), (24, 60, 60), (23.5, 60, 30), (24, 0, 0), (10, 60, 0), (23.75, 30, 15)],
)
def test_hygiene_is_excused_only_where_the_hours_leave_no_room(hours: float, hygiene: int, excused: int) -> None:
    phase = Phase(3, Mode.CONTINUOUS, hours, 3, hygiene_minutes=hygiene)
    first, second, third = Prescription(START, "UTC", (phase,)).days()
    assert (second.hygiene_minutes, third.hygiene_minutes) == (excused, excused)
    assert first.hygiene_minutes == math.floor(excused * 14 / 24)  # 14 hours of the first day are left


def test_hygiene_is_not_given_twice_when_the_clocks_change() -> None:
    for month, day in ((3, 28), (10, 24)):
        start = datetime(2026, month, day, tzinfo=UTC)
        for hours, excused in ((23, 0), (24, 60)):
            phase = Phase(3, Mode.CONTINUOUS, hours, 3, hygiene_minutes=60)
            days = Prescription(start, "Europe/London", (phase,)).days()
            assert [each.hygiene_minutes for each in days[1:]] == [excused, excused]


def test_a_phase_may_have_a_tolerance_of_its_own() -> None:
    phase = Phase(1, Mode.DAYTIME, 10, 1, tolerance_share=0.0)
    (day,) = Prescription(datetime(2026, 6, 1, tzinfo=UTC), "UTC", (phase,)).days()
    assert day.required(0) == 600
    assert replace(phase, tolerance_share=None).tolerance == 0.10
    assert replace(phase, tolerance_share=None, removal=Removal.NONE).tolerance == 0.02


def test_the_next_treatment_closes_the_order_where_its_own_begins() -> None:
    """A six-week order meets a session on day 30."""
    long = Prescription(START, "Europe/London", (Phase(42, Mode.DAYTIME, 10, 34),))
    next_start = on(30, 11)
    closed = superseded_by(long, next_start)
    assert closed.label == "superseded by the next treatment"
    assert closed.end_minute == Prescription(next_start, "Europe/London", long.phases).start_minute
    (phase,) = closed.effective_phases()
    assert (phase.phase.days, phase.phase.days_required) == (31, 26)  # 34 of 42, of 31: 25.1
    assert long.ended is None


def test_a_finished_order_is_not_superseded() -> None:
    assert superseded_by(ORDER, on(14)) is ORDER
    short = shortened(ORDER, on(5), "skin")
    assert superseded_by(short, on(5)) is short
    nothing = Prescription(START, "UTC", ())
    assert superseded_by(nothing, on(30)) is nothing


def test_a_session_before_the_agreed_end_supersedes_a_shortened_order() -> None:
    order = superseded_by(shortened(ORDER, on(9), "skin"), on(8))
    assert order.ended == Ended(on(8), EndedWhy.SUPERSEDED)


@pytest.mark.parametrize("at", [START, START + timedelta(seconds=59), START - timedelta(days=1)])
def test_a_session_must_follow_the_order_it_replaces(at: datetime) -> None:
    with pytest.raises(RuleError, match="must start after"):
        superseded_by(ORDER, at)


def test_an_order_can_only_get_shorter() -> None:
    order = shortened(ORDER, on(9), "skin")
    assert order.ended == Ended(on(9), EndedWhy.SHORTENED, "skin")
    assert shortened(order, on(8), "still").end_minute < order.end_minute
    for late in (on(9), on(10)):
        with pytest.raises(RuleError, match="only make it end earlier"):
            shortened(order, late, "longer")
    with pytest.raises(RuleError, match="only make it end earlier"):
        shortened(ORDER, on(14), "longer")
    with pytest.raises(RuleError, match="after the start"):
        shortened(ORDER, START, "at once")


def test_shortening_needs_a_reason() -> None:
    with pytest.raises(RuleError, match="say why"):
        shortened(ORDER, on(9), " ")


def test_a_pause_is_added_in_its_place() -> None:
    later = paused(ORDER, on(6), on(7), "blister")
    both = paused(later, on(2), on(3), "fever")
    assert both.pauses == (Pause(on(2), on(3), "fever"), Pause(on(6), on(7), "blister"))
    assert ORDER.pauses == ()


@pytest.mark.parametrize(
    ("start", "end"), [(on(6, 12), on(8)), (on(7), on(7)), (on(7), on(6)), (on(-3), on(-2)), (on(14), on(15))]
)
def test_a_pause_that_makes_no_sense_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(RuleError):
        paused(paused(ORDER, on(6), on(7), "blister"), start, end, "x")


def test_a_pause_after_the_end_is_refused() -> None:
    for start in (on(5), on(6)):
        with pytest.raises(RuleError, match="over before"):
            paused(ended(on(5)), start, on(7), "x")
    assert paused(ended(on(5)), on(4, 23), on(7), "x").pauses


def test_a_moment_without_its_offset_is_refused() -> None:
    naive = on(6).replace(tzinfo=None)
    with pytest.raises(RuleError, match="offset"):
        superseded_by(ORDER, naive)
    with pytest.raises(RuleError, match="offset"):
        shortened(ORDER, naive, "x")
    for start, end in ((naive, on(7)), (on(5), naive)):
        with pytest.raises(RuleError, match="offset"):
            paused(ORDER, start, end, "x")


@given(orders(), moments)
def test_an_order_and_its_successor_never_overlap(order: Prescription, at: datetime) -> None:
    try:
        closed = superseded_by(order, at)
    except RuleError:
        assert at < order.start + timedelta(minutes=1)
        return
    successor = Prescription(at, order.timezone, order.phases)
    assert closed.end_minute <= successor.start_minute
    assert closed.end_minute <= order.end_minute
    assert replace(closed, ended=order.ended) == order

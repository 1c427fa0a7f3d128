"""What makes a verdict honest, tried on any order, any ledger and any moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.orders.prescription import Prescription
from calza_server.domain.states import State
from calza_server.domain.verdicts.verdict import DayOutcome, Verdict, VerdictReport, judge
from tests.server.drawn_ledgers import BITES, LEAD, bitten, filled, ledgers, short_orders

# The partial order of answers: what is worse, what lies in between, what is better. Those given while the order runs
# rank like those given afterwards; "not applicable" compares with nothing but itself.
RANK = {
    Verdict.NOT_MET: 0,
    Verdict.CANNOT_BE_MET: 0,
    Verdict.CANNOT_TELL: 1,
    Verdict.CAN_BE_MET: 1,
    Verdict.MET: 2,
    Verdict.ALREADY_MET: 2,
}
DAY_RANK = {DayOutcome.NOT_MET: 0, DayOutcome.CANNOT_TELL: 1, DayOutcome.OPEN: 1, DayOutcome.MET: 2}
UNDECIDED = 1
LATE = 10**9

some = settings(max_examples=100)
draws = st.data()
ORDERS = short_orders()


def as_ofs(order: Prescription) -> st.SearchStrategy[int]:
    return st.integers(order.start_minute - 10, order.end_minute + 10)


def ranks(report: VerdictReport) -> list[int]:
    """Every answer of a report, comparable place by place with that of another report on the same order."""
    early = [] if report.early is None else [RANK[report.early.verdict]]
    phases = [RANK[phase.verdict] for phase in report.phases]
    return [RANK[report.verdict], *early, *phases, *(DAY_RANK[day.outcome] for day in report.days)]


@given(draws, ORDERS, BITES)
@some
def test_more_wear_never_worsens_an_answer(
    data: st.DataObject, order: Prescription, bites: list[tuple[float, float]]
) -> None:
    book, as_of = data.draw(ledgers(order)), data.draw(as_ofs(order))
    before, after = judge(order, book, as_of), judge(order, bitten(order, book, bites, State.WORN), as_of)
    assert all(one <= other for one, other in zip(ranks(before), ranks(after), strict=True))
    assert before.days_met_lower <= after.days_met_lower
    assert before.days_met_upper <= after.days_met_upper
    assert before.worn_hours_lower <= after.worn_hours_lower


@given(draws, ORDERS, BITES)
@some
def test_hiding_data_only_leads_to_not_knowing(
    data: st.DataObject, order: Prescription, bites: list[tuple[float, float]]
) -> None:
    book, as_of = data.draw(ledgers(order)), data.draw(as_ofs(order))
    before, after = judge(order, book, as_of), judge(order, bitten(order, book, bites, State.UNKNOWN), as_of)
    assert all(other in {one, UNDECIDED} for one, other in zip(ranks(before), ranks(after), strict=True))
    assert after.days_met_lower <= before.days_met_lower
    assert after.days_met_upper >= before.days_met_upper
    assert after.worn_hours_lower <= before.worn_hours_lower


@given(draws, ORDERS, BITES)
@some
def test_bounds_contain_the_truth(data: st.DataObject, order: Prescription, bites: list[tuple[float, float]]) -> None:
    """The truth knows every minute, also those under a bandage."""
    truth = filled(order, data.draw(ledgers(order)), data.draw(st.sampled_from([State.WORN, State.NOT_WORN])))
    real = judge(replace(order, unsensed=()), truth, LATE)
    assert real.verdict in {Verdict.MET, Verdict.NOT_MET}
    assert real.days_met_lower == real.days_met_upper
    seen = judge(order, bitten(order, truth, bites, State.UNKNOWN), data.draw(as_ofs(order)))
    assert seen.days_met_lower <= real.days_met_lower <= seen.days_met_upper
    assert seen.worn_hours_lower <= real.worn_hours_lower
    assert all(one in {other, UNDECIDED} for one, other in zip(ranks(seen), ranks(real), strict=True))


@given(draws, short_orders(unsensed=False))
@some
def test_each_bound_is_what_filling_in_gives(data: st.DataObject, order: Prescription) -> None:
    """Not only contained: filled as not worn the count of days is the lower bound, filled as worn the upper one."""
    book = data.draw(ledgers(order))
    seen = judge(order, book, LATE)
    worst = judge(order, filled(order, book, State.NOT_WORN), LATE)
    best = judge(order, filled(order, book, State.WORN), LATE)
    assert (seen.days_met_lower, seen.days_met_upper) == (worst.days_met_lower, best.days_met_lower)
    assert seen.worn_hours_upper == best.worn_hours_lower
    for day, low, high in zip(seen.days, worst.days, best.days, strict=True):
        assert (day.required_minutes_lower, day.required_minutes) == (low.required_minutes, high.required_minutes)
    assert worst.verdict in {seen.verdict, Verdict.NOT_MET}
    assert best.verdict in {seen.verdict, Verdict.MET}


@given(draws, ORDERS)
@some
def test_what_lies_later_changes_nothing(data: st.DataObject, order: Prescription) -> None:
    book, as_of = data.draw(ledgers(order)), data.draw(as_ofs(order))
    other = book.window(book.start_minute, book.end_minute)
    later = slice(max(0, as_of - book.start_minute), None)
    other.state[later] = data.draw(st.sampled_from(State))
    assert judge(order, other, as_of) == judge(order, book, as_of)
    assert judge(order, book.window(book.start_minute, as_of), as_of) == judge(order, book, as_of)


@given(draws, ORDERS)
@some
def test_time_only_settles(data: st.DataObject, order: Prescription) -> None:
    """With the same data, what was settled stays settled, and bounds close in on each other."""
    book = data.draw(ledgers(order))
    early, late = sorted((data.draw(as_ofs(order)), data.draw(as_ofs(order))))
    before, after = judge(order, book, early), judge(order, book, late)
    assert all(one in {other, UNDECIDED} for one, other in zip(ranks(before), ranks(after), strict=True))
    assert before.days_met_lower <= after.days_met_lower <= after.days_met_upper <= before.days_met_upper


@given(draws, ORDERS)
@some
def test_the_parts_of_a_report_fit_together(data: st.DataObject, order: Prescription) -> None:
    report = judge(order, data.draw(ledgers(order)), data.draw(as_ofs(order)))
    for day in report.days:
        parts = [day.worn_minutes, day.not_worn_minutes, day.unknown_minutes, day.excused_minutes, day.ahead_minutes]
        assert sum(parts) == day.end_minute - day.start_minute
        assert min(parts) >= 0
        assert 0 <= day.forgiven_minutes <= day.excused_minutes
        assert 0 <= day.required_minutes_lower <= day.required_minutes <= day.target_minutes + 1
        if day.outcome is DayOutcome.MET:
            assert day.worn_minutes >= day.required_minutes_lower
    assert sum(phase.days for phase in report.phases) == len(report.days)
    assert report.running is (report.verdict in {Verdict.ALREADY_MET, Verdict.CAN_BE_MET, Verdict.CANNOT_BE_MET})
    assert (report.early is not None) is any(order.phases[phase.index].critical for phase in report.phases)


@given(draws, ORDERS)
@some
def test_a_ledger_that_says_more_than_is_asked_gives_the_same_answer(data: st.DataObject, order: Prescription) -> None:
    book = data.draw(ledgers(order))
    whole = book.window(order.start_minute, order.end_minute)
    around = book.window(order.start_minute - LEAD, order.end_minute + LEAD)
    outside = np.ones(len(around), np.bool_)
    outside[LEAD : LEAD + len(whole)] = False
    around.state[outside] = State.WORN
    assert judge(order, around, LATE) == judge(order, whole, LATE) == judge(order, book, LATE)

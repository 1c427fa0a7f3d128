"""Explanations: the sentences a patient reads, the rows behind them, and what they must never say or leave out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.ledgers.ledger import Ledger, Source
from calza_server.domain.orders.prescription import Ended, EndedWhy, Mode, Pause, Phase, Prescription, minute_of
from calza_server.domain.states import Dose, Reason, State
from calza_server.domain.verdicts.explain import Statement, Topic, explain_day, explain_verdict
from calza_server.domain.verdicts.explain_rows import by_reason, minutes_of
from calza_server.domain.verdicts.explain_words import REASONS, SHORT_REASONS, day_names, listed, span
from calza_server.domain.verdicts.verdict import judge
from tests.server.drawn_ledgers import ledgers, short_orders

LATE = 10**9
DAY = 1440
BLAME_AND_DIAGNOSIS = re.compile(
    r"fail|comply|complian|adheren|forgot|refus|neglect|lazy|should have|fault of|your fault|must wear|blame|cheat"
    r"|disease|thrombo|clot|ulcer|ischaem|diagnos|danger|heal",
    re.IGNORECASE,
)


def london(text: str) -> int:
    """The minute of a wall time in London, given with its offset."""
    return minute_of(datetime.fromisoformat(text))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


ORDER = Prescription(
    start=moment("2026-03-26T10:30+00:00"),
    timezone="Europe/London",
    phases=(
        Phase(4, Mode.CONTINUOUS, 24, 4, 18.0, hygiene_minutes=60, night_optional=True, critical=True),
        Phase(10, Mode.DAYTIME, 10, 8),
    ),
    pauses=(Pause(moment("2026-03-28T12:00Z"), moment("2026-03-28T14:00Z"), "skin blister"),),
    unsensed=(Pause(moment("2026-03-26T10:30Z"), moment("2026-03-26T16:00Z"), "compression bandage"),),
)
PLAIN = Prescription(moment("2026-03-02T00:00Z"), "Europe/London", (Phase(14, Mode.DAYTIME, 10, 12),))


def always_on(order: Prescription) -> Ledger:
    """Worn from the first minute to the last, recorded, pressure as ordered."""
    book = Ledger.unknown(order.start_minute, order.end_minute)
    book.state[:], book.reason[:], book.dose[:] = State.WORN, Reason.ON_LEG, Dose.REACHED
    book.source[:], book.record[:] = 0, np.arange(len(book)) // 60
    return replace(book, sources=(Source("CZ-0001", b"log-one."),))


def put(book: Ledger, first: str, last: str, state: State, reason: Reason) -> None:
    piece = slice(london(first) - book.start_minute, london(last) - book.start_minute)
    book.state[piece], book.reason[piece], book.dose[piece] = state, reason, Dose.NOT_ASKED


def told(order: Prescription, book: Ledger, day: str, as_of: int = LATE) -> list[str]:
    return [each.sentence for each in explain_day(order, judge(order, book, as_of), book, date.fromisoformat(day))]


def told_in_all(order: Prescription, book: Ledger, as_of: int = LATE) -> list[str]:
    return [each.sentence for each in explain_verdict(order, judge(order, book, as_of), book)]


# --- days -----------------------------------------------------------------------------------------------------------


def test_a_day_that_counts() -> None:
    book = always_on(PLAIN)
    put(book, "2026-03-03T00:00Z", "2026-03-03T08:00Z", State.NOT_WORN, Reason.NO_PRESSURE)
    put(book, "2026-03-03T17:10Z", "2026-03-04T00:00Z", State.NOT_WORN, Reason.NOT_A_LEG)
    assert told(PLAIN, book, "2026-03-03") == [
        "On Tue 3 March the stocking was on for 9 h 10 min; 9 h were needed, so this day counts.",
        "The order asks for 10 h on this day; 10% less is accepted.",
        "It was off for 14 h 50 min: from 00:00 to 08:00 and from 17:10 to midnight.",
        "This is within 30 min of what was needed. A stocking is not more exact than that, "
        "so the day could as well have come out the other way.",
    ]


def test_a_day_that_cannot_be_told_says_from_when_to_when_and_why() -> None:
    book = always_on(PLAIN)
    put(book, "2026-03-03T00:00Z", "2026-03-03T10:00Z", State.NOT_WORN, Reason.NO_PRESSURE)
    put(book, "2026-03-03T14:05Z", "2026-03-03T16:40Z", State.UNKNOWN, Reason.BATTERY_FLAT)
    put(book, "2026-03-03T20:00Z", "2026-03-04T00:00Z", State.NOT_WORN, Reason.CHARGING)
    sentences = told(PLAIN, book, "2026-03-03")
    assert sentences[0] == (
        "On Tue 3 March the stocking was on for 7 h 25 min to 10 h; 9 h were needed, "
        "so whether this day counts cannot be told."
    )
    assert "From 14:05 to 16:40 nothing is known: the stocking's battery was flat." in sentences


def test_a_day_that_does_not_count_says_so_without_more() -> None:
    book = always_on(PLAIN)
    put(book, "2026-03-03T06:00Z", "2026-03-04T00:00Z", State.NOT_WORN, Reason.NO_PRESSURE)
    assert told(PLAIN, book, "2026-03-03")[0] == (
        "On Tue 3 March the stocking was on for 6 h; 9 h were needed, so this day does not count."
    )
    put(book, "2026-03-03T06:00Z", "2026-03-03T08:00Z", State.UNKNOWN, Reason.NO_DATA)
    assert told(PLAIN, book, "2026-03-03")[0].endswith("so this day does not count, whatever the unknown part was.")


def test_the_first_day_names_its_beginning_and_what_no_sensor_saw() -> None:
    assert told(ORDER, always_on(ORDER), "2026-03-26") == [
        "On Thu 26 March the stocking was on for 8 h to 13 h 30 min; 11 h 36 min to 12 h 09 min were needed, "
        "so whether this day counts cannot be told.",
        "The order asks for 13 h 30 min on this day (the order begins at 10:30); 10% less is accepted.",
        "From 10:30 to 16:00 nothing is known: a bandage or pad was ordered, which no sensor sees "
        "(compression bandage).",
        "While the stocking was on, the pressure at the ankle reached the ordered 18 mmHg for 8 h. "
        "This tells about the stocking, not about how it was worn, and leaves the answer as it is.",
    ]


def test_excuses_are_named() -> None:
    book = always_on(ORDER)
    put(book, "2026-03-28T08:00Z", "2026-03-28T08:45Z", State.NOT_WORN, Reason.NO_PRESSURE)
    sentences = told(ORDER, book, "2026-03-28")
    assert (
        "From 12:00 to 14:00 the clinic had paused the order (skin blister); that time is not asked for." in sentences
    )
    assert (
        "45 min of the time it was off are excused: the order allows them for washing and skin care or at night, "
        "which this order leaves open."
    ) in sentences


def test_times_are_those_of_the_orders_zone_and_unmistakable_when_clocks_change() -> None:
    """29 March 2026: 01:00 GMT is 02:00 BST."""
    book = always_on(ORDER)
    put(book, "2026-03-29T00:30Z", "2026-03-29T02:15Z", State.UNKNOWN, Reason.NO_DATA)
    put(book, "2026-03-30T06:00Z", "2026-03-30T07:15Z", State.UNKNOWN, Reason.NO_DATA)
    day = told(ORDER, book, "2026-03-29")
    assert "From 00:30 GMT to 03:15 BST nothing is known: no data has been received." in day
    assert "The order asks for 23 h on this day (the clocks change, so the day has 23 h); 10% less is accepted." in day
    next_day = told(ORDER, book, "2026-03-30")
    assert "From 07:00 to 08:15 nothing is known: no data has been received." in next_day


def test_many_short_stretches_are_told_together() -> None:
    book = always_on(PLAIN)
    for minute in range(0, 50, 10):
        put(book, f"2026-03-03T10:{minute:02d}Z", f"2026-03-03T10:{minute + 3:02d}Z", State.UNKNOWN, Reason.AMBIGUOUS)
    assert "Of 15 min in 5 short stretches nothing is known: the stocking's signs were unclear." in told(
        PLAIN, book, "2026-03-03"
    )


def test_a_day_ahead_and_a_day_that_runs() -> None:
    book = always_on(PLAIN)
    noon = london("2026-03-03T06:00Z")
    assert told(PLAIN, book, "2026-03-04", noon)[0] == "Wed 4 March is still to come; 9 h are needed."
    assert told(PLAIN, book, "2026-03-03", noon)[0] == (
        "On Tue 3 March the stocking was on for 6 h so far; 9 h are needed and 18 h of the day are still to come."
    )


def test_a_silent_day_is_not_said_to_be_worn_for_no_minutes() -> None:
    book = always_on(PLAIN)
    put(book, "2026-03-03T00:00Z", "2026-03-04T00:00Z", State.UNKNOWN, Reason.NO_DATA)
    first, _, second = told(PLAIN, book, "2026-03-03")
    assert first.startswith("On Tue 3 March nothing is known of the stocking; 9 h were needed")
    assert second == "All day nothing is known: no data has been received."


def test_a_day_outside_the_order() -> None:
    (only,) = explain_day(PLAIN, judge(PLAIN, always_on(PLAIN), LATE), always_on(PLAIN), date(2026, 3, 1))
    assert only == Statement("Sun 1 March is not a day of this order.", topic=Topic.ORDER)


# --- the whole order ------------------------------------------------------------------------------------------------


def silent_days() -> Ledger:
    """Fourteen days of which three lie in the dark with a flat battery and one was too short."""
    book = always_on(PLAIN)
    put(book, "2026-03-05T00:00Z", "2026-03-08T00:00Z", State.UNKNOWN, Reason.BATTERY_FLAT)
    put(book, "2026-03-10T05:00Z", "2026-03-11T00:00Z", State.NOT_WORN, Reason.NO_PRESSURE)
    return book


def test_an_order_that_cannot_be_told() -> None:
    assert told_in_all(PLAIN, silent_days()) == [
        "Whether the order was met cannot be told: what is unknown could turn the answer either way.",
        "As ordered it was worn on 10 to 13 of 14 days; 3 days unknown (battery flat); 12 needed.",
        "In all it was worn for 245 h to 317 h, depending on what is unknown.",
        "Unknown in all: 72 h (battery flat). It is counted neither as worn nor as not worn.",
        "To be met, 2 of the 3 days that are unknown or still open must turn out long enough.",
        "Of the days that cannot be told, 72 h will stay unknown (battery flat).",
        "Whether the stockings of two legs were swapped cannot be detected: "
        "the answer is for the leg each one is labelled for.",
    ]


def test_what_may_still_arrive_is_told_apart_from_what_never_will() -> None:
    book = silent_days()
    put(book, "2026-03-06T00:00Z", "2026-03-08T00:00Z", State.UNKNOWN, Reason.NO_DATA)
    sentences = told_in_all(PLAIN, book)
    assert "Of the days that cannot be told, 48 h may still become known (no data received)." in sentences
    assert "Of the days that cannot be told, 24 h will stay unknown (battery flat)." in sentences


def test_phases_and_the_early_answer_have_sentences_of_their_own() -> None:
    sentences = told_in_all(ORDER, always_on(ORDER))
    assert "Phase 1 (Thu 26 to Sun 29 March): 3 to 4 of 4 days reached, 4 needed, cannot be told." in sentences
    assert "Phase 2 (Mon 30 March to Wed 8 April): 10 of 10 days reached, 8 needed, met." in sentences
    assert (
        "The critical days on their own (Thu 26 to Sun 29 March): cannot be told; 3 to 4 of 4 days, 4 needed."
    ) in sentences


@pytest.mark.parametrize(
    ("why", "beginning"),
    [
        (EndedWhy.SHORTENED, "The order was shortened: it ended on Tue 10 March 2026, 12:00 (pain), "),
        (EndedWhy.SUPERSEDED, "The order was superseded by that of the next treatment: it ended on Tue 10 March 2026"),
    ],
)
def test_an_order_that_ended_early_says_so_right_after_the_answer(why: EndedWhy, beginning: str) -> None:
    order = replace(PLAIN, ended=Ended(moment("2026-03-10T12:00Z"), why, "pain"))
    answer, label, *_ = told_in_all(order, always_on(order))
    assert answer == "The order was met."
    assert label.startswith(beginning)
    assert label.endswith("only the time until then is asked for.")


def test_nothing_ordered() -> None:
    nothing = replace(PLAIN, phases=())
    assert told_in_all(nothing, Ledger.unknown(0, 0)) == [
        "No compression was ordered for this leg, so there is nothing to meet."
    ]


def test_what_could_still_change_it_while_it_runs() -> None:
    sentences = told_in_all(PLAIN, silent_days(), london("2026-03-12T00:00Z"))
    assert sentences[0] == "The order still runs and can be met."
    assert (
        "As ordered it was worn on 6 to 9 of 14 days so far; 3 days unknown (battery flat); "
        "4 days still open; 12 needed."
    ) in sentences
    assert "To be met, 6 of the 7 days that are unknown or still open must turn out long enough." in sentences
    done = told_in_all(PLAIN, always_on(PLAIN), london("2026-03-14T12:00Z"))
    assert done[0] == "Enough days are reached already; the order still runs."
    assert "Nothing that is still to come could change this." in done


def test_dose_is_kept_apart_from_wear() -> None:
    book = always_on(ORDER)
    weak = replace(book, dose=np.where(book.dose == Dose.REACHED, Dose.BELOW, book.dose).astype(np.uint8))
    strong, faint = (explain_verdict(ORDER, judge(ORDER, each, LATE), each) for each in (book, weak))
    assert [each.sentence for each in strong if each.topic is not Topic.DOSE] == [
        each.sentence for each in faint if each.topic is not Topic.DOSE
    ]
    (dose,) = [each for each in faint if each.topic is Topic.DOSE]
    assert dose.sentence.startswith(
        "While the stocking was on, the pressure at the ankle was below the ordered 18 mmHg for "
    )
    assert "not about how it was worn" in dose.sentence


# --- properties -----------------------------------------------------------------------------------------------------


@given(st.data(), short_orders())
@settings(max_examples=80)
def test_every_row_is_of_the_order_and_every_unknown_minute_is_explained(
    data: st.DataObject, order: Prescription
) -> None:
    book = data.draw(ledgers(order))
    as_of = data.draw(st.integers(order.start_minute - 10, order.end_minute + 10))
    report = judge(order, book, as_of)
    for day in report.days:
        statements = explain_day(order, report, book, day.date)
        unknown = [run for each in statements if each.topic is Topic.COVERAGE for run in each.rows]
        assert minutes_of(unknown) == day.unknown_minutes
        assert len(set(unknown)) == len(unknown)
        assert minutes_of(statements[0].rows) == day.worn_minutes
        for run in (run for each in statements for run in each.rows):
            assert day.start_minute <= run.start_minute < run.end_minute <= min(day.end_minute, as_of)
            assert run.state is not State.UNKNOWN or REASONS[run.reason] in "".join(
                each.sentence for each in statements
            )
    for each in explain_verdict(order, report, book):
        if each.topic is Topic.DOSE:
            assert {run.state for run in each.rows} == {State.WORN}


@given(st.data(), short_orders())
@settings(max_examples=80)
def test_sentences_are_whole_neither_blame_nor_diagnose_and_stay_the_same(
    data: st.DataObject, order: Prescription
) -> None:
    book = data.draw(ledgers(order))
    as_of = data.draw(st.integers(order.start_minute - 10, order.end_minute + 10))
    report = judge(order, book, as_of)
    found = [explain_verdict(order, report, book)]
    found += [explain_day(order, report, book, day.date) for day in report.days]
    assert explain_verdict(order, report, book) == found[0]
    for each in (statement for statements in found for statement in statements):
        assert each.sentence.endswith(".")
        assert each.sentence[0].isupper() or each.sentence[0].isdigit()
        assert not BLAME_AND_DIAGNOSIS.search(each.sentence)
        assert "  " not in each.sentence
        assert "None" not in each.sentence


# --- words ----------------------------------------------------------------------------------------------------------


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(Reason)
    assert set(SHORT_REASONS) == {reason for reason in Reason if reason < 10}


@pytest.mark.parametrize(("minutes", "text"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (545, "9 h 05 min")])
def test_spans(minutes: int, text: str) -> None:
    assert span(minutes) == text


def test_lists_and_days() -> None:
    assert [listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    days = [date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 3), date(2026, 4, 4)]
    assert day_names(days) == "Mon 30 March to Wed 1 April and Fri 3 to Sat 4 April"
    assert day_names(days[:1]) == "Mon 30 March"


def test_reasons_are_counted_the_most_first() -> None:
    book = silent_days()
    put(book, "2026-03-05T00:00Z", "2026-03-05T01:00Z", State.UNKNOWN, Reason.NO_DATA)
    unknown = [run for run in book.runs() if run.state is State.UNKNOWN]
    assert by_reason(unknown) == [(Reason.BATTERY_FLAT, 71 * 60), (Reason.NO_DATA, 60)]
    assert datetime.fromtimestamp(unknown[0].start_minute * 60, UTC).isoformat() == "2026-03-05T00:00:00+00:00"

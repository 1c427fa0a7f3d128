"""The verdict: worked examples, states while running, excuses, orders ended early, critical phases, completeness."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.orders.prescription import Ended, EndedWhy, Mode, Night, Pause, Phase, Prescription, Removal
from calza_server.domain.recording.completeness import Completeness, completeness_of
from calza_server.domain.states import State
from calza_server.domain.verdicts.fingerprint import evidence_digest, fingerprint
from calza_server.domain.verdicts.verdict import (
    RULE_VERSION,
    DayOutcome,
    Verdict,
    VerdictReport,
    judge,
    phase_verdict,
)
from calza_wire.ranges import RangeSet, RecordRange

DAY = 1440
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
START = int(MIDNIGHT.timestamp()) // 60


def rx(*phases: Phase, pauses: tuple[Pause, ...] = ()) -> Prescription:
    return Prescription(MIDNIGHT, "UTC", phases, pauses)


def day_and_night(
    days: int,
    required: int,
    hours: float = 24.0,
    *,
    removal: Removal = Removal.HYGIENE,
    hygiene_minutes: int = 0,
    night_optional: bool = False,
    tolerance_share: float | None = None,
) -> Phase:
    return Phase(
        days,
        Mode.CONTINUOUS,
        hours,
        required,
        removal=removal,
        hygiene_minutes=hygiene_minutes,
        night_optional=night_optional,
        tolerance_share=tolerance_share,
    )


def stretch(start_hour: float, end_hour: float, reason: str = "review") -> Pause:
    return Pause(MIDNIGHT + timedelta(hours=start_hour), MIDNIGHT + timedelta(hours=end_hour), reason)


def daytime(days: int, required: int, hours: float = 10.0) -> Phase:
    return Phase(days, Mode.DAYTIME, hours, required)


def ledger(states: npt.NDArray[np.uint8]) -> Ledger:
    return replace(Ledger.unknown(START, START + len(states)), state=states)


def hours(*per_day: tuple[float, float]) -> Ledger:
    """A ledger of whole days, each with so many hours worn and unknown; the rest is not worn."""
    states = np.full(len(per_day) * DAY, State.NOT_WORN, np.uint8)
    for day, (worn, unknown) in enumerate(per_day):
        begin, worn_end = day * DAY, day * DAY + round(worn * 60)
        states[begin:worn_end] = State.WORN
        states[worn_end : worn_end + round(unknown * 60)] = State.UNKNOWN
    return ledger(states)


GOOD, MISSED, SILENT = (12.0, 0.0), (2.0, 0.0), (0.0, 24.0)


def judged(order: Prescription, book: Ledger, days: float = 1000) -> VerdictReport:
    return judge(order, book, START + round(days * DAY))


@pytest.mark.parametrize(
    ("worn", "unknown", "outcome"),
    [
        (10.2, 0, DayOutcome.MET),
        (6, 3, DayOutcome.NOT_MET),
        (6, 4, DayOutcome.CANNOT_TELL),
        (10, 0, DayOutcome.MET),
        (599 / 60, 0, DayOutcome.NOT_MET),
    ],
)
def test_the_worked_days_of_the_rule(worn: float, unknown: float, outcome: DayOutcome) -> None:
    """Ten hours required: 10.2 h worn is met; 6 h and 3 h unknown is not; 6 h and 4 h unknown cannot be told."""
    exactly = replace(daytime(1, 1), tolerance_share=0.0)
    (day,) = judged(rx(exactly), hours((worn, unknown))).days
    assert (day.required_minutes, day.outcome) == (600, outcome)


@pytest.mark.parametrize(
    ("met", "unknown", "missed", "verdict"),
    [(12, 2, 0, Verdict.MET), (10, 3, 1, Verdict.CANNOT_TELL), (9, 2, 3, Verdict.NOT_MET)],
)
def test_the_worked_phases_of_the_rule(met: int, unknown: int, missed: int, verdict: Verdict) -> None:
    """Fourteen days of which twelve are needed."""
    assert phase_verdict(met, met + unknown, 12, running=False) is verdict
    report = judged(rx(daytime(14, 12)), hours(*[GOOD] * met, *[SILENT] * unknown, *[MISSED] * missed))
    assert report.verdict is verdict
    assert (report.days_met_lower, report.days_met_upper, report.days_required) == (met, met + unknown, 12)


def test_perfect_wear_is_met_with_equal_bounds() -> None:
    order = rx(Phase(4, Mode.CONTINUOUS, 23, 4), daytime(10, 8))
    report = judged(order, hours(*[(23.3, 0.0)] * 4, *[GOOD] * 10))
    assert report.verdict is Verdict.MET
    assert report.worn_hours_lower == report.worn_hours_upper == pytest.approx(4 * 23.3 + 120, abs=0.1)
    assert report.days_met_lower == report.days_met_upper == 14


def test_missing_data_that_arrives_settles_it() -> None:
    silent = hours(*[GOOD] * 3, *[SILENT] * 6, *[GOOD] * 5)
    assert judged(rx(daytime(14, 12)), silent).verdict is Verdict.CANNOT_TELL
    assert judged(rx(daytime(14, 12)), hours(*[GOOD] * 14)).verdict is Verdict.MET


def test_silence_at_the_end_is_not_censored_away() -> None:
    report = judged(rx(daytime(14, 12)), hours(*[GOOD] * 10))
    assert report.verdict is Verdict.CANNOT_TELL
    assert report.days[13].unknown_minutes == DAY


def test_five_hours_a_day_is_not_met() -> None:
    report = judged(rx(daytime(14, 12)), hours(*[(5.0, 0.0)] * 14))
    assert report.verdict is Verdict.NOT_MET
    assert report.worn_hours_upper == 70


def test_a_shower_is_a_miss_only_where_nothing_may_come_off() -> None:
    shower = hours((24 - 0.75, 0.0))
    strict = Phase(1, Mode.CONTINUOUS, 24, 1, removal=Removal.NONE)
    assert judged(rx(strict), shower).verdict is Verdict.NOT_MET
    assert judged(rx(Phase(1, Mode.CONTINUOUS, 23, 1)), shower).verdict is Verdict.MET


def test_nothing_ordered_is_not_applicable_never_not_met() -> None:
    report = judged(rx(), hours(MISSED))
    assert report.verdict is Verdict.NOT_APPLICABLE
    assert not report.running
    assert report.days == ()


def test_a_pause_shrinks_the_requirement() -> None:
    pause = Pause(MIDNIGHT, MIDNIGHT + timedelta(hours=5), "skin blister")
    report = judged(rx(daytime(1, 1), pauses=(pause,)), hours((9.0, 0.0)))
    day = report.days[0]
    assert (day.excused_minutes, day.worn_minutes, day.required_minutes) == (300, 240, 240)
    assert day.outcome is DayOutcome.MET


def test_a_pause_ahead_already_shrinks_the_requirement() -> None:
    pause = Pause(MIDNIGHT + timedelta(hours=20), MIDNIGHT + timedelta(hours=22), "review")
    day = judged(rx(daytime(1, 1), pauses=(pause,)), hours((4.0, 0.0)), days=0.5).days[0]
    assert (day.excused_minutes, day.ahead_minutes, day.required_minutes) == (120, 600, 420)


@pytest.mark.parametrize(
    ("book", "days", "verdict"),
    [
        (hours(), 0.0, Verdict.CAN_BE_MET),
        (hours(), -3.0, Verdict.CAN_BE_MET),  # not begun
        (hours(GOOD), 1.0, Verdict.CAN_BE_MET),
        (hours(GOOD, GOOD), 1.5, Verdict.ALREADY_MET),  # today counts as soon as it is reached
        (hours(GOOD, GOOD), 2.0, Verdict.ALREADY_MET),
        (hours(MISSED, MISSED), 2.0, Verdict.CANNOT_BE_MET),
        (hours(MISSED, (0.0, 0.0)), 1 + 16 / 24, Verdict.CANNOT_BE_MET),  # 8 h left for 9 needed
        (hours(MISSED, (0.0, 0.0)), 1 + 14 / 24, Verdict.CAN_BE_MET),
        (hours(GOOD, GOOD, MISSED), 3.0, Verdict.MET),
    ],
)
def test_while_it_runs(book: Ledger, days: float, verdict: Verdict) -> None:
    """Two of three days needed."""
    report = judged(rx(daytime(3, 2)), book, days)
    assert report.verdict is verdict
    assert report.running is (verdict not in {Verdict.MET, Verdict.NOT_MET})


def test_a_phase_that_is_over_has_its_final_word_while_the_order_runs() -> None:
    report = judged(rx(daytime(1, 1), daytime(2, 1)), hours(GOOD), 1.0)
    assert [phase.verdict for phase in report.phases] == [Verdict.MET, Verdict.CAN_BE_MET]
    assert report.verdict is Verdict.CAN_BE_MET


def test_one_missed_phase_fails_the_order() -> None:
    report = judged(rx(daytime(1, 1), daytime(1, 1)), hours(MISSED, GOOD))
    assert report.verdict is Verdict.NOT_MET


@pytest.mark.parametrize(("worn", "borderline"), [(8.4, False), (8.6, True), (9.4, True), (9.6, False)])
def test_a_day_near_its_requirement_is_borderline(worn: float, borderline: bool) -> None:
    assert judged(rx(daytime(1, 1)), hours((worn, 0.0))).borderline is borderline  # nine hours needed


def test_how_near_is_near_can_be_set_and_moves_no_answer() -> None:
    order, book = rx(daytime(1, 1)), hours((8.4, 0.0))
    usual, wide = judged(order, book), judge(order, book, START + DAY, borderline_minutes=60)
    assert (usual.borderline, wide.borderline, wide.borderline_minutes) == (False, True, 60)
    assert (usual.verdict, usual.fingerprint) == (wide.verdict, wide.fingerprint)


def test_the_upper_bound_can_be_the_borderline_one() -> None:
    report = judged(rx(daytime(1, 1)), hours((2.0, 6.6)))
    assert (report.verdict, report.borderline) == (Verdict.NOT_MET, True)


def test_the_fingerprint_names_order_and_states_only() -> None:
    order, book = rx(daytime(2, 1)), hours(GOOD, MISSED)
    one = judged(order, book)
    assert one.fingerprint == judged(order, book, 5000).fingerprint
    assert one.fingerprint == judged(order, book.window(START - 500, START + 9 * DAY)).fingerprint
    assert one.fingerprint != judged(order, hours(GOOD, (2.1, 0.0))).fingerprint
    assert one.fingerprint != judged(rx(daytime(2, 2)), book).fingerprint
    assert one.fingerprint != one.evidence
    assert len(one.fingerprint) == len(one.evidence) == 64


def test_another_rule_and_another_beginning_are_another_fingerprint() -> None:
    states = hours(GOOD).state
    evidence = evidence_digest({}, 5, states)
    assert evidence != evidence_digest({}, 6, states)
    assert fingerprint("one", evidence) != fingerprint("two", evidence)


def test_the_rule_has_a_version() -> None:
    assert judged(rx(daytime(1, 1)), hours(GOOD)).rule_version == RULE_VERSION == "calza-rule-2"


def test_minutes_of_a_day_add_up_to_its_length() -> None:
    order = replace(rx(daytime(3, 2)), timezone="Europe/London", start=datetime(2026, 10, 24, 9, 41, tzinfo=UTC))
    report = judge(order, Ledger.unknown(0, 0), order.start_minute + 3000)
    for day in report.days:
        counts = (
            day.worn_minutes,
            day.not_worn_minutes,
            day.unknown_minutes,
            day.excused_minutes,
            day.ahead_minutes,
        )
        assert sum(counts) == day.end_minute - day.start_minute


# --- excuses --------------------------------------------------------------------------------------------------------


def off(*spans: tuple[float, float], days: int = 1) -> npt.NDArray[np.uint8]:
    """States of days worn all the time but for some hours."""
    states = np.full(days * DAY, State.WORN, np.uint8)
    for start, end in spans:
        states[round(start * 60) : round(end * 60)] = State.NOT_WORN
    return states


@pytest.mark.parametrize(
    ("ordered", "hygiene", "off_minutes", "forgiven"),
    [
        (24.0, 60, 45, 45),
        (24.0, 60, 90, 60),  # no more than is allowed
        (23.0, 60, 45, 0),  # the hour is in the 23 already
        (23.5, 60, 45, 30),  # half of it is
        (10.0, 60, 45, 0),
        (24.0, 0, 45, 0),
    ],
)
def test_hygiene_excuses_only_what_the_hours_leave_no_room_for(
    ordered: float, hygiene: int, off_minutes: int, forgiven: int
) -> None:
    phase = day_and_night(1, 1, ordered, hygiene_minutes=hygiene, tolerance_share=0.0)
    (day,) = judged(rx(phase), ledger(off((8, 8 + off_minutes / 60)))).days
    assert day.forgiven_minutes == day.excused_minutes == forgiven
    assert day.not_worn_minutes == off_minutes - forgiven
    assert day.required_minutes == day.required_minutes_lower == ordered * 60 - forgiven


def test_a_shower_counts_where_hygiene_is_allowed_on_a_day_of_24_hours() -> None:
    shower = ledger(off((8, 8.75)))
    strict = day_and_night(1, 1, removal=Removal.NONE)
    assert judged(rx(strict), shower).verdict is Verdict.NOT_MET
    assert judged(rx(replace(strict, removal=Removal.HYGIENE, tolerance_share=0.02)), shower).verdict is Verdict.NOT_MET
    allowed = day_and_night(1, 1, hygiene_minutes=60, tolerance_share=0.02)
    assert judged(rx(allowed), shower).verdict is Verdict.MET


def test_an_unknown_minute_may_have_been_an_excused_one() -> None:
    """24 h ordered, an hour of hygiene: 23 h worn and an hour unknown is met, whichever the unknown hour was."""
    states = off()
    states[480:540] = State.UNKNOWN
    order = rx(day_and_night(1, 1, hygiene_minutes=60, tolerance_share=0.0))
    (day,) = judged(order, ledger(states)).days
    assert (day.required_minutes, day.required_minutes_lower) == (1440, 1380)
    assert (day.outcome, day.forgiven_minutes, day.unknown_minutes) == (DayOutcome.MET, 0, 60)
    states[540] = State.UNKNOWN
    assert judged(order, ledger(states)).days[0].outcome is DayOutcome.CANNOT_TELL
    states[540] = State.NOT_WORN
    assert judged(order, ledger(states)).days[0].outcome is DayOutcome.CANNOT_TELL  # that minute was the hygiene
    states[541:601] = State.NOT_WORN
    assert judged(order, ledger(states)).days[0].outcome is DayOutcome.NOT_MET


def test_a_night_that_is_optional_is_excused_and_the_day_is_not() -> None:
    order = rx(day_and_night(1, 1, 23.0, night_optional=True))
    nothing_at_night = judged(order, ledger(off((0, 7), (22, 24)))).days[0]
    assert (nothing_at_night.forgiven_minutes, nothing_at_night.not_worn_minutes) == (540, 0)
    assert nothing_at_night.required_minutes == round(23 * 60 * 0.9) - 540
    assert nothing_at_night.outcome is DayOutcome.MET
    by_day = judged(order, ledger(off((7, 16)))).days[0]
    assert (by_day.forgiven_minutes, by_day.outcome) == (0, DayOutcome.NOT_MET)


def test_no_minute_is_excused_twice() -> None:
    """Two hours of the night and half an hour of the morning: hygiene covers the morning, not the night again."""
    order = rx(day_and_night(1, 1, night_optional=True, hygiene_minutes=60, tolerance_share=0.0))
    (day,) = judged(order, ledger(off((5, 7), (7, 7.5)))).days
    assert (day.forgiven_minutes, day.required_minutes) == (150, 1290)


def test_what_is_ahead_may_be_excused_too() -> None:
    """24 h ordered with an hour of hygiene: after 23 h on, the last hour can no longer take the day away."""
    order = rx(day_and_night(1, 1, hygiene_minutes=60, tolerance_share=0.0))
    assert judged(order, ledger(off()), 23 / 24).verdict is Verdict.ALREADY_MET
    assert judged(order, ledger(off()), 22.9 / 24).verdict is Verdict.CAN_BE_MET


def test_the_night_of_the_order_is_the_one_that_counts() -> None:
    order = replace(rx(day_and_night(1, 1, night_optional=True)), night=Night(time(1), time(6, 30)))
    (day,) = judged(order, ledger(off((0, 8)))).days
    assert day.forgiven_minutes == 330


def test_daytime_hours_leave_the_night_free_already() -> None:
    """A document with this is refused; built in code it must not let a day count on which nothing was worn."""
    order = rx(replace(daytime(1, 1), night_optional=True))
    assert judged(order, ledger(off((0, 24)))).verdict is Verdict.NOT_MET


def test_tolerance_is_the_orders() -> None:
    for share, required in ((None, 540), (0.0, 600), (0.25, 450)):
        (day,) = judged(rx(replace(daytime(1, 1), tolerance_share=share)), hours(GOOD)).days
        assert day.required_minutes == required


def test_what_no_sensor_sees_is_unknown_whatever_was_recorded() -> None:
    order = replace(rx(daytime(2, 2)), unsensed=(stretch(0, 24, "bandage"),))
    report = judged(order, hours(GOOD, GOOD))
    assert [day.unknown_minutes for day in report.days] == [DAY, 0]
    assert report.verdict is Verdict.CANNOT_TELL
    both = replace(order, pauses=(stretch(6, 12),))
    assert judged(both, hours(GOOD, GOOD)).days[0].excused_minutes == 360  # a pause overrules
    assert judged(order, hours(), 0.0).days[0].outcome is DayOutcome.OPEN  # nothing of it has happened yet


# --- orders that ended early ----------------------------------------------------------------------------------------


def ended(order: Prescription, days: float, why: EndedWhy = EndedWhy.SHORTENED) -> Prescription:
    return replace(order, ended=Ended(MIDNIGHT + timedelta(days=days), why, "pain"))


def test_a_shortened_order_asks_for_its_share_and_says_so() -> None:
    """12 of 14 days; ended after 7 days, 6 of 7 are needed."""
    report = judged(ended(rx(daytime(14, 12)), 7), hours(*[GOOD] * 6, MISSED))
    assert (report.days_required, len(report.days), report.verdict) == (6, 7, Verdict.MET)
    assert report.label == "order shortened"
    assert judged(rx(daytime(14, 12)), hours(*[GOOD] * 14)).label == ""


def test_the_day_of_the_end_is_cut_and_prorated() -> None:
    report = judged(ended(rx(daytime(2, 2)), 1.5), hours(GOOD, (4.5, 0.0)))
    assert [day.end_minute - day.start_minute for day in report.days] == [DAY, DAY // 2]
    assert [day.required_minutes for day in report.days] == [540, 270]
    assert report.verdict is Verdict.MET


def test_phases_without_days_left_vanish_and_silence_is_no_end() -> None:
    order = rx(daytime(2, 2), daytime(10, 8))
    short = judged(ended(order, 2, EndedWhy.SUPERSEDED), hours(GOOD, GOOD))
    assert [phase.index for phase in short.phases] == [0]
    assert (short.verdict, short.label) == (Verdict.MET, "superseded by the next treatment")
    assert judged(order, hours(GOOD, GOOD)).verdict is Verdict.CANNOT_TELL


def test_an_order_ended_before_it_began_asks_for_nothing() -> None:
    report = judged(ended(rx(daytime(3, 3)), -1), hours())
    assert (report.verdict, report.label, report.early) == (Verdict.NOT_APPLICABLE, "order shortened", None)


# --- critical phases ------------------------------------------------------------------------------------------------


def test_critical_phases_have_an_answer_of_their_own() -> None:
    order = rx(replace(daytime(2, 2), critical=True), daytime(3, 2))
    report = judged(order, hours(GOOD, GOOD, MISSED, MISSED, MISSED))
    assert report.verdict is Verdict.NOT_MET
    assert report.early is not None
    assert (report.early.verdict, report.early.days_required, report.early.phases) == (Verdict.MET, 2, (0,))


@pytest.mark.parametrize(
    ("book", "days", "early", "whole"),
    [
        (hours(), 0.0, Verdict.CAN_BE_MET, Verdict.CAN_BE_MET),
        (hours(MISSED), 1.0, Verdict.CANNOT_BE_MET, Verdict.CANNOT_BE_MET),
        (hours(GOOD, GOOD), 1.6, Verdict.ALREADY_MET, Verdict.CAN_BE_MET),
        (hours(GOOD, GOOD), 2.0, Verdict.MET, Verdict.CAN_BE_MET),  # its final word, while the order runs
        (hours(GOOD, SILENT), 2.0, Verdict.CANNOT_TELL, Verdict.CAN_BE_MET),
        (hours(MISSED, GOOD), 2.0, Verdict.NOT_MET, Verdict.CANNOT_BE_MET),
    ],
)
def test_the_early_answer_runs_and_ends_by_itself(book: Ledger, days: float, early: Verdict, whole: Verdict) -> None:
    report = judged(rx(replace(daytime(2, 2), critical=True), daytime(3, 2)), book, days)
    assert report.early is not None
    assert (report.early.verdict, report.verdict) == (early, whole)


def test_no_critical_phase_no_early_answer() -> None:
    assert judged(rx(daytime(2, 2)), hours(GOOD, GOOD)).early is None


# --- completeness ---------------------------------------------------------------------------------------------------

LOG, OTHER = b"log-one.", b"log-two."


def held(*ranges: tuple[int, int]) -> RangeSet:
    return RangeSet([RecordRange(*one) for one in ranges])


@pytest.mark.parametrize(
    ("have", "announced", "found"),
    [
        ({}, [], (0, 0, 0)),
        ({}, [(LOG, 5, 5)], (0, 0, 0)),  # an empty log announces nothing
        ({}, [(LOG, 0, 10)], (10, 0, 10)),
        ({LOG: held((0, 9))}, [(LOG, 0, 10)], (10, 10, 0)),
        ({LOG: held((0, 3), (6, 9))}, [], (10, 8, 2)),  # a hole in the numbers proves a loss without any report
        ({LOG: held((0, 3))}, [(LOG, 6, 10)], (10, 4, 6)),  # overwritten before anyone fetched them: still expected
        ({LOG: held((0, 9)), OTHER: held((2, 3))}, [(OTHER, 0, 4)], (14, 12, 2)),
    ],
)
def test_completeness(
    have: dict[bytes, RangeSet], announced: list[tuple[bytes, int, int]], found: tuple[int, int, int]
) -> None:
    assert completeness_of(have, announced) == Completeness(*found)

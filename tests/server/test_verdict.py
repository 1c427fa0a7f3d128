"""The verdict: worked examples, states while running, and the properties that make it honest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calza_server.domain.completeness import Completeness, completeness_of
from calza_server.domain.ledger import Ledger
from calza_server.domain.prescription import Mode, Pause, Phase, Prescription, Removal
from calza_server.domain.states import State
from calza_server.domain.verdict import (
    DayOutcome,
    Verdict,
    VerdictReport,
    day_outcome,
    judge,
    phase_verdict,
)
from calza_wire.ranges import RangeSet, RecordRange

DAY = 1440
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
START = int(MIDNIGHT.timestamp()) // 60


def rx(*phases: Phase, pauses: tuple[Pause, ...] = ()) -> Prescription:
    return Prescription(MIDNIGHT, "UTC", phases, pauses)


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
    [(612, 0, DayOutcome.MET), (360, 180, DayOutcome.NOT_MET), (360, 240, DayOutcome.CANNOT_TELL)],
)
def test_the_worked_days_of_the_rule(worn: int, unknown: int, outcome: DayOutcome) -> None:
    """Ten hours required: 10.2 h worn is met; 6 h and 3 h unknown is not; 6 h and 4 h unknown cannot be told."""
    assert day_outcome(worn, unknown, 0, 600) is outcome


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


def test_the_fingerprint_names_order_and_states_only() -> None:
    order, book = rx(daytime(2, 1)), hours(GOOD, MISSED)
    one = judged(order, book)
    assert one.fingerprint == judged(order, book, 5000).fingerprint
    assert one.fingerprint == judged(order, book.window(START - 500, START + 9 * DAY)).fingerprint
    assert one.fingerprint != judged(order, hours(GOOD, (2.1, 0.0))).fingerprint
    assert one.fingerprint != judged(rx(daytime(2, 2)), book).fingerprint
    assert len(one.fingerprint) == 64


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


# --- properties -----------------------------------------------------------------------------------------------------

# Days in pieces of two hours: coarse enough to be drawn, fine enough to reach every outcome.
PIECES = st.lists(
    st.lists(st.sampled_from([State.WORN, State.NOT_WORN, State.UNKNOWN]), min_size=12, max_size=12),
    min_size=3,
    max_size=3,
)
MASKS = st.lists(st.booleans(), min_size=36, max_size=36)
ORDER = rx(Phase(1, Mode.CONTINUOUS, 23, 1), daytime(2, 1))
GOODNESS = {
    Verdict.NOT_MET: 0,
    Verdict.CANNOT_BE_MET: 0,
    Verdict.CANNOT_TELL: 1,
    Verdict.CAN_BE_MET: 1,
    Verdict.MET: 2,
    Verdict.ALREADY_MET: 2,
}
AS_OF = st.integers(0, 3 * DAY + 10)


def states_of(pieces: list[list[State]]) -> npt.NDArray[np.uint8]:
    return np.repeat(np.array(pieces, np.uint8).ravel(), 120)


def changed(pieces: list[list[State]], mask: list[bool], to: State) -> npt.NDArray[np.uint8]:
    states = states_of(pieces)
    states[np.repeat(mask, 120)] = to
    return states


@given(pieces=PIECES, mask=MASKS, as_of=AS_OF)
def test_more_wear_never_worsens_a_verdict(pieces: list[list[State]], mask: list[bool], as_of: int) -> None:
    before = judge(ORDER, ledger(states_of(pieces)), START + as_of)
    after = judge(ORDER, ledger(changed(pieces, mask, State.WORN)), START + as_of)
    assert GOODNESS[after.verdict] >= GOODNESS[before.verdict]
    assert after.days_met_lower >= before.days_met_lower
    assert after.days_met_upper >= before.days_met_upper


@given(pieces=PIECES, mask=MASKS, as_of=AS_OF)
def test_hiding_data_only_ever_leads_to_not_knowing(pieces: list[list[State]], mask: list[bool], as_of: int) -> None:
    before = judge(ORDER, ledger(states_of(pieces)), START + as_of)
    after = judge(ORDER, ledger(changed(pieces, mask, State.UNKNOWN)), START + as_of)
    assert GOODNESS[after.verdict] in {GOODNESS[before.verdict], 1}
    assert after.days_met_lower <= before.days_met_lower
    assert after.days_met_upper >= before.days_met_upper
    assert after.worn_hours_lower <= before.worn_hours_lower
    assert after.worn_hours_upper >= before.worn_hours_upper


@given(truth=PIECES, mask=MASKS)
@example(truth=[[State.WORN] * 12] * 3, mask=[True] * 36)
def test_bounds_contain_the_truth(truth: list[list[State]], mask: list[bool]) -> None:
    whole: list[list[State]] = [[State.NOT_WORN if piece is State.UNKNOWN else piece for piece in day] for day in truth]
    real = judged(ORDER, ledger(states_of(whole)))
    seen = judged(ORDER, ledger(changed(whole, mask, State.UNKNOWN)))
    assert real.verdict in {Verdict.MET, Verdict.NOT_MET}
    assert seen.days_met_lower <= real.days_met_lower <= seen.days_met_upper
    assert seen.worn_hours_lower <= real.worn_hours_lower <= seen.worn_hours_upper
    assert seen.verdict in {real.verdict, Verdict.CANNOT_TELL}


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

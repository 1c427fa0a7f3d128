"""Courses: what is due when, what a long order collides with, and that a place is a leg."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.courses.course import (
    Area,
    Course,
    DueKind,
    DueState,
    Finding,
    Kind,
    Outcome,
    Side,
    Treatment,
    Zone,
    due,
    months_after,
    next_treatment_window,
    recall_due,
    review_due,
    warnings,
)
from calza_server.domain.courses.course_document import course_document, read_course
from calza_server.domain.orders.prescription import Mode, Phase, Prescription
from calza_server.domain.orders.rx_document_fields import RuleError
from calza_server.domain.orders.superseding import superseded_by
from tests.server.drawn_orders import words

FIRST = date(2026, 3, 2)
CALF = (Area(Side.LEFT, Zone.CALF),)


def treated(*days: date) -> tuple[Treatment, ...]:
    return tuple(Treatment(day, Kind.MICRO, "Dr A", CALF) for day in days)


def after(days: int) -> date:
    return FIRST + timedelta(days=days)


def result(day: date) -> Outcome:
    return Outcome(day, Finding.RESULT, "Dr A")


def too_small(day: date) -> Outcome:
    return Outcome(day, Finding.TOO_SMALL, "Dr A")


dates = st.dates(date(2000, 1, 1), date(2100, 1, 1))
areas = st.builds(Area, st.sampled_from(Side), st.sampled_from(Zone))
courses = st.builds(
    Course,
    st.lists(
        st.builds(
            Treatment,
            dates,
            st.sampled_from(Kind),
            words,
            st.lists(areas, min_size=1, max_size=3).map(tuple),
            st.none() | words,
        ),
        max_size=4,
    ).map(tuple),
    st.lists(st.builds(Outcome, dates, st.sampled_from(Finding), words, st.just("") | words), max_size=4).map(tuple),
    st.none() | st.integers(1, 100),
)


def test_nothing_is_due_before_the_first_treatment() -> None:
    assert due(Course(), FIRST) == ()
    assert next_treatment_window(Course()) is None
    assert warnings(Course()) == ()


def test_treatments_lie_about_a_month_apart() -> None:
    course = Course(treated(after(30), FIRST))  # the last one counts, wherever it stands
    assert next_treatment_window(course) == (after(58), after(61))


def test_a_course_that_is_through_has_no_next_treatment() -> None:
    course = Course(treated(FIRST, after(30)), planned=2)
    assert next_treatment_window(course) is None
    assert next_treatment_window(Course(course.treatments, planned=3)) == (after(58), after(61))


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 3, 2), 3, date(2026, 6, 2)),
        (date(2025, 11, 30), 3, date(2026, 2, 28)),
        (date(2023, 11, 29), 3, date(2024, 2, 29)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 12, 31), 6, date(2027, 6, 30)),
        (date(2026, 9, 30), 3, date(2026, 12, 30)),
    ],
)
def test_months_are_those_of_the_calendar(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later


def test_the_result_is_looked_at_three_months_after_the_last_treatment() -> None:
    course = Course(treated(FIRST, after(30)))
    assert review_due(course) == date(2026, 7, 1)
    early = Course(course.treatments, (result(date(2026, 6, 30)),))
    assert review_due(early) == date(2026, 7, 1)
    assert "does not count" in warnings(early)[0]
    timely = Course(course.treatments, (result(date(2026, 7, 1)),))
    assert review_due(timely) is None
    assert due(timely, date(2026, 7, 2)) == ()
    assert warnings(timely) == ()


def test_a_look_in_between_is_no_result() -> None:
    seen = Outcome(date(2026, 8, 1), Finding.SEEN, "Dr A")
    assert review_due(Course(treated(FIRST), (seen,))) == date(2026, 6, 2)


def test_another_treatment_asks_for_another_look() -> None:
    course = Course(treated(FIRST, date(2026, 7, 1)), (result(date(2026, 6, 2)),))
    assert review_due(course) == date(2026, 10, 1)
    assert warnings(course) == ()


def test_veins_that_were_too_small_are_looked_at_again_after_six_months() -> None:
    course = Course(outcomes=(too_small(FIRST),))
    assert recall_due(course) == date(2026, 9, 2)
    assert [each.kind for each in due(course, FIRST)] == [DueKind.RECALL]
    looked = Course(outcomes=(too_small(FIRST), Outcome(date(2026, 9, 2), Finding.SEEN, "Dr A")))
    assert recall_due(looked) is None
    again = Course(outcomes=(too_small(FIRST), too_small(date(2026, 9, 2))))
    assert recall_due(again) == date(2027, 3, 2)
    assert recall_due(Course(treated(after(30)), course.outcomes)) == date(2026, 9, 2)
    assert recall_due(Course(treated(date(2026, 9, 3)), course.outcomes)) is None


def test_what_is_due_comes_in_order_with_its_source() -> None:
    found = due(Course(treated(FIRST), (too_small(FIRST),)), after(29))
    assert [(each.kind, each.first, each.last, each.state) for each in found] == [
        (DueKind.NEXT_TREATMENT, after(28), after(31), DueState.OPEN),
        (DueKind.REVIEW, date(2026, 6, 2), None, DueState.AHEAD),
        (DueKind.RECALL, date(2026, 9, 2), None, DueState.AHEAD),
    ]
    assert all("seed" in each.source for each in found)


@pytest.mark.parametrize(
    ("days", "state"), [(27, DueState.AHEAD), (28, DueState.OPEN), (31, DueState.OPEN), (32, DueState.PAST)]
)
def test_today_lies_before_in_or_after_the_window(days: int, state: DueState) -> None:
    assert due(Course(treated(FIRST)), after(days))[0].state is state


@pytest.mark.parametrize(("days", "warned"), [(14, False), (28, False), (29, True), (42, True)])
def test_an_order_of_weeks_meets_the_next_treatment(days: int, warned: bool) -> None:
    order = Prescription(datetime(2026, 3, 2, 10, tzinfo=UTC), "Europe/London", (Phase(days, Mode.DAYTIME, 10, days),))
    found = warnings(Course(treated(FIRST)), order)
    assert bool(found) is warned
    if warned:
        assert "the next treatment may be from 2026-03-30 on" in found[0]
        closed = superseded_by(order, datetime(2026, 3, 29, 23, tzinfo=UTC))  # midnight in London
        assert warnings(Course(treated(FIRST)), closed) == ()


@given(courses, dates)
def test_dues_are_sorted_and_none_lies_before_its_cause(course: Course, today: date) -> None:
    found = due(course, today)
    assert [each.first for each in found] == sorted(each.first for each in found)
    assert len({each.kind for each in found}) == len(found)
    causes = [each.date for each in course.treatments] + [each.date for each in course.outcomes]
    assert all(each.first > min(causes) for each in found)


@given(courses)
def test_reading_what_was_written_gives_the_same_course(course: Course) -> None:
    assert read_course(json.loads(json.dumps(course_document(course)))) == course


DOCUMENT: dict[str, Any] = {
    "treatments": [
        {"date": "2026-03-02", "kind": "micro", "operator": "Dr A", "areas": [{"side": "left", "zone": "calf"}]}
    ],
    "outcomes": [{"date": "2026-06-02", "finding": "result", "person": "Dr A"}],
}


def test_a_face_is_no_place_for_this() -> None:
    face = json.loads(json.dumps(DOCUMENT))
    face["treatments"][0]["areas"][0]["zone"] = "face"
    with pytest.raises(RuleError, match="must be a place on a leg") as caught:
        read_course(face)
    assert caught.value.pointer == "/treatments/0/areas/0/zone"


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("/treatments/0/date", "2026-W10-1"),
        ("/treatments/0/date", "2026-02-30"),
        ("/treatments/0/date", 20260302),
        ("/treatments/0/kind", "nano"),
        ("/treatments/0/operator", ""),
        ("/treatments/0/areas", []),
        ("/treatments/0/areas/0/side", "both"),
        ("/treatments/0/agent", 1),
        ("/treatments/0/dose", 1),
        ("/outcomes/0/finding", "cured"),
        ("/outcomes/0/person", " "),
        ("/planned", 0),
        ("/planned", 101),
    ],
)
def test_a_faulty_course_is_refused_with_its_place(at: str, value: object) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    *path, last = at.strip("/").split("/")
    target = document
    for step in path:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[last] = value
    with pytest.raises(RuleError) as caught:
        read_course(document)
    assert caught.value.pointer == at

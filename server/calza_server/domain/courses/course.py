"""A course of treatments of one person, and what is due in it: next treatment, review of the result, recall.

Dates only, and plain words with their source. It knows no order in itself, keeps no result, and promises none.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from calza_server.domain.orders.prescription import Prescription

NEXT_TREATMENT_FROM_DAYS: Final = 28  # "about a month apart" (seed B); 28 to 31 days is our reading of a month
NEXT_TREATMENT_TO_DAYS: Final = 31
REVIEW_MONTHS: Final = 3  # the full cosmetic result shows after three months (seed A)
RECALL_MONTHS: Final = 6  # veins too small: laser or IPL, or wait six months (seed A)


class Kind(StrEnum):
    """What was treated (seed B): small veins for looks, or larger ones."""

    MICRO = "micro"
    LARGER = "larger"


class Side(StrEnum):
    """Which leg."""

    LEFT = "left"
    RIGHT = "right"


class Zone(StrEnum):
    """A patch of a leg: one injection treats a patch with the small veins hidden in it (seed A)."""

    FOOT = "foot"
    ANKLE = "ankle"
    SHIN = "shin"
    CALF = "calf"
    INNER_KNEE = "inner-knee"
    OUTER_KNEE = "outer-knee"
    BACK_OF_KNEE = "back-of-knee"
    FRONT_THIGH = "front-thigh"
    INNER_THIGH = "inner-thigh"
    OUTER_THIGH = "outer-thigh"
    BACK_THIGH = "back-thigh"


@dataclass(frozen=True, slots=True)
class Area:
    """Where it was treated. There are no other places than those of a leg: it is not for the face (seed B)."""

    side: Side
    zone: Zone


@dataclass(frozen=True, slots=True)
class Treatment:
    """One session. The operator is kept because the result depends on the person performing it (seed A)."""

    date: date
    kind: Kind
    operator: str
    areas: tuple[Area, ...]
    agent: str | None = None


class Finding(StrEnum):
    """What an outcome says."""

    SEEN = "seen"  # a look in between; counts for nothing
    RESULT = "result"  # the look at the result; counts from three months after the last treatment
    TOO_SMALL = "too-small"  # the veins are too small to inject


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found on a day, by whom, in their own words."""

    date: date
    finding: Finding
    person: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """The treatments and outcomes of one person. `planned`: how many sessions were planned, None if that is open."""

    treatments: tuple[Treatment, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    planned: int | None = None

    @property
    def last_treatment(self) -> Treatment | None:
        """The latest treatment."""
        return max(self.treatments, key=lambda each: each.date, default=None)


class DueKind(StrEnum):
    """What is due."""

    NEXT_TREATMENT = "next-treatment"
    REVIEW = "review"
    RECALL = "recall"


class DueState(StrEnum):
    """Where today lies."""

    AHEAD = "ahead"
    OPEN = "open"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Due:
    """Something due from `first` on, to `last` where it has an end, in plain words, with the source of the rule."""

    kind: DueKind
    first: date
    last: date | None
    state: DueState
    words: str
    source: str


def next_treatment_window(course: Course) -> tuple[date, date] | None:
    """First and last day for the next treatment; None before the first one and when all planned ones are done."""
    last = course.last_treatment
    if last is None or (course.planned is not None and len(course.treatments) >= course.planned):
        return None
    return last.date + timedelta(days=NEXT_TREATMENT_FROM_DAYS), last.date + timedelta(days=NEXT_TREATMENT_TO_DAYS)


def review_due(course: Course) -> date | None:
    """The day from which the result may be judged; None before the first treatment and once it was judged."""
    last = course.last_treatment
    if last is None:
        return None
    day = months_after(last.date, REVIEW_MONTHS)
    return None if any(each.finding is Finding.RESULT and each.date >= day for each in course.outcomes) else day


def recall_due(course: Course) -> date | None:
    """Six months after veins were last found too small; None when they never were, or were looked at again since."""
    found = [each.date for each in course.outcomes if each.finding is Finding.TOO_SMALL]
    if not found:
        return None
    day = months_after(max(found), RECALL_MONTHS)
    since = [each.date for each in course.outcomes] + [each.date for each in course.treatments]
    return None if any(each >= day for each in since) else day


def due(course: Course, today: date) -> tuple[Due, ...]:
    """All that is due or will be, the earliest first."""
    found: list[Due] = []
    window = next_treatment_window(course)
    if window is not None and not _result_counted(course):
        words = "If the course goes on: the next treatment, about a month after the last one."
        source = "seed B; 28 to 31 days is our proposal"
        found.append(Due(DueKind.NEXT_TREATMENT, *window, _state(window, today), words, source))
    review = review_due(course)
    if review is not None:
        words = "Look at the result. It may look worse before it fades, so nothing earlier counts as a result."
        found.append(Due(DueKind.REVIEW, review, None, _state((review, None), today), words, "seeds A and B"))
    recall = recall_due(course)
    if recall is not None:
        words = "Look again at the veins that were too small to inject."
        found.append(Due(DueKind.RECALL, recall, None, _state((recall, None), today), words, "seed A"))
    return tuple(sorted(found, key=lambda each: each.first))


def warnings(course: Course, order: Prescription | None = None) -> tuple[str, ...]:
    """What a clinician should know about the course, and about an order of this person's; empty when nothing."""
    found = []
    window = next_treatment_window(course)
    if order is not None and window is not None and order.days():
        last = order.days()[-1].date
        if last >= window[0]:
            found.append(
                f"The order runs to {last.isoformat()}, and the next treatment may be from {window[0].isoformat()} on: "
                "its order will close this one, which then has its verdict on the days it had."
            )
    treated = course.last_treatment
    if treated is not None:
        counts = months_after(treated.date, REVIEW_MONTHS)
        results = [each.date for each in course.outcomes if each.finding is Finding.RESULT]
        early = [day for day in results if treated.date <= day < counts]
        if early:
            found.append(
                f"A result of {max(early).isoformat()} is kept but does not count: "
                f"the result is looked at from {counts.isoformat()} on, three months after the last treatment."
            )
    return tuple(found)


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _state(span: tuple[date, date | None], today: date) -> DueState:
    first, last = span
    if today < first:
        return DueState.AHEAD
    return DueState.OPEN if last is None or today <= last else DueState.PAST


def _result_counted(course: Course) -> bool:
    return course.last_treatment is not None and review_due(course) is None

"""The days of one person of a cohort: a pattern of wear, how badly the garment sits, and when it was given up.

Patterns are those seen in braces (PMC2866847); their hours are our assumptions.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from calza_sim.scenarios.day_plans import DRAWER, shower, unworn
from calza_sim.wearer import Break, DayPlan
from calza_sim.wearer_events import Event, EventKind

PATTERNS: Final = ("as-ordered", "day-only", "night-only", "scattered", "weekend-gaps", "none")
DAYS: Final = 16  # the standard order's 14, and two more
CONTINUOUS_DAYS: Final = 4
SATURDAY: Final = 5
ANKLE: Final = 0
MORNING_H: Final = (7.6, 0.6)  # mean and sd of a person's habit, local
EVENING_H: Final = (22.0, 0.5)
NIGHT_ONLY_H: Final = ((0.0, 6.8), (21.8, 24.0))
SCATTERED_DAYS: Final = 0.7  # of the days something is worn
SCATTERED_SPANS_H: Final = ((7.5, 11.0), (12.0, 16.0), (17.0, 21.5))  # each as likely worn as not
SITS_BADLY: Final = 0.6  # of the days of someone who does not apply it correctly
BAD_FROM_H: Final = (9.0, 15.0)
BAD_FOR_MIN: Final = (120.0, 480.0)


def fitted_days(
    chance: np.random.Generator, pattern: str, fit_fault: str, stopped_day: int | None, *, weekday: int
) -> tuple[DayPlan, ...]:
    """The plans of one person; `weekday` (0 Monday) is that of the fitting. Draws the same number for every stop."""
    morning = float(np.clip(chance.normal(*MORNING_H), 6.0, 9.5))
    evening = float(np.clip(chance.normal(*EVENING_H), 20.5, 23.3))
    days: list[DayPlan] = []
    for number in range(DAYS):
        plan = _day(chance, pattern, number, (weekday + number) % 7, morning, evening)
        event = _bad_sit(chance, fit_fault)
        days.append(replace(plan, events=(event,)) if event and plan.worn else plan)
    if stopped_day is not None:
        days[stopped_day:] = [unworn("given up")] * (DAYS - stopped_day)
    return tuple(days)


def _day(
    chance: np.random.Generator, pattern: str, number: int, weekday: int, morning: float, evening: float
) -> DayPlan:
    extra = Break(float(chance.uniform(11.0, 20.0)), float(chance.uniform(5.0, 25.0)), "a short break")
    some, spans = float(chance.random()), chance.random(len(SCATTERED_SPANS_H)) < 0.5
    by_day = DayPlan(((morning, evening),))
    if pattern == "none":
        return DRAWER
    if pattern == "night-only":
        return DayPlan(NIGHT_ONLY_H, off_reason="day")
    if pattern == "scattered":
        worn = tuple(span for span, on in zip(SCATTERED_SPANS_H, spans.tolist(), strict=True) if on)
        return DayPlan(worn if some < SCATTERED_DAYS else (), off_reason="taken off")
    if pattern == "weekend-gaps" and weekday >= SATURDAY:
        return unworn("weekend")
    if pattern == "day-only" or number > CONTINUOUS_DAYS:
        return by_day
    if number == CONTINUOUS_DAYS:
        return DayPlan(((0.0, evening),), (shower(),))
    return DayPlan(((0.0, 24.0),), (shower(), extra), off_reason="between wears")


def _bad_sit(chance: np.random.Generator, fit_fault: str) -> Event | None:
    bad, hour, minutes = chance.random(), chance.uniform(*BAD_FROM_H), chance.uniform(*BAD_FOR_MIN)
    if not fit_fault or bad >= SITS_BADLY:
        return None
    kind = EventKind(fit_fault)
    return Event(kind, float(hour), float(minutes), site=ANKLE if kind is EventKind.WRINKLE else None)

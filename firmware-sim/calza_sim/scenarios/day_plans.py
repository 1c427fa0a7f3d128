"""Days as people live them: the building blocks of scenarios."""

from dataclasses import replace
from typing import Final

from calza_sim.wearer import Activity, Break, DayPlan
from calza_sim.wearer_events import Event


def shower(hour: float = 7.4, minutes: float = 25.0) -> Break:
    """A shower with the stocking off, from taking it off to having it on again."""
    return Break(hour, minutes, "hygiene", Activity.SHOWERING)


def all_day(*breaks: Break) -> DayPlan:
    """Worn day and night, less the breaks."""
    return DayPlan(((0.0, 24.0),), breaks, off_reason="between wears")


def daytime(start: float = 7.7, end: float = 22.2) -> DayPlan:
    """Put on in the morning, taken off for the night."""
    return DayPlan(((start, end),))


def unworn(reason: str, *events: Event) -> DayPlan:
    """Not worn at all."""
    return DayPlan((), off_reason=reason, events=events)


def with_events(days: tuple[DayPlan, ...], *events: Event, from_day: int = 0) -> tuple[DayPlan, ...]:
    """The same days with these events added to each from `from_day` on, and to all that follow for ever."""
    long = (*days, *[days[-1]] * (from_day + 1 - len(days)))
    return tuple(
        replace(plan, events=(*plan.events, *events)) if number >= from_day else plan
        for number, plan in enumerate(long)
    )


CONTINUOUS_DAY: Final = all_day(shower(), Break(21.5, 10.0, "hygiene"))
LAST_NIGHT: Final = DayPlan(((0.0, 22.2),), (shower(),))  # the continuous days end with this evening
FIRST_DAY: Final = DayPlan(((7.7, 24.0),))  # of a second treatment: off until the clinic puts it on
CHARGED_AT_NIGHT: Final = DayPlan(((7.7, 22.2),), charging=((0.5, 4.0),))
DRAWER: Final = unworn("in a drawer")

PERFECT_DAYS: Final = (*[CONTINUOUS_DAY] * 4, LAST_NIGHT, *[daytime()] * 3, CHARGED_AT_NIGHT, daytime())
PERFECT_WEEK_OF_NIGHTS: Final = (*[CONTINUOUS_DAY] * 7, LAST_NIGHT, CHARGED_AT_NIGHT, daytime())
PERFECT_FORTNIGHT_BY_DAY: Final = (*[daytime()] * 6, CHARGED_AT_NIGHT, daytime())

SHORT_DAYS: Final = (
    *[all_day(shower(), Break(10.0, 170.0, "long break"), Break(18.0, 140.0, "long break"))] * 4,
    DayPlan(((0.0, 5.5),), off_reason="taken off early"),
    DayPlan(((9.0, 14.0),), off_reason="taken off early"),
)

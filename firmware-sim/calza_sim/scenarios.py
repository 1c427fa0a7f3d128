"""Scenarios as data: which days a wearer lives, and when the phone is near. A new scenario is a few lines here.

What a scenario should lead to is not written here: the truth is judged by `truth_days`, not by its author's hopes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from calza_sim.wearer import Activity, Break, DayPlan


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of planned days; the last plan repeats for ever. `phone_away`: day numbers, first and last inclusive."""

    name: str
    description: str
    days: tuple[DayPlan, ...]
    phone_away: tuple[tuple[int, int], ...] = ()

    def plans(self, count: int) -> tuple[DayPlan, ...]:
        """The plans of the first `count` days."""
        return (*self.days, *[self.days[-1]] * (count - len(self.days)))[:count]


def shower(hour: float = 7.4, minutes: float = 25.0) -> Break:
    """A shower with the stocking off, from taking it off to having it on again."""
    return Break(hour, minutes, "hygiene", Activity.SHOWERING)


def all_day(*breaks: Break) -> DayPlan:
    """Worn day and night, less the breaks."""
    return DayPlan(((0.0, 24.0),), breaks, off_reason="between wears")


def daytime(start: float = 7.7, end: float = 22.2) -> DayPlan:
    """Put on in the morning, taken off for the night."""
    return DayPlan(((start, end),))


LAST_NIGHT: Final = DayPlan(((0.0, 22.2),), (shower(),))  # the continuous days end with this evening
CHARGED_AT_NIGHT: Final = DayPlan(((7.7, 22.2),), charging=((0.5, 4.0),))
DRAWER: Final = DayPlan((), off_reason="in a drawer")

PERFECT_DAYS: Final = (
    *[all_day(shower(), Break(21.5, 10.0, "hygiene"))] * 4,
    LAST_NIGHT,
    *[daytime()] * 3,
    CHARGED_AT_NIGHT,
    daytime(),
)

SHORT_DAYS: Final = (
    *[all_day(shower(), Break(10.0, 170.0, "long break"), Break(18.0, 140.0, "long break"))] * 4,
    DayPlan(((0.0, 5.5),), off_reason="taken off early"),
    DayPlan(((9.0, 14.0),), off_reason="taken off early"),
)

_ALL: Final = (
    Scenario("perfect", "14 days as ordered: 4 days and nights with short hygiene breaks, then daytime", PERFECT_DAYS),
    Scenario("falls-short", "long breaks in the first days, then about 5 hours a day", SHORT_DAYS),
    Scenario(
        "week-without-phone", "perfect wear, but no phone near on days 3 to 9", PERFECT_DAYS, phone_away=((3, 9),)
    ),
    Scenario("never-worn", "14 days in a drawer", (DRAWER,)),
)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({each.name: each for each in _ALL})


def scenario(name: str) -> Scenario:
    """Look a scenario up by name. Raises ValueError naming those there are."""
    try:
        return SCENARIOS[name]
    except KeyError:
        raise ValueError(f"no scenario is called {name!r}; there are: {', '.join(SCENARIOS)}") from None

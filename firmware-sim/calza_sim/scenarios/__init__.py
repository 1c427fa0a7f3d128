"""Scenarios as data: which days a wearer lives, what goes wrong, what was ordered. A new one is a few lines.

`scenario("perfect+dead-calf+winter")` joins the wear of the first with what the others change. What a scenario should
come to is judged by `truth_days`, not by its author's hopes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from calza_sim.scenarios.day_plans import all_day, daytime, shower
from calza_sim.scenarios.event_days import EVENT_DAYS
from calza_sim.scenarios.joining import joined
from calza_sim.scenarios.model import Modifier, Scenario
from calza_sim.scenarios.modifiers import MODIFIERS as _MODIFIERS
from calza_sim.scenarios.rows_ordered import ORDERED
from calza_sim.scenarios.rows_sensed import EVERYDAY, SENSED

__all__ = ["MODIFIERS", "SCENARIOS", "Modifier", "Scenario", "all_day", "daytime", "scenario", "shower"]

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {each.name: each for each in (*SENSED, *ORDERED, *EVERYDAY, *EVENT_DAYS)}
)
MODIFIERS: Final[Mapping[str, Modifier]] = MappingProxyType({each.name: each for each in _MODIFIERS})


def scenario(name: str) -> Scenario:
    """Look a scenario up by name, joined with modifiers where the name has `+`. Raises ValueError with one sentence."""
    first, *others = name.split("+")
    if first not in SCENARIOS:
        if first in MODIFIERS:
            raise ValueError(f"{first!r} says nothing about wear: begin with a scenario, as in perfect+{first}")
        raise ValueError(f"no scenario is called {first!r}; there are: {', '.join(SCENARIOS)}")
    for other in others:
        if other not in MODIFIERS:
            if other in SCENARIOS:
                raise ValueError(f"{first!r} says when it is worn already: {other!r} cannot be joined to it")
            raise ValueError(f"nothing called {other!r} can be joined; there are: {', '.join(MODIFIERS)}")
    return joined(SCENARIOS[first], tuple(MODIFIERS[other] for other in others))

"""Joins a scenario with modifiers: the wear of the first, and everything that goes on beside it from the others.

What cannot both be true is refused with one sentence, never settled by who came last.
"""

from dataclasses import replace
from itertools import combinations
from typing import Final, TypeVar

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.scenarios.day_plans import with_events
from calza_sim.scenarios.model import Modifier, Scenario
from calza_sim.wearer_events import Event, EventKind

T = TypeVar("T")
DAY_MIN: Final = 1_440.0
SITES: Final = ("ankle", "calf", "thigh")
# Where it lies off the leg: what presses on it, and how warm it is there. Under a load in a hot attic is both.
PRESSED: Final = frozenset(
    {EventKind.STORED_UNDER_LOAD, EventKind.STORED_FOLDED, EventKind.BED_NOT_WORN, EventKind.POCKET}
)
TEMPERED: Final = frozenset(
    {
        EventKind.HOT_ATTIC,
        EventKind.HOT_CAR,
        EventKind.BED_NOT_WORN,
        EventKind.POCKET,
        EventKind.RADIATOR,
        EventKind.WASH,
    }
)
THIGH_EDGE: Final = frozenset({EventKind.ROLLED_DOWN, EventKind.ROLLED_BAND})  # the band is either down or rolled over


def joined(base: Scenario, modifiers: tuple[Modifier, ...]) -> Scenario:
    """The scenario with the modifiers, called `base+first+second`. Raises ValueError for a contradiction."""
    claim = f"In truth {base.truly.replace('_', ' ')}." if base.truly else ""
    result = replace(base, expected=claim) if modifiers else base
    taken = [base.name]
    for each in modifiers:
        if each.name in taken:
            raise ValueError(f"{each.name!r} is named twice")
        taken.append(each.name)
        result = _with(result, each)
    return result


def _with(base: Scenario, modifier: Modifier) -> Scenario:
    if modifier.leg and not base.on_leg:
        raise ValueError(f"{modifier.name!r} needs a leg, and in {base.name!r} the stocking is never worn")
    if modifier.outages and base.outages:
        raise ValueError(f"in {base.name!r} the battery is flat already: leave {modifier.name!r} out")
    if modifier.phone_away and base.phone_away:
        raise ValueError(f"in {base.name!r} the phone is away already: leave {modifier.name!r} out")
    if modifier.clock_resets and base.clock_resets:
        raise ValueError(f"in {base.name!r} the clock is reset already: leave {modifier.name!r} out")
    for event in modifier.events:
        for other in {each for plan in base.days for each in plan.events}:
            _check_together(event, other, base.name, modifier.name)
    return replace(
        base,
        name=f"{base.name}+{modifier.name}",
        description=f"{base.description}; {modifier.description}",
        days=with_events(base.days, *modifier.events, from_day=modifier.from_day) if modifier.events else base.days,
        conditions=_both(base.conditions, modifier.conditions, base.name, modifier.name),
        expected=" ".join(each for each in (base.expected, modifier.expected) if each),
        outages=base.outages + modifier.outages,
        clock_resets=base.clock_resets + modifier.clock_resets,
        phone_away=base.phone_away + modifier.phone_away,
        row="",
        event="",
    )


def _both(one: Conditions, other: Conditions, one_name: str, other_name: str) -> Conditions:
    """Both at once; each thing may be said by one of them alone. Sites add up, but none can fail in two ways."""

    def said(what: str, mine: T, theirs: T, usual: T) -> T:
        if mine != usual and theirs != usual:
            raise ValueError(f"{other_name!r} contradicts {one_name!r}: both change {what}")
        return mine if theirs == usual else theirs

    dead, flagged = one.dead_sites + other.dead_sites, one.flagged_sites + other.flagged_sites
    for (first, _), (second, _) in combinations((*dead, *flagged), 2):
        if first == second:
            raise ValueError(f"{other_name!r} contradicts {one_name!r}: the {SITES[first]} sensor fails already")
    calf = said("the shape of the leg", one.calf_over_ankle, other.calf_over_ankle, ORDINARY.calf_over_ankle)
    return Conditions(
        garment_factor=said("the garment", one.garment_factor, other.garment_factor, ORDINARY.garment_factor),
        ambient_mean_c=said("the home's temperature", one.ambient_mean_c, other.ambient_mean_c, None),
        skin_mean_c=said("the skin's temperature", one.skin_mean_c, other.skin_mean_c, None),
        calf_over_ankle=calf,
        dead_sites=dead,
        flagged_sites=flagged,
        drift_mmhg_per_week=said("the sensors' drift", one.drift_mmhg_per_week, other.drift_mmhg_per_week, None),
        sample_noise_mmhg=said("the sensors' noise", one.sample_noise_mmhg, other.sample_noise_mmhg, None),
        liveliness=said("how much somebody moves", one.liveliness, other.liveliness, None),
    )


def _check_together(event: Event, other: Event, base: str, modifier: str) -> None:
    """Two things in one place at one time are refused: a garment lies in one place, a band slips in one way."""
    if event == other:
        raise ValueError(f"{modifier!r} happens in {base!r} already")
    both = {event.kind, other.kind}
    if not _overlap(event, other):
        return
    if both <= PRESSED or both <= TEMPERED:
        raise ValueError(
            f"{modifier!r} contradicts {base!r}: the stocking cannot be {event.kind} and {other.kind} at once"
        )
    if both == THIGH_EDGE:
        raise ValueError(f"{modifier!r} contradicts {base!r}: the band cannot be {' and '.join(sorted(both))} at once")
    if event.kind is other.kind and event.site == other.site:
        raise ValueError(f"{modifier!r} contradicts {base!r}: {event.kind} twice at the same time")


def _overlap(one: Event, other: Event) -> bool:
    """Whether two daily events ever happen together; one that passes midnight goes on in the next morning."""
    starts = ((one.hour - other.hour) * 60.0 % DAY_MIN, (other.hour - one.hour) * 60.0 % DAY_MIN)
    return starts[0] < other.minutes or starts[1] < one.minutes

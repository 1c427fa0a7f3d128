"""Persons as a clinic would meet them: each draws a way of wearing, and what goes wrong beside it.

Person k of a seed is the same however many are asked for. Draws are independent of each other, since no source gives
how they go together; a share says how often, its source stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import numpy as np

from calza_sim.cohort_days import PATTERNS, fitted_days
from calza_sim.scenarios import MODIFIERS
from calza_sim.scenarios.joining import joined
from calza_sim.scenarios.model import Scenario
from calza_sim.scenarios.moments import At, Note
from calza_sim.wearer_chance import stream

FIRST_MONDAY: Final = datetime(2026, 3, 2)  # noqa: DTZ001 - a local time, whatever zone the cohort lives in
FITTED_H: Final = (8.0, 17.75)  # a clinic's hours, local; our assumption
REPORTED_DAY: Final = (1, 12)  # our assumption
COMPLAINTS: Final = (  # skin irritation and discomfort are the common side effects of compression (Rabe & Pannier, V)
    "It itches under the stocking.",
    "The skin is red where the band sits.",
    "It pinches behind the knee when I sit.",
    "It feels too tight in bed.",
)


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each thing is, as a fraction of persons (0..1). Where each comes from: `SOURCES`."""

    applied_correctly: float = 0.36
    stopped_early: float = 0.215
    side_effects: float = 0.41
    patterns: tuple[float, ...] = (0.60, 0.15, 0.04, 0.08, 0.08, 0.05)  # in the order of PATTERNS; 1 together
    misapplied: tuple[float, ...] = (0.50, 0.25, 0.25)  # in the order of MISAPPLIED, of those not applied correctly
    loose: float = 0.11
    calf_over_ankle: float = 0.15
    winter: float = 0.25
    dead_site: float = 0.03
    flagged_site: float = 0.02
    drift: float = 0.05
    noisy: float = 0.03
    battery_flat: float = 0.05
    clock_reset: float = 0.03
    no_phone: float = 0.05
    lying: tuple[float, ...] = (0.10, 0.20, 0.08, 0.02, 0.02, 0.05, 0.13)  # in the order of LYING; the rest nowhere


# Marks: V read in the source, P our proposal.
SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "applied_correctly": "thigh-length in a hospital, n=72 (S Afr J Surg 2002;40:15) V",
        "stopped_early": "thigh-length (Blood 2012;119:1561) V; on which day P",
        "side_effects": "thigh-length (Blood 2012;119:1561) V; which and when P",
        "patterns": "all seen in braces (PMC2866847) V; how often P",
        "misapplied": "P",
        "loose": "20 of 180 stockings 5 mmHg or more outside their range (metatoc 12241) V; all of them loose P",
        "calf_over_ankle": "seen when lying in 7 volunteers (discovery.researcher.life) V; how often P",
        "winter": "one season of four P",
        "dead_site": "P",
        "flagged_site": "P",
        "drift": "P",
        "noisy": "P",
        "battery_flat": "P",
        "clock_reset": "P",
        "no_phone": "P",
        "lying": "P",
    }
)
MISAPPLIED: Final = ("rolled-down", "rolled-band", "wrinkle")
LYING: Final = ("bed-not-worn", "stored-folded", "stored-under-load", "pocket", "hot-car", "radiator", "wash")
SITES: Final = ("ankle", "calf", "thigh")
USUAL: Final = Shares()


@dataclass(frozen=True, slots=True)
class Person:
    """One person: what was drawn, and the scenario that comes of it. `seed` draws leg, garment and sensors.

    `fit_fault` is empty when applied correctly; `stopped_day` None when worn to the end. Both are as drawn, also for
    someone who never wears it.
    """

    number: int
    seed: int
    pattern: str
    fit_fault: str
    stopped_day: int | None
    side_effect: bool
    modifiers: tuple[str, ...]
    scenario: Scenario

    @property
    def name(self) -> str:
        """Of the person's folder."""
        return f"person-{self.number:05d}"


def persons(count: int, seed: int, *, share: Shares = USUAL) -> tuple[Person, ...]:
    """The first `count` persons of a seed. Raises ValueError for shares that are none."""
    for name, parts in (("patterns", share.patterns), ("misapplied", share.misapplied)):
        if abs(sum(parts) - 1.0) > 1e-9:
            raise ValueError(f"the shares of {name} add up to 1, not {sum(parts):g}")
    return tuple(_person(seed, number, share) for number in range(count))


def _person(seed: int, number: int, share: Shares) -> Person:
    chance = stream(seed, "person", number)
    own_seed = int(chance.integers(2**31))
    pattern = PATTERNS[_which(chance, share.patterns)]
    correct = chance.random() < share.applied_correctly
    fault = MISAPPLIED[_which(chance, share.misapplied)]
    stops, stop_day = chance.random() < share.stopped_early, int(chance.integers(1, 13))
    complains, complaint = chance.random() < share.side_effects, int(chance.integers(len(COMPLAINTS)))
    reported = At(int(chance.integers(*REPORTED_DAY)), round(float(chance.uniform(8.0, 22.0)), 2))
    modifiers = _modifiers(chance, share)
    fitted = FIRST_MONDAY + timedelta(days=int(chance.integers(7)), hours=float(chance.uniform(*FITTED_H)))
    fit_fault, stopped_day = "" if correct else fault, stop_day if stops else None
    base = Scenario(
        f"person-{number:05d}",
        f"wears it {pattern}" + (f", stops on day {stop_day}" if stops else "") + (f", {fault}" if fit_fault else ""),
        fitted_days(chance, pattern, fit_fault, stopped_day, weekday=fitted.weekday()),
        symptom_report=Note(reported, COMPLAINTS[complaint]) if complains else None,
        starts=fitted.strftime("%Y-%m-%dT%H:%M"),
    )
    chosen = [MODIFIERS[each] for each in modifiers]
    lived = joined(base, tuple(each for each in chosen if base.on_leg or not each.leg))
    return Person(number, own_seed, pattern, fit_fault, stopped_day, complains, modifiers, lived)


def _modifiers(chance: np.random.Generator, share: Shares) -> tuple[str, ...]:
    """Names of modifiers that can all be true at once; each draw is made whether or not it is used."""
    site = SITES[int(chance.integers(len(SITES)))]
    dead, flagged = chance.random() < share.dead_site, chance.random() < share.flagged_site
    drawn = {
        f"dead-{site}": dead,
        f"flagged-{site}": flagged and not dead,
        "loose": chance.random() < share.loose,
        "winter": chance.random() < share.winter,
        "calf-over-ankle": chance.random() < share.calf_over_ankle,
        "drift": chance.random() < share.drift,
        "noisy": chance.random() < share.noisy,
        "battery-flat": chance.random() < share.battery_flat,
        "clock-reset": chance.random() < share.clock_reset,
        "no-phone": chance.random() < share.no_phone,
    }
    place = _which(chance, (*share.lying, 1.0 - sum(share.lying)))
    lies = LYING[place : place + 1]
    return (*(name for name, true in drawn.items() if true), *lies)


def _which(chance: np.random.Generator, shares: Sequence[float]) -> int:
    return int(np.searchsorted(np.cumsum(shares)[:-1], chance.random(), side="right"))

"""Scenarios joined with modifiers: what comes from whom, and the contradictions that are refused."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from calza_sim.conditions import Conditions
from calza_sim.scenarios import MODIFIERS, SCENARIOS, scenario
from calza_sim.scenarios.joining import joined
from calza_sim.scenarios.moments import At
from calza_sim.truth import truth
from calza_sim.wearer import live
from calza_sim.wearer_events import EventKind

START_S = 1_772_442_000.0  # 2026-03-02T09:00Z


def test_the_wear_is_the_firsts_and_the_circumstances_the_others() -> None:
    one = scenario("perfect+dead-calf+winter")
    assert one.name == "perfect+dead-calf+winter"
    assert one.days == SCENARIOS["perfect"].days
    assert one.conditions == Conditions(ambient_mean_c=18.0, skin_mean_c=24.0, dead_sites=((1, 3.0),))
    assert one.truly == "met"
    assert one.expected.startswith("In truth met.")
    assert one.row == ""


@pytest.mark.parametrize("name", MODIFIERS)
def test_a_modifier_changes_no_minute_of_wear(name: str) -> None:
    alone, together = scenario("perfect"), scenario(f"perfect+{name}")
    assert together != replace(alone, name=together.name, description=together.description, expected=together.expected)
    one, other = (truth(live(each.plans(12), seed=5, start_s=START_S), each).worn for each in (alone, together))
    assert np.array_equal(one, other)


def test_events_begin_on_their_day_and_never_end() -> None:
    plans = scenario("perfect+rolled-down").plans(30)
    assert not plans[0].events
    assert all([each.kind for each in plan.events] == [EventKind.ROLLED_DOWN] for plan in plans[1:])
    assert [replace(plan, events=()) for plan in plans] == list(SCENARIOS["perfect"].plans(30))


def test_outages_resets_and_the_phone_are_taken_over() -> None:
    one = scenario("never-worn+battery-flat+clock-reset+no-phone")
    assert [(each.at, each.hours) for each in one.outages] == [(At(9), 48.0)]
    assert one.clock_resets == (At(6, 12.0),)
    assert one.phone_away[0][0] == 3


def test_several_sites_may_fail() -> None:
    one = scenario("perfect+dead-ankle+flagged-thigh")
    assert (one.conditions.dead_sites, one.conditions.flagged_sites) == (((0, 3.0),), ((2, 3.0),))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("winter", r"'winter' says nothing about wear: begin with a scenario, as in perfect\+winter"),
        ("perfect+", r"nothing called '' can be joined; there are: winter"),
        ("perfect+nonsense", r"nothing called 'nonsense'"),
        ("perfect+falls-short", r"'perfect' says when it is worn already: 'falls-short' cannot be joined"),
        ("perfect+winter+winter", r"'winter' is named twice"),
        ("cold-legs-in-winter+winter", r"both change the skin's temperature"),
        ("worn-out-garment+loose", r"both change the garment"),
        ("perfect+dead-calf+flagged-calf", r"the calf sensor fails already"),
        ("calf-sensor-dies+dead-calf", r"the calf sensor fails already"),
        ("perfect+hot-car+pocket", r"cannot be pocket and hot-car at once"),
        ("perfect+stored-folded+stored-under-load", r"cannot be stored-under-load and stored-folded at once"),
        ("carried-in-a-pocket+hot-car", r"cannot be hot-car and pocket at once"),
        ("washed-every-evening+wash", r"happens in 'washed-every-evening' already"),
        ("perfect+rolled-down+rolled-band", r"the band cannot be rolled-band and rolled-down at once"),
        ("rolls-down-in-the-afternoon+rolled-down", r"rolled-down twice at the same time"),
        ("never-worn+rolled-down", r"'rolled-down' needs a leg"),
        ("battery-flat-on-days-9-and-10+battery-flat", r"the battery is flat already"),
        ("week-without-phone+no-phone", r"the phone is away already"),
        ("clock-resets-to-1970+clock-reset", r"the clock is reset already"),
    ],
)
def test_contradictions_are_refused_with_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        scenario(name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["perfect+wash+radiator", "perfect+stored-under-load+hot-attic", "perfect+pocket+wrinkle"]
)
def test_what_can_both_be_true_is_not_refused(name: str) -> None:
    assert scenario(name).name == name


def test_the_order_of_modifiers_does_not_decide_what_is_refused() -> None:
    for one, other in combinations(MODIFIERS.values(), 2):
        refused = []
        for pair in ((one, other), (other, one)):
            try:
                joined(SCENARIOS["perfect"], pair)
                refused.append(False)
            except ValueError:
                refused.append(True)
        assert len(set(refused)) == 1, (one.name, other.name)

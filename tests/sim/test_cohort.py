"""The cohort: shares as often as they say, persons that stay the same, days that are the pattern they are called."""

import csv
import io
import math
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import pytest

from calza_sim.cohort import LYING, MISAPPLIED, SOURCES, USUAL, Person, Shares, persons
from calza_sim.cohort_days import PATTERNS
from calza_sim.cohort_folder import COLUMNS, index_csv, written
from calza_sim.export_folder import FILES
from calza_sim.truth import truth as truth_of
from calza_sim.truth import truth_days
from calza_sim.wearer import live

MANY = 4_000
SEED = 20_260_302
CROWD = persons(MANY, SEED)


def within_binomial_bounds(count: int, of: int, share: float) -> bool:
    """Within 4 sd: fair draws of all the shares here fall outside once in some hundred seeds, and this one is fixed."""
    return abs(count - of * share) <= 4.0 * math.sqrt(of * share * (1.0 - share))


def having(name: str) -> int:
    return sum(any(each.startswith(name) for each in person.modifiers) for person in CROWD)


@pytest.mark.parametrize(
    ("count", "share"),
    [
        (sum(not person.fit_fault for person in CROWD), 0.36),
        (sum(person.stopped_day is not None for person in CROWD), 0.215),
        (sum(person.side_effect for person in CROWD), 0.41),
        (having("loose"), 0.11),
        (having("winter"), 0.25),
        (having("calf-over-ankle"), 0.15),
        (having("dead-"), 0.03),
        (having("flagged-"), 0.02 * 0.97),
        (having("drift"), 0.05),
        (having("noisy"), 0.03),
        (having("battery-flat"), 0.05),
        (having("clock-reset"), 0.03),
        (having("no-phone"), 0.05),
    ],
)
def test_each_thing_is_as_often_as_its_share(count: int, share: float) -> None:
    assert within_binomial_bounds(count, MANY, share), count / MANY


@pytest.mark.parametrize(
    ("counts", "names", "shares", "of"),
    [
        (Counter(person.pattern for person in CROWD), PATTERNS, USUAL.patterns, MANY),
        (
            Counter(person.fit_fault for person in CROWD if person.fit_fault),
            MISAPPLIED,
            USUAL.misapplied,
            sum(bool(person.fit_fault) for person in CROWD),
        ),
        (Counter(each for person in CROWD for each in person.modifiers if each in LYING), LYING, USUAL.lying, MANY),
    ],
)
def test_each_kind_is_as_often_as_its_share(
    counts: Counter[str], names: tuple[str, ...], shares: tuple[float, ...], of: int
) -> None:
    assert set(counts) <= set(names)
    for name, share in zip(names, shares, strict=True):
        assert within_binomial_bounds(counts[name], of, share), (name, counts[name] / of)


def test_persons_of_a_seed_are_the_same_however_many_are_asked_for() -> None:
    assert persons(3, SEED) == CROWD[:3]
    assert persons(3, SEED + 1) != CROWD[:3]
    assert len({person.seed for person in CROWD}) > MANY - 20


def test_every_share_has_a_source() -> None:
    assert set(SOURCES) == {each.name for each in fields(Shares)}


def test_shares_can_be_others() -> None:
    never = Shares(patterns=(0.0, 0.0, 0.0, 0.0, 0.0, 1.0), applied_correctly=1.0, stopped_early=0.0)
    for person in persons(20, 1, share=never):
        assert (person.pattern, person.fit_fault, person.stopped_day) == ("none", "", None)
        assert not person.scenario.on_leg
    for wrong in (Shares(patterns=(1.0,) * 6), Shares(misapplied=(0.5, 0.5, 0.5))):
        with pytest.raises(ValueError, match="add up to 1"):
            persons(1, 1, share=wrong)


def worn_hours(person: Person) -> list[float]:
    """Hours worn on each of the days 1 to 13."""
    lived = replace(person.scenario, starts="")
    life = live(lived.plans(16), seed=person.seed, start_s=1_772_442_000.0)
    order = lived.order.document(1_772_442_000.0, "UTC")
    return [day.worn_min / 60 for day in truth_days(truth_of(life, lived), order).days][1:]


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [("as-ordered", 11, 24), ("day-only", 10, 17.5), ("night-only", 8, 10), ("none", 0, 0)],
)
def test_a_pattern_is_what_it_is_called(pattern: str, least: float, most: float) -> None:
    some = [each for each in CROWD if each.pattern == pattern and each.stopped_day is None][:15]
    for person in some:
        assert all(least <= hours <= most for hours in worn_hours(person)), worn_hours(person)


def test_weekends_are_gaps_and_scattered_days_differ() -> None:
    whole = [each for each in CROWD if each.stopped_day is None]
    for person in [each for each in whole if each.pattern == "weekend-gaps"][:15]:
        assert sum(hours == 0 for hours in worn_hours(person)) in {3, 4}
    for person in [each for each in whole if each.pattern == "scattered"][:15]:
        assert len(set(worn_hours(person))) > 4
        assert max(worn_hours(person)) < 13


def test_who_stops_wears_no_more() -> None:
    for person in [each for each in CROWD if each.stopped_day is not None][:30]:
        assert person.stopped_day is not None
        plans = person.scenario.plans(20)
        assert all(not plan.worn for plan in plans[person.stopped_day :])
        assert {plan.off_reason for plan in plans[person.stopped_day :]} == {"given up"}


def test_a_garment_that_sits_badly_does_so_on_some_days_only() -> None:
    bad = [each for each in CROWD if each.fit_fault and each.pattern == "as-ordered" and each.stopped_day is None]
    days = [[event.kind == each.fit_fault for plan in each.scenario.plans(14) for event in plan.events] for each in bad]
    assert 0.5 < sum(sum(each) for each in days) / (14 * len(days)) < 0.7


def test_a_folder_per_person_and_a_row_for_each(tmp_path: Path) -> None:
    people = persons(3, 5)
    rows = list(written(people, tmp_path / "one", "UTC", jobs=1))
    assert rows == list(written(people, tmp_path / "two", "UTC", jobs=2))
    table = list(csv.DictReader(io.StringIO(index_csv(rows))))
    assert tuple(table[0]) == COLUMNS
    assert [each["person"] for each in table] == ["person-00000", "person-00001", "person-00002"]
    for each in table:
        for name in FILES:
            one, two = (tmp_path / folder / each["person"] / name for folder in ("one", "two"))
            assert one.read_bytes() == two.read_bytes()

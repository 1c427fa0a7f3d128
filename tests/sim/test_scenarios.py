"""The named scenarios: what they promise, and that their truth comes to the right verdict whoever lives them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from calza_sim.scenarios import SCENARIOS, scenario
from calza_sim.truth import truth, truth_days
from calza_sim.wearer import live

DAY_S = 86_400.0
EXPECTED = {"perfect": "met", "falls-short": "not_met", "week-without-phone": "met", "never-worn": "not_met"}


def standard_order(start: datetime, timezone: str = "UTC") -> dict[str, object]:
    return {
        "start": start.isoformat(),
        "timezone": timezone,
        "phases": [
            {"days": 4, "mode": "continuous", "hours": 23, "ankle_floor_mmhg": 23, "removal": "hygiene"}
            | {"days_required": 4},
            {"days": 10, "mode": "daytime", "hours": 10, "ankle_floor_mmhg": 23, "removal": "hygiene"}
            | {"days_required": 8},
        ],
    }


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("seed", range(12))
def test_the_truth_of_a_standard_order(name: str, seed: int) -> None:
    start = datetime(2026, 1, 12, 1, 5, tzinfo=UTC) + timedelta(hours=seed * 1.9)
    life = live(SCENARIOS[name].plans(16), seed=seed, start_s=start.timestamp())
    verdict = truth_days(truth(life, SCENARIOS[name]), standard_order(start))
    assert verdict.verdict == EXPECTED[name], verdict.days
    assert len(verdict.days) == 14
    if EXPECTED[name] == "met":
        assert all(day.met for day in verdict.days)
    else:
        assert not any(day.met for day in verdict.days[4:])


@pytest.mark.parametrize("timezone", ["Europe/Rome", "America/Los_Angeles", "Pacific/Auckland"])
def test_perfect_is_met_where_the_clock_changes(timezone: str) -> None:
    zone = ZoneInfo(timezone)
    for month, day in ((3, 25), (10, 22), (3, 5), (9, 24), (3, 30)):
        start = datetime(2026, month, day, 11, 40, tzinfo=zone)
        life = live(SCENARIOS["perfect"].plans(16), seed=month, start_s=start.timestamp(), zone=zone)
        known = truth(life, SCENARIOS["perfect"], zone=zone)
        assert truth_days(known, standard_order(start, timezone)).verdict == "met"


def test_falls_short_wears_about_five_hours() -> None:
    start = datetime(2026, 1, 12, 8, tzinfo=UTC)
    life = live(SCENARIOS["falls-short"].plans(16), seed=3, start_s=start.timestamp())
    days = truth_days(truth(life, SCENARIOS["falls-short"]), standard_order(start)).days
    assert all(4.0 <= day.worn_min / 60 <= 6.0 for day in days[4:])
    assert not days[1].met


def test_never_worn_is_never_worn() -> None:
    life = live(SCENARIOS["never-worn"].plans(16), seed=3, start_s=0.0)
    known = truth(life, SCENARIOS["never-worn"])
    assert not known.worn.any()
    assert set(known.reason) == {"in a drawer"}


def test_the_phone_is_away_on_days_three_to_nine() -> None:
    start = datetime(2026, 1, 12, 8, tzinfo=UTC)
    life = live(SCENARIOS["week-without-phone"].plans(16), seed=3, start_s=start.timestamp())
    known = truth(life, SCENARIOS["week-without-phone"])
    midnight_s = datetime(2026, 1, 12, tzinfo=UTC).timestamp()
    (first, second) = known.contact
    assert first == (start.timestamp(), midnight_s + 3 * DAY_S)
    assert second == (midnight_s + 10 * DAY_S, float("inf"))


def test_an_unknown_scenario_is_named_with_those_there_are() -> None:
    assert scenario("perfect").name == "perfect"
    with pytest.raises(ValueError, match=r"'nonsense'.*falls-short"):
        scenario("nonsense")
    assert all(each.description for each in SCENARIOS.values())

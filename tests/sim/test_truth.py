"""The truth per minute and the day counts drawn from it, each worked out by hand here."""

import csv
import io
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from calza_sim.export import export_truth, truth_csv, truth_json
from calza_sim.scenarios import SCENARIOS, Scenario
from calza_sim.truth import Truth, truth, truth_days
from calza_sim.wearer import DayPlan, Itinerary, Wear, live

START = datetime(2026, 1, 12, 18, tzinfo=UTC)
START_S = START.timestamp()
ALWAYS = Scenario("always", "worn without end", (DayPlan(((0.0, 24.0),)),))


def life_with(*wears: Wear) -> Itinerary:
    return Itinerary(
        midnight_s=START_S - 18 * 3_600,
        start_s=START_S,
        end_s=START_S + 30 * 3_600,
        bout_start_s=np.array([START_S]),
        bout_activity=np.array([1]),
        wears=wears,
        charging=(),
        reason_before="not yet put on",
    )


def known_minutes(worn_min_per_day: list[int]) -> Truth:
    """Whole UTC days from 2026-01-12, each worn for its first so many minutes."""
    first_s = int(START_S) - 18 * 3_600
    worn = np.concatenate([np.arange(1_440) < minutes for minutes in worn_min_per_day])
    minutes = first_s + 60 * np.arange(len(worn), dtype=np.int64)
    return Truth(minutes, worn, ("sitting",) * len(worn), ("",) * len(worn), ())


def order(*phases: dict[str, object], start: datetime | str = "2026-01-12T00:00:00+00:00") -> dict[str, object]:
    return {"start": str(start), "timezone": "UTC", "phases": list(phases)}


def test_a_minute_is_worn_when_half_of_it_is() -> None:
    wear = Wear(START_S + 20, START_S + 90, START_S + 270, START_S + 300, "night")  # on at 1:30, off from 4:30
    known = truth(life_with(wear), ALWAYS, until_s=START_S + 420)
    assert known.minute_s.tolist() == [int(START_S) + 60 * minute for minute in range(7)]
    assert known.worn.tolist() == [False, True, True, True, True, False, False]
    assert known.reason == ("not yet put on", "", "", "", "", "night", "night")
    assert known.posture == ("sitting",) * 7


def test_less_than_half_is_not_worn() -> None:
    wear = Wear(START_S, START_S + 91, START_S + 269, START_S + 300, "night")
    assert truth(life_with(wear), ALWAYS, until_s=START_S + 300).worn.tolist() == [False, False, True, True, False]


def test_truth_of_no_time_is_empty() -> None:
    assert len(truth(life_with(), ALWAYS, until_s=START_S).minute_s) == 0


@pytest.mark.parametrize(("removal", "least_min"), [("hygiene", 540), ("none", 588)])
def test_a_day_needs_its_hours_less_the_tolerance(removal: str, least_min: int) -> None:
    phase: dict[str, object] = {"days": 2, "hours": 10, "removal": removal, "days_required": 1}
    judged = truth_days(known_minutes([least_min, least_min - 1]), order(phase))
    assert [day.met for day in judged.days] == [True, False]
    assert judged.verdict == "met"


def test_every_phase_needs_its_days() -> None:
    early: dict[str, object] = {"days": 1, "hours": 23, "removal": "hygiene", "days_required": 1}
    late: dict[str, object] = {"days": 2, "hours": 10, "removal": "hygiene", "days_required": 2}
    assert truth_days(known_minutes([1_300, 600, 600]), order(early, late)).verdict == "met"
    assert truth_days(known_minutes([1_300, 600, 500]), order(early, late)).verdict == "not_met"
    assert truth_days(known_minutes([1_200, 600, 600]), order(early, late)).verdict == "not_met"


def test_the_first_day_counts_from_its_start_and_in_proportion() -> None:
    phase: dict[str, object] = {"days": 1, "hours": 20, "removal": "hygiene", "days_required": 1}
    known = known_minutes([1_440])
    (day,) = truth_days(known, order(phase, start=START.isoformat())).days
    assert (day.worn_min, day.needed_min) == (360, 20 * 60 * 0.9 * 6 / 24)


def test_an_order_for_nothing_cannot_be_missed() -> None:
    assert truth_days(known_minutes([0]), order()).verdict == "not_applicable"


def test_an_unfinished_order_is_not_judged() -> None:
    phase: dict[str, object] = {"days": 2, "hours": 10, "removal": "hygiene", "days_required": 1}
    with pytest.raises(ValueError, match=r"2026-01-13.*not finished"):
        truth_days(known_minutes([600]), order(phase))


@pytest.mark.parametrize("bad", [{"days": "4"}, {"days": True}, {"hours": None}])
def test_what_is_no_prescription_is_refused(bad: dict[str, object]) -> None:
    phase: dict[str, object] = {"days": 1, "hours": 10, "removal": "hygiene", "days_required": 1}
    with pytest.raises(TypeError, match="a phase's"):
        truth_days(known_minutes([600]), order(phase | bad))


def test_exports_say_the_same(tmp_path: Path) -> None:
    life = live(SCENARIOS["week-without-phone"].plans(4), seed=1, start_s=START_S)
    known = truth(life, SCENARIOS["week-without-phone"])
    rows = list(csv.DictReader(io.StringIO(truth_csv(known))))
    assert [int(row["minute_s"]) for row in rows] == known.minute_s.tolist()
    assert [row["worn"] == "1" for row in rows] == known.worn.tolist()
    assert rows[0]["utc"] == "2026-01-12T18:00Z"

    document = json.loads(truth_json(known))
    spread = [run for run in document["runs"] for _ in range(run["minutes"])]
    assert [run["worn"] for run in spread] == known.worn.tolist()
    assert [(run["posture"], run["reason"]) for run in spread] == list(zip(known.posture, known.reason, strict=True))
    states = [(run["worn"], run["posture"], run["reason"]) for run in document["runs"]]
    assert all(before != after for before, after in pairwise(states))
    assert document["contact"][-1][1] is None

    for name, text in (("truth.csv", truth_csv(known)), ("truth.json", truth_json(known))):
        export_truth(known, tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match=r"not \.txt"):
        export_truth(known, tmp_path / "truth.txt")

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
from calza_sim.truth import Truth, truth, truth_days, truth_open
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


def known_runs(*runs: tuple[int, bool]) -> Truth:
    """From 2026-01-12T00:00Z on: so many minutes worn or not, one run after the other."""
    first_s = int(START_S) - 18 * 3_600
    worn = np.concatenate([np.full(minutes, on) for minutes, on in runs])
    minutes = first_s + 60 * np.arange(len(worn), dtype=np.int64)
    return Truth(minutes, worn, ("sitting",) * len(worn), ("",) * len(worn), ())


def continuous(hours: float, days: int = 1, **more: object) -> dict[str, object]:
    return {"days": days, "mode": "continuous", "hours": hours, "days_required": days, "removal": "hygiene"} | more


def by_day(hours: float, days: int = 1, **more: object) -> dict[str, object]:
    return continuous(hours, days) | {"mode": "daytime"} | more


def test_a_pause_is_neither_worn_nor_missed() -> None:
    known = known_runs((720, True), (720, False), (1_440, True))
    paused = order(continuous(24, 2, days_required=2)) | {
        "pauses": [{"start": "2026-01-12T06:00+00:00", "end": "2026-01-12T18:00+00:00", "reason": "blister"}]
    }
    first, second = truth_days(known, paused).days
    assert (first.worn_min, first.excused_min) == (360, 720)
    assert first.needed_min == pytest.approx(1_440 * 0.9 - 720)
    assert (second.worn_min, second.excused_min) == (1_440, 0)


def test_a_pause_longer_than_the_hours_leaves_nothing_to_ask() -> None:
    whole_day = [{"start": "2026-01-12T00:00+00:00", "end": "2026-01-13T00:00+00:00", "reason": "blister"}]
    (day,) = truth_days(known_minutes([0]), order(by_day(10)) | {"pauses": whole_day}).days
    assert (day.needed_min, day.met) == (0.0, True)


@pytest.mark.parametrize(("hours", "minutes", "off", "excused"), [(23, 60, 90, 0), (24, 60, 90, 60), (24, 60, 20, 20)])
def test_hygiene_is_excused_only_where_the_hours_leave_no_room(
    hours: float, minutes: int, off: int, excused: int
) -> None:
    phase = continuous(hours, hygiene_minutes=minutes)
    (day,) = truth_days(known_minutes([1_440 - off]), order(phase)).days
    assert day.excused_min == excused
    assert day.needed_min == pytest.approx(hours * 60 * 0.9 - excused)


def test_hygiene_of_a_part_of_a_day_is_a_part_of_it() -> None:
    phase = continuous(24, hygiene_minutes=60)
    (day,) = truth_days(known_minutes([1_080]), order(phase, start="2026-01-12T18:00:00+00:00")).days
    assert (day.worn_min, day.excused_min) == (0, 15)


def test_an_optional_night_is_excused_by_the_clock_on_the_wall() -> None:
    known = known_runs((6 * 60, False), (15 * 60, True), (3 * 60, False))  # off until 6 and from 21 on
    (day,) = truth_days(known, order(continuous(23, night_optional=True))).days
    assert day.excused_min == 6 * 60 + 2 * 60
    earlier = order(continuous(23, night_optional=True)) | {"night": {"start": "01:00", "end": "05:30"}}
    assert truth_days(known, earlier).days[0].excused_min == 270
    away = order(continuous(23, night_optional=True), start="2026-01-12T01:00:00+01:00") | {"timezone": "Europe/Rome"}
    assert truth_days(known_runs((24 * 60, False)), {**away, "ended": ended("2026-01-12T12:00:00+01:00")}).days[
        0
    ].excused_min == pytest.approx(6 * 60)  # from one to seven in Rome


def test_a_night_and_hygiene_never_excuse_the_same_minute() -> None:
    known = known_runs((5 * 60, False), (19 * 60, True))
    (day,) = truth_days(known, order(continuous(24, hygiene_minutes=60, night_optional=True))).days
    assert day.excused_min == 300


def test_a_phase_may_forgive_more_or_less() -> None:
    for tolerance in (0.0, 0.25):
        (day,) = truth_days(known_minutes([600]), order(by_day(10, tolerance=tolerance))).days
        assert day.needed_min == pytest.approx(600 * (1 - tolerance))


def ended(at: str, why: str = "shortened") -> dict[str, object]:
    return {"at": at, "why": why, "note": ""}


def test_an_order_that_ends_early_is_cut_there() -> None:
    phases = (by_day(10, 4, days_required=3), by_day(10, 7, days_required=6))
    known = known_minutes([600, 600, 0, 600, 600, 300])
    judged = truth_days(known, order(*phases) | {"ended": ended("2026-01-17T12:00:00+00:00")})
    assert (judged.verdict, judged.label, len(judged.days)) == ("met", "order shortened", 6)
    assert [(each.days, each.days_met, each.days_required) for each in judged.phases] == [(4, 3, 3), (2, 2, 2)]
    assert judged.days[-1].needed_min == pytest.approx(10 * 60 * 0.9 / 2)
    assert judged.days[-1].worn_min == 300


@pytest.mark.parametrize(("at", "phases"), [("2026-01-14T00:00:00+00:00", [(2, 1)]), ("2026-01-12T00:00:00+00:00", [])])
def test_days_after_the_end_and_phases_without_days_fall_away(at: str, phases: list[tuple[int, int]]) -> None:
    judged = truth_days(
        known_minutes([600] * 3),
        order(by_day(10, 4, days_required=2), by_day(10, 7)) | {"ended": ended(at, "superseded")},
    )
    assert [(each.days, each.days_required) for each in judged.phases] == phases
    assert judged.verdict == ("met" if phases else "not_applicable")


def test_what_no_sensor_saw_is_known_to_the_truth() -> None:
    bandage = [{"start": "2026-01-12T00:00+00:00", "end": "2026-01-13T00:00+00:00", "reason": "bandage"}]
    assert truth_days(known_minutes([600]), order(by_day(10)) | {"unsensed": bandage}).verdict == "met"


def test_an_order_longer_than_its_cap_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the 7 days"):
        truth_days(known_minutes([600]), order(by_day(10, 8)) | {"max_days": 7})
    with pytest.raises(ValueError, match="'forgotten'"):
        truth_days(known_minutes([600]), order(by_day(10)) | {"ended": ended("2026-01-12T12:00+00:00", "forgotten")})


@pytest.mark.parametrize(
    ("worn", "hours", "word"),
    [
        ([600, 600, 600], 60, "already_met"),
        ([600, 0, 600], 60, "can_be_met"),
        ([0, 0, 600], 60, "cannot_be_met"),
        ([600, 600, 600], 96, "met"),
        ([600, 0, 0], 96, "not_met"),
    ],
)
def test_an_order_that_runs_can_still_turn_out_so(worn: list[int], hours: int, word: str) -> None:
    known = known_minutes([*worn, 0])
    as_of_s = START_S - 18 * 3_600 + hours * 3_600
    judged = truth_open(known, order(by_day(10, 4, days_required=3)), as_of_s)
    assert judged.verdict == word
    assert len(judged.days) == hours // 24
    assert truth_open(known, order(), as_of_s).verdict == "not_applicable"


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

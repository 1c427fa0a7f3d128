"""A scenario as files: what is written, what is left out and why, and that the same wish gives the same octets."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from calza_sim.export_folder import FILES, SECOND_ORDER, Exported, Wish, exported, file_names
from calza_sim.export_minutes import Circumstances, held_minutes
from calza_sim.scenarios import SCENARIOS, scenario

HOUR_S = 3_600.0
DAY_MIN = 1_440


def out(name: str, **wish: Any) -> Exported:
    return exported(Wish(scenario(name), **wish))


def rows(done: Exported) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.texts["minutes.csv"])))


def left_out(done: Exported) -> dict[str, int]:
    counted: dict[str, int] = json.loads(done.texts["events.json"])["left_out_minutes"]
    return counted


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_exported(name: str) -> None:
    done = out(name, days=2)
    assert set(done.texts) == set(file_names(scenario(name)))
    for file, text in done.texts.items():
        if file.endswith(".json"):
            json.loads(text)
    truths = done.texts["truth.csv"].count("\n") - 1
    assert truths == 2 * DAY_MIN - 9 * 60
    assert len(rows(done)) + sum(left_out(done).values()) == truths


def test_a_row_is_a_minute_as_the_wire_has_it() -> None:
    done = out("perfect", days=1)
    assert done.texts["minutes.csv"].splitlines()[0] == "time,ankle,calf,thigh,ripple,skin"
    table = rows(done)
    assert [each["time"] for each in table[:2]] == ["2026-03-02T09:00Z", "2026-03-02T09:01Z"]
    assert len(table) == 15 * 60
    for each in table:
        assert all(len(each[site].partition(".")[2]) == 1 for site in ("ankle", "calf", "thigh", "ripple"))
        assert len(each["skin"].partition(".")[2]) == 2
    worn = [each for each in table if each["time"] >= "2026-03-02T12:00Z"][:60]
    assert 11 < np.median([float(each["ankle"]) for each in worn]) < 45


def test_a_site_the_stocking_calls_faulty_is_empty() -> None:
    done = out("perfect+flagged-calf", days=5)
    empty = [each["time"] for each in rows(done) if each["calf"] == ""]
    assert empty[0] == "2026-03-05T09:00Z"  # three days after the fitting
    assert len(empty) == DAY_MIN + 15 * 60
    assert all(each["ankle"] and each["thigh"] and each["skin"] for each in rows(done))


def test_the_same_wish_gives_the_same_octets() -> None:
    one, again, other = (out("perfect+winter", seed=seed, days=2) for seed in (4, 4, 5))
    assert one.texts == again.texts
    assert one.texts["minutes.csv"] != other.texts["minutes.csv"]


def test_start_and_zone_are_taken_from_the_wish_or_the_scenario() -> None:
    assert rows(out("clocks-go-forward", days=1))[0]["time"] == "2026-03-26T08:00Z"
    moved = out("clocks-go-forward", days=1, start="2026-06-01T10:00", timezone="America/New_York")
    assert rows(moved)[0]["time"] == "2026-06-01T14:00Z"
    assert json.loads(moved.texts["prescription.json"])["start"] == "2026-06-01T10:00:00-04:00"
    exact = out("perfect", days=1, start="2026-06-01T10:00:20+02:00")
    assert rows(exact)[0]["time"] == "2026-06-01T08:01Z"


@pytest.mark.parametrize(
    ("wish", "sentence"), [({"start": "soon"}, "'soon' is no moment"), ({"timezone": "Mars"}, "'Mars'")]
)
def test_a_start_or_zone_there_is_not(wish: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        out("perfect", **wish)


def test_minutes_without_power_have_no_row() -> None:
    done = out("battery-flat-on-days-9-and-10")
    assert left_out(done) == {"no_power": 2 * DAY_MIN, "time_unknown": 0, "not_uploaded": 0}
    held = {each["time"][:10] for each in rows(done)}
    assert "2026-03-11" not in held
    assert "2026-03-13" in held


def test_what_the_lost_phone_held_never_comes() -> None:
    done = out("phone-lost-for-good")
    assert left_out(done)["not_uploaded"] == 6 * DAY_MIN
    assert json.loads(done.texts["truth.json"])["verdict"] == "met"


def test_what_was_found_is_there_from_its_day_on() -> None:
    assert left_out(out("phone-lost-found-day-15"))["not_uploaded"] == 0
    assert left_out(out("phone-lost-found-day-15", days=15))["not_uploaded"] == 6 * DAY_MIN
    assert json.loads(out("phone-lost-found-day-15").texts["events.json"])["late_upload"] == "2026-03-17T00:00:00Z"


def test_without_a_phone_nothing_comes() -> None:
    done = out("perfect+no-phone")
    assert rows(done)[-1]["time"] == "2026-03-04T23:59Z"
    assert left_out(done)["not_uploaded"] == 13 * DAY_MIN


def test_a_lost_clock_is_found_again_by_the_next_phone() -> None:
    assert left_out(out("clock-resets-to-1970"))["time_unknown"] == 0
    before_the_phone = left_out(out("clock-resets-to-1970", days=8))
    assert before_the_phone["time_unknown"] == DAY_MIN + 12 * 60  # from noon of day 6 to the end of day 7
    assert before_the_phone["not_uploaded"] == 12 * 60  # day 6 up to noon: its time is known, but no phone came


def test_a_clock_lost_twice_without_a_phone_between_is_lost_for_good() -> None:
    of = Circumstances(
        start_s=0.0,
        end_s=10 * HOUR_S,
        outages=((2 * HOUR_S, 3 * HOUR_S),),
        clock_resets=(5 * HOUR_S,),
        contact=((0.0, HOUR_S), (8 * HOUR_S, float("inf"))),
        lost=(),
    )
    held = held_minutes(of)
    assert held.minute_s[held.without_power].tolist() == list(range(7_200, 10_800, 60))
    assert held.minute_s[held.without_time].tolist() == list(range(10_800, 18_000, 60))
    assert not held.not_sent.any()
    kinds = np.stack([held.held, held.without_power, held.without_time, held.not_sent])
    assert np.all(kinds.sum(axis=0) == 1)


def test_the_truth_is_written_day_by_day() -> None:
    done = out("five-hours-a-day")
    document = json.loads(done.texts["truth.json"])
    assert (document["verdict"], len(document["days"])) == ("not_met", 14)
    assert all(240 < day["worn_min"] < 360 and not day["met"] for day in document["days"][1:])
    early = json.loads(out("perfect", days=6).texts["truth.json"])
    assert (early["verdict"], len(early["days"])) == ("can_be_met", 6)


def test_a_second_order_is_a_file_of_its_own() -> None:
    done = out("second-session-on-day-30")
    assert set(done.texts) == {*FILES, SECOND_ORDER}
    first, second = (json.loads(done.texts[name]) for name in ("prescription.json", SECOND_ORDER))
    assert first["ended"]["at"] == second["start"] == "2026-04-01T10:00:00+00:00"
    document = json.loads(done.texts["truth.json"])
    assert (document["verdict"], document["label"]) == ("met", "superseded")
    assert document["second_order"]["verdict"] == "can_be_met"
    assert json.loads(out("second-session-on-day-30", days=20).texts["truth.json"])["second_order"] is None


def test_what_the_patient_wrote_is_kept_word_for_word() -> None:
    gap = json.loads(out("says-worn-over-a-gap", days=1).texts["events.json"])
    assert gap["self_reports"][0]["at"] == "2026-03-07T21:00:00Z"
    flag = json.loads(out("red-flag-at-night", days=1).texts["events.json"])
    assert flag["symptom_report"]["at"] == "2026-03-08T02:30:00Z"
    assert "breathless" in flag["symptom_report"]["text"]

"""Orders: what is read, what is refused and where, and how days and targets fall on the calendar."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from calza_server.domain.orders.prescription import Mode, Phase, Prescription, Removal
from calza_server.domain.orders.rx_document import RuleError, read_prescription

DOCUMENT: dict[str, Any] = {
    "start": "2026-03-02T10:30:00+00:00",
    "timezone": "Europe/London",
    "phases": [
        {
            "days": 4,
            "mode": "continuous",
            "hours": 23,
            "ankle_floor_mmhg": 18,
            "removal": "hygiene",
            "days_required": 4,
        },
        {"days": 10, "mode": "daytime", "hours": 10, "days_required": 8},
    ],
}


def order(start: datetime, zone: str, phase: Phase) -> Prescription:
    return Prescription(start, zone, (phase,))


def test_an_order_is_read() -> None:
    rx = read_prescription(DOCUMENT)
    assert rx.phases[0] == Phase(4, Mode.CONTINUOUS, 23.0, 4, 18.0, Removal.HYGIENE)
    assert rx.phases[1] == Phase(10, Mode.DAYTIME, 10.0, 8)
    assert [day.phase for day in rx.days()] == [0] * 4 + [1] * 10
    assert read_prescription(rx.document()) == rx


def test_no_phases_is_a_valid_order() -> None:
    rx = read_prescription(DOCUMENT | {"phases": []})
    assert rx.days() == ()
    assert rx.start_minute == rx.end_minute


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/start", "2026-03-02T10:30:00"),
        ("/start", "yesterday"),
        ("/start", 5),
        ("/timezone", "Europe/Atlantis"),
        ("/timezone", "../etc/passwd"),
        ("/timezone", "Europe"),
        ("/timezone", ""),
        ("/timezone", None),
        ("/phases", {}),
        ("/phases/0", "three days"),
        ("/phases/0/days", 0),
        ("/phases/0/days", 4.5),
        ("/phases/0/days", True),
        ("/phases/0/days", 732),
        ("/phases/0/mode", "nights"),
        ("/phases/0/hours", 0),
        ("/phases/0/hours", 24.5),
        ("/phases/0/hours", float("nan")),
        ("/phases/0/hours", "23"),
        ("/phases/1/days_required", 11),
        ("/phases/0/ankle_floor_mmhg", -1),
        ("/phases/0/removal", "always"),
        ("/phases/0/surprise", 1),
        ("/surprise", 1),
        ("/pauses", [1]),
    ],
)
def test_a_faulty_order_is_refused_with_its_place(pointer: str, value: object) -> None:
    document = copy.deepcopy(DOCUMENT)
    *path, last = pointer.strip("/").split("/")
    target: Any = document
    for step in path:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value
    with pytest.raises(RuleError) as caught:
        read_prescription(document)
    assert caught.value.pointer.startswith(pointer)
    assert caught.value.code == "rule_invalid"


@pytest.mark.parametrize("name", ["start", "timezone", "phases"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(RuleError, match="is missing") as caught:
        read_prescription({key: value for key, value in DOCUMENT.items() if key != name})
    assert caught.value.pointer == f"/{name}"


def test_a_pause_must_last() -> None:
    same = {"start": "2026-03-04T10:00:00Z", "end": "2026-03-04T10:00:00Z", "reason": "blister"}
    with pytest.raises(RuleError) as caught:
        read_prescription(DOCUMENT | {"pauses": [same]})
    assert caught.value.pointer == "/pauses/0/end"


def test_the_first_day_is_prorated_and_ends_at_local_midnight() -> None:
    first, second = read_prescription(DOCUMENT).days()[:2]
    assert first.end_minute - first.start_minute == 13.5 * 60
    assert first.target_minutes == pytest.approx(23 / 24 * 13.5 * 60)
    assert second.start_minute == first.end_minute
    assert second.target_minutes == 23 * 60


def test_days_are_those_of_the_patients_zone() -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # already 3 March in Auckland
    day = order(late, "Pacific/Auckland", Phase(1, Mode.DAYTIME, 10, 1)).days()[0]
    assert day.date.isoformat() == "2026-03-03"


@pytest.mark.parametrize(("date", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_clock_changes_make_days_of_23_and_25_hours(date: tuple[int, int, int], hours: int) -> None:
    start = datetime(*date, tzinfo=UTC) - timedelta(hours=12)
    continuous = order(start, "Europe/London", Phase(3, Mode.CONTINUOUS, 23, 3)).days()[1]
    assert continuous.end_minute - continuous.start_minute == hours * 60
    assert continuous.target_minutes == pytest.approx(23 / 24 * hours * 60)
    daytime = order(start, "Europe/London", Phase(3, Mode.DAYTIME, 10, 3)).days()[1]
    assert daytime.target_minutes == 600


def test_a_day_may_begin_after_midnight() -> None:
    """Where the clocks jump from 0:00 to 1:00, the day begins at the jump and is 23 hours long."""
    start = datetime(2026, 4, 23, 12, tzinfo=UTC)
    days = order(start, "Africa/Cairo", Phase(3, Mode.DAYTIME, 10, 3)).days()
    assert [day.end_minute - day.start_minute for day in days] == [10 * 60, 23 * 60, 24 * 60]
    assert all(one.end_minute == other.start_minute for one, other in pairwise(days))


@pytest.mark.parametrize(("removal", "required"), [(Removal.HYGIENE, 1242), (Removal.NONE, 1353)])
def test_tolerance_is_narrow_where_nothing_may_come_off(removal: Removal, required: int) -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    day = order(start, "UTC", Phase(1, Mode.CONTINUOUS, 23, 1, removal=removal)).days()[0]
    assert day.required(0) == required  # 23 h less 10 %, less 2 %
    assert day.required(60) == required - 60
    assert day.required(5000) == 0


def test_binary_fractions_ask_for_no_extra_minute() -> None:
    day = order(datetime(2026, 6, 1, tzinfo=UTC), "UTC", Phase(1, Mode.DAYTIME, 10, 1)).days()[0]
    assert day.required(0) == 540


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Africa/Cairo", "Pacific/Auckland"])
def test_the_end_is_the_end_of_the_last_day(zone: str) -> None:
    rx = read_prescription(DOCUMENT | {"timezone": zone})
    assert rx.end_minute == rx.days()[-1].end_minute


def test_a_journey_moves_no_day() -> None:
    """The order's zone makes the days; where its moments were written down does not matter."""
    here = read_prescription(DOCUMENT)
    there = read_prescription(DOCUMENT | {"start": "2026-03-02T23:30:00+13:00"})
    assert there == here
    assert there.document() == here.document()
    assert there.days() == here.days()


@pytest.mark.parametrize(("clock", "minutes"), [("23:59:59", 1), ("23:00:00", 60), ("00:00:00", 1440)])
def test_an_injection_late_in_the_day_asks_for_what_is_left_of_it(clock: str, minutes: int) -> None:
    rx = read_prescription(DOCUMENT | {"start": f"2026-03-02T{clock}Z"})
    first, second = rx.days()[:2]
    assert first.end_minute - first.start_minute == minutes
    assert first.target_minutes == pytest.approx(23 / 24 * minutes)
    assert len(rx.days()) == 14
    assert second.target_minutes == 23 * 60


def test_no_target_is_longer_than_its_day() -> None:
    """24 hours by day, on the day that has 23."""
    start = datetime(2026, 3, 29, tzinfo=UTC)
    assert order(start, "Europe/London", Phase(1, Mode.DAYTIME, 24, 1)).days()[0].target_minutes == 23 * 60

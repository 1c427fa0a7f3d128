"""An order as a document: every field comes back, and what contradicts itself is refused with its place."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.orders.prescription import Ended, EndedWhy, Night, Prescription
from calza_server.domain.orders.rx_document import RuleError, read_prescription
from tests.server.drawn_orders import moment, orders

FULL: dict[str, Any] = {
    "start": "2026-03-02T10:30:00+00:00",
    "timezone": "Europe/London",
    "phases": [
        {
            "days": 4,
            "mode": "continuous",
            "hours": 23,
            "days_required": 4,
            "ankle_floor_mmhg": 18,
            "removal": "hygiene",
            "hygiene_minutes": 60,
            "night_optional": False,
            "critical": True,
            "tolerance": 0.05,
        },
        {"days": 10, "mode": "daytime", "hours": 10, "days_required": 8},
    ],
    "pauses": [{"start": "2026-03-06T08:00:00+00:00", "end": "2026-03-07T08:00:00+00:00", "reason": "blister"}],
    "unsensed": [{"start": "2026-03-02T10:30:00+00:00", "end": "2026-03-03T10:30:00+00:00", "reason": "bandage"}],
    "ended": {"at": "2026-03-10T09:00:00+00:00", "why": "shortened", "note": "skin"},
    "max_days": 14,
    "garment": {"standard": "RAL-GZ 387/1", "class": "I", "ankle_min_mmhg": 18, "ankle_max_mmhg": 21},
    "night": {"start": "23:00", "end": "06:30"},
    "grace_days": 5,
    "preset": "std-micro-14d",
}

# The optional fields that may be left out, and what each means then.
LEFT_OUT = {
    "pauses": (),
    "unsensed": (),
    "ended": None,
    "max_days": None,
    "garment": None,
    "night": Night(),
    "grace_days": 7,
    "preset": None,
}


def changed(pointer: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(FULL)
    *path, last = pointer.strip("/").split("/")
    target: Any = document
    for step in path:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value
    return document


def fault(document: object) -> RuleError:
    with pytest.raises(RuleError) as caught:
        read_prescription(document)
    return caught.value


@given(orders())
def test_reading_what_was_written_gives_the_same_order(order: Prescription) -> None:
    assert read_prescription(json.loads(json.dumps(order.document()))) == order


def test_every_field_of_a_document_is_kept() -> None:
    written = read_prescription(FULL).document()
    assert written["phases"][0] == FULL["phases"][0]  # type: ignore[index]  # a document of plain JSON values
    assert {key: value for key, value in written.items() if key != "phases"} == {
        key: value for key, value in FULL.items() if key != "phases"
    }


@pytest.mark.parametrize("name", LEFT_OUT)
def test_an_optional_field_may_be_left_out(name: str) -> None:
    document = {key: value for key, value in FULL.items() if key != name}
    assert getattr(read_prescription(document), name) == LEFT_OUT[name]


@pytest.mark.parametrize("name", ["ended", "max_days", "garment", "preset"])
def test_null_means_left_out(name: str) -> None:
    assert getattr(read_prescription(FULL | {name: None}), name) is None


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/phases/0/days_required", 5),
        ("/phases/0/hygiene_minutes", -1),
        ("/phases/0/hygiene_minutes", 1441),
        ("/phases/0/hygiene_minutes", 30.0),
        ("/phases/0/night_optional", 1),
        ("/phases/0/critical", "yes"),
        ("/phases/0/tolerance", 1),
        ("/phases/0/tolerance", -0.1),
        ("/phases/0/tolerance", float("nan")),
        ("/phases/0/tolerance", True),
        ("/phases/0/hours", 10**400),
        ("/phases/0/tolerance_share", 0.1),
        ("/ended", "2026-03-10"),
        ("/ended/at", "2026-03-10T09:00:00"),
        ("/ended/why", "bored"),
        ("/ended/note", "x" * 201),
        ("/ended/by", "me"),
        ("/max_days", 0),
        ("/max_days", 13),
        ("/garment/standard", ""),
        ("/garment/class", "II"),
        ("/garment/class", "2"),
        ("/garment/ankle_min_mmhg", 22),
        ("/garment/ankle_min_mmhg", 17),
        ("/garment/ankle_max_mmhg", None),
        ("/garment/ankle_max_mmhg", "21"),
        ("/night/start", "24:00"),
        ("/night/start", "T2200"),
        ("/night/start", 22),
        ("/night/end", "23:00"),
        ("/grace_days", -1),
        ("/grace_days", 91),
        ("/preset", ""),
        ("/pauses/0/reason", " "),
        ("/pauses/0/reason", "a\nb"),
        ("/pauses/0/end", "2026-03-06T08:00:00+00:00"),
        ("/unsensed/0/end", "2026-03-02T10:30:00+00:00"),
    ],
)
def test_a_faulty_field_is_refused_with_its_place(pointer: str, value: object) -> None:
    why = fault(changed(pointer, value))
    assert why.pointer.rpartition("/")[0] == pointer.rpartition("/")[0]
    assert why.sentence


def test_a_bare_class_orders_no_garment() -> None:
    why = fault(FULL | {"garment": {"standard": "RAL-GZ 387/1", "class": "II"}})
    assert why.pointer == "/garment/ankle_max_mmhg"


@pytest.mark.parametrize(
    ("phase", "pointer"),
    [
        ({"removal": "none", "hygiene_minutes": 30}, "/phases/0/hygiene_minutes"),
        ({"removal": "none", "hygiene_minutes": 0, "night_optional": True}, "/phases/0/night_optional"),
        ({"mode": "daytime", "night_optional": True}, "/phases/0/night_optional"),
        ({"ankle_floor_mmhg": 22}, "/phases/0/ankle_floor_mmhg"),  # the garment gives 21 at most
    ],
)
def test_a_phase_that_contradicts_itself_is_refused(phase: dict[str, object], pointer: str) -> None:
    document = {name: FULL[name] for name in ("start", "timezone", "garment")}
    assert fault(document | {"phases": [FULL["phases"][0] | phase]}).pointer == pointer


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("2026-03-02T10:30:59+00:00", "after the start"),  # the same minute: nothing of the order would be left
        ("2026-03-01T00:00:00+00:00", "after the start"),
        ("2026-03-16T00:00:00+00:00", "before the end"),
    ],
)
def test_an_order_ends_within_itself(at: str, sentence: str) -> None:
    why = fault(changed("/ended/at", at))
    assert why.pointer == "/ended/at"
    assert sentence in why.sentence


@pytest.mark.parametrize("name", ["pauses", "unsensed"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-02-01T00:00:00Z", "2026-03-02T10:30:00Z"),
        ("2026-03-16T00:00:00Z", "2026-03-17T00:00:00Z"),
        ("2025-03-06T00:00:00Z", "2025-03-07T00:00:00Z"),  # a slip in the year
    ],
)
def test_a_stretch_outside_the_order_is_refused(name: str, start: str, end: str) -> None:
    stretch = {"start": start, "end": end, "reason": "x"}
    assert "lies outside the order" in fault(FULL | {name: [stretch]}).sentence


@pytest.mark.parametrize("name", ["pauses", "unsensed"])
def test_stretches_come_in_order_and_never_overlap(name: str) -> None:
    first = {"start": "2026-03-05T08:00:00+00:00", "end": "2026-03-06T08:00:00+00:00", "reason": "one"}
    touching = {"start": "2026-03-06T08:00:00+00:00", "end": "2026-03-06T09:00:00+00:00", "reason": "two"}
    order = read_prescription(FULL | {name: [touching, first]})
    assert [each.reason for each in getattr(order, name)] == ["one", "two"]
    overlapping = touching | {"start": "2026-03-06T07:59:00+00:00"}
    assert "overlaps" in fault(FULL | {name: [overlapping, first]}).sentence


def test_the_document_does_not_depend_on_the_order_of_the_pauses() -> None:
    pause = read_prescription(FULL).pauses[0]
    earlier = replace(pause, start=pause.start - timedelta(days=1), end=pause.start)
    one, other = (replace(read_prescription(FULL), pauses=each) for each in ((pause, earlier), (earlier, pause)))
    assert one.document() == other.document()


def test_a_fraction_of_a_second_is_cut_off() -> None:
    assert read_prescription(changed("/start", "2026-03-02T10:30:00.999+00:00")) == read_prescription(FULL)


def test_a_floor_may_be_the_most_the_garment_gives() -> None:
    assert read_prescription(changed("/phases/0/ankle_floor_mmhg", 21)).phases[0].ankle_floor_mmhg == 21


def test_a_pause_may_lie_in_an_unsensed_stretch() -> None:
    assert read_prescription(FULL | {"unsensed": FULL["pauses"]}).unsensed[0].reason == "blister"


def test_nothing_ordered_leaves_nothing_to_end() -> None:
    none = {"start": FULL["start"], "timezone": "UTC", "phases": []}
    assert read_prescription(none).days() == ()
    assert fault(none | {"ended": FULL["ended"]}).pointer == "/ended/at"
    assert fault(none | {"pauses": FULL["pauses"]}).pointer == "/pauses"


def test_an_order_above_its_ceiling_cannot_even_be_made() -> None:
    order = read_prescription(FULL)
    with pytest.raises(ValueError, match="14 days, but max_days is 7"):
        Prescription(order.start, order.timezone, order.phases, max_days=7)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(FULL)), inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from(sorted(FULL)),
)
def test_whatever_stands_in_a_field_is_read_or_refused(value: object, name: str) -> None:
    try:
        order = read_prescription(FULL | {name: value})
    except RuleError:
        return  # refused, which is one of the two answers; any other error fails
    assert read_prescription(order.document()) == order


def test_the_label_says_how_an_order_ended() -> None:
    order = read_prescription(FULL)
    assert order.label == "order shortened"
    labels = {
        why: Prescription(order.start, "UTC", order.phases, ended=Ended(moment(order.start_minute + 9), why)).label
        for why in EndedWhy
    }
    assert labels == {EndedWhy.SHORTENED: "order shortened", EndedWhy.SUPERSEDED: "superseded by the next treatment"}
    assert Prescription(order.start, "UTC", order.phases).label == ""

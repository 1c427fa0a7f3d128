"""The checklist: what blocks, what needs care, what is missing; nothing left out counts as no."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.courses.checklist import (
    Checklist,
    Clearance,
    Entry,
    Override,
    Thresholds,
    clearance,
)
from calza_server.domain.courses.checklist_document import checklist_document, read_checklist
from calza_server.domain.courses.checklist_items import ASKED, Against, Item
from calza_server.domain.orders.rx_document_fields import RuleError
from tests.server.drawn_orders import words

DAY = date(2026, 3, 2)
GOOD: dict[Item, bool | float | str] = {
    Item.SCAN: "no-feeders",
    Item.EVALUATION: True,
    Item.CONSENT: True,
    Item.ABPI: 1.1,
    Item.EPIFASCIAL_BYPASS: False,
    Item.HEART_FAILURE: "none",
    Item.FABRIC_ALLERGY: False,
    Item.SEVERE_NEUROPATHY: False,
    Item.SCLEROSANT_ALLERGY: False,
    Item.ACUTE_CLOT: False,
    Item.PAST_REACTION: False,
    Item.ACUTE_ILLNESS: False,
    Item.LIMB_ISCHAEMIA: False,
    Item.CLOT_HISTORY: False,
    Item.CONTRACEPTIVE_PILL: False,
}


def filled(**changes: bool | float | str | None) -> Checklist:
    """The list with nothing against it, but for the named items; None takes one out."""
    values = GOOD | {Item(name.replace("_", "-")): value for name, value in changes.items()}
    return Checklist(tuple(Entry(item, value, DAY, "Dr A") for item, value in values.items() if value is not None))


def overridden(checklist: Checklist, item: Item) -> Checklist:
    return replace(checklist, overrides=(Override(item, "known for years", "Dr B", DAY),))


def items(found: Clearance) -> tuple[list[Item], list[Item], list[Item]]:
    return [each.item for each in found.blocked], [each.item for each in found.cautions], list(found.missing)


def test_a_list_with_nothing_against_it_is_clear() -> None:
    found = clearance(filled())
    assert items(found) == ([], [], [])
    assert found.clear


def test_what_was_not_entered_is_missing_and_never_no() -> None:
    found = clearance(Checklist())
    assert found.blocked == ()
    assert set(found.missing) == set(GOOD)
    assert not found.clear


@pytest.mark.parametrize("item", GOOD)
def test_one_missing_item_keeps_it_from_being_clear(item: Item) -> None:
    found = clearance(filled(**{item.value: None}))
    assert items(found) == ([], [], [item])
    assert not found.clear


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("scan", "feeders-untreated"),
        ("evaluation", False),
        ("consent", False),
        ("abpi", 0.79),
        ("abpi", 1.31),
        ("abpi", 0),
        ("ankle-pressure", 59),
        ("toe-pressure", 29.9),
        ("tcpo2", 19),
        ("epifascial-bypass", True),
        ("heart-failure", "III"),
        ("heart-failure", "IV"),
        ("fabric-allergy", True),
        ("severe-neuropathy", True),
        ("sclerosant-allergy", True),
        ("acute-clot", True),
        ("past-reaction", True),
        ("acute-illness", True),
        ("limb-ischaemia", True),
    ],
)
def test_what_blocks(item: str, value: bool | float | str) -> None:
    found = clearance(filled(**{item: value}))
    assert items(found) == ([Item(item)], [], [])
    assert not found.clear
    (objection,) = found.blocked
    assert objection.words
    assert objection.source == ASKED[Item(item)].source
    went_on = clearance(overridden(filled(**{item: value}), Item(item)))
    assert went_on.clear
    assert [(each.item, each.override.person) for each in went_on.cautions if each.override] == [(Item(item), "Dr B")]


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("abpi", 0.8),
        ("abpi", 1.3),
        ("ankle-pressure", 60),
        ("toe-pressure", 30),
        ("tcpo2", 20),
        ("heart-failure", "II"),
        ("scan", "feeders-treated"),
    ],
)
def test_the_limits_themselves_pass(item: str, value: float | str) -> None:
    assert items(clearance(filled(**{item: value}))) == ([], [], [])


@pytest.mark.parametrize(
    ("item", "value"),
    [("contraceptive-pill", True), ("clot-history", True), ("heart-failure", "III-monitored")],
)
def test_what_needs_care_does_not_block(item: str, value: bool | str) -> None:
    found = clearance(filled(**{item: value}))
    assert items(found) == ([], [Item(item)], [])
    assert found.clear


def test_the_stricter_rule_is_the_default_and_another_can_be_set() -> None:
    low = filled(abpi=0.7)
    assert not clearance(low).clear
    assert clearance(low, Thresholds(abpi_least=0.6)).clear
    assert not clearance(filled(abpi=1.2), Thresholds(abpi_most=1.15)).clear
    assert not clearance(filled(**{"toe-pressure": 35}), Thresholds(toe_least_mmhg=40)).clear
    with pytest.raises(ValueError, match="below abpi_most"):
        Thresholds(abpi_least=1.4)


def test_the_scan_comes_before_the_first_treatment_only() -> None:
    unscanned = filled(scan=None)
    assert clearance(unscanned).missing == (Item.SCAN,)
    assert clearance(unscanned, first_treatment=False).clear
    assert not clearance(filled(scan="feeders-untreated"), first_treatment=False).clear


def test_something_missing_can_be_overridden_and_stays_visible() -> None:
    found = clearance(overridden(filled(scan=None), Item.SCAN))
    assert found.clear
    (caution,) = found.cautions
    assert caution.words.endswith("not entered")
    assert caution.override is not None
    assert (caution.override.reason, caution.override.person) == ("known for years", "Dr B")


def test_an_override_of_another_item_changes_nothing() -> None:
    found = clearance(overridden(filled(abpi=0.5), Item.CONSENT))
    assert items(found) == ([Item.ABPI], [], [])


@pytest.mark.parametrize(("reason", "person"), [("", "Dr B"), (" ", "Dr B"), ("known", ""), ("known", "\t")])
def test_an_override_needs_a_reason_and_a_person(reason: str, person: str) -> None:
    with pytest.raises(ValueError, match="needs a reason and the person"):
        Override(Item.ABPI, reason, person, DAY)


def test_what_stands_against_compression_does_not_stand_against_injection() -> None:
    assert clearance(filled(abpi=0.5)).blocked[0].against is Against.COMPRESSION
    assert clearance(filled(**{"acute-clot": True})).blocked[0].against is Against.INJECTION


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (Item.ABPI, True),
        (Item.ABPI, "1.0"),
        (Item.ABPI, -0.1),
        (Item.ABPI, 60),  # a pressure, not an index
        (Item.ABPI, float("nan")),
        (Item.CONSENT, "yes"),
        (Item.CONSENT, 1),
        (Item.SCAN, True),
        (Item.HEART_FAILURE, "V"),
    ],
)
def test_a_value_an_item_cannot_have_is_refused(item: Item, value: Any) -> None:
    with pytest.raises(ValueError, match=item.value):
        Entry(item, value, DAY, "Dr A")


def test_an_item_has_one_answer() -> None:
    entry = Entry(Item.ABPI, 1.0, DAY, "Dr A")
    with pytest.raises(ValueError, match="one entry"):
        Checklist((entry, replace(entry, value=0.5)))


recent = st.dates(date(1950, 1, 1), date(2100, 1, 1))
entries = st.sampled_from(Item).flatmap(
    lambda item: st.builds(
        Entry,
        st.just(item),
        st.sampled_from(ASKED[item].words)
        if ASKED[item].words
        else st.booleans()
        if ASKED[item].most is None
        else st.floats(0, 3),
        recent,
        words,
    )
)
overrides = st.builds(Override, st.sampled_from(Item), words, words, recent)
checklists = st.builds(
    Checklist,
    st.lists(entries, unique_by=lambda each: each.item).map(tuple),
    st.lists(overrides, unique_by=lambda each: each.item).map(tuple),
)


@given(checklists)
def test_reading_what_was_written_gives_the_same_checklist(checklist: Checklist) -> None:
    assert read_checklist(json.loads(json.dumps(checklist_document(checklist)))) == checklist


@given(checklists)
def test_every_item_has_one_place_at_most(checklist: Checklist) -> None:
    found = clearance(checklist)
    blocked, cautions, missing = items(found)
    assert len({*blocked, *cautions, *missing}) == len(blocked) + len(cautions) + len(missing)
    assert not {each.item for each in checklist.overrides} & {*blocked, *missing}
    assert not {each.item for each in checklist.entries} & set(missing)
    assert found.clear is not bool(blocked or missing)


DOCUMENT: dict[str, Any] = {
    "entries": [{"item": "abpi", "value": 1.0, "date": "2026-03-02", "person": "Dr A"}],
    "overrides": [{"item": "scan", "reason": "done elsewhere", "person": "Dr A", "date": "2026-03-02"}],
}


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("/entries/0/item", "weight"),
        ("/entries/0/value", "high"),
        ("/entries/0/value", None),
        ("/entries/0/value", [1]),
        ("/entries/0/date", "today"),
        ("/entries/0/person", ""),
        ("/overrides/0/reason", ""),
        ("/overrides/0/person", " "),
        ("/overrides/0/note", "x"),
    ],
)
def test_a_faulty_checklist_is_refused_with_its_place(at: str, value: object) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    name, row, field = at.strip("/").split("/")
    document[name][int(row)][field] = value
    with pytest.raises(RuleError) as caught:
        read_checklist(document)
    assert caught.value.pointer == at


@pytest.mark.parametrize("name", ["entries", "overrides"])
def test_a_second_answer_in_a_document_is_refused(name: str) -> None:
    with pytest.raises(RuleError, match="already there") as caught:
        read_checklist(DOCUMENT | {name: DOCUMENT[name] * 2})
    assert caught.value.pointer == f"/{name}/1/item"

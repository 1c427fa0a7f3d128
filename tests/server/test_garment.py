"""Compression classes: the same name is another pressure elsewhere, and between two classes there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.orders.garment import Garment
from calza_server.domain.orders.garment_classes import STANDARDS, GarmentError, Standard, class_fault, class_of, garment
from calza_server.domain.orders.rx_document import read_garment
from calza_server.domain.orders.rx_document_fields import RuleError

RAL = "RAL-GZ 387/1"


def test_class_two_is_four_pressures() -> None:
    ranges = {
        name: (garment(name, label).ankle_min_mmhg, garment(name, label).ankle_max_mmhg)
        for name, label in [
            (RAL, "II"),
            ("BS 6612:1985", "2"),
            ("NF G30-102B", "2"),
            ("Therapeutic Guidelines (AU)", "II"),
        ]
    }
    assert list(ranges.values()) == [(23, 32), (18, 24), (15.1, 20), (20, 29)]


@pytest.mark.parametrize(
    ("standard", "mmhg", "label"),
    [
        (RAL, 17.9, None),
        (RAL, 18, "I"),
        (RAL, 21, "I"),
        (RAL, 22, None),
        (RAL, 23, "II"),
        (RAL, 33, None),
        (RAL, 34, "III"),
        (RAL, 47, None),
        (RAL, 48.9, None),
        (RAL, 49, "IV"),
        (RAL, 90, "IV"),
        ("ENV 12718:2001", 49, None),
        ("ENV 12718:2001", 49.1, "IV"),
        ("NF G30-102B", 15, "1"),
        ("NF G30-102B", 36, "3"),
        ("NF G30-102B", 36.1, "4"),
        ("US convention", 18, "15-20"),
        ("US convention", 20, None),  # the end of one and the start of the next
        ("Therapeutic Guidelines (AU)", 19.9, "I"),
        ("Therapeutic Guidelines (AU)", 20, "II"),
    ],
)
def test_a_pressure_in_a_gap_belongs_to_no_class(standard: str, mmhg: float, label: str | None) -> None:
    assert class_of(standard, mmhg) == label


def test_an_unknown_standard_or_class_is_refused() -> None:
    for standard, label in ((RAL, "V"), ("EN", "II")):
        with pytest.raises(GarmentError, match="not in the table"):
            garment(standard, label)
    with pytest.raises(GarmentError, match="not in the table"):
        class_of("EN", 20)
    with pytest.raises(GarmentError, match="no lower end"):
        garment("Therapeutic Guidelines (AU)", "I")


@given(st.sampled_from(STANDARDS), st.floats(0, 80))
def test_a_pressure_lies_in_the_one_class_that_holds_it(standard: Standard, mmhg: float) -> None:
    holding = [each.label for each in standard.classes if each.holds(mmhg)]
    assert len(holding) <= 2
    assert class_of(standard.name, mmhg) == (holding[0] if len(holding) == 1 else None)


def test_every_class_has_its_mark_and_source() -> None:
    classes = [(each.name, one) for each in STANDARDS for one in each.classes]
    assert len(classes) == 28
    assert {one.mark for _, one in classes} == {"V", "S"}
    assert all(one.source for _, one in classes)
    assert len({(name, one.label) for name, one in classes}) == len(classes)


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("ankle_min_mmhg", 20, "ankle_min_mmhg"),
        ("ankle_max_mmhg", 30, "ankle_max_mmhg"),
        ("ankle_max_mmhg", None, "ankle_max_mmhg"),
        ("class", "2", "class"),
    ],
)
def test_a_known_class_has_its_own_range(field: str, value: object, at: str) -> None:
    document = {"standard": RAL, "class": "II", "ankle_min_mmhg": 23, "ankle_max_mmhg": 32}
    assert read_garment(document, "").document() == document
    with pytest.raises(RuleError) as caught:
        read_garment(document | {field: value}, "")
    assert caught.value.pointer == f"/{at}"


def test_an_open_class_stays_open() -> None:
    assert garment(RAL, "IV") == Garment(RAL, "IV", 49.0, None)
    assert class_fault(Garment(RAL, "IV", 49.0, 60.0)) == (
        "ankle_max_mmhg",
        f"must be left open (null) for {RAL} class IV",
    )


def test_whoever_orders_a_class_without_a_lower_end_states_one() -> None:
    assert class_fault(Garment("Therapeutic Guidelines (AU)", "I", 15.0, 20.0)) is None


def test_an_own_standard_is_taken_with_its_range() -> None:
    assert class_fault(Garment("as the maker says", "firm", 19.0, 27.0)) is None

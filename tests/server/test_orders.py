"""Orders in the registry: given, paused, stopped, superseded; each edit leaves a registry that can be read again."""

from __future__ import annotations

from datetime import datetime

import pytest

from calza_server.domain.orders.rx_document import RuleError, read_prescription
from calza_server.ports import Leg, RegisteredStocking
from calza_server.registry.orders import give, pause, retire, stop, with_papers
from calza_server.registry.registry import RegistryContent, RegistryError

FIRST = read_prescription(
    {
        "start": "2026-03-02T10:30:00+00:00",
        "timezone": "Europe/London",
        "phases": [{"days": 42, "mode": "daytime", "hours": 10, "days_required": 34}],
    }
)
SECOND = read_prescription(
    {
        "start": "2026-04-01T09:00:00+00:00",
        "timezone": "Europe/London",
        "phases": [{"days": 7, "mode": "daytime", "hours": 10, "days_required": 6}],
    }
)
BARE = RegistryContent((), (Leg("ana-left", "left", "Ana", None), Leg("ana-right", "right", "Ana", None)))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def left(content: RegistryContent) -> Leg:
    again = RegistryContent.decode(content.encode())
    assert again == content, "what was edited can be read again"
    assert again.known_legs[1] == BARE.known_legs[1], "the other leg is as it was"
    return again.known_legs[0]


def test_a_first_order_is_kept_as_it_was_given() -> None:
    leg = left(give(BARE, "ana-left", FIRST))
    assert leg.orders == (FIRST.document(),)


def test_the_next_treatments_order_closes_the_one_before() -> None:
    leg = left(give(give(BARE, "ana-left", FIRST), "ana-left", SECOND))
    assert leg.prescription == SECOND.document()
    (before,) = (read_prescription(each) for each in leg.earlier)
    assert before.label == "superseded by the next treatment"
    assert before.end_minute == SECOND.start_minute
    assert len(before.days()) == 31


def test_an_order_cannot_begin_before_the_one_it_follows() -> None:
    with pytest.raises(RuleError, match="must start after"):
        give(give(BARE, "ana-left", SECOND), "ana-left", FIRST)


def test_a_pause_is_added_to_the_newest_order() -> None:
    content = give(BARE, "ana-left", FIRST)
    content = pause(content, "ana-left", moment("2026-03-06T00:00Z"), moment("2026-03-08T00:00Z"), "skin blister")
    order = read_prescription(left(content).prescription)
    assert [each.reason for each in order.pauses] == ["skin blister"]


def test_a_stopped_order_is_shortened_and_says_why() -> None:
    content = stop(give(BARE, "ana-left", FIRST), "ana-left", moment("2026-03-12T12:00Z"), "rash")
    order = read_prescription(left(content).prescription)
    assert order.label == "order shortened"
    assert order.ended is not None
    assert order.ended.note == "rash"


def test_nothing_ordered_cannot_be_paused_or_stopped() -> None:
    with pytest.raises(RegistryError, match="has no order") as caught:
        stop(BARE, "ana-left", moment("2026-03-12T12:00Z"), "rash")
    assert caught.value.code == "no_order"


def test_an_unknown_leg_is_named_with_those_there_are() -> None:
    with pytest.raises(RegistryError, match=r"known: ana-left, ana-right") as caught:
        give(BARE, "bea-left", FIRST)
    assert caught.value.code == "unknown_leg"


def test_a_stocking_taken_out_of_use_stays_known() -> None:
    worn = RegisteredStocking("CALZA-0001", bytes(8), bytes(32), "ana-left")
    content = retire(RegistryContent((worn,), BARE.known_legs), "CALZA-0001", moment("2026-03-09T08:00Z"))
    (again,) = RegistryContent.decode(content.encode()).known_stockings
    assert again.retired_minute == 29_550_720
    assert again.key == worn.key
    with pytest.raises(RegistryError, match="is no stocking of this registry"):
        retire(content, "CALZA-0009", moment("2026-03-09T08:00Z"))


def test_papers_are_kept_and_none_leaves_what_there_is() -> None:
    content = with_papers(BARE, "ana-left", course={"treatments": []})
    content = with_papers(content, "ana-left", checklist={"items": []})
    leg = left(content)
    assert (leg.course, leg.checklist) == ({"treatments": []}, {"items": []})

"""Orders of the legs of a registry: given, paused, stopped, replaced by the next treatment's. Pure edits.

The registry keeps an order as the document it was given, and closes it when another takes its place, so that each keeps
a verdict of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from calza_server.domain.orders.prescription import minute_of
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.orders.superseding import paused, shortened, superseded_by
from calza_server.registry.registry import RegistryContent, RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from calza_server.domain.orders.prescription import Prescription
    from calza_server.ports import Leg


def give(content: RegistryContent, leg_id: str, order: Prescription) -> RegistryContent:
    """With an order for a leg; one that is there already is closed where this one starts.

    Raises RegistryError for an unknown leg, RuleError for an order that starts no later than the one before it.
    """
    leg = _leg(content, leg_id)
    if leg.prescription is None:
        return _with(content, replace(leg, prescription=order.document()))
    before = superseded_by(read_prescription(leg.prescription), order.start)
    return _with(content, replace(leg, earlier=(*leg.earlier, before.document()), prescription=order.document()))


def pause(content: RegistryContent, leg_id: str, start: datetime, end: datetime, reason: str) -> RegistryContent:
    """With a pause in a leg's newest order. Raises RegistryError, RuleError."""
    leg, order = _ordered(content, leg_id)
    return _with(content, replace(leg, prescription=paused(order, start, end, reason).document()))


def stop(content: RegistryContent, leg_id: str, at: datetime, note: str) -> RegistryContent:
    """With a leg's newest order ending at a moment, because the clinician says so. Raises RegistryError, RuleError."""
    leg, order = _ordered(content, leg_id)
    return _with(content, replace(leg, prescription=shortened(order, at, note).document()))


def with_papers(
    content: RegistryContent,
    leg_id: str,
    *,
    course: Mapping[str, object] | None = None,
    checklist: Mapping[str, object] | None = None,
) -> RegistryContent:
    """With the documents of course and checklist of a leg; None leaves what there is. Raises RegistryError."""
    leg = _leg(content, leg_id)
    if course is not None:
        leg = replace(leg, course=course)
    if checklist is not None:
        leg = replace(leg, checklist=checklist)
    return _with(content, leg)


def retire(content: RegistryContent, serial: str, at: datetime) -> RegistryContent:
    """With a stocking taken out of use at a moment. Raises RegistryError for one that is not known."""
    if serial not in {each.serial for each in content.known_stockings}:
        raise RegistryError(serial, "is no stocking of this registry", "unknown_stocking")
    return replace(
        content,
        known_stockings=tuple(
            replace(each, retired_minute=minute_of(at)) if each.serial == serial else each
            for each in content.known_stockings
        ),
    )


def find_leg(content: RegistryContent, leg_id: str) -> Leg:
    """The leg with that id. Raises RegistryError naming those there are."""
    return _leg(content, leg_id)


def _ordered(content: RegistryContent, leg_id: str) -> tuple[Leg, Prescription]:
    leg = _leg(content, leg_id)
    if leg.prescription is None:
        raise RegistryError(leg_id, "has no order that could be changed", "no_order")
    return leg, read_prescription(leg.prescription)


def _leg(content: RegistryContent, leg_id: str) -> Leg:
    for leg in content.known_legs:
        if leg.id == leg_id:
            return leg
    known = ", ".join(leg.id for leg in content.known_legs) or "none"
    raise RegistryError(leg_id, f"is no leg of this registry; known: {known}", "unknown_leg")


def _with(content: RegistryContent, leg: Leg) -> RegistryContent:
    return replace(content, known_legs=tuple(leg if one.id == leg.id else one for one in content.known_legs))

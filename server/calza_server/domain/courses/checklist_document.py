"""A checklist as JSON values: written one way, read strictly. Read and written again it is the same checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calza_server.domain.courses.checklist import Checklist, Entry, Override
from calza_server.domain.courses.checklist_items import Item, value_fault
from calza_server.domain.orders.rx_document_fields import (
    RuleError,
    read_date,
    read_fields,
    read_items,
    read_text,
    read_word,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def checklist_document(checklist: Checklist) -> dict[str, object]:
    """The checklist as plain JSON values."""
    return {
        "entries": [
            {
                "item": each.item.value,
                "value": each.value,
                "date": each.date.isoformat(),
                "person": each.person,
            }
            for each in checklist.entries
        ],
        "overrides": [
            {
                "item": each.item.value,
                "reason": each.reason,
                "person": each.person,
                "date": each.date.isoformat(),
            }
            for each in checklist.overrides
        ],
    }


def read_checklist(document: object) -> Checklist:
    """The checklist in a document. Raises RuleError."""
    fields = read_fields(document, "", needed={"entries", "overrides"}, allowed=set())
    entries = read_items(fields["entries"], "/entries", _entry)
    overrides = read_items(fields["overrides"], "/overrides", _override)
    _once([each.item for each in entries], "/entries")
    _once([each.item for each in overrides], "/overrides")
    return Checklist(entries, overrides)


def _entry(row: object, at: str) -> Entry:
    fields = read_fields(row, at, needed={"item", "value", "date", "person"}, allowed=set())
    item, value = read_word(Item, fields["item"], f"{at}/item"), fields["value"]
    fault = value_fault(item, value)
    if fault is not None or not isinstance(value, bool | int | float | str):
        raise RuleError(f"{at}/value", fault or "must be a value")
    return Entry(item, value, read_date(fields["date"], f"{at}/date"), read_text(fields["person"], f"{at}/person"))


def _override(row: object, at: str) -> Override:
    fields = read_fields(row, at, needed={"item", "reason", "person", "date"}, allowed=set())
    return Override(
        item=read_word(Item, fields["item"], f"{at}/item"),
        reason=read_text(fields["reason"], f"{at}/reason"),
        person=read_text(fields["person"], f"{at}/person"),
        date=read_date(fields["date"], f"{at}/date"),
    )


def _once(items: Sequence[Item], at: str) -> None:
    for i, item in enumerate(items):
        if item in items[:i]:
            raise RuleError(f"{at}/{i}/item", f"{item.value} is already there; keep one of the two")

"""Reads an order from JSON values, strictly: what is not understood is refused, with the place and what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from calza_server.domain.prescription import Mode, Pause, Phase, Prescription, Removal

if TYPE_CHECKING:
    from enum import StrEnum

DAYS_AT_MOST: Final = 731  # two years: more is a slip of the keyboard, and every page draws every day
TEXT_AT_MOST: Final = 200


class RuleError(Exception):
    """An order that cannot be read. `pointer` is the JSON Pointer (RFC 6901) of the field at fault."""

    code: Final = "rule_invalid"

    def __init__(self, pointer: str, sentence: str) -> None:
        super().__init__(f"{pointer or '/'}: {sentence}")
        self.pointer = pointer
        self.sentence = sentence


def read_prescription(document: object) -> Prescription:
    """The order in a document of `start`, `timezone`, `phases` and, if need be, `pauses`. Raises RuleError."""
    fields = _fields(document, "", needed={"start", "timezone", "phases"}, allowed={"pauses"})
    phases = tuple(_phase(item, f"/phases/{i}") for i, item in enumerate(_items(fields["phases"], "/phases")))
    if sum(phase.days for phase in phases) > DAYS_AT_MOST:
        raise RuleError("/phases", f"all phases together may last at most {DAYS_AT_MOST} days")
    pauses = tuple(_pause(item, f"/pauses/{i}") for i, item in enumerate(_items(fields.get("pauses", []), "/pauses")))
    return Prescription(_moment(fields["start"], "/start"), _zone(fields["timezone"]), phases, pauses)


def _phase(item: object, at: str) -> Phase:
    needed = {"days", "mode", "hours", "days_required"}
    fields = _fields(item, at, needed=needed, allowed={"ankle_floor_mmhg", "removal"})
    days = _count(fields["days"], f"{at}/days", 1, DAYS_AT_MOST)
    floor = fields.get("ankle_floor_mmhg")
    return Phase(
        days=days,
        mode=Mode(_one_of(Mode, fields["mode"], f"{at}/mode")),
        hours=_number(fields["hours"], f"{at}/hours", 24),
        days_required=_count(fields["days_required"], f"{at}/days_required", 0, days),
        ankle_floor_mmhg=None if floor is None else _number(floor, f"{at}/ankle_floor_mmhg", 100),
        removal=Removal(_one_of(Removal, fields.get("removal", Removal.HYGIENE.value), f"{at}/removal")),
    )


def _pause(item: object, at: str) -> Pause:
    fields = _fields(item, at, needed={"start", "end", "reason"}, allowed=set())
    start, end = _moment(fields["start"], f"{at}/start"), _moment(fields["end"], f"{at}/end")
    if end <= start:
        raise RuleError(f"{at}/end", "a pause must end after it starts")
    reason = fields["reason"]
    if not isinstance(reason, str) or not 0 < len(reason) <= TEXT_AT_MOST:
        raise RuleError(f"{at}/reason", f"say why in 1 to {TEXT_AT_MOST} characters")
    return Pause(start, end, reason)


def _fields(value: object, at: str, *, needed: set[str], allowed: set[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise RuleError(at, "must be an object with named fields")
    for name in sorted(needed - set(value)):
        raise RuleError(f"{at}/{name}", "is missing")
    for name in value:
        if name not in needed | allowed:
            known = ", ".join(sorted(needed | allowed))
            raise RuleError(f"{at}/{name}", f"is not a field of an order; known here: {known}")
    return value


def _items(value: object, at: str) -> list[object]:
    if not isinstance(value, list | tuple):
        raise RuleError(at, "must be a list")
    return list(value)


def _count(value: object, at: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RuleError(at, f"must be a whole number from {least} to {most}")
    return value


def _number(value: object, at: str, most: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 < value <= most:
        return float(value)
    raise RuleError(at, f"must be a number above 0, at most {most:g}")


def _one_of(words: type[StrEnum], value: object, at: str) -> str:
    known = [str(word) for word in words]
    if not isinstance(value, str) or value not in known:
        raise RuleError(at, f"must be one of {', '.join(known)}")
    return value


def _moment(value: object, at: str) -> datetime:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None and 1970 < moment.year < 9000:
            return moment
    raise RuleError(at, 'must be an ISO 8601 moment with its offset, like "2026-03-02T10:30:00+00:00"')


def _zone(value: object) -> str:
    try:
        return ZoneInfo(value if isinstance(value, str) else "").key
    except (KeyError, OSError, ValueError) as why:  # not in the database, a folder of it, or no name at all
        raise RuleError("/timezone", 'must be a name of the IANA time zone database, like "Europe/London"') from why

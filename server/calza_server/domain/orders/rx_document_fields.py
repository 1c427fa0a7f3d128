"""Reads the fields of a clinic's documents, strictly: what is not understood is refused, with the place and what to do.

One reader for orders, presets, courses and checklists, so that a slip is told the same way everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    Word = TypeVar("Word", bound=StrEnum)
    Value = TypeVar("Value")

TEXT_AT_MOST: Final = 200


class RuleError(Exception):
    """A document that cannot be read. `pointer` is the JSON Pointer (RFC 6901) of the field at fault."""

    code: Final = "rule_invalid"

    def __init__(self, pointer: str, sentence: str) -> None:
        super().__init__(f"{pointer or '/'}: {sentence}")
        self.pointer = pointer
        self.sentence = sentence


def read_fields(value: object, at: str, *, needed: set[str], allowed: set[str]) -> Mapping[str, object]:
    """An object with every needed field and no other than the allowed ones."""
    if not isinstance(value, Mapping):
        raise RuleError(at, "must be an object with named fields")
    for name in sorted(needed - set(value)):
        raise RuleError(f"{at}/{name}", "is missing")
    for name in value:
        if name not in needed | allowed:
            known = ", ".join(sorted(needed | allowed))
            raise RuleError(f"{at}/{name}", f"is not a field that is known here; known are {known}")
    return value


def read_items(value: object, at: str, read: Callable[[object, str], Value]) -> tuple[Value, ...]:
    """A list, each item read with its own place."""
    if not isinstance(value, list | tuple):
        raise RuleError(at, "must be a list")
    return tuple(read(item, f"{at}/{i}") for i, item in enumerate(value))


def read_count(value: object, at: str, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RuleError(at, f"must be a whole number from {least} to {most}")
    return value


def read_number(value: object, at: str, most: float) -> float:
    """A number above 0, at most `most`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:  # which no NaN is
        return float(value)
    raise RuleError(at, f"must be a number above 0, at most {most:g}")


def read_share(value: object, at: str) -> float:
    """A share: 0 or more, below 1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
        return float(value)
    raise RuleError(at, "must be a share: 0 or more, below 1")


def read_flag(value: object, at: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise RuleError(at, "must be true or false")
    return value


def read_text(value: object, at: str, *, most: int = TEXT_AT_MOST, empty: bool = False) -> str:
    """Printable words of at most `most` characters; nothing but blanks only where `empty` is allowed."""
    if isinstance(value, str) and len(value) <= most and value.isprintable() and (empty or value.strip()):
        return value
    raise RuleError(at, f"must be text of {0 if empty else 1} to {most} printable characters")


def read_word(words: type[Word], value: object, at: str) -> Word:
    """One of the words of an enumeration."""
    for word in words:
        if value == word.value:
            return word
    raise RuleError(at, f"must be one of {', '.join(word.value for word in words)}")


def read_moment(value: object, at: str) -> datetime:
    """An ISO 8601 moment with its offset, to the second: a fraction is cut off."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None and 1970 < moment.year < 9000:
            return moment.replace(microsecond=0)
    raise RuleError(at, 'must be an ISO 8601 moment with its offset, like "2026-03-02T10:30:00+00:00"')


def read_date(value: object, at: str) -> date:
    """A calendar date."""
    # Python would also read weeks ("2026-W10-1"), which nobody means
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            day = None
        if day is not None and 1900 < day.year < 9000:
            return day
    raise RuleError(at, 'must be a date, like "2026-03-02"')


def read_clock(value: object, at: str) -> time:
    """An hour and minute on the wall clock."""
    if isinstance(value, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    raise RuleError(at, 'must be an hour and minute, like "22:00"')


def read_zone(value: object, at: str) -> str:
    """A name of the IANA time zone database."""
    try:
        return ZoneInfo(value if isinstance(value, str) else "").key
    except (KeyError, OSError, ValueError) as why:  # not in the database, a folder of it, or no name at all
        raise RuleError(at, 'must be a name of the IANA time zone database, like "Europe/London"') from why

"""Reads values out of a JSON document strictly: what is missing, unknown or of another kind is refused with its place.

Moments are spelled one way only: ISO 8601, UTC, to the minute, like "2026-03-02T10:30Z".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from enum import StrEnum

_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
TEXT_AT_MOST: Final = 400

Word = TypeVar("Word", bound="StrEnum")


class DocumentError(Exception):
    """A document that cannot be read. `pointer` is the JSON Pointer (RFC 6901) of the field at fault."""

    code: str = "verdict_document_invalid"

    def __init__(self, pointer: str, sentence: str) -> None:
        super().__init__(f"{pointer or '/'}: {sentence}")
        self.pointer = pointer
        self.sentence = sentence


class Fields:
    """The named fields of one object; every name must be known and every known name there."""

    def __init__(self, value: object, at: str, names: set[str]) -> None:
        if not isinstance(value, Mapping):
            raise DocumentError(at, "must be an object with named fields")
        for name in sorted(names - set(value)):
            raise DocumentError(f"{at}/{name}", "is missing")
        for name in value:
            if name not in names:
                known = ", ".join(sorted(names))
                raise DocumentError(f"{at}/{name}", f"is not a field that belongs here; known: {known}")
        self._value, self._at = value, at

    def at(self, name: str) -> str:
        """The pointer of a field."""
        return f"{self._at}/{name}"

    def raw(self, name: str) -> object:
        """The value as it is."""
        return self._value[name]

    def without(self, name: str) -> dict[str, object]:
        """All fields but one."""
        return {key: value for key, value in self._value.items() if key != name}

    def text(self, name: str) -> str:
        """A text, perhaps empty."""
        value = self.raw(name)
        if isinstance(value, str) and len(value) <= TEXT_AT_MOST:
            return value
        raise DocumentError(self.at(name), f"must be a text of at most {TEXT_AT_MOST} characters")

    def whole(self, name: str, least: int = 0, most: int = 2**53) -> int:
        """A whole number within bounds."""
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise DocumentError(self.at(name), f"must be a whole number from {least} to {most}")

    def truth(self, name: str) -> bool:
        """True or false."""
        value = self.raw(name)
        if isinstance(value, bool):
            return value
        raise DocumentError(self.at(name), "must be true or false")

    def items(self, name: str) -> list[object]:
        """A list."""
        value = self.raw(name)
        if isinstance(value, list | tuple):
            return list(value)
        raise DocumentError(self.at(name), "must be a list")

    def word(self, name: str, words: type[Word]) -> Word:
        """One of some fixed words."""
        value = self.raw(name)
        known = [str(word) for word in words]
        if isinstance(value, str) and value in known:
            return words(value)
        raise DocumentError(self.at(name), f"must be one of {', '.join(known)}")

    def word_or_none(self, name: str, words: type[Word]) -> Word | None:
        """One of some fixed words, or null."""
        return None if self.raw(name) is None else self.word(name, words)

    def digest(self, name: str) -> str:
        """A SHA-256 in 64 hex digits."""
        value = self.text(name)
        if _DIGEST.fullmatch(value):
            return value
        raise DocumentError(self.at(name), "must be 64 hexadecimal digits in lower case")

    def minute(self, name: str) -> int:
        """A moment, as a minute since 1970-01-01T00:00Z."""
        value = self.raw(name)
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            try:
                return round(datetime.fromisoformat(value).timestamp()) // 60
            except ValueError:
                pass  # the digits are there but name no moment, as in month 13
        raise DocumentError(self.at(name), 'must be a moment in UTC to the minute, like "2026-03-02T10:30Z"')

    def date(self, name: str) -> date:
        """A calendar day."""
        value = self.raw(name)
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass  # refused below, with everything else that is no day
        raise DocumentError(self.at(name), 'must be a date, like "2026-03-02"')


def minute_spelled(minute: int) -> str:
    """The one form moments have in documents: '2026-03-02T10:30Z'."""
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M}Z"

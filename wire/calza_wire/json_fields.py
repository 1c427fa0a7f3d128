"""Strict reading of our JSON messages: every field is there, of its type and in its range, and no other is.

A `WireError` "bad_message" names the place (`stored[0].log_id`), never the value: a message may name a stocking.
"""

import json
from collections.abc import Callable
from typing import Final, TypeVar

from calza_wire.errors import WireError

MESSAGE_OCTETS_MAX: Final = 65_536  # what the broker lets through
VERSION_KEY: Final = "v"

_T = TypeVar("_T")


class Fields:
    """One JSON object being read; `done` refuses what nobody asked for."""

    def __init__(self, value: object, where: str = "message") -> None:
        if not isinstance(value, dict):
            raise _bad(where, "is not an object")
        self._values: dict[str, object] = dict(value)
        self._where = where

    @classmethod
    def of(cls, octets: bytes, version: int) -> "Fields":
        """The object in a message of exactly this version."""
        if len(octets) > MESSAGE_OCTETS_MAX:
            raise WireError("too_long", f"a message has at most {MESSAGE_OCTETS_MAX} octets")
        try:
            fields = cls(json.loads(octets))
        except (ValueError, RecursionError) as error:
            raise WireError("bad_message", "the message is not JSON") from error
        if fields._values.get(VERSION_KEY) != version:
            raise WireError("unsupported_version", f"a message of another version than {version}")
        del fields._values[VERSION_KEY]
        return fields

    def text(self, key: str, check: Callable[[str], str] | None = None) -> str:
        """A string; `check` raises ValueError for a bad one."""
        value = self._take(key)
        if not isinstance(value, str):
            raise _bad(self._at(key), "is not a string")
        try:
            return check(value) if check else value
        except ValueError as error:
            raise _bad(self._at(key), str(error)) from error

    def text_or_none(self, key: str, check: Callable[[str], str] | None = None) -> str | None:
        """A string or null."""
        return None if self._null(key) else self.text(key, check)

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number within low..high."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _bad(self._at(key), f"is not a whole number of {low}..{high}")
        return value

    def integer_or_none(self, key: str, low: int, high: int) -> int | None:
        """A whole number or null."""
        return None if self._null(key) else self.integer(key, low, high)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise _bad(self._at(key), "is not true or false")
        return value

    def items(self, key: str, read: Callable[[object, str], _T]) -> tuple[_T, ...]:
        """A list, each element read by `read(value, where)`."""
        value = self._take(key)
        if not isinstance(value, list):
            raise _bad(self._at(key), "is not a list")
        return tuple(read(item, f"{self._at(key)}[{index}]") for index, item in enumerate(value))

    def inner(self, key: str) -> "Fields":
        """An object inside this one."""
        return Fields(self._take(key), self._at(key))

    def done(self) -> None:
        """Every field has been read."""
        if self._values:
            raise _bad(self._where, f"has {len(self._values)} fields this version does not know")

    def _take(self, key: str) -> object:
        if key not in self._values:
            raise _bad(self._at(key), "is missing")
        return self._values.pop(key)

    def _null(self, key: str) -> bool:
        if key in self._values and self._values[key] is None:
            del self._values[key]
            return True
        return False

    def _at(self, key: str) -> str:
        return key if self._where == "message" else f"{self._where}.{key}"


def checked(where: str, build: Callable[..., _T], *values: object) -> _T:
    """Build a value from the peer's fields: what would be our mistake in a constructor is the peer's here."""
    try:
        return build(*values)
    except ValueError as error:
        raise _bad(where, str(error)) from error


def plain_text(value: object, where: str) -> str:
    """An element of a list that is a string."""
    if not isinstance(value, str):
        raise _bad(where, "is not a string")
    return value


def whole_pair(value: object, where: str) -> tuple[int, int]:
    """An element of a list that is [first, last]."""
    if not isinstance(value, list) or len(value) != 2 or any(type(number) is not int for number in value):
        raise _bad(where, "is not a pair of whole numbers")
    return value[0], value[1]


def dump(version: int, fields: dict[str, object]) -> bytes:
    """Compact JSON with the version in front."""
    return json.dumps({VERSION_KEY: version, **fields}, separators=(",", ":"), ensure_ascii=False).encode()


def _bad(where: str, what: str) -> WireError:
    return WireError("bad_message", f"{where} {what}")

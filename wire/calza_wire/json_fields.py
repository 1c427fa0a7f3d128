"""Strict reading of our JSON messages: every field is there, of its type and in its range, and no other is.

A `WireError` "bad_message" names the place (`stored[0].log_id`), never the value: a message may name a stocking.
"""

import json
from collections.abc import Callable
from typing import Final, TypeVar

from calza_wire.errors import WireError
from calza_wire.octets import Octets

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
    def of(cls, octets: Octets, version: int) -> "Fields":
        """The object in a message of exactly this version."""
        if len(octets) > MESSAGE_OCTETS_MAX:
            raise WireError("too_long", f"a message has at most {MESSAGE_OCTETS_MAX} octets")
        try:
            # Decoded here, because json would also take UTF-16; a key given twice would mean two things to two readers.
            fields = cls(json.loads(bytes(octets).decode("utf-8"), object_pairs_hook=_unique))
        except (ValueError, RecursionError) as error:
            raise WireError("bad_message", "the message is not JSON in UTF-8 with every key once") from error
        said = fields._values.get(VERSION_KEY)
        if type(said) is not int or said != version:
            raise WireError("unsupported_version", f"a message of another version than {version}")
        del fields._values[VERSION_KEY]
        return fields

    def __contains__(self, key: str) -> bool:
        """Whether this field is there and was not read yet; for the few that older writers leave out."""
        return key in self._values

    def text(self, key: str, check: Callable[[str], str] | None = None) -> str:
        """A string; `check` raises ValueError for a bad one."""
        value = plain_text(self._take(key), self._at(key))
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
    """A string; half a character (an unpaired surrogate) is none, because nobody could store or print it."""
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
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


def readable(octets: bytes, decode: Callable[[bytes], object]) -> bytes:
    """The octets of a message we are about to send; `ValueError` if its own decoder would refuse them."""
    try:
        decode(octets)
    except WireError as error:
        raise ValueError(f"this message would be refused: {error}") from error
    return octets


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is given twice")
    return members


def _bad(where: str, what: str) -> WireError:
    return WireError("bad_message", f"{where} {what}")

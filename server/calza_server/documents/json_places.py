"""Reads JSON that people write by hand: what is wrong with it is told with line and column. Knows no document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, NoReturn

from calza_server.files.file_fault import FileFault, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

BLANK: Final = " \t\n\r"
Code = Literal["rule_invalid", "export_invalid"]


def read_json(octets: bytes, file: str, code: Code) -> tuple[object, str]:
    """The document and its text. Raises FileFault."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = octets[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2]) + 1
        raise FileFault(code, file, "is not UTF-8 text; save it as UTF-8", line=line, column=column) from error
    try:
        document: object = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        what = f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise FileFault(code, file, what, line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise FileFault(code, file, "is nested too deeply for a document of ours", line=1, column=1) from error
    except ValueError as error:  # NaN and its like, or a number of thousands of digits
        raise FileFault(code, file, f"is not JSON: {error}", line=1, column=1) from error
    return document, text


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def fault_at(text: str, pointer: str, what: str, file: str, code: Code) -> FileFault:
    """What is wrong with the value at a JSON Pointer of a valid text, or with the object it is missing from."""
    line, column = _place(text, _offset_of(text, pointer))
    return FileFault(code, file, what, line=line, column=column, name=pointer)


def refuse_names_given_twice(text: str, file: str, code: Code) -> None:
    """Raises FileFault if an object of a valid text has a name twice: a reader would take one and hide the other."""
    seen = set()
    for pointer, offset in _values(text, _skip(text, 0), ""):
        if pointer in seen:
            line, column = _place(text, offset)
            what = f"{shown(pointer.rpartition('/')[2])} is there twice; keep one"
            raise FileFault(code, file, what, line=line, column=column, name=pointer)
        seen.add(pointer)


def _offset_of(text: str, pointer: str) -> int:
    places = dict(_values(text, _skip(text, 0), ""))
    while pointer not in places:
        pointer = pointer.rpartition("/")[0]  # what is missing has no place, but its parent has
    return places[pointer]


def _values(text: str, at: int, pointer: str) -> Iterator[tuple[str, int]]:
    """Pointer and offset of a value and of all within it."""
    yield pointer, at
    if text[at] not in "{[":
        return
    is_object = text[at] == "{"
    index = 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        part = str(index)
        if is_object:
            part, at = _value(text, at)
            at = _skip(text, _skip(text, at) + 1)  # over the colon
        yield from _values(text, at, f"{pointer}/{part}")
        at = _skip(text, _value(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1


def _value(text: str, at: int) -> tuple[str, int]:
    """A value as text, and the offset after it."""
    value, after = json.JSONDecoder().raw_decode(text, at)
    return str(value), after


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)

"""What is wrong with a file somebody handed in: one sentence with the place and what to do. Knows no format."""

from __future__ import annotations

from typing import Final, Literal

SHOWN_AT_MOST: Final = 40  # characters of somebody's text repeated in a sentence


class FileFault(Exception):
    """A file that cannot be used. `code` is stable; `line` and `column` count from 1, None where there is no place.

    In a table `column` counts the columns and `name` is what its header calls it; in JSON `column` counts characters
    and `name` is the JSON Pointer (RFC 6901) of the field.
    """

    def __init__(
        self,
        code: Literal["minutes_invalid", "rule_invalid", "export_invalid", "file_unreadable"],
        file: str,
        what: str,
        *,
        line: int | None = None,
        column: int | None = None,
        name: str = "",
    ) -> None:
        place = shown(file, quoted=False)
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column {column}"
        if name:
            place += f" ({shown(name, quoted=False)})"
        super().__init__(f"{place}: {what}")
        self.code = code
        self.file = file
        self.what = what
        self.line = line
        self.column = column
        self.name = name


def shown(text: str, *, quoted: bool = True) -> str:
    """Somebody's text made fit for a sentence: printable, and cut when long."""
    limit = SHOWN_AT_MOST if quoted else 4 * SHOWN_AT_MOST
    cut = printable(text[:limit]) + ("..." if len(text) > limit else "")
    return f'"{cut}"' if quoted else cut


def printable(text: str) -> str:
    """The text with a question mark for every character that could drive a terminal or that no encoding has."""
    return "".join(character if character.isprintable() else "?" for character in text)

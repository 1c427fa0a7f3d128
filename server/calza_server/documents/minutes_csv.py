"""Reads minutes.csv, a table of minutes from any device, strictly: what is not understood is refused with its place.

A missing row and an empty cell are missing data and stay so. Knows nothing of wear, orders or the file system.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.documents.minutes_cells import LIMITS, minutes_in, numbers_in, why_no_minute, why_no_number
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.files.file_fault import FileFault, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

TIME: Final = "time"
COLUMNS: Final = tuple(LIMITS)  # ankle, calf, thigh, ripple, skin
BLANK: Final = ", \t"  # a line of these alone says nothing; spreadsheets leave such lines behind
CHUNK_LINES: Final = 50_000  # cells take far more room as text than as figures, so only so many are text at a time
EXTENT_AT_MOST_DAYS: Final = 731  # two years, as in an order: more is a slip in a date
THE_RECORD: Final = 1  # a table is one record: a row is found by its time, and a number for each would swell an export
DIGEST_OCTETS: Final = 8  # as long as the log id of a stocking, and for the same use: which recording was it


@dataclass(frozen=True, slots=True, eq=False)
class MinuteTable:
    """The rows of one file in order of time, each minute once: `minute` since 1970-01-01T00:00Z, `line` in the file.

    `values` has one row per name in COLUMNS (pressures and ripple in mmHg, skin in degC), NaN where nothing was said.
    `named` are the columns the file has. `digest` names the octets of the file.
    """

    file: str
    digest: bytes
    named: tuple[str, ...]
    minute: npt.NDArray[np.int64]
    line: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """How many minutes have a row."""
        return len(self.minute)

    @property
    def absent(self) -> tuple[str, ...]:
        """Columns the file does not have."""
        return tuple(name for name in COLUMNS if name not in self.named)

    @property
    def span(self) -> tuple[int, int] | None:
        """First minute and the first one after the last; None without rows."""
        return (int(self.minute[0]), int(self.minute[-1]) + 1) if len(self) else None

    def line_of(self, minute: int) -> int | None:
        """The line of the file a minute has its row in, None if it has none."""
        at = int(np.searchsorted(self.minute, minute))
        return int(self.line[at]) if at < len(self) and int(self.minute[at]) == minute else None

    def grid(self, start_minute: int, end_minute: int) -> MinuteGrid:
        """The rows within [start, end) as a grid; one record of one log, named by the file's digest."""
        grid = MinuteGrid.empty(start_minute, end_minute, logs=(self.digest,))
        inside = (self.minute >= start_minute) & (self.minute < end_minute) & np.isfinite(self.values).any(axis=0)
        at = self.minute[inside] - start_minute
        for name, column in zip(COLUMNS, self.values, strict=True):
            getattr(grid, name)[at] = column[inside]
        grid.present[at] = True
        grid.record[at] = THE_RECORD
        grid.log[at] = 0
        return grid


def read_minutes(octets: bytes, file: str = "minutes.csv") -> MinuteTable:
    """The minutes in a CSV file; `file` is what to call it in a sentence. Raises FileFault and nothing else."""
    lines = _lines(octets, file)
    kept = [(number, line) for number, line in enumerate(lines, 1) if line.strip(BLANK)]
    digest = hashlib.sha256(octets).digest()[:DIGEST_OCTETS]
    if not kept:
        nothing = np.zeros(0, np.int64)
        return MinuteTable(file, digest, (), nothing, nothing, np.zeros((len(COLUMNS), 0)))
    header = _header(kept[0], file)
    parts = [_part(kept[at : at + CHUNK_LINES], header, file) for at in range(1, len(kept), CHUNK_LINES)]
    minute = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    values = np.concatenate([np.zeros((len(COLUMNS), 0)), *(part[1] for part in parts)], axis=1)
    line = np.array([number for number, _ in kept[1:]], np.int64)
    return _in_order(MinuteTable(file, digest, tuple(name for name in COLUMNS if name in header), minute, line, values))


def _lines(octets: bytes, file: str) -> list[str]:
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = octets[: error.start]
        line, column = before.count(b"\n") + 1, before.rpartition(b"\n")[2].count(b",") + 1
        what = "is not UTF-8 text; save the table as CSV in UTF-8"
        raise FileFault("minutes_invalid", file, what, line=line, column=column) from error
    return text.replace("\r\n", "\n").split("\n")


def _header(first: tuple[int, str], file: str) -> list[str]:
    """The names of the columns, in the order of the file."""
    line, text = first

    def fault(column: int, what: str, name: str = "") -> FileFault:
        return FileFault("minutes_invalid", file, what, line=line, column=column, name=name)

    (cells,) = _cells([first], file)
    names = [cell.strip() for cell in cells]
    known = f"the header names {TIME} and any of {', '.join(COLUMNS)}"
    if len(names) == 1 and (";" in text or "\t" in text):
        raise fault(1, f"separate the columns with commas; {known}")
    for column, name in enumerate(names, 1):
        if name not in {TIME, *COLUMNS}:
            raise fault(column, f"{shown(name)} is not a column of this table; {known}")
        if name in names[: column - 1]:
            raise fault(column, f"this column is there twice, first as column {names.index(name) + 1}; keep one", name)
    if TIME not in names:
        raise fault(1, f"there is no column {TIME}; {known}")
    if len(names) == 1:
        raise fault(2, f"there is no column beside {TIME}; {known}")
    return names


def _cells(numbered: list[tuple[int, str]], file: str) -> list[list[str]]:
    """The cells of each line; a quoted cell may not run over the end of its line."""
    try:
        rows = list(csv.reader((line for _, line in numbered), strict=True))
    except csv.Error:
        rows = []
    if len(rows) == len(numbered):
        return rows
    return [_cells_of_line(number, line, file) for number, line in numbered]


def _cells_of_line(number: int, line: str, file: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        what = f"cannot be read as CSV ({error}); close every quote on its own line, or use none"
        raise FileFault("minutes_invalid", file, what, line=number, column=1) from error


def _part(
    numbered: list[tuple[int, str]], header: list[str], file: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Minutes and values of some lines; the first fault, by line and then by column, is raised."""
    columns = _columns(numbered, len(header), file)
    minute = np.zeros(len(numbered), np.int64)
    values = np.full((len(COLUMNS), len(numbered)), np.nan)
    faults: list[tuple[int, int]] = []  # row and column
    for column, (name, cells) in enumerate(zip(header, columns, strict=True)):
        if name == TIME:
            minute, bad = minutes_in(cells)
        else:
            values[COLUMNS.index(name)], bad = numbers_in(cells, LIMITS[name])
        if bad.any():
            faults.append((int(np.argmax(bad)), column))
    if faults:
        at, column = min(faults)
        name, cell = header[column], columns[column][at]
        what = why_no_minute(cell) if name == TIME else why_no_number(cell, LIMITS[name])
        raise FileFault("minutes_invalid", file, what, line=numbered[at][0], column=column + 1, name=name)
    return minute, values


def _columns(numbered: list[tuple[int, str]], width: int, file: str) -> list[Sequence[str]]:
    """The cells by column; every line must have as many as the header."""
    joined = ",".join([line for _, line in numbered])
    if '"' not in joined and "\r" not in joined and {line.count(",") for _, line in numbered} == {width - 1}:
        cells = joined.split(",")  # the usual table has no quotes, and this takes half the time
        return [cells[column::width] for column in range(width)]
    rows = _cells(numbered, file)
    for (line, _), row in zip(numbered, rows, strict=True):
        if len(row) != width:
            count = f"{len(row)} cell{'s' if len(row) != 1 else ''} where the header names {width}"
            what = f"the row has {count}; separate cells by one comma and leave a cell empty for no data"
            raise FileFault("minutes_invalid", file, what, line=line, column=min(len(row), width) + 1)
    return list(zip(*rows, strict=True))


def _in_order(read: MinuteTable) -> MinuteTable:
    """The same by time. A row that is there twice counts once; two rows that differ for one minute are refused."""
    order = np.argsort(read.minute, kind="stable")
    minute, line, values = read.minute[order], read.line[order], read.values[:, order]
    fresh = np.ones(len(minute), np.bool_)
    fresh[1:] = minute[1:] != minute[:-1]
    first = np.maximum.accumulate(np.where(fresh, np.arange(len(minute)), 0)) if len(minute) else order
    same = (values == values[:, first]) | (np.isnan(values) & np.isnan(values[:, first]))
    differing = np.flatnonzero(~same.all(axis=0))
    if len(differing):
        worst = differing[np.argmin(line[differing])]
        what = (
            f"the minute {_spelled(minute[worst])} is there with other figures in line {line[first[worst]]}; "
            "keep one row a minute"
        )
        raise FileFault("minutes_invalid", read.file, what, line=int(line[worst]), column=1, name=TIME)
    if len(minute) and minute[-1] - minute[0] >= EXTENT_AT_MOST_DAYS * 1440:
        what = (
            f"the rows reach from {_spelled(minute[0])} (line {line[0]}) to {_spelled(minute[-1])}, more than "
            f"{EXTENT_AT_MOST_DAYS} days; check the year, or hand in a shorter span"
        )
        raise FileFault("minutes_invalid", read.file, what, line=int(line[-1]), column=1, name=TIME)
    return MinuteTable(read.file, read.digest, read.named, minute[fresh], line[fresh], values[:, fresh])


def _spelled(minute: int) -> str:
    return f"{datetime.fromtimestamp(int(minute) * 60, UTC):%Y-%m-%dT%H:%MZ}"

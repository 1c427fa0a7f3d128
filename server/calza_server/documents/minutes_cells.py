"""The cells of minutes.csv, a column at a time: times to minutes, figures to numbers, and why one of them is neither.

A year has three million cells, so a column is converted as a whole and only a cell at fault is looked at by itself.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.files.file_fault import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Limits:
    """What a column may hold, both ends included. Outside it is a slip or another unit, never a reading."""

    least: float
    most: float
    unit: str


# Our proposal, all of them: far wider than any leg or sensor, so that only slips and wrong units are refused. An offset
# of the sensor makes a small negative pressure ordinary; 500 mmHg is more than any garment or cuff; the skin sensor's
# limits are those of common temperature chips.
PRESSURE_MMHG: Final = Limits(-50.0, 500.0, "mmHg")
LIMITS: Final[Mapping[str, Limits]] = {
    "ankle": PRESSURE_MMHG,
    "calf": PRESSURE_MMHG,
    "thigh": PRESSURE_MMHG,
    "ripple": Limits(0.0, 500.0, "mmHg"),
    "skin": Limits(-40.0, 125.0, "degC"),
}

EXAMPLE: Final = "2026-03-02T10:31Z"
HEAD_OCTETS: Final = 16  # of a time: date, separator, hours and minutes
NO_TIME: Final = "0000-00-00T00:00"  # stands in for a cell that is no time; month 0 gives it away
FIRST_YEAR: Final = 1971  # as in an order
LAST_YEAR: Final = 8999
HEAD: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII | re.IGNORECASE)
TAIL: Final = re.compile(r"(?::(\d\d(?:[.,]\d+)?))?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII | re.IGNORECASE)
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+", re.ASCII)


def minutes_in(cells: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Minutes since 1970-01-01T00:00Z, and which cells say none."""
    cells = [cell.strip() for cell in cells]
    tails = {tail: _offset_minutes(tail) for tail in {cell[HEAD_OCTETS:] for cell in cells}}
    offsets = [tails[cell[HEAD_OCTETS:]] for cell in cells]
    heads = "".join([cell[:HEAD_OCTETS] for cell in cells])
    if not heads.isascii() or len(heads) != HEAD_OCTETS * len(cells):
        heads = "".join([cell[:HEAD_OCTETS] if HEAD.match(cell) else NO_TIME for cell in cells])
    local, bad = _minutes_of_heads(np.frombuffer(heads.encode(), np.uint8).reshape(len(cells), HEAD_OCTETS))
    bad |= np.array([offset is None for offset in offsets], np.bool_)
    return local - np.array([offset or 0 for offset in offsets], np.int64), bad


def _minutes_of_heads(text: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Minutes of `2026-03-02T10:31`, a row of characters each, as if it were UTC; and which rows say none."""
    separators = (text[:, 4] == ord("-")) & (text[:, 7] == ord("-")) & (text[:, 13] == ord(":"))
    separators &= np.isin(text[:, 10], np.frombuffer(b"Tt ", np.uint8))
    digits = text[:, [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15]].astype(np.int64) - ord("0")
    good = separators & ((digits >= 0) & (digits <= 9)).all(axis=1)
    year = digits[:, 0:4] @ np.array([1000, 100, 10, 1])
    month, day, hour, minute = (digits[:, at] * 10 + digits[:, at + 1] for at in (4, 6, 8, 10))
    good &= (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0)
    first, after = (
        moment.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for moment in (months, months + 1)
    )
    good &= (day >= 1) & (day <= after - first)
    return np.where(good, (first + day - 1) * 1440 + hour * 60 + minute, 0), ~good


def _offset_minutes(tail: str) -> int | None:
    """Minutes east of UTC, from what follows the minutes of a time; None if that cannot be read or is not whole."""
    found = TAIL.fullmatch(tail)
    if found is None or found[2] is None or float((found[1] or "0").replace(",", ".")) != 0:
        return None
    if found[2] in {"Z", "z"}:
        return 0
    hours, minutes = int(found[2][1:3]), int(found[2][3:].lstrip(":") or "0")
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if found[2][0] == "-" else 1)


def why_no_minute(cell: str) -> str:
    """What is wrong with a cell that `minutes_in` does not understand, and what to do."""
    cell = cell.strip()
    if not cell:
        return f"the time is empty; write it like {EXAMPLE}"
    tail = TAIL.fullmatch(cell[HEAD_OCTETS:])
    if HEAD.match(cell) and tail is not None:
        if tail[2] is None:
            return f"{shown(cell)} does not say its time zone; write UTC like {EXAMPLE}"
        if float((tail[1] or "0").replace(",", ".")) != 0:
            return f"{shown(cell)} is not a whole minute; write one row a minute, like {EXAMPLE}"
        return f"{shown(cell)} is no time of the calendar; write it like {EXAMPLE}"
    return f"{shown(cell)} is not a time; write it like {EXAMPLE}"


def numbers_in(cells: Sequence[str], limits: Limits) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The figures, NaN for an empty cell, and which cells are neither empty nor a figure within the limits."""
    joined = "".join(cells)
    try:
        if "_" in joined or not joined.isascii():  # float() takes 1_0 and the digits of other scripts
            raise ValueError(joined)  # noqa: TRY301 - both ways lead to the careful reading below
        values = np.array([float(cell) if cell else math.nan for cell in cells], np.float64)
    except ValueError:
        values = np.array([_number(cell) for cell in cells], np.float64)
    bad = (values < limits.least) | (values > limits.most)  # NaN is neither; infinity is one of them
    no_figure = np.flatnonzero(np.isnan(values))
    bad[no_figure] = [bool(cells[at].strip()) for at in no_figure.tolist()]
    return values, bad


def _number(cell: str) -> float:
    cell = cell.strip()
    return float(cell) if NUMBER.fullmatch(cell) else math.nan


def why_no_number(cell: str, limits: Limits) -> str:
    """What is wrong with a cell that `numbers_in` does not take, and what to do."""
    cell = cell.strip()
    if NUMBER.fullmatch(cell):
        span = f"{limits.least:g} to {limits.most:g} {limits.unit}"
        return f"{shown(cell)} is outside {span}; check the unit, or leave the cell empty for no data"
    if DECIMAL_COMMA.fullmatch(cell):
        return f"{shown(cell)} has a decimal comma; write a decimal point"
    return f"{shown(cell)} is not a number; write it with a decimal point, or leave the cell empty for no data"

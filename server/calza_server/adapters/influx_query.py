"""InfluxQL: sentences with names and literals spelled safely, and answers as rows. Pure; knows no server.

InfluxQL because InfluxDB 1.8, 2 and 3 all answer it at `/query`; Flux is spoken by one of them only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calza_server.ports import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


class QueryError(StoreError):
    """InfluxDB answered, and the answer is not what only we can have written. `complaint` is for us, not for people."""

    def __init__(self, complaint: str) -> None:
        super().__init__("broken", "InfluxDB gives an answer that makes no sense: is the bucket Calza's own?")
        self.complaint = complaint


@dataclass(frozen=True, slots=True)
class Table:
    """What one statement found under one set of tags.

    A point becomes visible field by field, so a reader beside a writer may meet half of one. Such a row has None where
    the rest will be; here it is not there yet.
    """

    tags: dict[str, str]
    columns: tuple[str, ...]
    values: list[list[object]]

    def rows(self, *names: str) -> Iterator[tuple[object, ...]]:
        """The named columns of every row that is whole. Raises QueryError for a column that is not there."""
        try:
            places = [self.columns.index(name) for name in names]
        except ValueError as error:
            raise QueryError("a column that is missing") from error
        for row in self.values:
            found = tuple(row[at] for at in places)
            if None not in found:
                yield found

    def column(self, name: str) -> list[int]:
        """A column of whole numbers, whatever else is there of its points. Raises QueryError."""
        return [whole(value) for (value,) in self.rows(name)]

    def texts(self, name: str) -> list[str]:
        """A column of texts, whatever else is there of its points. Raises QueryError."""
        return [text(value) for (value,) in self.rows(name)]


def whole(value: object) -> int:
    """The value, which is a whole number. Raises QueryError for anything else: the point is not ours."""
    if not isinstance(value, int):
        raise QueryError("a value that should be a whole number")
    return value


def text(value: object) -> str:
    """The value, which is a text. Raises QueryError for anything else."""
    if not isinstance(value, str):
        raise QueryError("a value that should be a text")
    return value


def literal(value: str) -> str:
    """A text in quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def name(called: str) -> str:
    """The name of a measurement, field, tag or database in quotes."""
    return '"' + called.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def select(fields: str, measurement: str, where: dict[str, str], more: str = "", by: str = "") -> str:
    """A SELECT over points whose tags are `where`; `more` narrows it further, `by` are the tags to tell apart."""
    conditions = [f"{name(tag)} = {literal(value)}" for tag, value in where.items()] + ([more] if more else [])
    narrowed = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    grouped = f" GROUP BY {by}" if by else ""
    return f"SELECT {fields} FROM {name(measurement)}{narrowed}{grouped}"  # noqa: S608 - every text in it is quoted here


def within(first_ns: int, last_ns: int) -> str:
    """The condition that a point's time is first..last, both included, in nanoseconds."""
    return f"time >= {first_ns} AND time <= {last_ns}"


def tables_of(answer: bytes, statements: int) -> list[list[Table]]:
    """The tables of each statement, from the JSON of `/query`. Raises QueryError; half an answer is none."""
    try:
        results = json.loads(answer)["results"]
        for result in results:
            if "error" in result:
                raise QueryError(str(result["error"]))
            if any(series.get("partial") for series in result.get("series", ())):
                raise QueryError("partial: max-row-limit cuts the answer short")
        found = [[_table(series) for series in result.get("series", ())] for result in results]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryError("not an answer of InfluxDB") from error
    if len(found) != statements:
        raise QueryError(f"{len(found)} answers to {statements} questions")
    return found


def _table(series: dict[str, object]) -> Table:
    tags, columns, values = series.get("tags", {}), series["columns"], series.get("values", [])
    if not isinstance(tags, dict) or not isinstance(columns, list) or not isinstance(values, list):
        raise TypeError
    return Table({str(tag): str(value) for tag, value in tags.items()}, tuple(map(str, columns)), values)

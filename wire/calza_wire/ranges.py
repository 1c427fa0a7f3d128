"""Sets of record numbers as sorted, disjoint, inclusive ranges. Knows nothing of records themselves."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class RecordRange:
    """The record numbers `first`..`last`, both included; 0 <= first <= last <= 2^32 - 1."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last < 2**32:
            raise ValueError(f"{self.first}..{self.last} is not a range of record numbers")

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return self.last - self.first + 1


class RangeSet:
    """An immutable set of record numbers; `add` and `subtract` return new sets."""

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[RecordRange] = ()) -> None:
        merged: list[RecordRange] = []
        for item in sorted(ranges):
            if merged and item.first <= merged[-1].last + 1:
                merged[-1] = RecordRange(merged[-1].first, max(merged[-1].last, item.last))
            else:
                merged.append(item)
        self._ranges = tuple(merged)

    @classmethod
    def from_numbers(cls, numbers: Iterable[int]) -> Self:
        """The set of these numbers, in any order, repeated or not."""
        runs: list[RecordRange] = []
        first = last = None
        for number in sorted(numbers):
            if first is None or last is None:
                first = last = number
            elif number <= last + 1:
                last = number
            else:
                runs.append(RecordRange(first, last))
                first = last = number
        if first is not None and last is not None:
            runs.append(RecordRange(first, last))
        return cls(runs)

    @property
    def ranges(self) -> tuple[RecordRange, ...]:
        """The ranges in rising order, none touching the next."""
        return self._ranges

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return sum(item.count for item in self._ranges)

    @property
    def last(self) -> int | None:
        """The highest number, or None if empty."""
        return self._ranges[-1].last if self._ranges else None

    def contains(self, number: int) -> bool:
        """Whether the number is in the set."""
        place = bisect_right(self._ranges, number, key=lambda item: item.first)
        return place > 0 and number <= self._ranges[place - 1].last

    def add(self, other: "RangeSet | RecordRange | int") -> "RangeSet":
        """The union with a set, a range or a single number."""
        return RangeSet((*self._ranges, *_as_ranges(other)))

    def subtract(self, other: "RangeSet | RecordRange | int") -> "RangeSet":
        """What is left without a set, a range or a single number."""
        removed = RangeSet(_as_ranges(other)).ranges
        kept: list[RecordRange] = []
        place = 0
        for item in self._ranges:
            start = item.first
            while place < len(removed) and removed[place].last < start:
                place += 1
            scan = place
            while scan < len(removed) and removed[scan].first <= item.last:
                if removed[scan].first > start:
                    kept.append(RecordRange(start, removed[scan].first - 1))
                start = removed[scan].last + 1
                scan += 1
            if start <= item.last:
                kept.append(RecordRange(start, item.last))
        return RangeSet(kept)

    def missing_between(self, first: int, last: int) -> "RangeSet":
        """The numbers first..last (inclusive) that the set lacks; empty if last < first."""
        return RangeSet([RecordRange(first, last)]).subtract(self) if first <= last else RangeSet()

    def numbers(self) -> Iterator[int]:
        """Every number in rising order."""
        for item in self._ranges:
            yield from range(item.first, item.last + 1)

    def __iter__(self) -> Iterator[RecordRange]:
        return iter(self._ranges)

    def __contains__(self, number: int) -> bool:
        return self.contains(number)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __eq__(self, other: object) -> bool:
        return self._ranges == other._ranges if isinstance(other, RangeSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        return f"RangeSet({', '.join(f'{item.first}..{item.last}' for item in self._ranges)})"


def _as_ranges(other: RangeSet | RecordRange | int) -> tuple[RecordRange, ...]:
    if isinstance(other, RangeSet):
        return other.ranges
    return (other,) if isinstance(other, RecordRange) else (RecordRange(other, other),)

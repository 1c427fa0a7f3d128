"""Completeness: which records must exist, which of them are held. Knows record numbers only, no minutes.

Record numbers of a log rise by one and are never reused, so every number between the first and the last one known of
must exist or have existed, whatever became of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calza_wire.ranges import RangeSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Completeness:
    """Records expected, held and missing; they add up."""

    expected: int
    held: int
    missing: int

    def __add__(self, other: Completeness) -> Completeness:
        """Of both together."""
        return Completeness(self.expected + other.expected, self.held + other.held, self.missing + other.missing)


NOTHING_EXPECTED = Completeness(0, 0, 0)


def completeness_of(held: Mapping[bytes, RangeSet], announced: Iterable[tuple[bytes, int, int]]) -> Completeness:
    """Of one stocking: what is held per log id, and (log id, first, next) as its sync reports announced them."""
    known: dict[bytes, tuple[int, int]] = {}
    for log_id, first, after in announced:
        _widen(known, log_id, first, after)
    for log_id, numbers in held.items():
        for one in numbers:
            _widen(known, log_id, one.first, one.last + 1)
    total = NOTHING_EXPECTED
    for log_id, (first, after) in known.items():
        missing = held.get(log_id, RangeSet()).missing_between(first, after - 1).count
        total += Completeness(after - first, after - first - missing, missing)
    return total


def _widen(known: dict[bytes, tuple[int, int]], log_id: bytes, first: int, after: int) -> None:
    if first < after:
        was_first, was_after = known.get(log_id, (first, after))
        known[log_id] = min(first, was_first), max(after, was_after)
